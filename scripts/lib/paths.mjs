import path from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Everything the build writes, apart from cargo's target directory. */
export const BUILD = path.join(ROOT, "build");

/** The directory in which the user typed the command: npm changes to the repository before it runs a script. */
export const TYPED_IN = process.env.INIT_CWD ?? process.cwd();
