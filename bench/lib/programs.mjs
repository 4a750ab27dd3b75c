// The three programs, each placed so that workerd can run it: bare, peer, tidegate.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { build } from "esbuild";

import { WASM, WORKER } from "../../scripts/lib/build.mjs";
import { compileConfig } from "../../scripts/lib/config.mjs";
import { OBJECTS } from "../../scripts/lib/objects.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { BODY } from "./origin.mjs";
import { AUDIENCE, ISSUER, KEY_SET } from "./tokens.mjs";
import { place } from "./workerd.mjs";

const inBench = (name) => path.join(ROOT, "bench", name);

/** Four routes are measured; these others make a configuration of 100 for Tidegate; the peer has one less. */
const FILLERS = 96;

const LIMITS = [
  { name: "per-user", claim: "sub", requests: 1000, per: 1000, burst: 100_000_000 },
  { name: "per-organisation", claim: "org", requests: 2000, per: 1000, burst: 200_000_000 },
];

/** What bare and peer import as ./settings.mjs. */
function settings(origins) {
  const constants = { ORIGINS: origins, KEYS: KEY_SET, ISSUER, AUDIENCE, LIMITS, FILLERS, BODY };
  return Object.entries(constants)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`)
    .join("");
}

const esModule = (name, content) => ({ name, kind: "esModule", content });

async function peerBundle() {
  const { outputFiles } = await build({
    entryPoints: [inBench("workers/peer.mjs")],
    external: ["cloudflare:*", "./settings.mjs"],
    bundle: true,
    write: false,
    format: "esm",
    minify: true,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    target: "es2024",
    logLevel: "error",
  });
  return outputFiles[0].text;
}

/** The configuration of this run: bench/tidegate.toml with this run's origins, and 100 routes. */
function configurationText(origins) {
  let text = readFileSync(inBench("tidegate.toml"), "utf8");
  for (const [pool, first] of [["eu", 8721], ["us", 8711]]) {
    origins[pool].forEach((url, index) => {
      text = text.replace(`http://127.0.0.1:${first + index}`, url);
    });
  }
  for (let index = 0; index < FILLERS; index += 1) {
    text += `
[[route]]
name = "filler-${index}"
match = { path = "/filler-${index}/{id}/items/{*rest}", methods = ["GET"] }
auth = { any = ["main"], scopes = ["read"] }
limits = ["per-user"]
`;
  }
  return text;
}

async function compiled(directory, origins) {
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, "tidegate.toml");
  writeFileSync(path.join(directory, "keys.json"), JSON.stringify(KEY_SET));
  writeFileSync(file, configurationText(origins));
  return (await compileConfig(file)).bytes;
}

/** Places the programs in the directory of this run. `counting` is Tidegate with a count of Durable Object calls. */
export async function placePrograms(directory, origins) {
  const constants = esModule("settings.mjs", settings(origins));
  const [peer, config] = await Promise.all([peerBundle(), compiled(path.join(directory, "config"), origins)]);
  const gateway = [
    esModule("worker.mjs", readFileSync(WORKER)),
    { name: path.basename(WASM), kind: "wasm", content: readFileSync(WASM) },
    { name: "config.bin", kind: "data", content: config },
  ];
  const counting = esModule("counting.mjs", readFileSync(inBench("workers/counting.mjs")));
  const [peerObjects, objects] = [{ LIMITER: "Limiter" }, OBJECTS];
  const bare = esModule("bare.mjs", readFileSync(inBench("workers/bare.mjs")));
  return {
    bare: place(directory, "bare", { modules: [bare, constants] }),
    peer: place(directory, "peer", { modules: [esModule("peer.mjs", peer), constants], objects: peerObjects }),
    tidegate: place(directory, "tidegate", { modules: gateway, objects }),
    counting: place(directory, "counting", { modules: [counting, ...gateway], objects }),
  };
}
