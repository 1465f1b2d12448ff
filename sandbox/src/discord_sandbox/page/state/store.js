/** What the page knows: the sandbox's state, messages of opened channels, the open channel, the acting person. */

import { compareIds } from "../base/dom.js";
import { setClockOffset } from "../base/time.js";

/** Messages kept per channel while its end is in view; scrolling up reads older ones again. */
const KEPT = 300;

/** @typedef {{messages: Map<string, any>, complete: boolean, error: ?string}} History */

export class Store {
  constructor() {
    /** @type {Map<string, import("../base/types.js").Guild>} */ this.guilds = new Map();
    /** @type {Map<string, import("../base/types.js").Channel>} */ this.channels = new Map();
    /** @type {import("../base/types.js").Person[]} */ this.people = [];
    /** @type {Map<string, import("../base/types.js").Application>} */ this.applications = new Map();
    /** @type {Object[]} */ this.services = [];
    /** @type {Object[]} */ this.processes = [];
    /** @type {Object[]} */ this.sessions = [];
    /** @type {import("../base/types.js").Fault[]} */ this.faults = [];
    /** @type {Map<string, History>} */ this.histories = new Map();
    /** @type {?string} */ this.guildId = null;
    /** @type {?string} */ this.channelId = null;
    /** @type {?string} */ this.threadId = null;
    /** @type {?string} */ this.acting = null;
    this.connected = true;
    this.eventId = 0;
    /** @type {Set<string>} */ this.dismissed = new Set();
    this.listeners = new Map();
  }

  /** @param {string} topic @param {(detail: any) => void} listener */
  on(topic, listener) {
    this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), listener]);
  }

  emit(topic, detail) {
    for (const listener of this.listeners.get(topic) ?? []) listener(detail);
  }

  /** Replaces everything by the answer of `GET state`. */
  load(state) {
    this.guilds = new Map(state.guilds.map((g) => [g.id, g]));
    this.channels = new Map(state.channels.map((c) => [c.id, c]));
    this.people = state.people;
    this.applications = new Map(state.applications.map((a) => [a.id, a]));
    this.services = state.services ?? [];
    this.processes = state.processes ?? [];
    this.sessions = state.sessions ?? [];
    this.eventId = state.event_id;
    setClockOffset(state.clock_offset ?? 0);
    this.histories.clear();
    this.emit("state");
  }

  get guild() {
    return this.guilds.get(this.guildId ?? "") ?? null;
  }

  get channel() {
    return this.channels.get(this.channelId ?? "") ?? null;
  }

  /** @returns {?import("../base/types.js").Person} the acting person, in the open guild */
  get me() {
    return this.person(this.acting, this.guildId);
  }

  person(name, guildId = this.guildId) {
    return this.people.find((p) => p.name === name && p.guild_id === guildId) ?? null;
  }

  peopleHere() {
    return this.people.filter((p) => p.guild_id === this.guildId);
  }

  applicationsHere() {
    const name = this.guild?.name;
    return [...this.applications.values()].filter((a) => a.guilds.includes(name ?? ""));
  }

  /** Channels of the open guild, in their order: those of no category first. */
  channelsHere(guildId = this.guildId) {
    const place = (channel) => this.channels.get(channel.category_id ?? "")?.position ?? -1;
    return [...this.channels.values()].filter((c) => c.guild_id === guildId && !c.parent_id && c.type !== "category")
      .sort((a, b) => place(a) - place(b) || a.position - b.position || compareIds(a.id, b.id));
  }

  /** Categories of the open guild with their channels, in their order; null stands for no category. */
  categoriesHere() {
    const channels = this.channelsHere();
    const categories = [...this.channels.values()].filter((c) => c.guild_id === this.guildId && c.type === "category")
      .sort((a, b) => a.position - b.position || compareIds(a.id, b.id));
    const inside = (id) => channels.filter((c) => (c.category_id ?? null) === id);
    return [{ category: null, channels: inside(null) }, ...categories.map((category) => ({ category, channels: inside(category.id) }))];
  }

  /** Direct messages of a person that have any, the newest first. @param {?string} name */
  directsOf(name) {
    return [...this.channels.values()].filter((c) => c.type === "direct" && c.user === name && c.last_message_id)
      .sort((a, b) => compareIds(b.last_message_id, a.last_message_id));
  }

  /** The application at the other end of a direct message. */
  applicationOf(channel) {
    return [...this.applications.values()].find((a) => a.name === channel.application) ?? null;
  }

  /** What a channel is called where there is only text: `#news`, `@Robot`, or a thread's name. */
  titleOf(channel) {
    if (channel.type === "direct") return `@${this.applicationOf(channel)?.display_name ?? channel.application}`;
    return channel.parent_id ? channel.name : `#${channel.name}`;
  }

  threadsOf(channelId) {
    return [...this.channels.values()].filter((c) => c.parent_id === channelId && !c.archived)
      .sort((a, b) => compareIds(a.id, b.id));
  }

  userName(id) {
    const app = [...this.applications.values()].find((a) => a.bot_id === id || a.id === id);
    return app?.display_name ?? this.people.find((p) => p.id === id)?.display_name ?? null;
  }

  role(id) {
    for (const guild of this.guilds.values()) for (const role of guild.roles) if (role.id === id) return role;
    return null;
  }

  /** @returns {History} */
  history(channelId) {
    let history = this.histories.get(channelId);
    if (!history) this.histories.set(channelId, (history = { messages: new Map(), complete: false, error: null }));
    return history;
  }

  hasHistory(channelId) {
    return this.histories.has(channelId);
  }

  /** Adds messages that were read; `complete` if there are none before them. */
  addHistory(channelId, messages, complete) {
    const history = this.history(channelId);
    for (const message of messages) if (!history.messages.has(message.id)) history.messages.set(message.id, message);
    history.complete = complete;
    history.error = null;
    this.emit("messages", { channelId });
  }

  failHistory(channelId, sentence) {
    this.history(channelId).error = sentence;
    this.emit("messages", { channelId });
  }

  /** What the acting person sees in a channel, oldest first. */
  visible(channelId) {
    const all = [...(this.histories.get(channelId)?.messages.values() ?? [])];
    return all.filter((m) => (!m.ephemeral_to || m.ephemeral_to === this.acting) && !this.dismissed.has(m.id))
      .sort((a, b) => compareIds(a.id, b.id));
  }

  findMessage(id) {
    for (const history of this.histories.values()) {
      const found = history.messages.get(id);
      if (found) return found;
    }
    return null;
  }

  /** Keeps a posted or changed message, if its channel was opened. */
  putMessage(message) {
    const history = this.histories.get(message.channel_id);
    if (!history) return;
    history.messages.set(message.id, message);
    this.emit("messages", { channelId: message.channel_id, id: message.id });
  }

  removeMessage(id, channelId) {
    if (this.histories.get(channelId)?.messages.delete(id)) this.emit("messages", { channelId, id });
  }

  dismiss(id) {
    const message = this.findMessage(id);
    this.dismissed.add(id);
    if (message) this.emit("messages", { channelId: message.channel_id, id });
  }

  /** Forgets the oldest messages of a long channel. */
  trim(channelId) {
    const history = this.histories.get(channelId);
    if (!history || history.messages.size <= KEPT + 100) return;
    const ids = [...history.messages.keys()].sort(compareIds);
    for (const id of ids.slice(0, ids.length - KEPT)) history.messages.delete(id);
    history.complete = false;
  }
}
