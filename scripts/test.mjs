import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

import { parse, wrong } from "./lib/arguments.mjs";
import { setUp } from "./lib/build.mjs";
import { main, say } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { BUILD } from "./lib/paths.mjs";
import { run, show } from "./lib/program.mjs";
import { checkRust } from "./lib/setup.mjs";
import { files } from "./lib/steps.mjs";

const USAGE = `usage: npm test [-- --only native|workerd]

Runs the native tests, then the same gateway on workerd, and ends with a line "N passed, N failed".

  --only PART   one of the two halves`;

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

async function native() {
  await checkRust();
  const onStdout = (text) => process.stdout.write(text);
  const onStderr = (text) => process.stderr.write(text);
  const { code, stdout } = await run("cargo", ["test", "--locked", "--no-fail-fast"], { onStdout, onStderr });
  const results = [...stdout.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)];
  const [passed, failed, skipped] = [1, 2, 3].map((group) => sum(results.map((result) => Number(result[group]))));
  return tally(code, passed, failed, skipped);
}

async function onWorkerd() {
  const names = files("tests/workerd").filter((name) => name.endsWith(".test.mjs"));
  if (names.length === 0) return tally("no test files in tests/workerd", 0, 0, 0);
  const record = path.join(BUILD, "tests.tap");
  mkdirSync(BUILD, { recursive: true });
  rmSync(record, { force: true });
  const reporters = ["spec", "stdout", "tap", record].map((value, index) =>
    index % 2 === 0 ? `--test-reporter=${value}` : `--test-reporter-destination=${value}`,
  );
  // A test that hangs, or leaves something open, fails by itself and does not keep the others from being counted.
  const bounds = ["--test-timeout=240000", "--test-force-exit"];
  const code = await show(process.execPath, ["--test", ...bounds, ...reporters, ...names]);
  const lines = readFileSync(record, "utf8");
  const count = (word) =>
    sum([...lines.matchAll(new RegExp(`^# ${word} (\\d+)$`, "gm"))].map((match) => Number(match[1])));
  return tally(code, count("pass"), count("fail") + count("cancelled"), count("skipped") + count("todo"));
}

/** What one half says. A half that ended badly without naming a test (it did not compile) counts as one failure. */
function tally(code, passed, failed, skipped) {
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

await main(async () => {
  const { only } = parse(USAGE, { only: { type: "string" } });
  if (only !== undefined && only !== "native" && only !== "workerd") {
    throw wrong(USAGE, `--only is native or workerd, not "${only}"`);
  }
  await setUp("packages");
  await goOnUnderModernNode();
  const halves = [];
  if (only !== "workerd") halves.push(await native());
  if (only !== "native") {
    await setUp("worker");
    halves.push(await onWorkerd());
  }
  const [passed, failed, skipped] = ["passed", "failed", "skipped"].map((word) =>
    sum(halves.map((half) => half[word])),
  );
  if (skipped > 0) say(`${skipped} skipped, see above`);
  process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});
