// Stored responses that are whole in memory, and replies made from them. Nothing here decides anything.
//
// Such a response is never changed, so that any number of requests can share it. Its fields are one text (a name, its
// value, the next name, and so on), which crosses into Rust and between objects as it is.

// A stored response: what is remembered about it, its fields, its body.
export function kept(metadata, fields, body) {
  return { metadata, fields, body };
}

// What is kept of a response that came with these fields.
export function keptOf(headers, removed, metadata, body) {
  const own = new Headers(headers);
  removeFields(own, removed);
  return kept(metadata, linesOf(own), body);
}

// Fields as one text.
export function linesOf(headers) {
  const lines = [];
  for (const [name, value] of headers) lines.push(name, value);
  return lines.join("\n");
}

// The other way round; equal names become several lines.
export function headersOf(fields) {
  const headers = new Headers();
  if (fields === "") return headers;
  const lines = fields.split("\n");
  for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i], lines[i + 1]);
  return headers;
}

export function removeFields(headers, names) {
  if (names !== "") for (const name of names.split("\n")) headers.delete(name);
}

// Lines: a name, its value, the next name, and so on.
export function setFields(headers, lines) {
  if (lines === "") return;
  const fields = lines.split("\n");
  for (let i = 0; i + 1 < fields.length; i += 2) headers.set(fields[i], fields[i + 1]);
}

// The last replies, by stored response.
const lastReplies = new WeakMap();

// A reply from a stored response, or with some bytes of it: its own fields without some, then the reply's.
//
// The header of the last reply is remembered with what it was made from: within a second nothing of it changes, and to
// copy one takes half as long as to make one.
export function respondKept(kept, status, withBody, first, length, removed, lines) {
  const { fields, body } = kept;
  const part = length < body.byteLength ? new Uint8Array(body, first, length) : body;
  const content = withBody ? part : null;
  let last = lastReplies.get(kept);
  if (last === undefined || last.status !== status || last.removed !== removed || last.lines !== lines) {
    last = { status, removed, lines, reply: reply(null, status, headersOf(fields), removed, lines) };
    lastReplies.set(kept, last);
  }
  return new Response(content, last.reply);
}

// A reply with stored fields. A coded body is stored as it came: left to itself, the runtime would code it once more.
export function reply(body, status, headers, removed, lines) {
  removeFields(headers, removed);
  const inner = headers.get("cache-status");
  setFields(headers, lines);
  // RFC 9211, section 2: what caches behind this one said stays in front.
  if (inner !== null) headers.set("cache-status", `${inner}, ${headers.get("cache-status")}`);
  return new Response(body, { status, headers, encodeBody: "manual" });
}

// A stored response with the fields of the answer that has confirmed it, except for some.
export function updatedKept({ fields, body }, answer, excepted, metadata) {
  const headers = headersOf(fields);
  updateFields(headers, answer, excepted);
  return kept(metadata, linesOf(headers), body);
}

export function updateFields(headers, answer, excepted) {
  // What caches behind this one said of an earlier answer is not what they say of this one.
  headers.delete("cache-status");
  const untouched = new Set(excepted.split("\n"));
  const seen = new Set();
  for (const [name, value] of answer.headers) {
    if (untouched.has(name)) continue;
    if (seen.has(name)) headers.append(name, value);
    else headers.set(name, value);
    seen.add(name);
  }
}
