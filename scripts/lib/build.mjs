// Rust to a Worker: build/worker.mjs, build/tidegate_bg.wasm, and the native `tidegate` program.

import { cpSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

import { Fault } from "./fault.mjs";
import { checkNode, modernNode } from "./node.mjs";
import { BUILD, ROOT } from "./paths.mjs";
import { run } from "./program.mjs";
import { addWasmTarget, cargoBuild, packages } from "./setup.mjs";
import { bringUpToDate, digest, files, noteOf, stampedStep } from "./steps.mjs";

const inBuild = (name) => path.join(BUILD, name);
const BINDINGS = inBuild("bindgen"); // what wasm-bindgen makes
export const WORKER = inBuild("worker.mjs");
export const WASM = inBuild("tidegate_bg.wasm");

// ---- the native programs ----------------------------------------------------

const MANIFESTS = ["Cargo.toml", "Cargo.lock"];
const PROGRAMS = { tidegate: "tidegate-cli", "tidegate-bindgen": "tidegate-bindgen" };

// These programs run for a moment: compiling them must not take longer than it has to.
const UNOPTIMISED = [
  'profile.tools.inherits="dev"',
  "profile.tools.debug=false",
  'profile.tools.package."*".opt-level=0',
].flatMap((setting) => ["--config", setting]);

const programs = stampedStep("programs", {
  title: "compiling the tidegate program",
  inputs: () => digest(files("crates", "edge/bindgen", ...MANIFESTS), ...UNOPTIMISED),
  outputs: () => Object.keys(PROGRAMS).map((name) => noteOf("programs").paths?.[name] ?? inBuild("nothing")),
  async run(progress) {
    const packages = Object.values(PROGRAMS).flatMap((name) => ["-p", name]);
    const artifacts = await cargoBuild("the program", [...packages, "--profile", "tools", ...UNOPTIMISED], progress);
    const paths = {};
    for (const { target, executable } of artifacts) if (executable !== null) paths[target.name] = executable;
    return { paths };
  },
});

/** The path of a native program that the build made: "tidegate" or "tidegate-bindgen". */
export function program(name) {
  const found = noteOf("programs").paths?.[name];
  if (found === undefined) throw new Fault(`the program ${name} is not built yet: run \`npm run build\`.`);
  return found;
}

// ---- the edge ---------------------------------------------------------------

const [bindingsScript, bindingsWasm] = ["tidegate.js", "tidegate_bg.wasm"].map((name) => path.join(BINDINGS, name));

const edge = stampedStep("edge", {
  title: "compiling the edge to Wasm",
  inputs() {
    const sources = files("crates", "edge", ...MANIFESTS).filter((name) => name !== "edge/entry.mjs");
    return digest(sources, process.env.RUSTFLAGS ?? "");
  },
  outputs: () => [bindingsScript, bindingsWasm],
  async run(progress) {
    await addWasmTarget();
    const target = ["--release", "--target", "wasm32-unknown-unknown"];
    const artifacts = await cargoBuild("the edge", ["-p", "tidegate-edge", ...target], progress);
    const wasm = artifacts.flatMap(({ filenames }) => filenames).find((name) => name.endsWith("/tidegate_edge.wasm"));
    if (wasm === undefined) throw new Fault("cargo built no tidegate_edge.wasm: edge/Cargo.toml must be a cdylib.");
    rmSync(BINDINGS, { recursive: true, force: true });
    const { code, stderr } = await run(program("tidegate-bindgen"), [wasm, BINDINGS]);
    if (code !== 0) throw new Fault(`wasm-bindgen refused the edge (${stderr.trim()}).`);
  },
});

// Everything that rustc uses for this target without being asked.
const WASM_FEATURES = [
  "bulk-memory",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
];

// Else a function with one caller is put into that, whatever its size, and an isolate compiles a function whole.
const ONE_CALLER_MAX = ["--one-caller-inline-max-function-size", "30"];
const OPTIMISE = ["-O3", ...ONE_CALLER_MAX, ...WASM_FEATURES.map((feature) => `--enable-${feature}`)];

const optimised = stampedStep("optimised", {
  title: "optimising the Wasm",
  inputs: () => digest([bindingsWasm, "package-lock.json"], ...OPTIMISE),
  outputs: () => [WASM],
  async run() {
    const wasmOpt = path.join(ROOT, "node_modules", "binaryen", "bin", "wasm-opt");
    const made = `${WASM}.new`;
    const { code, stderr } = await run(modernNode(), [wasmOpt, ...OPTIMISE, bindingsWasm, "-o", made]);
    if (code !== 0) throw new Fault(`wasm-opt failed (${stderr.trim()}).`);
    renameSync(made, WASM);
  },
});

// The platform compiles the Wasm and hands over the configuration: both stay imports, beside the bundle.
const besideTheBundle = {
  name: "beside-the-bundle",
  setup({ onResolve }) {
    const keep = ({ path: name }) => ({ path: `./${path.basename(name)}`, external: true });
    onResolve({ filter: /\.(wasm|bin)$/ }, keep);
  },
};

const bundle = stampedStep("bundle", {
  title: "bundling the Worker",
  inputs() {
    const scripts = files("edge", path.relative(ROOT, BINDINGS)).filter((name) => /\.m?js$/.test(name));
    return digest([...scripts, "package-lock.json"]);
  },
  outputs: () => [WORKER],
  async run() {
    for (const name of ["tidegate.js", "snippets"]) {
      rmSync(inBuild(name), { recursive: true, force: true });
      if (existsSync(path.join(BINDINGS, name))) cpSync(path.join(BINDINGS, name), inBuild(name), { recursive: true });
    }
    const { build } = await import("esbuild");
    const result = build({
      entryPoints: [path.join(ROOT, "edge", "entry.mjs")],
      outfile: WORKER,
      bundle: true,
      minify: true,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      charset: "utf8",
      external: ["cloudflare:*"],
      plugins: [besideTheBundle],
      logLevel: "error",
    });
    await result.catch((cause) => {
      throw new Fault("edge/entry.mjs cannot be bundled; esbuild's words are above.", { cause });
    });
  },
});

// ---- together ---------------------------------------------------------------

const NEEDS = {
  packages: [packages],
  programs: [packages, programs],
  worker: [packages, programs, edge, optimised, bundle],
};

/** Brings the clone up to date as far as a command needs it: "packages", "programs" or "worker". */
export async function setUp(need) {
  checkNode();
  await bringUpToDate(NEEDS[need]);
}

/** Bytes that a deployment uploads, after gzip, as Cloudflare counts them. */
export function gzippedSize(...names) {
  return names.reduce((sum, name) => sum + gzipSync(readFileSync(name), { level: 9 }).length, 0);
}
