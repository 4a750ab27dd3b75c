// What Tidegate is measured against: a Worker that passes requests on and decides nothing. Each variant is written the
// fastest honest way on this runtime: of seven ways to set fields on a request this one took the least time.
//
// The variants `duties` and `hit` are the floor of a gateway with Tidegate's features: what it must ask the runtime
// for, in the fastest way that we know, and not one decision.

import { BODY, ORIGINS } from "./settings.mjs";

const ORIGIN = ORIGINS.eu[0];
const POLICY = '"per-user";q=1000;w=1, "per-organisation";q=2000;w=1';
const LIMIT = '"per-user";r=99999999;t=1, "per-organisation";r=199999999;t=1';

/** Nothing set: the runtime's own floor. */
function nothing(url, request) {
  return fetch(url, request);
}

/** The request fields that Tidegate sets. */
function requestFields(url, request) {
  return fetch(url, { method: request.method, headers: fieldsFor(request), body: request.body, redirect: "manual" });
}

function fieldsFor(request) {
  const headers = new Headers(request.headers);
  const id = crypto.randomUUID().replaceAll("-", "");
  headers.set("x-forwarded-for", headers.get("cf-connecting-ip"));
  headers.set("x-forwarded-proto", "http");
  headers.set("x-forwarded-host", headers.get("host"));
  headers.set("x-request-id", id);
  headers.set("traceparent", `00-${id}-${id.slice(0, 16)}-00`);
  headers.set("via", "1.1 bare");
  headers.set("cdn-loop", "bare");
  headers.set("x-user-id", "user-1");
  return headers;
}

/** The request fields, and the two fields that a limit adds to the response. */
async function bothFields(url, request) {
  const answer = await requestFields(url, request);
  const response = new Response(answer.body, answer);
  response.headers.set("ratelimit-policy", POLICY);
  response.headers.set("ratelimit", LIMIT);
  return response;
}

// Values that decide: a token, the client's address, the trace, what stands in the way of loops. By the length of their
// names: looking for each of a request's names in a set takes longer.
const READ = [];
for (const name of [
  "authorization",
  "cdn-loop",
  "cf-connecting-ip",
  "connection",
  "cookie",
  "traceparent",
  "tracestate",
  "upgrade",
  "via",
]) {
  (READ[name.length] ??= []).push(name);
}

// Without it the zone's cache would keep responses whatever their route says.
const UNCACHED = { cacheTtlByStatus: { "100-599": -1 } };

/** Looks at every field: a spoofed one may have any name. */
function fieldsOf({ headers }) {
  let names = "";
  let known = "";
  for (const name of headers.keys()) {
    names += `\n${name}`;
    if (READ[name.length]?.includes(name)) known += `\n${headers.get(name)}`;
  }
  return known + names;
}

/** The request fields, and all that a gateway must ask the runtime for to steer, to protect, to give up, to account. */
function duties(url, request) {
  const { method } = request;
  const fields = fieldsOf(request);
  const { colo, country, continent, regionCode, asn } = request.cf;
  const headers = fieldsFor(request);
  headers.delete("authorization");
  const init = { method, headers, body: request.body, redirect: "manual", cf: UNCACHED };
  return new Promise((resolve) => {
    setTimeout(() => resolve(new Response(null, { status: 504 })), 30_000);
    fetch(url, init).then((response) => {
      const { headers: answered, status } = response;
      let hop = answered.get("connection");
      for (const name of PROXY_FIELDS) if (answered.has(name)) hop += name;
      const place = `${colo} ${country} ${continent} ${regionCode} ${asn}`;
      const told = `"status":${status},"place":"${place}","fields":${fields.length},"hop":"${hop}"`;
      console.log(`{"method":"${method}","url":"${url}",${told}}`);
      resolve(response);
    });
  });
}

const PROXY_FIELDS = ["proxy-authenticate", "proxy-authentication-info", "proxy-connection"];

/** What a cache would answer at best: no origin, a body that is always the same. */
function constant() {
  return new Response(BODY, { headers: { "content-type": "application/json" } });
}

const KEPT = new TextEncoder().encode(BODY).buffer;

// What a stored response of nginx comes with, and what a cache adds.
const KEPT_FIELDS = new Response(null, {
  headers: {
    age: "3",
    "cache-control": "max-age=3600",
    "cache-status": "bare; hit; ttl=3597",
    "content-type": "application/json",
    date: "Fri, 27 Nov 2026 12:00:00 GMT",
    server: "nginx",
    "x-request-id": "0123456789abcdef0123456789abcdef",
  },
});

/** A stored response from memory, and what a cache must ask the runtime for. */
function hit(url, request) {
  const { method } = request;
  const fields = fieldsOf(request);
  console.log(`{"method":"${method}","url":"${url}","status":200,"fields":${fields.length},"cache":"hit"}`);
  return new Response(KEPT, KEPT_FIELDS);
}

const VARIANTS = { nothing, request: requestFields, both: bothFields, duties, constant, hit };

export default {
  fetch(request) {
    const { url } = request;
    const start = url.indexOf("/", 8);
    const end = url.indexOf("/", start + 1);
    return VARIANTS[url.slice(start + 1, end)](ORIGIN + url.slice(end), request);
  },
};
