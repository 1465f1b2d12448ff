/** The messages of one channel: follows the store row by row, and sticks to the end. */

import { fill, h } from "../base/dom.js";
import { icon } from "../base/icons.js";
import { introFor } from "./intro.js";
import { messageRow } from "./message.js";
import { morph } from "../base/morph.js";
import { dayOf } from "../base/time.js";

const GROUPED_WITHIN_MS = 7 * 60_000;
const STARTER = 21;
const NEAR_END_PX = 80;
const NEAR_START_PX = 250;

export class Timeline {
  /**
   * @param {HTMLElement} scroller the scrolling element; the list is created inside it
   * @param {{store: import("../state/store.js").Store, presses: import("../state/interactions.js").Interactions,
   *   actions: (action: string, el: HTMLElement, message: any) => void, older: (channelId: string) => Promise<void>,
   *   label: string}} wiring
   */
  constructor(scroller, wiring) {
    this.wiring = wiring;
    this.scroller = scroller;
    this.channelId = null;
    this.rows = new Map();
    this.dirty = new Set();
    this.sticky = true;
    this.newAfter = undefined;
    this.loadingOlder = false;
    this.list = h("ol", { class: "messages" });
    const log = h("div", { role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": wiring.label }, this.list);
    this.intro = h("div", { class: "intro" });
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() }, "Jump to present", icon("arrow", 16));
    scroller.append(this.intro, log);
    scroller.after(this.jump);
    this.listen();
  }

  listen() {
    this.scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
    new ResizeObserver(() => this.sticky && this.toEnd()).observe(this.list);
    new ResizeObserver(() => this.sticky && this.toEnd()).observe(this.scroller);
    this.list.addEventListener("click", (event) => this.onAction(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.wiring.store.on("messages", ({ channelId, id }) => {
      if (channelId === this.channelId) this.invalidate(id);
      // A thread starts with the message it was created from.
      else if (id && id === this.wiring.store.channels.get(this.channelId ?? "")?.message_id) this.invalidate(id);
    });
  }

  /** Shows the end of a channel; `newAfter` is the last message read there before. */
  show(channelId, newAfter) {
    this.channelId = channelId;
    this.newAfter = newAfter;
    this.sticky = true;
    this.rows.clear();
    fill(this.list);
    this.dirty.clear();
    this.draw();
  }

  /** @param {string} [id] the changed message; any may have changed if omitted */
  invalidate(id) {
    this.dirty.add(id ?? "*");
    if (this.scheduled) return;
    this.scheduled = true;
    // Background pages get no animation frames.
    const later = document.hidden ? (f) => setTimeout(f, 50) : requestAnimationFrame;
    later(() => this.draw());
  }

  draw() {
    this.scheduled = false;
    const { store } = this.wiring;
    const history = store.histories.get(this.channelId ?? "");
    this.drawIntro(history);
    if (this.sticky && this.channelId) store.trim(this.channelId);
    const wanted = this.items();
    const keys = new Set(wanted.map((item) => item.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.el.remove();
      this.rows.delete(key);
    }
    let place = this.list.firstElementChild;
    for (const item of wanted) {
      const el = this.place(item, place);
      place = el.nextElementSibling;
    }
    this.dirty.clear();
    this.rove();
    if (this.sticky) this.toEnd();
    else this.offerJump();
  }

  place(item, before) {
    const row = this.rows.get(item.key);
    if (!row) {
      const el = item.render();
      this.list.insertBefore(el, before);
      this.rows.set(item.key, { el, message: item.message, grouped: item.grouped });
      return el;
    }
    if (row.el !== before) this.list.insertBefore(row.el, before);
    const stale = this.dirty.has(item.key) || this.dirty.has(item.message?.id) || this.dirty.has("*") || row.message !== item.message || row.grouped !== item.grouped;
    if (stale && item.message) {
      row.el = morph(row.el, item.render());
      row.message = item.message;
      row.grouped = item.grouped;
    }
    return row.el;
  }

  /** The rows: messages, dividers between days, and one before new messages. */
  items() {
    const { store, presses } = this.wiring;
    const messages = this.channelId ? store.visible(this.channelId) : [];
    const inThread = Boolean(store.channels.get(this.channelId ?? "")?.parent_id);
    const out = [];
    let previous = null;
    let marked = this.newAfter === undefined;
    for (const message of messages) {
      const day = dayOf(Date.parse(message.created));
      const newDay = !previous || dayOf(Date.parse(previous.created)) !== day;
      if (newDay) out.push({ key: `day ${day}`, render: () => divider(day, "day") });
      const isNew = !marked && (message.id.length > this.newAfter.length || (message.id.length === this.newAfter.length && message.id > this.newAfter));
      if (isNew) {
        marked = true;
        if (previous) out.push({ key: "new", render: () => divider("New", "new") });
      }
      const grouped = !newDay && !isNew && belongsTo(message, previous);
      const shown = (message.type === STARTER && store.findMessage(message.reference?.message_id)) || message;
      out.push({ key: message.id, message: shown, grouped, render: () => messageRow(message, { store, presses, grouped, inThread }) });
      previous = message;
    }
    return out;
  }

  drawIntro(history) {
    const channel = this.wiring.store.channels.get(this.channelId ?? "");
    const state = !channel ? "none" : history?.error ? `error ${history.error}` : !history || (!history.complete && history.messages.size === 0) ? "loading" : history.complete ? `start ${channel.id} ${channel.name}` : "more";
    const posts = channel?.type === "forum" ? this.wiring.store.threadsOf(channel.id).map((p) => `${p.id} ${p.name} ${p.tags}`).join() : "";
    if (this.introState === state + posts) return;
    this.introState = state + posts;
    fill(this.intro, introFor(state, channel, history, this.wiring.store));
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.sticky = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.offerJump();
    if (scrollTop < NEAR_START_PX) void this.loadOlder();
  }

  /** Offers the way back once the end is out of sight. */
  offerJump() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.jump.hidden = scrollHeight - scrollTop - clientHeight < clientHeight / 2;
  }

  async loadOlder() {
    const history = this.wiring.store.histories.get(this.channelId ?? "");
    if (!history || history.complete || history.error || this.loadingOlder || history.messages.size === 0) return;
    this.loadingOlder = true;
    await this.wiring.older(this.channelId ?? "").finally(() => (this.loadingOlder = false));
  }

  toEnd() {
    this.sticky = true;
    this.jump.hidden = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Scrolls to a message and highlights it for a moment; false if it is not loaded. */
  reveal(id) {
    const el = this.rows.get(id)?.el;
    if (!el) return false;
    el.scrollIntoView({ block: "center" });
    el.focus({ preventScroll: true });
    el.classList.add("lit");
    setTimeout(() => el.classList.remove("lit"), 1800);
    return true;
  }

  onAction(event) {
    const el = event.target.closest("[data-action]");
    const id = el?.closest("li.message")?.dataset.id;
    if (!el || !id || el.disabled || el.getAttribute("aria-disabled") === "true") return;
    const message = this.wiring.store.findMessage(id);
    if (message) this.wiring.actions(el.dataset.action, el, message);
  }

  /** Up and Down move between messages; Enter and Space reveal a spoiler. */
  onKey(event) {
    const target = event.target;
    if (target.classList.contains("spoiler") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      target.click();
    }
    if (!target.classList.contains("message") || event.altKey) return;
    const all = [...this.list.querySelectorAll("li.message")];
    const at = all.indexOf(target);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all[to]) return;
    event.preventDefault();
    this.roving = all[to].dataset.id;
    this.rove();
    all[to].focus();
  }

  /** Keeps one message in the tab order: the one last moved to, else the newest. */
  rove() {
    const all = [...this.list.querySelectorAll("li.message")];
    const chosen = all.find((el) => el.dataset.id === this.roving) ?? all.at(-1);
    for (const el of all) el.tabIndex = el === chosen ? 0 : -1;
  }
}

function belongsTo(message, previous) {
  return (
    previous && previous.author_id === message.author_id && previous.type === 0 && message.type === 0 && !message.interaction &&
    !message.reference && !previous.thread && Boolean(previous.ephemeral) === Boolean(message.ephemeral) &&
    Date.parse(message.created) - Date.parse(previous.created) < GROUPED_WITHIN_MS
  );
}

const divider = (label, kind) => h("li", { class: `divider ${kind}`, role: "separator", "aria-label": label }, h("span", null, label));
