import { parseArgs } from "node:util";

import { EXIT_USAGE, Fault, say } from "./fault.mjs";

/**
 * Reads the command line by a table of options (as `util.parseArgs` takes it). A wrong one is a sentence and the usage,
 * exit code 2; `--help` prints the usage on standard output and ends the process.
 */
export function parse(usage, options) {
  let values;
  try {
    ({ values } = parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } }, strict: true }));
  } catch (error) {
    throw wrong(usage, error.message.split(/\.(?=\s|$)|\n/)[0]);
  }
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  return values;
}

/** A mistake on the command line. */
export function wrong(usage, message) {
  say(`${usage}\n`);
  return new Fault(`${message}.`, { exitCode: EXIT_USAGE });
}

/** An option that is a whole number from `low` to `high`. */
export function wholeNumber(usage, name, text, low, high) {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (number >= low && number <= high) return number;
  throw wrong(usage, `--${name} is a number from ${low} to ${high}, not "${text}"`);
}
