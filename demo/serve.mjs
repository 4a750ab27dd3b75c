// What the demo's servers have in common: listening on loopback, and ending honestly.

import { createServer } from "node:http";

const GRACE_MILLISECONDS = 5_000;

export function sendJson(response, status, value, fields = {}) {
  const body = `${JSON.stringify(value, null, 2)}\n`;
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": length, ...fields });
  response.end(body);
}

/**
 * Serves until SIGTERM, SIGINT or the end of the program that started this one: then no new connection is accepted,
 * requests under way are answered, and the process ends.
 */
export function serve(port, handle, { onEnd = () => {} } = {}) {
  const server = createServer((request, response) => {
    handle(request, response).catch((error) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: "internal" });
    });
  });
  // Longer than a gateway keeps an idle connection, so that it never sends into one that is being closed.
  server.keepAliveTimeout = 75_000;
  server.once("error", (error) => {
    console.error(`port ${port}: ${error.code}`);
    process.exit(1);
  });
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    onEnd();
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), GRACE_MILLISECONDS).unref();
  };
  for (const event of ["SIGTERM", "SIGINT", "disconnect"]) process.on(event, end);
  server.listen(port, "127.0.0.1", () => process.send?.("listening"));
  return server;
}
