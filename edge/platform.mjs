// The calls into the runtime that are cheaper or only possible in JavaScript. No function here decides anything.
//
// Lists cross the boundary as one text with line feeds, because each crossing costs as much as a small request.

import { answered, ended, failed, timedOut } from "../build/tidegate.js";
import { crashed } from "./crash.mjs";
import { removeFields, setFields } from "./kept.mjs";
import { upload } from "./upload.mjs";

// Keeps an origin's responses out of the zone's own cache, which knows nothing of the partitions and lifetimes here.
const UNCACHED = { cacheTtlByStatus: { "100-599": -1 } };

// Sends one attempt to an origin and tells the exchange how it ended; the exchange knows what comes next. `attempt`
// is lines, each with a line feed at its end: the method, "1" if the request is copied with its content, the URL, the
// names of the fields to remove, separated by commas, then names and values of the fields to set.
//
// The timeout races the fetch instead of aborting it: a signal costs a sixth of a small request, a timer a thirtieth.
// What loses the race ends with the request, when the runtime cancels what is still open.
export function forward(number, request, attempt, timeoutMs, raw, hasBody) {
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
    const late = () => conclude(() => timedOut(number));
    let body = null;
    // The time until the response header: a body may stream for hours. The runtime drops the timer with the request,
    // which costs less than taking it back here.
    if (!hasBody) setTimeout(late, timeoutMs);
    try {
      if (hasBody) body = upload(request, timeoutMs, late);
      send(request, attempt, raw, body).then(
        (response) => conclude(() => answered(number, response.status, hopFields(response.headers), response)),
        fail,
      );
    } catch (error) {
      fail(error);
    }
  });
}

// A response that goes out when a promise has ended, whichever way.
export function onceEnded(promise, response) {
  const go = () => response;
  return promise.then(go, go);
}

function send(request, attempt, raw, body) {
  // Cut by hand: `split` takes twice as long.
  let begin = 0;
  const line = () => {
    const end = attempt.indexOf("\n", begin);
    const text = attempt.slice(begin, end);
    begin = end + 1;
    return text;
  };
  const method = line();
  const isCopied = line() !== "";
  const url = line();
  const removed = line();
  const headers = new Headers(request.headers);
  if (removed !== "") for (const name of removed.split(",")) headers.delete(name);
  while (begin < attempt.length) headers.set(line(), line());
  if (isCopied) return fetch(new Request(url, request), { headers, redirect: "manual", cf: UNCACHED });
  const init = { method, headers, body, redirect: "manual", cf: UNCACHED };
  // A cache keeps the body as it came: the runtime would decode it for whoever reads it.
  if (raw) init.encodeResponseBody = "manual";
  return fetch(url, init);
}

const PROXY_FIELDS = ["proxy-authenticate", "proxy-authentication-info", "proxy-connection"];

// What a response says to this hop, as its `Connection` field would: the fields that it names, and those for proxies.
function hopFields(headers) {
  let names = headers.get("connection") ?? "";
  if (names === "keep-alive" || names === "close") names = "";
  for (const name of PROXY_FIELDS) if (headers.has(name)) names += "," + name;
  return names;
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
