// One limit of 500 in 10 s on four edges, offered four times as much. What passes is counted at the origin.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { say } from "../../scripts/lib/fault.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { startGateway } from "../../scripts/lib/runner.mjs";
import { mostWithin, startCountingOrigin } from "./counting_origin.mjs";
import { EDGES, LIMIT, startPeer } from "./edges.mjs";
import { ask, offer } from "./offer.mjs";

const PER = 10_000;
const PER_SECOND = (4 * LIMIT * 1000) / PER;
const CONNECTIONS = 8;

const PROGRAMS = [
  ["Tidegate, leased", (directory, origin) => startTidegate(directory, origin)],
  ["one object call a request", (_, origin) => startPeer("object", origin)],
  ["the platform's binding, per location", (_, origin) => startPeer("binding", origin)],
  ["a fixed window in KV", (_, origin) => startPeer("kv", origin)],
];

function startTidegate(directory, origin) {
  mkdirSync(directory, { recursive: true });
  const config = path.join(directory, "limited.toml");
  const text = readFileSync(path.join(ROOT, "bench/limited.toml"), "utf8");
  writeFileSync(config, text.replace("http://127.0.0.1:8731", origin));
  const entry = path.join(ROOT, "bench/workers/counting.mjs");
  return startGateway({ config, edges: EDGES, log: () => {}, entry });
}

async function calls(urls) {
  const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/durable-object-calls`)).text()));
  return texts.map(Number).reduce((total, number) => total + number, 0);
}

/** Decisions per second with a few connections an edge that never pause. Nearly all of them are refusals. */
async function hurry(urls, seconds) {
  const until = performance.now() + seconds * 1000;
  let decided = 0;
  const work = async (url) => {
    for (; performance.now() < until; decided += 1) await ask(`${url}/x`, "hurried");
  };
  await Promise.all(urls.flatMap((url) => Array.from({ length: CONNECTIONS }, () => work(url))));
  return decided / seconds;
}

async function measure(name, start, directory, { seconds, quick }) {
  const { url, arrivals, server } = await startCountingOrigin();
  const { urls, stop } = await start(directory, url);
  try {
    for (const each of urls) await ask(`${each}/x`, "warm-up");
    // A client comes whenever it likes: here in the middle of a fixed window.
    await sleep(PER - ((Date.now() + PER / 2) % PER));
    const before = { calls: await calls(urls), arrivals: arrivals.length };
    const targets = urls.map((each) => `${each}/x`);
    const { requests } = await offer(targets, "offered", { perSecond: PER_SECOND, seconds: quick ? 10 : 25 });
    const passed = arrivals.slice(before.arrivals);
    const perRequest = ((await calls(urls)) - before.calls) / requests;
    const perSecond = await hurry(urls, seconds);
    return { name, requests, passed: passed.length, most: mostWithin(passed, PER), perRequest, perSecond };
  } finally {
    await stop();
    server.close();
    server.closeAllConnections();
  }
}

/** The comparison: for each program what passed, the most in any 10 s, calls per request and decisions per second. */
export async function limits(directory, options) {
  const results = [];
  for (const [name, start] of PROGRAMS) {
    say(`limits: ${name}`);
    results.push(await measure(name, start, path.join(directory, "limits"), options));
  }
  return results;
}
