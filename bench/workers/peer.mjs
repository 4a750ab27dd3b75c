// The same policy as bench/tidegate.toml, written the usual way: Hono for the routes, jose for the token, one call to a
// Durable Object for the limits. What it leaves out would only slow it down: timeouts, second attempts, the removal of
// spoofed and hop-by-hop fields, a decision record, limits that survive a restart.

import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { createLocalJWKSet, errors, jwtVerify } from "jose";
import { AUDIENCE, FILLERS, ISSUER, KEYS, LIMITS, ORIGINS } from "./settings.mjs";

const keys = createLocalJWKSet(KEYS);

/** 401 without a good token, 403 without the scope. */
const authenticated = (scope) =>
  createMiddleware(async (c, next) => {
    const [scheme, token] = (c.req.header("authorization") ?? "").split(" ");
    if (scheme.toLowerCase() !== "bearer" || !token) return c.text("no token", 401, { "www-authenticate": "Bearer" });
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithms: ["ES256", "RS256"],
        clockTolerance: 60,
        requiredClaims: ["exp"],
      });
      if (!(payload.scope ?? "").split(" ").includes(scope)) return c.text("no scope", 403);
      c.set("claims", payload);
    } catch (error) {
      if (error instanceof errors.JOSEError) {
        return c.text(error.code, 401, { "www-authenticate": 'Bearer error="invalid_token"' });
      }
      throw error;
    }
    return next();
  });

/** All limits in one question; 429 with the RateLimit fields when one of them denies. */
const limited = createMiddleware(async (c, next) => {
  const claims = c.get("claims");
  const spends = LIMITS.map(({ name, claim, ...rate }) => ({ ...rate, name, key: `${name}:${claims[claim]}` }));
  const stub = c.env.LIMITER.get(c.env.LIMITER.idFromName(claims.org));
  const { allowed, verdicts } = await stub.spend(spends);
  const policy = LIMITS.map(({ name, requests, per }) => `"${name}";q=${requests};w=${per / 1000}`).join(", ");
  const state = verdicts.map(({ name, remaining, reset }) => `"${name}";r=${remaining};t=${reset}`).join(", ");
  if (!allowed) {
    const wait = Math.max(...verdicts.map(({ retryAfter }) => retryAfter));
    return c.text("too many requests", 429, { "ratelimit-policy": policy, ratelimit: state, "retry-after": `${wait}` });
  }
  await next();
  c.res.headers.set("ratelimit-policy", policy);
  c.res.headers.set("ratelimit", state);
});

const COUNTRY_POOLS = { DE: ["eu", "us"], US: ["us", "eu"] };
const CONTINENT_POOLS = { EU: ["eu", "us"], AF: ["eu"], NA: ["us", "eu"], SA: ["us"], AS: ["eu"], OC: ["us"] };
const DEFAULT_POOLS = ["us", "eu"];
const turns = { eu: 0, us: 0 };

/** The next origin of the first pool for the client's place. */
function originFor(cf) {
  const [pool] = COUNTRY_POOLS[cf?.country] ?? CONTINENT_POOLS[cf?.continent] ?? DEFAULT_POOLS;
  turns[pool] = (turns[pool] + 1) % ORIGINS[pool].length;
  return ORIGINS[pool][turns[pool]];
}

/** Passes the request on with the fields that Tidegate sets. */
async function proxy(c) {
  const request = c.req.raw;
  const url = new URL(request.url);
  const id = crypto.randomUUID().replaceAll("-", "");
  const outgoing = new Request(originFor(request.cf) + url.pathname + url.search, request);
  outgoing.headers.set("x-forwarded-for", c.req.header("cf-connecting-ip") ?? "");
  outgoing.headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
  outgoing.headers.set("x-forwarded-host", url.host);
  outgoing.headers.set("x-request-id", id);
  outgoing.headers.set("traceparent", `00-${id}-${id.slice(0, 16)}-00`);
  outgoing.headers.set("via", "1.1 peer");
  outgoing.headers.set("cdn-loop", "peer");
  const claims = c.get("claims");
  if (claims) outgoing.headers.set("x-user-id", claims.sub);
  const response = await fetch(outgoing, { redirect: "manual" });
  // A fetched response cannot be changed; on the routes with limits Hono must be able to set fields.
  return c.get("claims") ? new Response(response.body, response) : response;
}

const app = new Hono();
app.get("/limited/*", authenticated("read"), limited, proxy);
app.get("/token/*", authenticated("read"), proxy);
app.get("/open/*", proxy);
for (let index = 0; index < FILLERS; index += 1) app.get(`/filler-${index}/:id/items/*`, authenticated("read"), proxy);

export default app;

/** GCRA in memory: a bucket is the time at which it is full again. */
export class Limiter extends DurableObject {
  full = new Map();

  spend(spends) {
    const now = Date.now();
    const plans = spends.map(({ name, key, requests, per, burst }) => {
      const interval = per / requests;
      const after = Math.max(this.full.get(key) ?? 0, now) + interval;
      const over = after - now - burst * interval;
      const remaining = Math.max(0, Math.floor(-over / interval));
      const verdict = { name, remaining, reset: Math.ceil((after - now) / 1000), retryAfter: Math.ceil(over / 1000) };
      return { key, after, over, verdict };
    });
    const allowed = plans.every(({ over }) => over <= 0);
    if (allowed) for (const { key, after } of plans) this.full.set(key, after);
    return { allowed, verdicts: plans.map(({ verdict }) => verdict) };
  }
}
