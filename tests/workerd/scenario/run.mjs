// One scenario, from its first step to its last.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { PATIENCE_MS } from "../lib/time.mjs";
import { send } from "./client.mjs";
import { behindDifferences, replyDifferences } from "./expect.mjs";
import { duration } from "./file.mjs";
import { sign } from "./token.mjs";

/** When every scenario starts: 1 January 2100, a Friday. In the future, so that no alarm of a Durable Object is due. */
const START = Date.UTC(2100, 0, 1);

/** Runs a scenario; rejects with what is not as expected. */
export async function run(scenario, gateways) {
  const { servers, ports } = gateways.of(scenario);
  const tokens = Object.fromEntries(Object.entries(scenario.tokens).map(([name, token]) => [name, sign(token, START)]));
  const stage = new Stage(scenario, servers, ports, gateways.lines, tokens);
  for (const [index, step] of scenario.steps.entries()) {
    const differences = await stage.step(step);
    const lines = differences.map(([what, expected, got]) => `  ${what}: expected ${expected}, got ${got}`);
    if (lines.length > 0) {
      const where = `step ${index + 1} (${step.request} at ${stage.scene.now - START} ms)`;
      assert.fail(`tests/scenarios/${scenario.name}: ${where}\n${lines.join("\n")}`);
    }
  }
  stage.toldNothing();
}

class Stage {
  constructor(scenario, servers, ports, lines, tokens) {
    this.servers = servers;
    this.ports = ports;
    this.tokens = tokens;
    this.shown = new Set();
    this.scene = { now: START, limiter: "up", purge_log: "up" };
    this.lines = lines;
    this.firstLine = lines.length;
    this.requests = 0;
  }

  async step(step) {
    const { at, edge = 0, down, limiter, purge_log, request, host, headers, body, ip, cf, ...others } = step;
    const { token, token_cookie, ...more } = others;
    const { repeat = 1, expect, ...unknown } = more;
    assert.deepEqual(Object.keys(unknown), []);
    if (at !== undefined) this.scene.now = START + duration(at);
    if (limiter !== undefined) this.scene.limiter = limiter;
    if (purge_log !== undefined) this.scene.purge_log = purge_log;
    if (down !== undefined) await this.servers.setDown(down);
    await this.control();
    const shown = typeof token === "object" ? sign(token, this.scene.now) : this.tokens[token];
    if (shown !== undefined) this.shown.add(shown);
    const [method, target] = request.split(" ");
    const differences = [];
    const calls = { limiter: 0, purge_log: 0, signature: 0 };
    for (let turn = 0; turn < repeat; turn += 1) {
      const reply = await send(this.ports[edge], method, target, lines(step, shown), body);
      this.requests += 1;
      await this.settled(calls);
      const record = expect.record && (await this.record());
      differences.push(...replyDifferences(expect, reply, record));
      if (shown !== undefined && reply.body.includes(shown)) differences.push(["body", "no token", reply.body]);
    }
    return [...differences, ...behindDifferences(expect, this.servers.take(), calls)];
  }

  /** Tells every edge the scene, and returns what each counted since the last time. */
  async control() {
    const control = JSON.stringify(this.scene);
    const fields = ["Host", "scenario.test", "Scenario-Control", control];
    const told = await Promise.all(this.ports.map((port) => send(port, "GET", "/", fields)));
    return told.map(({ body }) => JSON.parse(body));
  }

  /** Waits until the work that a reply leaves behind is done. */
  async settled(calls) {
    for (const end = Date.now() + PATIENCE_MS; ; await sleep(2)) {
      let pending = 0;
      for (const counted of await this.control()) {
        pending += counted.pending;
        for (const name of Object.keys(calls)) calls[name] += counted[name];
      }
      if (pending === 0) return;
      assert.ok(Date.now() < end, "the work behind a reply is never done");
    }
  }

  /** The decision record of the last request: the log comes a little after the reply. */
  async record() {
    for (const end = Date.now() + PATIENCE_MS; ; await sleep(2)) {
      const records = this.logged().filter((line) => line.startsWith('{"time_ms":'));
      if (records.length >= this.requests) return JSON.parse(records.at(-1));
      assert.ok(Date.now() < end, "the decision record is never logged");
    }
  }

  logged() {
    return this.lines.slice(this.firstLine);
  }

  /** Nothing crashed, and no token is on the log. */
  toldNothing() {
    for (const line of this.logged()) {
      assert.doesNotMatch(line, /crashed|RuntimeError|panicked/);
      for (const token of this.shown) assert.ok(!line.includes(token), `a token is told: ${line}`);
    }
  }
}

/** The header lines of a step's request, as a flat list. */
function lines({ host = "gateway.test", ip = "192.0.2.1", cf, headers = {}, body, token_cookie: cookie }, token) {
  const flat = ["Host", host, "CF-Connecting-IP", ip];
  for (const [name, values] of Object.entries(headers)) for (const value of [values].flat()) flat.push(name, value);
  if (token !== undefined && cookie !== undefined) flat.push("Cookie", `${cookie}=${token}`);
  if (token !== undefined && cookie === undefined) flat.push("Authorization", `Bearer ${token}`);
  if (cf !== undefined) flat.push("MF-CF-Blob", JSON.stringify(cf));
  if (body !== undefined) flat.push("Content-Length", String(Buffer.byteLength(body)));
  return flat;
}
