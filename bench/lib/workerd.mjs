// One raw workerd process per program: the same binary, the same compatibility date, the same socket, no miniflare.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { ROOT } from "../../scripts/lib/paths.mjs";
import { freePort, listening, start } from "./processes.mjs";

/** The binary itself: the launcher in node_modules/.bin is a Node process in front of it. */
export const { default: WORKERD } = createRequire(import.meta.url)("workerd");

/** The date that Tidegate is deployed with. */
export const COMPATIBILITY_DATE = /^compatibility_date = "(.*)"$/m.exec(
  readFileSync(path.join(ROOT, "wrangler.toml"), "utf8"),
)[1];

const quote = (text) => JSON.stringify(text);

/** `cf-blob` stands for what Cloudflare knows of a request: the Worker finds it in `request.cf`. */
function configuration({ modules, objects }, port, storage) {
  const listed = modules.map(({ name, kind }) => `(name = ${quote(name)}, ${kind} = embed ${quote(name)})`);
  const bound = Object.entries(objects).map(
    ([name, type]) => `(name = ${quote(name)}, durableObjectNamespace = ${quote(type)})`,
  );
  const types = Object.values(objects).map(
    (type) => `(className = ${quote(type)}, uniqueKey = ${quote(type)}, enableSql = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "program", worker = (
      modules = [${listed.join(", ")}],
      compatibilityDate = ${quote(COMPATIBILITY_DATE)},
      bindings = [${bound.join(", ")}],
      durableObjectNamespaces = [${types.join(", ")}],
      ${types.length > 0 ? 'durableObjectStorage = (localDisk = "objects"),' : ""}
    )),
    (name = "objects", disk = (path = ${quote(storage)}, writable = true)),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (cfBlobHeader = "mf-cf-blob"), service = "program")],
);
`;
}

/**
 * Writes a program down so that it can be started any number of times.
 * `modules`: `{ name, kind, content }`, the main one first; `objects`: from a binding to the class of a Durable Object.
 */
export function place(directory, name, { modules, objects = {} }) {
  const own = path.join(directory, name);
  mkdirSync(own, { recursive: true });
  for (const module of modules) writeFileSync(path.join(own, module.name), module.content);
  return { name, directory: own, modules, objects };
}

/** Starts a placed program, without waiting for it. */
export async function launch(program, cores) {
  const port = await freePort();
  const config = path.join(program.directory, "config.capnp");
  // SQL needs files; in the directory of this run every start is a first one.
  const storage = mkdtempSync(path.join(program.directory, "objects-"));
  writeFileSync(config, configuration(program, port, storage));
  const log = path.join(program.directory, "log");
  const child = start(WORKERD, ["serve", config], { cores, log });
  return { name: program.name, port, child, log };
}

/** Starts a placed program and resolves when it accepts connections. */
export async function serve(program, cores) {
  const server = await launch(program, cores);
  await listening(server.port, server.child, server.log);
  return server;
}
