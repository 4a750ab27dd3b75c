// A client that sends a step's request byte for byte.

import { Agent, request as begin } from "node:http";

import { PATIENCE_MS } from "../lib/time.mjs";
import { fields } from "./servers.mjs";

// One connection for all requests to a port: many scenarios are many connections. An idle one is given up before the
// runtime does it, after 5 s: a request that is sent at that very moment would be lost.
const agent = new Agent({ keepAlive: true, timeout: 3_000 });

/** Sends a request and reads the whole response. `headers` is a flat list of names and values. */
export function send(port, method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = begin({ host: "127.0.0.1", port, method, path, headers, agent, setDefaultHeaders: false });
    request.on("error", reject);
    request.setTimeout(PATIENCE_MS, () => request.destroy(new Error(`${method} ${path}: silent for too long`)));
    request.on("response", (response) => {
      const parts = [];
      response.on("error", reject);
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const content = Buffer.concat(parts).toString("utf8");
        resolve({ status: response.statusCode, headers: fields(response), body: content });
      });
    });
    request.end(body);
  });
}
