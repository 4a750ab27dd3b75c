// A small HTTP client over raw sockets: exactly so many requests, each with a token of its own, which wrk cannot do.

import { once } from "node:events";
import { connect } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");

/** A request as it goes over the wire. */
export function requestText(port, target, headers) {
  const fields = Object.entries({ host: `127.0.0.1:${port}`, ...headers });
  return `GET ${target} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

/** Keeps one connection and asks on it, one request after the other. */
class Connection {
  constructor(port) {
    this.socket = connect(port, "127.0.0.1").setNoDelay(true);
    this.bytes = Buffer.alloc(0);
    this.socket.on("data", (chunk) => this.received(chunk));
    this.socket.on("error", (error) => this.ended(error));
    this.socket.on("close", () => this.ended(new Error("the connection was closed")));
  }

  async open() {
    await once(this.socket, "connect");
    return this;
  }

  /** Resolves with the status once the whole response is here. Responses say their length: the origin does. */
  ask(text) {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(text);
    });
  }

  received(chunk) {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    const end = this.bytes.indexOf(HEAD_END);
    if (end === -1) return;
    const head = this.bytes.toString("latin1", 0, end);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length === undefined) return this.ended(new Error(`a response without a length: ${head}`));
    if (this.bytes.length < end + HEAD_END.length + Number(length)) return;
    this.bytes = Buffer.alloc(0);
    const { resolve } = this.waiting;
    this.waiting = undefined;
    resolve(Number(head.slice(9, 12)));
  }

  ended(error) {
    this.waiting?.reject(error);
    this.waiting = undefined;
    this.socket.destroy();
  }
}

/** Asks once for each of `texts` over so many connections, each time for a 200. Resolves with the seconds it took. */
export async function askEach(port, texts, connections) {
  const open = await Promise.all(Array.from({ length: connections }, () => new Connection(port).open()));
  let next = 0;
  const began = performance.now();
  const work = async (connection) => {
    while (next < texts.length) {
      const status = await connection.ask(texts[next++]);
      if (status !== 200) throw new Error(`a request with a good token was answered with ${status}`);
    }
  };
  try {
    await Promise.all(open.map(work));
    return (performance.now() - began) / 1000;
  } finally {
    for (const { socket } of open) socket.destroy();
  }
}

/** Asks once over a connection of its own; rejects when nothing listens yet. */
export async function askOnce(port, text) {
  const connection = await new Connection(port).open();
  try {
    return await connection.ask(text);
  } finally {
    connection.socket.destroy();
  }
}
