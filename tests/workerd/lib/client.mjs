// A client on node:http: it adds nothing, follows nothing, decodes nothing.

import { Agent, request as begin } from "node:http";

import { PATIENCE_MS } from "./time.mjs";

/** A request to be written by hand: resolves with the response once its header is there. */
export function open(url, { method = "GET", headers = {}, agent = new Agent() } = {}) {
  const request = begin(url, { method, headers, agent });
  const response = new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
    request.setTimeout(PATIENCE_MS, () => request.destroy(new Error(`${method} ${url}: silent for too long`)));
  });
  response.catch(() => {}); // whoever awaits it sees the rejection
  return { request, response };
}

/** Sends a request and reads the whole response. */
export async function send(url, { body, ...options } = {}) {
  const { request, response: answer } = open(url, options);
  request.end(body);
  const response = await answer;
  const parts = [];
  for await (const part of response) parts.push(part);
  return new Reply(response, Buffer.concat(parts));
}

class Reply {
  constructor(response, body) {
    this.status = response.statusCode;
    this.headers = response.headers;
    this.rawHeaders = response.rawHeaders;
    this.body = body;
  }

  get text() {
    return this.body.toString("utf8");
  }

  get json() {
    return JSON.parse(this.text);
  }
}

/** Runs `work(index)` for every index below `count`, at most `together` at a time. */
export async function many(count, together, work) {
  const results = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      results[index] = await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(together, count) }, worker));
  return results;
}
