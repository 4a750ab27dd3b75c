// Field values with bytes that are no UTF-8: the runtime shows each as U+FFFD, and the origin gets them as they are. Two
// of them look the same here, so nothing that is chosen by one may answer another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { send } from "./lib/client.mjs";
import { startGatewayWith } from "./lib/gateway.mjs";
import { startOrigin } from "./lib/origin.mjs";
import { stopAll } from "./lib/stop.mjs";

const SCOPES = ["isolate", "colo", "global"];
let origin;
let gateway;

before(async () => {
  origin = await startOrigin((request, response) => {
    const fields = { "cache-control": "public, max-age=60", etag: '"\xe8"' };
    if (request.url.endsWith("/vary")) fields.vary = "x-name";
    response.writeHead(200, fields).end(Buffer.from(request.headers["x-name"] ?? "", "latin1"));
  });
  const route = (scope, kind, key) => `
[[cache]]
name = "${scope}-${kind}"
scope = "${scope}"
key = { ${key} }

[[route]]
name = "${scope}-${kind}"
match = { path = "/${scope}/${kind}" }
auth = "none"
cache = "${scope}-${kind}"
`;
  const routes = SCOPES.flatMap((scope) => [
    route(scope, "vary", ""),
    route(scope, "header", 'headers = ["x-name"]'),
    route(scope, "partition", 'partition = ["header:x-name"]'),
  ]);
  gateway = await startGatewayWith(`
[[pool]]
name = "all"
origins = [{ name = "one", url = "${origin.url}" }]
${routes.join("")}`);
});

after(() => stopAll(gateway, origin));

for (const scope of SCOPES) {
  for (const kind of ["vary", "header", "partition"]) {
    test(`what such a value chooses answers no other one (${scope}, ${kind})`, async () => {
      for (let round = 0; round < 3; round++) {
        for (const name of ["\xe8", "\xe9", "plain"]) {
          const { body } = await send(`${gateway.url}/${scope}/${kind}`, { headers: { "x-name": name } });
          assert.equal(body.toString("latin1"), name);
        }
      }
    });
  }
}

test("an entity tag with such bytes is not another one", async () => {
  const url = `${gateway.url}/colo/vary`;
  const reply = await send(url, { headers: { "x-name": "tag", "if-none-match": '"\xe7"' } });
  assert.equal(reply.status, 200);
  assert.equal(reply.body.toString("latin1"), "tag");
});
