// `npm run bench`: Tidegate against a bare pass-through and against the same policy in JavaScript. It only measures and
// prints: a slow machine is no failure.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { parse, wholeNumber, wrong } from "../scripts/lib/arguments.mjs";
import { gzippedSize, WASM, WORKER } from "../scripts/lib/build.mjs";
import { main, say } from "../scripts/lib/fault.mjs";
import { ROOT } from "../scripts/lib/paths.mjs";
import { checkAgreement } from "./lib/agreement.mjs";
import { writeScript } from "./lib/load.mjs";
import { fleet } from "./lib/fleet.mjs";
import { limits } from "./lib/limits.mjs";
import { checkPrograms, describe, divideCores, moveTo } from "./lib/machine.mjs";
import { durableObjectCalls, firstSeen, HEADERS, starts, throughput } from "./lib/measure.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stop } from "./lib/processes.mjs";
import { placePrograms } from "./lib/programs.mjs";
import { circumstances, measures, resultsPage, tables } from "./lib/report.mjs";
import { serve } from "./lib/workerd.mjs";

const GROUPS = ["throughput", "first-seen", "start", "counts", "limits", "fleet"];

const USAGE = `usage: npm run bench [-- --quick] [-- --write]

Needs wrk and nginx. About nine minutes; the table is the end of the output, bench/results/latest.json has the figures.

  --rounds N        alternating rounds (7; with --quick 3)
  --seconds N       of each program in each round (3; with --quick 1)
  --connections N   keep-alive connections (32)
  --only LIST       some of ${GROUPS.join(",")}
  --quick           under a minute, for a first look
  --write           the tables go to bench/RESULTS.md`;

function options() {
  const values = parse(USAGE, {
    rounds: { type: "string" },
    seconds: { type: "string" },
    connections: { type: "string", default: "32" },
    only: { type: "string", default: GROUPS.join(",") },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  });
  const number = (name, otherwise, low, high) => wholeNumber(USAGE, name, values[name] ?? otherwise, low, high);
  const only = values.only.split(",");
  const unknown = only.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined) throw wrong(USAGE, `--only knows no "${unknown}"`);
  return {
    quick: values.quick,
    write: values.write,
    only,
    rounds: number("rounds", values.quick ? "3" : "7", 1, 99),
    seconds: number("seconds", values.quick ? "1" : "3", 1, 60),
    connections: number("connections", "32", 1, 1000),
  };
}

/** What does not depend on the machine. */
async function counts(programs, cores) {
  const { cold, hot } = await durableObjectCalls(programs.counting, cores.program);
  const bytes = gzippedSize(WORKER, WASM);
  return [
    { title: "Durable Object calls per request, hot key", value: hot.toFixed(4), target: "<= 0.02" },
    { title: "… the first thousand requests of a new isolate", value: cold.toFixed(3), target: "" },
    { title: "Wasm and JavaScript, gzip", value: `${(bytes / 1024).toFixed(0)} KiB`, target: "<= 400 KiB" },
  ];
}

/** The measurements that need all programs running. */
async function underLoad(programs, chosen, cores, script) {
  const { rounds, seconds, connections, quick, only } = chosen;
  const servers = {};
  for (const name of ["bare", "peer", "tidegate"]) servers[name] = await serve(programs[name], cores.program);
  await checkAgreement(servers, HEADERS);
  const results = {};
  if (only.includes("throughput")) {
    const warmUp = quick ? 1 : 2;
    const settings = { rounds, warmUp, seconds, connections, cores: cores.rest, script };
    results.throughput = await throughput(servers, settings);
  }
  if (only.includes("first-seen")) {
    results.firstSeen = await firstSeen(servers, { rounds, perRound: quick ? 1000 : 2500, connections });
  }
  await Promise.all(Object.values(servers).map(({ child }) => stop(child)));
  return results;
}

async function measureAll(directory, chosen) {
  const cores = divideCores();
  moveTo(cores.rest);
  const { ports } = await startOrigin(path.join(directory, "origin"), { count: 4, cores: cores.rest });
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const programs = await placePrograms(directory, { eu: urls.slice(0, 2), us: urls.slice(2) });
  const { only, rounds } = chosen;
  const loads = only.some((group) => group === "throughput" || group === "first-seen");
  const loaded = loads ? await underLoad(programs, chosen, cores, writeScript(directory)) : {};
  const run = { ...describe(cores), options: chosen, ...loaded };
  if (only.includes("start")) run.starts = await starts(programs, { rounds, cores: cores.program });
  if (only.includes("counts")) run.counts = await counts(programs, cores);
  if (only.includes("limits")) run.limits = await limits(directory, chosen);
  if (only.includes("fleet")) run.fleet = await fleet(directory, chosen);
  return run;
}

await main(async () => {
  const chosen = options();
  checkPrograms();
  const directory = mkdtempSync(path.join(tmpdir(), "tidegate-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const began = performance.now();
  const run = await measureAll(directory, chosen);
  run.measures = measures(run);
  run.date = new Date().toISOString().slice(0, 10);
  run.command = ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
  const results = path.join(ROOT, "bench", "results");
  mkdirSync(results, { recursive: true });
  writeFileSync(path.join(results, "latest.json"), `${JSON.stringify(run, null, 2)}\n`);
  if (chosen.write) writeFileSync(path.join(ROOT, "bench", "RESULTS.md"), resultsPage(run));
  process.stdout.write(`\n${circumstances(run).join("\n")}\n\n${tables(run)}\n`);
  say(`\n${Math.round((performance.now() - began) / 1000)} s; the figures are in bench/results/latest.json`);
  process.exit(0);
});
