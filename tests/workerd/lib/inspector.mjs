// What an isolate holds, by the runtime's inspector: the rest of the process is not it.

import { once } from "node:events";

import { WebSocket } from "ws";

/** Looks into the isolate of a Worker. */
export async function inspect(miniflare, worker) {
  const url = new URL(`./core:user:${worker}`, await miniflare.getInspectorURL());
  const socket = new WebSocket(url);
  await once(socket, "open");
  return new Inspector(socket);
}

class Inspector {
  constructor(socket) {
    this.socket = socket;
    this.last = 0;
    this.waiting = new Map();
    socket.on("message", (text) => {
      const { id, result, error } = JSON.parse(text);
      const settle = this.waiting.get(id);
      this.waiting.delete(id);
      settle?.(error === undefined ? result : Promise.reject(new Error(error.message)));
    });
  }

  ask(method) {
    const id = ++this.last;
    this.socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  /** Bytes of objects, of what the runtime keeps for them, and of buffers, the Wasm's memory included. */
  async held() {
    const { usedSize, embedderHeapUsedSize, backingStorageSize } = await this.ask("Runtime.getHeapUsage");
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  }

  /** The same, without what nobody holds any more. The isolate collects when `wake` has it run. */
  async heldAfterCollecting(wake) {
    let isDone = false;
    const collected = this.ask("HeapProfiler.collectGarbage").finally(() => {
      isDone = true;
    });
    while (!isDone) await wake();
    await collected;
    return this.held();
  }

  stop() {
    this.socket.close();
  }
}
