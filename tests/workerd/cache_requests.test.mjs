// What a client may ask of a stored response: HEAD, conditions, ranges, Cache-Control; and what makes it untrue.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";

const MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT";
let origin;
let gateway;
let number = 0;
let path;

before(async () => {
  origin = await startOrigin((request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return response.writeHead(request.url.endsWith("?fail") ? 500 : 204).end();
    }
    const fields = { etag: '"v1"', "last-modified": MODIFIED, "content-type": "text/plain", "content-length": 10 };
    response.writeHead(200, fields).end(request.method === "HEAD" ? undefined : "0123456789");
  });
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[cache]]
name = "minute"
ttl = "60s"

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
cache = "minute"
`);
});

after(() => stopAll(gateway, origin));

const ask = (method = "GET", headers = {}) => send(gateway.url + path, { method, headers });
const status = (reply) => reply.headers["cache-status"] ?? "";
const isHit = (reply) => /^tidegate; hit/.test(status(reply));

// Each test has a page of its own, which is stored.
beforeEach(async () => {
  path = `/${++number}`;
  await ask();
  await until("a hit", async () => isHit(await ask()));
  origin.take();
});

test("HEAD is answered from the stored GET, with its fields and no content", async () => {
  const reply = await ask("HEAD");
  assert.ok(isHit(reply), status(reply));
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.etag, '"v1"');
  assert.equal(reply.body.length, 0);
  assert.deepEqual(origin.take(), []);
});

test("a HEAD that came first does not stand in for a GET", async () => {
  path = "/head-first";
  const head = await ask("HEAD");
  assert.equal(head.status, 200);
  assert.equal((await ask()).text, "0123456789");
});

for (const [what, headers] of [
  ["the same entity tag", { "if-none-match": '"v1"' }],
  ["a weak one", { "if-none-match": 'W/"v1"' }],
  ["one of several", { "if-none-match": '"v0", "v1"' }],
  ["any", { "if-none-match": "*" }],
  ["the same date", { "if-modified-since": MODIFIED }],
]) {
  test(`304 for ${what}, from the store, with the entity tag and no content`, async () => {
    const reply = await ask("GET", headers);
    assert.equal(reply.status, 304);
    assert.ok(isHit(reply), status(reply));
    assert.equal(reply.headers.etag, '"v1"');
    assert.equal(reply.body.length, 0);
    assert.deepEqual(origin.take(), []);
  });
}

for (const [what, headers] of [
  ["another entity tag", { "if-none-match": '"v2"' }],
  ["an older date", { "if-modified-since": "Sun, 31 Dec 2023 00:00:00 GMT" }],
  ["another tag, whatever the date", { "if-none-match": '"v2"', "if-modified-since": MODIFIED }],
]) {
  test(`the whole response for ${what}, from the store`, async () => {
    const reply = await ask("GET", headers);
    assert.equal(reply.status, 200);
    assert.ok(isHit(reply), status(reply));
    assert.equal(reply.text, "0123456789");
  });
}

test("a condition of the client that came first does not keep the response from being stored", async () => {
  path = "/conditional-first";
  const reply = await ask("GET", { "if-none-match": '"v1"' });
  assert.ok([200, 304].includes(reply.status));
  assert.equal(origin.take()[0].headers["if-none-match"], undefined);
  await until("a hit", async () => isHit(await ask()));
  assert.equal((await ask()).text, "0123456789");
});

for (const [range, text, place] of [
  ["bytes=2-3", "23", "2-3"],
  ["bytes=8-", "89", "8-9"],
  ["bytes=-3", "789", "7-9"],
  ["bytes=0-99", "0123456789", "0-9"],
]) {
  test(`${range} is cut from the stored response`, async () => {
    const reply = await ask("GET", { range });
    assert.equal(reply.status, 206);
    assert.ok(isHit(reply), status(reply));
    assert.equal(reply.text, text);
    assert.equal(reply.headers["content-range"], `bytes ${place}/10`);
    assert.deepEqual(origin.take(), []);
  });
}

test("a range that the stored response does not have is 416", async () => {
  const reply = await ask("GET", { range: "bytes=10-" });
  assert.equal(reply.status, 416);
  assert.equal(reply.headers["content-range"], "bytes */10");
  assert.deepEqual(origin.take(), []);
});

test("several ranges at once, and a range of another version, get the whole", async () => {
  for (const headers of [{ range: "bytes=0-1,3-4" }, { range: "bytes=0-1", "if-range": '"v0"' }]) {
    const reply = await ask("GET", headers);
    assert.equal(reply.status, 200);
    assert.equal(reply.text, "0123456789");
  }
  assert.deepEqual(origin.take(), []);
});

test("a range of what is not stored goes to the origin, and its answer is not stored for the whole", async () => {
  path = "/range-first";
  const reply = await ask("GET", { range: "bytes=2-3" });
  assert.ok(!isHit(reply), status(reply));
  assert.equal(origin.take()[0].headers.range, "bytes=2-3");
  assert.equal((await ask()).text, "0123456789");
});

for (const [what, headers] of [
  ["Cache-Control: no-cache", { "cache-control": "no-cache" }],
  ["Cache-Control: max-age=0", { "cache-control": "max-age=0" }],
  ["Cache-Control: no-store", { "cache-control": "no-store" }],
  ["Pragma: no-cache", { pragma: "no-cache" }],
]) {
  test(`${what} of a client goes to the origin`, async () => {
    const reply = await ask("GET", headers);
    assert.ok(!isHit(reply), status(reply));
    assert.equal(origin.take().length, 1);
  });
}

test("only-if-cached is answered from the store, else with 504 and no origin is asked", async () => {
  const headers = { "cache-control": "only-if-cached" };
  assert.ok(isHit(await ask("GET", headers)));
  path = "/never-stored";
  assert.equal((await ask("GET", headers)).status, 504);
  assert.deepEqual(origin.take(), []);
});

for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
  test(`${method} goes to the origin, and what it changed is forgotten`, async () => {
    assert.equal((await ask(method)).status, 204);
    assert.deepEqual(
      origin.take().map((request) => request.method),
      [method],
    );
    await until("a miss", async () => !isHit(await ask()));
  });
}

test("a POST that fails makes nothing untrue", async () => {
  const stored = path;
  path = `${stored}?fail`;
  assert.equal((await ask("POST")).status, 500);
  path = stored;
  assert.ok(isHit(await ask()));
});

test("the reply to POST is never stored", async () => {
  path = "/post-only";
  for (let time = 1; time <= 2; time++) {
    const reply = await ask("POST");
    assert.doesNotMatch(status(reply), /stored|hit/);
    assert.equal(origin.take().length, 1);
  }
});
