// Bodies pass through as they come: nothing waits for their end, and nothing keeps them.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { open, send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { deferred, PATIENCE_MS, until, within } from "./lib/time.mjs";

const MEBIBYTE = 1024 * 1024;
const PART = randomBytes(MEBIBYTE);
const PARTS = 100;
/** How long an origin of the paths under /brief and /cached may take until its header is complete. */
const TIMEOUT_MS = 2_000;
let origin;
let gateway;
/** How the origin serves the next request. */
let serve;

before(async () => {
  origin = await startOrigin((request, response) => serve(request, response));
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"

[[route]]
name = "brief"
match = { path = "/brief/{*rest}" }
auth = "none"
origin = { timeout = "${TIMEOUT_MS}ms" }

[[cache]]
name = "minute"
ttl = "60s"

[[route]]
name = "cached"
match = { path = "/cached/{*rest}" }
auth = "none"
cache = "minute"
origin = { timeout = "${TIMEOUT_MS}ms" }
`);
});

after(() => stopAll(gateway, origin));

const soon = (what, promise) => within(PATIENCE_MS, what, promise);

/** Resident memory of the workerd that this process started, in bytes; undefined where there is no /proc. */
function workerdMemory() {
  if (process.platform !== "linux") return undefined;
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  const workerd = children.find((id) => readFileSync(`/proc/${id}/comm`, "utf8").trim() === "workerd");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${workerd}/status`, "utf8"))[1]) * 1024;
}

/** Writes all parts as fast as the other side takes them, after `first` was written and seen. */
async function pour(stream, seen) {
  stream.write(PART);
  await soon("the first part on the other side", seen);
  for (let part = 1; part < PARTS; part++) if (!stream.write(PART)) await soon("room for more", once(stream, "drain"));
  stream.end();
}

/** Reads a stream to its end; `seen` is called with the first bytes. */
async function drink(stream, seen) {
  const hash = createHash("sha256");
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    hash.update(part);
    seen?.();
  }
  return { length, digest: hash.digest("hex") };
}

const WHOLE = createHash("sha256");
for (let part = 0; part < PARTS; part++) WHOLE.update(PART);
const DIGEST = WHOLE.digest("hex");
const LENGTH = PARTS * MEBIBYTE;

/** Memory may grow by what is under way, not by what passed. */
function flat(before, what) {
  const now = workerdMemory();
  if (now === undefined) return;
  assert.ok(now - before < 60 * MEBIBYTE, `${what}: workerd grew by ${Math.round((now - before) / MEBIBYTE)} MiB`);
}

for (const [what, fields] of [
  ["of a known length", { "content-length": LENGTH }],
  ["in chunks", {}],
]) {
  test(`an upload of 100 MB ${what}: the origin has the first bytes before the last are sent`, async () => {
    const first = deferred();
    serve = async (request, response) => response.end(JSON.stringify(await drink(request, first.resolve)));
    await send(`${gateway.url}/warm`, { method: "POST", body: PART });
    const memory = workerdMemory();
    const { request, response } = open(`${gateway.url}/upload`, { method: "POST", headers: fields });
    await pour(request, first.promise);
    const parts = [];
    for await (const part of await soon("an answer", response)) parts.push(part);
    assert.deepEqual(JSON.parse(Buffer.concat(parts)), { length: LENGTH, digest: DIGEST });
    flat(memory, "the upload");
  });

  test(`a download of 100 MB ${what}: the client has the first bytes before the last are sent`, async () => {
    const first = deferred();
    let poured;
    serve = (_, response) => {
      response.writeHead(200, fields);
      poured = pour(response, first.promise);
    };
    const memory = workerdMemory();
    const { request, response } = open(`${gateway.url}/download`);
    request.end();
    const { length, digest } = await drink(await soon("a header", response), first.resolve);
    await poured;
    assert.deepEqual({ length, digest }, { length: LENGTH, digest: DIGEST });
    flat(memory, "the download");
  });
}

test("a client that reads slowly slows the origin down, and nobody's memory grows", async () => {
  let written = 0;
  serve = (_, response) => {
    const write = () => {
      for (let room = true; room && written < 2 * LENGTH; written += PART.length) room = response.write(PART);
    };
    response.on("drain", write);
    write();
  };
  const memory = workerdMemory();
  const { request, response } = open(`${gateway.url}/slow`);
  request.end();
  await soon("a header", response); // and nothing is read
  await sleep(500);
  const reached = written;
  assert.ok(reached < LENGTH, `${reached} bytes were taken from the origin`);
  flat(memory, "the download");
  request.destroy();
});

test("both directions at once: an answer that begins before its request ends", async () => {
  serve = (request, response) => {
    response.writeHead(200);
    request.on("data", (data) => response.write(data.toString().toUpperCase()));
    request.on("end", () => response.end());
  };
  const { request, response } = open(`${gateway.url}/echo`, { method: "POST" });
  request.write("first ");
  const answer = await soon("a header", response);
  const said = [];
  answer.setEncoding("utf8").on("data", (text) => said.push(text));
  await until("the first word", () => said.join("") === "FIRST ");
  request.end("second");
  await soon("the end", once(answer, "end"));
  assert.equal(said.join(""), "FIRST SECOND");
});

for (const path of ["/brief/events", "/cached/events"]) {
  test(`server-sent events arrive as they are sent, longer than the timeout (${path})`, async () => {
    const events = deferred();
    serve = (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
      response.flushHeaders();
      events.resolve(response);
    };
    const { request, response } = open(gateway.url + path, { headers: { accept: "text/event-stream" } });
    request.end();
    const answer = await soon("a header, before any event", response);
    const source = await soon("the origin", events.promise);
    let heard = "";
    answer.setEncoding("utf8").on("data", (text) => (heard += text));
    for (let number = 1; number <= 4; number++) {
      source.write(`data: ${number}\n\n`);
      await until(`event ${number}`, () => heard.endsWith(`data: ${number}\n\n`));
      await sleep(TIMEOUT_MS / 3);
    }
    source.end();
    await soon("the end", once(answer, "end"));
  });
}

test("a client that goes away ends the origin's request with the next thing that the origin says", async () => {
  const gone = deferred();
  serve = (_, response) => {
    response.writeHead(200);
    const talking = setInterval(() => response.write("more"), 50);
    response.on("close", () => {
      clearInterval(talking);
      gone.resolve();
    });
  };
  const { request, response } = open(`${gateway.url}/leave`);
  request.end();
  await soon("a header", response);
  request.destroy();
  await soon("the end of the origin's request", gone.promise);
});

test("a client that goes away before any answer ends the origin's request within the timeout", async () => {
  const [arrived, gone] = [deferred(), deferred()];
  serve = (_, response) => {
    response.on("close", gone.resolve);
    arrived.resolve();
  };
  const { request } = open(`${gateway.url}/brief/leave`);
  request.on("error", () => {}).end();
  await soon("the request", arrived.promise);
  request.destroy();
  await within(TIMEOUT_MS + 8_000, "the end of the origin's request", gone.promise);
});

test("a client that goes away in the middle of its upload ends the origin's request", async () => {
  const [arrived, gone] = [deferred(), deferred()];
  serve = (request) => {
    request.once("data", arrived.resolve);
    request.on("error", () => {}).on("close", gone.resolve);
  };
  const { request } = open(`${gateway.url}/half`, { method: "POST", headers: { "content-length": 1000 } });
  request.on("error", () => {});
  request.write("half");
  await soon("the first half", arrived.promise);
  request.destroy();
  await soon("the end of the origin's request", gone.promise);
});

test("an origin that answers before it has read the upload: its answer is the client's", async () => {
  // It goes on reading: an origin that closes at once resets the connection, and its answer may be lost on the way.
  serve = (request, response) => {
    response.writeHead(413).end("too much");
    request.resume();
  };
  const { request, response } = open(`${gateway.url}/early`, { method: "POST", headers: { "content-length": LENGTH } });
  request.on("error", () => {});
  request.write(PART);
  assert.equal((await soon("a header", response)).statusCode, 413);
  request.destroy();
});

test("a slow body outlives the timeout, which is for the header", async () => {
  serve = async (_, response) => {
    response.writeHead(200);
    for (let part = 0; part < 4; part++) {
      response.write("x");
      await sleep(TIMEOUT_MS / 3);
    }
    response.end();
  };
  assert.equal((await send(`${gateway.url}/brief/drip`)).text, "xxxx");
});
