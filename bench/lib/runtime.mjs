// The workerd that this process has started: what it has used of the machine.

import { readdirSync, readFileSync } from "node:fs";

import { processorTime } from "./processes.mjs";

/** Its process id, or null where there is no /proc. */
function processId() {
  let names = [];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  const isOurs = (name) => {
    try {
      const status = readFileSync(`/proc/${name}/status`, "utf8");
      return status.includes("Name:\tworkerd") && status.includes(`PPid:\t${process.pid}\n`);
    } catch {
      return false; // It has ended meanwhile.
    }
  };
  const name = names.find(isOurs);
  return name === undefined ? null : Number(name);
}

/** The microseconds of processor time that it has used, and the megabytes that it has resident; null where unknown. */
export function usage() {
  const id = processId();
  if (id === null) return { processor: null, megabytes: null };
  const status = readFileSync(`/proc/${id}/status`, "utf8");
  return { processor: processorTime(id), megabytes: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024 };
}
