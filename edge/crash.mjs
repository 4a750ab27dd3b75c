// What a request gets when the gateway itself fails: a trap in the Wasm, or a call that the runtime never refuses.

import { start, __wbg_reset_state as resetState } from "../build/tidegate.js";
import config from "../build/config.bin";

// The request gets a plain answer, and the log the reason.
export function crashed(error) {
  recover(error);
  console.error(JSON.stringify({ error: "crashed", reason: String(error?.message ?? error) }));
  const problem = {
    type: "tag:tidegate,2026:problem/internal",
    title: "Internal Server Error",
    status: 500,
    detail: "The gateway failed to handle this request.",
    request_id: crypto.randomUUID().replaceAll("-", ""),
  };
  return Response.json(problem, {
    status: 500,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": problem.request_id,
    },
  });
}

// After a trap the memory may be half written or locked: the next request gets a fresh one.
export function recover(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  resetState();
  start(new Uint8Array(config));
}
