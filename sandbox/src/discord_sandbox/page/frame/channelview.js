/** One channel on screen: header, messages, composer. Used for the main view and the thread panel. */

import { ApiError, api } from "../state/api.js";
import { findComponent, selectOptions } from "../messages/components.js";
import { contextCommands } from "../composer/commands.js";
import { Composer } from "../composer/composer.js";
import { $, fill, h } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";
import { inline } from "../text/inline.js";
import { enlarge } from "../messages/media.js";
import { namesFor } from "../state/names.js";
import { href } from "../state/router.js";
import { chooseFrom } from "../overlays/selectmenu.js";
import { pickEmoji } from "../overlays/emojipicker.js";
import { appTag } from "../messages/message.js";
import { Timeline } from "../messages/timeline.js";
import { toast } from "../overlays/toasts.js";

export class ChannelView {
  /** @param {HTMLElement} el @param {import("../app.js").App} app @param {string} label */
  constructor(el, app, label) {
    this.el = el;
    this.app = app;
    this.channelId = null;
    this.timeline = new Timeline($(".scroller", el), {
      store: app.store, presses: app.presses, label,
      actions: (action, target, message) => this.act(action, target, message),
      older: (channelId) => this.older(channelId),
    });
    this.composer = new Composer($(".composer-host", el), { store: app.store, presses: app.presses, go: (channel) => app.go(channel) });
  }

  /** Makes the next `show` draw everything, even for the same channel. */
  forget() {
    this.channelId = undefined;
  }

  /** @param {?string} channelId null hides the thread panel */
  async show(channelId) {
    const { app } = this;
    this.composer.setChannel(channelId);
    if (channelId === this.channelId) return;
    this.channelId = channelId;
    if (this.el.id === "thread-view") this.el.hidden = !channelId;
    this.timeline.show(channelId, app.store.acting && channelId ? app.unread.newAfter(app.store.acting, channelId) : undefined);
    this.drawHeader();
    if (channelId && !app.store.hasHistory(channelId)) await app.readMessages(channelId);
  }

  async older(channelId) {
    const first = [...this.app.store.history(channelId).messages.values()].filter((m) => !m.local).map((m) => m.id)
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))[0];
    const scroller = this.timeline.scroller;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    await this.app.readMessages(channelId, first);
    this.timeline.draw();
    scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  drawHeader() {
    const { store } = this.app;
    const channel = store.channels.get(this.channelId ?? "");
    const host = $(".place", this.el);
    if (!channel) return fill(host, h("h1", null, "No channel"));
    if (channel.type === "direct") {
      const name = store.applicationOf(channel)?.display_name ?? channel.application;
      return fill(host, avatar(name, { bot: true, size: 24 }), h("h1", { class: "ellipsis" }, name), appTag());
    }
    const parent = channel.parent_id ? store.channels.get(channel.parent_id) : null;
    if (!parent) {
      return fill(host, icon({ voice: "speaker", stage: "stage" }[channel.type] ?? "hash", 22), h("h1", { class: "ellipsis" }, channel.name), channel.topic ? h("p", { class: "topic ellipsis", title: channel.topic }, inline(channel.topic, namesFor(store))) : null);
    }
    return fill(host, icon("thread", 20), h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: href(store, parent) }, `#${parent.name}`), h("span", { "aria-hidden": "true" }, " › ")), h("h1", { class: "ellipsis", title: channel.name }, channel.name), channel.archived ? h("span", { class: "state-pill" }, "archived") : null);
  }

  act(action, el, message) {
    const { app } = this;
    const actions = {
      press: () => app.presses.press(message, el.dataset.customId),
      select: () => this.choose(el, message),
      image: () => enlarge(el.dataset.src, el.dataset.alt),
      spoiler: () => el.setAttribute("data-ui-open", "true"),
      dismiss: () => app.store.dismiss(message.id),
      jump: () => this.jump(el.dataset.target),
      react: () => this.react(message, el.dataset.emoji),
      "pick-emoji": () => void pickEmoji(el).then((emoji) => emoji && this.react(message, emoji, true)),
      thread: () => this.openThread(el.dataset.thread),
      vote: () => this.vote(message, Number(el.dataset.answer)),
      apps: () => this.useApp(el, message),
      copy: () => navigator.clipboard?.writeText(message.id).then(() => toast({ title: "Copied", text: `Message ID ${message.id}` })).catch(() => {}),
      reply: () => this.composer.reply(message),
      edit: () => this.composer.edit(message),
      delete: () => this.remove(message, app.store.acting),
      remove: () => this.remove(message, null),
    };
    void actions[action]?.();
  }

  /** @param {?string} user who deletes it; null: an administrator behind everyone's back */
  remove(message, user) {
    api.removeMessage(message.id, user).catch((error) => toast({ title: "Message not deleted", text: error instanceof ApiError ? error.sentence : String(error) }));
  }

  /** Adds the acting person's reaction, or takes it back unless `add` says to keep it. */
  react(message, emoji, add = false) {
    const user = this.app.store.acting;
    const mine = message.reactions?.find((r) => r.emoji === emoji)?.users.includes(user);
    if (mine && add) return;
    const call = mine ? api.unreact : api.react;
    call({ user, message: message.id, emoji }).catch((error) => toast({ title: "Reaction not changed", text: error instanceof ApiError ? error.sentence : String(error) }));
  }

  /** Chooses an answer, or takes the vote back. */
  vote(message, answer) {
    const user = this.app.store.acting;
    const mine = message.poll.answers.filter((a) => a.users.includes(user)).map((a) => a.id);
    const others = message.poll.multiple ? mine.filter((id) => id !== answer) : [];
    const answers = (mine.includes(answer) ? others : [...others, answer]).map(String);
    api.vote({ user, message: message.id, answers }).catch((error) => toast({ title: "Not voted", text: error instanceof ApiError ? error.sentence : String(error) }));
  }

  /** Lets the acting person choose a command on the message or on its author. */
  async useApp(el, message) {
    const { store, presses } = this.app;
    const entries = contextCommands(store, message.channel_id);
    if (!entries.length) return toast({ title: "No commands here", text: "No app has registered a command for messages or their authors." });
    const options = entries.map(({ application, command, onAuthor }, index) => ({
      label: command.name,
      value: String(index),
      description: `${application.display_name} · on ${onAuthor ? message.author_name : "this message"}`,
    }));
    const picked = await chooseFrom(el, options, { min: 1, max: 1, label: "Apps" });
    if (!picked) return;
    const { application, command, onAuthor } = entries[Number(picked.values[0])];
    const target = onAuthor ? { target_user: message.author_id } : { target_message: message.id };
    await presses.command({ channel: message.channel_id, command: command.name, application: application.name, ...target })
      .catch((error) => toast({ title: "Command not sent", text: error instanceof ApiError ? error.sentence : String(error) }));
  }

  jump(id) {
    if (!this.timeline.reveal(id) && this.app.main !== this) this.app.main.timeline.reveal(id);
  }

  openThread(id) {
    const thread = this.app.store.channels.get(id);
    if (thread) this.app.go(thread);
  }

  async choose(el, message) {
    const { store, presses } = this.app;
    const component = findComponent(message.components, el.dataset.customId);
    if (!component || component.disabled || presses.isLocked(message.id)) return;
    const options = selectOptions(component, store);
    const labels = presses.chosen(message.id, component.custom_id);
    const picked = await chooseFrom(el, options, {
      min: component.min_values ?? 1,
      max: component.max_values ?? 1,
      label: component.placeholder ?? "Make a selection",
      chosen: labels ? options.filter((o) => labels.includes(o.label)).map((o) => o.value) : null,
    });
    if (picked) await presses.select(message, component.custom_id, picked.values, picked.labels);
  }
}
