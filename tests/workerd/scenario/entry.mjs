// The Worker as it is deployed, with a clock and Durable Objects that a scenario controls. On workerd, in tests only.

import gateway, { Limiter as Deployed, Purge as DeployedPurge } from "./worker.mjs";

export { Cache } from "./worker.mjs";

/** Requests with this field are for this file. */
const CONTROL = "scenario-control";

const scene = { now: 0, limiter: "up", purge_log: "up" };
const calls = { limiter: 0, purge_log: 0, signature: 0 };
/** How many replies have left work behind that is not done. */
let pending = 0;

Date.now = () => scene.now;

const verify = SubtleCrypto.prototype.verify;
SubtleCrypto.prototype.verify = function (...parts) {
  calls.signature += 1;
  return verify.apply(this, parts);
};

/** Longer than a request waits for an object. */
const SILENCE_MS = 3_000;

// The objects live in the isolate of the first edge, so its scene is theirs.
export class Limiter extends Deployed {
  async ask(message) {
    await played("limiter");
    return super.ask(message);
  }

  async usage(message) {
    await played("limiter");
    return super.usage(message);
  }

  async reset(message) {
    await played("limiter");
    return super.reset(message);
  }
}

export class Purge extends DeployedPurge {
  async ask(message) {
    await played("purge_log");
    return super.ask(message);
  }
}

/** Counts a call, and has it end as the scene says. */
async function played(object) {
  calls[object] += 1;
  if (scene[object] === "silent") await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
  if (scene[object] !== "up") throw new Error("as the scenario wants it");
}

export default {
  fetch(request, env, ctx) {
    const control = request.headers.get(CONTROL);
    if (control === null) return gateway.fetch(request, env, watched(ctx));
    Object.assign(scene, JSON.parse(control));
    const told = Response.json({ ...calls, pending });
    Object.assign(calls, { limiter: 0, purge_log: 0, signature: 0 });
    return told;
  },
};

function watched(ctx) {
  return {
    waitUntil(promise) {
      pending += 1;
      ctx.waitUntil(promise.finally(() => (pending -= 1)));
    },
  };
}
