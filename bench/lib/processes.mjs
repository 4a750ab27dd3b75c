// The programs under measurement: each is started on its own cores and ended by its own process id, however a run ends.

import { spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const START_MILLISECONDS = 20_000;
const running = new Set();

process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Whether a program of that name can be run. */
export function installed(program) {
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

/** The command line that runs a program on the given cores ("0", "1-3"), or wherever when that is null. */
export function pinned(command, parameters, cores) {
  return cores === null ? [command, parameters] : ["taskset", ["-c", cores, command, ...parameters]];
}

/**
 * Starts a program in the background. Its complaints go to the file `log`; its standard output goes nowhere, because a
 * platform takes a Worker's log lines from it and a disk is no part of that.
 */
export function start(command, parameters, { cores, log }) {
  const [program, rest] = pinned(command, parameters, cores);
  const complaints = openSync(log, "a");
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", complaints] });
  closeSync(complaints);
  running.add(child);
  child.on("error", () => running.delete(child));
  child.on("exit", () => running.delete(child));
  return child;
}

/** Ends a program that `start` began; resolves when it is gone. */
export function stop(child) {
  if (!running.has(child)) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", resolve);
    child.kill("SIGKILL");
  });
}

/** A port of loopback that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when the program accepts connections; rejects with its complaints when it ends or takes too long. */
export async function listening(port, child, log) {
  const deadline = Date.now() + START_MILLISECONDS;
  while (running.has(child) && Date.now() < deadline) {
    if (await accepts(port)) return;
    await sleep(1);
  }
  const complaints = readFileSync(log, "utf8").trim().split("\n").slice(-8).join("\n");
  throw new Error(`nothing listens on port ${port} of ${child.spawnargs.join(" ")}:\n${complaints}`);
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}

/** The processor time that a process has used so far, in microseconds; null where the system does not say. */
export function processorTime(pid) {
  try {
    // The name of the program, in parentheses, may contain anything; user and system time follow it, in ticks of 10 ms.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return null;
  }
}
