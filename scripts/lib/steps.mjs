// A command first brings the clone up to date, in steps. A step that is up to date costs a look at its inputs.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Fault, say } from "./fault.mjs";
import { BUILD, ROOT } from "./paths.mjs";

const LOCK = path.join(BUILD, ".lock");
const LOCK_GRACE_MILLISECONDS = 5_000;
const HEARTBEAT_SECONDS = 15;

/** Every file under the given paths (relative to the repository), in a stable order. */
export function files(...roots) {
  const found = [];
  const visit = (name) => {
    const full = path.join(ROOT, name);
    if (!existsSync(full)) return;
    if (statSync(full).isFile()) return found.push(name);
    for (const entry of readdirSync(full).sort()) {
      if (entry !== "target" && entry !== "node_modules" && !entry.startsWith(".")) visit(path.join(name, entry));
    }
  };
  roots.forEach(visit);
  return found;
}

/** What the named files contain, and the given words, as one short text that changes when any of them does. */
export function digest(names, ...words) {
  const hash = createHash("sha256");
  for (const word of words) hash.update(`${word}\0`);
  for (const name of names) {
    const full = path.resolve(ROOT, name);
    hash.update(`${name}\0`);
    hash.update(existsSync(full) ? readFileSync(full) : "absent");
  }
  return hash.digest("hex");
}

const STAMPS = path.join(BUILD, ".stamps");

/** The note that a step left behind: what it was made from, and what its `run` returned. */
export function noteOf(name) {
  try {
    return JSON.parse(readFileSync(path.join(STAMPS, name), "utf8"));
  } catch {
    return {}; // absent or cut short: the step runs again
  }
}

/**
 * A step that is up to date while `inputs()` gives the same text as when it ran, and its `outputs()` are there. It has
 * no note while it runs, so that one that was interrupted runs again.
 */
export function stampedStep(name, { title, inputs, outputs, run }) {
  return {
    title,
    current: () => noteOf(name).inputs === inputs() && outputs().every((output) => existsSync(output)),
    async run(progress) {
      const note = { inputs: inputs() };
      rmSync(path.join(STAMPS, name), { force: true });
      Object.assign(note, await run(progress));
      mkdirSync(STAMPS, { recursive: true });
      writeFileSync(path.join(STAMPS, name), JSON.stringify(note));
    },
  };
}

function alive(processId) {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** The process that holds the lock; undefined when nobody does, or nobody does any more. */
function lockHolder() {
  try {
    const holder = Number(readFileSync(LOCK, "utf8"));
    // Its maker has not written its number yet, or never came to it.
    if (holder === 0) return Date.now() - statSync(LOCK).mtimeMs < LOCK_GRACE_MILLISECONDS ? "?" : undefined;
    return alive(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Two commands in one clone must not build at the same time: the second one waits. */
async function withLock(work) {
  mkdirSync(BUILD, { recursive: true });
  for (let told = false; ; await sleep(200)) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw new Fault(`${BUILD} cannot be written (${error.code}).`);
    }
    const holder = lockHolder();
    if (holder === undefined) rmSync(LOCK, { force: true });
    else if (!told)
      say(`waiting for the build of process ${holder} (or for the end of ${path.relative(ROOT, LOCK)}) …`);
    told = true;
  }
  const release = () => rmSync(LOCK, { force: true });
  process.once("exit", release);
  try {
    await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

/** One line per step, with the seconds it takes: rewritten on a terminal, repeated now and then in a log. */
async function withProgress(label, work) {
  const terminal = process.stderr.isTTY;
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  let detail = "";
  const line = () => `${label} … ${seconds()} s${detail === "" ? "" : `  ${detail}`}`;
  const redraw = () => process.stderr.write(`\r\x1b[K${line().slice(0, (process.stderr.columns ?? 80) - 1)}`);
  if (terminal) redraw();
  else say(`${label} …`);
  const ticker = setInterval(() => (terminal ? redraw() : say(line())), terminal ? 1000 : HEARTBEAT_SECONDS * 1000);
  try {
    let words = "";
    await work((text) => {
      words = (words + text).slice(-1000);
      detail = /([^\n]+)\n[^\n]*$/.exec(words)?.[1].trim() ?? detail;
    });
  } finally {
    clearInterval(ticker);
    if (terminal) process.stderr.write("\r\x1b[K");
  }
  say(`${label}: ${seconds()} s`);
}

/**
 * Runs the steps that are not up to date. A step is `{ title, current(), run(progress) }`; a step whose inputs an
 * earlier one makes is asked again when its turn comes.
 */
export async function bringUpToDate(steps) {
  const first = () => steps.findIndex((step) => !step.current());
  if (first() === -1) return;
  await withLock(async () => {
    // Asked again: whoever held the lock may have done the work.
    const due = first() === -1 ? [] : steps.slice(first());
    for (const [index, step] of due.entries()) {
      if (step.current()) continue;
      await withProgress(`[${index + 1}/${due.length}] ${step.title}`, (progress) => step.run(progress));
    }
  });
}
