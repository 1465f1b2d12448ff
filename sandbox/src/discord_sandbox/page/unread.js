/** What each person has not read, and where they were mentioned. Kept per person, also for those not acted as now. */

import { compareIds } from "./dom.js";

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

  /** A new message: counts a mention for everyone whom it pinged and who does not look at it. */
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

  /** The last message that the person read there; undefined when they were never there. */
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

  /** Where a person who opens a channel now begins to read; undefined when nothing there is new to them. */
  newAfter(person, channelId) {
    return this.isUnread(person, channelId) ? this.lastRead(person, channelId) : undefined;
  }

  /** Counts the mentions in messages that were posted before the page listened. */
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

  /** After the sandbox was reset: nothing was ever read or said. */
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
    // A browser that keeps nothing: unread marks then last as long as the page.
  }
}
