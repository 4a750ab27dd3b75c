// Every file under tests/scenarios on workerd, with real servers; `cargo test` runs them under a virtual clock.

import { after, before, describe, test } from "node:test";

import { scenarios, topics } from "./scenario/file.mjs";
import { startGateways } from "./scenario/gateway.mjs";
import { run } from "./scenario/run.mjs";

for (const topic of topics()) {
  describe(topic, () => {
    const all = scenarios(topic);
    let gateways;
    before(async () => {
      gateways = await startGateways(all);
    });
    after(() => gateways?.stop());
    for (const scenario of all) test(`${scenario.name}: ${scenario.rule}`, () => run(scenario, gateways));
  });
}
