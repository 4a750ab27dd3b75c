// The bodies of responses on their way into a cache. Nothing here decides anything.

// Splits a response for storing: [for the client, for the store].
//
// What the client has not read yet waits in memory, but never more than about `most` bytes: then the origin waits for
// the client, and so does the store. A client that goes away stops nothing.
export function split(ctx, response, most) {
  const { body, headers } = response;
  const length = Number(headers.get("content-length") ?? NaN);
  // The runtime's own copy keeps what its slower reader has not read, which is at most the whole.
  if (body === null || length <= most) return [response, response.clone()];
  const client = Number.isSafeInteger(length) ? new FixedLengthStream(length) : new IdentityTransformStream();
  const store = new IdentityTransformStream();
  const [clientWriter, storeWriter] = [client.writable.getWriter(), store.writable.getWriter()];
  ctx.waitUntil(pump(body.getReader(), clientWriter, storeWriter, most).catch(() => {}));
  return [new Response(client.readable, response), new Response(store.readable, response)];
}

async function pump(source, client, store, most) {
  const reader = new Reader(client);
  let stores = true;
  try {
    for (;;) {
      const { done, value } = await source.read();
      if (done) break;
      reader.give(value);
      if (stores) {
        stores = await store.write(value).then(
          () => true,
          () => false,
        );
      }
      await reader.hasRoom(most);
      if (reader.gone && !stores) return await source.cancel();
    }
    await Promise.allSettled([client.close(), store.close()]);
  } catch (error) {
    await Promise.allSettled([client.abort(error), store.abort(error)]);
  }
}

// Who reads at a speed of its own, or goes away.
class Reader {
  constructor(writer) {
    this.writer = writer;
    this.gone = false;
    this.waiting = 0;
    this.wake = () => {};
  }

  give(chunk) {
    if (this.gone) return;
    this.waiting += chunk.byteLength;
    this.writer.write(chunk).then(
      () => {
        this.waiting -= chunk.byteLength;
        this.wake();
      },
      () => {
        this.gone = true;
        this.wake();
      },
    );
  }

  async hasRoom(most) {
    while (!this.gone && this.waiting > most) {
      await new Promise((resolve) => {
        this.wake = resolve;
      });
    }
  }
}

// A response's body as one buffer, when it has at most `most` bytes; else a response with the whole of it, still to be
// read. Rejects when it breaks off.
export async function gather(response, most) {
  const { body, headers } = response;
  if (body === null) return new ArrayBuffer(0);
  const length = Number(headers.get("content-length") ?? NaN);
  if (length <= most) return response.arrayBuffer();
  if (length > most) return response;
  const reader = body.getReader();
  const chunks = [];
  let bytes = 0;
  while (bytes <= most) {
    const { done, value } = await reader.read();
    if (done) return joined(chunks, bytes);
    chunks.push(value);
    bytes += value.byteLength;
  }
  return new Response(withHead(chunks, reader), response);
}

function joined(chunks, bytes) {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole.buffer;
}

// What was read already, then the rest.
function withHead(chunks, reader) {
  const { readable, writable } = new IdentityTransformStream();
  transfer(chunks, reader, writable.getWriter()).catch(() => {});
  return readable;
}

// Writes what was read already, then the rest; rejects when either side breaks off. Not `pipeTo`: between two streams
// of one request the runtime takes that for a request that hangs.
export async function transfer(chunks, reader, writer) {
  try {
    for (const chunk of chunks) await writer.write(chunk);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await writer.close();
      await writer.write(value);
    }
  } catch (error) {
    await Promise.allSettled([writer.abort(error), reader.cancel(error)]);
    throw error;
  }
}
