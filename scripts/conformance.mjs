import { parse, wrong } from "./lib/arguments.mjs";
import { setUp } from "./lib/build.mjs";
import { main } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";

const USAGE = `usage: npm run conformance -- --suite DIR [--config FILE] [--id TEST] [--json FILE]

Runs the public tests for HTTP caches against the gateway. They are no part of this repository:
git clone https://github.com/http-tests/cache-tests DIR && npm install --prefix DIR

  --suite DIR     where the tests are
  --config FILE   the configuration, with ORIGIN for the address of the suite's server
                  (default tests/conformance/gateway.toml)
  --id TEST       one test alone, with its requests and responses
  --json FILE     the suite's own results, as its pages show them`;

await main(async () => {
  const text = { type: "string" };
  const options = parse(USAGE, { suite: text, config: text, id: text, json: text });
  if (!options.suite) throw wrong(USAGE, "--suite DIR is missing");
  await setUp("worker");
  await goOnUnderModernNode();
  const { conformance } = await import("../tests/conformance/run.mjs");
  return conformance(options);
});
