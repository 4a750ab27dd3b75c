// Waiting, always with an end.

import { setTimeout as sleep } from "node:timers/promises";

/** For what an idle machine does at once, and a busy one late. A test whose rule is a time has a bound of its own. */
export const PATIENCE_MS = 60_000;

/** Resolves with the first truthy value of `look`; rejects when there is none in time. */
export async function until(what, look, patienceMs = PATIENCE_MS) {
  for (const end = Date.now() + patienceMs; ; await sleep(10)) {
    const value = await look();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${patienceMs} ms`);
  }
}

/** The promise's value, unless it takes too long. */
export async function within(patienceMs, what, promise) {
  const over = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: over.signal }).then(
    () => {
      throw new Error(`${what}: not within ${patienceMs} ms`);
    },
    () => {},
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}

/** A promise that is settled from outside. */
export function deferred() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => {}); // whoever awaits it sees the rejection
  return { promise, resolve, reject };
}
