// Messages as no sane program would send them, and some that a sane one would.

import { request } from "./wire.mjs";

const words = (...lines) => lines.join(" ").split(" ");

const METHODS = words("GET GET GET HEAD POST PUT DELETE OPTIONS PATCH TRACE PURGE QUERY PROPFIND get Get FOO M-SEARCH");
const STARTS = words(
  "/open/ /closed/7/x /closed/ /cached/ /get /_tidegate/ /_tidegate/status / * http://b.example/open/ x",
);
const PIECES = words(
  "a admin .. . // / \\ %2e %2f %5c %00 %25 %252f %c0%af %e9 %zz % ; : @ é \xff ? & = + ~ #",
  "[ ] { } | ^ \" < > ' ` * ( ) !",
);
const NAMES = words(
  "Accept Accept-Encoding Accept-Language Authorization Cache-Control CDN-Loop CF-Connecting-IP Connection",
  "Content-Encoding Content-Type Cookie Date Expect Forwarded Host If-Match If-Modified-Since If-None-Match If-Range",
  "Keep-Alive Max-Forwards MF-CF-Blob Origin Pragma Proxy-Authorization Proxy-Connection Range Referer",
  "Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-WebSocket-Version TE Trailer traceparent tracestate Upgrade Via X-A",
  "X-Forwarded-For X-Forwarded-Host X-Key X-Request-Id x-user-id X_User_Id",
);
const VALUES = [
  "",
  ",",
  ", ,",
  "*",
  "0",
  "-1",
  "99999999999999999999",
  "no-cache, max-age=99999999999999999999, max-stale",
  "only-if-cached",
  "bytes=0-",
  "bytes=9-1,-",
  "close, x-user-id, , authorization",
  "upgrade",
  "websocket",
  "AAAAAAAAAAAAAAAAAAAAAA==",
  "13",
  "100-continue",
  'W/"a", "b"',
  "Mon, 99 Foo 0000 99:99:99 GMT",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "gzip;q=0, br;q=x",
  "a=1; session=x; session=y; =; ;;",
  'for="[::1]"; by=_x',
  '{"country":"DE","colo":"FRA"}',
  '{"country":',
  '{"country":{"a":1},"colo":[],"continent":null}',
  "[]",
  "b.example",
  "[::1]:99999",
  "tidegate-two; loops=1",
  "é\xff",
];

/** A field value of any kind. */
function value(random, tokens) {
  const kind = random.below(10);
  if (kind < 6) return random.pick(VALUES);
  if (kind < 8) return random.bytes(random.length(9_000)).replace(/[\r\n\0]/g, "");
  return random.pick(["Bearer ", "bearer  ", "session=", "", "Basic "]) + token(random, tokens);
}

/** A token, whole or damaged. */
function token(random, tokens) {
  const whole = random.pick(tokens);
  return random.chance(0.5) ? whole : random.damaged(whole);
}

function fieldName(random) {
  if (random.chance(0.9)) return random.pick(NAMES);
  return random.bytes(1 + random.length(200)).replace(/[^!#-'*+.^-z|~-]/g, "x");
}

/** A request of any kind; most are well-formed, so that they get past the runtime's parser. */
export function anyRequest(random, tokens) {
  const method = random.chance(0.95) ? random.pick(METHODS) : random.bytes(random.length(300)).replace(/\s/g, "");
  let target = random.pick(STARTS) + random.several(PIECES, 12).join("");
  if (random.chance(0.3)) target += `?${random.several([...PIECES, "a=", "&a", "&&"], 8).join("")}`;
  if (random.chance(0.02)) target += "a".repeat(random.below(20_000));
  const fields = ["Host: a.example"];
  if (random.chance(0.3)) fields.push(`Authorization: Bearer ${token(random, tokens)}`);
  const count = random.chance(0.01) ? random.below(3_000) : random.below(8);
  for (let index = 0; index < count; index++) {
    fields.push(`${fieldName(random)}: ${count > 100 ? index : value(random, tokens)}`);
  }
  let body = "";
  if (random.chance(0.3)) {
    body = random.bytes(random.length(70_000));
    if (random.chance(0.5)) {
      fields.push("Transfer-Encoding: chunked");
      body = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    } else fields.push(`Content-Length: ${random.chance(0.9) ? body.length : random.below(100_000)}`);
  }
  const bytes = request(`${method} ${target} HTTP/1.1`, ...fields) + body;
  // The runtime's own refusal of what is no HTTP has content even for a HEAD, so those stay whole.
  return random.chance(0.1) && method !== "HEAD" ? random.damaged(bytes) : bytes;
}

const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200",
  "HTTP/1.0 200 OK",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 206 Partial Content",
  "HTTP/1.1 304 Not Modified",
  "HTTP/1.1 101 Switching Protocols",
  "HTTP/1.1 100 Continue",
  "HTTP/1.1 103 Early Hints",
  "HTTP/1.1 407 Proxy Authentication Required",
  "HTTP/1.1 600 Beyond",
  "HTTP/1.1 999 Far Beyond",
  "HTTP/1.1 099 Below",
  "HTTP/1.1 20 Short",
  "HTTP/2 200 OK",
];
const RESPONSE_NAMES = words(
  "Age Cache-Control CDN-Cache-Control Tidegate-Cache-Control Connection Content-Encoding Content-Length Content-Range",
  "Content-Type Date ETag Expires Keep-Alive Last-Modified Location Proxy-Authenticate Retry-After Set-Cookie",
  "Trailer Transfer-Encoding Upgrade Vary Via WWW-Authenticate Cache-Status RateLimit X-Request-Id tidegate-stored",
  "Server-Timing",
);
const RESPONSE_VALUES = [
  ...VALUES,
  "max-age=60",
  "max-age=99999999999999999999",
  's-maxage="1", private="x", no-cache="set-cookie"',
  "public, immutable, stale-while-revalidate=9",
  "gzip",
  "chunked",
  "5",
  "accept-language, *",
  "x-hop, content-type, transfer-encoding",
];

/** A response of any kind. */
export function anyResponse(random) {
  const fields = Array.from({ length: random.below(8) }, () => {
    const odd = () => random.bytes(random.length(9_000)).replace(/[\r\n\0]/g, "");
    return `${random.pick(RESPONSE_NAMES)}: ${random.chance(0.8) ? random.pick(RESPONSE_VALUES) : odd()}`;
  });
  const body = random.bytes(random.length(70_000));
  if (random.chance(0.5)) fields.push(`Content-Length: ${body.length}`);
  const bytes = `${[random.pick(STATUS_LINES), ...fields].join("\r\n")}\r\n\r\n${body}`;
  return random.chance(0.1) ? random.damaged(bytes) : bytes;
}
