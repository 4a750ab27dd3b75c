// Stored responses, on the runtime's real Cache API.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";

const secret = makeSecret("HS256");
let origin;
let gateway;
/** What the origin answers, by path. */
const pages = new Map();

const route = (name, cache, auth) => `
[[route]]
name = "${name}"
match = { path = "/${name}/{*rest}" }
auth = ${auth}
cache = "${cache}"
`;

before(async () => {
  origin = await startOrigin((request, response) => {
    const page = pages.get(new URL(request.url, origin.url).pathname);
    if (page === undefined) return response.writeHead(404).end("no such page");
    return page(request, response);
  });
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "SIGNING_KEY" }

[[cache]]
name = "minute"
ttl = "60s"

[[cache]]
name = "chosen"
ttl = "60s"
key = { query = ["page", "sort"], headers = ["accept-language"] }

[[cache]]
name = "silent"

[[cache]]
name = "brief"
ttl = "2s"

[[cache]]
name = "firm"
ttl = "60s"
override = true

[[cache]]
name = "by-org"
ttl = "60s"
key = { partition = ["claim:org"] }

${["minute", "chosen", "silent", "brief", "firm"].map((name) => route(name, name, '"none"')).join("")}
${route("mine", "minute", '{ any = ["main"] }')}
${route("ours", "by-org", '{ any = ["main"] }')}
`;
  gateway = await startGatewayWith(config, { edges: 2, secrets: { SIGNING_KEY: secret.text } });
});

after(() => stopAll(gateway, origin));

/** Puts a page on the origin: fields and a body, or a function of node:http. */
function page(path, fields, body = "page") {
  pages.set(path, typeof fields === "function" ? fields : (_, response) => response.writeHead(200, fields).end(body));
}

const get = (path, { edge = 0, ...options } = {}) => send(gateway.urls[edge] + path, options);
const status = (reply) => reply.headers["cache-status"] ?? "";
const isHit = (reply) => /^tidegate; hit/.test(status(reply));
const asked = (path) => origin.requests.filter(({ url }) => url.split("?")[0] === path).length;

/** Asks until the stored response answers: storing goes on after the reply. */
async function hit(path, options) {
  return until(`a hit for ${path}`, async () => {
    const reply = await get(path, options);
    return isHit(reply) ? reply : undefined;
  });
}

/** Asks three times; the origin is asked each time. */
async function neverStored(path, options, reason) {
  for (let time = 1; time <= 3; time++) {
    const reply = await get(path, options);
    assert.ok(!isHit(reply), `a hit at time ${time}`);
    assert.doesNotMatch(status(reply), /stored/);
    if (reason !== undefined) assert.match(status(reply), reason);
    assert.equal(asked(path), time);
    await sleep(20); // a store that should not be would be done by now
  }
}

test("the second GET is a hit, and the origin counts one", async () => {
  page("/minute/a", { "content-type": "text/plain", "x-page": "1", etag: '"1"' });
  const first = await get("/minute/a?x=1");
  assert.equal(status(first), "tidegate; fwd=uri-miss; fwd-status=200; stored");
  assert.equal(first.headers.age, undefined);
  const second = await hit("/minute/a?x=1");
  assert.equal(second.text, "page");
  assert.match(status(second), /^tidegate; hit; ttl=[1-6]?\d$/);
  for (const name of ["content-type", "x-page", "etag"]) assert.equal(second.headers[name], first.headers[name], name);
  assert.equal(asked("/minute/a"), 1);
});

test("each edge has a store of its own", async () => {
  page("/minute/edges", {});
  await get("/minute/edges");
  await hit("/minute/edges");
  assert.ok(!isHit(await get("/minute/edges", { edge: 1 })));
  await hit("/minute/edges", { edge: 1 });
  assert.equal(asked("/minute/edges"), 2);
});

test("Age grows, counts what the origin says, and ends with the lifetime", async () => {
  page("/silent/age", { "cache-control": "max-age=15", age: "10" });
  await get("/silent/age");
  const young = await hit("/silent/age");
  assert.match(young.headers.age, /^1[0-4]$/);
  await sleep(1_050);
  const older = await get("/silent/age");
  assert.ok(Number(older.headers.age) > Number(young.headers.age) || !isHit(older), status(older));
  await until("the end of the lifetime", async () => !isHit(await get("/silent/age")));
});

test("what is stale is asked for again, and stored again", async () => {
  page("/brief/a", {});
  await get("/brief/a");
  await hit("/brief/a");
  await sleep(2_050);
  // The runtime's store may have dropped it by itself.
  assert.match(status(await get("/brief/a")), /^tidegate; fwd=(stale|uri-miss); fwd-status=200; stored$/);
  await hit("/brief/a");
  assert.equal(asked("/brief/a"), 2);
});

for (const [what, fields] of Object.entries({
  "Cache-Control: private": { "cache-control": "private, max-age=60" },
  "Cache-Control: no-store": { "cache-control": "max-age=60, No-Store" },
  "Cache-Control: no-cache": { "cache-control": "no-cache, max-age=60" },
  "Cache-Control: max-age=0": { "cache-control": "max-age=0" },
  "Cache-Control: s-maxage=0": { "cache-control": "s-maxage=0, max-age=60" },
  "CDN-Cache-Control: no-store": { "cdn-cache-control": "no-store", "cache-control": "max-age=60" },
  "Set-Cookie": { "set-cookie": "a=1", "cache-control": "public, max-age=60" },
  "Vary: *": { vary: "*", "cache-control": "max-age=60" },
  "an Expires of the past": { expires: "Thu, 01 Jan 1970 00:00:00 GMT" },
})) {
  test(`a response with ${what} is never stored`, async () => {
    const path = `/minute/not/${encodeURIComponent(what.replace(/[^a-z]/gi, ""))}`;
    page(path, fields);
    await neverStored(path);
  });
}

for (const what of ["private", "no-store"]) {
  test(`not even an override stores what is ${what}`, async () => {
    page(`/firm/${what}`, { "cache-control": what });
    await neverStored(`/firm/${what}`);
  });
}

test("an override outlives the origin's lifetime", async () => {
  page("/firm/long", { "cache-control": "max-age=0" });
  await get("/firm/long");
  await hit("/firm/long");
});

test("without a ttl, what the origin is silent about is not stored", async () => {
  page("/silent/nothing", { "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT" });
  await neverStored("/silent/nothing");
});

test("a request with Authorization is stored only where the origin says that it may", async () => {
  const headers = { authorization: "Basic YTpi" };
  page("/silent/authorized", { "cache-control": "max-age=60" });
  await neverStored("/silent/authorized", { headers });
  page("/silent/public", { "cache-control": "public, max-age=60" });
  await get("/silent/public", { headers });
  await hit("/silent/public", { headers });
});

test("a caller's responses are the caller's own", async () => {
  const as = async (sub) => ({ headers: { authorization: `Bearer ${await sign(secret, { sub })}` } });
  page("/mine/a", (request, response) => response.end(request.headers.authorization.slice(-20)));
  const [alice, bob] = [await as("alice"), await as("bob")];
  const page1 = await get("/mine/a", alice);
  assert.equal((await hit("/mine/a", alice)).text, page1.text);
  const page2 = await get("/mine/a", bob);
  assert.ok(!isHit(page2));
  assert.notEqual(page2.text, page1.text);
  assert.equal((await get("/mine/a")).status, 401);
});

test("a written partition is shared within it, and not beyond", async () => {
  const as = async (sub, org) => ({ headers: { authorization: `Bearer ${await sign(secret, { sub, org })}` } });
  page("/ours/a", {});
  await get("/ours/a", await as("alice", "x"));
  await hit("/ours/a", await as("bob", "x"));
  assert.ok(!isHit(await get("/ours/a", await as("carol", "y"))));
  assert.equal(asked("/ours/a"), 2);
});

test("what the key does not choose neither parts responses nor reaches the origin", async () => {
  page("/chosen/a", (request, response) => response.end(request.url));
  const first = await get("/chosen/a?utm=1&page=2");
  assert.equal(first.text, "/chosen/a?page=2");
  assert.equal((await hit("/chosen/a?page=2&utm=3&x")).text, first.text);
  for (const other of ["?page=3", "?page=2&sort=a", "?page=2&page=3", ""])
    assert.ok(!isHit(await get(`/chosen/a${other}`)));
  assert.ok(!isHit(await get("/chosen/a?page=2", { headers: { "accept-language": "de" } })));
});

test("Vary tells responses apart", async () => {
  page("/minute/vary", (request, response) =>
    response.writeHead(200, { vary: "Accept-Language" }).end(request.headers["accept-language"]),
  );
  const speaking = (language) => ({ headers: { "accept-language": language } });
  await get("/minute/vary", speaking("de"));
  await hit("/minute/vary", speaking("de"));
  const english = await get("/minute/vary", speaking("en"));
  assert.match(status(english), /fwd=vary-miss/);
  assert.equal(english.text, "en");
});

test("another spelling of the path is the same response, another host is another", async () => {
  page("/minute/spelt", {});
  await get("/minute/spelt");
  await hit("/minute//./%73pelt");
  assert.ok(!isHit(await get("/minute/spelt", { headers: { host: "b.example" } })));
});

test("a response in gzip is kept as it is, for clients that take it", async () => {
  const text = "compress me ".repeat(1000);
  page("/minute/gzip", (request, response) => {
    const takes = /gzip/.test(request.headers["accept-encoding"] ?? "");
    const fields = { vary: "Accept-Encoding", ...(takes && { "content-encoding": "gzip" }) };
    response.writeHead(200, fields).end(takes ? gzipSync(text) : text);
  });
  const zipped = { headers: { "accept-encoding": "gzip" } };
  for (const reply of [await get("/minute/gzip", zipped), await hit("/minute/gzip", zipped)]) {
    assert.equal(reply.headers["content-encoding"], "gzip");
    assert.equal(gunzipSync(reply.body).toString(), text);
  }
  for (let time = 0; time < 3; time++) {
    const plain = await get("/minute/gzip", { headers: { "accept-encoding": "identity" } });
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.text, text);
  }
});

test("10 MB pass and are stored, byte for byte", async () => {
  const bytes = randomBytes(10 * 1024 * 1024);
  page("/minute/large", {}, bytes);
  assert.ok((await get("/minute/large")).body.equals(bytes));
  assert.ok((await hit("/minute/large")).body.equals(bytes));
});

test("a response that is cut short is not stored", async () => {
  page("/minute/cut", (_, response) => {
    response.writeHead(200, { "content-length": "100" }).write("half");
    setTimeout(() => response.destroy(), 20);
  });
  for (let time = 1; time <= 2; time++) {
    await assert.rejects(get("/minute/cut"));
    await sleep(50);
    assert.equal(asked("/minute/cut"), time);
  }
});
