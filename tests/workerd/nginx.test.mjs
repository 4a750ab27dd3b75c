// A real server as the origin: nginx, as Debian packages it.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { Agent } from "node:http";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";

import { many, send } from "./lib/client.mjs";
import { scratch, startGatewayWith } from "./lib/gateway.mjs";
import { stopAll } from "./lib/stop.mjs";
import { until } from "./lib/time.mjs";

const missing = spawnSync("nginx", ["-v"]).error !== undefined;
const required = process.env.CI === "true";
const skip = missing && !required && "nginx is not installed: apt-get install nginx-light";

const PAGE = `<!doctype html>\n${"<p>All work and no play makes a gateway dull.</p>\n".repeat(400)}`;

const nginxConfig = (port, place) => `
daemon off;
worker_processes 1;
pid ${place}/nginx.pid;
error_log ${place}/error.log;
events {}
http {
  access_log ${place}/access.log;
  client_body_temp_path ${place}/body;
  proxy_temp_path ${place}/proxy;
  fastcgi_temp_path ${place}/fastcgi;
  uwsgi_temp_path ${place}/uwsgi;
  scgi_temp_path ${place}/scgi;
  gzip on;
  gzip_min_length 100;
  gzip_vary on;
  # Not the default: nginx takes a request with Via for one that somebody else compresses for.
  gzip_proxied any;
  types { text/html html; text/plain txt; }
  server {
    listen 127.0.0.1:${port};
    server_name _;
    root ${place};
    absolute_redirect off;
    error_page 404 /missing.html;
    location = /moved { return 301 /page.html?from=nginx; }
    location = /else { return 302 http://elsewhere.example/x; }
    location = /told { return 200 "$http_x_forwarded_host|$http_x_forwarded_proto|$http_via|$connection"; }
    location = /lifetime.txt { expires 1h; }
    location = /cached/lifetime.txt { alias ${place}/lifetime.txt; expires 1h; }
    location /cached/ { alias ${place}/; }
    location = /upload { client_max_body_size 1k; proxy_pass http://127.0.0.1:${port}/told; }
  }
}
`;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

describe("nginx as the origin", { skip }, () => {
  let place;
  let nginx;
  let gateway;

  before(async () => {
    if (missing) throw new Error("nginx is not installed, and CI=true asks for it: apt-get install nginx-light");
    const port = await freePort();
    place = scratch({
      "page.html": PAGE,
      "digits.txt": "0123456789",
      "lifetime.txt": "an hour",
      "missing.html": "<h1>nginx has no such page</h1>",
    });
    chmodSync(place.directory, 0o755); // nginx reads as somebody else when it is started by root
    const file = scratch({ "nginx.conf": nginxConfig(port, place.directory) });
    nginx = spawn("nginx", [
      "-c",
      file.path("nginx.conf"),
      "-e",
      `${place.directory}/error.log`,
      "-p",
      place.directory,
    ]);
    let words = "";
    nginx.stderr.on("data", (data) => (words += data));
    nginx.once("exit", () => file.remove());
    await until(`nginx: ${words}`, () =>
      send(`http://127.0.0.1:${port}/digits.txt`).then(
        () => true,
        () => false,
      ),
    );
    gateway = await startGatewayWith(`
[[pool]]
name = "nginx"
origins = [{ name = "nginx", url = "http://127.0.0.1:${port}" }]

[[cache]]
name = "minute"
ttl = "60s"

[[route]]
name = "any"
match = { path = "/{*rest}" }
auth = "none"

[[route]]
name = "cached"
match = { path = "/cached/{*rest}" }
auth = "none"
cache = "minute"
`);
  });

  after(async () => {
    await stopAll(gateway, { stop: stopNginx });
    place?.remove();
  });

  async function stopNginx() {
    if (nginx?.exitCode !== null) return;
    nginx.kill("SIGTERM");
    await once(nginx, "exit");
  }

  const get = (path, headers = {}, options = {}) => send(gateway.url + path, { headers, ...options });
  const isHit = (reply) => /^tidegate; hit/.test(reply.headers["cache-status"] ?? "");

  test("gzip comes as nginx made it, and only for clients that take it", async () => {
    const zipped = await get("/page.html", { "accept-encoding": "gzip" });
    assert.equal(zipped.headers["content-encoding"], "gzip");
    assert.equal(zipped.headers.vary, "Accept-Encoding");
    assert.equal(gunzipSync(zipped.body).toString(), PAGE);
    const plain = await get("/page.html");
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.headers["content-length"], String(PAGE.length));
    assert.equal(plain.text, PAGE);
  });

  test("gzip is cached for those who take it, and the page for those who don't", async () => {
    const gzip = { "accept-encoding": "gzip" };
    await get("/cached/page.html", gzip);
    await until("a hit", async () => isHit(await get("/cached/page.html", gzip)));
    const stored = await get("/cached/page.html", gzip);
    assert.equal(stored.headers["content-encoding"], "gzip");
    assert.equal(gunzipSync(stored.body).toString(), PAGE);
    const plain = await get("/cached/page.html");
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(plain.text, PAGE);
  });

  test("ranges are nginx's: one, several, and one that cannot be", async () => {
    const one = await get("/digits.txt", { range: "bytes=2-4" });
    assert.equal(one.status, 206);
    assert.equal(one.headers["content-range"], "bytes 2-4/10");
    assert.equal(one.text, "234");
    const two = await get("/digits.txt", { range: "bytes=0-0,9-9" });
    assert.equal(two.status, 206);
    assert.match(two.headers["content-type"], /^multipart\/byteranges/);
    const none = await get("/digits.txt", { range: "bytes=99-" });
    assert.equal(none.status, 416);
    assert.equal(none.headers["content-range"], "bytes */10");
  });

  test("a range of a cached page is right, and does not stand in for the page", async () => {
    for (let time = 0; time < 3; time++) {
      const part = await get("/cached/digits.txt", { range: "bytes=2-4" });
      assert.ok([200, 206].includes(part.status));
      assert.equal(part.text, part.status === 206 ? "234" : "0123456789");
      assert.equal((await get("/cached/digits.txt")).text, "0123456789");
    }
  });

  test("redirects are the client's to follow", async () => {
    const moved = await get("/moved");
    assert.deepEqual([moved.status, moved.headers.location], [301, "/page.html?from=nginx"]);
    const other = await get("/else");
    assert.deepEqual([other.status, other.headers.location], [302, "http://elsewhere.example/x"]);
  });

  test("a page that nginx does not have is nginx's own 404", async () => {
    const reply = await get("/no/such/page");
    assert.equal(reply.status, 404);
    assert.equal(reply.text, "<h1>nginx has no such page</h1>");
  });

  test("304 by entity tag and by date, from nginx and from the cache", async () => {
    for (const path of ["/digits.txt", "/cached/lifetime.txt"]) {
      const { headers } = await get(path);
      assert.ok(headers.etag && headers["last-modified"]);
      for (const condition of [{ "if-none-match": headers.etag }, { "if-modified-since": headers["last-modified"] }]) {
        const reply = await get(path, condition);
        assert.equal(reply.status, 304, path);
        assert.equal(reply.headers.etag, headers.etag);
        assert.equal(reply.body.length, 0);
      }
      assert.equal((await get(path, { "if-none-match": '"other"' })).status, 200);
    }
  });

  test("nginx's own lifetime wins over the configured one", async () => {
    await get("/cached/lifetime.txt");
    await until("a hit", async () => isHit(await get("/cached/lifetime.txt")));
    const [, ttl] = /ttl=(\d+)/.exec((await get("/cached/lifetime.txt")).headers["cache-status"]);
    assert.ok(Number(ttl) > 3500 && Number(ttl) <= 3600, ttl);
  });

  test("connections to nginx are kept: 200 requests, few connections", async () => {
    const agent = new Agent({ keepAlive: true });
    const replies = await many(200, 4, () => get("/told", {}, { agent }));
    agent.destroy();
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    const connections = new Set(replies.map(({ text }) => text.split("|")[3]));
    assert.ok(connections.size <= 20, `${connections.size} connections`);
  });

  test("nginx learns the host, the scheme and the way", async () => {
    const [host, scheme, via] = (await get("/told", { host: "shop.example" })).text.split("|");
    assert.deepEqual([host, scheme, via], ["shop.example", "http", "1.1 tidegate"]);
  });

  test("HEAD has nginx's length and no content", async () => {
    const reply = await get("/digits.txt", {}, { method: "HEAD" });
    assert.deepEqual([reply.status, reply.headers["content-length"], reply.body.length], [200, "10", 0]);
  });

  test("nginx's refusals are the client's: a body that is too large, a method that it does not serve", async () => {
    assert.equal((await get("/upload", {}, { method: "POST", body: Buffer.alloc(2000) })).status, 413);
    assert.equal((await get("/upload", {}, { method: "POST", body: Buffer.alloc(100) })).status, 200);
    assert.equal((await get("/digits.txt", {}, { method: "POST", body: "x" })).status, 405);
  });
});
