// From measurements to the tables that people read: aligned Markdown, one form for the terminal and the file.

import { LIMIT } from "./edges.mjs";
import { SERIES, seriesName } from "./measure.mjs";
import { median, ratio, spread } from "./statistics.mjs";

/** What is compared: a title, the two series, and the target of the performance budget where there is one. */
const RATIOS = [
  ["token, two limits, geo steering / pass-through with the same fields", "tidegate /limited", "bare /both", ">= 0.97"],
  ["token, geo steering, no response field / pass-through", "tidegate /token", "bare /request", ">= 0.95"],
  ["the floor: such a gateway's duties, no decision / pass-through", "bare /duties", "bare /request", ""],
  ["token, geo steering, no response field / the floor", "tidegate /token", "bare /duties", ""],
  ["geo steering alone / pass-through", "tidegate /open", "bare /request", ""],
  ["geo steering alone / pass-through that sets nothing", "tidegate /open", "bare /nothing", ""],
  ["token, two limits, geo steering / the peer", "tidegate /limited", "peer /limited", ">= 1.6"],
  ["token, geo steering / the peer", "tidegate /token", "peer /token", ""],
  ["geo steering alone / the peer", "tidegate /open", "peer /open", ""],
  ["cache hit in memory / a Worker that returns a constant", "tidegate /cached", "bare /constant", ">= 0.80"],
  ["the floor: a hit's duties, no decision / a constant", "bare /hit", "bare /constant", ""],
  ["cache hit in memory / the floor", "tidegate /cached", "bare /hit", ""],
];

const FIRST_SEEN = [
  ["first-seen ES256 tokens / the peer", "tidegate ES256", "peer ES256", ">= 1.0"],
  ["first-seen RS256 tokens / the peer", "tidegate RS256", "peer RS256", ">= 1.0"],
];

/** Where the time goes: the processor time of one series less that of another. */
const STEPS = [
  ["runtime, socket to socket", "bare /nothing"],
  ["eight request fields, in JavaScript", "bare /request", "bare /nothing"],
  ["two response fields, in JavaScript", "bare /both", "bare /request"],
  ["what every such gateway must ask the runtime for", "bare /duties", "bare /request"],
  ["Tidegate: routing, steering, hygiene, timeout, record", "tidegate /open", "bare /request"],
  ["Tidegate: a known token", "tidegate /token", "tidegate /open"],
  ["Tidegate: two limits", "tidegate /limited", "tidegate /token"],
  ["peer: routing, steering", "peer /open", "bare /request"],
  ["peer: a token", "peer /token", "peer /open"],
  ["peer: two limits", "peer /limited", "peer /token"],
];

/** An aligned Markdown table; every column but the first is set to the right. */
function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const pad = (text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]));
  const line = (row) => `| ${row.map(pad).join(" | ")} |`;
  const rule = widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [head, rule, ...rows].map(line).join("\n");
}

const range = ({ min, max }, digits) => `${min.toFixed(digits)} to ${max.toFixed(digits)}`;

/** The ratios of throughput and of processor time of one comparison, or undefined when a side was not measured. */
function comparison(results, [title, of, against, target]) {
  if (results[of] === undefined || results[against] === undefined) return undefined;
  const measured = results[of].processor.every(Number.isFinite) && results[against].processor.every(Number.isFinite);
  return {
    title,
    target,
    throughput: ratio(results[of].perSecond, results[against].perSecond),
    // Less time is better: the other way round, so that both ratios read alike.
    processor: measured ? ratio(results[against].processor, results[of].processor) : null,
  };
}

/** Every measure of the budget that this run covers. */
export function measures({ throughput = {}, firstSeen = {}, starts, counts = [] }) {
  const of = (results, list) => list.map((each) => comparison(results, each)).filter((each) => each !== undefined);
  const compared = [...of(throughput, RATIOS), ...of(firstSeen, FIRST_SEEN)];
  return {
    compared,
    start: starts && ratio(starts.tidegate.milliseconds, starts.peer.milliseconds),
    counts,
  };
}

function measuresTable({ compared, start, counts }) {
  const rows = compared.map(({ title, target, throughput, processor }) => [
    title,
    throughput.median.toFixed(2),
    range(throughput, 2),
    processor === null ? "" : processor.median.toFixed(2),
    target,
  ]);
  if (start) {
    const title = "process start to first answer, 100 routes / the peer";
    rows.push([title, start.median.toFixed(2), range(start, 2), "", "<= 1.5"]);
  }
  rows.push(...counts.map(({ title, value, target }) => [title, value, "", "", target]));
  return table(["Measure", "median", "min to max", "by processor time", "target"], rows);
}

function seriesTable(throughput, firstSeen = {}) {
  const microseconds = (values) => (values?.every(Number.isFinite) ? median(values).toFixed(0) : "");
  const row = (name, result) => {
    const perSecond = spread(result.perSecond);
    return [name, perSecond.median.toFixed(0), range(perSecond, 0), microseconds(result.processor)];
  };
  const rows = SERIES.map((each) => seriesName(...each))
    .filter((name) => throughput[name] !== undefined)
    .map((name) => row(name, throughput[name]));
  for (const [name, result] of Object.entries(firstSeen)) rows.push(row(`${name}, first seen`, result));
  return table(["Program and route", "requests/s", "min to max", "processor µs a request"], rows);
}

function stepsTable(throughput) {
  const time = (name) => throughput[name].processor;
  const rows = STEPS.map(([title, of, less]) => {
    const differences = time(of).map((value, round) => value - (less === undefined ? 0 : time(less)[round]));
    return [title, median(differences).toFixed(1)];
  });
  return table(["Where the time goes", "processor µs a request"], rows);
}

function startsTable(starts) {
  const rows = Object.entries(starts).map(([name, { milliseconds }]) => {
    const each = spread(milliseconds);
    return [name, each.median.toFixed(0), range(each, 0)];
  });
  return table(["Process start to first answer", "ms", "min to max"], rows);
}

/** What passed a limit, as its origin saw it. */
function limitsTable(limits) {
  const rows = limits.map(({ name, requests, passed, most, perRequest, perSecond }) => {
    const over = Math.max(0, (most / LIMIT - 1) * 100);
    const calls = perRequest.toFixed(3);
    return [name, `${passed} of ${requests}`, `${most}`, `${over.toFixed(0)} %`, calls, perSecond.toFixed(0)];
  });
  const head = ["500 in 10 s, 4 edges, 4 times the load", "passed", "most in any 10 s", "over", "calls a request"];
  return table([...head, "decisions/s"], rows);
}

function fleetTable(rows) {
  const cells = rows.map(({ title, value, target }) => [title, value, target]);
  return table(["Limits on four edges under load", "measured", "target"], cells);
}

/** The tables of a run, one text. */
export function tables(run) {
  const { throughput, firstSeen, starts, limits } = run;
  const { compared, start, counts } = run.measures;
  const parts = compared.length > 0 || start || counts.length > 0 ? [measuresTable(run.measures)] : [];
  if (throughput || firstSeen) parts.push(seriesTable(throughput ?? {}, firstSeen));
  if (throughput && Object.values(throughput).every(({ processor }) => processor.every(Number.isFinite))) {
    parts.push(stepsTable(throughput));
  }
  if (starts) parts.push(startsTable(starts));
  if (limits) parts.push(limitsTable(limits));
  if (run.fleet) parts.push(fleetTable(run.fleet));
  return parts.join("\n\n");
}

/** The run's circumstances, as lines. */
export function circumstances({ machine, versions, options }) {
  const { rounds, seconds, connections } = options;
  return [
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, ${machine.system}; ${machine.pinned}.`,
    `${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")}.`,
    `${rounds} alternating rounds of ${seconds} s, ${connections} keep-alive connections, ratios within each round.`,
  ];
}

/** bench/RESULTS.md. */
export function resultsPage(run) {
  return `# Results

\`${run.command}\`, ${run.date}. Written by that command with \`--write\`.

${circumstances(run).map((line) => `- ${line}`).join("\n")}

Three Workers on raw workerd, one process each, in front of the same nginx:

- **bare** passes requests on. It sets \`/nothing\`, or the \`/request\` fields that Tidegate sets, or \`/both\` these
  and the two RateLimit fields of the response. \`/duties\` is the floor: the request fields, and what every gateway
  with Tidegate's features must ask the runtime for (the names of all fields, the client's place, a timer, no caching
  by the zone, the response's hop-by-hop fields, one line on the log), without deciding anything; \`/hit\` the same
  for a response from memory.
- **peer** is the same policy in Hono and jose, with one call to a Durable Object for the limits. It does less: no
  timeout, no second attempt, no removal of spoofed fields, no decision record, limits in memory only.
- **tidegate** is Tidegate, with 100 routes as the peer has them. \`/limited\` wants a token, counts two limits and
  steers by place; \`/token\` has no limits; \`/open\` has neither. \`/cached\` answers from the isolate's memory, what
  bare's \`/constant\` would be at best.

Ratios are of requests per second: above 1, Tidegate does more in the same time. By processor time, only what a program
itself spent counts. The start is a ratio of times: below 1, Tidegate is sooner. Targets are the performance budget's.

The last table has one limit on four edges, offered four times as much from the middle of a fixed window on. What
passed is counted at the origin, so that what a busy machine holds up after the decision shows too. All four run on
miniflare: its binding counts in one place, so each edge has a binding of its own, as the platform counts per location;
its KV is consistent at once, where the platform's takes up to a minute to be seen elsewhere. Calls are those to an
object, a binding or KV.

${tables(run)}

Not measured yet: hits in the store of a location (raw workerd has none), route matching alone with 10 and 10,000
routes, memory after a million requests, 10,000 connections.
`;
}
