// What an isolate holds while large bodies stream through it: little, whoever is slow. The runtime's inspector says so
// for the isolate; the process also holds the model of the platform's cache.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { open, send } from "./lib/client.mjs";
import { cachingRoute } from "./lib/configuration.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { inspect } from "./lib/inspector.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";

const MEBIBYTE = 1024 * 1024;
const LENGTH = 100 * MEBIBYTE;
/** What is held more than before a body came, while it streams and its client reads nothing. */
const HELD_MAX = 6 * MEBIBYTE;
/** The same with what nobody has collected yet. */
const PEAK_MAX = 32 * MEBIBYTE;
const NOISE = randomBytes(2 * MEBIBYTE);
const SCOPES = ["isolate", "colo", "global"];

/** A part of a body; no two are alike. */
const part = (index) => NOISE.subarray(index * 1_009, index * 1_009 + MEBIBYTE);

/** Writes the whole body as fast as the other side takes it. */
async function pour(stream) {
  stream.on("error", () => {});
  for (let index = 0; index < LENGTH / MEBIBYTE; index += 1) {
    if (!stream.write(part(index))) await once(stream, "drain");
  }
  stream.end();
}

/** The length and a digest of all that comes. */
async function drink(stream) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const bytes of stream) {
    hash.update(bytes);
    length += bytes.length;
  }
  return [length, hash.digest("hex")];
}

const WHOLE = createHash("sha256");
for (let index = 0; index < LENGTH / MEBIBYTE; index += 1) WHOLE.update(part(index));
const EXPECTED = [LENGTH, WHOLE.digest("hex")];


let origin;
let gateway;
let isolate;

before(async () => {
  origin = await startOrigin(async (request, response) => {
    if (request.method === "POST") return response.end(JSON.stringify(await drink(request)));
    const length = request.url.endsWith("/known") ? { "content-length": LENGTH } : {};
    response.writeHead(200, { "cache-control": "max-age=600", ...length });
    return pour(response);
  });
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[route]]
name = "none"
match = { path = "/none/{*rest}" }
auth = "none"
${SCOPES.map((scope) => cachingRoute(scope)).join("")}`;
  gateway = await startGatewayWith(config, { inspect: true });
  isolate = await inspect(gateway.running.miniflare, "edge0");
});

after(() => stopAll(isolate, gateway, origin));

/** A request that no route answers: it has the isolate run. */
const wake = () => send(`${gateway.url}/wake`);
const collected = () => isolate.heldAfterCollecting(wake);
const mebibytes = (bytes) => `${(bytes / MEBIBYTE).toFixed(1)} MiB`;

/** Does some work and checks what the isolate has come to hold at any time meanwhile. */
async function watched(what, work) {
  const before = await collected();
  let [peak, isDone] = [0, false];
  const watching = (async () => {
    for (; !isDone; await sleep(20)) peak = Math.max(peak, await isolate.held());
  })();
  const outcome = await work(before).finally(() => {
    isDone = true;
  });
  await watching;
  const left = (await collected()) - before;
  assert.ok(peak - before < PEAK_MAX, `${what}: ${mebibytes(peak - before)} more at its height`);
  assert.ok(left < HELD_MAX, `${what}: ${mebibytes(left)} more at the end`);
  return outcome;
}

/** Reads a response, after nothing of it was read for a while. */
const readLate = (what, url) =>
  watched(what, async (before) => {
    const { request, response } = open(url);
    request.end();
    const { headers } = await response;
    await sleep(500);
    const held = (await collected()) - before;
    assert.ok(held < HELD_MAX, `${what}: ${mebibytes(held)} more while the client reads nothing`);
    assert.deepEqual(await drink(await response), EXPECTED, what);
    return headers["cache-status"];
  });

for (const kind of ["known", "chunked"]) {
  for (const scope of ["none", ...SCOPES]) {
    test(`100 MB through an isolate leave it as it was: scope ${scope}, length ${kind}`, async () => {
      const url = `${gateway.url}/${scope}/${kind}`;
      await readLate("a miss", url);
      // An isolate keeps nothing that large.
      if (scope === "none" || scope === "isolate") return;
      assert.match(await readLate("a hit", url), /^tidegate; hit/);
    });
  }

  test(`100 MB to an origin leave the isolate as it was: length ${kind}`, async () => {
    const headers = kind === "known" ? { "content-length": LENGTH } : {};
    const answer = await watched("an upload", async () => {
      const { request, response } = open(`${gateway.url}/none/upload`, { method: "POST", headers });
      await pour(request);
      const parts = [];
      for await (const bytes of await response) parts.push(bytes);
      return JSON.parse(Buffer.concat(parts));
    });
    assert.deepEqual(answer, EXPECTED);
  });
}
