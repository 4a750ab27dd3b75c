// The Worker's exports. Everything that decides is in the Wasm; this file starts it and hands requests over.
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { initSync, start, begin, offerCopy, LimiterObject, PurgeObject } from "../build/tidegate.js";
import module from "../build/tidegate_bg.wasm";
import config from "../build/config.bin";
import { crashed } from "./crash.mjs";

export { Cache } from "./cache_do.mjs";

initSync({ module });
start(new Uint8Array(config));

export default {
  // Not an async function: the runtime gets the very promise that the origin's answer settles, and it never rejects.
  fetch(request, env, ctx) {
    try {
      return begin(request, env, ctx);
    } catch (error) {
      return crashed(error);
    }
  },
};

// What the platform has no copy of: see src/copies.rs. Its cache may be turned on in front of this entrypoint, and
// of no other: the gateway runs for every request.
export class Copies extends WorkerEntrypoint {
  fetch(request) {
    try {
      return offerCopy(request.url, this.env, this.ctx);
    } catch (error) {
      return crashed(error);
    }
  }
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

// The one object that numbers all purges: see src/purge_do.rs.
export class Purge extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.purge = new PurgeObject(ctx.storage);
  }

  // Synchronous, as above.
  ask(message) {
    try {
      return this.purge.ask(message);
    } catch (error) {
      // What fails starts over from the rows in the storage.
      this.purge = new PurgeObject(this.ctx.storage);
      throw error;
    }
  }
}
