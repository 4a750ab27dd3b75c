// Work in the Wasm that waits for the runtime: see src/work.rs.

import { goOn } from "../build/tidegate.js";
import { crashed, recover } from "./crash.mjs";

// Goes on with the work of that number once its promise has settled; returns a promise of its outcome. What fails is
// answered if a client waits, and rejects otherwise.
export function onceSettled(promise, number, isForClient) {
  const go = (isFulfilled, value) => {
    try {
      return goOn(number, isFulfilled, value);
    } catch (error) {
      if (isForClient) return crashed(error);
      recover(error);
      throw error;
    }
  };
  return promise.then(
    (value) => go(true, value),
    (error) => go(false, error),
  );
}
