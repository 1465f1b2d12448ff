/** People as objects: what they do, and what they see. */

import { messages, waitForMessage } from "./reading.js";
import { Outcome, SeenMessage } from "./seen.js";

/**
 * A person of the world. Rejects with CallRefused what Discord's client would not let them do. Each interaction
 * resolves as soon as the bot answered, at the latest after `patience` seconds.
 */
export class Person {
  #api;
  #common;
  #application;

  /** @param {import("./api.js").Api} api @param {{ guild?: string, application?: string, patience?: number }} where */
  constructor(api, name, { guild, application, patience = 5 } = {}) {
    this.name = name;
    this.patience = patience;
    this.#api = api;
    this.#common = { user: name, ...(guild ? { guild } : {}) };
    this.#application = application ? { application } : {};
  }

  /** Send a slash command: `await ada.command("general", "settings show", { page: 2 })`. */
  command(channel, command, options = {}) {
    return this.#begin("commands", { channel, command, options: plain(options), ...this.#application });
  }

  /** The choices (`name`, `value`) that the bot offers while the option holds `value`. */
  async autocomplete(channel, command, option, value = "", options = {}) {
    const body = { channel, command, option, value, options: plain(options), ...this.#application };
    return (await this.#act("POST", "autocomplete", body)).choices;
  }

  /** Press a button by its label or custom id. `message` can be a message, an outcome with one, or an id. */
  press(message, button) {
    return this.#begin("presses", { message: id(message), button });
  }

  /** Choose in a select, named by its placeholder or custom id; values by label, value or name. */
  select(message, select, ...values) {
    return this.#begin("selects", { message: id(message), select, values: values.map(named) });
  }

  /** Submit the modal that a command or press opened; fields by label or custom id. */
  submit(opened, fields) {
    return this.#begin("modals", { interaction: opened.id, fields: plain(fields) });
  }

  /** Write a message; `@robot` is the direct messages with that bot. */
  async write(channel, content) {
    return new SeenMessage(await this.#act("POST", "messages", { channel, content }));
  }

  async react(message, emoji) {
    return new SeenMessage(await this.#act("POST", "reactions", { message: id(message), emoji }));
  }

  /** Take a reaction back. */
  async unreact(message, emoji) {
    return new SeenMessage(await this.#act("DELETE", "reactions", { message: id(message), emoji }));
  }

  async pin(message) {
    return new SeenMessage(await this.#act("POST", "pins", { message: id(message) }));
  }

  async unpin(message) {
    return new SeenMessage(await this.#act("DELETE", "pins", { message: id(message) }));
  }

  /** Join a voice or stage channel, move there, or mute and deafen oneself where one is. */
  async joinVoice(channel, { mute = false, deaf = false } = {}) {
    await this.#act("POST", "voice", { channel, mute, deaf });
  }

  async leaveVoice() {
    await this.#act("DELETE", "voice", {});
  }

  /** The newest messages that this person sees, ephemeral ones included; newest last. */
  messages(channel) {
    return messages(this.#api, channel, this.#reader());
  }

  /** As `Sandbox.waitForMessage`, with what only this person sees: ephemeral and direct messages. */
  waitForMessage(channel, text = "", how = {}) {
    return waitForMessage(this.#api, channel, text, { seconds: this.patience, ...how }, this.#reader());
  }

  #reader() {
    return { as: this.name, guild: this.#common.guild };
  }

  #act(method, path, body) {
    return this.#api.call(method, path, { ...this.#common, ...body });
  }

  async #begin(path, body) {
    const { interaction } = await this.#act("POST", path, body);
    return new Outcome(await this.#api.call("GET", `interactions/${interaction}`, undefined, { wait: this.patience }));
  }
}

const id = (message) => (message instanceof Outcome ? message.message.id : message instanceof SeenMessage ? message.id : message);
const named = (value) => (value instanceof Person ? value.name : value);
const plain = (values) =>
  Object.fromEntries(Object.entries(values).map(([key, one]) => [key, Array.isArray(one) ? one.map(named) : named(one)]));
