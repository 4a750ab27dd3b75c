// What is stale, on the runtime's real Cache API: confirmed, replaced behind the reply, and used in need.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { deferred, until } from "./lib/time.mjs";

let origin;
let gateway;
/** What the origin answers, by path. */
const pages = new Map();

before(async () => {
  origin = await startOrigin((request, response) => pages.get(request.url)(request, response));
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[cache]]
name = "pages"

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
cache = "pages"
`);
});

after(() => stopAll(gateway, origin));

const get = (path, headers = {}) => send(gateway.url + path, { headers });
const status = (reply) => reply.headers["cache-status"] ?? "";
const asked = (path) => origin.requests.filter(({ url }) => url === path);

/** A page of one version: the whole, or 304 to whoever holds it. */
function versioned(path, tag, fields, body) {
  pages.set(path, (request, response) => {
    const headers = { etag: tag, ...fields };
    const length = { "content-length": Buffer.byteLength(body) };
    if (request.headers["if-none-match"] === tag) return response.writeHead(304, headers).end();
    return response.writeHead(200, { ...headers, ...length }).end(body);
  });
}

async function stored(path, headers) {
  await get(path, headers);
  await until("a hit", async () => /hit/.test(status(await get(path, headers))));
}

test("a confirmed response is whole and as it came, coded or not, however long", async () => {
  const bytes = randomBytes(5 * 1024 * 1024);
  const text = "compress me ".repeat(1000);
  const seconds = { "cache-control": "max-age=2" };
  versioned("/large", '"1"', seconds, bytes);
  versioned("/gzip", '"1"', { ...seconds, "content-encoding": "gzip", "content-type": "text/plain" }, gzipSync(text));
  const headers = { "accept-encoding": "gzip" };
  for (const path of ["/large", "/gzip"]) await stored(path, headers);
  origin.take();
  for (let round = 1; round <= 2; round++) {
    await sleep(2_050);
    for (const [path, check] of [
      ["/large", (body) => body.equals(bytes)],
      ["/gzip", (body) => gunzipSync(body).toString() === text],
    ]) {
      const confirmed = await get(path, headers);
      assert.equal(status(confirmed), "tidegate; fwd=stale; fwd-status=304");
      assert.ok(check(confirmed.body), path);
      // The update is under way while the client reads: whoever comes next finds the old or the new one, whole.
      const next = await get(path, headers);
      assert.ok(check(next.body), path);
    }
  }
  assert.ok(asked("/large").length <= 4);
});

test("of many clients of a stale response one asks for its successor, and none waits", async () => {
  const fields = { "cache-control": "max-age=1, stale-while-revalidate=60" };
  versioned("/busy", '"1"', fields, "old");
  await stored("/busy");
  await sleep(1_050);
  const arrived = deferred();
  pages.set("/busy", (_, response) => arrived.resolve(response));
  origin.take();
  const replies = await Promise.all(Array.from({ length: 50 }, () => get("/busy")));
  for (const reply of replies) assert.equal(reply.text, "old");
  (await arrived.promise).writeHead(200, { etag: '"2"', ...fields }).end("new");
  await until("the successor", async () => (await get("/busy")).text === "new");
  assert.equal(asked("/busy").length, 1);
});

test("a part of a large response is cut where it was asked for", async () => {
  const bytes = randomBytes(3 * 1024 * 1024);
  versioned("/video", '"1"', { "cache-control": "max-age=60" }, bytes);
  await stored("/video");
  const [first, last] = [1_234_567, 2_345_678];
  const reply = await get("/video", { range: `bytes=${first}-${last}` });
  assert.equal(reply.status, 206);
  assert.equal(reply.headers["content-range"], `bytes ${first}-${last}/${bytes.length}`);
  assert.ok(reply.body.equals(bytes.subarray(first, last + 1)));
});

test("a killed origin is stood in for as long as its response allowed, and not longer", async () => {
  versioned("/need", '"1"', { "cache-control": "max-age=1, stale-if-error=6" }, "in need");
  await stored("/need");
  const { port } = origin;
  await sleep(1_050);
  await origin.stop();
  const reply = await get("/need");
  assert.equal(reply.text, "in need");
  assert.match(status(reply), /^tidegate; fwd=stale; ttl=-[1-6]; detail=stale-if-error$/);
  await until("the end of the window", async () => (await get("/need")).status === 502);
  await origin.listen(port);
  assert.equal((await get("/need")).status, 200);
});
