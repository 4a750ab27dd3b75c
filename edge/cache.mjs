// The runtime's Cache API as a plain store. No function here decides anything.

import { inTime } from "./behind.mjs";
import { PART, readerOf, streamFor, transfer } from "./bodies.mjs";
import { headersOf, kept, linesOf, removeFields, reply, updateFields } from "./kept.mjs";

// The field that carries a stored response's metadata.
const METADATA = "tidegate-stored";

// The field that carries its content coding: the runtime would decode what it knows to be coded.
const CODING = "tidegate-coding";

// Fields that a store puts on what it keeps.
const STORES_OWN = [METADATA, CODING, "age", "cache-control", "cf-cache-status", "expires"];

// How long a store may take to answer; after that the request goes on without it.
const STORED_TIMEOUT_MS = 500;

function cacheNamed(name) {
  return name ? caches.open(name) : caches.default;
}

// A stored response, whole in memory when it has at most `most` bytes, else as [metadata, response]; or undefined.
export async function stored(cacheName, key, most) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, STORED_TIMEOUT_MS);
  });
  const found = Promise.resolve(cacheNamed(cacheName)).then((cache) => cache.match(key));
  const response = await Promise.race([found, timeout]).finally(() => clearTimeout(timer));
  const metadata = response?.headers.get(METADATA);
  if (!metadata) return undefined;
  const length = response.headers.get("content-length");
  if (length === null || Number(length) > most) return [metadata, response];
  const body = await Promise.race([response.arrayBuffer(), timeout]);
  return body && kept(metadata, linesOf(ownFields(response.headers)), body);
}

// A stored response's own fields, without those that belong to the store.
function ownFields(stored) {
  const headers = new Headers(stored);
  for (const name of STORES_OWN) headers.delete(name);
  const coding = stored.get(CODING);
  if (coding !== null) headers.set("content-encoding", coding);
  return headers;
}

// What the store keeps beside a body.
function storesFields(own, metadata, keepSeconds) {
  const headers = new Headers(own);
  const coding = headers.get("content-encoding");
  headers.delete("content-encoding");
  if (coding !== null) headers.set(CODING, coding);
  headers.set(METADATA, metadata);
  headers.set("cache-control", `public, max-age=${keepSeconds}`);
  return headers;
}

// A reply from a stored response: its own fields without some, then the reply's.
export function respondStored(stored, status, withBody, removed, lines) {
  return reply(withBody ? stored.body : null, status, ownFields(stored.headers), removed, lines);
}

// A reply with some bytes of a stored response.
export function respondPart(stored, status, first, length, removed, lines) {
  const { readable, writable } = new FixedLengthStream(length);
  cut(stored.body, first, length, writable);
  return reply(readable, status, ownFields(stored.headers), removed, lines);
}

// Pipes `length` bytes from `first` on; what is too short breaks off. The reader sees to the speed.
async function cut(body, first, length, writable) {
  const reader = readerOf(body);
  const writer = writable.getWriter();
  let [skip, left] = [first, length];
  let buffer = new ArrayBuffer(PART);
  try {
    while (left > 0) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) throw new Error("the stored response is too short");
      const chunk = value.subarray(Math.min(skip, value.byteLength)).subarray(0, left);
      skip = Math.max(0, skip - value.byteLength);
      left -= chunk.byteLength;
      if (chunk.byteLength > 0) await writer.write(chunk);
      buffer = value.buffer;
    }
    await writer.close();
  } catch (error) {
    writer.abort(error).catch(() => {});
  } finally {
    reader.cancel().catch(() => {});
  }
}

// A stored response with the fields of the answer that has confirmed it, except for some.
export function updated(stored, answer, excepted) {
  const headers = ownFields(stored.headers);
  updateFields(headers, answer, excepted);
  return new Response(stored.body, { headers, encodeBody: "manual" });
}

// Keeps a response that is whole in memory under a key, as a 200 that only `stored` can read.
export async function put(cacheName, key, { metadata, fields, body }, keepSeconds) {
  const headers = storesFields(headersOf(fields), metadata, keepSeconds);
  const cache = await cacheNamed(cacheName);
  await cache.put(key, new Response(body, { headers }));
}

// The same for one that streams, as what `gather` left of it.
export async function putStream(cacheName, key, response, metadata, removed, keepSeconds) {
  const own = new Headers(response.headers);
  removeFields(own, removed);
  const headers = storesFields(own, metadata, keepSeconds);
  const cache = await cacheNamed(cacheName);
  const { readable, writable } = streamFor(response.headers);
  const outcomes = await Promise.allSettled([
    cache.put(key, new Response(readable, { headers })),
    transfer(null, readerOf(response.body), writable.getWriter()),
  ]);
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure === undefined) return;
  // RFC 9111, section 3.3: what broke off is not the whole response. miniflare's cache keeps what came until then.
  await cache.delete(key);
  throw failure.reason;
}

// Gives a stored response the fields of the answer that has confirmed it. The store has no call for it: the body is put
// once more, unless another one has taken its place since.
export async function freshen(cacheName, key, replaced, answer, excepted, metadata, keepSeconds) {
  const cache = await cacheNamed(cacheName);
  const stored = await cache.match(key);
  if (stored === undefined || stored.headers.get(METADATA) !== replaced) return stored?.body?.cancel();
  const own = ownFields(stored.headers);
  updateFields(own, answer, excepted);
  await cache.put(key, new Response(stored.body, { headers: storesFields(own, metadata, keepSeconds) }));
}

// Forgets what is stored under keys (one a line). Rejects when that takes too long: somebody waits for it.
export async function forget(cacheName, lines) {
  const cache = await cacheNamed(cacheName);
  const deleted = Promise.all(lines.split("\n").map((key) => cache.delete(key)));
  await inTime(deleted, STORED_TIMEOUT_MS, "the location's store");
}
