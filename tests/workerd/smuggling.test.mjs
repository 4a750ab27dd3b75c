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
const chunked = (text) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const SHAPES = {
  "Content-Length before Transfer-Encoding": `${HEAD}Content-Length: ${INNER.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`,
  "Transfer-Encoding before Content-Length": `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${chunked(INNER)}`,
  "two Content-Lengths that differ": `${HEAD}Content-Length: 0\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  "two Content-Lengths in one line": `${HEAD}Content-Length: 0, ${INNER.length}\r\n\r\n${INNER}`,
  "a signed Content-Length": `${HEAD}Content-Length: +0\r\n\r\n${INNER}`,
  "a negative Content-Length": `${HEAD}Content-Length: -1\r\n\r\n${INNER}`,
  "a hexadecimal Content-Length": `${HEAD}Content-Length: 0x0\r\n\r\n${INNER}`,
  "a Content-Length beyond 64 bits": `${HEAD}Content-Length: 18446744073709551616\r\n\r\n${INNER}`,
  "a space before the colon of Content-Length": `${HEAD}Content-Length : ${INNER.length}\r\n\r\n${INNER}`,
  "a space before the colon of Transfer-Encoding": `${HEAD}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${INNER}`,
  "a folded Transfer-Encoding": `${HEAD}Transfer-Encoding:\r\n chunked\r\nContent-Length: 0\r\n\r\n${chunked(INNER)}`,
  "a Transfer-Encoding of another case": `${HEAD}Transfer-Encoding: cHuNkEd\r\n\r\n0\r\n\r\n${INNER}`,
  "a Transfer-Encoding in quotes": `${HEAD}Transfer-Encoding: "chunked"\r\nContent-Length: 0\r\n\r\n${chunked(INNER)}`,
  "a Transfer-Encoding after a vertical tab": `${HEAD}Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n\r\n${chunked(INNER)}`,
  "chunked twice": `${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(INNER)}`,
  "chunked, then identity": `${HEAD}Transfer-Encoding: chunked, identity\r\nContent-Length: 0\r\n\r\n${chunked(INNER)}`,
  "chunked in HTTP/1.0": `${HEAD.replace("1.1", "1.0")}Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n${INNER}`,
  "a chunk size beyond 64 bits": `${HEAD}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n${INNER}`,
  "a chunk extension with a bare LF": `${HEAD}Transfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n${INNER}`,
  "a chunk longer than it says": `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n${INNER}`,
  "trailers that forge a request": `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 99\r\nX-User-Id: root\r\n\r\n${INNER}`,
  "bare LF as line ends": `${HEAD}Content-Length: 0\r\n\r\n${INNER}`.replaceAll("\r\n", "\n"),
  "a bare LF inside a field": `${HEAD}X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n${chunked(INNER)}`,
  "a bare CR inside a field": `${HEAD}X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  "a NUL inside a field": `${HEAD}X-A: b\0c\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  "a folded field": `${HEAD}X-A: b\r\n\tGET /admin/secret HTTP/1.1\r\nContent-Length: 0\r\n\r\n${INNER}`,
  "a body on a GET": `GET /open/a HTTP/1.1\r\nHost: open.example\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`,
  "a request line of two lines": `GET /open/a\r\nX: HTTP/1.1\r\nHost: open.example\r\n\r\n${INNER}`,
  "a target with a space": `GET /open/a HTTP/1.1\r\nHost: open.example\r\n\r\n`.replace("/a", "/a b"),
  "an HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "HTTP/0.9": "GET /open/a\r\n",
};
for (const [what, bytes] of Object.entries(SHAPES)) {
  test(`${what}: no request that was not decided on reaches an origin`, () => smuggle(bytes));
}

test("two requests on one connection are decided on one by one", async () => {
  const first = request("GET /open/a HTTP/1.1", "Host: open.example");
  const { responses, seen } = await smuggle(`${first}${INNER}`);
  assert.deepEqual(responses.map(({ status }) => status), [200, 401]);
  assert.deepEqual(seen.map(({ target }) => target), ["/open/a"]);
});

test("a body that looks like a request stays a body", async () => {
  const bytes = `${HEAD}Content-Length: ${INNER.length}\r\n\r\n${INNER}`;
  const { responses, seen } = await smuggle(bytes);
  assert.deepEqual(responses.map(({ status }) => status), [200]);
  assert.equal(seen[0].body.toString(), INNER);
});

test("two Host lines choose no route by the one and reach an origin by the other", async () => {
  for (const hosts of [["open.example", "evil.example"], ["evil.example", "open.example"]]) {
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
