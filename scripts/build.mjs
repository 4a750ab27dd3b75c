import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { parse } from "./lib/arguments.mjs";
import { gzippedSize, setUp, WASM, WORKER } from "./lib/build.mjs";
import { hasWorkersCache } from "./lib/deployment.mjs";
import { main, say } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { BUILD, ROOT } from "./lib/paths.mjs";

const USAGE = `usage: npm run build [-- --config FILE]

Makes everything that is deployed in build/: the Worker, the Wasm, and the compiled configuration.

  --config FILE   the configuration (default: $TIDEGATE_CONFIG, else tidegate.toml)`;

await main(async () => {
  const values = parse(USAGE, { config: { type: "string" } });
  const config = values.config ?? process.env.TIDEGATE_CONFIG ?? "tidegate.toml";
  await setUp("worker");
  await goOnUnderModernNode();
  const { compileConfig } = await import("./lib/config.mjs");
  const { bytes, manifest } = await compileConfig(config);
  mkdirSync(BUILD, { recursive: true });
  const compiled = path.join(BUILD, "config.bin");
  writeFileSync(compiled, bytes);
  writeFileSync(path.join(BUILD, "config.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  const kibibytes = (gzippedSize(WORKER, WASM, compiled) / 1024).toFixed(1);
  say(`build/ holds the Worker for ${config}: ${kibibytes} KiB after gzip`);
  if (manifest.workers_cache && !hasWorkersCache(readFileSync(path.join(ROOT, "wrangler.toml"), "utf8"))) {
    say("before the next deployment: turn the Workers Cache on at the end of wrangler.toml   (cache_backend needs it)");
  }
  for (const { name, for: what } of manifest.secrets ?? []) {
    say(`before the first deployment: npx wrangler secret put ${name}   (${what} needs it)`);
  }
});
