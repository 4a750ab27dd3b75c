// Many requests for one response at once, on four edges with real Durable Objects: how often the origin is asked.
//
// TIDEGATE_STEADY_SECONDS=60 keeps the steady traffic on for a minute.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { many, open, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { deferred, until } from "./lib/time.mjs";

const EDGES = 4;
const SLOW_MS = 500;
const STEADY_SECONDS = Number(process.env.TIDEGATE_STEADY_SECONDS ?? 6);
/** How long an origin may take for the paths under /brief; who fetches for all is believed for half of it. */
const BRIEF_MS = 10_000;

/** The caches of a marketplace, sixty times as fast: 60 s, 2 min, 5 min, 30 min. */
const MARKETPLACE = [
  ["search", 1],
  ["ranking", 2],
  ["places", 5],
  ["rates", 30],
];

let origin;
let gateway;
/** What the origin answers, by path. */
const pages = new Map();

const cache = (name, scope = name, ttl = "1h") => `
[[cache]]
name = "${name}"
scope = "${scope}"
ttl = "${ttl}"
${route(name, name, "30s")}`;

const route = (name, cache, timeout) => `
[[route]]
name = "${name}"
match = { path = "/${name}/{*rest}" }
auth = "none"
cache = "${cache}"
origin = { timeout = "${timeout}", retries = 0 }
`;

before(async () => {
  origin = await startOrigin((request, response) => {
    const page = pages.get(request.url);
    if (page === undefined) return response.writeHead(404).end();
    return page(request, response);
  });
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
${cache("isolate")}${cache("colo")}${cache("global")}${route("brief", "global", `${BRIEF_MS}ms`)}
${MARKETPLACE.map(([name, seconds]) => cache(name, "global", `${seconds}s`)).join("")}`;
  gateway = await startGatewayWith(config, { edges: EDGES });
  // An edge's first request also starts its isolate.
  await Promise.all(gateway.urls.map((url) => send(`${url}/global/none`)));
});

after(() => stopAll(gateway, origin));
beforeEach(() => origin.take());

/** A page that takes its time and says how often it was made. */
function slowly(path, fields, milliseconds = SLOW_MS) {
  let made = 0;
  pages.set(path, async (_, response) => {
    made += 1;
    const body = `${path} ${made}`;
    await sleep(milliseconds);
    response.writeHead(200, fields).end(body);
  });
}

// All edges serve one host: it is in the key.
const headers = { host: "gateway.test" };
const at = (index, path) => send(gateway.urls[index % EDGES] + path, { headers });
const asked = (path) => origin.requests.filter(({ url }) => url === path).length;

/** Waits until an edge has a response, without asking the origin for it. */
function stored(index, path) {
  const options = { headers: { ...headers, "cache-control": "only-if-cached" } };
  return until(`a stored ${path}`, async () => (await send(gateway.urls[index] + path, options)).status === 200);
}

async function check(path, requests, expected) {
  slowly(path, { "cache-control": "max-age=60" });
  const replies = await many(requests, requests, (index) => at(index, path));
  for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  assert.equal(asked(path), expected, `${requests} requests for ${path}`);
}

test("a thousand misses on four edges are one request to the origin when the scope is global", async () => {
  await check("/global/herd", 1_000, 1);
});

test("they are one request from each edge when the scope is colo", async () => {
  await check("/colo/herd", 400, EDGES);
});

test("they are one request from each isolate when the scope is isolate", async () => {
  await check("/isolate/herd", 200, EDGES);
});

/** Asks for some paths at all edges, all the time; returns how often. */
async function steadily(paths, seconds) {
  const end = Date.now() + seconds * 1_000;
  let requests = 0;
  const client = async (index) => {
    for (; Date.now() < end; requests += 1) {
      const reply = await at(index, paths[requests % paths.length]);
      assert.equal(reply.status, 200);
      await sleep(20);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, index) => client(index)));
  return requests;
}

for (const [scope, fillers] of [
  ["global", 1],
  ["colo", EDGES],
]) {
  const who = fillers === 1 ? "for all edges" : "for each edge";
  test(`at the end of each lifetime one request refreshes ${who}, and nobody waits for long (${scope})`, async () => {
    const [path, lifetime, steady] = [`/${scope}/steady`, 2, STEADY_SECONDS];
    slowly(path, { "cache-control": `max-age=${lifetime}` }, 50);
    const requests = await steadily([path], steady);
    const [count, lifetimes] = [asked(path), steady / lifetime];
    console.log(`${scope}: ${requests} requests in ${steady} s, ${count} of them to the origin`);
    // Under way from a request's start to its answer, a response lives a little less than a lifetime here.
    assert.ok(count >= fillers * (lifetimes - 1), `${count} requests in ${lifetimes} lifetimes`);
    assert.ok(count <= fillers * (lifetimes + 1), `${count} requests in ${lifetimes} lifetimes`);
  });
}

test("a marketplace's caches are computed once in each lifetime, on all edges together", async () => {
  const paths = MARKETPLACE.map(([name]) => `/${name}/all`);
  // The origin is silent on how long its answers are fresh: the lifetime is the cache's.
  for (const path of paths) slowly(path, {}, 50);
  const requests = await steadily(paths, STEADY_SECONDS);
  const counts = paths.map(asked);
  console.log(`marketplace: ${requests} requests in ${STEADY_SECONDS} s, to the origin ${counts.join(", ")}`);
  for (const [index, [name, lifetime]] of MARKETPLACE.entries()) {
    const what = `${name}: ${counts[index]} in ${STEADY_SECONDS} s`;
    // A lifetime begins when the answer is there, and in its last tenth it may be refreshed.
    assert.ok(counts[index] >= Math.max(1, Math.floor((0.8 * STEADY_SECONDS) / lifetime) - 1), what);
    assert.ok(counts[index] <= Math.ceil(STEADY_SECONDS / (0.9 * lifetime)), what);
  }
});

test("what the object keeps answers another edge without the origin", async () => {
  const path = "/global/kept";
  slowly(path, { "cache-control": "max-age=60", etag: '"1"', "x-kind": "kept" }, 0);
  await at(0, path);
  for (let index = 1; index < EDGES; index += 1) {
    const reply = await at(index, path);
    assert.equal(reply.text, `${path} 1`);
    assert.equal(reply.headers["x-kind"], "kept");
    assert.match(reply.headers["cache-status"], /^tidegate; hit; ttl=/);
  }
  assert.equal(asked(path), 1);
  const records = gateway.records().filter((record) => record.path === path);
  assert.equal(records.filter(({ cache }) => cache.tier === "object").length, EDGES - 1);
});

test("a filler that dies in the middle is followed by another, and all are answered in time", async () => {
  const path = "/brief/dying";
  let made = 0;
  pages.set(path, (_, response) => {
    made += 1;
    // The first one never answers.
    if (made > 1) response.writeHead(200, { "cache-control": "max-age=60" }).end("alive");
  });
  const first = open(gateway.urls[0] + path, { headers });
  first.request.end();
  await until("the first request", () => asked(path) > 0);
  const began = Date.now();
  const others = many(40, 40, (index) => at(index, path));
  await sleep(100);
  first.request.destroy();
  for (const reply of await others) assert.equal(reply.text, "alive");
  assert.ok(Date.now() - began < BRIEF_MS, "within the origin's timeout");
  assert.equal(asked(path), 2);
});

test("an origin that fails is not asked by all at once while the first ask is open", async () => {
  const path = "/global/failing";
  const tried = deferred();
  pages.set(path, async (_, response) => {
    await tried.promise;
    response.writeHead(503).end("no");
  });
  const answers = many(60, 60, (index) => at(index, path));
  await until("the first request", () => asked(path) > 0);
  await sleep(1_000);
  assert.equal(asked(path), 1, "while the first request is open");
  tried.resolve();
  for (const reply of await answers) assert.equal(reply.status, 503);
});

test("a response that is too large for the object is kept in each location", async () => {
  const path = "/global/large";
  const body = Buffer.alloc(3 * 1024 * 1024, "large");
  pages.set(path, (_, response) => {
    response.writeHead(200, { "cache-control": "max-age=60", "content-length": body.length }).end(body);
  });
  for (const round of [1, 2, 3]) {
    for (let index = 0; index < EDGES; index += 1) {
      const reply = await at(index, path);
      assert.ok(reply.body.equals(body), `round ${round}, edge ${index}`);
      await stored(index, path);
    }
  }
  assert.equal(asked(path), EDGES);
});

test("a write makes its own edge and the object forget what it changed", async () => {
  const path = "/global/written";
  let version = 1;
  pages.set(path, (request, response) => {
    if (request.method === "POST") version += 1;
    response.writeHead(200, { "cache-control": "max-age=60" }).end(`version ${version}`);
  });
  assert.equal((await at(0, path)).text, "version 1");
  await send(gateway.urls[0] + path, { method: "POST", headers });
  assert.equal((await at(0, path)).text, "version 2", "the edge that has seen the write");
  assert.equal((await at(1, path)).text, "version 2", "an edge that had nothing");
});

test("a slow client of a large response does not fill the memory, and gets every byte", async () => {
  const path = "/colo/slow";
  const chunk = Buffer.alloc(64 * 1024, "0123456789abcdef");
  const chunks = 640; // 40 MiB
  let sent = 0;
  pages.set(path, async (_, response) => {
    response.writeHead(200, { "cache-control": "max-age=60", "content-length": chunk.length * chunks });
    for (let index = 0; index < chunks; index += 1) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      sent += chunk.length;
    }
    response.end();
  });
  const { request, response: answer } = open(gateway.urls[0] + path);
  request.end();
  const response = await answer;
  response.pause();
  await sleep(700);
  // What the sockets on the way hold, and what waits for the client: far from the whole.
  assert.ok(sent < 24 * 1024 * 1024, `${sent} bytes left the origin for a client that reads nothing`);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of response) {
    bytes += part.length;
    hash.update(part);
  }
  assert.equal(bytes, chunk.length * chunks);
  const expected = createHash("sha256");
  for (let index = 0; index < chunks; index += 1) expected.update(chunk);
  assert.equal(hash.digest("hex"), expected.digest("hex"));
});

test("a client that goes away does not keep its response from being stored", async () => {
  const path = "/colo/left";
  const body = Buffer.alloc(6 * 1024 * 1024, "left alone");
  pages.set(path, async (_, response) => {
    response.writeHead(200, { "cache-control": "max-age=60", "content-length": body.length });
    response.write(body.subarray(0, 1_000_000));
    await sleep(300);
    response.end(body.subarray(1_000_000));
  });
  const { request, response: answer } = open(gateway.urls[0] + path, { headers });
  request.end();
  const response = await answer;
  response.on("error", () => {});
  response.destroy();
  await stored(0, path);
  const reply = await at(0, path);
  assert.match(reply.headers["cache-status"], /hit/);
  assert.ok(reply.body.equals(body));
  assert.equal(asked(path), 1);
});
