// One replica of the demo's application: `node demo/origin.mjs REGION NAME PORT`. Every answer says who gave it.

import { setTimeout as sleep } from "node:timers/promises";

import { WebSocketServer } from "ws";

import { sendJson, serve } from "./serve.mjs";

const [region, name, portText] = process.argv.slice(2);
const SLOW_MILLISECONDS_MAX = 60_000;
/** Fields whose value is shown. Of the others in `PRESENCE` only that they came: they hold credentials, or noise. */
const SHOWN = ["host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id", "x-user-id"];
const PRESENCE = ["authorization", "cookie", "traceparent"];

let requests = 0;
let ready = true;

function received(headers) {
  const shown = SHOWN.filter((field) => headers[field] !== undefined).map((field) => [field, headers[field]]);
  const present = PRESENCE.map((field) => [field, headers[field] !== undefined]);
  return Object.fromEntries([...shown, ...present]);
}

async function bodyBytes(request) {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  return bytes;
}

async function handle(request, response) {
  const { pathname, searchParams } = new URL(request.url, "http://origin");
  if (pathname === "/health/ready") {
    return sendJson(response, ready ? 200 : 503, { status: ready ? "ready" : "draining" });
  }
  requests += 1;
  const answer = { region, origin: name, requests, method: request.method, path: request.url };
  answer.body_bytes = await bodyBytes(request);
  answer.received = received(request.headers);
  const fields = { "x-origin": name, "cache-control": "no-store" };
  if (pathname.endsWith("/slow")) {
    await sleep(Math.min(Number(searchParams.get("ms")) || 0, SLOW_MILLISECONDS_MAX));
  }
  // `public` allows a shared cache to keep the answer to a request with a token (RFC 9111, section 3.5).
  if (pathname.startsWith("/api/services/")) fields["cache-control"] = "public, max-age=60";
  const [, status = "200"] = /\/status\/([2-5]\d\d)$/.exec(pathname) ?? [];
  sendJson(response, Number(status), answer, fields);
}

const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });

const server = serve(Number(portText), handle, {
  onEnd() {
    ready = false;
    for (const socket of sockets.clients) socket.close(1001, "going away");
  },
});

// /ws says who it is and then echoes.
server.on("upgrade", (request, socket, head) => {
  if (new URL(request.url, "http://origin").pathname !== "/ws") return socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
  requests += 1;
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on("error", () => client.terminate());
    client.send(JSON.stringify({ region, origin: name, received: received(request.headers) }));
    client.on("message", (data, binary) => client.send(data, { binary }));
  });
});
