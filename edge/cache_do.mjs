import { DurableObject } from "cloudflare:workers";

import { CacheObject } from "../build/tidegate.js";

// One object has one request fetch for all that want a key, and keeps what it brings: see src/cache_do.rs. What waits
// for somebody else's fetch waits here, which one request may do for another in an object, and nowhere else.
export class Cache extends DurableObject {
  waiting = new Map();

  constructor(ctx, env) {
    super(ctx, env);
    this.object = new CacheObject(ctx.storage);
  }

  async ask(key, message, waits) {
    for (;;) {
      const [said, kept, waitMs] = this.using((object) => object.ask(key, message));
      if (!waits || waitMs === undefined) return [said, kept];
      await this.woken(key, waitMs);
    }
  }

  keep(key, message, kept) {
    const isKept = this.using((object) => object.keep(key, message, kept));
    this.wake(key);
    return isKept;
  }

  end(key, message) {
    this.using((object) => object.end(key, message));
    this.wake(key);
  }

  forget(key) {
    this.using((object) => object.forget(key));
    this.wake(key);
  }

  alarm() {
    this.using((object) => object.alarm());
  }

  // Until somebody wakes those who wait for a key, or the time is up.
  async woken(key, milliseconds) {
    let waiting = this.waiting.get(key);
    if (waiting === undefined) {
      waiting = Promise.withResolvers();
      this.waiting.set(key, waiting);
    }
    let timer;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([waiting.promise, timeout]);
    clearTimeout(timer);
  }

  wake(key) {
    this.waiting.get(key)?.resolve();
    this.waiting.delete(key);
  }

  // What fails starts over from the rows in the storage.
  using(work) {
    try {
      return work(this.object);
    } catch (error) {
      this.object = new CacheObject(this.ctx.storage);
      throw error;
    }
  }
}
