// The gateway on workerd, on this machine: `npm run gateway`, `npm start` and the tests all start it here.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

import { Log, LogLevel, Miniflare } from "miniflare";
import workerd from "workerd";

import { WASM, WORKER } from "./build.mjs";
import { compileConfig, readSecrets } from "./config.mjs";
import { Fault, say } from "./fault.mjs";
import { guardRuntime } from "./guard.mjs";
import { bindings, EXPORTS } from "./objects.mjs";
import { ROOT, TYPED_IN } from "./paths.mjs";
import { checkPorts, HOST, portTaken } from "./ports.mjs";

/** Also in wrangler.toml. */
const COMPATIBILITY_DATE = /^compatibility_date = "(.*)"$/m.exec(
  readFileSync(path.join(ROOT, "wrangler.toml"), "utf8"),
)[1];

/** miniflare's own messages: only what is wrong, and never on standard output. */
class Messages extends Log {
  constructor() {
    super(LogLevel.WARN);
  }

  log(message) {
    say(message);
  }
}

/** Bytes that may wait for a reader. A reader that is slow or gone costs log lines, never memory or requests. */
const WAITING_MAX = 4 * 1024 * 1024;

/** What the Worker logs: decision records on standard output, the rest on standard error. */
function print({ level, message }) {
  const stream = level === "error" || level === "warn" ? process.stderr : process.stdout;
  if (stream.writableLength < WAITING_MAX) stream.write(`${message}\n`);
}

function edgeName(index) {
  return `edge${index}`;
}

/** One edge: an isolate, a port and a cache of its own; the Durable Objects are those of the first one. */
function edge(index, port, manifest, secrets) {
  const texts = { ...secrets, TIDEGATE_CACHE: edgeName(index) };
  const env = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, { type: "text", value }]));
  Object.assign(env, bindings(edgeName(0)));
  return {
    config: {
      name: edgeName(index),
      compatibilityDate: COMPATIBILITY_DATE,
      manifest,
      env,
      exports: index === 0 ? EXPORTS : {},
    },
    dev: {
      unsafeDirectSockets: [{ host: HOST, port }],
      // What the gateway sends is what the origin gets.
      stripCfConnectingIp: false,
    },
  };
}

function startFault(error, ports) {
  if (error.code === "ERR_ADDRESS_IN_USE") {
    const port = ports.find((number) => number !== 0 && error.message.includes(`:${number}`));
    return port === undefined ? new Fault(error.message) : portTaken(port, "the gateway", "--port");
  }
  if (error.code !== "ERR_RUNTIME_FAILURE") return error;
  return new Fault(`workerd does not start. ${error.message.split("Runtime stderr:").at(-1).trim()}`);
}

/**
 * Starts the gateway and resolves when every edge listens.
 *
 * @param {object} options
 * @param {string} options.config   path of the configuration file, absolute or from where the command was typed
 * @param {number} [options.port]   port of the first edge, the others follow; 0 takes free ones
 * @param {number} [options.edges]  how many edges
 * @param {string} [options.persist]  directory that keeps the Durable Objects' storage; forgotten at the end without it
 * @param {Record<string, string>} [options.secrets]  looked up before the environment and .dev.vars
 * @param {(line: { level: string, message: string }) => void} [options.log]  gets what the Worker logs
 * @param {string} [options.entry]  a module in front of the Worker, which imports `./worker.mjs`; for tests
 * @param {boolean} [options.inspect]  whether V8's inspector listens, on a port of its own
 * @returns {Promise<{ urls: string[], stop(): Promise<void>, miniflare: Miniflare }>}
 */
export async function startGateway(options) {
  const { config, port = 0, edges = 1, persist, secrets: given, log = print, entry, inspect } = options;
  if (!existsSync(WORKER) || !existsSync(WASM)) throw new Fault("the Worker is not built yet: run `npm run build`.");
  const { bytes, manifest } = await compileConfig(config);
  const secrets = readSecrets(manifest, config, { ...process.env, ...given });
  const ports = Array.from({ length: edges }, (_, index) => (port === 0 ? 0 : port + index));
  if (port !== 0) await checkPorts(ports.map((number, index) => [number, edgeName(index), "--port"]));

  const modules = {
    mainModule: entry === undefined ? "worker.mjs" : "entry.mjs",
    modulesRoot: path.dirname(WORKER),
    modules: {
      ...(entry === undefined ? {} : { "entry.mjs": { type: "esm", contents: readFileSync(entry, "utf8") } }),
      "worker.mjs": { type: "esm", contents: readFileSync(WORKER, "utf8") },
      "tidegate_bg.wasm": { type: "wasm", contents: new Uint8Array(readFileSync(WASM)) },
      "config.bin": { type: "data", contents: new Uint8Array(bytes) },
    },
  };
  guardRuntime(workerd.default);
  const miniflare = new Miniflare({
    host: HOST,
    // Nothing is asked of Cloudflare: a request without the header MF-CF-Blob has no location.
    cf: false,
    enableDevRegistry: false,
    log: new Messages(),
    logRequests: false,
    inspectorPort: inspect ? 0 : undefined,
    handleStructuredLogs: log,
    resourcePersistencePath: persist === undefined ? undefined : path.resolve(TYPED_IN, persist),
    workers: ports.map((number, index) => edge(index, number, modules, secrets)),
  });
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw startFault(error, ports);
  }
  const urls = [];
  for (const index of ports.keys()) urls.push((await miniflare.unsafeGetDirectURL(edgeName(index))).origin);
  return { urls, miniflare, stop: () => miniflare.dispose() };
}
