// The demo's token issuer: `node demo/issuer.mjs PORT`. It signs whatever it is asked to, on loopback only.
//
//   /.well-known/jwks.json                  the public keys
//   /token?sub=&scope=&alg=&org=&ttl=       a token as text; POST gives the JSON of RFC 6749, section 5.1

import { exportJWK, generateKeyPair, SignJWT } from "jose";

import { sendJson, serve } from "./serve.mjs";
import { ISSUER } from "./servers.mjs";

const AUDIENCE = "api";
const TTL_SECONDS = 3600;
const BODY_BYTES_MAX = 10_000;

const keys = new Map();
for (const algorithm of ["ES256", "RS256", "EdDSA"]) {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const id = `demo-${algorithm.toLowerCase()}`;
  const jwk = { ...(await exportJWK(publicKey)), kid: id, alg: algorithm, use: "sig" };
  keys.set(algorithm, { id, privateKey, jwk });
}

async function form(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > BODY_BYTES_MAX) break;
  }
  return new URLSearchParams(text);
}

function sign(parameters, key, ttl) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { scope: parameters.get("scope") ?? "read write" };
  if (parameters.has("org")) claims.org = parameters.get("org");
  return new SignJWT(claims)
    .setProtectedHeader({ alg: parameters.get("alg") ?? "ES256", kid: key.id, typ: "JWT" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(parameters.get("sub") ?? "alice")
    .setIssuedAt(now)
    .setExpirationTime(now + ttl)
    .sign(key.privateKey);
}

async function handle(request, response) {
  const { pathname, searchParams } = new URL(request.url, ISSUER);
  if (pathname === "/health/ready") return sendJson(response, 200, { status: "ready" });
  if (pathname === "/.well-known/jwks.json") {
    const fields = { "cache-control": "public, max-age=300" };
    return sendJson(response, 200, { keys: [...keys.values()].map(({ jwk }) => jwk) }, fields);
  }
  if (pathname !== "/token") return sendJson(response, 404, { error: "not_found" });
  const parameters =
    request.method === "POST" ? new URLSearchParams([...searchParams, ...(await form(request))]) : searchParams;
  const key = keys.get(parameters.get("alg") ?? "ES256");
  // A negative one makes a token that has expired already.
  const ttl = Number(parameters.get("ttl") ?? TTL_SECONDS);
  if (key === undefined || !Number.isSafeInteger(ttl)) {
    return sendJson(response, 400, { error: "invalid_request", algorithms: [...keys.keys()] });
  }
  const token = await sign(parameters, key, ttl);
  if (request.method === "POST") {
    const fields = { "cache-control": "no-store" };
    return sendJson(response, 200, { access_token: token, token_type: "Bearer", expires_in: ttl }, fields);
  }
  response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-store" });
  response.end(`${token}\n`);
}

serve(Number(process.argv[2]), handle);
