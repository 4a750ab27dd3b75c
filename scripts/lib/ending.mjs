// How a command is told to end: a signal, or the end of the npm that started it.

import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const WATCH_MILLISECONDS = 250;

/** Calls `end` with the signal's name. It is the only listener: others, such as miniflare's, are removed. */
export function onEnding(end) {
  for (const signal of SIGNALS) {
    process.removeAllListeners(signal);
    process.on(signal, () => end(signal));
  }
}

/** Until `onEnding` says otherwise: a signal ends the command, but not without its exit handlers. */
export function endableFromTheStart() {
  onEnding((signal) => process.exit(128 + constants.signals[signal]));
  // A killed npm passes no signal on. A command that was typed without npm may outlive its shell.
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && process.kill(process.pid, "SIGTERM"), WATCH_MILLISECONDS).unref();
}
