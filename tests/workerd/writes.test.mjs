// Who has written reads what was written: RFC 9111, section 4.4, in each scope.

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { open, send } from "./lib/client.mjs";
import { cachingRoute } from "./lib/configuration.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";
import { deferred, until } from "./lib/time.mjs";

const SCOPES = ["isolate", "colo", "global"];
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
let origin;
let gateway;
let version;
/** What a read waits for in its middle. */
let pause;

before(async () => {
  origin = await startOrigin(async (request, response) => {
    if (request.method === "PUT") {
      version += 1;
      return response.end();
    }
    const body = `version ${version}`.padEnd(request.url.endsWith("/large") ? 3 * 1024 * 1024 : 0);
    response.writeHead(200, { "cache-control": "max-age=600", "content-length": body.length });
    response.write(body.slice(0, 4));
    await pause?.promise;
    return response.end(body.slice(4));
  });
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
${SCOPES.map((scope) => cachingRoute(scope)).join("")}`);
});

after(() => {
  agent.destroy();
  return stopAll(gateway, origin);
});

beforeEach(() => {
  version = 1;
  pause = undefined;
});

for (const scope of SCOPES) {
  test(`a client that writes and reads at once never reads what it has overwritten (${scope})`, async () => {
    const url = `${gateway.url}/${scope}/page`;
    for (let turn = 0; turn < 100; turn += 1) {
      const expected = `version ${version}`;
      // Half of the times nothing of it is being stored any more when it is overwritten.
      const read = async () => (await send(url, { agent })).text;
      assert.equal(await read(), expected, `turn ${turn}`);
      if (turn % 2 === 0) assert.equal(await read(), expected, `turn ${turn}, again`);
      assert.equal((await send(url, { method: "PUT", agent })).status, 200);
    }
  });

}

for (const [scope, page] of [...SCOPES.map((scope) => [scope, "small"]), ["colo", "large"], ["global", "large"]]) {
  test(`what was on its way when it was overwritten is not served again (${scope}, ${page})`, async () => {
    const url = `${gateway.url}/${scope}/${page}`;
    pause = deferred();
    const { request, response } = open(url, { agent });
    request.end();
    await response;
    await send(url, { method: "PUT", agent });
    pause.resolve();
    const parts = [];
    for await (const part of await response) parts.push(part);
    assert.equal(Buffer.concat(parts).toString().trim(), "version 1");
    pause = undefined;
    await until("a hit", async () => {
      const reply = await send(url, { agent });
      assert.equal(reply.text.trim(), "version 2");
      return /hit/.test(reply.headers["cache-status"]);
    });
  });
}
