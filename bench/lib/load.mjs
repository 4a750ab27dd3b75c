// One measurement: wrk against a program for a few seconds, and the processor time that the program spent meanwhile.

import { writeFileSync } from "node:fs";
import path from "node:path";

import { run } from "../../scripts/lib/program.mjs";
import { pinned, processorTime } from "./processes.mjs";

// wrk rounds in its own report. A status above 399 counts as an error, and a socket may fail in four ways.
const REPORT = `
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"status":%d,"socket":%d}\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
`;

/** Writes wrk's script into the directory of this run. */
export function writeScript(directory) {
  const script = path.join(directory, "report.lua");
  writeFileSync(script, REPORT);
  return script;
}

/**
 * Loads a program over keep-alive connections. Resolves with requests per second and processor time per request, in
 * microseconds; latency under full load says only how many connections wait. A failed request fails the run: a program
 * that answers 401 is fast and measures nothing.
 */
export async function load(server, target, headers, { script, seconds, connections, cores }) {
  const parameters = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script];
  for (const [name, value] of Object.entries(headers)) parameters.push("-H", `${name}: ${value}`);
  parameters.push(`http://127.0.0.1:${server.port}${target}`);
  const before = processorTime(server.child.pid);
  const { code, stdout, stderr } = await run(...pinned("wrk", parameters, cores));
  const after = processorTime(server.child.pid);
  const line = stdout.split("\n").find((text) => text.startsWith("RESULT "));
  if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${stderr}${stdout}`);
  const result = JSON.parse(line.slice("RESULT ".length));
  const failures = result.status + result.socket;
  if (failures > 0 || result.requests === 0) {
    throw new Error(`${server.name} ${target}: ${failures} of ${result.requests} requests failed (see ${server.log})`);
  }
  return {
    perSecond: (result.requests * 1e6) / result.microseconds,
    processor: before === null || after === null ? null : (after - before) / result.requests,
  };
}
