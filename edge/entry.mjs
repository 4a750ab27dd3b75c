// The Worker's exports. Everything that decides is in the Wasm; this file starts it and hands requests over.
import { DurableObject } from "cloudflare:workers";
import { initSync, start, begin, LimiterObject, __wbg_reset_state as resetState } from "../build/tidegate.js";
import module from "../build/tidegate_bg.wasm";
import config from "../build/config.bin";

export { Cache, Purge } from "./cache_objects.mjs";

initSync({ module });
start(new Uint8Array(config));

export default {
  async fetch(request, env, ctx) {
    try {
      return await begin(request, env, ctx);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) startOver();
      return crashed(error);
    }
  },
};

// After a trap the memory may be half written or locked: the next request gets a fresh one.
function startOver() {
  resetState();
  start(new Uint8Array(config));
}

// One object holds the limits of one group and shard: see src/limiter_do.rs.
export class Limiter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.limiter = new LimiterObject(ctx.storage);
  }

  // Synchronous from the start of the event to its reply: nothing else can run in between.
  ask(message) {
    return this.using((limiter) => limiter.ask(message));
  }

  // For operators: what is used of a key, and a fresh start for it.
  usage(message) {
    return this.using((limiter) => limiter.usage(message));
  }

  reset(message) {
    return this.using((limiter) => limiter.reset(message));
  }

  alarm() {
    this.using((limiter) => limiter.alarm());
  }

  // What fails starts over from the rows in the storage, which are never behind what was granted.
  using(work) {
    try {
      return work(this.limiter);
    } catch (error) {
      this.limiter = new LimiterObject(this.ctx.storage);
      throw error;
    }
  }
}

// A trap in the Wasm is a bug: the request gets a plain answer, and the log the reason.
function crashed(error) {
  console.error(JSON.stringify({ error: "crashed", reason: String(error?.message ?? error) }));
  const problem = {
    type: "tag:tidegate,2026:problem/internal",
    title: "Internal Server Error",
    status: 500,
    detail: "The gateway failed to handle this request.",
    request_id: crypto.randomUUID().replaceAll("-", ""),
  };
  return Response.json(problem, {
    status: 500,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": problem.request_id,
    },
  });
}
