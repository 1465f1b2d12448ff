/** The composer: plain messages, or slash commands once a line starts with a slash. */

import { ApiError, api } from "../state/api.js";
import { CommandLine } from "./commandline.js";
import { available, matching, readLine } from "./commands.js";
import { fill, h } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";
import { SlowMode } from "./slowmode.js";
import { Suggest } from "./suggest.js";
import { Tray } from "./tray.js";

const LONGEST = 2000;

export class Composer {
  /**
   * @param {HTMLElement} host
   * @param {{store: import("../state/store.js").Store, presses: import("../state/interactions.js").Interactions, go: (channel: any) => void}} wiring
   */
  constructor(host, { store, presses, go }) {
    this.go = go;
    this.store = store;
    this.presses = presses;
    this.channelId = null;
    /** Channel -> text typed and not sent. */
    this.drafts = new Map();
    this.line = null;
    this.text = h("textarea", { rows: 1, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", autocomplete: "off" });
    this.command = h("div", { class: "command", hidden: true, role: "group", "aria-label": "Slash command" });
    this.tray = new Tray({ onChange: () => this.onTray(), onProblem: (sentence) => this.complain(sentence) });
    this.attachButton = h("button", { type: "button", class: "icon-button attach", "aria-label": "Attach files", title: "Attach files", onclick: () => this.tray.picker.click() }, icon("plus", 20));
    this.sendButton = h("button", { type: "submit", class: "icon-button send", "aria-label": "Send" }, icon("send", 20));
    this.box = h("div", { class: "composer-box" }, this.attachButton, this.text, this.command, this.sendButton);
    this.typing = h("div", { class: "typing", "aria-live": "polite" });
    this.slow = new SlowMode();
    const foot = h("div", { class: "composer-foot" }, this.typing, this.slow.el);
    this.form = h("form", { class: "composer", autocomplete: "off" }, this.tray.el, this.box, this.tray.picker, foot);
    this.suggest = new Suggest(this.form, "Suggestions");
    this.text.setAttribute("aria-controls", this.suggest.list.id);
    host.append(this.form);
    this.listen();
  }

  listen() {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void (this.line ? this.line.send() : this.say());
    });
    this.text.addEventListener("input", () => this.onInput());
    this.text.addEventListener("focus", () => this.onInput());
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    this.text.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.tray.add(files);
    });
    this.form.addEventListener("dragover", (event) => event.preventDefault());
    this.form.addEventListener("drop", (event) => {
      event.preventDefault();
      this.tray.add([...(event.dataTransfer?.files ?? [])]);
    });
    this.form.addEventListener("focusout", (event) => {
      if (!this.form.contains(event.relatedTarget)) this.suggest.hide();
    });
  }

  /** @param {?string} channelId */
  setChannel(channelId) {
    if (this.channelId !== channelId) {
      if (this.channelId) this.drafts.set(this.channelId, this.text.value);
      this.line?.dispose();
      this.leaveCommand();
      this.text.value = this.drafts.get(channelId) ?? "";
      this.tray.clear();
      this.suggest.hide();
      this.channelId = channelId;
    }
    this.describe();
  }

  describe() {
    const channel = this.store.channels.get(this.channelId ?? "");
    const closed = channel?.locked && channel?.archived;
    const place = channel ? this.store.titleOf(channel) : "";
    const forum = channel?.type === "forum";
    this.text.placeholder = forum ? "New post: its first line is the title" : closed ? "This thread is archived and locked." : channel ? `Message ${place}` : "";
    this.text.setAttribute("aria-label", forum ? `Post in ${place}` : channel ? `Message ${place}` : "Message");
    this.text.disabled = !channel || Boolean(closed);
    this.slow.show(channel ?? null, this.store.acting);
  }

  focus() {
    (this.line ? this.line.tail : this.text).focus();
  }

  reply(message) {
    if (this.tray.about?.kind === "edit") this.text.value = "";
    this.tray.begin("reply", message);
    this.focus();
  }

  edit(message) {
    this.text.value = message.content;
    this.tray.begin("edit", message);
    this.focus();
  }

  /** The newest message that the acting person wrote here. */
  ownNewest() {
    return this.store.visible(this.channelId ?? "").filter((m) => m.author === this.store.acting && !m.local && !m.bot).at(-1) ?? null;
  }

  onTray() {
    const editing = this.tray.about?.kind === "edit";
    if (this.editing && !editing) this.text.value = "";
    this.editing = editing;
    this.attachButton.hidden = editing;
    this.fillState();
  }

  fillState() {
    this.form.classList.toggle("filled", this.text.value.trim() !== "" || this.tray.files.length > 0);
  }

  onInput() {
    const typed = this.text.value;
    this.fillState();
    if (this.editing || !typed.startsWith("/") || typed.includes("\n")) return this.suggest.hide();
    const entries = available(this.store, this.channelId);
    const read = readLine(entries, typed.slice(1));
    if (read) return this.enterCommand(read.entry, read.values);
    return this.suggestCommands(entries, typed.slice(1));
  }

  suggestCommands(entries, typed) {
    const fitting = matching(entries, typed.trim());
    this.suggest.onChoose = (item) => this.enterCommand(item.value, new Map());
    const items = fitting.map((entry) => ({
      title: [h("b", null, `/${entry.path}`), ...entry.options.slice(0, 6).map((o) => h("span", { class: `param${o.required ? " required" : ""}` }, o.name))],
      detail: entry.description,
      meta: entry.application.display_name,
      lead: avatar(entry.application.display_name, { bot: true, size: 32 }),
      value: entry,
    }));
    const nothing = entries.length ? "No commands match." : "No app here has registered a command yet.";
    this.suggest.show(this.text, { head: items.length ? h("b", null, typed ? `Commands matching /${typed}` : "Commands") : null, items, note: items.length ? null : nothing });
  }

  enterCommand(entry, values) {
    this.text.value = "";
    this.text.hidden = true;
    this.suggest.hide();
    this.form.classList.add("filled");
    this.line = new CommandLine(this.command, {
      entry, values, store: this.store, suggest: this.suggest,
      channelId: () => this.channelId,
      onCancel: (text) => {
        this.leaveCommand();
        this.text.value = text;
        this.text.focus();
      },
      onSend: async (options) => {
        await this.presses.command({ channel: this.channelId, command: entry.path, application: entry.application.name, options, label: entry.path });
        this.line?.dispose();
        this.leaveCommand();
        this.text.focus();
      },
    });
  }

  leaveCommand() {
    this.line = null;
    this.command.hidden = true;
    this.text.hidden = false;
    this.form.classList.remove("filled");
  }

  onKey(event) {
    if (event.isComposing || event.altKey) return;
    const open = this.suggest.open;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) this.suggest.list.move(event.key === "ArrowDown" ? 1 : -1);
    else if (open && (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) && this.suggest.current) this.suggest.onChoose(this.suggest.current);
    else if (event.key === "Escape" && this.suggest.visible) this.suggest.hide();
    else if (event.key === "Escape" && this.tray.about) this.tray.leave();
    else if (event.key === "ArrowUp" && !this.text.value && !this.tray.about && this.ownNewest()) this.edit(this.ownNewest());
    else if (event.key === "Enter" && !event.shiftKey) void this.say();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async say() {
    const content = this.resolveMentions(this.text.value.trim());
    const { about, files } = this.tray;
    if ((!content && !files.length) || !this.channelId) return;
    if (content.length > LONGEST) return this.complain(`Too long: ${content.length} of at most ${LONGEST} characters.`);
    const typed = this.text.value;
    const user = this.store.acting;
    try {
      const sent = files.length ? await this.tray.read() : undefined;
      this.text.value = "";
      this.tray.clear();
      if (this.store.channels.get(this.channelId)?.type === "forum") await this.post(user, content);
      else if (about?.kind === "edit") await api.edit(about.message.id, { user, content });
      else await api.say({ user, channel: this.channelId, content: content || undefined, files: sent, reply_to: about?.message.id, mention: about?.mention });
    } catch (error) {
      Object.assign(this.tray, { about, files });
      this.tray.draw();
      this.text.value = typed;
      if (error instanceof ApiError && error.retryAfter) this.slow.wait(error.retryAfter);
      this.complain(error instanceof ApiError ? error.sentence : String(error));
    }
  }

  /** Posts in a forum: the first line is the title, the rest, or else the title again, the first message. */
  async post(user, content) {
    const [name, ...rest] = content.split("\n");
    const post = await api.startThread({ user, channel: this.channelId, name: name.slice(0, 100), content: rest.join("\n").trim() || name });
    this.store.channels.set(post.id, post);
    this.go(post);
  }

  complain(sentence) {
    this.suggest.show(this.text, { note: sentence, problem: true });
  }

  /** Turns `@ada`, `@helper` and `#news` into Discord's mentions. */
  resolveMentions(text) {
    return text
      .replace(/(^|\s)@([\w-]+)/g, (all, before, name) => {
        const app = this.store.applicationsHere().find((a) => a.name === name);
        const role = this.store.guild?.roles.find((r) => r.name === name);
        const person = this.store.person(name);
        const to = person ? `<@${person.id}>` : app ? `<@${app.bot_id}>` : role ? `<@&${role.id}>` : null;
        return to ? before + to : all;
      })
      .replace(/(^|\s)#([\w-]+)/g, (all, before, name) => {
        const channel = this.store.channelsHere().find((c) => c.name === name);
        return channel ? `${before}<#${channel.id}>` : all;
      });
  }

  /** @param {string[]} names who is typing here */
  showTyping(names) {
    const text = names.length === 0 ? "" : names.length === 1 ? " is typing…" : " are typing…";
    fill(this.typing, names.length ? [h("span", { class: "dots" }, h("i"), h("i"), h("i")), h("b", null, names.join(", ")), text] : null);
  }
}
