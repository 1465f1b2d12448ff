/** Unread messages and mentions, per person. */

import { compareIds } from "../base/dom.js";

const MEMORY = "sandbox.read";

export class Unread {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this.store = store;
    /** person, channel -> last message read. */
    this.read = recall();
    /** person, channel -> mentions not read. @type {Map<string, number>} */
    this.mentions = new Map();
  }

  key(person, channelId) {
    return `${person} ${channelId}`;
  }

  /** Counts a mention for everyone pinged by a new message who does not have it on screen. */
  onMessage(message, seenBy) {
    const channel = this.store.channels.get(message.channel_id);
    if (channel && !message.ephemeral_to) channel.last_message_id = message.id;
    for (const name of message.notified ?? []) {
      if (name === seenBy) continue;
      const key = this.key(name, message.channel_id);
      this.mentions.set(key, (this.mentions.get(key) ?? 0) + 1);
    }
    if (seenBy) this.markRead(seenBy, message.channel_id);
  }

  markRead(person, channelId) {
    const key = this.key(person, channelId);
    const last = this.store.channels.get(channelId)?.last_message_id;
    if (last) this.read[key] = last;
    this.mentions.delete(key);
    remember(this.read);
  }

  /** The last message that the person read there; undefined if they were never there. */
  lastRead(person, channelId) {
    return this.read[this.key(person, channelId)];
  }

  isUnread(person, channelId) {
    const last = this.store.channels.get(channelId)?.last_message_id;
    const read = this.lastRead(person, channelId);
    return Boolean(last) && (!read || compareIds(read, last) < 0);
  }

  mentionsIn(person, channelId) {
    return this.mentions.get(this.key(person, channelId)) ?? 0;
  }

  /** The message after which a channel is new to a person; undefined if nothing is. */
  newAfter(person, channelId) {
    return this.isUnread(person, channelId) ? this.lastRead(person, channelId) : undefined;
  }

  /** Counts mentions in messages from before the page listened. */
  recount(messages) {
    for (const message of messages) {
      for (const name of message.notified ?? []) {
        const read = this.lastRead(name, message.channel_id);
        const key = this.key(name, message.channel_id);
        if (!read || compareIds(read, message.id) < 0) this.mentions.set(key, (this.mentions.get(key) ?? 0) + 1);
      }
    }
  }

  /** All mentions of a person in a guild. */
  mentionsOf(person, guildId) {
    let sum = 0;
    for (const channel of this.store.channels.values()) {
      if (channel.guild_id === guildId) sum += this.mentionsIn(person, channel.id);
    }
    return sum;
  }

  /** All direct messages that a person has not read. */
  directOf(person) {
    let sum = 0;
    for (const channel of this.store.channels.values()) {
      if (channel.type === "direct" && channel.user === person) sum += this.mentionsIn(person, channel.id);
    }
    return sum;
  }

  /** What calls a person: mentions in a guild, and direct messages. */
  callsOf(person, guildId) {
    return this.mentionsOf(person, guildId) + this.directOf(person);
  }

  /** Forgets everything, after the sandbox was reset. */
  forget() {
    this.read = {};
    this.mentions.clear();
    remember(this.read);
  }
}

function recall() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "{}");
  } catch {
    return {};
  }
}

function remember(read) {
  try {
    localStorage.setItem(MEMORY, JSON.stringify(read));
  } catch {
    // Without storage, unread marks last as long as the page.
  }
}
