// The measurements. Each alternates between the programs, so that a round sees all of them on the same machine.

import { setTimeout as sleep } from "node:timers/promises";

import { say } from "../../scripts/lib/fault.mjs";
import { askEach, askOnce, requestText } from "./client.mjs";
import { load } from "./load.mjs";
import { processorTime, stop } from "./processes.mjs";
import { token } from "./tokens.mjs";
import { launch, serve } from "./workerd.mjs";

const START_MILLISECONDS = 20_000;
const COLD_REQUESTS = 1000;
const HOT_REQUESTS = 5000;

/** What a browser sends, and what Cloudflare adds. */
export const HEADERS = {
  accept: "application/json, text/plain, */*",
  "accept-language": "de-DE,de;q=0.9,en;q=0.8",
  "accept-encoding": "identity",
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  referer: "https://www.example.com/services",
  origin: "https://www.example.com",
  cookie: "theme=dark; consent=1; visitor=0123456789abcdef0123456789abcdef",
  dnt: "1",
  priority: "u=1, i",
  "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"',
  "sec-ch-ua-mobile": "?0",
  "sec-ch-ua-platform": '"Linux"',
  "sec-fetch-dest": "empty",
  "sec-fetch-mode": "cors",
  "sec-fetch-site": "same-site",
  "cf-connecting-ip": "203.0.113.7",
  "cf-ipcountry": "DE",
  "cf-visitor": '{"scheme":"https"}',
  "mf-cf-blob": '{"colo":"FRA","country":"DE","continent":"EU"}',
};

/** What is loaded: a program, and the first segment of the path, which is the variant or the route. */
export const SERIES = [
  ["bare", "nothing"],
  ["bare", "request"],
  ["bare", "both"],
  ["bare", "duties"],
  ["bare", "constant"],
  ["bare", "hit"],
  ["peer", "limited"],
  ["peer", "token"],
  ["peer", "open"],
  ["tidegate", "limited"],
  ["tidegate", "token"],
  ["tidegate", "open"],
  ["tidegate", "cached"],
];

export const seriesName = (program, variant) => `${program} /${variant}`;

function collect(results, name, result) {
  for (const [key, value] of Object.entries(result)) ((results[name] ??= {})[key] ??= []).push(value);
}

/** Requests per second and processor time per request of every series. */
export async function throughput(servers, { rounds, warmUp, seconds, connections, cores, script }) {
  const headers = { ...HEADERS, authorization: `Bearer ${token("ES256")}` };
  const one = ([program, variant], duration) => {
    const settings = { script, seconds: duration, connections, cores };
    return load(servers[program], `/${variant}/services/42?page=2`, headers, settings);
  };
  say(`warming up, ${warmUp} s each`);
  for (const series of SERIES) await one(series, warmUp);
  const results = {};
  for (let round = 0; round < rounds; round += 1) {
    say(`round ${round + 1} of ${rounds}, ${SERIES.length} programs and routes, ${seconds} s each`);
    for (const series of SERIES) collect(results, seriesName(...series), await one(series, seconds));
  }
  return results;
}

/** Tokens that nobody has seen before, each used once, on a route that wants nothing but a token. */
export async function firstSeen(servers, { rounds, perRound, connections }) {
  const results = {};
  let number = 1000;
  for (const alg of ["ES256", "RS256"]) {
    say(`first-seen ${alg} tokens, ${perRound} a round`);
    const make = () => Array.from({ length: perRound }, () => token(alg, number++));
    for (let round = -1; round < rounds; round += 1) {
      const tokens = make();
      for (const program of ["peer", "tidegate"]) {
        const { port, child } = servers[program];
        const text = (each) => requestText(port, "/token/x", { ...HEADERS, authorization: `Bearer ${each}` });
        const before = processorTime(child.pid);
        const seconds = await askEach(port, tokens.map(text), connections);
        const after = processorTime(child.pid);
        const processor = before === null || after === null ? null : (after - before) / perRound;
        // The round before the first one is the warm-up.
        if (round >= 0) collect(results, `${program} ${alg}`, { perSecond: perRound / seconds, processor });
      }
    }
  }
  return results;
}

/** Milliseconds from the start of the process to its first answer. */
export async function starts(programs, { rounds, cores }) {
  const results = {};
  say(`process start to first answer, ${rounds} rounds`);
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, target] of [["bare", "/nothing/x"], ["peer", "/open/x"], ["tidegate", "/open/x"]]) {
      const began = performance.now();
      const server = await launch(programs[name], cores);
      const deadline = began + START_MILLISECONDS;
      const text = requestText(server.port, target, HEADERS);
      let status;
      while (status === undefined && performance.now() < deadline) {
        status = await askOnce(server.port, text).catch(() => sleep(1));
      }
      const milliseconds = performance.now() - began;
      await stop(server.child);
      if (status !== 200) throw new Error(`${name} did not start (see ${server.log})`);
      collect(results, name, { milliseconds });
    }
  }
  return results;
}

/**
 * Durable Object calls per request on the route with two limits, one user: a count, not a time. The first requests of
 * an isolate, which has been lent nothing yet, and those after them.
 */
export async function durableObjectCalls(program, cores) {
  say(`Durable Object calls of ${COLD_REQUESTS} and ${HOT_REQUESTS} requests`);
  const server = await serve(program, cores);
  const text = requestText(server.port, "/limited/x", { ...HEADERS, authorization: `Bearer ${token("ES256")}` });
  const calls = async () => Number(await (await fetch(`http://127.0.0.1:${server.port}/durable-object-calls`)).text());
  await askEach(server.port, Array.from({ length: COLD_REQUESTS }, () => text), 8);
  const cold = await calls();
  await askEach(server.port, Array.from({ length: HOT_REQUESTS }, () => text), 8);
  const hot = (await calls()) - cold;
  await stop(server.child);
  return { cold: cold / COLD_REQUESTS, hot: hot / HOT_REQUESTS };
}
