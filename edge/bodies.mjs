// The bodies of responses on their way into a cache. Nothing here decides anything.
//
// They are read into buffers of our own, again and again into the same ones: the runtime's are of 4 KiB, and each of
// them costs a few promises and waits to be collected.

// How much is read at once, in bytes.
export const PART = 64 * 1024;

// A stream for a body of the length that its header tells, if it does: what is too short or too long breaks off.
export function streamFor(headers) {
  const length = Number(headers.get("content-length") ?? NaN);
  return Number.isSafeInteger(length) ? new FixedLengthStream(length) : new IdentityTransformStream();
}

export function readerOf(body) {
  return body.getReader({ mode: "byob" });
}

// Splits a response for storing: [for the client, for the store].
//
// What the client has not read yet waits in memory, but never more than about `most` bytes: then the origin waits for
// the client, and so does the store. A client that goes away stops nothing.
export function split(ctx, response, most) {
  const { body, headers } = response;
  const length = Number(headers.get("content-length") ?? NaN);
  // The runtime's own copy keeps what its slower reader has not read, which is at most the whole.
  if (body === null || length <= most) return [response, response.clone()];
  const client = streamFor(headers);
  const store = new IdentityTransformStream();
  const [clientWriter, storeWriter] = [client.writable.getWriter(), store.writable.getWriter()];
  ctx.waitUntil(pump(readerOf(body), clientWriter, storeWriter, most).catch(() => {}));
  return [new Response(client.readable, response), new Response(store.readable, response)];
}

async function pump(source, client, store, most) {
  const reader = new Reader(client);
  // Buffers that both sides are done with.
  const free = [];
  let stores = true;
  try {
    for (;;) {
      const { done, value } = await source.read(new Uint8Array(free.pop() ?? new ArrayBuffer(PART)));
      if (done) break;
      const given = reader.give(value);
      if (stores) {
        stores = await store.write(value).then(
          () => true,
          () => false,
        );
      }
      given.then(() => free.push(value.buffer));
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

  // Resolves when the reader has it, or is gone. What waits is the whole buffer, however little came in it.
  async give(part) {
    if (this.gone) return;
    this.waiting += part.buffer.byteLength;
    try {
      await this.writer.write(part);
      this.waiting -= part.buffer.byteLength;
    } catch {
      this.gone = true;
    }
    this.wake();
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
  const reader = readerOf(body);
  let buffer = new ArrayBuffer(PART / 4);
  let bytes = 0;
  while (bytes <= most) {
    // Most bodies of an unknown length are small.
    if (bytes === buffer.byteLength) buffer = buffer.transfer(2 * bytes);
    const { done, value } = await reader.read(new Uint8Array(buffer, bytes));
    buffer = value.buffer;
    if (done) return buffer.transfer(bytes);
    bytes += value.byteLength;
  }
  return new Response(withHead(new Uint8Array(buffer, 0, bytes), reader), response);
}

// What was read already, then the rest.
function withHead(head, reader) {
  const { readable, writable } = new IdentityTransformStream();
  transfer(head, reader, writable.getWriter()).catch(() => {});
  return readable;
}

// Writes what was read already, then the rest; rejects when either side breaks off. Not `pipeTo`: between two streams
// of one request the runtime takes that for a request that hangs.
export async function transfer(head, reader, writer) {
  let buffer = new ArrayBuffer(PART);
  try {
    if (head !== null) await writer.write(head);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) return await writer.close();
      await writer.write(value);
      buffer = value.buffer;
    }
  } catch (error) {
    await Promise.allSettled([writer.abort(error), reader.cancel(error)]);
    throw error;
  }
}
