// Rust to a Worker: build/worker.mjs, build/tidegate_bg.wasm, and the native `tidegate` program.

import { cpSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";

import { Fault } from "./fault.mjs";
import { checkNode, modernNode } from "./node.mjs";
import { BUILD, ROOT } from "./paths.mjs";
import { run } from "./program.mjs";
import { addWasmTarget, cargoBuild, packages } from "./setup.mjs";
import { bringUpToDate, digest, files, Stamp } from "./steps.mjs";

const inBuild = (name) => path.join(BUILD, name);
const BINDINGS = inBuild("bindgen"); // what wasm-bindgen makes
export const WORKER = inBuild("worker.mjs");
export const WASM = inBuild("tidegate_bg.wasm");

// ---- the native programs ----------------------------------------------------

const MANIFESTS = ["Cargo.toml", "Cargo.lock"];
const programsStamp = new Stamp("programs");
const programsInputs = () => digest(files("crates", "edge/bindgen", ...MANIFESTS), process.env.CARGO_TARGET_DIR ?? "");

// These programs run for a moment: compiling them must not take longer than it has to.
const UNOPTIMISED = [
  'profile.tools.inherits="dev"',
  "profile.tools.debug=false",
  'profile.tools.package."*".opt-level=0',
].flatMap((setting) => ["--config", setting]);

const programs = {
  title: "compiling the tidegate program",
  current() {
    const { made = { missing: inBuild("missing") } } = programsStamp.read();
    return programsStamp.matches(programsInputs(), Object.values(made));
  },
  async run(progress) {
    const inputs = programsInputs();
    const names = ["-p", "tidegate-cli", "-p", "tidegate-bindgen"];
    const profile = ["--profile", "tools", ...UNOPTIMISED];
    const artifacts = await cargoBuild("the program", [...names, ...profile], progress);
    const executable = (name) => {
      const found = artifacts.find(({ target, executable }) => target.name === name && executable !== null);
      if (found === undefined) throw new Fault(`cargo built no program named ${name}.`);
      return found.executable;
    };
    programsStamp.write({
      inputs,
      made: { tidegate: executable("tidegate"), bindgen: executable("tidegate-bindgen") },
    });
  },
};

/** The path of the `tidegate` program that the build made. */
export function tidegateProgram() {
  const { made } = programsStamp.read();
  if (made === undefined) throw new Fault("the tidegate program is not built yet: run `npm run build`.");
  return made.tidegate;
}

// ---- the edge ---------------------------------------------------------------

const [bindingsScript, bindingsWasm] = ["tidegate.js", "tidegate_bg.wasm"].map((name) => path.join(BINDINGS, name));
const edgeStamp = new Stamp("edge");
const edgeSources = () => files("crates", "edge", ...MANIFESTS).filter((name) => name !== "edge/entry.mjs");
const edgeInputs = () => digest(edgeSources(), process.env.RUSTFLAGS ?? "");

const edge = {
  title: "compiling the edge to Wasm",
  current: () => edgeStamp.matches(edgeInputs(), [bindingsScript, bindingsWasm]),
  async run(progress) {
    const inputs = edgeInputs();
    await addWasmTarget();
    const target = ["--release", "--target", "wasm32-unknown-unknown"];
    const artifacts = await cargoBuild("the edge", ["-p", "tidegate-edge", ...target], progress);
    const wasm = artifacts.flatMap(({ filenames }) => filenames).find((name) => name.endsWith("/tidegate_edge.wasm"));
    if (wasm === undefined) throw new Fault("cargo built no tidegate_edge.wasm: edge/Cargo.toml must be a cdylib.");
    progress("making the JavaScript module");
    rmSync(BINDINGS, { recursive: true, force: true });
    const { code, stderr } = await run(programsStamp.read().made.bindgen, [wasm, BINDINGS]);
    if (code !== 0) throw new Fault(`wasm-bindgen refused the edge (${stderr.trim()}).`);
    edgeStamp.write({ inputs });
  },
};

// Everything that rustc uses for this target without being asked.
const WASM_FEATURES = [
  "bulk-memory",
  "multivalue",
  "mutable-globals",
  "nontrapping-float-to-int",
  "reference-types",
  "sign-ext",
];
const OPTIMISE = ["-O3", ...WASM_FEATURES.map((feature) => `--enable-${feature}`)];

const optimisedStamp = new Stamp("optimised");
const optimisedInputs = () => digest([bindingsWasm, "package-lock.json"], ...OPTIMISE);

const optimised = {
  title: "optimising the Wasm",
  current: () => optimisedStamp.matches(optimisedInputs(), [WASM]),
  async run() {
    const inputs = optimisedInputs();
    const program = path.join(ROOT, "node_modules", "binaryen", "bin", "wasm-opt");
    const made = `${WASM}.new`;
    const { code, stderr } = await run(modernNode(), [program, ...OPTIMISE, bindingsWasm, "-o", made]);
    if (code !== 0) throw new Fault(`wasm-opt failed (${stderr.trim()}).`);
    renameSync(made, WASM);
    optimisedStamp.write({ inputs });
  },
};

const bundleStamp = new Stamp("bundle");
const scripts = () => files("edge", path.relative(ROOT, BINDINGS)).filter((name) => /\.m?js$/.test(name));
const bundleInputs = () => digest([...scripts(), "package-lock.json"]);

const bundle = {
  title: "bundling the Worker",
  current: () => bundleStamp.matches(bundleInputs(), [WORKER]),
  async run() {
    const inputs = bundleInputs();
    for (const name of ["tidegate.js", "snippets"]) {
      rmSync(inBuild(name), { recursive: true, force: true });
      if (existsSync(path.join(BINDINGS, name))) cpSync(path.join(BINDINGS, name), inBuild(name), { recursive: true });
    }
    const { build } = await import("esbuild");
    // The platform compiles the Wasm and hands over the configuration: both stay imports, beside the bundle.
    const besideTheBundle = {
      name: "beside-the-bundle",
      setup: ({ onResolve }) =>
        onResolve({ filter: /\.(wasm|bin)$/ }, ({ path: name }) => ({
          path: `./${path.basename(name)}`,
          external: true,
        })),
    };
    const options = {
      bundle: true,
      format: "esm",
      minify: true,
      platform: "neutral",
      target: "es2024",
      charset: "utf8",
    };
    try {
      await build({
        ...options,
        entryPoints: [path.join(ROOT, "edge", "entry.mjs")],
        external: ["cloudflare:*"],
        outfile: WORKER,
        plugins: [besideTheBundle],
        logLevel: "error",
      });
    } catch (error) {
      throw new Fault("edge/entry.mjs cannot be bundled; esbuild's words are above.", { cause: error });
    }
    bundleStamp.write({ inputs });
  },
};

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
