import { createServer } from "node:net";

import { Fault } from "./fault.mjs";

/** Every listener of ours is on loopback. */
export const HOST = "127.0.0.1";

/** The error code that listening on a port gives, or undefined when it is free. */
function refusal(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(error.code));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** Refuses to go on when a port is not free. `wanted` lists ports, what needs them, and the option that moves them. */
export async function checkPorts(wanted) {
  for (const [port, what, option] of wanted) {
    const code = await refusal(port);
    if (code === undefined) continue;
    if (code === "EADDRINUSE") throw portTaken(port, what, option);
    throw new Fault(`Port ${port} for ${what} cannot be used (${code}).`);
  }
}

export function portTaken(port, what, option) {
  const other = option === undefined ? "" : `, or choose another with ${option}`;
  return new Fault(`Port ${port} for ${what} is taken: stop the program that listens there${other}.`);
}
