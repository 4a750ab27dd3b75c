// The same limit, as it is usually written: a fixed window counted in one object, by the platform's binding, or in KV.
// Each passes a request on to the origin or answers 429.

import { DurableObject } from "cloudflare:workers";

const PER = 10_000;

let calls = 0;

/** Whether a request passes, for each way to count. */
const WAYS = {
  async object({ LIMITER, LIMIT }, key) {
    calls += 1;
    return LIMITER.get(LIMITER.idFromName(key)).spend(LIMIT);
  },

  async binding({ BINDING }, key) {
    calls += 1;
    return (await BINDING.limit({ key })).success;
  },

  async kv({ COUNTS, LIMIT }, key) {
    const window = `${key}:${Math.floor(Date.now() / PER)}`;
    calls += 1;
    const count = Number((await COUNTS.get(window)) ?? 0);
    if (count >= LIMIT) return false;
    calls += 1;
    await COUNTS.put(window, `${count + 1}`, { expirationTtl: 60 });
    return true;
  },
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/durable-object-calls") return new Response(`${calls}`);
    const passes = await WAYS[env.WAY](env, request.headers.get("x-client"));
    return passes ? fetch(env.ORIGIN + pathname) : new Response("too many requests", { status: 429 });
  },
};

/** A fixed window in memory: synchronous, so that no request too many passes while the object lives. */
export class Counter extends DurableObject {
  window = 0;
  used = 0;

  spend(limit) {
    const window = Math.floor(Date.now() / PER);
    if (window !== this.window) [this.window, this.used] = [window, 0];
    if (this.used >= limit) return false;
    this.used += 1;
    return true;
  }
}
