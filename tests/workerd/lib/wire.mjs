// A client that writes bytes by hand.

import { connect } from "node:net";

import { cutResponse } from "./message.mjs";
import { deferred, PATIENCE_MS, within } from "./time.mjs";

/** Lines of a request, without a body unless the last parts bring one. */
export function request(line, ...fields) {
  return `${[line, ...fields].join("\r\n")}\r\n\r\n`;
}

/**
 * Sends bytes on a connection of their own and reads `count` responses, or as many as come before the far side closes.
 * Rejects with `Malformed` when what comes back is no HTTP. `finish`: the far side learns that no more bytes come.
 */
export async function talk(port, bytes, { count = 1, patienceMs = PATIENCE_MS, finish = false } = {}) {
  const parts = Array.isArray(bytes) ? bytes : [bytes];
  const [method] = /^[A-Z]+(?= )/.exec(String(parts[0])) ?? ["GET"];
  const responses = [];
  const { promise, resolve, reject } = deferred();
  let received = Buffer.alloc(0);
  const socket = connect({ host: "127.0.0.1", port });
  const read = (closed) => {
    try {
      while (responses.length < count) {
        // What follows the final response answers something else, such as bytes that are no request.
        const answered = responses.some(({ status }) => status >= 200);
        const response = cutResponse(received, answered ? "GET" : method, closed);
        if (response === undefined) break;
        received = response.rest;
        responses.push(response);
      }
    } catch (error) {
      return reject(error);
    }
    if (closed || responses.length === count) resolve();
  };
  socket.on("data", (data) => {
    received = Buffer.concat([received, data]);
    read(false);
  });
  socket.on("close", () => read(true));
  socket.on("error", () => {}); // "close" follows
  socket.on("connect", () => {
    for (const part of parts) socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
    if (finish) socket.end();
  });
  try {
    await within(patienceMs, `a response to ${JSON.stringify(String(parts[0]).slice(0, 60))}`, promise);
  } finally {
    socket.destroy();
  }
  return responses;
}

/** The same for one request: its response, or undefined when the far side closed without one. */
export async function ask(port, bytes, options) {
  return (await talk(port, bytes, options))[0];
}
