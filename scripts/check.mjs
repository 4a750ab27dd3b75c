import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { parse } from "./lib/arguments.mjs";
import { program, setUp } from "./lib/build.mjs";
import { withWorkersCache } from "./lib/deployment.mjs";
import { main, say } from "./lib/fault.mjs";
import { goOnUnderModernNode } from "./lib/node.mjs";
import { BUILD, ROOT } from "./lib/paths.mjs";
import { run, show } from "./lib/program.mjs";
import { addRustComponents, addWasmTarget } from "./lib/setup.mjs";
import { files } from "./lib/steps.mjs";

const USAGE = `usage: npm run check

Format, lints, the example configuration, licences and advisories, the deployment, the scripts' form.`;

const LINE_MAX = 120;
const LINES_MAX = 300;
const REGISTRY = "https://registry.npmjs.org/";

const cargo = (...parameters) => show("cargo", parameters);
const deny = ["--", "-D", "warnings"];

async function licencesAndAdvisories() {
  const { code } = await run("cargo", ["deny", "--version"]);
  if (code === 0) return cargo("deny", "--locked", "check");
  say("cargo-deny is not installed, licences and advisories are not checked: cargo install --locked cargo-deny");
  return 0;
}

/** Complaints about one script: it parses, and it has the form that all of them have. */
async function complaints(name, transform) {
  const text = readFileSync(path.join(ROOT, name), "utf8");
  const found = [];
  await transform(text, { loader: "js", format: "esm", sourcefile: name, logLevel: "silent" }).catch((error) => {
    for (const { location, text: words } of error.errors) found.push(`${location?.line ?? 1}: ${words}`);
  });
  const lines = text.split("\n");
  const test = name.startsWith("tests/"); // a message as it is on the wire stays on one line
  for (const [index, line] of lines.entries()) {
    if (line.length > LINE_MAX && !test) found.push(`${index + 1}: longer than ${LINE_MAX} columns`);
    if (/[ \t\r]$|\t/.test(line)) found.push(`${index + 1}: a tab, or white space at the end`);
  }
  if (!text.endsWith("\n") || text.endsWith("\n\n")) found.push(`${lines.length}: the file ends with one line feed`);
  if (lines.length > LINES_MAX && !test) found.push(`1: more than ${LINES_MAX} lines`);
  return found.map((words) => `${name}:${words}`);
}

async function scripts() {
  const { transform } = await import("esbuild");
  const names = files("scripts", "demo", "edge", "tests", "bench").filter((name) => name.endsWith(".mjs"));
  const found = (await Promise.all(names.map((name) => complaints(name, transform)))).flat();
  found.forEach(say);
  return found.length;
}

/** wrangler accepts what would be deployed. Nothing leaves the machine, and nobody needs to be logged in. */
async function deployment(...more) {
  const parameters = ["deploy", "--dry-run", "--outdir", path.join(BUILD, ".deployment"), ...more];
  const wrangler = path.join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  const { code, stdout, stderr } = await run(process.execPath, [wrangler, ...parameters]);
  const [size] = /^Total Upload:.*$/m.exec(stdout) ?? [];
  say(code === 0 && size !== undefined ? size : stdout + stderr);
  return code;
}

/** The same with the Workers Cache, as wrangler.toml tells to turn it on. */
function deploymentWithWorkersCache() {
  const file = path.join(BUILD, "wrangler.workers_cache.toml");
  writeFileSync(file, withWorkersCache(readFileSync(path.join(ROOT, "wrangler.toml"), "utf8")));
  return deployment("--config", file);
}

/** The lock file names no registry but the public one, and one version of the tools that must agree. */
function lockFile() {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, "package-lock.json"), "utf8"));
  const found = [];
  for (const [name, { resolved }] of Object.entries(packages)) {
    if (resolved !== undefined && !resolved.startsWith(REGISTRY)) found.push(`${name} comes from ${resolved}`);
  }
  for (const tool of ["workerd", "miniflare", "esbuild", "wrangler"]) {
    const places = Object.keys(packages).filter((name) => name.endsWith(`node_modules/${tool}`));
    if (places.length !== 1) found.push(`${tool} is installed ${places.length} times`);
  }
  found.forEach((words) => say(`package-lock.json: ${words}`));
  return found.length;
}

const CHECKS = [
  ["Rust format", () => cargo("fmt", "--all", "--check")],
  ["lints, native", () => cargo("clippy", "--locked", "--all-targets", ...deny)],
  ["lints, bindgen", () => cargo("clippy", "--locked", "-p", "tidegate-bindgen", ...deny)],
  [
    "lints, edge",
    () => cargo("clippy", "--locked", "-p", "tidegate-edge", "--target", "wasm32-unknown-unknown", ...deny),
  ],
  ["tidegate check tidegate.toml", () => show(program("tidegate"), ["check", "tidegate.toml"])],
  ["licences and advisories", licencesAndAdvisories],
  ["wrangler deploy --dry-run", () => deployment()],
  ["wrangler deploy --dry-run, with the Workers Cache", deploymentWithWorkersCache],
  ["scripts", scripts],
  ["lock file", lockFile],
];

await main(async () => {
  parse(USAGE, {});
  await setUp("worker");
  await goOnUnderModernNode();
  await addWasmTarget();
  await addRustComponents("rustfmt", "clippy");
  const failed = [];
  for (const [title, check] of CHECKS) {
    say(`\n== ${title}`);
    if ((await check()) !== 0) failed.push(title);
  }
  say(failed.length === 0 ? "\nall checks passed" : `\nfailed: ${failed.join(", ")}`);
  return failed.length === 0 ? 0 : 1;
});
