// The public tests for HTTP caches, run from outside: their server, the gateway in front of it, their client.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { Fault } from "../../scripts/lib/fault.mjs";
import { ROOT, TYPED_IN } from "../../scripts/lib/paths.mjs";
import { startGateway } from "../../scripts/lib/runner.mjs";

// The suite's server would listen on all addresses, at a port that it is told: it gets a free one of this machine alone.
const ON_LOOPBACK = `data:text/javascript,${encodeURIComponent(`
  import { Server } from "node:net";
  const { listen } = Server.prototype;
  Server.prototype.listen = function (port) {
    this.once("listening", () => process.send(this.address().port));
    return listen.call(this, { host: "127.0.0.1", port: 0 });
  };
`)}`;

/** Runs the tests and prints the tally; resolves with the exit code. */
export async function conformance({ suite, config, id, json }) {
  const directory = path.resolve(TYPED_IN, suite);
  if (!existsSync(path.join(directory, "test-engine"))) throw new Fault(`${suite} does not hold the tests.`);
  const load = (name) => import(pathToFileURL(path.join(directory, name)).href);
  const place = mkdtempSync(path.join(tmpdir(), "tidegate-conformance-"));
  const origin = await startServer(directory, path.join(place, "pid"));
  let gateway;
  try {
    const file = config ? path.resolve(TYPED_IN, config) : path.join(ROOT, "tests", "conformance", "gateway.toml");
    const text = readFileSync(file, "utf8").replaceAll("ORIGIN", `http://127.0.0.1:${origin.port}`);
    const filled = path.join(place, "tidegate.toml");
    writeFileSync(filled, text);
    gateway = await startGateway({ config: filled, log: id ? undefined : () => {} });

    const { default: all } = await load("tests/index.mjs");
    const { runTests, getResults } = await load("test-engine/client/runner.mjs");
    const judge = await load("test-engine/lib/results.mjs");
    await runTests(id ? only(all, id) : all, false, gateway.urls[0]);
    const results = getResults();
    if (json) writeFileSync(path.resolve(TYPED_IN, json), `${JSON.stringify(results, null, 2)}\n`);
    report(id ? only(all, id) : all, all, results, judge, !id);
  } finally {
    await gateway?.stop();
    origin.child.kill();
    rmSync(place, { recursive: true });
  }
}

function startServer(directory, pidfile) {
  const environment = { ...process.env, npm_config_protocol: "http", npm_config_port: "0", npm_config_pidfile: pidfile };
  const child = spawn(process.execPath, ["--import", ON_LOOPBACK, "test-engine/server/server.mjs"], {
    cwd: directory,
    env: environment,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  process.once("exit", () => child.kill());
  return new Promise((resolve, reject) => {
    child.once("message", (port) => resolve({ child, port }));
    child.once("exit", (code) => reject(new Fault(`the suite's server ended with ${code}: is it installed?`)));
  });
}

function only(all, id) {
  for (const group of all) {
    const found = group.tests.find((test) => test.id === id);
    if (found) return [{ ...group, tests: [{ ...found, dump: true }] }];
  }
  throw new Fault(`there is no test ${id}.`);
}

/** What the suite's page counts as passed; everything else is in its words. */
const PASSED = new Set(["pass", "yes"]);

/** Counts as the suite's pages do: a test whose dependency failed has not passed. */
function report(groups, all, results, { determineTestResult, resultTypes }, honorDependencies) {
  const word = new Map(Object.entries(resultTypes).map(([name, type]) => [type, name]));
  const tally = { required: {}, optimal: {}, check: {} };
  const failures = [];
  for (const group of groups) {
    for (const { id, kind = "required", browser_only: browserOnly } of group.tests) {
      if (browserOnly) continue;
      const result = word.get(determineTestResult(all, id, results, honorDependencies));
      tally[kind][result] = (tally[kind][result] ?? 0) + 1;
      if (!PASSED.has(result)) failures.push([kind, id, result, results[id]?.[1] ?? ""]);
    }
  }
  for (const kind of ["check", "optimal", "required"])
    for (const [, ...line] of failures.filter(([failed]) => failed === kind)) console.log([kind, ...line].join("\t"));
  for (const [kind, counts] of Object.entries(tally)) {
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const passed = (counts.pass ?? 0) + (counts.yes ?? 0);
    console.log(`${kind}: ${passed} of ${total} ${kind === "check" ? "say yes" : "pass"} ${JSON.stringify(counts)}`);
  }
}
