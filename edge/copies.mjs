// The Workers Cache: the platform's copies of what the objects `Cache` keep. No function here decides anything.
//
// What the platform keeps is bytes to it: all that a response says is in two fields of ours, so that nothing of it
// makes the platform expire, vary, transform or refuse a copy, and nothing that the platform adds reaches a client.

import { inTime } from "./behind.mjs";
import { kept } from "./kept.mjs";

// What a copy was made for: a URL.
const OF = "tidegate-copy-of";

const METADATA = "tidegate-stored";
const FIELDS = "tidegate-fields";

// A kept response as a copy of it.
export function copy({ metadata, fields, body }, url, cacheControl) {
  const headers = { [OF]: url, [METADATA]: metadata, [FIELDS]: encodeURIComponent(fields) };
  headers["cache-control"] = cacheControl;
  headers["content-type"] = "application/octet-stream";
  return new Response(body, { headers });
}

// The word that there is no copy: 404, or 503 if nobody can tell.
export function noCopy(status, cacheControl) {
  return new Response(null, { status, headers: { "cache-control": cacheControl } });
}

// Asks for the copy of a URL: [whether a cache was asked, what the copy was made for, the kept response], without the
// last two if there is none. Rejects when nobody can tell, or not in time.
export async function askForCopy(ctx, url, timeoutMs) {
  const entrypoint = ctx.exports?.Copies;
  if (entrypoint === undefined) throw said(new Error("the Workers Cache is left out: there is no ctx.exports.Copies"));
  const asked = entrypoint.fetch(url).then(read);
  const [isCached, ...found] = await inTime(asked, timeoutMs, "the Workers Cache");
  if (!isCached) said(new Error("the Workers Cache is left out: it is not on for the entrypoint Copies"));
  return [isCached, ...found];
}

async function read(response) {
  const { headers, status } = response;
  // Every answer through the cache has the first; one from the cache has the second.
  const isCached = headers.has("cf-cache-status") || headers.has("age");
  const [of, metadata, fields] = [OF, METADATA, FIELDS].map((name) => headers.get(name));
  if (status === 200 && fields !== null) {
    return [isCached, of, kept(metadata, decodeURIComponent(fields), await response.arrayBuffer())];
  }
  await response.body?.cancel();
  if (status !== 404) throw new Error(`the Workers Cache answered ${status}`);
  return [isCached];
}

let isSaid = false;

// Says once an isolate why copies are left out.
function said(error) {
  if (!isSaid) console.log(JSON.stringify({ error: error.message }));
  isSaid = true;
  return error;
}
