// An origin on node:http, for what does not depend on single bytes.

import { createServer } from "node:http";

/** Listens on a free port (or a given one) and serves with `handle(request, response)`. */
export async function startOrigin(handle, port = 0) {
  const origin = new Origin(handle);
  await origin.listen(port);
  return origin;
}

class Origin {
  constructor(handle) {
    /** What was asked so far. */
    this.requests = [];
    // It closes no idle connection: a request that is sent at that very moment would be lost.
    this.server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
      this.requests.push({ method: request.method, url: request.url, headers: request.headers });
      response.on("error", () => {});
      handle(request, response, this);
    });
  }

  listen(port) {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, "127.0.0.1", () => {
        this.port = this.server.address().port;
        this.url = `http://127.0.0.1:${this.port}`;
        resolve();
      });
    });
  }

  /** Takes the requests out, so that the next test sees its own. */
  take() {
    return this.requests.splice(0);
  }

  /** Stops it, open connections included, as a killed process would. */
  stop() {
    if (!this.server.listening) return undefined;
    return new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}

/** Starts origins that answer with their name, one for each given name. */
export async function startNamed(...names) {
  const started = names.map((name) => startOrigin((_, response) => response.end(name)));
  const origins = await Promise.all(started);
  return Object.fromEntries(names.map((name, index) => [name, origins[index]]));
}
