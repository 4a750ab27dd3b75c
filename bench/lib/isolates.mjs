// What each isolate of workerd has in memory, asked through V8's inspector. Garbage is collected first: V8 leaves it
// lying as long as nobody needs the room, so that what is in use says more of the machine than of the program.

import { setTimeout as sleep } from "node:timers/promises";

const MEBIBYTE = 1024 * 1024;

/** An inspector's connection to one isolate. */
async function connect(url) {
  const socket = new WebSocket(url);
  const waiting = new Map();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(data);
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error("workerd's inspector does not answer")));
  });
  let last = 0;
  const tell = (method) => {
    last += 1;
    socket.send(JSON.stringify({ id: last, method }));
    return last;
  };
  const ask = (method) => new Promise((resolve) => waiting.set(tell(method), resolve));
  return { tell, ask, close: () => socket.close() };
}

/** Connects to all isolates: those of the edges, and those in which miniflare runs what is around them. */
export async function inspect(miniflare, edges) {
  const { host } = await miniflare.getInspectorURL();
  const targets = await (await fetch(`http://${host}/json`)).json();
  const urls = targets.map(({ webSocketDebuggerUrl: url }) => url);
  const all = await Promise.all(urls.map(connect));
  const ofEdges = edges.map((_, index) => all[urls.findIndex((url) => url.endsWith(`:edge${index}`))]);

  /** The mebibytes of each edge's isolate: of its Wasm, and of what lives in its JavaScript heap. */
  const memory = async () => {
    // This has no answer.
    for (const isolate of all) isolate.tell("HeapProfiler.collectGarbage");
    await sleep(200);
    const read = async (url, index) => {
      const wasm = Number(await (await fetch(`${url}/wasm-memory`)).text());
      const { usedSize, embedderHeapUsedSize = 0 } = await ofEdges[index].ask("Runtime.getHeapUsage");
      return { wasm: wasm / MEBIBYTE, heap: (usedSize + embedderHeapUsedSize) / MEBIBYTE };
    };
    return Promise.all(edges.map(read));
  };
  return { memory, close: () => all.forEach((isolate) => isolate.close()) };
}
