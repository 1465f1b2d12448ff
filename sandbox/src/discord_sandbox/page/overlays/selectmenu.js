/** The menu of a select component: one or several values, with a search field if there are many. */

import { h } from "../base/dom.js";
import { emoji } from "../messages/components.js";
import { avatar } from "../base/icons.js";
import { Listbox } from "./listbox.js";

const SEARCH_FROM = 9;
let open = null;

/**
 * @param {HTMLElement} anchor the button that was pressed
 * @param {{label: string, value: string, description?: ?string, emoji?: any, default?: boolean, kind?: string}[]} options
 * @param {{min: number, max: number, label: string, chosen?: ?string[]}} limits `chosen`: values chosen before
 * @returns {Promise<?{values: string[], labels: string[]}>} null when it was closed without a choice
 */
export function chooseFrom(anchor, options, limits) {
  open?.close(null);
  return new Promise((resolve) => (open = new SelectMenu(anchor, options, limits, resolve)));
}

class SelectMenu {
  constructor(anchor, options, limits, resolve) {
    Object.assign(this, { anchor, options, limits, resolve });
    this.several = limits.max > 1;
    const before = limits.chosen ?? options.filter((o) => o.default).map((o) => o.value);
    this.chosen = new Set(before);
    this.before = [...before].sort().join("\n");
    this.list = new Listbox({ label: limits.label, multiple: this.several, onChoose: (item) => this.pick(item.value) });
    this.field = options.length >= SEARCH_FROM || options.some((o) => o.kind) ? h("input", { type: "text", class: "menu-search", placeholder: "Search", "aria-label": `Search ${limits.label}`, role: "combobox", "aria-controls": this.list.id, "aria-expanded": "true", autocomplete: "off" }) : null;
    this.el = h("div", { class: "menu" }, this.field, this.list.el, h("div", { class: "menu-note", "aria-live": "polite" }));
    this.focusable = this.field ?? this.list.el;
    if (!this.field) this.list.el.tabIndex = 0;
    this.list.onMove = () => this.focusable.setAttribute("aria-activedescendant", this.list.activeId ?? "");
    this.show();
  }

  show() {
    (this.anchor.closest("dialog") ?? document.body).append(this.el);
    this.anchor.setAttribute("aria-expanded", "true");
    this.draw();
    this.position();
    this.focusable.focus();
    this.el.addEventListener("keydown", (event) => this.onKey(event));
    this.field?.addEventListener("input", () => this.draw());
    this.outside = (event) => {
      if (!this.el.contains(event.target)) {
        // Pressing the anchor closes the menu, and must not open it again.
        if (this.anchor.contains(event.target)) event.preventDefault();
        this.done();
      }
    };
    setTimeout(() => document.addEventListener("pointerdown", this.outside, true));
    this.away = () => this.close(null);
    addEventListener("resize", this.away);
  }

  position() {
    const at = this.anchor.getBoundingClientRect();
    const below = innerHeight - at.bottom;
    const width = Math.min(Math.max(at.width, 220), innerWidth - 16);
    this.el.style.setProperty("width", `${width}px`);
    this.el.style.setProperty("left", `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`);
    const height = this.el.offsetHeight;
    const top = below < height + 8 && at.top > below ? at.top - height - 4 : at.bottom + 4;
    this.el.style.setProperty("top", `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`);
  }

  draw() {
    const query = this.field?.value.trim().toLowerCase() ?? "";
    const shown = this.options.filter((o) => `${o.label} ${o.description ?? ""}`.toLowerCase().includes(query));
    const active = Math.max(0, query ? 0 : shown.findIndex((o) => this.chosen.has(o.value)));
    this.list.set(shown.map((o) => this.item(o)), this.list.active > 0 && !query ? this.list.active : active);
    this.note(shown.length ? (this.several ? this.counted() : "") : "No options match your search.");
  }

  counted() {
    const { min, max } = this.limits;
    const range = min === max ? `${min}` : min > 0 ? `${min} to ${max}` : `up to ${max}`;
    return `${this.chosen.size} chosen of ${range}`;
  }

  note(text) {
    const el = this.el.querySelector(".menu-note");
    el.textContent = text;
    el.hidden = !text;
  }

  item(option) {
    const person = option.kind === "person" || option.kind === "bot";
    const lead = person ? avatar(option.label, { bot: option.kind === "bot", size: 24 }) : option.emoji ? emoji(option.emoji) : undefined;
    return { title: option.label, detail: option.description, lead, selected: this.chosen.has(option.value), value: option.value };
  }

  pick(value) {
    if (!this.several) {
      this.chosen = new Set([value]);
      this.close(this.result());
      return;
    }
    if (this.chosen.has(value)) this.chosen.delete(value);
    else if (this.chosen.size < this.limits.max) this.chosen.add(value);
    this.draw();
  }

  onKey(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) this.list.move(moves[event.key]);
    else if (event.key === "Escape") this.done(false);
    else if (event.key === "Tab") this.done();
    else if (event.key === "Enter" || (event.key === " " && !this.field)) {
      if (this.list.current) this.pick(this.list.current.value);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  result() {
    const picked = this.options.filter((o) => this.chosen.has(o.value));
    return { values: picked.map((o) => o.value), labels: picked.map((o) => o.label) };
  }

  /** Sends a choice of several on leaving, if it changed and there are enough. */
  done(keep = true) {
    const changed = [...this.chosen].sort().join("\n") !== this.before;
    this.close(keep && this.several && changed && this.chosen.size >= this.limits.min ? this.result() : null);
  }

  close(result) {
    if (open === this) open = null;
    document.removeEventListener("pointerdown", this.outside, true);
    removeEventListener("resize", this.away);
    this.el.remove();
    this.anchor.setAttribute("aria-expanded", "false");
    if (this.anchor.isConnected) this.anchor.focus();
    this.resolve(result);
  }
}
