// The Workers Cache as a tier of a global cache. The cache itself is a model: tests/workerd/lib/workers_cache.mjs. The
// gateway, the entrypoint in front of which the model stands, and the Durable Objects are real.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { askForCopy, copy, noCopy } from "../../edge/copies.mjs";
import { kept } from "../../edge/kept.mjs";
import { send } from "./lib/client.mjs";
import { scratch, startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";
import { WorkersCache } from "./lib/workers_cache.mjs";

const text = (name) => readFileSync(new URL(name, import.meta.url), "utf8");

/** A cache with a clock that stands still, and an entrypoint that answers with these fields. */
function stage(fields, options = {}) {
  const clock = { ms: 0 };
  const cache = new WorkersCache({ now: () => clock.ms, ...options });
  const callee = {
    calls: 0,
    status: 200,
    async fetch() {
      callee.calls += 1;
      return new Response(`body ${callee.calls}`, { status: callee.status, headers: fields });
    },
  };
  const entrypoint = cache.entrypoint("Inner", callee);
  const status = async (url, init) => (await entrypoint.fetch(url, init)).headers.get("cf-cache-status");
  return { clock, cache, callee, entrypoint, status };
}

describe("the traps of the platform, as the model has them", () => {
  test("the host is no part of the key", async () => {
    const { status } = stage({ "cache-control": "public, max-age=60" });
    assert.equal(await status("https://a.example/x"), "MISS");
    assert.equal(await status("https://b.example/x"), "HIT");
    assert.equal(await status("https://b.example/x?y"), "MISS");
  });

  test("a version, an entrypoint and props have copies of their own", async () => {
    const { cache, callee, status } = stage({ "cache-control": "public, max-age=60" });
    await status("https://a.example/x");
    cache.version = "2";
    assert.equal(await status("https://a.example/x"), "MISS");
    for (const other of [cache.entrypoint("Inner", callee, { tenant: 1 }), cache.entrypoint("Other", callee)]) {
      assert.equal((await other.fetch("https://a.example/x")).headers.get("cf-cache-status"), "MISS");
    }
    cache.crossVersion = true;
    await status("https://a.example/x");
    cache.version = "3";
    assert.equal(await status("https://a.example/x"), "HIT");
  });

  test("without a Cache-Control, a response is kept for two hours", async () => {
    const { clock, status } = stage({});
    await status("https://a.example/x");
    clock.ms = 7_199_000;
    assert.equal(await status("https://a.example/x"), "HIT");
    clock.ms = 7_200_000;
    assert.equal(await status("https://a.example/x"), "MISS");
  });

  test("a failing entrypoint leaves what is stale in place, unless that must be revalidated", async () => {
    for (const [control, expected] of [
      ["public, max-age=1", "STALE"],
      ["public, max-age=1, stale-if-error=0", "BYPASS"],
      ["public, max-age=1, must-revalidate", "BYPASS"],
      ["public, s-maxage=1, stale-while-revalidate=9e9", "BYPASS"],
      ["public, max-age=1, stale-while-revalidate=9e9", "UPDATING"],
    ]) {
      const { clock, callee, status } = stage({ "cache-control": control });
      await status("https://a.example/x");
      clock.ms = 1e9;
      callee.fetch = async () => new Response("down", { status: 503, headers: { "cache-control": "no-store" } });
      assert.equal(await status("https://a.example/x"), expected, control);
    }
  });

  test("Authorization and Set-Cookie keep a response out, and Vary splits it", async () => {
    const authorized = { headers: { authorization: "Bearer x" } };
    const plain = stage({ "cache-control": "max-age=60" });
    assert.equal(await plain.status("https://a.example/x", authorized), "BYPASS");
    const cookie = stage({ "cache-control": "max-age=60", "set-cookie": "a=1" });
    assert.equal(await cookie.status("https://a.example/x"), "BYPASS");
    const varied = stage({ "cache-control": "max-age=60", vary: "accept-language" });
    await varied.status("https://a.example/x");
    assert.equal(await varied.status("https://a.example/x", { headers: { "accept-language": "de" } }), "MISS");
    assert.equal(await stage({ "cache-control": "max-age=60", vary: "*" }).status("https://a.example/x"), "BYPASS");
  });

  test("the most special field decides", async () => {
    const { clock, status } = stage({ "cache-control": "no-store", "cdn-cache-control": "max-age=60" });
    await status("https://a.example/x");
    clock.ms = 59_000;
    assert.equal(await status("https://a.example/x"), "HIT");
  });

  test("what many ask for at once is asked for once, if it may be kept", async () => {
    for (const [control, calls] of [
      ["public, max-age=1", 1],
      ["no-store", 20],
    ]) {
      const { callee, status } = stage({ "cache-control": control });
      await Promise.all(Array.from({ length: 20 }, () => status("https://a.example/x")));
      assert.equal(callee.calls, calls, control);
    }
  });

  test("purges are few, and an entrypoint's own", async () => {
    const { cache, status } = stage({ "cache-control": "public, max-age=60", "cache-tag": "One,two" });
    await status("https://a.example/x/y");
    cache.purge("Other", { purgeEverything: true });
    cache.purge("Inner", { tags: ["three"], pathPrefixes: ["/y"] });
    assert.equal(await status("https://a.example/x/y"), "HIT");
    cache.purge("Inner", { tags: ["one"] });
    assert.equal(await status("https://a.example/x/y"), "MISS");
    const outcomes = Array.from({ length: 30 }, () => cache.purge("Inner", { pathPrefixes: ["/x"] }).success);
    assert.ok(outcomes[0] && !outcomes.at(-1));
  });
});

describe("a copy", () => {
  const RESPONSE = kept("stamp.envelope", "content-type\ntext/html\nset-cookie\na=1\nvary\n*\nx-name\nä", new ArrayBuffer(3));
  const URL_ = "https://cache.tidegate.invalid/host=a/object=global:1";
  const context = (cache, fetch) => ({ exports: { Copies: cache.entrypoint("Copies", { fetch }) } });

  test("is bytes to the platform, whatever the response says", async () => {
    const { cache, clock } = stage({});
    let calls = 0;
    const ctx = context(cache, async ({ url }) => {
      calls += 1;
      return copy(RESPONSE, url, "public, max-age=10, must-revalidate");
    });
    const [isCached, of, first] = await askForCopy(ctx, URL_, 1_000);
    assert.deepEqual([isCached, of, first.metadata, first.fields], [true, URL_, RESPONSE.metadata, RESPONSE.fields]);
    assert.equal(first.body.byteLength, 3);
    clock.ms = 9_999;
    assert.deepEqual((await askForCopy(ctx, URL_, 1_000)).slice(0, 2), [true, URL_]);
    assert.equal(calls, 1);
    clock.ms = 10_000;
    await askForCopy(ctx, URL_, 1_000);
    assert.equal(calls, 2);
    assert.deepEqual(cache.requests, Array(3).fill([URL_, []]), "no field goes along");
  });

  test("that there is none is no failure, and a failure is not kept", async () => {
    const { cache, clock } = stage({});
    let status = 404;
    let calls = 0;
    const ctx = context(cache, async () => {
      calls += 1;
      return noCopy(status, status === 404 ? "public, max-age=1, must-revalidate" : "no-store");
    });
    const many = Array.from({ length: 20 }, () => askForCopy(ctx, URL_, 1_000));
    assert.deepEqual(await Promise.all(many), Array(20).fill([true]));
    assert.equal(calls, 1);
    clock.ms = 1_000;
    status = 503;
    for (let time = 0; time < 2; time += 1) await assert.rejects(askForCopy(ctx, URL_, 1_000), /answered 503/);
    assert.equal(calls, 3);
  });

  test("is not waited for for ever", async () => {
    const { cache } = stage({});
    const silent = context(cache, () => new Promise(() => {}));
    await assert.rejects(askForCopy(silent, URL_, 20), /the Workers Cache did not answer in 20 ms/);
    await assert.rejects(askForCopy({}, URL_, 20), /there is no ctx.exports.Copies/);
    await assert.rejects(askForCopy({ exports: {} }, URL_, 20), /there is no ctx.exports.Copies/);
  });
});

describe("the gateway", () => {
  const HOST = "gateway.test"; // of all locations
  const secret = makeSecret("HS256");
  const places = [];
  let origin;

  const configuration = () => `
[gateway]
admin = { path = "/_tidegate", token = { secret = "ADMIN_TOKEN" } }

[cache_backend]
kind = "workers_cache"

[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "SIGNING_KEY" }

[[cache]]
name = "pages"
scope = "global"
ttl = "10m"
tags = ["pages"]

[[route]]
name = "open"
match = { path = "/open/{*rest}" }
auth = "none"
cache = "pages"

[[route]]
name = "mine"
match = { path = "/mine/{*rest}" }
auth = { any = ["main"], forward = { sub = "x-sub" } }
cache = "pages"
`;

  async function start(front) {
    const place = front && scratch({ "entry.mjs": front });
    if (place) places.push(place);
    const secrets = { SIGNING_KEY: secret.text, ADMIN_TOKEN: "the-operators-own-token" };
    return startGatewayWith(configuration(), { edges: 3, secrets, entry: place?.path("entry.mjs") });
  }

  /** The model, without its exports: an entry's exports are entrypoints. */
  const model = () => text("lib/workers_cache.mjs").replace(/^export /gm, "") + text("lib/in_front.mjs");

  before(async () => {
    origin = await startOrigin((request, response) => {
      response.setHeader("vary", "accept-language");
      response.setHeader("cache-control", "public, max-age=600");
      response.setHeader("x-version", String(origin.version));
      response.end(`${request.url} ${request.headers["x-sub"] ?? "everybody"}`);
    });
    origin.version = 1;
  });
  after(async () => {
    await stopAll(origin);
    places.forEach((place) => place.remove());
  });

  /** The tier that answered, and the body. */
  async function get(gateway, edge, path, headers = {}) {
    const known = gateway.records().length;
    const reply = await send(gateway.urls[edge] + path, { headers: { ...headers, host: HOST } });
    assert.equal(reply.status, 200);
    const record = await until("the record", () => gateway.records().slice(known).find((line) => line.path === path));
    return [record.cache.tier ?? "origin", reply.text, reply];
  }

  const control = async (gateway, edge, what = "") => send(gateway.urls[edge], { headers: { "in-front-control": what } });
  const seen = async (gateway, edge) => JSON.parse((await control(gateway, edge)).text);

  /** The fill is stored after the reply. */
  const filled = (gateway, path, headers) =>
    until("the fill", async () => (await get(gateway, 0, path, headers))[0] !== "origin");

  describe("with the cache in front of its entrypoint", () => {
    let gateway;
    before(async () => {
      gateway = await start(model());
    });
    after(() => stopAll(gateway));

    test("answers a second location with a copy, and tells the platform nothing of the client", async () => {
      const headers = { cookie: "a=1", "x-forwarded-host": "evil.example", "accept-language": "de" };
      await filled(gateway, "/open/a", headers);
      const [tier, body, reply] = await get(gateway, 1, "/open/a", headers);
      assert.deepEqual([tier, body], ["workers_cache", "/open/a everybody"]);
      assert.match(reply.headers["cache-status"], /^tidegate; hit; ttl=\d+$/);
      const own = ["tidegate-copy-of", "tidegate-stored", "tidegate-fields", "cf-cache-status"];
      for (const name of own) assert.equal(reply.headers[name], undefined, name);
      assert.equal(reply.headers.vary, "accept-language");
      const { requests, entries } = await seen(gateway, 1);
      assert.ok(requests.length > 0 && requests.every(([, fields]) => fields.length === 0), JSON.stringify(requests));
      const [found] = entries.filter(({ status }) => status === 200);
      assert.equal(found.lifetime, 10_000);
      assert.deepEqual(Object.keys(found.headers).sort(), [
        ...["cache-control", "content-type", "tidegate-copy-of", "tidegate-fields", "tidegate-stored"],
      ]);
      // The key holds whatever tells two responses apart, and the host is among it.
      for (const part of [`/host=${HOST}/`, "/path=%2Fopen%2Fa/", "/object=global:"]) assert.ok(found.key.includes(part), part);
      // The platform has it now, and does not ask the entrypoint again.
      const again = await control(gateway, 1, found.headers["tidegate-copy-of"]);
      assert.equal(again.headers["cf-cache-status"], "HIT");
    });

    test("gives nobody the copy of another caller", async () => {
      const token = async (sub) => ({ authorization: `Bearer ${await sign(secret, { sub })}` });
      const [alice, bob] = await Promise.all([token("alice"), token("bob")]);
      await filled(gateway, "/mine/a", alice);
      assert.deepEqual((await get(gateway, 1, "/mine/a", alice)).slice(0, 2), ["workers_cache", "/mine/a alice"]);
      assert.deepEqual((await get(gateway, 1, "/mine/a", bob)).slice(0, 2), ["origin", "/mine/a bob"]);
      const { requests } = await seen(gateway, 1);
      assert.doesNotMatch(JSON.stringify(requests), /Bearer|eyJ/);
    });

    test("does not believe a copy of before a write that it has seen", async () => {
      await filled(gateway, "/open/written");
      assert.equal((await get(gateway, 1, "/open/written"))[0], "workers_cache");
      const write = { method: "PUT", headers: { host: HOST } };
      assert.equal((await send(`${gateway.urls[1]}/open/written`, write)).status, 200);
      // Unless it was quicker than the object, which forgets after the reply.
      assert.match((await get(gateway, 1, "/open/written"))[0], /^(origin|object)$/);
    });

    test("serves no copy of before a purge", async () => {
      await filled(gateway, "/open/purged");
      assert.equal((await get(gateway, 1, "/open/purged"))[0], "workers_cache");
      origin.version = 2;
      const purge = { method: "POST", body: '{"tags":["pages"]}', headers: { authorization: "Bearer the-operators-own-token" } };
      assert.equal((await send(`${gateway.urls[1]}/_tidegate/purge`, purge)).status, 200);
      assert.equal((await get(gateway, 1, "/open/purged"))[2].headers["x-version"], "2");
    });
  });

  test("goes on without the cache where it is not turned on, and says so once", async () => {
    const gateway = await start();
    try {
      await filled(gateway, "/open/a");
      // The entrypoint answers all the same.
      assert.deepEqual((await get(gateway, 1, "/open/a")).slice(0, 2), ["workers_cache", "/open/a everybody"]);
      await filled(gateway, "/open/b");
      assert.equal((await get(gateway, 1, "/open/b"))[0], "object");
      const says = () => gateway.lines.filter((line) => line.includes("not on for the entrypoint Copies"));
      await until("a line of each isolate that asked", () => says().length === 2);
    } finally {
      await stopAll(gateway);
    }
  });

  test("goes on without the entrypoint", async () => {
    const gateway = await start(`
      import gateway from "./worker.mjs";
      export { Cache, Limiter, Purge } from "./worker.mjs";
      export default {
        fetch: (request, env, ctx) => gateway.fetch(request, env, { waitUntil: (promise) => ctx.waitUntil(promise) }),
      };
    `);
    try {
      await filled(gateway, "/open/a");
      assert.deepEqual((await get(gateway, 1, "/open/a")).slice(0, 2), ["object", "/open/a everybody"]);
      assert.ok(gateway.lines.some((line) => line.includes("there is no ctx.exports.Copies")));
    } finally {
      await stopAll(gateway);
    }
  });
});
