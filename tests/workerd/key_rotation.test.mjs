// The keys of an issuer change, and the server that publishes them fails.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { ISSUER, makeKey, sign, startIssuer } from "./lib/tokens.mjs";

let origin;

before(async () => {
  origin = await startOrigin((_, response) => response.end("ok"));
});

after(() => origin?.stop());

/** Starts an issuer for one test. */
async function publishing(t, ...keys) {
  const issuer = await startIssuer(...keys);
  t.after(() => issuer.stop());
  return issuer;
}

/** A gateway of its own: what one test does to the keys is nothing to another. */
async function trusting(t, jwksUrl, { edges = 1 } = {}) {
  const gateway = await startGatewayWith(
    `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["ES256"]
jwks = { url = "${jwksUrl}" }

[[route]]
name = "closed"
match = { path = "/{*rest}" }
auth = { any = ["main"] }
`,
    { edges },
  );
  t.after(() => gateway.stop());
  const status = async (token, edge = 0) =>
    (await send(gateway.urls[edge], { headers: { authorization: `Bearer ${token}` } })).status;
  return { gateway, status };
}

test("the keys are fetched once for many tokens, by each edge for itself", async (t) => {
  const key = await makeKey("ES256", "a");
  const issuer = await publishing(t, key);
  const { status } = await trusting(t, issuer.url, { edges: 2 });
  for (let user = 0; user < 10; user++) assert.equal(await status(await sign(key, { sub: `user ${user}` })), 200);
  assert.equal(issuer.take().length, 1);
  assert.equal(await status(await sign(key), 1), 200);
  assert.equal(issuer.take().length, 1);
});

test("an unknown key is asked for at once, and made-up ones not again and again", async (t) => {
  const [old, fresh, madeUp] = await Promise.all(["old", "new", "made-up"].map((id) => makeKey("ES256", id)));
  const issuer = await publishing(t, old);
  const { status } = await trusting(t, issuer.url);
  assert.equal(await status(await sign(old)), 200);
  issuer.keys = [old, fresh];
  assert.equal(await status(await sign(fresh)), 200);
  assert.equal(issuer.take().length, 2);
  const forged = await Promise.all(Array.from({ length: 20 }, (_, index) => sign({ ...madeUp, keyId: `x${index}` })));
  for (const token of forged) assert.equal(await status(token), 401);
  assert.ok(issuer.take().length <= 1, "one request for all of them");
  assert.equal(await status(await sign(old)), 200);
});

test("a withdrawn key opens nothing for a new token once the set was fetched without it", async (t) => {
  const [old, fresh] = await Promise.all(["old", "new"].map((id) => makeKey("ES256", id)));
  const issuer = await publishing(t, old);
  const { status } = await trusting(t, issuer.url);
  assert.equal(await status(await sign(old)), 200);
  issuer.keys = [fresh];
  assert.equal(await status(await sign(fresh)), 200);
  assert.equal(await status(await sign(old, { sub: "bob" })), 401);
});

test("an issuer that stops answering changes nothing for the keys that it published", async (t) => {
  const key = await makeKey("ES256", "a");
  const issuer = await publishing(t, key);
  const { status } = await trusting(t, issuer.url);
  assert.equal(await status(await sign(key)), 200);
  await issuer.stop();
  for (const sub of ["bob", "carol"]) assert.equal(await status(await sign(key, { sub })), 200);
  assert.equal(await status(await sign({ ...key, keyId: "unknown" })), 401);
  assert.equal(await status(await sign(key, { sub: "dave" })), 200);
});

test("an answer that is no key set changes nothing for the keys at hand", async (t) => {
  const key = await makeKey("ES256", "a");
  let answer = [200, JSON.stringify({ keys: [key.jwk] })];
  const issuer = await startOrigin((_, response) => response.writeHead(answer[0]).end(answer[1]));
  t.after(() => issuer.stop());
  const { status } = await trusting(t, issuer.url);
  assert.equal(await status(await sign(key)), 200);
  answer = [500, "<html>"];
  assert.equal(await status(await sign({ ...key, keyId: "b" })), 401);
  assert.equal(await status(await sign(key, { sub: "bob" })), 200);
});

for (const [what, handle] of [
  ["is not JSON", (_, response) => response.end("<html>")],
  ["has no usable key", (_, response) => response.end('{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}')],
  ["is an error", (_, response) => response.writeHead(500).end('{"keys":[]}')],
  ["is a redirect", (_, response) => response.writeHead(302, { location: "/elsewhere" }).end()],
  ["never ends", (_, response) => void response.write('{"keys":[')],
  ["is far too long", (_, response) => void response.end(Buffer.alloc(3 * 1024 * 1024, " "))],
]) {
  test(`a key set that ${what} lets nobody in: 503 with Retry-After`, async (t) => {
    const key = await makeKey("ES256", "a");
    const issuer = await startOrigin(handle);
    t.after(() => issuer.stop());
    const { gateway } = await trusting(t, issuer.url);
    const begun = Date.now();
    const reply = await send(gateway.url, { headers: { authorization: `Bearer ${await sign(key)}` } });
    assert.equal(reply.status, 503, reply.text);
    assert.equal(reply.json.type, "tag:tidegate,2026:problem/keys-unavailable");
    assert.match(reply.headers["retry-after"], /^\d+$/);
    assert.ok(Date.now() - begun < 20_000);
  });
}

test("no token is 401 though the keys cannot be had", async (t) => {
  const { gateway } = await trusting(t, "http://127.0.0.1:9/keys");
  assert.equal((await send(gateway.url)).status, 401);
});
