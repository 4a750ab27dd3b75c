// What a client gets to see of an origin's response.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ask, request } from "./lib/wire.mjs";

let origin;
let plain;
let talkative;
let answer;

const config = (url, more) => `
${more}
[[pool]]
name = "all"
origins = [{ name = "one", url = "${url}" }]

[[cache]]
name = "minute"
ttl = "60s"

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"

[[route]]
name = "cached"
match = { path = "/cached/{*rest}" }
auth = "none"
cache = "minute"
`;

before(async () => {
  origin = await startRawOrigin(() => answer);
  plain = await startGatewayWith(config(origin.url, ""));
  const more = '[gateway]\nresponse_headers = ["server-timing", "x-request-id"]\n';
  talkative = await startGatewayWith(config(origin.url, more));
});

after(() => stopAll(plain, talkative, origin));

/** What the client gets when the origin answers with these fields. */
async function received(fields, { status = "200 OK", path = "/x", gateway = plain } = {}) {
  answer = [`HTTP/1.1 ${status}`, ...fields, "Content-Length: 2", "", "ok"].join("\r\n");
  return ask(gateway.port, request(`GET ${path} HTTP/1.1`, "Host: a.example"));
}

for (const [what, ...fields] of [
  ["a field that Connection names", "Connection: X-Hop", "X-Hop: HIDDEN"],
  ["a field that Connection names in odd case", "cOnnection: close ,\t x-HOP", "X-Hop: HIDDEN"],
  ["a field that a second Connection line names", "Connection: keep-alive", "Connection: x-hop", "X-Hop: HIDDEN"],
  ["Keep-Alive", "Keep-Alive: timeout=5, max=HIDDEN"],
  ["Proxy-Authenticate", "Proxy-Authenticate: Basic realm=HIDDEN"],
  ["Proxy-Connection", "Proxy-Connection: HIDDEN"],
  ["Proxy-Authentication-Info", "Proxy-Authentication-Info: HIDDEN"],
  ["Trailer", "Trailer: HIDDEN"],
  ["Upgrade", "Connection: upgrade", "Upgrade: HIDDEN"],
]) {
  for (const path of ["/x", "/cached/x"]) {
    test(`${what} of an origin ends at the gateway (${path})`, async () => {
      for (const time of ["first", "second"]) {
        const response = await received(fields, { path: `${path}/${encodeURIComponent(what)}` });
        assert.equal(response.status, 200);
        const lines = response.fields.lines.map((line) => line.join(": ")).join("\n");
        assert.doesNotMatch(lines, /HIDDEN/, `the ${time} time`);
      }
    });
  }
}

test("an origin's 407 is no challenge to the client", async () => {
  const response = await received(["Proxy-Authenticate: Basic realm=HIDDEN"], {
    status: "407 Proxy Authentication Required",
  });
  assert.equal(response.fields.get("proxy-authenticate"), undefined);
});

test("an origin cannot take away what carries the message by naming it in Connection", async () => {
  const response = await received([
    "Connection: content-type, cache-control, set-cookie, vary",
    "Content-Type: text/plain",
    "Cache-Control: private",
    "Set-Cookie: a=1",
    "Vary: accept",
  ]);
  for (const name of ["content-type", "cache-control", "set-cookie", "vary"]) {
    assert.notEqual(response.fields.get(name), undefined, name);
  }
});

test("everything else is passed on as it came, line by line", async () => {
  const fields = [
    "Content-Type: text/html; charset=utf-8",
    'ETag: W/"x"',
    "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
    "Content-Language: de",
    'Content-Disposition: attachment; filename="a b.txt"',
    "Strict-Transport-Security: max-age=1",
    "Access-Control-Allow-Origin: *",
    "Server: own/1",
    "Date: Mon, 01 Jan 2024 00:00:00 GMT",
    "X-Empty:",
    "X-Latin: Grüße",
    "Link: </a>; rel=preload",
    "Retry-After: 7",
    'WWW-Authenticate: Basic realm="a"',
  ];
  const response = await received(fields);
  for (const field of fields) {
    const [name, value] = field.split(/: ?(.*)/s);
    assert.deepEqual(response.fields.all(name), [value.trim()], name);
  }
});

test("two cookies stay two lines", async () => {
  const cookies = ["a=1; Expires=Mon, 01 Jan 2035 00:00:00 GMT", "b=2; Path=/"];
  for (const gateway of [plain, talkative]) {
    for (const path of ["/x", "/cached/cookies"]) {
      const response = await received(
        cookies.map((cookie) => `Set-Cookie: ${cookie}`),
        { gateway, path },
      );
      assert.deepEqual(response.fields.all("set-cookie"), cookies, path);
    }
  }
});

test("no field of the gateway's own is on a response unless the configuration asks for it", async () => {
  const names = (await received([])).fields.names();
  assert.deepEqual(
    names.filter((name) => !["content-length", "content-type", "date"].includes(name)),
    [],
  );
});

test("X-Request-Id and Server-Timing are there when the configuration asks for them", async () => {
  const response = await received(["X-Request-Id: origin's", "Server-Timing: db;dur=5"], { gateway: talkative });
  const [id, ...others] = response.fields.all("x-request-id");
  assert.deepEqual(others, []);
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.match(response.fields.get("server-timing"), /total;dur=\d+/);
  await talkative.record((record) => record.request_id === id && record.status === 200);
});

test("a redirect of an origin is the client's to follow", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    const response = await received(["Location: http://127.0.0.1:1/else?x=1#y"], { status: `${status} Moved` });
    assert.equal(response.status, status);
    assert.equal(response.fields.get("location"), "http://127.0.0.1:1/else?x=1#y");
  }
});

test("content in a coding stays in it, and nothing is added to what was sent", async () => {
  for (const coding of ["gzip", "br", "deflate", "zstd", "nonsense"]) {
    const response = await received([`Content-Encoding: ${coding}`]);
    assert.equal(response.fields.get("content-encoding"), coding);
    assert.equal(response.body.toString(), "ok");
  }
});
