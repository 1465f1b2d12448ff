/** The server rail, direct messages and the channel list, with unread marks and mentions. */

import { $, h } from "../base/dom.js";
import { avatar, icon, initials } from "../base/icons.js";
import { refill } from "../base/morph.js";
import { href } from "../state/router.js";
import { clickedVoice, isVoice, seats, voices } from "./voice.js";

const SIGNS = { announcement: "megaphone", forum: "thread", voice: "speaker", stage: "stage" };

export class Sidebar {
  /** @param {{store: import("../state/store.js").Store, unread: import("../state/unread.js").Unread}} wiring */
  constructor({ store, unread }) {
    this.store = store;
    this.unread = unread;
    this.rail = $("#guilds");
    this.list = $("#channels");
    this.title = $("#guild-name");
    this.list.addEventListener("click", (event) => clickedVoice(event, store));
    for (const el of [this.rail, this.list]) el.addEventListener("keydown", (event) => roveLinks(event, el));
  }

  draw() {
    const { store } = this;
    this.title.textContent = store.guild?.name ?? "No server";
    refill(this.rail, [...store.guilds.values()].map((guild) => this.guild(guild)));
    const groups = store.categoriesHere();
    const directs = store.directsOf(store.acting);
    refill(
      this.list,
      directs.length ? [h("div", { class: "category" }, "Direct messages"), h("ul", { class: "directs" }, directs.map((c) => h("li", { dataset: { key: c.id } }, this.channel(c))))] : null,
      groups.some((g) => g.channels.length) ? null : h("p", { class: "empty" }, "This server has no channels."),
      groups.filter((g) => g.category || g.channels.length).map((g) => this.group(g)),
    );
  }

  group({ category, channels }) {
    const { store } = this;
    return [
      h("div", { class: "category", dataset: { key: category?.id ?? "channels" } }, category?.name ?? "Text channels"),
      h("ul", { dataset: { key: `in ${category?.id ?? "channels"}` } }, channels.map((c) => h("li", { dataset: { key: c.id } }, this.channel(c), this.threads(c), voices(c, store)))),
    ];
  }

  guild(guild) {
    const { store } = this;
    const here = guild.id === store.guildId;
    const channels = store.channelsHere(guild.id);
    const who = store.acting ?? "";
    const mentions = this.unread.mentionsOf(who, guild.id);
    const unread = channels.some((c) => this.unread.isUnread(who, c.id));
    const target = channels[0];
    return h(
      "a",
      { class: `guild${here ? " here" : ""}${unread ? " unread" : ""}`, href: target ? href(store, target) : `#${guild.name}`, title: guild.name, "aria-label": `${guild.name}${mentions ? `, ${counted(mentions, "mention")}` : unread ? ", unread" : ""}`, "aria-current": here ? "true" : null, dataset: { key: guild.id } },
      h("span", { class: "guild-face", "aria-hidden": "true" }, initials(guild.name)),
      mentions ? h("span", { class: "badge", "aria-hidden": "true" }, mentions) : null,
    );
  }

  channel(channel) {
    const { store, unread } = this;
    const who = store.acting ?? "";
    const here = channel.id === store.channelId && !store.threadId;
    const mentions = unread.mentionsIn(who, channel.id);
    const isUnread = !here && unread.isUnread(who, channel.id);
    const direct = channel.type === "direct";
    const name = direct ? store.titleOf(channel).slice(1) : channel.name;
    const label = `${name}${mentions ? `, ${counted(mentions, direct ? "new message" : "mention")}` : isUnread ? ", unread" : ""}`;
    return h(
      "a",
      { class: `channel${channel.id === store.channelId ? " here" : ""}${isUnread ? " unread" : ""}`, href: href(store, channel), "aria-current": here ? "page" : null, "aria-label": label, dataset: { id: channel.id, voice: isVoice(channel) ? "" : null } },
      direct ? avatar(name, { bot: true, size: 24 }) : icon(SIGNS[channel.type] ?? "hash", 20),
      h("span", { class: "ellipsis" }, name),
      seats(channel),
      mentions ? h("span", { class: "badge", "aria-hidden": "true" }, mentions) : null,
    );
  }

  /** The newest five threads of a channel, and the open one. */
  threads(channel) {
    const { store, unread } = this;
    const who = store.acting ?? "";
    const shown = store.threadsOf(channel.id).slice(-5);
    const open = store.channels.get(store.threadId ?? "");
    if (open && open.parent_id === channel.id && !shown.includes(open)) shown.unshift(open);
    if (!shown.length) return null;
    return h(
      "ul",
      { class: "threads" },
      shown.map((thread) => {
        const here = thread.id === store.threadId;
        const mentions = unread.mentionsIn(who, thread.id);
        const isUnread = !here && unread.lastRead(who, thread.id) !== undefined && unread.isUnread(who, thread.id);
        return h("li", { dataset: { key: thread.id } }, h("a", { class: `channel thread${here ? " here" : ""}${isUnread ? " unread" : ""}`, href: href(store, thread), title: thread.name, "aria-current": here ? "page" : null, dataset: { id: thread.id } }, h("span", { class: "ellipsis" }, thread.name), mentions ? h("span", { class: "badge", title: counted(mentions, "mention") }, mentions) : null));
      }),
    );
  }

  /** The next channel above or below; `unreadOnly` skips read ones. */
  neighbour(by, unreadOnly) {
    const { store, unread } = this;
    const all = [...store.directsOf(store.acting), ...store.channelsHere()];
    const at = all.findIndex((c) => c.id === store.channelId);
    for (let step = 1; step <= all.length; step += 1) {
      const next = all[(at + by * step + all.length * step) % all.length];
      if (next && (!unreadOnly || unread.isUnread(store.acting ?? "", next.id))) return next;
    }
    return null;
  }
}

const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** Up and Down move between the links of a list. */
function roveLinks(event, el) {
  if (event.altKey || !["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
  const links = [...el.querySelectorAll("a[href], button")];
  const at = links.indexOf(/** @type {any} */ (document.activeElement));
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: links.length - 1 }[event.key];
  if (!links[to]) return;
  event.preventDefault();
  links[to].focus();
}
