// One count for the whole fleet: two edges, each an isolate of its own, and one Durable Object between them.

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { many, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";

const secret = makeSecret("HS256");
const agent = new Agent({ keepAlive: true, maxSockets: 16 });
let origin;
let gateway;

const limit = (name, key, rate) => `
[[limit]]
name = "${name}"
key = ${JSON.stringify(key)}
rate = ${rate}
`;
const route = (name, limits, auth = '"none"') => `
[[route]]
name = "${name}"
match = { path = "/${name}/{*rest}" }
auth = ${auth}
limits = ${JSON.stringify(limits)}
`;

before(async () => {
  origin = await startOrigin((_, response) => response.end("ok"));
  const config = [
    `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "SIGNING_KEY" }
`,
    limit("minute", ["header:x-key"], '{ requests = 100, per = "1m" }'),
    limit("hour", ["claim:sub"], '{ requests = 100, per = "1h" }'),
    limit("few", ["claim:sub", "route"], '{ requests = 3, per = "1h" }'),
    limit("ten", ["header:x-key"], '{ requests = 10, per = "1h" }'),
    limit("fast", ["header:x-key"], '{ requests = 2, per = "1s" }'),
    limit("drops", ["header:x-key"], '{ requests = 60, per = "1h", burst = 2 }'),
    limit("address", ["ip"], '{ requests = 2, per = "1h" }'),
    limit("place", ["country"], '{ requests = 2, per = "1h" }'),
    route("minute", ["minute"]),
    route("hour", ["hour"], '{ any = ["main"] }'),
    route("few", ["few", "hour"], '{ any = ["main"] }'),
    route("other", ["few"], '{ any = ["main"] }'),
    route("ten", ["ten"]),
    route("fast", ["fast"]),
    route("drops", ["drops", "ten"]),
    route("address", ["address"]),
    route("place", ["place"]),
    route("free", []),
  ].join("");
  gateway = await startGatewayWith(config, { edges: 2, secrets: { SIGNING_KEY: secret.text } });
});

after(() => {
  agent.destroy();
  return stopAll(gateway, origin);
});

const get = (path, headers = {}, edge = 0) => send(gateway.urls[edge] + path, { headers, agent });
const as = async (sub) => ({ authorization: `Bearer ${await sign(secret, { sub })}` });
const remaining = (reply, name) => Number(new RegExp(`"${name}";r=(\\d+)`).exec(reply.headers.ratelimit)[1]);

/** A refusal says how long to wait, in whole seconds, and which limit it was. */
function denied(reply, ...names) {
  assert.equal(reply.status, 429, reply.text);
  assert.match(reply.headers["retry-after"], /^[1-9]\d*$/);
  assert.equal(reply.headers["content-type"], "application/problem+json");
  const problem = reply.json;
  assert.equal(problem.type, "https://iana.org/assignments/http-problem-types#quota-exceeded");
  assert.equal(problem.status, 429);
  assert.deepEqual(problem["violated-policies"], names);
  for (const name of names) assert.equal(remaining(reply, name), 0);
}

test("request 101 of 100 is refused at either edge, and nobody else's is", async () => {
  const alice = await as("alice");
  const replies = await many(100, 16, (index) => get("/hour/a", alice, index % 2));
  assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
  for (const edge of [0, 1]) denied(await get("/hour/a", alice, edge), "hour");
  assert.equal((await get("/hour/a", await as("bob"), 1)).status, 200);
});

test("all of a limit passes one request after the other, at one edge and at both in turn", async () => {
  const edges = { first: () => 0, turns: (index) => index % 2 };
  for (const [name, edge] of Object.entries(edges)) {
    const user = await as(name);
    const replies = await many(100, 1, (index) => get("/hour/a", user, edge(index)));
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200], name);
    for (const last of [1, 0]) denied(await get("/hour/a", user, last), "hour");
  }
});

test("one user's new token is the same user's", async () => {
  const first = await many(3, 1, async () => get("/other/a", await as("carol")));
  assert.deepEqual(
    first.map(({ status }) => status),
    [200, 200, 200],
  );
  const more = { authorization: `Bearer ${await sign(secret, { sub: "carol", jti: "another" })}` };
  denied(await get("/other/a", more, 1), "few");
});

test("the fields say the policy, what is left, and when it is whole again", async () => {
  const reply = await get("/ten/a", { "x-key": "fields" });
  assert.equal(reply.headers["ratelimit-policy"], '"ten";q=10;w=3600');
  assert.match(reply.headers.ratelimit, /^"ten";r=9;t=\d+;pk=:[A-Za-z0-9+/]{11}=:$/);
  for (let left = 8; left >= 0; left--) {
    assert.equal(remaining(await get("/ten/a", { "x-key": "fields" }, left % 2), "ten"), left);
  }
  const refused = await get("/ten/a", { "x-key": "fields" });
  denied(refused, "ten");
  assert.equal(refused.headers["ratelimit-policy"], '"ten";q=10;w=3600');
});

test("a route without limits carries no fields of theirs", async () => {
  const reply = await get("/free/a");
  assert.equal(reply.headers.ratelimit, undefined);
  assert.equal(reply.headers["ratelimit-policy"], undefined);
});

test("400 requests at once over both edges: 100 pass, and what refills meanwhile", async () => {
  const begun = performance.now();
  const replies = await many(400, 32, (index) => get("/minute/a", { "x-key": "load" }, index % 2));
  const seconds = (performance.now() - begun) / 1000;
  const passed = replies.filter(({ status }) => status === 200).length;
  const refused = replies.filter(({ status }) => status === 429).length;
  assert.equal(passed + refused, 400);
  assert.ok(passed >= 100, `${passed} passed`);
  assert.ok(passed <= 100 + Math.ceil(seconds / 0.6), `${passed} passed in ${seconds} s`);
});

test("whoever waits as long as Retry-After says is served again", async () => {
  const headers = { "x-key": "patient" };
  let reply;
  for (let sent = 0; sent < 10; sent++) {
    reply = await get("/fast/a", headers, sent % 2);
    if (reply.status === 429) break;
  }
  denied(reply, "fast");
  assert.equal(reply.headers["retry-after"], "1");
  await sleep(1000);
  assert.equal((await get("/fast/a", headers)).status, 200);
});

test("a request that one limit refuses costs the others nothing", async () => {
  const dave = await as("dave");
  for (let sent = 0; sent < 3; sent++) assert.equal((await get("/few/a", dave, sent % 2)).status, 200);
  for (let sent = 0; sent < 5; sent++) denied(await get("/few/a", dave, sent % 2), "few");
  assert.equal(remaining(await get("/hour/a", dave), "hour"), 96);
});

test("a burst is what may come at once, whatever the rate", async () => {
  const headers = { "x-key": "burst" };
  for (const edge of [0, 1]) assert.equal((await get("/drops/a", headers, edge)).status, 200);
  denied(await get("/drops/a", headers), "drops");
});

test("a key with the route counts each route for itself", async () => {
  const erin = await as("erin");
  await many(3, 3, () => get("/few/a", erin));
  denied(await get("/few/a", erin), "few");
  assert.equal((await get("/other/a", erin)).status, 200);
});

test("clients are counted by the address that the trusted header says, and by no other", async () => {
  const from = (address, more) => get("/address/a", { "cf-connecting-ip": address, ...more });
  const spoofed = (index) => ({ "x-forwarded-for": `198.51.100.${index}`, "x-real-ip": `198.51.100.${index}` });
  for (const index of [1, 2]) assert.equal((await from("203.0.113.1", spoofed(index))).status, 200);
  denied(await from("203.0.113.1", spoofed(3)), "address");
  assert.equal((await from("203.0.113.2")).status, 200);
});

test("clients are counted by country", async () => {
  const from = (country, edge) => get("/place/a", { "mf-cf-blob": JSON.stringify({ country }) }, edge);
  for (const edge of [0, 1]) assert.equal((await from("DE", edge)).status, 200);
  denied(await from("DE", 0), "place");
  assert.equal((await from("FR", 1)).status, 200);
});

test("a refused request reaches no origin, and costs nothing when its token is refused first", async () => {
  origin.take();
  const frank = await as("frank");
  for (let sent = 0; sent < 5; sent++) {
    assert.equal((await get("/other/a", { authorization: `${frank.authorization}x` })).status, 401);
  }
  assert.deepEqual(origin.take(), []);
  assert.equal(remaining(await get("/other/a", frank), "few"), 2);
  await many(4, 1, () => get("/other/a", frank));
  assert.equal(origin.take().length, 3);
});

test("keys of any length and any bytes are keys, and different ones do not meet", async () => {
  const keys = ["", "a", "a,b", "a/b", "%61", "\xff", "x".repeat(8000), `${"x".repeat(7999)}y`];
  for (const key of keys) assert.equal(remaining(await get("/ten/a", { "x-key": key }), "ten"), 9, key.slice(0, 9));
  assert.equal(remaining(await get("/ten/a"), "ten"), 9, "no key is another one than an empty key");
});

test("the log says what each limit decided, and no key's value", async () => {
  await get("/ten/a", { "x-key": "a-value-of-a-key" });
  const record = await gateway.record(({ limits }) => limits?.some(({ verdict }) => verdict === "denied"));
  assert.equal(record.status, 429);
  assert.equal(record.attempts, 0);
  assert.doesNotMatch(gateway.lines.join("\n"), /a-value-of-a-key|203\.0\.113/);
});
