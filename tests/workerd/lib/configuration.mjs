// Parts of configurations that several tests are about.

/** A cache of this scope, and a route of its name that keeps there what it answers. `more`: further lines of the route. */
export const cachingRoute = (scope, more = "") => `
[[cache]]
name = "${scope}"
scope = "${scope}"

[[route]]
name = "${scope}"
match = { path = "/${scope}/{*rest}" }
auth = "none"
cache = "${scope}"
${more}`;
