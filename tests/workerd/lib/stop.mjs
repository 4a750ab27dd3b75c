// The end of a test file.

/** Stops everything that was started, whatever fails on the way; then the first failure is the file's. */
export async function stopAll(...started) {
  const outcomes = await Promise.allSettled(started.map(async (one) => one?.stop()));
  const failure = outcomes.find(({ status }) => status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
