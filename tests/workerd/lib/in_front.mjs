// The Worker as it is deployed, behind a test's own context: the model of the Workers Cache in front of the entrypoint
// `Copies`, or no entrypoint at all. What stands above this is the model, put there by the test.
/* global WorkersCache */

import gateway from "./worker.mjs";

export { Cache, Copies, Limiter, Purge } from "./worker.mjs";

// Another request's promise cannot be waited for here, so nothing is collapsed.
const cache = new WorkersCache({ collapses: false });

/** Requests with this field are for this file: a URL that the cache is asked for, or nothing. */
const CONTROL = "in-front-control";

export default {
  async fetch(request, env, ctx) {
    const control = request.headers.get(CONTROL);
    const Copies = cache.entrypoint("Copies", ctx.exports.Copies);
    const context = { waitUntil: (promise) => ctx.waitUntil(promise), exports: { Copies } };
    if (control === null) return gateway.fetch(request, env, context);
    if (control !== "") return Copies.fetch(control);
    const entries = [...cache.entries].flatMap(([key, kept]) =>
      kept.map(({ status, lifetime, headers }) => ({ key, status, lifetime, headers: Object.fromEntries(headers) })),
    );
    return Response.json({ requests: cache.requests, entries });
  },
};
