// A request's body on its way to an origin. Nothing here decides anything.

import { PART, readerOf, streamFor } from "./bodies.mjs";

// What a client sends before it waits for anything: RFC 6928 has it be ten segments of 1,460 bytes. A live client is
// done with so little at once, and to watch it would cost a third of a small request.
const FIRST_FLIGHT = 14_600;

// The body as the origin gets it. `late` is called when the origin keeps the rest of the body waiting, or after the
// last byte its answer, for longer than `timeoutMs`. A client may take its time.
export function upload(request, timeoutMs, late) {
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) <= FIRST_FLIGHT) {
    setTimeout(late, timeoutMs);
    return request.body;
  }
  const { readable, writable } = streamFor(request.headers);
  pump(readerOf(request.body), writable.getWriter(), timeoutMs, late);
  return readable;
}

// Never rejects: who breaks off, breaks the request off, and whoever waits for its answer hears of it.
async function pump(reader, writer, timeoutMs, late) {
  const begin = () => setTimeout(late, timeoutMs);
  try {
    let buffer = new ArrayBuffer(PART);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      const timer = begin();
      await writer.write(value);
      clearTimeout(timer);
      buffer = value.buffer;
    }
    begin();
    await writer.close();
  } catch (error) {
    begin();
    await Promise.allSettled([writer.abort(error), reader.cancel(error)]);
  }
}
