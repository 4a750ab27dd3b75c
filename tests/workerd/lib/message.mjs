// HTTP/1.1 messages, read byte by byte by the letter of RFC 9112. Anything else throws: that is the point of a test.

const CRLF = Buffer.from("\r\n");
const END_OF_HEAD = Buffer.from("\r\n\r\n");

/** A message that RFC 9112 does not allow. */
export class Malformed extends Error {}

/** The fields of a message in the order of their lines. */
class Fields {
  constructor(lines) {
    this.lines = lines;
  }

  /** Every value under a name, in order. */
  all(name) {
    return this.lines.filter(([field]) => field.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  /** The value under a name, lines joined by ", "; undefined without one. */
  get(name) {
    const values = this.all(name);
    return values.length === 0 ? undefined : values.join(", ");
  }

  names() {
    return this.lines.map(([name]) => name.toLowerCase());
  }
}

function fields(lines) {
  return new Fields(
    lines.map((line) => {
      // RFC 9110, section 5.5: CR, LF and NUL must not get through, other control characters may.
      const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(line);
      if (match === null) throw new Malformed(`field line ${JSON.stringify(line)}`);
      return [match[1], match[2]];
    }),
  );
}

/** Cuts the head off; undefined while it is not complete. */
function cutHead(bytes) {
  const end = bytes.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [start, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  return { start, fields: fields(lines), rest: bytes.subarray(end + END_OF_HEAD.length) };
}

/** A chunked body, or undefined while it is not complete. */
function cutChunks(bytes) {
  const chunks = [];
  for (let rest = bytes; ;) {
    const end = rest.indexOf(CRLF);
    if (end < 0) return undefined;
    const size = /^([0-9a-fA-F]+)(?:[ \t]*;.*)?$/.exec(rest.subarray(0, end).toString("latin1"));
    if (size === null) throw new Malformed(`chunk size ${JSON.stringify(rest.subarray(0, end).toString("latin1"))}`);
    const length = parseInt(size[1], 16);
    const from = end + CRLF.length;
    if (length === 0) {
      const trailers = rest.subarray(end);
      const last = trailers.indexOf(END_OF_HEAD);
      if (last < 0) return undefined;
      return { body: Buffer.concat(chunks), rest: trailers.subarray(last + END_OF_HEAD.length) };
    }
    if (rest.length < from + length + CRLF.length) return undefined;
    chunks.push(rest.subarray(from, from + length));
    if (rest.indexOf(CRLF, from + length) !== from + length) throw new Malformed("no line end after a chunk");
    rest = rest.subarray(from + length + CRLF.length);
  }
}

function contentLength(head) {
  const lengths = head.fields.all("content-length");
  if (lengths.length === 0) return undefined;
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0])) throw new Malformed(`Content-Length ${lengths.join(" and ")}`);
  return Number(lengths[0]);
}

/** The body by its framing (RFC 9112, section 6.3): `{ body, rest }`, or undefined while it is not complete. */
function cutBody(head, withoutLength) {
  const codings = head.fields.all("transfer-encoding");
  const length = contentLength(head);
  if (codings.length > 0) {
    if (length !== undefined) throw new Malformed("Content-Length beside Transfer-Encoding");
    if (codings.join(",").toLowerCase() !== "chunked") throw new Malformed(`Transfer-Encoding ${codings}`);
    return cutChunks(head.rest);
  }
  if (length === undefined) return withoutLength(head.rest);
  if (head.rest.length < length) return undefined;
  return { body: head.rest.subarray(0, length), rest: head.rest.subarray(length) };
}

/** Cuts one request off; undefined while it is not complete. */
export function cutRequest(bytes) {
  const head = cutHead(bytes);
  if (head === undefined) return undefined;
  const line = /^(\S+) (\S+) HTTP\/1\.([01])$/.exec(head.start);
  if (line === null) throw new Malformed(`request line ${JSON.stringify(head.start)}`);
  const cut = cutBody(head, (rest) => ({ body: Buffer.alloc(0), rest }));
  return cut && { method: line[1], target: line[2], fields: head.fields, ...cut };
}

/** Cuts one response off; undefined while it is not complete. `closed`: nothing follows. */
export function cutResponse(bytes, method, closed) {
  const head = cutHead(bytes);
  if (head === undefined) {
    if (closed && bytes.length > 0)
      throw new Malformed(`cut short: ${JSON.stringify(bytes.toString("latin1", 0, 200))}`);
    return undefined;
  }
  const line = /^HTTP\/1\.([01]) (\d{3}) ([\t\x20-\x7e\x80-\xff]*)$/.exec(head.start);
  if (line === null) throw new Malformed(`status line ${JSON.stringify(head.start)}`);
  const status = Number(line[2]);
  const message = { status, reason: line[3], fields: head.fields };
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
    contentLength(head);
    return { ...message, body: Buffer.alloc(0), rest: head.rest };
  }
  const cut = cutBody(head, (rest) => (closed ? { body: rest, rest: Buffer.alloc(0) } : undefined));
  if (cut === undefined && closed) throw new Malformed(`a body cut short after ${head.rest.length} bytes`);
  return cut && { ...message, ...cut };
}
