// The servers of a scenario: real ones on loopback, which answer as the file says.

import { createServer } from "node:http";

import { duration } from "./file.mjs";
import { keySet } from "./token.mjs";

const HOST = "127.0.0.1";
const ADDRESS = /https:\/\/([a-z0-9-]+)\.test/g;

/** Starts every server that the configuration names as `https://NAME.test`. */
export async function startServers({ config, origins }) {
  const names = new Set([...config.matchAll(ADDRESS)].map(([, name]) => name));
  const servers = new Servers();
  for (const name of names) await servers.start(name, origins[name] ?? []);
  return servers;
}

class Servers {
  constructor() {
    this.byName = new Map();
    /** What they got since the last look, in order. */
    this.received = [];
  }

  async start(name, script) {
    const turns = new Map();
    const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
      const parts = [];
      request.on("error", () => {});
      request.on("data", (part) => parts.push(part));
      const pathname = request.url.split("?")[0];
      const path = script.find((reply) => reply.path === pathname)?.path;
      const replies = script.filter((reply) => reply.path === path);
      const turn = turns.get(path) ?? 0;
      turns.set(path, turn + 1);
      const received = { server: name, target: `${request.method} ${request.url}`, headers: fields(request), body: "" };
      this.received.push(received);
      request.on("end", () => {
        received.body = Buffer.concat(parts).toString("utf8");
        answer(name, replies[turn] ?? replies.at(-1) ?? {}, request, response);
      });
    });
    this.byName.set(name, server);
    await listen(server, 0);
    server.port = server.address().port;
  }

  /** The configuration with the addresses of this run. */
  addressed(config) {
    const address = (_, name) => `http://${HOST}:${this.byName.get(name).port}`;
    return config.replaceAll(ADDRESS, address);
  }

  /** Has these servers refuse connections, and all others accept them. */
  async setDown(names) {
    for (const [name, server] of this.byName) {
      if (names.includes(name) === !server.listening) continue;
      await (server.listening ? close(server) : listen(server, server.port));
    }
  }

  take() {
    return this.received.splice(0);
  }

  async stop() {
    for (const server of this.byName.values()) if (server.listening) await close(server);
  }
}

function answer(name, reply, request, response) {
  const { path, status = 200, headers = {}, keys, echo, delay, drop, ...more } = reply;
  const echoed = echo?.map((field) => request.headers[field] ?? "").join("|");
  const { body = keys ? keySet(keys) : (echoed ?? name), ...unknown } = more;
  if (Object.keys(unknown).length > 0) throw new Error(`unknown in a reply: ${Object.keys(unknown)}`);
  if (drop) return request.socket.destroy();
  const send = () => {
    response.on("error", () => {});
    // A date of the real clock would make every reply a lifetime old.
    response.sendDate = false;
    response.statusCode = status;
    for (const [field, value] of Object.entries(headers)) response.setHeader(field, value);
    response.end(body);
  };
  return delay === undefined ? send() : setTimeout(send, duration(delay));
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, HOST, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function close(server) {
  return new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

/** The header fields of a message by their lower-case names, lines joined as the platform joins them. */
export function fields({ rawHeaders }) {
  const found = new Map();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index].toLowerCase();
    const value = rawHeaders[index + 1];
    found.set(name, found.has(name) ? `${found.get(name)}, ${value}` : value);
  }
  return found;
}
