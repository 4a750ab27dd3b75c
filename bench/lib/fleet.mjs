// Limits on four edges under wrk's load: what passes, what it costs, and what an outage and many keys do. Everything is
// counted twice: outside, by wrk and at the origin, and by the counters that operators see.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { say } from "../../scripts/lib/fault.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { run } from "../../scripts/lib/program.mjs";
import { startGateway } from "../../scripts/lib/runner.mjs";
import { excess, startCountingOrigin } from "./counting_origin.mjs";
import { offer } from "./offer.mjs";
import { usage } from "./runtime.mjs";

const EDGES = 4;
/** A second's requests of the limit that is offered four times as much. */
const SCARCE = 150;
const TOKEN = "an-operators-token";
const MANY_LIMITS = 100;
const MANY_KEYS = 100_000;
const KEYS_MS = 60_000;
const MEMORY = "/dev/shm";

/** One client, or another one for each request. */
const wrkScript = (client, everyone) => `
local count = 0
request = function()
  count = count + 1
  return wrk.format(nil, nil, {["x-client"] = "${client}" .. (${everyone} and count or "")})
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"status":%d,"socket":%d}\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
`;

const route = (name, limits) => `
[[route]]
name = "${name}"
match = { path = "/${name}/{*rest}" }
auth = "none"
limits = ${JSON.stringify(limits)}
`;

const limit = (name, rate, key = "header:x-client") => `
[[limit]]
name = "${name}"
key = ["${key}"]
rate = ${rate}
`;

/** One route under its limit, one far above it, one with a hundred limits, and one for a hundred thousand keys. */
function configuration(origin) {
  const ample = '{ requests = 1000000, per = "1s" }';
  const many = Array.from({ length: MANY_LIMITS }, (_, index) => `many-${index}`);
  return [
    `[gateway]\nadmin = { path = "/_tidegate", token = { secret = "BENCH_ADMIN_TOKEN" } }\n`,
    `[[pool]]\nname = "main"\norigins = [{ name = "counting", url = "${origin}" }]\n`,
    limit("ample", ample),
    limit("scarce", `{ requests = ${SCARCE}, per = "1s" }`),
    limit("small", '{ requests = 10, per = "1s" }'),
    // What is counted by another source beside makes all clients meet in one object.
    limit("together", ample, "route"),
    ...many.map((name) => limit(name, ample)),
    route("hot", ["ample"]),
    route("over", ["scarce"]),
    route("hundred", many),
    route("keys", ["small", "together"]),
  ].join("");
}

/** wrk on every edge at once, with a few connections each. Resolves with what all of them saw together. */
async function load(edges, target, { seconds, client, everyone = false, directory, connections = 4 }) {
  const runs = edges.map(async (url, edge) => {
    const script = path.join(directory, `edge-${edge}.lua`);
    writeFileSync(script, wrkScript(everyone ? `${client}-${edge}-` : client, everyone));
    const parameters = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, url + target];
    const { code, stdout, stderr } = await run("wrk", parameters);
    const line = stdout.split("\n").find((text) => text.startsWith("RESULT "));
    if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${stderr}${stdout}`);
    return JSON.parse(line.slice("RESULT ".length));
  });
  const results = await Promise.all(runs);
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  if (sum("socket") > 0) throw new Error(`${sum("socket")} requests to ${target} failed on the wire`);
  return { requests: sum("requests"), refused: sum("status"), seconds: sum("microseconds") / results.length / 1e6 };
}

/** What operators see of all edges together. */
async function metrics(edges) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const read = async (url) => (await fetch(`${url}/_tidegate/metrics`, { headers })).text();
  const texts = await Promise.all(edges.map(read));
  const sum = (name) => {
    const lines = texts.flatMap((text) => text.split("\n").filter((line) => line.startsWith(`tidegate_${name}`)));
    return lines.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  };
  return {
    decided: sum("limit_decisions_total"),
    denied: sum("limit_denied_total"),
    calls: sum("limit_asks_total") + sum("limit_refreshes_total"),
    overshoot: sum("limit_overshoot_total"),
    keys: sum("limit_keys"),
  };
}

async function total(edges, suffix) {
  const texts = await Promise.all(edges.map(async (url) => (await fetch(url + suffix)).text()));
  return texts.reduce((sum, text) => sum + Number(text), 0);
}

/** A load by wrk, with the microseconds of processor time that each of its requests cost workerd. */
async function weighed(fleet, target, options) {
  const before = usage();
  const seen = await load(fleet.urls, target, { ...fleet, ...options });
  const after = usage();
  return { ...seen, megabytes: after.megabytes, each: (after.processor - before.processor) / seen.requests };
}

/** A load, and what it was by each of the counts. */
async function counted({ urls, origin }, begin) {
  const before = { calls: await total(urls, "/durable-object-calls"), metrics: await metrics(urls) };
  const first = origin.arrivals.length;
  const seen = await begin();
  // What is on its way arrives.
  await sleep(1_500);
  const after = await metrics(urls);
  const calls = (await total(urls, "/durable-object-calls")) - before.calls;
  const difference = (name) => after[name] - before.metrics[name];
  return {
    ...seen,
    calls,
    arrivals: origin.arrivals.slice(first),
    by: {
      decided: difference("decided"),
      passed: difference("decided") - difference("denied"),
      calls: difference("calls"),
      overshoot: difference("overshoot"),
    },
  };
}

const whole = (number) => Math.round(number).toLocaleString("en");
const share = (part, all) => (part / Math.max(all, 1)).toFixed(4);
const row = (title, value, target) => ({ title, value, target });

/** What wrk and the origin saw beside what the counters say: some requests end with wrk's time. */
function both({ requests, arrivals, calls, by }) {
  const pairs = { requests: [requests, by.decided], passed: [arrivals.length, by.passed], calls: [calls, by.calls] };
  return Object.entries(pairs)
    .map(([name, [outside, inside]]) => `${whole(outside)} / ${whole(inside)} ${name}`)
    .join(", ");
}

async function hot(fleet, seconds) {
  await load(fleet.urls, "/hot/a", { ...fleet, seconds: 3, client: "hot" });
  const seen = await counted(fleet, () => load(fleet.urls, "/hot/a", { ...fleet, seconds, client: "hot" }));
  return [
    row("hot key under its limit: object calls a request", share(seen.calls, seen.requests), "<= 0.02"),
    row("… counted outside / by metrics", both(seen), "agree"),
  ];
}

async function over(fleet, seconds) {
  const first = fleet.origin.arrivals.length;
  const targets = fleet.urls.map((url) => `${url}/over/a`);
  await offer(targets, "over", { perSecond: 4 * SCARCE, seconds: 5 });
  const seen = await counted(fleet, () => offer(targets, "over", { perSecond: 4 * SCARCE, seconds }));
  const arrivals = fleet.origin.arrivals.slice(first);
  const given = SCARCE * seen.seconds;
  return [
    row("over its limit: offered, times the limit", (seen.requests / given).toFixed(1), "4"),
    row("… admitted, of rate x time", `${((seen.arrivals.length / given) * 100).toFixed(1)} %`, ">= 95 %"),
    row("… too many at the origin, in the worst interval", `${excess(arrivals, SCARCE)}`, "0"),
    row("… object calls a request", share(seen.calls, seen.requests), "<= 0.03"),
    row("… counted outside / by metrics", both(seen), "agree"),
    row("… overshoot by metrics", `${seen.by.overshoot}`, "0"),
  ];
}

async function outage(fleet) {
  // A lease has its full length after 7 s, and is not renewed before 13 s.
  await load(fleet.urls, "/hot/a", { ...fleet, seconds: 11, client: "outage" });
  await total(fleet.urls, "/durable-objects-gone");
  const seen = await load(fleet.urls, "/hot/a", { ...fleet, seconds: 5, client: "outage" });
  await total(fleet.urls, "/durable-objects-back");
  const refused = `${((seen.refused / seen.requests) * 100).toFixed(2)} % of ${whole(seen.requests)}`;
  return [row("objects out of reach for 5 s: requests refused", refused, "< 1 %")];
}

async function hundred(fleet, seconds) {
  const all = { "/hot/a": [], "/hundred/a": [] };
  for (const target of ["/hot/a", "/hundred/a", "/hot/a", "/hundred/a"]) {
    await load(fleet.urls, target, { ...fleet, seconds: 1, client: "hundred" });
    all[target].push(await weighed(fleet, target, { seconds: Math.ceil(seconds / 4), client: "hundred" }));
  }
  const [one, many] = Object.values(all).map((runs) => Math.min(...runs.map(({ each }) => each)));
  const more = (many - one) / (MANY_LIMITS - 1);
  return [
    row("µs of processor a request with 1 limit and with 100", `${whole(one)} and ${whole(many)}`, ""),
    row("… for each limit more", more.toFixed(2), "flat"),
  ];
}

async function keys(fleet) {
  const steps = [];
  let all = 0;
  for (const end = performance.now() + KEYS_MS; all < MANY_KEYS && performance.now() < end; ) {
    const client = `key-${steps.length}`;
    const seen = await weighed(fleet, "/keys/a", { seconds: 5, client, everyone: true, connections: 16 });
    all += seen.requests;
    steps.push({ all, ...seen });
  }
  const { keys: remembered } = await metrics(fleet.urls);
  const some = [...new Set([0, 0.25, 0.5, 0.75, 1].map((part) => steps[Math.round(part * (steps.length - 1))]))];
  const after = (name) => some.map((step) => `${whole(step.all / 1000)}k: ${whole(step[name])}`).join(", ");
  return [
    row("different keys asked for", whole(all), `${whole(MANY_KEYS)}`),
    row("… remembered by the four isolates", whole(remembered), "<= 80,000"),
    row("… µs of processor a request, after so many", after("each"), "flat"),
    row("… workerd's memory in MiB, after so many", after("megabytes"), "bounded"),
  ];
}

/** Where objects keep their rows: in memory if there is such a place, because an object writes one for each new key. */
function storage(directory) {
  if (!existsSync(MEMORY)) return path.join(directory, "objects");
  const persist = mkdtempSync(path.join(MEMORY, "tidegate-bench-"));
  process.on("exit", () => rmSync(persist, { recursive: true, force: true }));
  return persist;
}

function start(origin, directory) {
  const config = path.join(directory, "fleet.toml");
  writeFileSync(config, configuration(origin.url));
  const entry = path.join(ROOT, "bench/workers/counting.mjs");
  const secrets = { BENCH_ADMIN_TOKEN: TOKEN };
  return startGateway({ config, edges: EDGES, log: () => {}, entry, secrets, persist: storage(directory) });
}

/** The rows of the group. */
export async function fleet(parent, { quick }) {
  const directory = path.join(parent, "fleet");
  mkdirSync(directory, { recursive: true });
  const origin = await startCountingOrigin();
  const seconds = quick ? 5 : 15;
  const gateway = await start(origin, directory);
  const rows = [];
  try {
    const all = { urls: gateway.urls, origin, directory };
    const steps = { hot, over, outage, hundred, keys };
    for (const [name, step] of Object.entries(steps)) {
      say(`fleet: ${name}`);
      rows.push(...(await step(all, seconds)));
    }
  } finally {
    await gateway.stop();
    origin.server.close();
    origin.server.closeAllConnections();
  }
  return [row("edges, and requests a second that the scarce limit gives", `${EDGES}, ${SCARCE}`, ""), ...rows];
}
