import { parse, wholeNumber, wrong } from "./lib/arguments.mjs";
import { setUp } from "./lib/build.mjs";
import { onEnding } from "./lib/ending.mjs";
import { main } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { checkPorts } from "./lib/ports.mjs";

const USAGE = `usage: npm run gateway -- --config FILE [--port PORT] [--edges N] [--persist DIR]

  --config FILE   the configuration, see tidegate.toml for an example
  --port PORT     port of the first edge on 127.0.0.1, the others follow (default 8787; 0 takes free ones)
  --edges N       how many edges, each as one Cloudflare location (default 1)
  --persist DIR   keep the Durable Objects' storage in this directory (default: forgotten at the end)

Secrets that the configuration names come from the environment or from .dev.vars.
The request header MF-CF-Blob: {"country":"DE","colo":"FRA"} says where a request comes from.
Caches keep hosts apart, and a port is a part of one: give several edges the same Host, such as shop.example.`;

const EDGES_MAX = 32;

function options() {
  const text = { type: "string" };
  const values = parse(USAGE, { config: text, port: text, edges: text, persist: text });
  if (!values.config) throw wrong(USAGE, "--config FILE is missing");
  const edges = wholeNumber(USAGE, "edges", values.edges ?? "1", 1, EDGES_MAX);
  const port = wholeNumber(USAGE, "port", values.port ?? "8787", 0, 65535);
  if (port + edges - 1 > 65535) throw wrong(USAGE, `--port ${port} leaves no room for ${edges} edges`);
  if (values.persist === "") throw wrong(USAGE, "--persist needs the name of a directory");
  return { config: values.config, port, edges, persist: values.persist };
}

await main(async () => {
  const { config, port, edges, persist } = options();
  if (port !== 0)
    await checkPorts(Array.from({ length: edges }, (_, index) => [port + index, `edge${index}`, "--port"]));
  await setUp("worker");
  await goOnUnderModernNode();
  const { startGateway } = await import("./lib/runner.mjs");
  const { urls } = await startGateway({ config, port, edges, persist });
  // miniflare's exit handler ends workerd.
  onEnding(() => process.exit(0));
  for (const url of urls) process.stdout.write(`ready ${url}\n`);
});
