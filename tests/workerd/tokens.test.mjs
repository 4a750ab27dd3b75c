// Tokens that open a route, and those that do not, with the issuer's keys behind a real URL.

import assert from "node:assert/strict";
import { createHmac, createPublicKey } from "node:crypto";
import { after, before, test } from "node:test";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { assemble, claims, ISSUER, makeKey, makeSecret, sign, startIssuer } from "./lib/tokens.mjs";

const ASYMMETRIC = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"];
const SYMMETRIC = ["HS256", "HS384", "HS512"];
const SHARED = "https://shared.example/";
const STRICT = "https://strict.example/";

let keys;
let issuer;
let origin;
let gateway;

/** Every token of this file, so that the end can look for them in the log. */
const tokens = new Set();
const shared = makeSecret("HS256");

const list = (algorithms) => algorithms.map((algorithm) => `"${algorithm}"`).join(", ");

before(async () => {
  const made = await Promise.all(ASYMMETRIC.map((algorithm) => makeKey(algorithm)));
  keys = Object.fromEntries(made.map((key) => [key.algorithm, key]));
  issuer = await startIssuer(...made);
  origin = await startOrigin((request, response) => response.end(request.headers["x-user-id"] ?? "nobody"));
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api", "web"]
algorithms = [${list(ASYMMETRIC)}]
jwks = { url = "${issuer.url}/keys" }
leeway = "5s"

[[issuer]]
name = "shared"
issuer = "${SHARED}"
audience = ["api"]
algorithms = [${list(SYMMETRIC)}]
secret = { secret = "SIGNING_KEY" }

[[issuer]]
name = "strict"
issuer = "${STRICT}"
audience = ["api"]
algorithms = ["ES256"]
jwks = { url = "${issuer.url}/keys" }

[[route]]
name = "closed"
match = { path = "/{*rest}" }
auth = { any = ["main", "shared", "strict"], forward = { sub = "x-user-id" } }

[[route]]
name = "write"
match = { path = "/write" }
auth = { any = ["main"], scopes = ["read", "write"], forward = { sub = "x-user-id" } }

[[route]]
name = "strict"
match = { path = "/strict" }
auth = { any = ["strict"] }
`;
  gateway = await startGatewayWith(config, { secrets: { SIGNING_KEY: shared.text } });
});

after(() => stopAll(gateway, origin, issuer));

function get(path, token, headers = {}) {
  if (token !== undefined) tokens.add(token);
  return send(gateway.url + path, {
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
  });
}

/** A refusal is problem+json with a challenge, and repeats nothing of the token. */
function refused(reply, status, code, challenge) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers["content-type"], "application/problem+json");
  assert.equal(reply.headers["cache-control"], "no-store");
  const { type, title, status: same, detail, request_id: id, ...others } = reply.json;
  assert.equal(type, `tag:tidegate,2026:problem/${code}`);
  assert.deepEqual([same, typeof title, typeof detail], [status, "string", "string"]);
  assert.equal(id, reply.headers["x-request-id"]);
  assert.deepEqual(others, {});
  assert.match(reply.headers["www-authenticate"] ?? "", challenge);
  const words = JSON.stringify([reply.rawHeaders, reply.text]);
  for (const token of tokens) {
    for (const part of token.split(".")) assert.ok(part.length < 8 || !words.includes(part), "a part of a token");
  }
}

const INVALID = /^Bearer realm="[^"]+", error="invalid_token", error_description="[^"]+"$/;
const unauthorized = async (code, token, path = "/a") => refused(await get(path, token), 401, code, INVALID);

for (const algorithm of ASYMMETRIC) {
  test(`a good ${algorithm} token opens the route, and the origin learns whose it is`, async () => {
    const token = await sign(keys[algorithm], { sub: `user-${algorithm}` });
    for (const time of ["first", "second"]) {
      const reply = await get("/a", token);
      assert.equal(reply.status, 200, `${time}: ${reply.text}`);
      assert.equal(reply.text, `user-${algorithm}`);
    }
  });
}

for (const algorithm of SYMMETRIC) {
  test(`a good ${algorithm} token opens the route`, async () => {
    const token = await sign({ ...shared, algorithm }, { iss: SHARED, sub: `user-${algorithm}` });
    assert.equal((await get("/a", token)).text, `user-${algorithm}`);
  });
}

for (const algorithm of [...ASYMMETRIC, ...SYMMETRIC]) {
  test(`a forged ${algorithm} token is 401: another claim, a changed, cut or empty signature`, async () => {
    const real = keys[algorithm] ?? { ...shared, algorithm };
    const iss = keys[algorithm] ? ISSUER : SHARED;
    const token = await sign(real, { iss });
    const [header, payload, signature] = token.split(".");
    const root = Buffer.from(JSON.stringify(claims({ iss, sub: "root" }))).toString("base64url");
    const flipped = (signature[9] === "A" ? "B" : "A") + signature.slice(10);
    for (const forged of [
      `${header}.${root}.${signature}`,
      `${header}.${payload}.${signature.slice(0, 9)}${flipped}`,
    ]) {
      await unauthorized("signature-invalid", forged);
    }
    for (const forged of [`${header}.${payload}.`, `${header}.${payload}.${signature.slice(0, -8)}`]) {
      assert.equal((await get("/a", forged)).status, 401);
    }
  });
}

test("no token is 401 with a challenge and no error", async () => {
  refused(await get("/a"), 401, "token-missing", /^Bearer realm="[^"]+"$/);
  refused(await get("/a", undefined, { authorization: "Basic YTpi" }), 401, "token-missing", /^Bearer realm="[^"]+"$/);
});

test("Bearer without a token, or with two, is 400", async () => {
  for (const authorization of ["Bearer", "Bearer ", "Bearer a b", "Bearer a, Bearer b", "Bearer é"]) {
    const reply = await get("/a", undefined, { authorization: Buffer.from(authorization).toString("latin1") });
    refused(reply, 400, "authorization-malformed", /^(|Bearer .*invalid_request.*)$/);
  }
});

test("an expired token is 401, within the leeway it is not", async () => {
  const now = Math.floor(Date.now() / 1000);
  await unauthorized("token-expired", await sign(keys.ES256, { exp: now - 60 }));
  assert.equal((await get("/a", await sign(keys.ES256, { exp: now - 1 }))).status, 200);
  await unauthorized("expiry-missing", await sign(keys.ES256, { exp: undefined }));
});

test("a token of the future is 401", async () => {
  const now = Math.floor(Date.now() / 1000);
  await unauthorized("token-not-yet-valid", await sign(keys.ES256, { nbf: now + 60 }));
  await unauthorized("token-issued-in-future", await sign(keys.ES256, { iat: now + 60 }));
});

test("a token for another audience, or for none, is 401", async () => {
  for (const aud of ["other", ["a", "b"], undefined]) {
    await unauthorized("audience-mismatch", await sign(keys.ES256, { aud }));
  }
  assert.equal((await get("/a", await sign(keys.ES256, { aud: ["x", "web"] }))).status, 200);
});

test("a token of another issuer, or of none, is 401", async () => {
  for (const iss of ["https://evil.example/", "https://idp.example", undefined]) {
    await unauthorized("issuer-mismatch", await sign(keys.ES256, { iss }));
  }
});

test("a token without the scopes is 403, and the challenge names them", async () => {
  const lacking = /^Bearer .*error="insufficient_scope".*scope="read write"$/;
  for (const scope of [undefined, "", "read", "write", "readwrite", "READ WRITE"]) {
    refused(await get("/write", await sign(keys.ES256, { scope })), 403, "scope-insufficient", lacking);
  }
  assert.equal((await get("/write", await sign(keys.ES256, { scope: "admin write read" }))).text, "alice");
  assert.equal((await get("/write", await sign(keys.ES256, { scp: ["write", "read"] }))).text, "alice");
});

test("a token that opens one route does not open another that trusts other issuers", async () => {
  const token = await sign(keys.ES256);
  assert.equal((await get("/a", token)).status, 200);
  await unauthorized("issuer-mismatch", token, "/strict");
});

test("an algorithm that the issuer does not list is 401, though its key is published", async () => {
  await unauthorized("algorithm-not-allowed", await sign(keys.RS256, { iss: STRICT }), "/strict");
  assert.equal((await get("/strict", await sign(keys.ES256, { iss: STRICT }))).status, 200);
});

test("a token that is not signed is 401, in any spelling of none", async () => {
  for (const alg of ["none", "None", "NONE", "nOnE", "", undefined]) {
    assert.equal((await get("/a", assemble({ alg }, claims(), ""))).status, 401);
    assert.equal((await get("/a", assemble({ alg }, claims(), "AAAA"))).status, 401);
  }
});

test("a public key is no shared secret: HS256 under it is 401, in every form of the key", async () => {
  const { jwk } = keys.RS256;
  const publicKey = createPublicKey({ key: jwk, format: "jwk" });
  const forms = [
    publicKey.export({ type: "spki", format: "pem" }),
    publicKey.export({ type: "pkcs1", format: "pem" }),
    publicKey.export({ type: "spki", format: "der" }),
    JSON.stringify(jwk),
    Buffer.from(jwk.n, "base64url"),
    jwk.n,
    "",
  ];
  for (const form of forms) {
    for (const iss of [ISSUER, SHARED, STRICT]) {
      const unsigned = assemble({ alg: "HS256", kid: "RS256" }, claims({ iss }), "");
      const signature = createHmac("sha256", form).update(unsigned.slice(0, -1)).digest("base64url");
      assert.equal((await get("/a", unsigned + signature)).status, 401);
    }
  }
});

test("a header that brings its own key, or asks for an extension, is 401", async () => {
  const own = await makeKey("ES256", "ES256");
  for (const header of [{ jwk: own.jwk }, { jku: `${origin.url}/keys` }, { x5u: `${origin.url}/keys` }]) {
    assert.equal((await get("/a", await sign(own, {}, header))).status, 401);
  }
  const token = await sign(keys.ES256);
  for (const header of [{ b64: false, crit: ["b64"] }, { crit: ["exp"] }, { zip: "DEF" }]) {
    const forged = assemble({ alg: "ES256", kid: "ES256", ...header }, claims(), token.split(".")[2]);
    assert.equal((await get("/a", forged)).status, 401);
  }
});

test("what is no token at all is 401", async () => {
  for (const token of ["a", "a.b", "a.b.c", "a.b.c.d.e", "..", "....", "e30.e30.", "eyJhbGciOiJFUzI1NiJ9..AAAA"]) {
    assert.equal((await get("/a", token)).status, 401, token);
  }
  refused(await get("/a", "x".repeat(16_385)), 401, "token-too-large", INVALID);
});

test("no origin is asked for a refused request", async () => {
  origin.take();
  await get("/a", "a.b.c");
  assert.deepEqual(origin.take(), []);
});

test("the log holds no part of a token and no shared secret", () => {
  const log = gateway.lines.join("\n");
  assert.ok(tokens.size > 100 && gateway.records().length > 100);
  for (const token of tokens) {
    for (const part of token.split(".")) assert.ok(part.length < 8 || !log.includes(part), `${part} is in the log`);
  }
  assert.ok(!log.includes(shared.text));
});
