// Faults that can be foreseen end a command with one sentence; everything else keeps its stack.

import { endableFromTheStart } from "./ending.mjs";

export const EXIT_FAULT = 1;
export const EXIT_USAGE = 2;

/** A fault that the user can mend: its message is the whole report. */
export class Fault extends Error {
  constructor(message, { exitCode = EXIT_FAULT, cause } = {}) {
    super(message, { cause });
    this.name = "Fault";
    this.exitCode = exitCode;
  }
}

/** A report that another program has already worded (the config check): printed as it is. */
export class Report extends Fault {}

/** A line for the human who typed the command. Standard output belongs to the gateway's own lines. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

export function explain(error) {
  if (error instanceof Report) return error.message.replace(/\n$/, "");
  if (error instanceof Fault) return `tidegate: ${error.message}`;
  return error?.stack ?? String(error);
}

/** Runs a command to its end and turns faults into an exit code. */
export async function main(command) {
  endableFromTheStart();
  // Whoever read our output may stop reading; the gateway goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    const exitCode = await command();
    process.exitCode = exitCode ?? 0;
  } catch (error) {
    say(explain(error));
    // Not `process.exitCode`: servers that were started before the fault would keep the process alive.
    process.exit(error instanceof Fault ? error.exitCode : EXIT_FAULT);
  }
}
