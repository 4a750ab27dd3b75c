// `npm run gateway`, as a user types it: what it prints, how it ends, and what it leaves behind.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, test } from "node:test";

import { ROOT } from "../../scripts/lib/paths.mjs";
import { send } from "./lib/client.mjs";
import { scratch } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { PATIENCE_MS, until, within } from "./lib/time.mjs";

let origin;

before(async () => {
  origin = await startOrigin((_, response) => response.end("from the origin"));
});

after(() => stopAll(origin));

const pool = () => `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
`;
const route = `
[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
`;

/** Types the command in a directory; the files are put there first. */
function type(t, parameters, { files = {}, env = {} } = {}) {
  const place = scratch(files);
  const { CARGO_TARGET_DIR, HOME, PATH } = process.env;
  const child = spawn("npm", ["--prefix", ROOT, "run", "--silent", "gateway", "--", ...parameters], {
    cwd: place.directory,
    env: { PATH, HOME, ...(CARGO_TARGET_DIR && { CARGO_TARGET_DIR }), ...env },
  });
  const run = { child, place, stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (run[name] += text));
  run.end = once(child, "close").then(([code]) => code);
  run.lines = (pattern) => run.stdout.split("\n").filter((line) => pattern.test(line));
  run.ready = (count) =>
    until(`${count} lines "ready"`, () => {
      const ready = run.lines(/^ready /);
      if (child.exitCode !== null) throw new Error(`it ended: ${run.stderr}`);
      return ready.length === count && ready.map((line) => line.slice("ready ".length));
    });
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    await run.end;
    place.remove();
  });
  return run;
}

/** A command that refuses: its code, its words, and nothing else. */
async function refused(t, parameters, { code = 1, ...options } = {}) {
  const run = type(t, parameters, options);
  assert.equal(await within(PATIENCE_MS, "its end", run.end), code, run.stderr);
  assert.deepEqual(run.lines(/^ready/), []);
  assert.doesNotMatch(run.stderr, /^ {4}at /m, "no stack");
  return run.stderr;
}

/** Listens on a port of 127.0.0.1; rejects when somebody else does. */
async function listen(port) {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const isFree = (port) =>
  listen(port).then(
    (server) => new Promise((resolve) => server.close(() => resolve(true))),
    () => false,
  );

/** Ports in a row that nobody listens on, below those that systems hand out by themselves. */
async function freePorts(count) {
  for (let first = 20_000 + (process.pid % 5_000); first < 30_000; first += count) {
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  throw new Error(`no ${count} free ports in a row`);
}

test("one line `ready` for each edge, from --port on, and each edge serves", async (t) => {
  const ports = await freePorts(3);
  const parameters = ["--config", "own.toml", "--port", String(ports[0]), "--edges", "3"];
  const run = type(t, parameters, { files: { "own.toml": pool() + route } });
  const urls = await run.ready(3);
  assert.deepEqual(
    urls,
    ports.map((port) => `http://127.0.0.1:${port}`),
  );
  for (const url of urls) assert.equal((await send(`${url}/a`)).text, "from the origin");
  await until("three records", () => run.lines(/^\{.*"status":200/).length === 3);
  for (const line of run.lines(/^\{/)) assert.equal(JSON.parse(line).route, "any");
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends it with 0, and every port is free`, async (t) => {
    const run = type(t, ["--config", "own.toml", "--port", "0", "--edges", "2"], {
      files: { "own.toml": pool() + route },
    });
    const urls = await run.ready(2);
    run.child.kill(signal);
    assert.equal(await within(PATIENCE_MS, "its end", run.end), 0);
    for (const url of urls) await until("a free port", () => isFree(new URL(url).port));
  });
}

test("a kill that nobody can catch leaves no runtime behind", async (t) => {
  const run = type(t, ["--config", "own.toml", "--port", "0"], { files: { "own.toml": pool() + route } });
  const [url] = await run.ready(1);
  run.child.kill("SIGKILL");
  await within(PATIENCE_MS, "its end", run.end);
  await until("a free port", () => isFree(new URL(url).port));
});

test("an invalid configuration ends with 1 and the report: line, cause and cure of every mistake", async (t) => {
  const broken = `${pool()}
[[cache]]
name = "minute"
tll = "60s"
${route}
limits = ["per-user"]
`;
  const report = await refused(t, ["--config", "own.toml"], { files: { "own.toml": broken } });
  assert.match(report, /own\.toml:8/);
  assert.match(report, /tll/);
  assert.match(report, /did you mean `ttl`/);
  assert.match(report, /per-user/);
});

test("a configuration that is empty, cut short or no text ends with 1", async (t) => {
  for (const text of ["", "\0\xff", "a = [", "[[pool]]\n"]) {
    assert.match(await refused(t, ["--config", "own.toml"], { files: { "own.toml": text } }), /own\.toml/);
  }
});

test("a configuration that is not there ends with 1 and its name", async (t) => {
  assert.match(await refused(t, ["--config", "nowhere.toml"]), /nowhere\.toml/);
});

const closed = () => `${pool()}
[[issuer]]
name = "main"
issuer = "https://idp.example/"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "OUR_SIGNING_KEY" }

[[route]]
name = "closed"
match = { path = "/{*rest}" }
auth = { any = ["main"] }
`;

test("a secret that is missing, empty or too short ends with 1 and its name, never its value", async (t) => {
  const files = { "own.toml": closed() };
  for (const env of [{}, { OUR_SIGNING_KEY: "" }, { OUR_SIGNING_KEY: "too-short" }]) {
    const words = await refused(t, ["--config", "own.toml"], { files, env });
    assert.match(words, /OUR_SIGNING_KEY/);
    assert.doesNotMatch(words, /too-short/);
  }
});

test("secrets come from the environment or from .dev.vars", async (t) => {
  const value = "0123456789abcdef0123456789abcdef";
  const parameters = ["--config", "own.toml", "--port", "0"];
  for (const options of [
    { files: { "own.toml": closed() }, env: { OUR_SIGNING_KEY: value } },
    { files: { "own.toml": closed(), ".dev.vars": `OUR_SIGNING_KEY=${value}\n` } },
  ]) {
    const run = type(t, parameters, options);
    const [url] = await run.ready(1);
    assert.equal((await send(url)).status, 401);
    assert.ok(!(run.stdout + run.stderr).includes(value));
    run.child.kill("SIGTERM");
    await within(PATIENCE_MS, "its end", run.end);
  }
});

test("a port that is taken ends with 1 and its number, also when it is a later edge's", async (t) => {
  const [first, second] = await freePorts(2);
  const server = await listen(second);
  t.after(() => server.close());
  const files = { "own.toml": pool() + route };
  for (const [port, edges] of [
    [second, 1],
    [first, 2],
  ]) {
    const words = await refused(t, ["--config", "own.toml", "--port", String(port), "--edges", String(edges)], {
      files,
    });
    assert.match(words, new RegExp(`Port ${second}`));
    assert.equal(words.trim().split("\n").length, 1, words);
  }
});

test("a wrong command line ends with 2 and the usage", async (t) => {
  for (const parameters of [
    [],
    ["--config"],
    ["--config", "own.toml", "--port", "65536"],
    ["--config", "own.toml", "--port", "x"],
    ["--config", "own.toml", "--edges", "0"],
    ["--config", "own.toml", "--edges", "99"],
    ["--config", "own.toml", "--port", "65535", "--edges", "2"],
    ["--what"],
  ]) {
    assert.match(await refused(t, parameters, { code: 2 }), /usage: npm run gateway/);
  }
});

test("--persist: a limit that is used up stays used up over a restart", async (t) => {
  const limited = `${pool()}
[[limit]]
name = "two"
key = ["header:x-key"]
rate = { requests = 2, per = "1h" }
${route}
limits = ["two"]
`;
  const kept = scratch({});
  t.after(() => kept.remove());
  const statuses = [];
  for (const requests of [3, 1]) {
    const parameters = ["--config", "own.toml", "--port", "0", "--persist", kept.directory];
    const run = type(t, parameters, { files: { "own.toml": limited } });
    const [url] = await run.ready(1);
    for (let sent = 0; sent < requests; sent++) statuses.push((await send(url, { headers: { "x-key": "a" } })).status);
    run.child.kill("SIGTERM");
    await within(PATIENCE_MS, "its end", run.end);
  }
  assert.deepEqual(statuses, [200, 200, 429, 429]);
});
