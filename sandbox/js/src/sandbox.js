/** The sandbox as a process of its own. */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { Api } from "./api.js";
import { Person } from "./people.js";
import { messages, waitForMessage } from "./reading.js";

/**
 * Starts `discord-sandbox` on a free port; resolves when it is ready.
 * @param {{ command?: string[], world?: object, load?: string, rateLimits?: boolean, strict?: boolean, env?: object }} [options]
 *   `command`: how to run it, `["discord-sandbox"]`; `world`: what a world file holds; `load`: the file of a saved world
 * @returns {Promise<Sandbox>} rejects with what it wrote if it does not start
 */
export async function startSandbox({ command = ["discord-sandbox"], world, load, rateLimits = true, strict = false, env } = {}) {
  const folder = world ? await mkdtemp(join(tmpdir(), "discord-sandbox-")) : null;
  try {
    const file = folder ? join(folder, "world.json") : null;
    if (file) await writeFile(file, JSON.stringify(world));
    const options = [...(file ? ["--world", file] : []), ...(load ? ["--load", load] : []), ...(rateLimits ? [] : ["--no-rate-limits"]), ...(strict ? ["--strict"] : [])];
    const [program, ...words] = command;
    const child = spawn(program, [...words, "--port", "0", ...options], { env: env ?? process.env, stdio: ["ignore", "pipe", "pipe"] });
    return new Sandbox(child, JSON.parse(await firstLine(child)));
  } finally {
    if (folder) await rm(folder, { recursive: true });
  }
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`The sandbox ended with ${code}: ${said.trim()}`)));
    createInterface({ input: child.stdout }).once("line", resolve);
  });
}

export class Sandbox {
  #child;
  #api;
  #ended;

  constructor(child, ready) {
    /** What `discord-sandbox` printed: addresses, applications, guilds. */
    this.ready = ready;
    this.url = ready.url;
    this.apiBase = ready.api_base;
    this.gatewayUrl = ready.gateway_url;
    this.#child = child;
    this.#api = new Api(`${ready.url}/sandbox/v1`);
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    const kill = () => child.kill();
    process.once("exit", kill);
    this.#ended.then(() => process.off("exit", kill));
  }

  /** A bot's token; the first one's unless named. */
  token(application) {
    const found = this.ready.applications.find((one) => !application || one.name === application);
    if (!found) throw new Error(`There is no application "${application}".`);
    return found.token;
  }

  /** A person to act as. */
  person(name, where = {}) {
    return new Person(this.#api, name, where);
  }

  /** Any call of the JSON API: `await sandbox.call("POST", "faults", { kind: "503" })`. */
  call(method, path, body, query) {
    return this.#api.call(method, path, body, query);
  }

  /**
   * Keeps the world as it is now: everything but connections, faults, the log of calls and rate limits.
   * @param {string} [name] of the save; made up if it is not given @returns {Promise<{ name: string, now: string, messages: number, size: number }>}
   */
  save(name) {
    return this.call("POST", "saves", name === undefined ? {} : { name });
  }

  /** Returns to a saved world, and to the moment of the save. Bots identify again, faults end. @param {string | { name: string }} saved */
  async restore(saved) {
    await this.call("POST", "restore", { name: saved?.name ?? saved });
  }

  /** The newest messages of a channel or thread that everyone there sees; newest last. */
  messages(channel, { guild } = {}) {
    return messages(this.#api, channel, { guild });
  }

  /** The newest message with `text` in its visible text: now, or as soon as one is posted or edited so. */
  waitForMessage(channel, text = "", how = {}) {
    return waitForMessage(this.#api, channel, text, how, {});
  }

  /** The number of the newest logged call: give it to `calls` and `assertNoErrors` as `since`. */
  async mark() {
    return (await this.call("GET", "requests", undefined, { limit: 0 })).last;
  }

  /**
   * What bots called, oldest first: all, or a route such as `POST /channels/{}/messages`.
   * @param {string} [route] @param {{ since?: number, application?: string }} [where]
   */
  async calls(route = "", where = {}) {
    const bare = (path) => path.replace(/\{[^}]*\}/g, "{}");
    const [path, method] = route.split(" ").reverse();
    const { requests } = await this.call("GET", "requests", undefined, where);
    return requests.filter(
      (one) =>
        !one.path.startsWith("/sandbox/") &&
        (!method || method.toUpperCase() === one.method) &&
        (!path || path === one.path || bare(path) === bare(one.route)),
    );
  }

  /** Rejects if a call of a bot was refused, except by an injected fault. */
  async assertNoErrors(where = {}) {
    const found = (await this.calls("", where)).filter((one) => one.status >= 400 && !one.fault);
    if (found.length === 0) return;
    const lines = found.map((one) => `\n  ${one.status} ${one.method} ${one.path} ${JSON.stringify(one.error)}`);
    throw new Error(`${found.length} calls were refused:${lines.join("")}`);
  }

  async stop() {
    this.#child.kill();
    await this.#ended;
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }
}
