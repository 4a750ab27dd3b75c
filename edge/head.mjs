// The head of a request, read for the Wasm: all that most requests are asked for in one text, the rest on demand.

const encoder = new TextEncoder();

// The names of the fields that are read at once, by their lengths: a look-up in a set would hash each name of each
// request first, and reading all values would take as long as the names alone.
const readAtOnce = [];

// Says which fields are read at once, as lines.
export function readAlways(lines) {
  readAtOnce.length = 0;
  for (const name of lines.split("\n")) (readAtOnce[name.length] ??= []).push(name);
}

// The head of a request as lines: its method, its URL, "1" if it has a body, name and value of the fields that are read
// at once, an empty line, and the names of all fields.
//
// Returns how many bytes it wrote, or if they don't fit, a number that is enough.
export function head(request, into) {
  const { headers } = request;
  let known = "";
  let names = "";
  for (const name of headers.keys()) {
    names += `\n${name}`;
    if (readAtOnce[name.length]?.includes(name)) known += `\n${name}\n${headers.get(name)}`;
  }
  const first = `${request.method}\n${request.url}\n${content(request) === null ? "" : "1"}`;
  const text = `${first}${known}\n${names}`;
  const { read, written } = encoder.encodeInto(text, into);
  return read === text.length ? written : text.length * 3;
}

// One field of a request, its lines joined by ", "; undefined if there is none.
export function field(request, name) {
  return request.headers.get(name) ?? undefined;
}

// The body, if there is one: many clients say Content-Length: 0 where there is none.
export function content(request) {
  const { body, headers } = request;
  return body !== null && headers.get("content-length") === "0" ? null : body;
}

// The body as text; null if it has more bytes than that.
export function text(request, bytesMax) {
  return textOf(content(request), bytesMax);
}

// A body's text; null if it has more bytes than that. Rejects when it breaks off or is no UTF-8.
export async function textOf(body, bytesMax) {
  let text = "";
  let bytes = 0;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

// Where the runtime sees the client, as lines: colo, country, continent, subdivision, number of the network operator;
// empty where it doesn't say. The runtime parses it anew for each request that asks, so only who needs it does.
export function place(request) {
  const { colo, country, continent, regionCode, asn } = location(request);
  const network = Number.isInteger(asn) ? asn : "";
  return `${line(colo)}\n${line(country)}\n${line(continent)}\n${line(regionCode)}\n${network}`;
}

// On a developer's machine a header says it, which may hold anything.
function location(request) {
  try {
    return request.cf ?? {};
  } catch {
    return {};
  }
}

function line(value) {
  return typeof value === "string" && !value.includes("\n") ? value : "";
}
