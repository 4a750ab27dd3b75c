import { fork } from "node:child_process";
import path from "node:path";

import { ISSUER, ISSUER_PORT, ORIGINS } from "../demo/servers.mjs";
import { parse, wholeNumber } from "./lib/arguments.mjs";
import { setUp } from "./lib/build.mjs";
import { onEnding } from "./lib/ending.mjs";
import { Fault, main, say } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { ROOT } from "./lib/paths.mjs";
import { checkPorts } from "./lib/ports.mjs";

const USAGE = `usage: npm start [-- --port PORT]

Starts three demo regions with two origins each, a demo token issuer, and the gateway with tidegate.toml in front.

  --port PORT   port of the gateway on 127.0.0.1 (default 8787)`;

const children = new Set();

/** Starts one of the demo's servers and resolves when it listens. */
function startServer(file, ...parameters) {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(ROOT, "demo", file), parameters.map(String));
    children.add(child);
    child.once("message", () => resolve(child));
    child.once("exit", (code) => {
      children.delete(child);
      const name = parameters.length > 1 ? parameters[1] : "issuer";
      reject(new Fault(`The demo's ${name} does not start (exit code ${code}).`));
      if (code !== null && code !== 0) say(`The demo's ${name} has ended with exit code ${code}.`);
    });
  });
}

/** Requests to try, with a token that works. */
function invitation(url, token) {
  const bearer = '-H "Authorization: Bearer $TOKEN"';
  const from = (place) => `-H 'MF-CF-Blob: ${JSON.stringify(place)}'`;
  return `
Tidegate answers at ${url}: tidegate.toml says how. In another terminal:

  export TOKEN=${token}

  # token, limit, cache, steering: the second time Cache-Status says "hit" and no origin is asked
  curl -i ${bearer} "${url}/api/services/search?category=print"

  # the region nearest to the caller: us by default, eu from Germany, ap from Japan
  curl ${url}/public/hello
  curl ${from({ country: "DE", continent: "EU", colo: "FRA" })} ${url}/public/hello
  curl ${from({ country: "JP", continent: "AS", colo: "NRT" })} ${url}/public/hello

  # 401: no token, and one that expired ten minutes ago
  curl -i ${url}/api/services/search
  curl -i -H "Authorization: Bearer $(curl -s '${ISSUER}token?ttl=-600')" ${url}/api/services/search

  # 403: a token without the scope "write"
  curl -i -H "Authorization: Bearer $(curl -s '${ISSUER}token?sub=bob&scope=read')" ${url}/api/orders/7

  # 429: a hundred requests a minute for each user
  for i in $(seq 110); do
    curl -s -o /dev/null -w '%{http_code}\\n' ${bearer} ${url}/api/services/search
  done | sort | uniq -c

  # an origin that is gone is not noticed: stop us-1 and ask again
  kill ${[...children].find((child) => child.spawnargs.includes("us-1"))?.pid}
  curl ${url}/public/hello

Ctrl-C stops everything. Below, one line for each request: what was decided, and why.
`;
}

await main(async () => {
  const values = parse(USAGE, { port: { type: "string" } });
  const port = wholeNumber(USAGE, "port", values.port ?? "8787", 1, 65535);
  await checkPorts([
    [port, "the gateway", "--port"],
    [ISSUER_PORT, "the demo's token issuer"],
    ...ORIGINS.map((origin) => [origin.port, `the demo's origin ${origin.name}`]),
  ]);
  await setUp("worker");
  await goOnUnderModernNode();
  const { startGateway } = await import("./lib/runner.mjs");
  await Promise.all([
    startServer("issuer.mjs", ISSUER_PORT),
    ...ORIGINS.map(({ region, name, port: own }) => startServer("origin.mjs", region, name, own)),
  ]);
  const { urls } = await startGateway({ config: path.join(ROOT, "tidegate.toml"), port });
  // The demo's servers end when they lose their connection to this process, miniflare's exit handler ends workerd.
  onEnding(() => process.exit(0));
  const token = await (await fetch(`${ISSUER}token?sub=alice`)).text();
  process.stdout.write(`ready ${urls[0]}\n${invitation(urls[0], token.trim())}`);
});
