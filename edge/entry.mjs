// The Worker's exports. Everything that decides is in the Wasm; this file starts it and hands requests over.
import { DurableObject } from "cloudflare:workers";
import { initSync, start, begin, LimiterObject } from "../build/tidegate.js";
import module from "../build/tidegate_bg.wasm";
import config from "../build/config.bin";

initSync({ module });
start(new Uint8Array(config));

export default {
  // Returns a response where memory suffices to refuse, and the runtime's own promise otherwise.
  fetch(request, env, ctx) {
    try {
      return begin(request, env, ctx);
    } catch (error) {
      return crashed(error);
    }
  },
};

// One object holds the limits of one group and shard: see src/limiter_do.rs.
export class Limiter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.limiter = new LimiterObject(ctx.storage);
  }

  // Synchronous from the start of the event to its reply: nothing else can run in between.
  spend(message) {
    return this.limiter.spend(message);
  }

  alarm() {
    this.limiter.alarm();
  }
}

// A trap in the Wasm is a bug: the request gets a plain answer and the log the reason, nothing hangs.
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
