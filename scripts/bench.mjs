import { setUp } from "./lib/build.mjs";
import { main } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { show } from "./lib/program.mjs";

await main(async () => {
  await setUp("worker");
  await goOnUnderModernNode();
  return show(process.execPath, ["bench/run.mjs", ...process.argv.slice(2)]);
});
