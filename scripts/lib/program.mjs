import { spawn } from "node:child_process";

import { ROOT } from "./paths.mjs";

// A command that is told to end while it builds takes its compiler with it.
const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill()));

function start(command, parameters, options) {
  const child = spawn(command, parameters, options);
  running.add(child);
  child.on("close", () => running.delete(child));
  return child;
}

/**
 * Runs a program to its end. Resolves with `{ code, stdout, stderr }`, and never rejects: a program that does not exist
 * has the code "ENOENT". What it prints is captured; `onStderr` and `onStdout` see it on the way.
 */
export function run(command, parameters, { cwd = ROOT, env = process.env, onStdout, onStderr } = {}) {
  return new Promise((resolve) => {
    const child = start(command, parameters, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const output = { stdout: "", stderr: "" };
    const collect = (name, listener) => {
      child[name].setEncoding("utf8");
      child[name].on("data", (text) => {
        output[name] += text;
        listener?.(text);
      });
    };
    collect("stdout", onStdout);
    collect("stderr", onStderr);
    child.on("error", (error) => resolve({ code: error.code ?? "EUNKNOWN", ...output }));
    child.on("close", (code, signal) => resolve({ code: code ?? signal, ...output }));
  });
}

/** The same with the terminal's own output, for programs whose output is the point. Resolves with the exit code. */
export function show(command, parameters, { cwd = ROOT, env = process.env } = {}) {
  return new Promise((resolve) => {
    const child = start(command, parameters, { cwd, env, stdio: "inherit" });
    child.on("error", (error) => resolve(error.code ?? "EUNKNOWN"));
    child.on("close", (code, signal) => resolve(code ?? signal));
  });
}
