// The Durable Objects of the cache. What they decide is in src/cache_do.rs and src/purge_do.rs.
import { DurableObject } from "cloudflare:workers";

import { CacheObject, PurgeObject } from "../build/tidegate.js";

// An object in the Wasm, which is made anew from its storage when it fails.
class Restarting extends DurableObject {
  constructor(ctx, env, Inner) {
    super(ctx, env);
    this.Inner = Inner;
    this.inner = new Inner(ctx.storage);
  }

  call(question) {
    try {
      return question(this.inner);
    } catch (error) {
      this.inner = new this.Inner(this.ctx.storage);
      throw error;
    }
  }
}

// The one log of all purges.
export class Purge extends Restarting {
  constructor(ctx, env) {
    super(ctx, env, PurgeObject);
  }

  ask(message) {
    return this.call((log) => log.ask(message));
  }
}

// One shard of the keys of a cache: who fills what, and the responses that all edges share.
export class Cache extends Restarting {
  constructor(ctx, env) {
    super(ctx, env, CacheObject);
    // For each key, how to wake those who wait for its filler.
    this.waiting = new Map();
  }

  async ask(key, message) {
    for (;;) {
      const answer = this.call((cache) => cache.ask(key, message));
      if (typeof answer !== "number") return answer;
      await this.woken(key, answer);
    }
  }

  bring(key, message, metadata, fields, body) {
    try {
      return this.call((cache) => cache.bring(key, message, metadata, fields, body));
    } finally {
      this.wake(key);
    }
  }

  ended(key, message) {
    try {
      this.call((cache) => cache.ended(key, message));
    } finally {
      this.wake(key);
    }
  }

  alarm() {
    this.call((cache) => cache.alarm());
  }

  // In a Durable Object requests may wait for one another: the filler wakes them, or the clock does.
  woken(key, until) {
    return new Promise((resolve) => {
      const sleepers = this.waiting.get(key) ?? new Set();
      this.waiting.set(key, sleepers);
      const wake = () => {
        clearTimeout(timer);
        sleepers.delete(wake);
        if (sleepers.size === 0 && this.waiting.get(key) === sleepers) this.waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(1, until - Date.now()));
      sleepers.add(wake);
    });
  }

  wake(key) {
    for (const wake of [...(this.waiting.get(key) ?? [])]) wake();
  }
}
