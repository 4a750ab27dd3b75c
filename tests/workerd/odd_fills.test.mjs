// Fills that go wrong, in each scope: what is not whole is never stored, and who waits for it is answered.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { many, send } from "./lib/client.mjs";
import { cachingRoute } from "./lib/configuration.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";
import { ask, request } from "./lib/wire.mjs";

const SCOPES = ["isolate", "colo", "global"];
const TOKEN = "the-operators-own-token";
const TIMEOUT_MS = 20_000;
const BRIEFLY = `origin = { timeout = "${TIMEOUT_MS}ms", retries = 0 }`;
let origin;
let gateway;
/** What the origin does with a request, by path. */
const pages = new Map();

before(async () => {
  origin = await startRawOrigin(({ target }, socket) => pages.get(target)(socket));
  const config = `
[gateway]
admin = { path = "/_tidegate", token = { secret = "ADMIN_TOKEN" } }

[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
${SCOPES.map((scope) => cachingRoute(scope, BRIEFLY)).join("")}`;
  gateway = await startGatewayWith(config, { secrets: { ADMIN_TOKEN: TOKEN } });
});

after(() => stopAll(gateway, origin));

const get = (path) => send(gateway.url + path);
const head = (...fields) => `${["HTTP/1.1 200 OK", "Cache-Control: max-age=60", ...fields].join("\r\n")}\r\n\r\n`;
const SHORT = {
  "than its Content-Length": [`${head("Content-Length: 10")}short`, `${head("Content-Length: 5")}whole`],
  "than its last chunk": [`${head("Transfer-Encoding: chunked")}5\r\nshort\r\n`, `${head("Content-Length: 5")}whole`],
};

for (const scope of SCOPES) {
  for (const [what, [short, whole]] of Object.entries(SHORT)) {
    test(`a body that is shorter ${what} is never stored (${scope})`, async () => {
      const path = `/${scope}/${what.replaceAll(" ", "-")}`;
      let asked = 0;
      pages.set(path, (socket) => {
        asked += 1;
        if (asked > 2) return whole;
        socket.end(short, "latin1");
        return undefined;
      });
      for (let turn = 0; turn < 2; turn += 1) await assert.rejects(get(path), `turn ${turn}`);
      await until("the whole from the store", async () => {
        const reply = await get(path);
        assert.equal(reply.text, "whole");
        return /hit/.test(reply.headers["cache-status"]);
      });
      assert.equal(asked, 3);
    });
  }

  test(`a client that leaves in the middle of a slow body leaves it to those who wait for it (${scope})`, async () => {
    const path = `/${scope}/left`;
    let asked = 0;
    pages.set(path, (socket) => {
      asked += 1;
      setTimeout(() => socket.write("whole"), 1_500);
      return `${head("Content-Length: 9")}half`;
    });
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("error", () => {}).write(request(`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${gateway.port}`));
    await until("the first request", () => asked > 0);
    const others = many(10, 10, () => get(path));
    await sleep(200);
    socket.destroy();
    for (const reply of await others) assert.equal(reply.text, "halfwhole");
    assert.equal(asked, 1);
  });
}

const NONSENSE = [
  "",
  "{",
  "null",
  "[]",
  "{}",
  '{"tags":[]}',
  '{"tags":"a"}',
  '{"tags":[1]}',
  '{"tags":[""]}',
  '{"tags":["\xff"]}',
  '{"tags":["a"],"tags":["b"]}',
  '{"tags":["a"],"more":1}',
  '{"all":false}',
  '{"all":true,"soft":"yes"}',
  '{"soft":true}',
  '{"urls":["page"]}',
  '{"urls":["ht!tp://"]}',
  '{"prefixes":["page"]}',
  JSON.stringify({ tags: ["a".repeat(5_000)] }),
  JSON.stringify({ tags: Array.from({ length: 5_000 }, (_, index) => `tag-${index}`) }),
  "[".repeat(60_000),
];

test("an order to purge that makes no sense purges nothing and is told so", async () => {
  const path = "/colo/kept";
  pages.set(path, () => `${head("Content-Length: 4", "Cache-Tag: a, b")}kept`);
  await until("a hit", async () => /hit/.test((await get(path)).headers["cache-status"]));
  const order = (body) => {
    const fields = [`Host: 127.0.0.1:${gateway.port}`, `Authorization: Bearer ${TOKEN}`, `Content-Length: ${body.length}`];
    return ask(gateway.port, request("POST /_tidegate/purge HTTP/1.1", ...fields) + body);
  };
  for (const body of NONSENSE) assert.equal((await order(body)).status, 400, body.slice(0, 60));
  assert.equal((await order(JSON.stringify({ tags: ["a".repeat(1024 * 1024)] }))).status, 413);
  assert.match((await get(path)).headers["cache-status"], /hit/);
});
