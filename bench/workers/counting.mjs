// Tidegate's Worker, and how often it calls a Durable Object: counted where the calls leave, whatever they are. A
// switch cuts it off from them. And it says how much memory its Wasm has.

let memory;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (module, imports) {
  const instance = new Instance(module, imports);
  ({ memory } = instance.exports);
  return instance;
};

// Not before its Wasm can be seen.
const worker = await import("./worker.mjs");
const gateway = worker.default;

export const { Cache, Copies, Limiter, Purge } = worker;

let calls = 0;
let isCutOff = false;

const silence = () => new Promise(() => {});

const bound = (target, name) => (typeof target[name] === "function" ? target[name].bind(target) : target[name]);

/** A stub whose methods count. */
const counted = (stub) =>
  new Proxy(stub, {
    get(target, name) {
      if (typeof target[name] !== "function") return target[name];
      return (...parameters) => {
        calls += 1;
        if (isCutOff) return silence();
        return target[name](...parameters);
      };
    },
  });

/** A namespace whose stubs do. */
const countedNamespace = (namespace) =>
  new Proxy(namespace, {
    get(target, name) {
      if (name !== "get" && name !== "getByName") return bound(target, name);
      return (...parameters) => counted(target[name](...parameters));
    },
  });

export default {
  fetch(request, env, ctx) {
    if (request.url.endsWith("/durable-object-calls")) return new Response(`${calls}`);
    if (request.url.endsWith("/wasm-memory")) return new Response(`${memory.buffer.byteLength}`);
    if (request.url.endsWith("/durable-objects-gone") || request.url.endsWith("/durable-objects-back")) {
      isCutOff = request.url.endsWith("gone");
      return new Response("");
    }
    const objects = { LIMITER: countedNamespace(env.LIMITER), PURGE: countedNamespace(env.PURGE) };
    return gateway.fetch(request, { ...env, ...objects }, ctx);
  },
};
