// WebSocket through the gateway: the handshake is a request like any other, what follows is nobody's business.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { WebSocket, WebSocketServer } from "ws";

import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { PATIENCE_MS, within } from "./lib/time.mjs";
import { ISSUER, makeSecret, sign } from "./lib/tokens.mjs";
import { request, talk } from "./lib/wire.mjs";

const TIMEOUT_MS = 5_000;
const secret = makeSecret("HS256");
let origin;
let raw;
let sockets;
let gateway;
/** The requests that became sockets. */
const upgrades = [];
/** The origin's end of the latest socket. */
let far;

before(async () => {
  origin = await startOrigin((_, response) => response.writeHead(426).end("upgrade"));
  raw = await startRawOrigin(() => "HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 2\r\n\r\nno");
  sockets = new WebSocketServer({ server: origin.server, handleProtocols: (offered) => [...offered].at(-1) });
  sockets.on("connection", (socket, upgrade) => {
    far = socket;
    upgrades.push(upgrade);
    socket.on("error", () => {});
    socket.on("message", (data, binary) => {
      const text = data.toString();
      if (text.startsWith("close ")) socket.close(Number(text.slice(6)), "as asked");
      else if (text === "break") socket.terminate();
      else socket.send(data, { binary });
    });
  });
  const config = `
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[pool]]
name = "gone"
origins = [{ name = "gone", url = "http://127.0.0.1:9" }]

[[pool]]
name = "unwilling"
origins = [{ name = "unwilling", url = "${raw.url}" }]

[[issuer]]
name = "main"
issuer = "${ISSUER}"
audience = ["api"]
algorithms = ["HS256"]
secret = { secret = "SIGNING_KEY" }
cookie = "session"

[[limit]]
name = "two"
key = ["header:x-key"]
rate = { requests = 2, per = "1h" }

[[cache]]
name = "minute"
ttl = "60s"

${[
  ["open", '"none"', 'limits = ["two"]\ncache = "minute"', '["all"]'],
  ["closed", '{ any = ["main"], forward = { sub = "x-user-id" } }', "", '["all"]'],
  ["gone", '"none"', "", '["gone"]'],
  ["unwilling", '"none"', "", '["unwilling"]'],
]
  .map(
    ([name, auth, more, pools]) => `
[[route]]
name = "${name}"
match = { path = "/${name}" }
auth = ${auth}
origin = { pools = ${pools}, timeout = "${TIMEOUT_MS}ms" }
${more}
`,
  )
  .join("")}
`;
  gateway = await startGatewayWith(config, { secrets: { SIGNING_KEY: secret.text } });
});

after(() => {
  for (const socket of sockets?.clients ?? []) socket.terminate();
  return stopAll(gateway, origin, raw);
});

const soon = (what, promise) => within(PATIENCE_MS, what, promise);
let key = 0;

/** Opens a socket; a refusal rejects with its status. */
async function dial(path, { protocols = [], headers = {} } = {}) {
  const url = gateway.url.replace("http", "ws") + path;
  const socket = new WebSocket(url, protocols, { headers: { "x-key": `key ${++key}`, ...headers } });
  await soon(
    "an open socket",
    new Promise((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("unexpected-response", (_, response) => {
        response.resume();
        reject(Object.assign(new Error(`status ${response.statusCode}`), { status: response.statusCode, response }));
      });
      socket.on("error", reject);
    }),
  );
  return socket;
}

async function echoed(socket, message) {
  const answer = once(socket, "message");
  socket.send(message);
  const [data, binary] = await soon("an echo", answer);
  return binary ? data : data.toString();
}

async function closed(socket) {
  const [code, reason] = await soon("the end", once(socket, "close"));
  return [code, reason.toString()];
}

test("text and bytes pass in both directions, as long as they are", async () => {
  const socket = await dial("/open?room=7");
  assert.equal(await echoed(socket, "héllo"), "héllo");
  assert.equal(await echoed(socket, ""), "");
  for (const length of [1, 126, 65_536, 1_000_000]) {
    const bytes = Buffer.alloc(length, 0xa5);
    assert.ok((await echoed(socket, bytes)).equals(bytes));
  }
  assert.equal(upgrades.at(-1).url, "/open?room=7");
  socket.terminate();
});

test("many messages keep their order", async () => {
  const socket = await dial("/open");
  const heard = [];
  const done = new Promise((resolve) => socket.on("message", (data) => heard.push(Number(data)) === 500 && resolve()));
  for (let number = 0; number < 500; number++) socket.send(String(number));
  await soon("500 echoes", done);
  assert.deepEqual(
    heard,
    Array.from({ length: 500 }, (_, index) => index),
  );
  socket.terminate();
});

test("the origin may speak first, and after the timeout that is for the handshake", async () => {
  const socket = await dial("/open");
  await sleep(2 * TIMEOUT_MS);
  const heard = once(socket, "message");
  far.send("still there");
  assert.equal((await soon("a word", heard))[0].toString(), "still there");
  assert.equal(await echoed(socket, "yes"), "yes");
  socket.terminate();
});

test("the origin's code and reason reach the client", async () => {
  for (const code of [1000, 1001, 1011, 4321]) {
    const socket = await dial("/open");
    socket.send(`close ${code}`);
    assert.deepEqual(await closed(socket), [code, "as asked"]);
  }
});

test("the client's code and reason reach the origin", async () => {
  for (const code of [1000, 4321]) {
    const socket = await dial("/open");
    const end = closed(far);
    socket.close(code, "enough");
    assert.deepEqual(await end, [code, "enough"]);
  }
});

test("an end that breaks off breaks the other off, with no code that somebody sent", async () => {
  const first = await dial("/open");
  first.send("break");
  assert.equal((await closed(first))[0], 1006);
  const second = await dial("/open");
  const end = closed(far);
  second.terminate();
  assert.ok([1005, 1006].includes((await end)[0]));
});

test("the subprotocol is the origin's choice", async () => {
  const socket = await dial("/open", { protocols: ["one", "two"] });
  assert.equal(socket.protocol, "two");
  socket.terminate();
});

test("the handshake's header is as clean as any other's", async () => {
  const socket = await dial("/open", {
    headers: { "x-user-id": "root", "proxy-authorization": "Basic YQ==", "x-forwarded-for": "1.2.3.4", te: "trailers" },
  });
  const { headers } = upgrades.at(-1);
  for (const name of ["x-user-id", "proxy-authorization", "x-forwarded-for", "te"]) {
    assert.equal(headers[name], undefined, name);
  }
  assert.equal(headers["cdn-loop"], "tidegate");
  assert.match(headers.traceparent, /^00-/);
  socket.terminate();
});

test("a route with a token refuses the upgrade with 401, and opens it with a token or its cookie", async () => {
  const before = upgrades.length;
  await assert.rejects(dial("/closed"), { status: 401 });
  await assert.rejects(dial("/closed", { headers: { cookie: "session=a.b.c" } }), { status: 401 });
  assert.equal(upgrades.length, before);
  const token = await sign(secret);
  for (const headers of [{ cookie: `session=${token}` }, { authorization: `Bearer ${token}` }]) {
    const socket = await dial("/closed", { headers });
    assert.equal(upgrades.at(-1).headers["x-user-id"], "alice");
    assert.equal(await echoed(socket, "in"), "in");
    socket.terminate();
  }
});

test("a limit counts the handshake, not what follows", async () => {
  const headers = { "x-key": "limited" };
  const socket = await dial("/open", { headers });
  for (let number = 0; number < 5; number++) await echoed(socket, "x");
  (await dial("/open", { headers })).terminate();
  await assert.rejects(dial("/open", { headers }), { status: 429 });
  assert.equal(await echoed(socket, "an open socket stays open"), "an open socket stays open");
  socket.terminate();
});

test("an origin that refuses answers the client, one that is gone is 502, and without a route it is 404", async () => {
  await assert.rejects(dial("/unwilling"), (error) => {
    assert.equal(error.status, 403);
    assert.equal(error.response.headers["x-why"], "no");
    return true;
  });
  await assert.rejects(dial("/gone"), { status: 502 });
  await assert.rejects(dial("/nowhere"), { status: 404 });
});

test("a plain request to the same route is a plain request", async () => {
  const [response] = await talk(gateway.port, request("GET /open HTTP/1.1", "Host: a.example", "X-Key: plain"));
  assert.equal(response.status, 426);
});

test("an upgrade without a key, of another version, or by another method harms nobody", async () => {
  const handshake = ["Host: a.example", "Connection: Upgrade", "Upgrade: websocket"];
  for (const [line, ...more] of [
    ["GET /open HTTP/1.1"],
    ["GET /open HTTP/1.1", "Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="],
    ["POST /open HTTP/1.1", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="],
  ]) {
    const [response] = await talk(gateway.port, request(line, ...handshake, `X-Key: odd ${++key}`, ...more), {
      finish: true,
    });
    assert.ok(response === undefined || (response.status >= 400 && response.status !== 500), `${response?.status}`);
  }
  const socket = await dial("/open");
  assert.equal(await echoed(socket, "still"), "still");
  socket.terminate();
});

test("a hundred sockets at once are a hundred conversations", async () => {
  const all = await Promise.all(Array.from({ length: 100 }, () => dial("/open")));
  const answers = await Promise.all(all.map((socket, index) => echoed(socket, `I am ${index}`)));
  assert.deepEqual(
    answers,
    all.map((_, index) => `I am ${index}`),
  );
  for (const socket of all) socket.terminate();
});
