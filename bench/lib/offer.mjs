// A client with a pace of its own: it does not wait for answers, as users don't.

import { Agent, get } from "node:http";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

/** Resolves with the status of one request. */
export function ask(url, client) {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent, headers: { "x-client": client } }, (response) => {
      response.on("end", () => resolve(response.statusCode)).resume();
    });
    request.on("error", reject);
  });
}

/**
 * Offers so many requests a second, whether they are answered or not, to each URL in turn. Resolves with how many were
 * sent and refused, and in what time; another status than 200 and 429 fails the run.
 */
export async function offer(urls, client, { perSecond, seconds }) {
  const began = performance.now();
  const answers = [];
  for (let sent = 0; sent < perSecond * seconds; sent += 1) {
    const wait = began + (sent * 1000) / perSecond - performance.now();
    // Late as it may be, it lets others go on: the origin that counts lives in the same process.
    await (wait > 0 ? sleep(wait) : immediate());
    answers.push(ask(urls[sent % urls.length], client));
  }
  const took = (performance.now() - began) / 1000;
  const statuses = await Promise.all(answers);
  const odd = statuses.find((status) => status !== 200 && status !== 429);
  if (odd !== undefined) throw new Error(`a limited request was answered with ${odd}`);
  return { requests: statuses.length, refused: statuses.filter((status) => status === 429).length, seconds: took };
}
