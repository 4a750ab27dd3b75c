// Purges at several edges: fills that race, many purges, soft ones, a log that does not answer, a log that starts anew.

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { many, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";

const ENTRY = fileURLToPath(new URL("lib/cut_off.mjs", import.meta.url));
const TOKEN = "the-operators-own-token";
const EDGES = 3;
/** What a receipt promises. */
const VISIBLE_MS = 2_000;
/** How long a request waits for the log at most. */
const LOG_TIMEOUT_MS = 750;
const agent = new Agent({ maxSockets: 64 });
let origin;
let gateway;
/** What the origin's responses show. */
let version = 1;

before(async () => {
  origin = await startOrigin((request, response) => {
    if (request.method === "PUT") {
      version += 1;
      return response.writeHead(204, { "x-purge": "page" }).end();
    }
    // It reads its data at the start, and takes its time.
    const [, topic] = request.url.split("/");
    response.setHeader("cache-tag", topic);
    const body = String(version);
    return setTimeout(() => response.end(body), topic === "page" ? Math.random() * 300 : 50);
  });
  const config = `
[gateway]
admin = { path = "/_tidegate", token = { secret = "ADMIN_TOKEN" } }

[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[cache]]
name = "pages"
ttl = "1h"
stale_while_revalidate = "1h"

[[route]]
name = "read"
match = { path = "/{*rest}", methods = ["GET"] }
auth = "none"
cache = "pages"

[[route]]
name = "write"
match = { path = "/{*rest}", methods = ["PUT"] }
auth = "none"
invalidate = { header = "x-purge" }
`;
  gateway = await startGatewayWith(config, { edges: EDGES, secrets: { ADMIN_TOKEN: TOKEN }, entry: ENTRY });
});

after(() => {
  agent.destroy();
  return stopAll(gateway, origin);
});

const get = (path, edge = 0) => send(gateway.urls[edge] + path, { agent });
const purge = (order, edge = 0) => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return send(`${gateway.urls[edge]}/_tidegate/purge`, { method: "POST", headers, body: JSON.stringify(order), agent });
};
const control = async (order, edge = 0) =>
  (await send(gateway.urls[edge], { headers: { "test-control": order }, agent })).json;
const isHit = ({ headers }) => /^tidegate; hit/.test(headers["cache-status"]);
/** Asks until a stored response answers: storing goes on after the reply. */
const stored = (path, edge) => until(`a hit for ${path}`, async () => isHit(await get(path, edge)));
const edges = Array.from({ length: EDGES }, (_, edge) => edge);

/** A hundred pages at every edge: the versions that they show. */
async function everywhere() {
  const replies = await many(100 * EDGES, 48, (index) => get(`/page/${index % 100}`, index % EDGES));
  assert.ok(replies.every(({ status }) => status === 200));
  return replies.map(({ text }) => Number(text));
}

test("no page that was fetched before a purge is served two seconds after its receipt", async () => {
  await everywhere();
  for (const order of [{ tags: ["page"] }, { prefixes: ["/page"] }, { all: true }]) {
    // Fills are under way at every edge: half of the pages were purged a moment ago.
    assert.equal((await purge({ tags: ["page"] })).status, 200);
    const filling = everywhere();
    await sleep(150);
    version += 1;
    const receipt = await purge(order, 1);
    assert.equal(receipt.status, 200);
    await Promise.all([filling, sleep(VISIBLE_MS)]);
    for (const shown of await everywhere()) assert.equal(shown, version, JSON.stringify(order));
  }
});

test("nor two seconds after a write that purges", async () => {
  await everywhere();
  const filling = everywhere();
  assert.equal((await send(`${gateway.urls[2]}/page/1`, { method: "PUT", agent })).status, 204);
  // The writer's own location knows at once.
  assert.equal(Number((await get("/page/1", 2)).text), version);
  await Promise.all([filling, sleep(VISIBLE_MS)]);
  for (const shown of await everywhere()) assert.equal(shown, version);
});

test("a thousand purges are accepted, far within a minute", async () => {
  const start = Date.now();
  const receipts = await many(1000, 16, (index) => purge({ tags: [`tag-${index}`] }, index % EDGES));
  const took = Date.now() - start;
  assert.ok(took < 60_000, `${took} ms`);
  const generations = receipts.map(({ status, json }) => {
    assert.equal(status, 200);
    return json.generation;
  });
  assert.equal(new Set(generations).size, 1000, "each has a number of its own");
  console.log(`1000 purges in ${took} ms`);
});

test("after a soft purge nobody waits, and each edge asks the origin once", async () => {
  for (const edge of edges) await stored("/hot", edge);
  version += 1;
  assert.equal((await purge({ urls: ["/hot"], soft: true })).status, 200);
  await sleep(VISIBLE_MS);
  origin.take();
  const replies = await many(60, 60, (index) => get("/hot", index % EDGES));
  for (const reply of replies) assert.ok(reply.status === 200 && isHit(reply), reply.headers["cache-status"]);
  for (const edge of edges) {
    await until("the next version", async () => Number((await get("/hot", edge)).text) === version);
  }
  assert.equal(origin.take().filter(({ url }) => url === "/hot").length, EDGES);
});

test("hits ask the log once a second at most, and never wait for it while they come", async () => {
  await stored("/hot", 0);
  const before = (await control("join")).purgeLogAsked;
  const start = Date.now();
  let requests = 0;
  while (Date.now() - start < 3_000) {
    await get("/hot");
    requests += 1;
  }
  const asked = (await control("join")).purgeLogAsked - before;
  assert.ok(asked >= 2 && asked <= 4, `${asked} questions in 3 s`);
  console.log(`${asked} questions for ${requests} hits in 3 s`);
});

test("a log that does not answer gives no receipt, and keeps no hit waiting", async () => {
  await stored("/hot", 1);
  await control("cut", 1);
  const refused = await purge({ all: true }, 1);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
  await sleep(2_500);
  let slow = 0;
  for (let turn = 0; turn < 60; turn += 1) {
    const start = Date.now();
    const reply = await get("/hot", 1);
    assert.deepEqual([reply.status, isHit(reply)], [200, true]);
    if (Date.now() - start > LOG_TIMEOUT_MS) slow += 1;
    await sleep(50);
  }
  // The first one learns that the log is silent; a busy machine may delay the question behind a reply.
  assert.ok(slow <= 6, `${slow} of 60 waited for the log`);
  await control("join", 1);
  version += 1;
  assert.equal((await purge({ urls: ["/hot"] })).status, 200);
  await sleep(VISIBLE_MS);
  assert.equal(Number((await get("/hot", 1)).text), version);
});

test("a log that starts anew goes on where it was", async () => {
  const before = (await purge({ tags: ["before"] })).json;
  await stored("/kept", 0);
  await gateway.running.miniflare.unsafeEvictDurableObject("edge0", "Purge", { name: "log" });
  await sleep(VISIBLE_MS + 100);
  assert.ok(isHit(await get("/kept")));
  const after = (await purge({ tags: ["kept"] })).json;
  assert.deepEqual([after.log, after.generation], [before.log, before.generation + 1]);
  assert.match((await get("/kept")).headers["cache-status"], /detail=purged$/);
});
