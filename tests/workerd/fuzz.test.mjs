// No request and no origin brings the gateway down.
//
// TIDEGATE_FUZZ_SEED=n tries other requests than the usual ones.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { many } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { Malformed } from "./lib/message.mjs";
import { Random } from "./lib/random.mjs";
import { HELLO, startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeKey, makeSecret, sign, startIssuer } from "./lib/tokens.mjs";
import { ask, request, talk } from "./lib/wire.mjs";

const SEED = Number(process.env.TIDEGATE_FUZZ_SEED ?? 20_260_404);
const REQUESTS = 3_000;
const RESPONSES = 800;
const TOGETHER = 8;
const TIME_MS = 30_000;

const secret = makeSecret("HS256");
const tokens = [];
let origin;
let wild;
let issuer;
let gateway;
/** What the wild origin answers, by the number in the path. */
const answers = new Map();

before(async () => {
  const key = await makeKey("ES256", "key");
  issuer = await startIssuer(key);
  origin = await startRawOrigin();
  wild = await startRawOrigin((received, socket) => {
    const answer = answers.get(received.target) ?? HELLO;
    socket.end(Buffer.from(answer, "latin1"));
  });
  tokens.push(await sign(key), await sign(secret, { iss: "https://shared.example/" }), await sign(key, { scope: "a b" }));
  const config = `
[gateway]
admin = { path = "/_tidegate", token = { secret = "ADMIN_TOKEN" } }
response_headers = ["server-timing", "x-request-id"]

[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[pool]]
name = "wild"
origins = [{ name = "wild", url = "${wild.url}" }]

[steering]
policy = "geo"
default_pools = ["all"]
country_pools = { DE = ["all"] }
region_pools = { WEU = ["all"] }

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["ES256"]
jwks = { url = "${issuer.url}" }
cookie = "session"

[[issuer]]
name = "shared"
issuer = "https://shared.example/"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "SIGNING_KEY" }

[[limit]]
name = "many"
key = ["ip", "header:x-key", "route", "country"]
rate = { requests = 1000000, per = "1s" }

[[limit]]
name = "each"
key = ["claim:sub"]
rate = { requests = 1000000, per = "1s" }

[[cache]]
name = "minute"
ttl = "60s"
key = { query = ["a"], headers = ["accept-language"] }

[[cache]]
name = "mine"
ttl = "60s"

${[
  ["open", "/open/{*rest}", '"none"', 'limits = ["many"]'],
  ["closed", "/closed/{*rest}", '{ any = ["main", "shared"], scopes = ["a"], forward = { sub = "x-user-id" } }', 'limits = ["each", "many"]\ncache = "mine"'],
  ["cached", "/cached/{*rest}", '"none"', 'cache = "minute"'],
  ["get", "/get", '"none"', ""],
  ["wild", "/wild/{*rest}", '"none"', 'origin = { pools = ["wild"], timeout = "1s" }'],
  ["wild-cached", "/wild/cached/{*rest}", '"none"', 'cache = "minute"\norigin = { pools = ["wild"], timeout = "1s" }'],
]
  .map(
    ([name, path, auth, more]) => `
[[route]]
name = "${name}"
match = { path = "${path}"${name === "get" ? ', methods = ["GET"], headers = { x-a = "b" }, host = "*.example"' : ""} }
auth = ${auth}
${more}
`,
  )
  .join("")}
`;
  const secrets = { SIGNING_KEY: secret.text, ADMIN_TOKEN: "0123456789abcdef" };
  gateway = await startGatewayWith(config, { secrets });
});

after(() => stopAll(gateway, origin, wild, issuer));

const METHODS = "GET GET GET HEAD POST PUT DELETE OPTIONS PATCH TRACE PURGE QUERY PROPFIND get Get FOO M-SEARCH".split(" ");
const STARTS = ["/open/", "/closed/7/x", "/closed/", "/cached/", "/get", "/_tidegate/", "/_tidegate/status", "/", "", "*", "http://b.example/open/"];
const PIECES = "a admin .. . // / \\ %2e %2f %5c %00 %25 %252f %c0%af %e9 %zz % ; : @ é \xff ? & = + ~ # [ ] { } | ^ \" < > ' ` * ( ) !".split(" ");
const NAMES = (
  "Accept Accept-Encoding Accept-Language Authorization Cache-Control CDN-Loop CF-Connecting-IP Connection " +
  "Content-Encoding Content-Type Cookie Date Expect Forwarded Host If-Match If-Modified-Since If-None-Match If-Range " +
  "Keep-Alive Max-Forwards MF-CF-Blob Origin Pragma Proxy-Authorization Proxy-Connection Range Referer " +
  "Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version TE Trailer traceparent tracestate Upgrade Via X-A " +
  "X-Forwarded-For X-Forwarded-Host X-Key X-Request-Id x-user-id X_User_Id"
).split(" ");
const VALUES = [
  "",
  ",",
  ", ,",
  "*",
  "0",
  "-1",
  "99999999999999999999",
  "no-cache, max-age=99999999999999999999, max-stale",
  "only-if-cached",
  "bytes=0-",
  "bytes=9-1,-",
  "close, x-user-id, , authorization",
  "upgrade",
  "websocket",
  "AAAAAAAAAAAAAAAAAAAAAA==",
  "13",
  "100-continue",
  'W/"a", "b"',
  "Mon, 99 Foo 0000 99:99:99 GMT",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "gzip;q=0, br;q=x",
  "a=1; session=x; session=y; =; ;;",
  "for=\"[::1]\"; by=_x",
  '{"country":"DE","colo":"FRA"}',
  '{"country":',
  '{"country":{"a":1},"colo":[],"continent":null}',
  "[]",
  "b.example",
  "[::1]:99999",
  "tidegate-two; loops=1",
  "é\xff",
];

function value(random) {
  const kind = random.below(10);
  if (kind < 6) return random.pick(VALUES);
  if (kind < 8) return random.bytes(random.length(9_000)).replace(/[\r\n\0]/g, "");
  const token = random.pick(tokens);
  return `${random.pick(["Bearer ", "bearer  ", "session=", "", "Basic "])}${random.chance(0.5) ? token : random.damaged(token)}`;
}

/** A request of any kind; most are well-formed, so that they get past the runtime's parser. */
function anyRequest(random) {
  const method = random.chance(0.95) ? random.pick(METHODS) : random.bytes(random.length(300)).replace(/\s/g, "");
  let target = random.pick(STARTS) + random.several(PIECES, 12).join("");
  if (random.chance(0.3)) target += `?${random.several([...PIECES, "a=", "&a", "&&"], 8).join("")}`;
  if (random.chance(0.02)) target += "a".repeat(random.below(20_000));
  if (target === "") target = "/";
  const fields = ["Host: a.example"];
  if (random.chance(0.3)) fields.push(`Authorization: Bearer ${random.chance(0.5) ? random.pick(tokens) : random.damaged(random.pick(tokens))}`);
  const count = random.chance(0.01) ? random.below(3_000) : random.below(8);
  for (let index = 0; index < count; index++) {
    const name = random.chance(0.9) ? random.pick(NAMES) : random.bytes(1 + random.length(200)).replace(/[^!#-'*+.^-z|~-]/g, "x");
    fields.push(`${name}: ${count > 100 ? index : value(random)}`);
  }
  let body = "";
  if (random.chance(0.3)) {
    body = random.bytes(random.length(70_000));
    if (random.chance(0.5)) {
      fields.push("Transfer-Encoding: chunked");
      body = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    } else fields.push(`Content-Length: ${random.chance(0.9) ? body.length : random.below(100_000)}`);
  }
  const bytes = request(`${method} ${target} HTTP/1.1`, ...fields) + body;
  // The runtime's own refusal of what is no HTTP has content even for a HEAD, so those stay whole.
  return random.chance(0.1) && method !== "HEAD" ? random.damaged(bytes) : bytes;
}

const place = (what, index, bytes) => `${what} ${index} of seed ${SEED}: ${JSON.stringify(bytes.slice(0, 1_500))}`;

/** Runs `count` tries, and stops before its time is up rather than after. */
async function tries(count, attempt) {
  let end = Date.now() + TIME_MS / 2;
  let done = 0;
  await many(count, TOGETHER, async (index) => {
    if (Date.now() > end) return;
    try {
      await attempt(new Random(SEED + index), index);
    } catch (error) {
      end = 0;
      throw error;
    }
    done += 1;
  });
  return done;
}

async function servesOn() {
  for (const path of ["/open/a", "/cached/a"]) {
    assert.equal((await ask(gateway.port, request(`GET ${path} HTTP/1.1`, "Host: a.example"))).status, 200);
  }
  const health = await ask(gateway.port, request("GET /_tidegate/health HTTP/1.1", "Host: a.example"));
  assert.equal(health.status, 200);
}

test("every request gets a well-formed answer, never a 500, and no origin gets what is not well-formed", async () => {
  const statuses = new Map();
  const done = await tries(REQUESTS, async (random, index) => {
    const bytes = anyRequest(random);
    const responses = await talk(gateway.port, bytes, { count: 3, finish: true }).catch((error) => {
      throw new Error(place("request", index, bytes), { cause: error });
    });
    for (const { status } of responses) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      assert.notEqual(status, 500, place("request", index, bytes));
    }
  });
  assert.ok(done > REQUESTS / 5, `${done} requests in the time that there is`);
  assert.deepEqual(origin.malformed, []);
  for (const { target, fields } of origin.take()) {
    if (target.startsWith("/closed")) assert.deepEqual(fields.all("x-user-id"), ["alice"], target);
    assert.doesNotMatch(target, /^\/_tidegate/);
  }
  for (const status of [200, 400, 401, 404]) assert.ok(statuses.get(status) > 20, `${status}: ${statuses.get(status)}`);
  await servesOn();
});

const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 206 Partial Content",
  "HTTP/1.1 304 Not Modified",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 100 Continue",
  "HTTP/1.1 103 Early Hints",
  "HTTP/1.1 407 Proxy Authentication Required",
  "HTTP/1.1 600 Beyond",
  "HTTP/1.1 999 Far Beyond",
  "HTTP/1.1 099 Below",
  "HTTP/1.1 20 Short",
  "HTTP/2 200 OK",
];
const RESPONSE_NAMES = (
  "Age Cache-Control CDN-Cache-Control Tidegate-Cache-Control Connection Content-Encoding Content-Length Content-Range " +
  "Content-Type Date ETag Expires Keep-Alive Last-Modified Location Proxy-Authenticate Retry-After Set-Cookie " +
  "Trailer Transfer-Encoding Upgrade Vary Via WWW-Authenticate Cache-Status RateLimit X-Request-Id tidegate-stored Server-Timing"
).split(" ");
const RESPONSE_VALUES = [
  ...VALUES,
  "max-age=60",
  "max-age=99999999999999999999",
  "s-maxage=\"1\", private=\"x\", no-cache=\"set-cookie\"",
  "public, immutable, stale-while-revalidate=9",
  "gzip",
  "chunked",
  "5",
  "accept-language, *",
  "x-hop, content-type, transfer-encoding",
];

function anyResponse(random) {
  const fields = Array.from({ length: random.below(8) }, () => {
    const name = random.pick(RESPONSE_NAMES);
    const text = random.chance(0.8) ? random.pick(RESPONSE_VALUES) : random.bytes(random.length(9_000)).replace(/[\r\n\0]/g, "");
    return `${name}: ${text}`;
  });
  const body = random.bytes(random.length(70_000));
  if (random.chance(0.5)) fields.push(`Content-Length: ${body.length}`);
  const bytes = `${[random.pick(STATUS_LINES), ...fields].join("\r\n")}\r\n\r\n${body}`;
  return random.chance(0.1) ? random.damaged(bytes) : bytes;
}

test("whatever an origin answers, the gateway stays, and the client's answer is well-formed or cut short", async () => {
  const done = await tries(RESPONSES, async (random, index) => {
    const bytes = anyResponse(random);
    const path = `/wild/${random.chance(0.5) ? "cached/" : ""}${index}`;
    answers.set(path, bytes);
    for (let time = 0; time < 2; time++) {
      const [response] = await talk(gateway.port, request(`GET ${path} HTTP/1.1`, "Host: a.example"), { finish: true }).catch(
        (error) => {
          if (error instanceof Malformed && /cut short/.test(error.message)) return [];
          throw new Error(place("response", index, bytes), { cause: error });
        },
      );
      assert.doesNotMatch(response?.body.toString() ?? "", /problem\/internal/, place("response", index, bytes));
    }
    answers.delete(path);
  });
  assert.ok(done > RESPONSES / 5, `${done} responses in the time that there is`);
  await servesOn();
});
