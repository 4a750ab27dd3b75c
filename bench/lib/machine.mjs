// What a run needs from the machine, and what its figures have to say about it.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";
import path from "node:path";

import { Fault } from "../../scripts/lib/fault.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { installed } from "./processes.mjs";

const NEEDED = ["wrk", "nginx"];

/** Refuses to go on without the programs that make the load and answer it. */
export function checkPrograms() {
  const missing = NEEDED.filter((program) => !installed(program));
  if (missing.length === 0) return;
  throw new Fault(
    `the measurements need wrk (load) and nginx (origin), and ${missing.join(" and ")} cannot be found: ` +
      "apt-get install wrk nginx-light, or brew install wrk nginx.",
  );
}

/** The numbers of the cores that this process may use, from a list such as "0-3,6". */
function allowedCores() {
  const [, list] = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
}

/**
 * Which cores the measured program and everything else (origin, load, this process) run on. Null means that nothing can
 * be pinned: there is one core, or no taskset.
 */
export function divideCores() {
  if (!installed("taskset")) return { program: null, rest: null };
  const [first, ...others] = allowedCores();
  if (others.length === 0) return { program: null, rest: null };
  return { program: `${first}`, rest: others.join(",") };
}

/** Moves this process, with all its threads, off the measured core. */
export function moveTo(cores) {
  if (cores !== null) spawnSync("taskset", ["-a", "-c", "-p", cores, `${process.pid}`], { stdio: "ignore" });
}

/** The version that a program says of itself. */
function programVersion(program) {
  const { stdout, stderr } = spawnSync(program, ["-v"], { encoding: "utf8" });
  return /\d+\.\d[\w.]*/.exec(`${stdout}${stderr}`)?.[0] ?? "unknown";
}

function packageVersion(name) {
  return JSON.parse(readFileSync(path.join(ROOT, "node_modules", name, "package.json"), "utf8")).version;
}

/** The machine's class and the versions of all that took part: nothing that names the machine. */
export function describe(cores) {
  return {
    machine: {
      system: `${platform()} ${arch()}`,
      processor: cpus()[0]?.model.trim() ?? "unknown",
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      pinned: cores.program === null ? "nothing is pinned" : "one core for the program, the others for origin and load",
    },
    versions: {
      workerd: packageVersion("workerd"),
      hono: packageVersion("hono"),
      jose: packageVersion("jose"),
      node: process.versions.node,
      wrk: programVersion("wrk"),
      nginx: programVersion("nginx"),
    },
  };
}
