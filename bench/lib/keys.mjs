// A hundred thousand keys: each request comes from another client, and is counted by four limits of its own. What
// isolates remember of them, in which memory, and what a request costs meanwhile.

import { metrics } from "./counters.mjs";
import { weighed } from "./crowd.mjs";
import { inspect } from "./isolates.mjs";
import { usage } from "./runtime.mjs";

/** The limits that count each client by itself. */
export const LIMITS = ["small-0", "small-1", "small-2", "small-3"];
/** Each isolate may remember 20,000, and the object some 25,000: so many that all of them have forgotten some. */
const MANY = 150_000;
/** When so many were asked for, it is said what they took. */
const MARKS = [1_000, 25_000, 50_000, 75_000, 100_000, MANY];
/** A slow machine gets no further in ten times the seconds of another phase. */
const PHASES = 10;

const whole = (number) => Math.round(number).toLocaleString("en");
const row = (title, value, target) => ({ title, value, target });

/** What a request from a client that everybody knows costs, in microseconds of processor time. */
async function known(fleet) {
  await weighed(fleet, "/keys/a", { seconds: 1, client: "known" });
  return (await weighed(fleet, "/keys/a", { seconds: 3, client: "known" })).each;
}

/** New clients, until there were enough of them. */
async function flood(fleet, isolates, longest) {
  const steps = [];
  let all = 0;
  for (const end = performance.now() + longest * 1000; all < MANY && performance.now() < end; ) {
    const client = `step-${steps.length}`;
    const seconds = steps.length === 0 ? 1 : 3;
    const options = { seconds, client, everyone: true, connections: 16 };
    const { requests, each } = await weighed(fleet, "/keys/a", options);
    all += requests * LIMITS.length;
    const [withObject, ...others] = await isolates.memory();
    const { megabytes } = usage();
    const most = (name) => Math.max(...others.map((isolate) => isolate[name]));
    steps.push({ all, each, megabytes, withObject, isolate: { wasm: most("wasm"), heap: most("heap") } });
  }
  return steps;
}

/** The rows of the phase. */
export async function keys(fleet, seconds) {
  const isolates = await inspect(fleet.miniflare, fleet.urls);
  const before = await known(fleet);
  const steps = await flood(fleet, isolates, PHASES * seconds);
  const after = await known(fleet);
  isolates.close();
  const { keys: remembered } = await metrics(fleet.urls);
  const at = (mark) => steps.find(({ all }) => all >= mark) ?? steps.at(-1);
  const some = [...new Set(MARKS.map(at))];
  const curve = (text) => some.map((step) => `${whole(step.all / 1000)}k: ${text(step)}`).join(", ");
  const mebibytes = ({ wasm, heap }) => `${wasm.toFixed(0)} + ${heap.toFixed(0)}`;
  return [
    row("different keys asked for, four with each request", whole(steps.at(-1).all), ">= 100,000"),
    row("… remembered by the four isolates", whole(remembered), "<= 80,000"),
    row("… MiB of an isolate, Wasm + JavaScript", curve(({ isolate }) => mebibytes(isolate)), "bounded"),
    row("… of the one with the object", curve(({ withObject }) => mebibytes(withObject)), "bounded"),
    row("… of all of workerd", curve(({ megabytes }) => whole(megabytes)), ""),
    row("… µs of processor a request, all keys new", curve(({ each }) => whole(each)), "flat"),
    row("… all keys known, before and after", `${whole(before)} and ${whole(after)}`, "flat"),
  ];
}
