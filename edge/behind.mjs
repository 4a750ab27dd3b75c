// Calls to the Durable Object `Cache`. No function here decides anything.

// Asks the object behind a location's store: [what is said, the kept response or undefined]. With `waits` the answer
// may take until somebody else's fetch is there. Rejects when none comes in time.
export function askBehind(namespace, object, key, message, waits, timeoutMs) {
  return inTime(stub(namespace, object).ask(key, message, waits), timeoutMs);
}

// Brings the object a response, and the word about it; resolves to false if it is refused.
export function bringBehind(namespace, object, key, message, kept, timeoutMs) {
  return inTime(stub(namespace, object).keep(key, message, kept), timeoutMs);
}

// Gives the object a lease back.
export function endBehind(namespace, object, key, message, timeoutMs) {
  return inTime(stub(namespace, object).end(key, message), timeoutMs);
}

// Has the object forget a key.
export function forgetBehind(namespace, object, key, timeoutMs) {
  return inTime(stub(namespace, object).forget(key), timeoutMs);
}

function stub(namespace, object) {
  return namespace.get(namespace.idFromName(object));
}

// What a promise resolves to; rejects when that takes too long.
export async function inTime(promise, timeoutMs, who = "the cache's object") {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} did not answer in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

// Resolves after so many milliseconds.
export function sleep(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
