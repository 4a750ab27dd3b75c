// The calls into the runtime that the tiers of the cache make. No function here decides anything.

// Asks an object by its name; rejects when it doesn't answer in time.
async function call(namespace, object, method, parameters, timeoutMs) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from ${object} in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([namespace.get(namespace.idFromName(object))[method](...parameters), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

// Asks the log of purges.
export function askLog(namespace, message, timeoutMs) {
  return call(namespace, "log", "ask", [message], timeoutMs);
}

// The body of the client's request as text, within bounds.
export async function requestText(request, bytesMax, timeoutMs) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the body took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([text(request.body, bytesMax), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function text(body, bytesMax) {
  let text = "";
  let bytes = 0;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
