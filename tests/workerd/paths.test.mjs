// Spellings of a path, as no client of HTTP's own would send them. docs/paths.md has the rules.
//
// The origin records targets. Whatever it gets must be what the winning route's policy was asked about.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";
import { request, talk } from "./lib/wire.mjs";

const secret = makeSecret("HS256");
let origin;
let gateway;
let token;

before(async () => {
  origin = await startRawOrigin();
  const config = `
[gateway]
admin = { path = "/_tidegate" }

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
match = { path = "/{*rest}" }
auth = "none"

[[route]]
name = "admin"
match = { path = "/admin/{*rest}" }
auth = { any = ["main"] }

[[route]]
name = "cafe"
match = { path = "/café" }
auth = { any = ["main"] }
`;
  gateway = await startGatewayWith(config, { secrets: { SIGNING_KEY: secret.text } });
  token = await sign(secret);
});

after(() => stopAll(gateway, origin));

/** Sends a target as it is; returns the answer and what the origin got. */
async function get(target, ...fields) {
  origin.take();
  const bytes = request(`GET ${target} HTTP/1.1`, "Host: a.example", "Connection: close", ...fields);
  const [response] = await talk(gateway.port, bytes);
  const targets = origin.take().map((received) => received.target);
  return { status: response?.status, targets, response };
}

/** How a careless origin reads a target: it decodes as often as it can and resolves afterwards. */
function carelessly(target) {
  let path = target.split("?")[0];
  for (let round = 0; round < 3; round++) {
    path = path.replace(/%([0-9a-f]{2})/gi, (_, digits) => String.fromCharCode(parseInt(digits, 16)));
  }
  path = path
    .replaceAll("\\", "/")
    .replace(/;[^/]*/g, "")
    .split("\0")[0];
  const segments = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

const PROTECTED = [
  "/admin",
  "/admin/",
  "/admin/a?b",
  "//admin",
  "/./admin",
  "/a/../admin",
  "/a/b/../../admin",
  "/a/%2e%2e/admin",
  "/a/%2E./admin",
  "/a/.%2e/admin/x",
  "/%61dmin",
  "/%61%64%6d%69%6e/x",
  "/admin/../admin",
  "/../../admin",
  "\\admin",
  "/a\\..\\admin",
  "/admin\\x",
  "/admin/%2e",
  "/admin/x//y",
  "http://a.example/admin",
  "http://a.example//admin",
  "http://other.example/admin",
  "http://user@a.example/admin",
  "/caf%C3%A9",
  "/caf%c3%a9",
  "/caf\xc3\xa9",
  "/admin?x=/../open",
  "/admin#fragment",
  "/open/../admin?a=b",
];
for (const target of PROTECTED) {
  test(`${target} asks for a token`, async () => {
    const { status, targets } = await get(target);
    assert.ok([400, 401].includes(status), `status ${status}`);
    assert.deepEqual(targets, []);
  });
}

const REFUSED = {
  "/a%2fadmin": "path-encoded-slash",
  "/a%2F..%2Fadmin": "path-encoded-slash",
  "/..%2fadmin": "path-encoded-slash",
  "/..%5cadmin": "path-encoded-slash",
  "/%5Cadmin": "path-encoded-slash",
  "/%252e%252e/admin": "path-double-encoding",
  "/a%252fadmin": "path-double-encoding",
  "/a%25%32%66b": "path-double-encoding",
  "/admin;x": "path-matrix-parameter",
  "/x/..;/admin": "path-matrix-parameter",
  "/a%3bx": "path-matrix-parameter",
  "/admin%00": "path-control-character",
  "/admin%0d%0aX-A:%20b": "path-control-character",
  "/admin%7f": "path-control-character",
  "/a%C2%85": "path-control-character",
  "/a%": "path-malformed-escape",
  "/a%zz": "path-malformed-escape",
  "/a%u002fadmin": "path-malformed-escape",
  "/%c0%ae%c0%ae/admin": "path-invalid-utf8",
  "/%c0%afadmin": "path-invalid-utf8",
  "/%e0%80%af": "path-invalid-utf8",
  "/%ed%a0%80": "path-invalid-utf8",
  "/%ff": "path-invalid-utf8",
};
for (const [target, reason] of Object.entries(REFUSED)) {
  test(`${target} is refused, whoever asks`, async () => {
    for (const fields of [[], [`Authorization: Bearer ${token}`]]) {
      const { status, targets, response } = await get(target, ...fields);
      assert.equal(status, 400);
      assert.deepEqual(targets, []);
      const problem = JSON.parse(response.body);
      assert.equal(problem.type, `tag:tidegate,2026:problem/${reason}`);
      assert.ok(!response.body.includes("admin"), "nothing of the path is repeated");
    }
  });
}

// Bytes that the runtime's parser or ours may refuse; if they get through, they are no path to /admin.
const EITHER = [
  "/admin\t",
  "/ad\x01min",
  "/\xff\xfe",
  "/admin\xa0",
  "/ａｄｍｉｎ",
  "/.admin",
  "/...",
  "admin",
  "?/admin",
  "*",
  "http:admin",
  "http:/admin",
  "http:///admin",
  "https://a.example/x",
  "ftp://a.example/x",
  "http://a.example:99999/x",
  "http://[::1/x",
  "http://a.example",
  "/%",
  "/x?%00%2f%5c%zz",
  "/x?../admin",
  "/x#/../admin",
  "//a.example/x",
  "///x",
  "/_tidegate/health",
  "/_tidegate/status",
  "//_tidegate//status",
  "/_tidegate%2fstatus",
];
for (const target of EITHER) {
  test(`${JSON.stringify(target)} leads nobody to /admin`, async () => {
    const { status, targets } = await get(Buffer.from(target).toString("latin1"));
    assert.ok([200, 400, 401, 404].includes(status), `status ${status}`);
    for (const forwarded of targets) assert.ok(!/^\/(admin|_tidegate)(\/|$)/.test(carelessly(forwarded)), forwarded);
  });
}

const FORWARDED = {
  "/a//b": "/a/b",
  "/a/./b/": "/a/b/",
  "/a/x/..": "/a/",
  "/a//../admin": "/a/admin",
  "/ADMIN": "/ADMIN",
  "/%7euser/%41": "/~user/A",
  "/caf%c3%a8": "/caf%C3%A8",
  "/a%20b": "/a%20b",
  '/a"b|c': "/a%22b%7Cc",
  "/100%25": "/100%25",
  "/a?b=c//d/../e&f=%2f%00#g": "/a?b=c//d/../e&f=%2f%00",
  "/a?": "/a",
  "/": "/",
};
for (const [target, expected] of Object.entries(FORWARDED)) {
  test(`${target} is forwarded as ${expected}`, async () => {
    const { status, targets } = await get(target);
    assert.equal(status, 200);
    assert.deepEqual(targets, [expected]);
  });
}

test("with a token the protected path is forwarded in the form that was matched", async () => {
  const { status, targets } = await get("/x/..//%61dmin/./a%7eb", `Authorization: Bearer ${token}`);
  assert.equal(status, 200);
  assert.deepEqual(targets, ["/admin/a~b"]);
});

test("a path of 8192 bytes is served, one byte more is 414", async () => {
  assert.equal((await get(`/${"a".repeat(8191)}`)).status, 200);
  const { status, targets, response } = await get(`/${"a".repeat(8192)}`);
  assert.equal(status, 414);
  assert.deepEqual(targets, []);
  assert.equal(JSON.parse(response.body).type, "tag:tidegate,2026:problem/path-too-long");
});

test("a target of a megabyte is refused by somebody, and the gateway serves on", async () => {
  const { status, targets } = await get(`/${"a/".repeat(500_000)}`).catch(() => ({ targets: origin.take() }));
  assert.ok(status === undefined || (status >= 400 && status < 500), `status ${status}`);
  assert.deepEqual(targets, []);
  assert.equal((await get("/x")).status, 200);
});

test("OPTIONS * is answered without an origin", async () => {
  origin.take();
  const [response] = await talk(gateway.port, request("OPTIONS * HTTP/1.1", "Host: a.example"));
  assert.ok([204, 400, 404].includes(response.status), `status ${response.status}`);
  assert.deepEqual(origin.take(), []);
});
