// The scenarios as tests/scenarios/README.md describes them. A key that this runner does not know is refused.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

// The configurations of wrangler are TOML as well: its reader is the one that is installed anyway.
import { experimental_readRawConfig as readToml } from "wrangler";

const FOLDER = fileURLToPath(new URL("../../scenarios", import.meta.url));
const SHARED = ["configs", "keys"];

/** A file beside the scenarios. */
export function shared(...names) {
  return path.join(FOLDER, ...names);
}

/** The folders of scenarios. */
export function topics() {
  const entries = readdirSync(FOLDER, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !SHARED.includes(entry.name)).map(({ name }) => name);
}

/** The scenarios of one folder, by name. */
export function scenarios(topic) {
  const names = readdirSync(shared(topic)).filter((name) => name.endsWith(".toml"));
  return names.sort().flatMap((name) => read(topic, name));
}

function read(topic, name) {
  const file = shared(topic, name);
  const rule = readFileSync(file, "utf8").split("\n", 1)[0].replace(/^# /, "");
  const { rawConfig } = readToml({ config: file });
  const { base = [], config = "", each = {}, secrets = {}, tokens = {}, origins = {}, step, ...unknown } = rawConfig;
  const { scope: scopes = [""], ...others } = each;
  assert.deepEqual(Object.keys({ ...unknown, ...others }), [], `${topic}/${name}`);
  const parts = [base].flat().map((part) => readFileSync(shared("configs", `${part}.toml`), "utf8"));
  const text = [...parts, config].join("\n");
  return scopes.map((scope) => ({
    name: `${topic}/${name}${scope && ` (${scope})`}`,
    id: `${topic}-${name.replace(".toml", scope && `-${scope}`).replaceAll("_", "-")}`,
    rule,
    config: scope ? text.replaceAll("$scope", scope) : text,
    secrets,
    tokens,
    origins,
    steps: step,
    edges: 1 + Math.max(...step.map(({ edge = 0 }) => edge)),
  }));
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A whole number and its unit, as in the configuration file, in milliseconds. */
export function duration(text) {
  const [, number, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? assert.fail(`"${text}" is no duration such as "30s"`);
  return Number(number) * UNITS[unit];
}
