// The gateways of many scenarios in one workerd: each edge of each scenario is a Worker of its own, with an isolate, a
// port and a cache of its own. A workerd for each would take a second each.

import { mkdtempSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { Log, LogLevel, Miniflare } from "miniflare";
import workerd from "workerd";

import { WASM, WORKER } from "../../../scripts/lib/build.mjs";
import { compileConfig } from "../../../scripts/lib/config.mjs";
import { guardRuntime } from "../../../scripts/lib/guard.mjs";
import { bindings, EXPORTS } from "../../../scripts/lib/objects.mjs";
import { ROOT } from "../../../scripts/lib/paths.mjs";
import { shared } from "./file.mjs";
import { startServers } from "./servers.mjs";
import { secret } from "./token.mjs";

const HOST = "127.0.0.1";
const [, COMPATIBILITY_DATE] = /^compatibility_date = "(.*)"$/m.exec(
  readFileSync(path.join(ROOT, "wrangler.toml"), "utf8"),
);

const source = (file) => readFileSync(file, "utf8");
const bytes = (file) => new Uint8Array(readFileSync(file));

/** Starts the servers and the edges of all scenarios. */
export async function startGateways(scenarios) {
  const place = mkdtempSync(path.join(tmpdir(), "tidegate-scenarios-"));
  cpSync(shared("keys", "jwks.json"), path.join(place, "jwks.json"));
  const lines = [];
  const workers = [];
  const all = new Map();
  const gateways = new Gateways(all, lines);
  try {
    for (const scenario of scenarios) {
      const servers = await startServers(scenario);
      all.set(scenario, { servers, ports: [] });
      const file = path.join(place, `${scenario.id}.toml`);
      writeFileSync(file, servers.addressed(scenario.config));
      const { bytes: config } = await compileConfig(file);
      for (let edge = 0; edge < scenario.edges; edge += 1) workers.push(worker(scenario, edge, new Uint8Array(config)));
    }
    guardRuntime(workerd.default);
    gateways.miniflare = new Miniflare({
      host: HOST,
      cf: false,
      enableDevRegistry: false,
      log: new Log(LogLevel.WARN),
      logRequests: false,
      handleStructuredLogs: ({ message }) => lines.push(message),
      workers,
    });
    await gateways.miniflare.ready;
    for (const [scenario, { ports }] of all) {
      for (let edge = 0; edge < scenario.edges; edge += 1) {
        ports.push(Number((await gateways.miniflare.unsafeGetDirectURL(name(scenario, edge))).port));
      }
    }
  } catch (error) {
    await gateways.stop();
    throw error;
  } finally {
    rmSync(place, { recursive: true });
  }
  return gateways;
}

class Gateways {
  constructor(all, lines) {
    this.all = all;
    /** What the Workers logged, as text. */
    this.lines = lines;
  }

  /** The servers of a scenario and the ports of its edges. */
  of(scenario) {
    return this.all.get(scenario);
  }

  async stop() {
    await this.miniflare?.dispose();
    for (const { servers } of this.all.values()) await servers.stop();
  }
}

function name({ id }, edge) {
  return `${id}-${edge}`;
}

/** One edge of one scenario: what scripts/lib/runner.mjs starts, behind the test's own entry. */
function worker(scenario, edge, config) {
  const text = (value) => ({ type: "text", value: value.key ? secret(value.key) : value });
  const texts = { ...scenario.secrets, TIDEGATE_CACHE: name(scenario, edge) };
  const env = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, text(value)]));
  Object.assign(env, bindings(name(scenario, 0)));
  return {
    config: {
      name: name(scenario, edge),
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: {
        mainModule: "entry.mjs",
        modulesRoot: path.dirname(WORKER),
        modules: {
          "entry.mjs": { type: "esm", contents: source(new URL("entry.mjs", import.meta.url)) },
          "worker.mjs": { type: "esm", contents: source(WORKER) },
          "tidegate_bg.wasm": { type: "wasm", contents: bytes(WASM) },
          "config.bin": { type: "data", contents: config },
        },
      },
      env,
      exports: edge === 0 ? EXPORTS : {},
    },
    dev: { unsafeDirectSockets: [{ host: HOST, port: 0 }], stripCfConnectingIp: false },
  };
}
