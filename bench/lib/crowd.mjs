// Many clients at once: wrk on every edge.

import { writeFileSync } from "node:fs";
import path from "node:path";

import { run } from "../../scripts/lib/program.mjs";
import { usage } from "./runtime.mjs";

/** One client, or another one for each request. */
const wrkScript = (client, everyone) => `
local count = 0
request = function()
  count = count + 1
  return wrk.format(nil, nil, {["x-client"] = "${client}" .. (${everyone} and count or "")})
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('RESULT {"requests":%d,"microseconds":%d,"status":%d,"socket":%d}\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
`;

/** wrk on every edge at once, with a few connections each. Resolves with what all of them saw together. */
export async function load(edges, target, { seconds, client, everyone = false, directory, connections = 4 }) {
  const runs = edges.map(async (url, edge) => {
    const script = path.join(directory, `edge-${edge}.lua`);
    writeFileSync(script, wrkScript(everyone ? `${client}-${edge}-` : client, everyone));
    const parameters = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout", "10s", "-s", script, url + target];
    const { code, stdout, stderr } = await run("wrk", parameters);
    const line = stdout.split("\n").find((text) => text.startsWith("RESULT "));
    if (code !== 0 || line === undefined) throw new Error(`wrk ended with ${code}: ${stderr}${stdout}`);
    return JSON.parse(line.slice("RESULT ".length));
  });
  const results = await Promise.all(runs);
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  if (sum("socket") > 0) throw new Error(`${sum("socket")} requests to ${target} failed on the wire`);
  return { requests: sum("requests"), refused: sum("status"), seconds: sum("microseconds") / results.length / 1e6 };
}

/** A load by wrk, with the microseconds of processor time that each of its requests cost workerd. */
export async function weighed(fleet, target, options) {
  const before = usage();
  const seen = await load(fleet.urls, target, { ...fleet, ...options });
  const after = usage();
  return { ...seen, megabytes: after.megabytes, each: (after.processor - before.processor) / seen.requests };
}
