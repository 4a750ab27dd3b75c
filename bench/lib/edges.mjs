// Four edges of one program on miniflare: isolates of their own, which share objects and KV, as in a deployment.

import { readFileSync } from "node:fs";
import path from "node:path";

import { Miniflare } from "miniflare";

import { ROOT } from "../../scripts/lib/paths.mjs";
import { COMPATIBILITY_DATE } from "./workerd.mjs";

export const EDGES = 4;
export const LIMIT = 500;

const edgeName = (index) => `edge${index}`;
const text = (value) => ({ type: "text", value: `${value}` });

/** One edge of the program in workers/limited.mjs. */
function edge(index, way, origin) {
  return {
    config: {
      name: edgeName(index),
      compatibilityDate: COMPATIBILITY_DATE,
      manifest: {
        mainModule: "limited.mjs",
        modulesRoot: ROOT,
        modules: {
          "limited.mjs": {
            type: "esm",
            contents: readFileSync(path.join(ROOT, "bench/workers/limited.mjs"), "utf8"),
          },
        },
      },
      env: {
        WAY: text(way),
        ORIGIN: text(origin),
        LIMIT: { type: "json", value: LIMIT },
        LIMITER: { type: "durable-object", worker: edgeName(0), exportName: "Counter" },
        COUNTS: { type: "kv", id: "counts" },
        // The platform counts per location: each edge is one.
        BINDING: { type: "rate-limit", namespace: `${1000 + index}`, simple: { limit: LIMIT, period: 10 } },
      },
      exports: index === 0 ? { Counter: { type: "durable-object", storage: "sqlite" } } : {},
    },
    dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
  };
}

/** Starts the edges of one way to count: "object", "binding" or "kv". */
export async function startPeer(way, origin) {
  const workers = Array.from({ length: EDGES }, (_, index) => edge(index, way, origin));
  const miniflare = new Miniflare({ host: "127.0.0.1", cf: false, enableDevRegistry: false, workers });
  await miniflare.ready;
  const urls = [];
  for (let index = 0; index < EDGES; index += 1) {
    urls.push((await miniflare.unsafeGetDirectURL(edgeName(index))).origin);
  }
  return { urls, stop: () => miniflare.dispose() };
}
