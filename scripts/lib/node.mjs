// miniflare and wrangler need Node 22.12. The lock file pins a Node for the machines that have an older one.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import path from "node:path";

import { onEnding } from "./ending.mjs";
import { Fault } from "./fault.mjs";
import { ROOT } from "./paths.mjs";

const OLDEST_TO_INSTALL = [20, 0];
const OLDEST_TO_RUN = [22, 12];

function atLeast([major, minor]) {
  const [ours, oursMinor] = process.versions.node.split(".").map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}

export function checkNode() {
  if (atLeast(OLDEST_TO_INSTALL)) return;
  throw new Fault(
    `Node ${OLDEST_TO_INSTALL[0]} or newer is needed, this is ${process.version}: see https://nodejs.org`,
  );
}

/** The Node that runs the gateway: this one, or the pinned one when this one is too old. */
export function modernNode() {
  if (atLeast(OLDEST_TO_RUN)) return process.execPath;
  const pinned = path.join(ROOT, "node_modules", ".bin", "node");
  if (existsSync(pinned)) return pinned;
  throw new Fault(
    `Node ${OLDEST_TO_RUN.join(".")} or newer is needed on ${process.platform}-${process.arch}, this is ` +
      `${process.version}: see https://nodejs.org`,
  );
}

/**
 * Goes on under a Node that miniflare accepts: returns when this is one, else starts the same command line under the
 * pinned one, stands between it and the signals, and ends with its exit code.
 */
export async function goOnUnderModernNode() {
  const node = modernNode();
  if (node === process.execPath) return;
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit" });
  onEnding((signal) => child.kill(signal));
  await new Promise((_, reject) => {
    child.on("error", (error) => reject(new Fault(`${node} cannot be run (${error.message})`)));
    child.on("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
  });
}
