// The Workers Cache, as Cloudflare's documentation describes it (developers.cloudflare.com/workers/cache). A model: no
// runtime on this machine has one, and what the real one does beyond its documentation, this one does not know. It knows
// nothing of the gateway.

/** Fields of a request that are part of the key, so that frameworks that believe them poison nobody else's copy. */
const KEYED = [
  "cloudflare-workers-version-key",
  "forwarded",
  "x-forwarded-host",
  "x-host",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
];

/** How many seconds a response without a Cache-Control is kept, by its status. */
const HEURISTIC = {
  ...{ 200: 7200, 203: 7200, 204: 7200, 300: 1200, 301: 1200 },
  ...{ 404: 180, 405: 60, 410: 180, 414: 60, 501: 60 },
};

/** Purges that may follow each other at once; five more a minute come back. */
const PURGES_MAX = 25;

export class WorkersCache {
  constructor({ now = Date.now, version = "1", crossVersion = false, collapses = true } = {}) {
    Object.assign(this, { now, version, crossVersion, collapses });
    /** Lists of variants, by key. */
    this.entries = new Map();
    /** What is being fetched, by key. */
    this.filling = new Map();
    this.purges = 0;
    /** Every request that came here: `[url, its fields]`. */
    this.requests = [];
  }

  /** An entrypoint with this cache in front of it; `callee` has a `fetch`. */
  entrypoint(name, callee, props = {}) {
    return { fetch: (input, init = {}) => this.fetch(name, callee, props, new Request(input, init), init.cf ?? {}) };
  }

  async fetch(name, callee, props, request, cf) {
    this.requests.push([request.url, [...request.headers]]);
    if (request.method !== "GET" && request.method !== "HEAD") return told(await callee.fetch(request), "BYPASS");
    const key = this.key(name, props, request, cf);
    const found = (this.entries.get(key) ?? []).find((entry) => entry.selects(request));
    const age = found?.age(this.now());
    if (found !== undefined && age < found.lifetime) return found.response(age, "HIT");
    if (found !== undefined && age < found.lifetime + found.whileRevalidate) {
      this.fill(name, key, callee, request, cf).catch(() => {});
      return found.response(age, "UPDATING");
    }
    const filled = await this.fill(name, key, callee, request, cf).catch((error) => ({ error }));
    if (found !== undefined && (filled.error !== undefined || filled.status >= 500)) {
      // Without a word against it, for ever.
      if (age < found.lifetime + found.ifError) return found.response(age, "STALE");
    }
    if (filled.error !== undefined) throw filled.error;
    return filled;
  }

  /** The path, the entrypoint, its props, the version: not the host, not the method, not other fields. */
  key(name, props, { url, headers }, { cacheKey }) {
    const { pathname, search } = new URL(url);
    const version = this.crossVersion ? null : this.version;
    const place = cacheKey ? ["key", cacheKey] : ["url", pathname + search];
    return JSON.stringify([name, version, props, place, KEYED.map((field) => headers.get(field))]);
  }

  /** Asks the entrypoint, once for all who ask at the moment, and keeps its answer. */
  async fill(name, key, callee, request, cf) {
    if (!this.collapses) return this.ask(name, key, callee, request, cf);
    const other = this.filling.get(key);
    if (other !== undefined) {
      const entry = await other;
      // What may not be kept is nobody else's.
      return entry?.selects(request) ? entry.response(0, "HIT") : this.ask(name, key, callee, request, cf);
    }
    const { promise, resolve } = Promise.withResolvers();
    this.filling.set(key, promise);
    try {
      return await this.ask(name, key, callee, request, cf, resolve);
    } finally {
      resolve(undefined);
      this.filling.delete(key);
    }
  }

  async ask(name, key, callee, request, cf, keep = () => {}) {
    // The whole is asked for, and cut here.
    const whole = new Request(request, { method: "GET" });
    whole.headers.delete("range");
    const response = await callee.fetch(whole);
    const body = await response.arrayBuffer();
    const headers = new Headers(response.headers);
    const entry = new Entry(request, response.status, headers, body, cf.cacheControl, this.now());
    if (!entry.isKept) return told(new Response(entry.body, { status: response.status, headers }), "BYPASS");
    const others = (this.entries.get(key) ?? []).filter((other) => !other.selects(request));
    this.entries.set(key, [...others, entry]);
    Object.assign(entry, { name, path: new URL(request.url).pathname });
    keep(entry);
    return entry.response(undefined, "MISS");
  }

  /** What an entrypoint purges of its own. */
  purge(name, { tags = [], pathPrefixes = [], purgeEverything = false }) {
    this.purges += 1;
    if (this.purges > PURGES_MAX) return { success: false, errors: [{ code: 429, message: "too many purges" }] };
    const lower = tags.map((tag) => tag.toLowerCase());
    const isPurged = (entry) =>
      entry.name === name &&
      (purgeEverything ||
        entry.tags.some((tag) => lower.includes(tag)) ||
        pathPrefixes.some((prefix) => entry.path.startsWith(prefix)));
    // All variants of a URL share one purge.
    for (const [key, entries] of this.entries) if (entries.some(isPurged)) this.entries.delete(key);
    return { success: true, errors: [] };
  }
}

class Entry {
  constructor(request, status, headers, body, override, now) {
    Object.assign(this, { status, headers, body, stored: now });
    const names = ["cloudflare-cdn-cache-control", "cdn-cache-control", "cache-control"];
    const control = override ?? names.map((name) => headers.get(name)).find((value) => value !== null);
    const says = directives(control ?? "");
    const isShared = ["public", "must-revalidate", "s-maxage"].some((name) => says.has(name));
    const noStale = ["s-maxage", "must-revalidate", "proxy-revalidate"].some((name) => says.has(name));
    const heuristic = control === undefined && !headers.has("expires") ? HEURISTIC[status] : undefined;
    this.lifetime = 1000 * (heuristic ?? Number(says.has("no-cache") ? 0 : (says.get("s-maxage") ?? says.get("max-age"))));
    this.whileRevalidate = noStale ? 0 : 1000 * Number(says.get("stale-while-revalidate") ?? 0);
    this.ifError = noStale ? 0 : 1000 * Number(says.get("stale-if-error") ?? Infinity);
    const vary = (headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase());
    this.selecting = vary.filter((name) => name !== "").map((name) => [name, request.headers.get(name)]);
    this.tags = (headers.get("cache-tag") ?? "").toLowerCase().split(",");
    const isBypassed =
      says.has("no-store") ||
      (says.has("private") && says.get("private") !== '"set-cookie"') ||
      (headers.has("set-cookie") && says.get("private") !== '"set-cookie"') ||
      (request.headers.has("authorization") && !isShared) ||
      vary.includes("*") ||
      status === 206 ||
      (status >= 520 && status <= 526);
    this.isKept = !isBypassed && Number.isFinite(this.lifetime);
    if (this.isKept) headers.delete("set-cookie");
    for (const name of ["cache-tag", "cloudflare-cdn-cache-control"]) headers.delete(name);
    if (status === 204 || status === 304) this.body = null;
  }

  selects(request) {
    return this.selecting.every(([name, value]) => request.headers.get(name) === value);
  }

  age(now) {
    return now - this.stored;
  }

  response(age, status) {
    const headers = new Headers(this.headers);
    if (age !== undefined) headers.set("age", String(Math.floor(age / 1000)));
    return told(new Response(this.body?.slice(0) ?? null, { status: this.status, headers }), status);
  }
}

/** A response with the platform's word about it. */
function told(response, status) {
  const headers = new Headers(response.headers);
  headers.set("cf-cache-status", status);
  return new Response(response.body, { status: response.status, headers });
}

function directives(control) {
  const members = control.match(/[^,"]+(?:"[^"]*")?/g) ?? [];
  return new Map(members.map((member) => member.trim().toLowerCase().split("=", 2)));
}
