// Which origin gets a request: by where its client is, and by turns.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { many, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startNamed } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";

const NAMES = ["us-1", "us-2", "eu-1", "eu-2", "eu-3", "ap-1", "sa-1", "fra-1"];
let origins;
let gateway;

before(async () => {
  origins = await startNamed(...NAMES);
  const pool = (name, balance, ...members) => `
[[pool]]
name = "${name}"
balance = "${balance}"
origins = [${members
    .map(
      ([member, weight]) =>
        `{ name = "${member}", url = "${origins[member].url}"${weight ? `, weight = ${weight}` : ""} }`,
    )
    .join(", ")}]
`;
  const config = [
    pool("us", "round_robin", ["us-1"], ["us-2"]),
    pool("eu", "weighted", ["eu-1", 5], ["eu-2", 3], ["eu-3", 2]),
    pool("ap", "round_robin", ["ap-1"]),
    pool("sa", "random", ["sa-1"]),
    pool("fra", "round_robin", ["fra-1"]),
    pool("sticky", "ip_hash", ["us-1"], ["us-2"], ["eu-1"], ["ap-1"]),
    `
[steering]
policy = "geo"
default_pools = ["us"]
fallback_pool = "us"
region_pools = { WEU = ["eu"], EEU = ["eu"], NEAS = ["ap"], WNAM = ["us"], ENAM = ["us"], OC = ["ap"] }
country_pools = { BR = ["sa", "us"], CH = ["fra"] }
colo_pools = { FRA = ["fra", "eu"] }

[[route]]
name = "geo"
match = { path = "/{*rest}" }
auth = "none"

[[route]]
name = "only-ap"
match = { path = "/only-ap" }
auth = "none"
origin = { pools = ["ap"] }

[[route]]
name = "sticky"
match = { path = "/sticky" }
auth = "none"
origin = { pools = ["sticky"] }
`,
  ].join("");
  gateway = await startGatewayWith(config, { edges: 2 });
});

after(() => stopAll(gateway, ...Object.values(origins ?? {})));

/** The name of the origin that answers a client from a place. */
async function from(place, { path = "/", edge = 0, headers = {} } = {}) {
  const blob = place === undefined ? {} : { "mf-cf-blob": typeof place === "string" ? place : JSON.stringify(place) };
  const reply = await send(gateway.urls[edge] + path, { headers: { ...blob, ...headers } });
  assert.equal(reply.status, 200);
  return reply.text;
}

const PLACES = [
  ["Germany", { country: "DE" }, /^eu-/],
  [
    "Germany, with all that the platform says",
    { country: "DE", continent: "EU", colo: "MUC", regionCode: "BY" },
    /^eu-/,
  ],
  ["Poland", { country: "PL", continent: "EU", colo: "WAW" }, /^eu-/],
  ["the United States", { country: "US" }, /^us-/],
  ["California", { country: "US", regionCode: "CA", colo: "SJC" }, /^us-/],
  ["Japan", { country: "JP" }, /^ap-1$/],
  ["Japan, through Tokyo", { country: "JP", continent: "AS", colo: "NRT" }, /^ap-1$/],
  ["Australia", { country: "AU" }, /^ap-1$/],
  ["Brazil, which has a list of its own", { country: "BR", continent: "SA", colo: "GRU" }, /^sa-1$/],
  ["Switzerland, whose list wins over its region's", { country: "CH", colo: "ZRH" }, /^fra-1$/],
  ["Frankfurt, whose list wins over its country's", { country: "DE", colo: "FRA" }, /^fra-1$/],
  ["Frankfurt as seen from Japan", { country: "JP", colo: "FRA" }, /^fra-1$/],
  ["a country without a list", { country: "ZA", continent: "AF" }, /^us-/],
  ["Tor", { country: "T1" }, /^us-/],
  ["nowhere", { country: "XX" }, /^us-/],
  ["a country that is none", { country: "??", continent: "??", colo: "????????????", regionCode: "\u0000" }, /^us-/],
  ["a place of other types", { country: 7, colo: null, continent: true, regionCode: {} }, /^us-/],
  ["no place", undefined, /^us-/],
];
for (const [what, place, origin] of PLACES) {
  test(`a client in ${what} gets ${origin.source}`, async () => {
    for (const edge of [0, 1]) assert.match(await from(place, { edge }), origin);
  });
}

test("a place that cannot be read is no place", async () => {
  for (const place of [
    "",
    "country=DE",
    "-1",
    "null",
    '"DE"',
    "[]",
    '["DE"]',
    '{"country":',
    '{"country":"DE\\nUS"}',
  ]) {
    assert.match(await from(place), /^us-/, place);
  }
});

test("a client cannot say where it is: only the platform does", async () => {
  const headers = { "cf-ipcountry": "DE", "x-country": "DE", "cf-ray": "1-FRA", "x-forwarded-for": "192.0.2.1" };
  assert.match(await from({ country: "US" }, { headers }), /^us-/);
});

test("a route's own pools win over the place", async () => {
  assert.equal(await from({ country: "DE", colo: "FRA" }, { path: "/only-ap" }), "ap-1");
});

test("equal turns: a hundred requests go to both origins of a pool alike", async () => {
  const names = await many(100, 1, () => from({ country: "US" }));
  assert.equal(names.filter((name) => name === "us-1").length, 50);
  assert.ok(
    names.every((name, index) => index === 0 || name !== names[index - 1]),
    "and they take turns",
  );
});

test("turns by weight: exact over each round, and spread within it", async () => {
  const names = await many(100, 1, () => from({ country: "FR" }));
  const count = (wanted) => names.filter((name) => name === wanted).length;
  assert.deepEqual(["eu-1", "eu-2", "eu-3"].map(count), [50, 30, 20]);
  assert.doesNotMatch(names.join(" "), /eu-1 eu-1 eu-1/);
});

test("ip_hash: one address stays with one origin at every edge, and many spread over all", async () => {
  const by = (address, edge) => from(undefined, { path: "/sticky", edge, headers: { "cf-connecting-ip": address } });
  const addresses = Array.from({ length: 40 }, (_, index) => `203.0.113.${index}`);
  const first = await many(40, 8, (index) => by(addresses[index], 0));
  const second = await many(40, 8, (index) => by(addresses[index], 1));
  assert.deepEqual(first, second);
  assert.equal(new Set(first).size, 4);
});

test("the log says which origin, and why", async () => {
  await from({ country: "BR", colo: "GRU" });
  const record = await gateway.record(({ origin, colo }) => origin === "sa-1" && colo === "GRU");
  assert.equal(record.pool, "sa");
  assert.match(record.because, /country.*BR|BR.*country/);
});
