// Origins that fail: they refuse, hang, break off, answer 503, or are gone.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { many, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";

const TIMEOUT_MS = 1_000;
/** How late a busy machine may be. */
const SLACK_MS = 5_000;

// Each answer ends its connection: on a kept one, the runtime itself repeats an idempotent request that was cut off
// (RFC 9112, section 9.3.1), and the counts below are the gateway's.
const ANSWER = (status, text) =>
  `HTTP/1.1 ${status} Why Not\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
const OK = (name) => ANSWER(200, name);
const answering = (status) => ANSWER(status, `${status}!!`);

/** Two origins of one pool, and one of the next pool. */
const origins = {};
/** How each of them answers. */
const behaviour = {};
let gateway;

before(async () => {
  for (const name of ["a", "b", "c"]) {
    origins[name] = await startRawOrigin((request, socket) => behaviour[name](request, socket));
  }
  gateway = await startGatewayWith(`
[[pool]]
name = "first"
origins = [{ name = "a", url = "${origins.a.url}" }, { name = "b", url = "${origins.b.url}" }]

[[pool]]
name = "second"
origins = [{ name = "c", url = "${origins.c.url}" }]

[[pool]]
name = "gone"
origins = [{ name = "gone-1", url = "http://127.0.0.1:9" }, { name = "gone-2", url = "http://127.0.0.1:9" }]

[[pool]]
name = "half-gone"
origins = [{ name = "gone-1", url = "http://127.0.0.1:9" }, { name = "c", url = "${origins.c.url}" }]

[[pool]]
name = "nameless"
origins = [{ name = "nowhere", url = "http://does-not-exist.invalid" }]

${[
  ["both", '["first"]', "retries = 1"],
  ["never", '["first"]', "retries = 0"],
  ["on", '["first", "second"]', "retries = 2"],
  ["gone", '["gone"]', "retries = 1"],
  ["half-gone", '["half-gone"]', "retries = 1"],
  ["nameless", '["nameless"]', "retries = 1"],
]
  .map(
    ([name, pools, retries]) => `
[[route]]
name = "${name}"
match = { path = "/${name}" }
auth = "none"
origin = { pools = ${pools}, timeout = "${TIMEOUT_MS}ms", ${retries} }
`,
  )
  .join("")}
`);
});

after(() => stopAll(gateway, ...Object.values(origins)));

beforeEach(() => {
  for (const name of Object.keys(origins)) {
    behaviour[name] = () => OK(name);
    origins[name].take();
  }
});

/** Has a and b fail in one way. */
function failing(how) {
  behaviour.a = how;
  behaviour.b = how;
}

const count = () => Object.fromEntries(Object.entries(origins).map(([name, origin]) => [name, origin.take().length]));
const get = (path, options) => send(gateway.url + path, options);

function problem(reply, status, code) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers["content-type"], "application/problem+json");
  assert.equal(reply.json.type, `tag:tidegate,2026:problem/${code}`);
  assert.equal(reply.json.request_id, reply.headers["x-request-id"]);
  assert.doesNotMatch(reply.text, /127\.0\.0\.1|gone-|"[abc]"|invalid|first/, "nothing of the inside");
}

const FAILURES = {
  "closes the connection without a word": () => null,
  "closes it in the middle of the header": (_, socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Le"),
  "closes it in the middle of the status line": (_, socket) => void socket.end("HTT"),
  "speaks no HTTP": () => "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  "sends two lengths": () => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
};
for (const [what, how] of Object.entries(FAILURES)) {
  test(`an origin that ${what}: the other one answers`, async () => {
    behaviour.a = how;
    const replies = await many(6, 1, () => get("/both"));
    assert.deepEqual([...new Set(replies.map(({ status, text }) => `${status} ${text}`))], ["200 b"]);
  });

  test(`all origins ${what}: 502 within the timeout`, async () => {
    failing(how);
    const begun = performance.now();
    problem(await get("/both"), 502, "origin-unreachable");
    assert.ok(performance.now() - begun < 2 * TIMEOUT_MS + SLACK_MS);
    assert.deepEqual(count(), { a: 1, b: 1, c: 0 });
  });
}

test("one origin stopped: of 200 GETs none fails", async () => {
  const replies = await many(200, 10, () => get("/half-gone"));
  assert.deepEqual([...new Set(replies.map(({ status, text }) => `${status} ${text}`))], ["200 c"]);
});

test("an origin that stops while it serves: of 200 GETs none fails", async () => {
  const victim = await startRawOrigin(() => OK("v"));
  const other = await startRawOrigin(() => OK("o"));
  const own = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "victim", url = "${victim.url}" }, { name = "other", url = "${other.url}" }]

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
`);
  try {
    let stopping;
    const replies = await many(200, 10, async (index) => {
      if (index === 50) stopping = victim.stop();
      return send(own.url);
    });
    await stopping;
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    assert.ok(replies.some(({ text }) => text === "v") && replies.at(-1).text === "o");
  } finally {
    await stopAll(own, other, victim);
  }
});

test("all origins stopped: 502 for every method, within the timeout", async () => {
  for (const method of ["GET", "POST", "DELETE"]) {
    const begun = performance.now();
    problem(await get("/gone", { method }), 502, "origin-unreachable");
    assert.ok(performance.now() - begun < 2 * TIMEOUT_MS + SLACK_MS);
  }
  assert.equal((await get("/gone", { method: "HEAD" })).status, 502);
});

test("an origin whose name does not resolve: 502 or 504", async () => {
  const reply = await get("/nameless");
  assert.ok([502, 504].includes(reply.status));
  assert.equal(reply.headers["content-type"], "application/problem+json");
});

test("an origin that hangs: the other one answers after the timeout", async () => {
  behaviour.a = () => undefined;
  const replies = await many(2, 1, () => get("/both"));
  assert.deepEqual(
    replies.map(({ text }) => text),
    ["b", "b"],
  );
});

test("all origins hang: 504 after the timeout of each attempt", async () => {
  failing(() => undefined);
  const begun = performance.now();
  problem(await get("/both"), 504, "origin-timeout");
  const took = performance.now() - begun;
  assert.ok(took >= 2 * TIMEOUT_MS - 50 && took < 2 * TIMEOUT_MS + SLACK_MS, `${took} ms`);
  assert.deepEqual(count(), { a: 1, b: 1, c: 0 });
});

test("an origin that drips its header: 504, the timeout is for the whole header", async () => {
  failing((_, socket) => {
    const dripping = setInterval(() => socket.destroyed || socket.write("X"), 50);
    socket.on("close", () => clearInterval(dripping));
    return "HTTP/1.1 200 OK\r\nX-Long: ";
  });
  problem(await get("/never"), 504, "origin-timeout");
});

for (const status of [502, 503, 504]) {
  test(`${status} is tried once more, elsewhere`, async () => {
    behaviour.a = () => answering(status);
    const replies = await many(4, 1, () => get("/both"));
    assert.deepEqual(
      replies.map(({ text }) => text),
      ["b", "b", "b", "b"],
    );
  });

  test(`${status} of all origins is the client's, as it came`, async () => {
    failing(() => answering(status));
    const reply = await get("/both");
    assert.equal(reply.status, status);
    assert.equal(reply.text, `${status}!!`);
    assert.deepEqual(count(), { a: 1, b: 1, c: 0 });
  });
}

for (const status of [500, 501, 404, 429, 400, 301]) {
  test(`${status} is an answer, and not tried again`, async () => {
    failing(() => answering(status));
    assert.equal((await get("/both")).status, status);
    const { a, b } = count();
    assert.equal(a + b, 1);
  });
}

test("the next pool is tried after the first, up to the number of retries", async () => {
  failing(() => null);
  assert.equal((await get("/on")).text, "c");
  assert.deepEqual(count(), { a: 1, b: 1, c: 1 });
});

test("no retries: one attempt", async () => {
  failing(() => null);
  problem(await get("/never"), 502, "origin-unreachable");
  const { a, b } = count();
  assert.equal(a + b, 1);
});

for (const [what, options] of [
  ["POST", { method: "POST" }],
  ["POST with content", { method: "POST", body: "x" }],
  ["PATCH", { method: "PATCH", body: "x" }],
  ["PUT with content, which is gone after the first attempt", { method: "PUT", body: "x" }],
]) {
  for (const how of [() => null, () => answering(503), () => undefined]) {
    test(`${what} is never sent twice (${how})`, async () => {
      failing(how);
      const { status } = await get("/both", options);
      assert.ok([502, 503, 504].includes(status), `status ${status}`);
      const { a, b } = count();
      assert.equal(a + b, 1);
    });
  }
}

test("a POST on a kept connection that the origin closes instead is not sent again on a new one", async () => {
  const kept = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  failing(() => kept);
  await many(4, 1, () => get("/never"));
  count();
  failing(() => null);
  for (const body of [undefined, "x"]) {
    assert.equal((await get("/never", { method: "POST", body })).status, 502);
    const { a, b } = count();
    assert.equal(a + b, 1);
  }
});

for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
  test(`${method} without content is tried again`, async () => {
    failing(() => null);
    assert.equal((await get("/both", { method })).status, 502);
    assert.deepEqual(count(), { a: 1, b: 1, c: 0 });
  });
}

test("the attempts are on the log", async () => {
  failing(() => null);
  const reply = await get("/on");
  assert.equal(reply.status, 200);
  const record = await gateway.record(({ route, attempts }) => route === "on" && attempts === 3);
  assert.deepEqual([record.origin, record.pool, record.status], ["c", "second", 200]);
});
