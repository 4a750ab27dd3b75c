// Requests with a body: an origin's timeout is for the origin. A client may take its time.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { open } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";

const TIMEOUT_MS = 1_000;
const PARTS = 6;
const PART = Buffer.alloc(4096, "part");
let origin;
let gateway;
/** How the origin serves the next request. */
let serve;

before(async () => {
  origin = await startOrigin((request, response) => serve(request, response));
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
origin = { timeout = "${TIMEOUT_MS}ms" }
`);
});

after(() => stopAll(gateway, origin));

async function whole(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Sends a body in parts, in twice the timeout altogether: the response, and how long it took after the last part. */
async function slowly(method, fields) {
  const { request, response } = open(`${gateway.url}/upload`, { method, headers: fields });
  for (let part = 0; part < PARTS; part += 1) {
    await sleep((2 * TIMEOUT_MS) / PARTS);
    request.write(PART);
  }
  request.end();
  const sent = Date.now();
  const { statusCode } = await response;
  const text = await whole(await response);
  return { status: statusCode, text, waited: Date.now() - sent };
}

for (const [what, fields] of [
  ["of a known length", { "content-length": PART.length * PARTS }],
  ["in chunks", { "transfer-encoding": "chunked" }],
]) {
  test(`an upload ${what} may take longer than the origin's timeout`, async () => {
    serve = async (request, response) => response.end(await whole(request));
    const { status, text } = await slowly("POST", fields);
    assert.deepEqual([status, text], [200, PART.toString().repeat(PARTS)]);
    const seen = origin.take().at(-1).headers;
    for (const name of ["content-length", "transfer-encoding"]) {
      assert.equal(seen[name], fields[name]?.toString(), `the origin's ${name}`);
    }
  });

  test(`an origin that does not answer an upload ${what} is late a timeout after the last byte`, async () => {
    serve = (request) => request.resume();
    const { status, waited } = await slowly("PUT", fields);
    assert.equal(status, 504);
    assert.ok(waited > 0.8 * TIMEOUT_MS, `answered after ${waited} ms`);
    assert.ok(waited < 5 * TIMEOUT_MS, `answered after ${waited} ms`);
  });
}

test("what fits into a client's first flight is taken for sent", async () => {
  serve = (request) => request.resume();
  const { request, response } = open(`${gateway.url}/upload`, { method: "POST", headers: { "content-length": 4 } });
  request.on("error", () => {});
  request.write("hal");
  assert.equal((await response).statusCode, 504);
  request.destroy();
});

test("an origin that does not take an upload is late, however much of it is left", async () => {
  serve = () => {};
  const { request, response } = open(`${gateway.url}/upload`, { method: "POST" });
  request.on("error", () => {});
  request.write(Buffer.alloc(64 * 1024 * 1024));
  const began = Date.now();
  assert.equal((await response).statusCode, 504);
  assert.ok(Date.now() - began < 10 * TIMEOUT_MS);
  request.destroy();
});
