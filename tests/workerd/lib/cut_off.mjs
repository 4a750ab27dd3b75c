// The Worker as it is deployed, behind a switch that cuts an edge off from its Durable Objects, and with a count of what
// the objects were asked. On workerd, in tests only.

import gateway, { Limiter as DeployedLimiter, Purge as DeployedPurge } from "./worker.mjs";

export * from "./worker.mjs";

/** Requests with this field are for this file. */
const CONTROL = "test-control";

let isCutOff = false;
let asked = 0;
let purgeLogAsked = 0;

// The objects live in the isolate of the first edge, so its count is that of all edges.
export class Limiter extends DeployedLimiter {
  ask(message) {
    asked += 1;
    return super.ask(message);
  }
}

export class Purge extends DeployedPurge {
  ask(message) {
    purgeLogAsked += 1;
    return super.ask(message);
  }
}

const silence = () => new Promise(() => {});

/** A namespace whose objects never answer. */
const GONE = { idFromName: (name) => name, get: () => ({ ask: silence, usage: silence, reset: silence }) };

export default {
  fetch(request, env, ctx) {
    const control = request.headers.get(CONTROL);
    if (control === null) return gateway.fetch(request, isCutOff ? { ...env, LIMITER: GONE, PURGE: GONE } : env, ctx);
    isCutOff = control === "cut";
    return Response.json({ asked, purgeLogAsked });
  },
};
