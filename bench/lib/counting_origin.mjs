// An origin that remembers when each request reached it: what a limit let through is counted here, and nowhere else.

import { createServer } from "node:http";

/** Starts the origin on a free port of loopback. `arrivals` are the moments of all requests, in milliseconds. */
export function startCountingOrigin() {
  const arrivals = [];
  const server = createServer((_, response) => {
    arrivals.push(Date.now());
    response.end("counted");
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({ url: `http://127.0.0.1:${server.address().port}`, arrivals, server });
    });
  });
}

/**
 * How many arrivals are too many for a bucket that holds one second's worth, in the worst interval. The moments are
 * whole milliseconds, and requests that were decided apart may arrive together: what the network adds is seen as well.
 */
export function excess(arrivals, perSecond) {
  let [level, worst, last] = [perSecond, 0, arrivals[0] ?? 0];
  for (const at of arrivals) {
    level = Math.min(perSecond, level + ((at - last) * perSecond) / 1000) - 1;
    [last, worst] = [at, Math.max(worst, -level)];
  }
  return Math.ceil(worst);
}

/** The most arrivals in any interval of so many milliseconds. */
export function mostWithin(arrivals, milliseconds) {
  let [most, first] = [0, 0];
  for (const [last, at] of arrivals.entries()) {
    while (arrivals[first] <= at - milliseconds) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
