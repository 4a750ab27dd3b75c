// The Durable Objects of the gateway, as wrangler.toml binds them.

/** From binding to class. */
export const OBJECTS = { LIMITER: "Limiter", PURGE: "Purge", CACHE: "Cache" };

/** What the Worker that has them exports. */
export const EXPORTS = Object.fromEntries(
  Object.values(OBJECTS).map((name) => [name, { type: "durable-object", storage: "sqlite" }]),
);

/** The bindings of a Worker to the objects of another one, or its own. */
export function bindings(worker) {
  const bound = (exportName) => ({ type: "durable-object", worker, exportName });
  return Object.fromEntries(Object.entries(OBJECTS).map(([binding, name]) => [binding, bound(name)]));
}
