// Tokens, signed with the keys under tests/scenarios/keys.

import { createHmac, createPrivateKey, sign as signWith } from "node:crypto";
import { readFileSync } from "node:fs";

import { duration, shared } from "./file.mjs";

/** Whose tokens the configurations trust. */
const ISSUER = "https://issuer.example";

const SIGN = {
  ES256: (input, jwk) => signWith("sha256", input, { ...privateKey(jwk), dsaEncoding: "ieee-p1363" }),
  RS256: (input, jwk) => signWith("sha256", input, privateKey(jwk)),
  EdDSA: (input, jwk) => signWith(null, input, privateKey(jwk)),
  HS256: (input, jwk) => createHmac("sha256", Buffer.from(jwk.k, "base64url")).update(input).digest(),
};

function privateKey(jwk) {
  return { key: createPrivateKey({ key: jwk, format: "jwk" }) };
}

function key(name) {
  return JSON.parse(readFileSync(shared("keys", `${name}.json`), "utf8"));
}

/** The bytes of a symmetric key, which are text. */
export function secret(name) {
  return Buffer.from(key(name).k, "base64url").toString("utf8");
}

/** A JWK Set of the public halves of the named keys. */
export function keySet(names) {
  const keys = names.map((name) => {
    const { d, p, q, dp, dq, qi, k, ...jwk } = key(name);
    return jwk;
  });
  return JSON.stringify({ keys });
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Signs a token. Times are counted from `now`, in milliseconds since the Unix epoch. */
export function sign(token, now) {
  const { alg = "ES256", key: name = alg.toLowerCase(), kid, header: more, ...payload } = token;
  const jwk = key(name);
  const header = { alg, kid: kid === false ? undefined : (kid ?? jwk.kid), ...more };
  const input = `${encode(header)}.${encode(claims(payload, now))}`;
  // `none` and names that nobody knows have no signature: as an attacker writes them.
  const signature = SIGN[alg]?.(Buffer.from(input), jwk) ?? Buffer.alloc(0);
  return `${input}.${signature.toString("base64url")}`;
}

function claims({ issuer = ISSUER, aud = "api", sub = "alice", exp = "+5m", claims: more, ...others }, now) {
  const { scope, nbf, iat, ...unknown } = others;
  if (Object.keys(unknown).length > 0) throw new Error(`unknown in a token: ${Object.keys(unknown)}`);
  const point = (offset) => {
    if (typeof offset !== "string") return offset;
    const length = duration(offset.slice(1));
    return Math.floor((now + (offset.startsWith("-") ? -length : length)) / 1000);
  };
  const members = { iss: issuer, aud, sub, scope, exp: point(exp), nbf: point(nbf), iat: point(iat), ...more };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== false));
}
