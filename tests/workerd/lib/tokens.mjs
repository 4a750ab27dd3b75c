// Keys, tokens, and the issuer that publishes the keys.

import { generateKeyPairSync, randomBytes } from "node:crypto";

import { exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";

import { startOrigin } from "./origin.mjs";

export const ISSUER = "https://idp.example/";
export const AUDIENCE = "api";
export const HOUR = 3600;

// One RSA key for all RSA algorithms: making one takes longer than everything else here.
let rsa;
function rsaJwk() {
  rsa ??= generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  return rsa;
}

/** Makes a key pair for an algorithm: `{ algorithm, keyId, privateKey, jwk }`, the JWK being the public one. */
export async function makeKey(algorithm, keyId = algorithm) {
  if (/^[RP]S/.test(algorithm)) {
    const { kty, n, e } = rsaJwk();
    const privateKey = await importJWK(rsaJwk(), algorithm);
    return { algorithm, keyId, privateKey, jwk: { kty, n, e, kid: keyId, alg: algorithm, use: "sig" } };
  }
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return {
    algorithm,
    keyId,
    privateKey,
    jwk: { ...(await exportJWK(publicKey)), kid: keyId, alg: algorithm, use: "sig" },
  };
}

/** A shared secret for an HS algorithm, as text for the environment. */
export function makeSecret(algorithm) {
  const text = randomBytes(64).toString("base64url");
  return { algorithm, keyId: undefined, privateKey: new TextEncoder().encode(text), text };
}

/** The claims of a token that is good for an hour. */
export function claims(more = {}) {
  const now = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, aud: AUDIENCE, sub: "alice", iat: now, exp: now + HOUR, ...more };
}

/** Signs a token; `more` replaces claims, `header` adds to the header. */
export function sign(key, more = {}, header = {}) {
  const kid = key.keyId === undefined ? {} : { kid: key.keyId };
  return new SignJWT(claims(more)).setProtectedHeader({ alg: key.algorithm, ...kid, ...header }).sign(key.privateKey);
}

/** A token from its parts, as an attacker puts one together. */
export function assemble(header, payload, signature) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part(header)}.${part(payload)}.${signature}`;
}

/** Starts an issuer: a server whose only page is the JWK Set of `issuer.keys`. */
export async function startIssuer(...keys) {
  const origin = await startOrigin((_, response) => {
    response.setHeader("content-type", "application/jwk-set+json");
    response.end(JSON.stringify({ keys: origin.keys.map((key) => key.jwk) }));
  });
  origin.keys = keys;
  return origin;
}
