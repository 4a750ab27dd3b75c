// A configuration file, checked and compiled, and the secrets that it names.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseEnv } from "node:util";

import { program } from "./build.mjs";
import { Fault, Report, say } from "./fault.mjs";
import { TYPED_IN } from "./paths.mjs";
import { run } from "./program.mjs";

/**
 * Compiles a file. The path is as the user typed it, so that the report names it in the same way.
 * Resolves with the bytes for the Worker and the manifest; a refused file rejects with the report.
 */
export async function compileConfig(file) {
  const directory = mkdtempSync(path.join(tmpdir(), "tidegate-"));
  try {
    const output = path.join(directory, "config.bin");
    const { code, stdout, stderr } = await run(program("tidegate"), ["compile", file, "--out", output], {
      cwd: TYPED_IN,
    });
    if (code !== 0) throw new Report(stderr || stdout || `tidegate compile ended with ${code} and no word.`);
    if (stderr !== "") say(stderr.trimEnd()); // warnings
    const manifest = JSON.parse(readFileSync(path.join(directory, "config.json"), "utf8"));
    return { bytes: readFileSync(output), manifest };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The variables of a `.dev.vars` file; none when there is no such file. */
function variables(file) {
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw new Fault(`${file} cannot be read (${error.code ?? error.message}).`);
  }
}

/**
 * The values of the secrets that a configuration names: from the environment, else from `.dev.vars` where the command
 * was typed, else from `.dev.vars` beside the configuration.
 */
export function readSecrets(manifest, file, environment) {
  const beside = path.dirname(path.resolve(TYPED_IN, file));
  const sources = [
    environment,
    ...[...new Set([TYPED_IN, beside])].map((place) => variables(path.join(place, ".dev.vars"))),
  ];
  const secrets = {};
  const faults = [];
  for (const { name, for: what, minimum_bytes: least = 1 } of manifest.secrets ?? []) {
    const value = sources
      .map((source) => source[name])
      .find((candidate) => candidate !== undefined && candidate !== "");
    if (value === undefined) {
      faults.push(`The secret ${name} is missing, ${what} needs it: set it in the environment or in .dev.vars.`);
    } else if (Buffer.byteLength(value) < least) {
      faults.push(`The secret ${name} is too short: ${what} needs at least ${least} bytes.`);
    } else {
      secrets[name] = value;
    }
  }
  if (faults.length > 0) throw new Fault([...new Set(faults)].join("\ntidegate: "));
  return secrets;
}
