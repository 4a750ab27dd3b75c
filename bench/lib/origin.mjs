// The origin behind every program: nginx with one worker that answers from memory, several times faster than what is
// measured.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

import { freePort, listening, start } from "./processes.mjs";

const ITEMS = Array.from({ length: 8 }, (_, id) => ({ id, name: `item ${id}` }));

/** What the origin answers with: about as much as a small JSON interface sends. */
export const BODY = JSON.stringify({ origin: "bench", items: ITEMS });

/** The fields that programs set on requests; a path that ends in /echo tells what arrived, in fields `seen-…`. */
export const SET_FIELDS = [
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-request-id",
  "traceparent",
  "via",
  "cdn-loop",
  "x-user-id",
];

function configuration(directory, ports) {
  const listen = ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join("\n    ");
  const echo = SET_FIELDS.map((name) => `add_header seen-${name} $http_${name.replaceAll("-", "_")};`).join("\n      ");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `daemon off;
master_process off;
worker_processes 1;
pid ${directory}/pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join("\n  ")}
  server {
    ${listen}
    default_type application/json;
    location / { return 200 '${BODY}'; }
    location /cached/ {
      add_header cache-control "public, max-age=86400";
      return 200 '${BODY}';
    }
    location ~ /echo$ {
      ${echo}
      return 200 'seen';
    }
  }
}
`;
}

/** Starts the origin on so many ports of loopback and resolves with them. */
export async function startOrigin(directory, { count, cores }) {
  mkdirSync(directory, { recursive: true });
  const ports = [];
  while (ports.length < count) ports.push(await freePort());
  const file = path.join(directory, "nginx.conf");
  writeFileSync(file, configuration(directory, ports));
  const log = path.join(directory, "log");
  const child = start("nginx", ["-p", directory, "-e", "stderr", "-c", file], { cores, log });
  await listening(ports[0], child, log);
  return { ports, child };
}
