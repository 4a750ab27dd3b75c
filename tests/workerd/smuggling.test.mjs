// Requests whose end two programs could see in different places, and lines that must not come twice.
//
// Whatever the gateway makes of them: an origin never sees a request that the gateway did not decide on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";
import { ask, request, talk } from "./lib/wire.mjs";

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

[[route]]
name = "open"
match = { path = "/open/{*rest}", host = "open.example" }
auth = "none"

[[route]]
name = "anywhere"
match = { path = "/anywhere" }
auth = "none"

[[route]]
name = "admin"
match = { path = "/admin/{*rest}" }
auth = { any = ["main"] }
`;
  gateway = await startGatewayWith(config, { secrets: { SIGNING_KEY: secret.text } });
  token = await sign(secret);
});

after(() => stopAll(gateway, origin));

const INNER = request("GET /admin/secret HTTP/1.1", "Host: open.example");

/** Sends bytes that hide INNER; what comes back is HTTP, and no origin ever hears of /admin. */
async function smuggle(bytes) {
  origin.take();
  origin.malformed.length = 0;
  const responses = await talk(gateway.port, bytes, { count: 3, finish: true });
  const seen = origin.take();
  assert.deepEqual(origin.malformed, [], "what reaches an origin is well-formed");
  assert.ok(seen.length <= 1, `an origin got ${seen.length} requests`);
  for (const { raw, target, fields } of seen) {
    assert.ok(target.startsWith("/open/"), raw);
    assert.doesNotMatch(raw.slice(0, raw.indexOf("\r\n\r\n")), /admin/, "it stays in the body");
    assert.equal(fields.get("x-user-id"), undefined);
  }
  // 502: the body turned out to be malformed while it was on its way to the origin.
  const expected = [200, 400, 401, 404, 411, 501, 502, 505];
  for (const { status } of responses) assert.ok(expected.includes(status), `status ${status}`);
  return { responses, seen };
}

const HEAD = "POST /open/a HTTP/1.1\r\nHost: open.example\r\n";
const GET = "GET /open/a HTTP/1.1\r\nHost: open.example\r\n";
const chunked = (text) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
const post = (...fields) => `${[HEAD.trimEnd(), ...fields].join("\r\n")}\r\n\r\n`;
const CHUNKED = "Transfer-Encoding: chunked";
const NO_LENGTH = "Content-Length: 0";
const LENGTH = `Content-Length: ${INNER.length}`;
const LAST_CHUNK = "0\r\n\r\n";

const SHAPES = {
  "Content-Length before Transfer-Encoding":
    post(`Content-Length: ${INNER.length + LAST_CHUNK.length}`, CHUNKED) + LAST_CHUNK + INNER,
  "Transfer-Encoding before Content-Length": post(CHUNKED, "Content-Length: 4") + chunked(INNER),
  "two Content-Lengths that differ": post(NO_LENGTH, LENGTH) + INNER,
  "two Content-Lengths in one line": post(`Content-Length: 0, ${INNER.length}`) + INNER,
  "a signed Content-Length": post("Content-Length: +0") + INNER,
  "a negative Content-Length": post("Content-Length: -1") + INNER,
  "a hexadecimal Content-Length": post("Content-Length: 0x0") + INNER,
  "a Content-Length beyond 64 bits": post("Content-Length: 18446744073709551616") + INNER,
  "a space before the colon of Content-Length": post(LENGTH.replace(":", " :")) + INNER,
  "a space before the colon of Transfer-Encoding": post("Transfer-Encoding : chunked") + LAST_CHUNK + INNER,
  "a folded Transfer-Encoding": post("Transfer-Encoding:\r\n chunked", NO_LENGTH) + chunked(INNER),
  "a Transfer-Encoding of another case": post("Transfer-Encoding: cHuNkEd") + LAST_CHUNK + INNER,
  "a Transfer-Encoding in quotes": post('Transfer-Encoding: "chunked"', NO_LENGTH) + chunked(INNER),
  "a Transfer-Encoding after a vertical tab": post("Transfer-Encoding: \x0bchunked", NO_LENGTH) + chunked(INNER),
  "chunked twice": post(CHUNKED, CHUNKED) + chunked(INNER),
  "chunked, then identity": post("Transfer-Encoding: chunked, identity", NO_LENGTH) + chunked(INNER),
  "chunked in HTTP/1.0": post(CHUNKED, "Connection: keep-alive").replace("1.1", "1.0") + LAST_CHUNK + INNER,
  "a chunk size beyond 64 bits": `${post(CHUNKED)}10000000000000000\r\n${INNER}`,
  "a chunk extension with a bare LF": `${post(CHUNKED)}5;\nhello\r\n${LAST_CHUNK}${INNER}`,
  "a chunk longer than it says": `${post(CHUNKED)}1\r\nhello\r\n${LAST_CHUNK}${INNER}`,
  "trailers that forge fields": `${post(CHUNKED)}0\r\nContent-Length: 99\r\nX-User-Id: root\r\n\r\n${INNER}`,
  "bare LF as line ends": (post(NO_LENGTH) + INNER).replaceAll("\r\n", "\n"),
  "a bare LF inside a field": post(`X-A: b\n${CHUNKED}`, NO_LENGTH) + chunked(INNER),
  "a bare CR inside a field": post(`X-A: b\r${CHUNKED}`, LENGTH) + INNER,
  "a NUL inside a field": post("X-A: b\0c", LENGTH) + INNER,
  "a folded field": post("X-A: b\r\n\tGET /admin/secret HTTP/1.1", NO_LENGTH) + INNER,
  "a body on a GET": `${GET}${LENGTH}\r\n\r\n${INNER}`,
  "a request line of two lines": `${GET.replace(" HTTP", "\r\nX: HTTP")}\r\n${INNER}`,
  "a target with a space": `${GET.replace("/a", "/a /admin/secret")}\r\n`,
  "an HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "HTTP/0.9": "GET /open/a\r\n",
};
for (const [what, bytes] of Object.entries(SHAPES)) {
  test(`${what}: no request that was not decided on reaches an origin`, () => smuggle(bytes));
}

test("two requests on one connection are decided on one by one", async () => {
  const first = request("GET /open/a HTTP/1.1", "Host: open.example");
  const { responses, seen } = await smuggle(`${first}${INNER}`);
  assert.deepEqual(
    responses.map(({ status }) => status),
    [200, 401],
  );
  assert.deepEqual(
    seen.map(({ target }) => target),
    ["/open/a"],
  );
});

test("a body that looks like a request stays a body", async () => {
  const bytes = post(LENGTH) + INNER;
  const { responses, seen } = await smuggle(bytes);
  assert.deepEqual(
    responses.map(({ status }) => status),
    [200],
  );
  assert.equal(seen[0].body.toString(), INNER);
});

test("two Host lines choose no route by the one and reach an origin by the other", async () => {
  for (const hosts of [
    ["open.example", "evil.example"],
    ["evil.example", "open.example"],
  ]) {
    origin.take();
    const lines = hosts.map((host) => `Host: ${host}`);
    const response = await ask(gateway.port, request("GET /open/a HTTP/1.1", ...lines));
    assert.ok([400, 404].includes(response.status), `status ${response.status}`);
    assert.deepEqual(origin.take(), []);
  }
});

for (const host of ["", "open.example/x", "open.example@evil", "a b", "open.example:x", "[::1", "open.example, evil"]) {
  test(`the malformed host ${JSON.stringify(host)} matches no route, not even one for every host`, async () => {
    origin.take();
    const response = await ask(gateway.port, request("GET /anywhere HTTP/1.1", `Host: ${host}`));
    assert.ok([400, 404].includes(response.status), `status ${response.status}`);
    assert.deepEqual(origin.take(), []);
  });
}

test("an absolute target does not lend a request another host's route", async () => {
  origin.take();
  const bytes = request("GET http://open.example/open/a HTTP/1.1", "Host: evil.example");
  const response = await ask(gateway.port, bytes);
  const seen = origin.take();
  for (const { fields } of seen) assert.equal(fields.get("x-forwarded-host"), "open.example");
  assert.ok([200, 400, 404].includes(response.status), `status ${response.status}`);
});

test("two Authorization lines are refused, in either order", async () => {
  const lines = [`Authorization: Bearer ${token}`, "Authorization: Bearer e30.e30.AAAA"];
  for (const both of [lines, lines.toReversed()]) {
    origin.take();
    const response = await ask(gateway.port, request("GET /admin/a HTTP/1.1", "Host: open.example", ...both));
    assert.ok([400, 401].includes(response.status), `status ${response.status}`);
    assert.deepEqual(origin.take(), []);
  }
});
