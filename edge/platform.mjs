// The calls into the runtime that are cheaper or only possible in JavaScript. No function here decides anything.
//
// Lists cross the boundary as one text with line feeds, because each crossing costs as much as a small request.

import { answered, ended, failed, timedOut } from "../build/tidegate.js";
import { crashed } from "./crash.mjs";

// Keeps an origin's responses out of the zone's own cache, which knows nothing of the partitions and lifetimes here.
const UNCACHED = { cacheTtlByStatus: { "100-599": -1 } };

// Sends one attempt to an origin and tells the exchange how it ended; the exchange knows what comes next. `attempt` is
// lines, each with a line feed at its end: the method, "1" if there is a body, the URL, the names of the fields to remove,
// separated by commas, then names and values of the fields to set.
//
// The timeout races the fetch instead of aborting it: a signal costs a sixth of a small request, a timer a thirtieth.
// What loses the race ends with the request, when the runtime cancels what is still open.
export function forward(number, request, attempt, timeoutMs) {
  return new Promise((resolve) => {
    let concluded = false;
    const conclude = (report) => {
      // The exchange is told once, of what came first.
      if (concluded) return;
      concluded = true;
      try {
        resolve(report());
      } catch (error) {
        resolve(crashed(error));
      }
    };
    const fail = (error) => conclude(() => failed(number, String(error?.message ?? error)));
    // The time until the response header: a body may stream for hours. The runtime drops the timer with the request,
    // which costs less than taking it back here.
    setTimeout(() => conclude(() => timedOut(number)), timeoutMs);
    try {
      send(request, attempt).then(
        (response) => conclude(() => answered(number, response.status, hopFields(response.headers), response)),
        fail,
      );
    } catch (error) {
      fail(error);
    }
  });
}

// A promise that may reject becomes one that resolves to an answer.
export function rescued(promise) {
  return promise.catch(crashed);
}

function send(request, attempt) {
  // Cut by hand: `split` takes twice as long.
  let begin = 0;
  const line = () => {
    const end = attempt.indexOf("\n", begin);
    const text = attempt.slice(begin, end);
    begin = end + 1;
    return text;
  };
  const method = line();
  const body = line() === "" ? null : request.body;
  const url = line();
  const removed = line();
  const headers = new Headers(request.headers);
  if (removed !== "") for (const name of removed.split(",")) headers.delete(name);
  while (begin < attempt.length) headers.set(line(), line());
  if (body === null || (method !== "GET" && method !== "HEAD")) {
    return fetch(url, { method, headers, body, redirect: "manual", cf: UNCACHED });
  }
  // The runtime refuses a GET with content, unless it is copied from another request.
  return fetch(new Request(url, request), { headers, redirect: "manual", cf: UNCACHED });
}

const PROXY_FIELDS = ["proxy-authenticate", "proxy-authentication-info", "proxy-connection"];

// What a response says to this hop, as its `Connection` field would: the fields that it names, and those for proxies.
function hopFields(headers) {
  let names = headers.get("connection") ?? "";
  if (names === "keep-alive" || names === "close") names = "";
  for (const name of PROXY_FIELDS) if (headers.has(name)) names += "," + name;
  return names;
}

function removeFields(headers, names) {
  if (names !== "") for (const name of names.split("\n")) headers.delete(name);
}

// Lines: a name, its value, the next name, and so on.
function setFields(headers, lines) {
  if (lines === "") return;
  const fields = lines.split("\n");
  for (let i = 0; i + 1 < fields.length; i += 2) headers.set(fields[i], fields[i + 1]);
}

// A response made by the gateway. `body` is a string or null.
export function respond(status, lines, body) {
  const response = new Response(body, { status });
  setFields(response.headers, lines);
  return response;
}

// An origin's response with fields removed and set; the body streams through.
export function amend(response, removed, lines) {
  // A status that no Response can be made with goes on untouched.
  if (response.status < 200 || response.status > 599) return response;
  const amended = new Response(response.body, response);
  removeFields(amended.headers, removed);
  setFields(amended.headers, lines);
  return amended;
}

// The same response, whose end is reported once: the client has all of it, or went away.
export function watch(ctx, number, response) {
  const { body, headers } = response;
  const length = headers.get("content-encoding") === null ? headers.get("content-length") : null;
  const { readable, writable } =
    length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  const end = () => ended(number);
  ctx.waitUntil(body.pipeTo(writable).then(end, end));
  return new Response(readable, response);
}

// A 304 in place of a response that the client holds already. The response's body is not touched.
export function notModified(response, removed, lines) {
  const reply = new Response(null, { status: 304, headers: response.headers });
  removeFields(reply.headers, removed);
  setFields(reply.headers, lines);
  return reply;
}

// Lets go of a response that nobody gets.
export function discard(response) {
  response.body?.cancel().catch(() => {});
}

// Asks a Durable Object; rejects when it doesn't answer in time. What the runtime says is worth a second attempt gets
// one: the object answers a message once, however often it comes.
export async function ask(namespace, object, method, message, timeoutMs) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  });
  // A stub that failed is broken for good.
  const attempt = () => namespace.get(namespace.idFromName(object))[method](message);
  const again = (error) => (error?.retryable && !error.overloaded ? attempt() : Promise.reject(error));
  try {
    return await Promise.race([attempt().catch(again), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

// The field that carries a stored response's metadata.
const METADATA = "tidegate-stored";

// Fields that a store puts on what it keeps.
const STORES_OWN = [METADATA, "age", "cache-control", "cf-cache-status", "expires"];

// How long a store may take to answer; after that the request goes on without it.
const STORED_TIMEOUT_MS = 500;

function cacheNamed(name) {
  return name ? caches.open(name) : caches.default;
}

// A stored response as [metadata, response], or undefined.
export async function stored(cacheName, key) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, STORED_TIMEOUT_MS);
  });
  const found = Promise.resolve(cacheNamed(cacheName)).then((cache) => cache.match(key));
  const response = await Promise.race([found, timeout]).finally(() => clearTimeout(timer));
  const metadata = response?.headers.get(METADATA);
  return metadata ? [metadata, response] : undefined;
}

// A reply from a stored response: its own fields without those that belong to the store, then the reply's.
export function respondStored(stored, status, withBody, removed, lines) {
  return fromStored(stored, status, withBody ? stored.body : null, removed, lines);
}

// A reply with some bytes of a stored response.
export function respondPart(stored, status, first, length, removed, lines) {
  const { readable, writable } = new FixedLengthStream(length);
  cut(stored.body, first, length, writable);
  return fromStored(stored, status, readable, removed, lines);
}

function fromStored(stored, status, body, removed, lines) {
  // A coded body is stored as it came: left to itself, the runtime would code it once more.
  const response = new Response(body, { status, headers: stored.headers, encodeBody: "manual" });
  const headers = response.headers;
  for (const name of STORES_OWN) headers.delete(name);
  removeFields(headers, removed);
  const inner = headers.get("cache-status");
  setFields(headers, lines);
  // RFC 9211, section 2: what caches behind this one said stays in front.
  if (inner !== null) headers.set("cache-status", `${inner}, ${headers.get("cache-status")}`);
  return response;
}

// Pipes `length` bytes from `first` on; what is too short breaks off. The reader sees to the speed.
async function cut(body, first, length, writable) {
  const reader = body.getReader();
  const writer = writable.getWriter();
  let [skip, left] = [first, length];
  try {
    while (left > 0) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the stored response is too short");
      const chunk = value.subarray(Math.min(skip, value.byteLength)).subarray(0, left);
      skip = Math.max(0, skip - value.byteLength);
      left -= chunk.byteLength;
      if (chunk.byteLength > 0) await writer.write(chunk);
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
  const response = new Response(stored.body, { headers: stored.headers, encodeBody: "manual" });
  // What caches behind this one said of an earlier answer is not what they say of this one.
  response.headers.delete("cache-status");
  updateFields(response.headers, answer, excepted);
  return response;
}

function updateFields(headers, answer, excepted) {
  const kept = new Set(excepted.split("\n"));
  const seen = new Set();
  for (const [name, value] of answer.headers) {
    if (kept.has(name)) continue;
    if (seen.has(name)) headers.append(name, value);
    else headers.set(name, value);
    seen.add(name);
  }
}

// Splits a response for storing: the copy's body is read by the cache, the other goes to the client.
export function copy(response) {
  return response.clone();
}

// Keeps a copy of a response under a key, as a 200 that only `stored` can read.
export async function store(cacheName, key, copy, metadata, removed, keepSeconds) {
  const headers = new Headers(copy.headers);
  removeFields(headers, removed);
  headers.set(METADATA, metadata);
  headers.set("cache-control", `public, max-age=${keepSeconds}`);
  const cache = await cacheNamed(cacheName);
  const { body, ended } = watched(copy);
  const outcomes = await Promise.allSettled([cache.put(key, new Response(body, { headers })), ended]);
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
  const headers = new Headers(stored.headers);
  for (const name of STORES_OWN) headers.delete(name);
  updateFields(headers, answer, excepted);
  headers.set(METADATA, metadata);
  headers.set("cache-control", `public, max-age=${keepSeconds}`);
  await cache.put(key, new Response(stored.body, { headers, encodeBody: "manual" }));
}

// A response's body, and a promise that rejects when it breaks off. A coded body can't be watched, the runtime would
// decode it on the way; where that one breaks off, whoever decodes it notices.
function watched({ body, headers }) {
  if (body === null || headers.has("content-encoding")) return { body };
  const { readable, writable } = new IdentityTransformStream();
  return { body: readable, ended: body.pipeTo(writable) };
}

// Forgets what is stored under keys (one a line).
export async function forget(cacheName, lines) {
  const cache = await cacheNamed(cacheName);
  await Promise.all(lines.split("\n").map((key) => cache.delete(key)));
}

// Lets work go on after the reply; its failure is logged, never seen by a client.
export function after(ctx, promise, what) {
  const failed = (error) => log(JSON.stringify({ error: what, reason: String(error?.message ?? error) }));
  ctx.waitUntil(promise.catch(failed));
}

export function log(line) {
  console.log(line);
}

// The seed of the isolate's generator, drawn in its first request: the runtime has no randomness before.
export function seed() {
  return crypto.getRandomValues(new BigUint64Array(1))[0];
}
