// Keys of this run, and tokens signed with them. Node signs here; the programs verify with WebCrypto.

import { generateKeyPairSync, sign } from "node:crypto";

export const ISSUER = "https://idp.example.com/";
export const AUDIENCE = "api";

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

const KEYS = {
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
};

/** The public halves as a JWK Set. */
export const KEY_SET = {
  keys: Object.entries(KEYS).map(([alg, { publicKey }]) => ({
    ...publicKey.export({ format: "jwk" }),
    kid: alg.toLowerCase(),
    use: "sig",
    alg,
  })),
};

/** A token that all programs accept, unless `claims` changes that. `number` makes it another one. */
export function token(alg, number = 0, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const head = base64url({ alg, typ: "JWT", kid: alg.toLowerCase() });
  const body = base64url({
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "user-1",
    org: "organisation-1",
    scope: "read write",
    jti: `token-${number}`,
    iat: now,
    exp: now + 3600,
    ...claims,
  });
  const key = { key: KEYS[alg].privateKey, dsaEncoding: "ieee-p1363" };
  return `${head}.${body}.${sign("sha256", Buffer.from(`${head}.${body}`), key).toString("base64url")}`;
}

/** A token whose signature is another one's. */
export function forged(alg) {
  const [head, body] = token(alg, 1).split(".");
  return [head, body, token(alg, 2).split(".")[2]].join(".");
}
