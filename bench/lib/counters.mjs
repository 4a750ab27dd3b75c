// What all edges have counted together: for operators, and at the door of their objects.

export const TOKEN = "an-operators-token";

/** What operators see of all edges together. */
export async function metrics(edges) {
  const headers = { authorization: `Bearer ${TOKEN}` };
  const read = async (url) => (await fetch(`${url}/_tidegate/metrics`, { headers })).text();
  const texts = await Promise.all(edges.map(read));
  const sum = (name) => {
    const lines = texts.flatMap((text) => text.split("\n").filter((line) => line.startsWith(`tidegate_${name}`)));
    return lines.reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  };
  return {
    decided: sum("limit_decisions_total"),
    denied: sum("limit_denied_total"),
    calls: sum("limit_asks_total") + sum("limit_refreshes_total"),
    overshoot: sum("limit_overshoot_total"),
    keys: sum("limit_keys"),
  };
}

/** The sum of what the edges answer to a path of `counting.mjs`. */
export async function total(edges, suffix) {
  const texts = await Promise.all(edges.map(async (url) => (await fetch(url + suffix)).text()));
  return texts.reduce((sum, text) => sum + Number(text), 0);
}
