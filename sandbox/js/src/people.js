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

  /** Use a command of the context menu of a person or bot. */
  userCommand(channel, command, user) {
    return this.#begin("commands", { channel, command, target_user: named(user), ...this.#application });
  }

  /** Use a command of the context menu of a message. */
  messageCommand(message, command) {
    return this.#begin("commands", { command, target_message: id(message), ...this.#application });
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

  /**
   * Write a message; `@robot` is the direct messages with that bot.
   * @param {string} channel @param {string} [content] @param {{ files?: Record<string, string | Uint8Array> }} [more] files by name
   */
  write(channel, content = "", { files = {} } = {}) {
    return this.#message("POST", "messages", { channel, ...written(content, files) });
  }

  /** Answer a message in its channel; its author is notified, unless `mention` is false. */
  async reply(message, content = "", { files = {}, mention = true } = {}) {
    const channel = await this.#channelOf(message);
    return this.#message("POST", "messages", { channel, reply_to: id(message), mention, ...written(content, files) });
  }

  async forward(message, channel) {
    return this.#message("POST", "messages", { channel, forward: id(message) });
  }

  /** Ask with a poll. `multiple`: whether one person can choose several answers. */
  poll(channel, question, answers, { hours = 24, multiple = false } = {}) {
    return this.#message("POST", "messages", { channel, poll: { question, answers, hours, multiple } });
  }

  /** Vote for these answers of a poll alone, by text or number; for none to take votes back. */
  async vote(message, ...answers) {
    return this.#message("POST", "votes", { message: id(message), answers: answers.map(String) });
  }

  /** Change what this person wrote. */
  async edit(message, content) {
    return this.#message("PATCH", `messages/${id(message)}`, { content });
  }

  /** Delete an own message, or with MANAGE_MESSAGES that of another. */
  async delete(message) {
    await this.#api.call("DELETE", `messages/${id(message)}`, undefined, this.#common);
  }

  async react(message, emoji) {
    return this.#message("POST", "reactions", { message: id(message), emoji });
  }

  /** Take a reaction back. */
  async unreact(message, emoji) {
    return this.#message("DELETE", "reactions", { message: id(message), emoji });
  }

  async pin(message) {
    return this.#message("POST", "pins", { message: id(message) });
  }

  async unpin(message) {
    return this.#message("DELETE", "pins", { message: id(message) });
  }

  /**
   * Start a thread on a message or alone, or a post in a forum.
   * @param {{ message?: any, private?: boolean, tags?: string[] }} [more]
   * @returns {Promise<string>} its id, which names it as a channel
   */
  async startThread(channel, name, content = "", { message, private: isPrivate = false, tags = [] } = {}) {
    const about = message === undefined ? {} : { message: id(message) };
    const body = { channel, name, ...about, ...(content ? { content } : {}), private: isPrivate, tags };
    return (await this.#act("POST", "threads", body)).id;
  }

  async joinThread(thread) {
    await this.#act("PUT", `threads/${encodeURIComponent(thread)}/members`, {});
  }

  async leaveThread(thread) {
    await this.#api.call("DELETE", `threads/${encodeURIComponent(thread)}/members`, undefined, this.#common);
  }

  /** Be interested in a scheduled event, by its name or id. */
  async joinEvent(event) {
    await this.#act("PUT", `scheduled-events/${encodeURIComponent(event)}/users`, {});
  }

  async leaveEvent(event) {
    await this.#api.call("DELETE", `scheduled-events/${encodeURIComponent(event)}/users`, undefined, this.#common);
  }

  /** Join a voice or stage channel, move there, or mute and deafen oneself where one is. */
  async joinVoice(channel, { mute = false, deaf = false } = {}) {
    await this.#act("POST", "voice", { channel, mute, deaf });
  }

  async leaveVoice() {
    await this.#act("DELETE", "voice", {});
  }

  /** Join the server, as a new person or as one who left; by an invite's code if one is given. */
  async join({ displayName, roles, invite } = {}) {
    const { guild } = this.#common;
    await this.#api.call("POST", "people", { name: this.name, display_name: displayName, roles, invite, guild });
  }

  /** Leave the server. What they wrote stays. */
  async leave() {
    await this.#api.call("DELETE", `people/${encodeURIComponent(this.name)}`, undefined, { guild: this.#common.guild });
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

  async #message(method, path, body) {
    return new SeenMessage(await this.#act(method, path, body));
  }

  /** The id of the channel that a message is in. */
  async #channelOf(message) {
    if (message instanceof Outcome) return message.message.body.channel_id;
    if (message instanceof SeenMessage) return message.body.channel_id;
    return (await this.#api.call("GET", `messages/${message}`, undefined, this.#reader())).channel_id;
  }

  async #begin(path, body) {
    const { interaction } = await this.#act("POST", path, body);
    return new Outcome(await this.#api.call("GET", `interactions/${interaction}`, undefined, { wait: this.patience }));
  }
}

const id = (message) => (message instanceof Outcome ? message.message.id : message instanceof SeenMessage ? message.id : message);
/** What the JSON API takes for content and files; bytes are in base64. */
const written = (content, files) => {
  const list = Object.entries(files).map(([filename, one]) =>
    typeof one === "string" ? { filename, text: one } : { filename, content: Buffer.from(one).toString("base64") },
  );
  return { ...(content ? { content } : {}), ...(list.length ? { files: list } : {}) };
};
const named = (value) => (value instanceof Person ? value.name : value);
const plain = (values) =>
  Object.fromEntries(Object.entries(values).map(([key, one]) => [key, Array.isArray(one) ? one.map(named) : named(one)]));
