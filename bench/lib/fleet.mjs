// Limits on four edges under wrk's load: what passes, what it costs, and what an outage and many keys do. Everything is
// counted twice: outside, by wrk and at the origin, and by the counters that operators see.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { say } from "../../scripts/lib/fault.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { startGateway } from "../../scripts/lib/runner.mjs";
import { metrics, TOKEN, total } from "./counters.mjs";
import { excess, startCountingOrigin } from "./counting_origin.mjs";
import { load, weighed } from "./crowd.mjs";
import { keys, LIMITS } from "./keys.mjs";
import { offer } from "./offer.mjs";

const EDGES = 4;
/** A second's requests of the limit that is offered four times as much. */
const SCARCE = 150;
const MANY_LIMITS = 100;
const MEMORY = "/dev/shm";

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
    ...LIMITS.map((name) => limit(name, '{ requests = 10, per = "1s" }')),
    // What is counted by another source beside makes all clients meet in one object.
    limit("together", ample, "route"),
    ...many.map((name) => limit(name, ample)),
    route("hot", ["ample"]),
    route("over", ["scarce"]),
    route("hundred", many),
    route("keys", [...LIMITS, "together"]),
  ].join("");
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
  const persist = storage(directory);
  return startGateway({ config, edges: EDGES, log: () => {}, entry, secrets, persist, inspect: true });
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
    const all = { urls: gateway.urls, miniflare: gateway.miniflare, origin, directory };
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
