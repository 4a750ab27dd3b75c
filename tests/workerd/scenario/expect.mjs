// What a step expects, held against what happened: [what, expected, got] for each difference.

/** One reply. */
export function replyDifferences(expected, reply, record) {
  const { status, headers = {}, body, problem, record: wantedRecord } = expected;
  const found = [];
  if (reply.status !== status) found.push(["status", status, `${reply.status} ${reply.body}`]);
  found.push(...fieldDifferences("header", headers, reply.headers));
  if (body !== undefined && !isLike(reply.body, body)) found.push(["body", body, reply.body]);
  if (problem !== undefined) found.push(...problemDifferences(problem, status, reply));
  if (wantedRecord !== undefined && !contains(record, wantedRecord)) {
    found.push(["record", JSON.stringify(wantedRecord), JSON.stringify(record)]);
  }
  return found;
}

/** What happened behind the replies. */
export function behindDifferences(expected, received, calls) {
  const { status, headers, body, problem, record, asked, seen = {}, target, received: content, ...more } = expected;
  const { calls: wantedCalls = {}, ...unknown } = more;
  const found = Object.keys(unknown).map((key) => [key, "a key that is known", "none"]);
  const servers = received.map(({ server }) => server);
  if (asked !== undefined && !wereAsked(asked, servers)) {
    found.push(["asked", JSON.stringify(asked), servers.join(", ")]);
  }
  for (const [call, count] of Object.entries(wantedCalls)) {
    if (calls[call] !== count) found.push([`calls: ${call}`, count, calls[call]]);
  }
  if (Object.keys(seen).length === 0 && target === undefined && content === undefined) return found;
  const last = received.at(-1);
  if (last === undefined) return [...found, ["seen", "a request to a server", "none"]];
  found.push(...fieldDifferences("seen header", seen, last.headers));
  if (target !== undefined && target !== last.target) found.push(["target", target, last.target]);
  if (content !== undefined && content !== last.body) found.push(["received", content, last.body]);
  return found;
}

function fieldDifferences(what, expected, headers) {
  const found = [];
  for (const [name, wanted] of Object.entries(expected)) {
    const got = headers.get(name.toLowerCase());
    const fits =
      wanted === false
        ? got === undefined
        : got !== undefined && (typeof wanted === "string" ? isLike(got, wanted) : got !== wanted.not);
    if (!fits) found.push([`${what} ${name}`, wanted === false ? "absent" : JSON.stringify(wanted), got ?? "absent"]);
  }
  return found;
}

/** A problem is of the type that the step names, and whole (RFC 9457, section 3.1). */
function problemDifferences(code, status, { headers, body }) {
  let problem;
  try {
    problem = JSON.parse(body);
  } catch {
    return [["problem", code, body]];
  }
  if (String(problem.type).split(/[/#]/).at(-1) !== code) return [["problem", code, body]];
  const whole =
    headers.get("content-type") === "application/problem+json" &&
    headers.get("cache-control") === "no-store" &&
    headers.get("x-request-id") === problem.request_id &&
    problem.status === status &&
    typeof problem.title === "string" &&
    typeof problem.detail === "string";
  return whole ? [] : [["problem", "all of its members and fields", `${[...headers]} ${body}`]];
}

/** Whether `text` is `pattern`, in which `*` stands for any text. */
function isLike(text, pattern) {
  const escaped = pattern.split("*").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`, "s").test(text);
}

/** Whether `whole` has every member of `part`, with the same values; `false` is a member that is not there. */
function contains(whole, part) {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && whole.length === part.length && part.every((item, i) => contains(whole[i], item));
  }
  if (part === false) return whole === undefined || whole === false;
  if (typeof part !== "object") return whole === part;
  return Object.entries(part).every(([name, value]) => contains(whole?.[name], value));
}

function wereAsked(expected, servers) {
  if (typeof expected === "string") return servers.length === 1 && servers[0] === expected;
  if (Array.isArray(expected)) return JSON.stringify(servers) === JSON.stringify(expected);
  const count = (name) => servers.filter((server) => server === name).length;
  return [...new Set([...Object.keys(expected), ...servers])].every((name) => count(name) === (expected[name] ?? 0));
}
