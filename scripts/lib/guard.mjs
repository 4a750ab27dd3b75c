// A workerd that outlives the process that started it keeps the gateway's port. miniflare ends it on every orderly
// exit, and a killed process has no orderly exit.

import childProcess from "node:child_process";

const runtimePath = process.env.MINIFLARE_WORKERD_PATH;
let guarded = false;

/** Has every workerd that miniflare starts from now on end with this process, however this one ends. */
export function guardRuntime(workerd) {
  if (guarded || process.platform === "win32") return;
  guarded = true;
  const { spawn } = childProcess;
  childProcess.spawn = (command, ...rest) => {
    const child = spawn(command, ...rest);
    if (command === (runtimePath ?? workerd) && child.pid !== undefined) watch(spawn, child);
    return child;
  };
}

/** A shell that waits for its standard input to end, which it does with us, and then ends workerd. */
function watch(spawn, child) {
  const script = 'read -r line; kill -KILL "$0"';
  const options = { stdio: ["pipe", "ignore", "ignore"], detached: true };
  const watcher = spawn("sh", ["-c", script, String(child.pid)], options);
  watcher.on("error", () => {}); // without a shell there is no watcher, and nothing else is different
  watcher.stdin.on("error", () => {});
  watcher.unref();
  watcher.stdin.unref();
  child.once("exit", () => watcher.kill("SIGKILL"));
}
