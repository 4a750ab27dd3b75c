// What an origin gets to see of a request's header, byte for byte.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";
import { ask, request } from "./lib/wire.mjs";

const secret = makeSecret("HS256");
let origin;
let gateway;
let token;

before(async () => {
  origin = await startRawOrigin();
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
cookie = "session"

[[route]]
name = "open"
match = { path = "/open/{*rest}" }
auth = "none"

[[route]]
name = "closed"
match = { path = "/closed/{*rest}" }
auth = { any = ["main"], forward = { sub = "x-user-id", name = "x-user-name" } }

[[route]]
name = "discreet"
match = { path = "/discreet/{*rest}" }
auth = { any = ["main"], authorization = "remove" }
`;
  gateway = await startGatewayWith(config, { secrets: { SIGNING_KEY: secret.text } });
  token = await sign(secret);
});

after(() => stopAll(gateway, origin));

/** Sends one request and returns what the origin got, after a look at the status. */
async function forwarded(line, ...fields) {
  origin.take();
  const response = await ask(gateway.port, request(`${line} HTTP/1.1`, "Host: api.example", ...fields));
  assert.equal(response.status, 200, response.body.toString());
  const [received, ...others] = origin.take();
  assert.deepEqual(others, []);
  return received;
}

const open = (...fields) => forwarded("GET /open/a", ...fields);
const closed = (...fields) => forwarded("GET /closed/a", `Authorization: Bearer ${token}`, ...fields);

/** Sends fields that the origin must not see, in any spelling. */
async function hidden(...fields) {
  const received = await open(...fields);
  assert.doesNotMatch(received.raw, /HIDDEN/, received.raw);
}

test("a field that nobody speaks for arrives as it was sent", async () => {
  const received = await open("X-Custom: Grüße; q=0.5", "Accept: text/html", "User-Agent: tester/1", "X-Empty:");
  assert.equal(received.fields.get("x-custom"), "Grüße; q=0.5");
  assert.equal(received.fields.get("accept"), "text/html");
  assert.equal(received.fields.get("user-agent"), "tester/1");
  assert.equal(received.fields.get("x-empty"), "");
});

test("two lines of a list field arrive as one list, in order", async () => {
  const received = await open("X-List: a", "X-Other: z", "x-list: b");
  assert.equal(received.fields.get("x-list"), "a, b");
});

test("credentials for a proxy end at the gateway", () => hidden("Proxy-Authorization: Basic HIDDEN"));

test("Proxy-Connection ends at the gateway", () => hidden("Proxy-Connection: HIDDEN"));

for (const field of ["Keep-Alive: timeout=HIDDEN", "TE: HIDDEN", "Trailer: HIDDEN", "Proxy-Authenticate: HIDDEN"]) {
  test(`${field.split(":")[0]} ends at the gateway`, () => hidden(field));
}

for (const [what, ...connection] of [
  ["as usual", "Connection: close, X-Hop"],
  ["in odd case and spacing", "cOnNeCtIoN: \t x-HOP \t ,  close"],
  ["on a second line", "Connection: close", "Connection: x-hop"],
  ["among empty list members", "Connection: ,, ,x-hop,,"],
  ["beside others, over three lines", "Connection: close", "Connection: x-other , X-Hop", "Connection: keep-alive"],
]) {
  test(`a field that Connection names, ${what}, ends at the gateway`, () => hidden(...connection, "X-Hop: HIDDEN"));
}

test("Connection itself says what this hop says", async () => {
  const received = await open("Connection: close, x-hop", "X-Hop: 1");
  assert.doesNotMatch(received.fields.get("connection") ?? "", /x-hop/i);
});

test("an Upgrade that is not to WebSocket ends at the gateway", () =>
  hidden("Connection: upgrade, http2-settings", "Upgrade: HIDDEN", "HTTP2-Settings: HIDDEN"));

for (const name of ["Authorization", "Cookie", "Content-Type", "Cache-Control", "Host"]) {
  test(`a client cannot drop ${name} by naming it in Connection`, async () => {
    const field = name === "Host" ? [] : [`${name}: ${name === "Authorization" ? `Bearer ${token}` : "a=1"}`];
    const received = await forwarded("GET /open/a", `Connection: ${name}`, ...field);
    assert.ok(received.fields.get(name) !== undefined, received.raw);
  });
}

const FORGERIES = [
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Forwarded-Port",
  "X-Forwarded-User",
  "X-Forwarded-Prefix",
  "Forwarded",
  "True-Client-IP",
  "X-Real-IP",
  "X-Client-IP",
  "Client-IP",
  "X-Cluster-Client-IP",
  "X-Original-URL",
  "X-Rewrite-URL",
  "X-Original-Host",
];
for (const name of FORGERIES) {
  test(`${name} from a client never reaches an origin`, () => hidden(`${name}: for=HIDDEN`));
}

const CLAIMS = ["X-User-Id", "X-User-Name", "x-user-ID"];
for (const name of CLAIMS) {
  test(`a claim header from a client (${name}) never reaches an origin, nor on a route for everybody`, async () => {
    await hidden(`${name}: HIDDEN`);
    const received = await closed(`${name}: HIDDEN`);
    assert.doesNotMatch(received.raw, /HIDDEN/);
  });
}

for (const name of ["X_User_Id", "X-User_Id", "X_Forwarded_For", "X_FORWARDED-Proto", "True_Client_IP", "X_Real_IP"]) {
  test(`${name} is a disguise, and never reaches an origin`, () => hidden(`${name}: HIDDEN`));
}

test("no name with an underscore reaches an origin: it could pass for another's", async () => {
  assert.equal((await open("my_header: 1")).fields.get("my_header"), undefined);
  assert.equal((await open("my-header: 1")).fields.get("my-header"), "1");
});

test("the origin learns the claims of the token, and nothing for a claim that it lacks", async () => {
  const received = await closed("X-User-Name: HIDDEN");
  assert.deepEqual(received.fields.all("x-user-id"), ["alice"]);
  assert.deepEqual(received.fields.all("x-user-name"), []);
});

test("a claim cannot bring a second line or a second field", async () => {
  const evil = await sign(secret, { sub: "a\r\nx-admin: 1\n\0é" });
  const received = await forwarded("GET /closed/a", `Authorization: Bearer ${evil}`);
  assert.equal(received.fields.get("x-admin"), undefined);
  assert.match(received.fields.get("x-user-id"), /^[\x21-\x7e]+$/);
});

test("a client cannot drop what the gateway sets by naming it in Connection", async () => {
  const names =
    "x-user-id, x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-request-id, traceparent, via, cdn-loop";
  const received = await closed(`Connection: ${names}`, "CF-Connecting-IP: 203.0.113.7");
  for (const name of names.split(", ")) assert.equal(received.fields.all(name).length, 1, name);
  assert.equal(received.fields.get("x-user-id"), "alice");
});

test("the origin learns the address, the scheme and the host of the client from the gateway alone", async () => {
  const received = await open(
    "CF-Connecting-IP: 203.0.113.7",
    "X-Forwarded-For: 198.51.100.1",
    "X-Forwarded-Proto: https",
  );
  assert.deepEqual(received.fields.all("x-forwarded-for"), ["203.0.113.7"]);
  assert.deepEqual(received.fields.all("x-forwarded-proto"), ["http"]);
  assert.deepEqual(received.fields.all("x-forwarded-host"), ["api.example"]);
});

test("the request id is the gateway's, one for each request", async () => {
  const ids = [];
  for (const spoofed of ["HIDDEN", "HIDDEN2"]) {
    const received = await open(`X-Request-Id: ${spoofed}`);
    ids.push(...received.fields.all("x-request-id"));
    assert.match(ids.at(-1), /^[0-9a-f]{32}$/);
  }
  assert.notEqual(ids[0], ids[1]);
  await gateway.record((record) => record.request_id === ids[1]);
});

test("two Cookie lines arrive as one, joined as RFC 6265 wants it", async () => {
  assert.deepEqual((await open("Cookie: a=1", "Cookie: b=2")).fields.all("cookie"), ["a=1; b=2"]);
  assert.deepEqual((await open("Cookie: a=1; b=2", "cookie: c=3; d=4")).fields.all("cookie"), ["a=1; b=2; c=3; d=4"]);
});

test("one Cookie line arrives untouched", async () => {
  const line = 'a=1;b="x y, z"; c=Mon, 01 Jan 2024; d=';
  assert.deepEqual((await open(`Cookie: ${line}`)).fields.all("cookie"), [line]);
});

test("a token is found in a cookie on either of two lines", async () => {
  const received = await forwarded("GET /closed/a", "Cookie: theme=dark", `Cookie: session=${token}`);
  assert.equal(received.fields.get("x-user-id"), "alice");
});

test("Authorization reaches the origin, unless the route keeps it to itself", async () => {
  assert.equal((await closed()).fields.get("authorization"), `Bearer ${token}`);
  const received = await forwarded("GET /discreet/a", `Authorization: Bearer ${token}`);
  assert.equal(received.fields.get("authorization"), undefined);
});

test("Via names the gateway after whoever was there before", async () => {
  assert.equal((await open()).fields.get("via"), "1.1 tidegate");
  assert.equal(
    (await open("Via: 1.0 fred", "Via: 1.1 p.example")).fields.get("via"),
    "1.0 fred, 1.1 p.example, 1.1 tidegate",
  );
});

test("CDN-Loop names the gateway after whoever was there before", async () => {
  assert.equal((await open()).fields.get("cdn-loop"), "tidegate");
  assert.equal((await open("CDN-Loop: cloudflare; loops=1")).fields.get("cdn-loop"), "cloudflare; loops=1, tidegate");
});

for (const line of ["tidegate", "other, TideGate; v=1", "a\r\nCDN-Loop: tidegate"]) {
  test(`a request that passed the gateway before (CDN-Loop: ${JSON.stringify(line)}) is 508`, async () => {
    origin.take();
    const sent = request("GET /open/a HTTP/1.1", "Host: api.example", `CDN-Loop: ${line}`, "Connection: cdn-loop");
    const response = await ask(gateway.port, sent);
    assert.equal(response.status, 508);
    assert.equal(JSON.parse(response.body).status, 508);
    assert.deepEqual(origin.take(), []);
  });
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

test("a trace goes on, with the gateway as the parent", async () => {
  const received = await open(`traceparent: 00-${TRACE}-00f067aa0ba902b7-01`, "tracestate: a=1", "tracestate: b=2");
  const [version, trace, parent, flags] = received.fields.get("traceparent").split("-");
  assert.deepEqual([version, trace, flags], ["00", TRACE, "01"]);
  assert.match(parent, /^[0-9a-f]{16}$/);
  assert.notEqual(parent, "00f067aa0ba902b7");
  assert.match(received.fields.get("tracestate"), /^a=1, ?b=2$/);
});

for (const [what, ...fields] of [
  ["of zeros", `traceparent: 00-${"0".repeat(32)}-00f067aa0ba902b7-01`],
  ["in capitals", `traceparent: 00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`],
  ["of version ff", `traceparent: ff-${TRACE}-00f067aa0ba902b7-01`],
  ["cut short", `traceparent: 00-${TRACE}`],
  ["sent twice", ...Array(2).fill(`traceparent: 00-${TRACE}-00f067aa0ba902b7-01`)],
]) {
  test(`a traceparent ${what} is replaced, and its tracestate dropped`, async () => {
    const received = await open(...fields, "tracestate: HIDDEN=1");
    assert.match(received.fields.get("traceparent"), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    assert.ok(!received.raw.includes(TRACE), received.raw);
    assert.equal(received.fields.get("tracestate"), undefined);
  });
}
