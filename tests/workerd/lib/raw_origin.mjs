// An origin on a bare socket, which keeps the very bytes that it got.

import { createServer } from "node:net";

import { cutRequest, Malformed } from "./message.mjs";

export const HELLO = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/**
 * Listens on a free port and answers each request with the bytes that `answer(request, socket)` returns: nothing is
 * sent for undefined, the connection is closed after null.
 */
export async function startRawOrigin(answer = () => HELLO) {
  const origin = new RawOrigin(answer);
  await new Promise((resolve) => origin.server.listen(0, "127.0.0.1", resolve));
  return origin;
}

class RawOrigin {
  constructor(answer) {
    this.answer = answer;
    /** The requests so far, parsed. */
    this.requests = [];
    /** What was no request. */
    this.malformed = [];
    this.connections = 0;
    this.sockets = new Set();
    this.server = createServer((socket) => this.serve(socket));
  }

  get port() {
    return this.server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Takes the requests out, so that the next test sees its own. */
  take() {
    return this.requests.splice(0);
  }

  serve(socket) {
    this.connections += 1;
    this.sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received = Buffer.concat([received, data]);
      try {
        for (let request; (request = cutRequest(received)) !== undefined; received = request.rest) {
          const raw = received.subarray(0, received.length - request.rest.length).toString("latin1");
          this.requests.push({ ...request, raw });
          const answer = this.answer(request, socket);
          if (answer === null) return socket.destroy();
          if (answer !== undefined) socket.write(Buffer.from(answer, "latin1"));
        }
      } catch (error) {
        if (!(error instanceof Malformed)) throw error;
        this.malformed.push(received.toString("latin1"));
        socket.destroy();
      }
    });
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
