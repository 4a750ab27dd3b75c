// What a fresh clone lacks: the npm packages, and the Wasm target of the Rust toolchain.

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

import { Fault, say } from "./fault.mjs";
import { ROOT } from "./paths.mjs";
import { run } from "./program.mjs";

// How npm, cargo and rustup say that they reached nobody.
const NO_NETWORK = new RegExp(
  [
    "ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|timed out",
    "[Cc]ould(n't| not) (resolve|connect)|spurious network error",
    "could not download|failed to (download|query)",
  ].join("|"),
);
const WASM_TARGET = "wasm32-unknown-unknown";

const lastLines = (text, count = 20) => text.trim().split("\n").slice(-count).join("\n");

// ---- npm -------------------------------------------------------------------

const readLock = (...names) => {
  try {
    return JSON.parse(readFileSync(path.join(ROOT, ...names), "utf8")).packages;
  } catch {
    return undefined; // absent or cut short
  }
};

/** Whether npm's own record of what it installed has everything that the lock file wants on this machine. */
function packagesInstalled() {
  const installed = readLock("node_modules", ".package-lock.json");
  if (installed === undefined) return false;
  const fits = (list, ours) => list === undefined || list.includes(ours);
  return Object.entries(readLock("package-lock.json") ?? {}).every(([name, { version, optional, os, cpu, libc }]) => {
    if (name === "" || installed[name]?.version === version) return true;
    const forUs = os !== undefined && libc === undefined && fits(os, process.platform) && fits(cpu, process.arch);
    return installed[name] === undefined && optional && !forUs;
  });
}

export const packages = {
  title: "installing the npm packages",
  current: packagesInstalled,
  async run(progress) {
    const quick = [
      "--ignore-scripts",
      "--prefer-offline",
      "--engine-strict=false",
      "--include=dev",
      "--include=optional",
    ];
    const patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"];
    const [command, ...first] = npm();
    const parameters = [...first, "ci", "--loglevel=error", ...quick, ...patience];
    const { code, stdout, stderr } = await run(command, parameters, { onStdout: progress });
    if (code === "ENOENT") throw new Fault("npm is not on the PATH: it comes with Node, see https://nodejs.org");
    if (code !== 0) {
      if (NO_NETWORK.test(stderr)) throw new Fault("npm cannot reach its registry: check the network and try again.");
      say(lastLines(stderr + stdout));
      throw new Fault("npm could not install the packages that package-lock.json names; its words are above.");
    }
    if (!packagesInstalled())
      throw new Fault("npm left out packages that are needed: is `omit` or `os` set in .npmrc?");
  },
};

/** The npm that runs this script when one does, else the one on the PATH. */
function npm() {
  const running = process.env.npm_execpath;
  return running?.endsWith("npm-cli.js") && existsSync(running) ? [process.execPath, running] : ["npm"];
}

// ---- Rust ------------------------------------------------------------------

let checked = false;

/** Finds cargo, also where rustup puts it before the shell has been restarted, and checks its age. */
export async function checkRust() {
  if (checked) return;
  const rustupHome = path.join(process.env.CARGO_HOME ?? path.join(homedir(), ".cargo"), "bin");
  let answer = await run("cargo", ["--version"]);
  if (answer.code === "ENOENT" && existsSync(path.join(rustupHome, "cargo"))) {
    process.env.PATH = `${rustupHome}${path.delimiter}${process.env.PATH}`;
    answer = await run("cargo", ["--version"]);
  }
  if (answer.code === "ENOENT") throw new Fault("Rust is needed: install it with rustup, see https://rustup.rs");
  if (answer.code !== 0) throw new Fault("cargo does not start: run `rustup default stable`, then try again.");
  const manifest = readFileSync(path.join(ROOT, "Cargo.toml"), "utf8");
  const [, needed] = /^rust-version = "([\d.]+)"/m.exec(manifest) ?? [];
  const [, found] = /^cargo ([\d.]+)/.exec(answer.stdout) ?? [];
  if (needed !== undefined && found !== undefined && isOlder(found, needed)) {
    throw new Fault(`Rust ${needed} or newer is needed, this is ${found}: run \`rustup update stable\`.`);
  }
  checked = true;
}

function isOlder(version, than) {
  const [major, minor] = version.split(".").map(Number);
  const [thanMajor, thanMinor] = than.split(".").map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

/** Adds the Wasm target to the toolchain that cargo uses here. */
export async function addWasmTarget() {
  await checkRust();
  const { stdout } = await run("rustc", ["--print", "sysroot"]);
  if (existsSync(path.join(stdout.trim(), "lib", "rustlib", WASM_TARGET, "lib"))) return;
  await rustup(`the target ${WASM_TARGET}`, ["target", "add", WASM_TARGET]);
}

/** Adds the components that a minimal toolchain lacks: "rustfmt", "clippy". */
export async function addRustComponents(...names) {
  await checkRust();
  for (const name of names) {
    const program = name === "rustfmt" ? "fmt" : name;
    if ((await run("cargo", [program, "--version"])).code !== 0) {
      await rustup(`the component ${name}`, ["component", "add", name]);
    }
  }
}

async function rustup(what, parameters) {
  const { code, stderr } = await run("rustup", parameters);
  if (code === 0) return;
  if (code === "ENOENT")
    throw new Fault(`This Rust lacks ${what}, and no rustup is there to add it: see https://rustup.rs`);
  if (NO_NETWORK.test(stderr)) throw new Fault("rustup cannot reach its server: check the network and try again.");
  say(lastLines(stderr));
  throw new Fault(`rustup could not add ${what}; its words are above.`);
}

/** Builds with cargo and returns the files it made. `what` completes "… does not compile". */
export async function cargoBuild(what, parameters, progress) {
  await checkRust();
  const format = ["--message-format=json-render-diagnostics"];
  const options = { onStderr: progress, env: { ...process.env, CARGO_TERM_COLOR: "never" } };
  const { code, stdout, stderr } = await run("cargo", ["build", "--locked", ...format, ...parameters], options);
  if (code !== 0) {
    const compiled = /could not compile/.test(stderr);
    if (!compiled && NO_NETWORK.test(stderr)) {
      throw new Fault("cargo cannot reach its registry: check the network and try again.");
    }
    say(stderr.replace(/^ +(Compiling|Downloading|Downloaded|Updating|Locking|Fresh) .*\n/gm, "").trimEnd());
    throw new Fault(
      compiled ? `${what} does not compile; cargo's words are above.` : "cargo failed; its words are above.",
    );
  }
  const messages = stdout.split("\n").filter((line) => line.startsWith("{"));
  return messages.map((line) => JSON.parse(line)).filter((message) => message.reason === "compiler-artifact");
}
