// Where messages end, in both directions: RFC 9112, section 6, and what methods and statuses say about content.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startGatewayWith } from "./lib/gateway.mjs";
import { HELLO, startRawOrigin } from "./lib/raw_origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { ask, request, talk } from "./lib/wire.mjs";

let origin;
let gateway;
/** What the origin answers next. */
let answer;

before(async () => {
  origin = await startRawOrigin((...parameters) => answer(...parameters));
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"
`);
});

after(() => stopAll(gateway, origin));

/** Sends one request; the origin answers with `bytes`. Returns both ends of it. */
async function exchange(sent, bytes = HELLO) {
  answer = () => bytes;
  origin.take();
  const responses = await talk(gateway.port, sent, { count: 9, finish: true });
  return { response: responses.find(({ status }) => status >= 200), responses, seen: origin.take() };
}

const head = (line, ...fields) => request(`${line} HTTP/1.1`, "Host: a.example", ...fields);
const CHUNKED = "Transfer-Encoding: chunked";

for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "REPORT"]) {
  test(`${method}: content of a known length arrives with its length`, async () => {
    const { response, seen } = await exchange(`${head(`${method} /x`, "Content-Length: 5")}12345`);
    assert.equal(response.status, 200);
    assert.equal(seen[0].fields.get("content-length"), "5");
    assert.equal(seen[0].body.toString(), "12345");
  });

  // RFC 9110, section 9.3.1: content of a GET has no meaning. The runtime leaves it out when it has no length.
  const arrives = ["GET", "HEAD"].includes(method) ? "" : "abcde";
  test(`${method}: content of an unknown length arrives ${arrives ? "whole" : "as none"}`, async () => {
    const { response, seen } = await exchange(`${head(`${method} /x`, CHUNKED)}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
    assert.equal(response.status, 200);
    assert.equal(seen[0].body.toString(), arrives);
  });

  test(`${method}: no content, said or unsaid, arrives as none`, async () => {
    for (const fields of [[], ["Content-Length: 0"]]) {
      const { response, seen } = await exchange(head(`${method} /x`, ...fields));
      assert.equal(response.status, 200, response.body.toString());
      assert.equal(seen.length, 1);
      assert.equal(seen[0].method, method);
      assert.equal(seen[0].body.length, 0);
    }
  });
}

test("an empty chunked body arrives as an empty one", async () => {
  for (const method of ["GET", "POST"]) {
    const { response, seen } = await exchange(`${head(`${method} /x`, CHUNKED)}0\r\n\r\n`);
    assert.equal(response.status, 200);
    assert.equal(seen[0].body.length, 0);
  }
});

test("every byte value passes through a body in both directions", async () => {
  const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
  answer = (received) => Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n"), received.body]);
  const response = await ask(gateway.port, [head("POST /x", "Content-Length: 1024"), bytes]);
  assert.deepEqual(response.body, bytes);
});

test("a client that waits for 100 gets it, and its content arrives once", async () => {
  const sent = head("POST /x", "Expect: 100-continue", "Content-Length: 5");
  const { responses, seen } = await exchange(`${sent}12345`, `HTTP/1.1 100 Continue\r\n\r\n${HELLO}`);
  assert.deepEqual(
    responses.map(({ status }) => status),
    [100, 200],
  );
  assert.deepEqual(
    seen.map(({ body }) => body.toString()),
    ["12345"],
  );
});

test("trailers of a request neither become fields nor a request of their own", async () => {
  const { response, seen } = await exchange(`${head("POST /x", CHUNKED)}3\r\nabc\r\n0\r\nX-User-Id: root\r\n\r\n`);
  assert.equal(response.status, 200);
  assert.doesNotMatch(seen[0].raw, /root/);
});

test("a response keeps its length, and a connection serves the next request after it", async () => {
  answer = () => HELLO;
  const responses = await talk(gateway.port, head("GET /x").repeat(3), { count: 3 });
  assert.deepEqual(
    responses.map(({ body }) => body.toString()),
    ["hello", "hello", "hello"],
  );
  assert.deepEqual(
    responses.map(({ fields }) => fields.get("content-length")),
    ["5", "5", "5"],
  );
});

test("a chunked response arrives whole, its trailers nowhere", async () => {
  const chunks = `HTTP/1.1 200 OK\r\n${CHUNKED}\r\nTrailer: X-Sum\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 9\r\n\r\n`;
  const { response } = await exchange(head("GET /x"), chunks);
  assert.equal(response.body.toString(), "abc");
});

test("a response without a length ends with the origin's connection", async () => {
  answer = (_, socket) => void socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it");
  assert.equal((await ask(gateway.port, head("GET /x"))).body.toString(), "all of it");
});

test("a response that is cut short is cut short for the client as well, never ended as if it were whole", async () => {
  for (const start of ["Content-Length: 100\r\n\r\nhalf", `${CHUNKED}\r\n\r\n4\r\nhalf\r\n`]) {
    answer = (_, socket) => void socket.end(`HTTP/1.1 200 OK\r\n${start}`);
    await assert.rejects(ask(gateway.port, head("GET /x")), /cut short/);
  }
});

test("HEAD has the fields of the response and no content", async () => {
  const { response } = await exchange(head("HEAD /x"), 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: "a"\r\n\r\n');
  assert.equal(response.status, 200);
  assert.equal(response.fields.get("etag"), '"a"');
  assert.equal(response.fields.get("content-length"), "1234");
  assert.equal(response.rest.length, 0);
});

for (const [status, line] of Object.entries({ 204: "204 No Content", 304: '304 Not Modified\r\nETag: "a"' })) {
  test(`${status} has no content, and leaves the connection in step`, async () => {
    answer = () => `HTTP/1.1 ${line}\r\nX-A: 1\r\n\r\n`;
    const responses = await talk(gateway.port, head("GET /x").repeat(2), { count: 2 });
    for (const response of responses) {
      assert.equal(response.status, Number(status));
      assert.equal(response.fields.get("x-a"), "1");
      assert.equal(response.fields.get("transfer-encoding"), undefined);
    }
  });
}

test("205 and an empty 200 stay empty", async () => {
  for (const line of ["205 Reset Content", "200 OK"]) {
    const { response } = await exchange(head("GET /x"), `HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`);
    assert.equal(response.status, Number(line.slice(0, 3)));
    assert.equal(response.body.length, 0);
  }
});

for (const status of [201, 206, 299, 300, 301, 400, 404, 410, 418, 422, 451, 499, 500, 501, 505, 599]) {
  test(`an origin's ${status} is the client's`, async () => {
    const { response } = await exchange(
      head("GET /x"),
      `HTTP/1.1 ${status} Why Not\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nno`,
    );
    assert.equal(response.status, status);
    assert.equal(response.fields.get("x-a"), "1");
    assert.equal(response.body.toString(), "no");
  });
}

test("CONNECT opens no tunnel", async () => {
  const { seen } = await exchange("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n");
  assert.deepEqual(seen, []);
  assert.equal((await exchange(head("GET /x"))).response.status, 200);
});

test("TRACE never shows a request's fields to whoever sent it", async () => {
  const { response, seen } = await exchange(head("TRACE /x", "Cookie: a=1"));
  assert.equal(response.status, 405);
  assert.deepEqual(seen, []);
});

test("a method that HTTP's registry does not have is 501", async () => {
  const { response, seen } = await exchange(head("FROBNICATE /x"));
  assert.equal(response.status, 501);
  assert.deepEqual(seen, []);
});
