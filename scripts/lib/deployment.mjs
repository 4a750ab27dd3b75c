// What wrangler.toml says of the Workers Cache: a section that is commented out.

import { Fault } from "./fault.mjs";

const SECTION = /^# (?=\[exports\.Copies\]$)((?:.*\n)(?:# .* = .*\n)+)/m;

/** Whether the platform's cache stands in front of the entrypoint `Copies`. */
export function hasWorkersCache(text) {
  return /^\[exports\.Copies\]$/m.test(text);
}

/** The same file with the section, for the folder of the build: what was built is not built again. */
export function withWorkersCache(text) {
  const on = text.replace(SECTION, (_, section) => section.replaceAll(/^# /gm, ""));
  if (!hasWorkersCache(on)) throw new Fault("wrangler.toml has no section exports.Copies to turn on.");
  return on.replace('main = "build/', 'main = "').replace(/^\[build\]\n(?:.+\n)*/m, "");
}
