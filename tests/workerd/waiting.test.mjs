// Requests that come at once for responses that differ, or that nobody else may have: who waits for whom.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { many, send } from "./lib/client.mjs";
import { cachingRoute } from "./lib/configuration.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";

const SCOPES = ["isolate", "colo", "global"];
const TOGETHER = 20;
const SLOW_MS = 500;
let origin;
let gateway;
/** The origin's response, by path: its status, its body, its fields. */
const pages = new Map();

before(async () => {
  origin = await startOrigin((request, response) => {
    const { url, headers } = request;
    const isKnown = headers["if-none-match"] === '"v1"';
    const { status = 200, body = headers["accept-language"], ...fields } = pages.get(url);
    const reply = () =>
      response.writeHead(isKnown ? 304 : status, { etag: '"v1"', ...fields }).end(isKnown ? undefined : body);
    setTimeout(reply, SLOW_MS);
  });
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
${SCOPES.map((scope) => cachingRoute(scope)).join("")}`;
  gateway = await startGatewayWith(config);
});

after(() => stopAll(gateway, origin));
beforeEach(() => origin.take());

/** Asks for a path as one of several readers. */
async function read(path, reader, headers = {}) {
  const reply = await send(gateway.url + path, { headers: { "accept-language": `l${reader}`, ...headers } });
  assert.equal(reply.status, 200, reply.text);
  return reply;
}

const isHit = ({ headers }) => /^tidegate; hit/.test(headers["cache-status"]);

/** Everybody at once; if they went one after the other, it would take longer than this. */
async function together(work) {
  const began = Date.now();
  const replies = await many(TOGETHER, TOGETHER, work);
  assert.ok(Date.now() - began < (TOGETHER / 2) * SLOW_MS, "not one after the other");
  return replies;
}

for (const scope of SCOPES) {
  test(`variants that are asked for at once are each fetched once, at once, and all kept (${scope})`, async () => {
    const path = `/${scope}/variants`;
    pages.set(path, { "cache-control": "max-age=600", vary: "accept-language" });
    const replies = await together((reader) => read(path, reader));
    for (const [reader, { text }] of replies.entries()) assert.equal(text, `l${reader}`);
    for (let reader = 0; reader < TOGETHER; reader++) {
      const hit = await until("a hit", async () => [await read(path, reader)].find(isHit));
      assert.equal(hit.text, `l${reader}`);
    }
    assert.equal(origin.take().length, TOGETHER);
  });

  for (const control of ["private", "no-store", "no-cache", "max-age=0, must-revalidate"]) {
    test(`what says ${control} keeps nobody waiting, new or stored (${scope})`, async () => {
      const path = `/${scope}/${control.replace(/\W+/g, "-")}`;
      pages.set(path, { "cache-control": control });
      for (let round = 1; round <= 2; round++) {
        for (const { text } of await together(() => read(path, 0))) assert.equal(text, "l0");
        assert.equal(origin.take().length, TOGETHER);
      }
    });
  }

  test(`an origin that fails keeps nobody waiting for each of its failures (${scope})`, async () => {
    const path = `/${scope}/failing`;
    pages.set(path, { status: 503 });
    const began = Date.now();
    const replies = await many(TOGETHER, TOGETHER, () => send(gateway.url + path));
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [503]);
    assert.ok(Date.now() - began < (TOGETHER / 2) * SLOW_MS, "not one after the other");
  });

  test(`what a cookie selects keeps nobody waiting who has another one (${scope})`, async () => {
    const path = `/${scope}/cookies`;
    pages.set(path, { "cache-control": "public, max-age=600", vary: "cookie" });
    await read(path, 0);
    await until("a hit", async () => isHit(await read(path, 0)));
    origin.take();
    const replies = await together((reader) => read(path, reader, { cookie: `c=${reader}` }));
    for (const [reader, { text }] of replies.entries()) assert.equal(text, `l${reader}`);
    assert.equal(origin.take().length, TOGETHER);
    assert.ok(isHit(await read(path, 0)));
  });
}

// 64 KiB are what the memory of an isolate takes.
for (const [bytes, isKept] of [
  [64 * 1024, true],
  [64 * 1024 + 1, false],
]) {
  for (const fields of [{ "content-length": bytes }, { "transfer-encoding": "chunked" }]) {
    test(`${bytes} bytes with ${Object.keys(fields)} are ${isKept ? "" : "not "}kept by an isolate alone`, async () => {
      const path = `/isolate/${bytes}/${Object.keys(fields)}`;
      pages.set(path, { "cache-control": "max-age=600", body: Buffer.alloc(bytes, "x"), ...fields });
      for (const { body } of await together(() => read(path, 0))) assert.equal(body.length, bytes);
      assert.equal(origin.take().length, isKept ? 1 : TOGETHER);
      const { headers } = await read(path, 0);
      const status = headers["cache-status"];
      if (isKept) assert.match(status, /; hit/);
      else if (fields["content-length"]) assert.match(status, /; detail=too-large$/);
    });
  }
}
