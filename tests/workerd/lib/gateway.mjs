// The gateway under test: started from a configuration written in the test, stopped with the test file.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { startGateway } from "../../../scripts/lib/runner.mjs";
import { until } from "./time.mjs";

/** Writes files into a directory of their own; `remove()` takes them away. */
export function scratch(files) {
  const directory = mkdtempSync(path.join(tmpdir(), "tidegate-test-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return {
    directory,
    path: (name) => path.join(directory, name),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** Starts the gateway with a configuration, given as TOML. `files` are put beside it. */
export async function startGatewayWith(toml, { files = {}, ...options } = {}) {
  const place = scratch({ "tidegate.toml": toml, ...files });
  const lines = [];
  const log = ({ message }) => lines.push(message);
  const running = await startGateway({ config: place.path("tidegate.toml"), log, ...options }).catch((error) => {
    place.remove();
    throw error;
  });
  return new Gateway(running, lines, place);
}

class Gateway {
  constructor(running, lines, place) {
    this.running = running;
    this.place = place;
    /** Everything that was logged, as text. */
    this.lines = lines;
    this.urls = running.urls;
    this.url = running.urls[0];
    this.ports = running.urls.map((url) => Number(new URL(url).port));
    this.port = this.ports[0];
  }

  /** The decision records so far. */
  records() {
    return this.lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** The first record that fits; it may come a little after its reply. */
  record(fits) {
    return until("a decision record that fits", () => this.records().find(fits));
  }

  /** Stops it. A gateway that crashed on the way fails its file, whatever the tests in it looked at. */
  async stop() {
    await this.running.stop();
    this.place.remove();
    assert.deepEqual(
      this.lines.filter((line) => /crashed|RuntimeError|unreachable executed|panicked/.test(line)),
      [],
      "the gateway never crashes",
    );
  }
}
