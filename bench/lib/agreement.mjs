// Before anything is measured: the programs do what their rows say. A wrong answer is fast and measures nothing.

import { BODY, SET_FIELDS } from "./origin.mjs";
import { forged, token } from "./tokens.mjs";

const bearer = (text) => ({ authorization: `Bearer ${text}` });

/** Requests that the peer and Tidegate must answer alike. */
const CASES = [
  ["/limited/x", bearer(token("ES256")), 200],
  ["/limited/x", bearer(token("RS256")), 200],
  ["/limited/x", {}, 401],
  ["/limited/x", bearer(forged("ES256")), 401],
  ["/token/x", bearer(forged("RS256")), 401],
  ["/token/x", bearer(token("ES256", 0, { exp: 1_700_000_000 })), 401],
  ["/token/x", bearer(token("ES256", 0, { aud: "other" })), 401],
  ["/token/x", bearer(token("ES256", 0, { scope: "write" })), 403],
  ["/open/x", {}, 200],
  ["/nowhere", {}, 404],
];

const ask = (server, target, headers) => fetch(`http://127.0.0.1:${server.port}${target}`, { headers });

async function expectStatus(server, target, headers, status) {
  const response = await ask(server, target, headers);
  const body = await response.text();
  if (response.status !== status || (status === 200 && body !== BODY)) {
    throw new Error(`${server.name} answered ${target} with ${response.status} instead of ${status}: ${body}`);
  }
  return response;
}

/** The origin must see every field that is compared, on the way through this target. */
async function expectFields(server, target, headers, names) {
  const response = await ask(server, target, headers);
  await response.text();
  const missing = names.filter((name) => !response.headers.get(`seen-${name}`));
  if (response.status !== 200 || missing.length > 0) {
    throw new Error(`${server.name} sent the origin of ${target} no ${missing.join(", no ") || "request"}`);
  }
}

function expectLimitFields(server, response) {
  for (const name of ["ratelimit", "ratelimit-policy"]) {
    if (!response.headers.has(name)) throw new Error(`${server.name} answered without ${name}`);
  }
}

/** Rejects unless the programs agree. */
export async function checkAgreement({ bare, peer, tidegate }, headers) {
  const claims = { ...headers, ...bearer(token("ES256")) };
  await expectStatus(bare, "/nothing/x", headers, 200);
  for (const variant of ["request", "duties"]) await expectFields(bare, `/${variant}/echo`, headers, SET_FIELDS);
  expectLimitFields(bare, await expectStatus(bare, "/both/x", headers, 200));
  for (const variant of ["constant", "hit"]) await expectStatus(bare, `/${variant}/x`, headers, 200);
  await expectStatus(tidegate, "/cached/x", headers, 200);
  const hit = await expectStatus(tidegate, "/cached/x", headers, 200);
  if (!/hit/.test(hit.headers.get("cache-status"))) throw new Error("tidegate does not answer from its memory");
  for (const server of [peer, tidegate]) {
    for (const [target, own, status] of CASES) await expectStatus(server, target, { ...headers, ...own }, status);
    expectLimitFields(server, await expectStatus(server, "/limited/x", claims, 200));
    await expectFields(server, "/limited/echo", claims, SET_FIELDS);
    await expectFields(server, "/open/echo", headers, SET_FIELDS.slice(0, -1));
  }
}
