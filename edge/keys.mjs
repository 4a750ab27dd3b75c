// Key sets and signatures: the calls into the runtime that authentication takes. No function here decides anything.

import { textOf } from "./head.mjs";

// Fetches a JWK Set. Redirects are not followed: keys come from where the operator said.
export async function keySet(url, timeoutMs, bytesMax) {
  const response = await fetch(url, {
    headers: { accept: "application/jwk-set+json, application/json" },
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const text = await textOf(response.body, bytesMax);
  if (text === null) throw new Error(`more than ${bytesMax} bytes`);
  return text;
}

// The names of RFC 7518 and RFC 8037 in the words of WebCrypto.
const ALGORITHMS = {
  HS: (hash) => [{ name: "HMAC", hash }, "HMAC"],
  RS: (hash) => [{ name: "RSASSA-PKCS1-v1_5", hash }, "RSASSA-PKCS1-v1_5"],
  PS: (hash, bits) => [{ name: "RSA-PSS", hash }, { name: "RSA-PSS", saltLength: bits / 8 }],
  ES: (hash, bits) => [
    { name: "ECDSA", namedCurve: bits === 512 ? "P-521" : `P-${bits}` },
    { name: "ECDSA", hash },
  ],
};

// Imported keys, each with what `verify` wants to know, by algorithm and fingerprint. Key sets are small; a full map is
// dropped whole.
const keys = new Map();
const KEYS_MAX = 256;

const id = (algorithm, fingerprint) => `${algorithm} ${fingerprint}`;

// Imports a key for `verify`. One that can't be imported rejects.
export async function importKey(algorithm, fingerprint, jwk) {
  const bits = Number(algorithm.slice(2));
  const [imported, verified] =
    algorithm === "EdDSA" ? ["Ed25519", "Ed25519"] : ALGORITHMS[algorithm.slice(0, 2)](`SHA-${bits}`, bits);
  const key = await crypto.subtle.importKey("jwk", JSON.parse(jwk), imported, false, ["verify"]);
  if (keys.size >= KEYS_MAX) keys.clear();
  keys.set(id(algorithm, fingerprint), { key, verified });
}

// Checks one signature with one key; undefined if the key is not imported. The bytes are read before this returns.
export function verify(algorithm, fingerprint, signingInput, signature) {
  const known = keys.get(id(algorithm, fingerprint));
  return known && crypto.subtle.verify(known.verified, known.key, signature, signingInput);
}
