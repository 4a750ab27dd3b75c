// No request and no origin brings the gateway down.
//
// TIDEGATE_FUZZ_SEED=n tries other requests than the usual ones.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { many } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { Malformed } from "./lib/message.mjs";
import { anyRequest, anyResponse } from "./lib/odd_messages.mjs";
import { Random } from "./lib/random.mjs";
import { HELLO, startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ISSUER, makeKey, makeSecret, sign, startIssuer } from "./lib/tokens.mjs";
import { ask, request, talk } from "./lib/wire.mjs";

const SEED = Number(process.env.TIDEGATE_FUZZ_SEED ?? 20_260_404);
const REQUESTS = 3_000;
const RESPONSES = 800;
const TOGETHER = 8;
const TIME_MS = 15_000;

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
  tokens.push(
    await sign(key),
    await sign(secret, { iss: "https://shared.example/" }),
    await sign(key, { scope: "a b" }),
  );
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
  [
    "closed",
    "/closed/{*rest}",
    '{ any = ["main", "shared"], scopes = ["a"], forward = { sub = "x-user-id" } }',
    'limits = ["each", "many"]\ncache = "mine"',
  ],
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

const place = (what, index, bytes) => `${what} ${index} of seed ${SEED}: ${JSON.stringify(bytes.slice(0, 1_500))}`;

/** Runs `count` tries; where time is short, a fifth of them. The first that fails is the last. */
async function tries(count, attempt) {
  const end = Date.now() + TIME_MS;
  let failed = false;
  await many(count, TOGETHER, async (index) => {
    if (failed || (Date.now() > end && index > count / 5)) return;
    try {
      await attempt(new Random(SEED + index), index);
    } catch (error) {
      failed = true;
      throw error;
    }
  });
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
  await tries(REQUESTS, async (random, index) => {
    const bytes = anyRequest(random, tokens);
    const responses = await talk(gateway.port, bytes, { count: 3, finish: true }).catch((error) => {
      throw new Error(place("request", index, bytes), { cause: error });
    });
    for (const { status } of responses) {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      assert.notEqual(status, 500, place("request", index, bytes));
    }
  });
  assert.deepEqual(origin.malformed, []);
  for (const { target, fields } of origin.take()) {
    if (target.startsWith("/closed")) assert.deepEqual(fields.all("x-user-id"), ["alice"], target);
    assert.doesNotMatch(target, /^\/_tidegate/);
  }
  for (const status of [200, 400, 401, 404]) assert.ok(statuses.get(status) > 20, `${status}: ${statuses.get(status)}`);
  await servesOn();
});

test("whatever an origin answers, the gateway stays, and the client's answer is well-formed or cut short", async () => {
  await tries(RESPONSES, async (random, index) => {
    const bytes = anyResponse(random);
    const path = `/wild/${random.chance(0.5) ? "cached/" : ""}${index}`;
    answers.set(path, bytes);
    for (let time = 0; time < 2; time++) {
      const [response] = await talk(gateway.port, request(`GET ${path} HTTP/1.1`, "Host: a.example"), {
        finish: true,
      }).catch((error) => {
        if (error instanceof Malformed && /cut short/.test(error.message)) return [];
        throw new Error(place("response", index, bytes), { cause: error });
      });
      assert.doesNotMatch(response?.body.toString() ?? "", /problem\/internal/, place("response", index, bytes));
    }
    answers.delete(path);
  });
  await servesOn();
});
