/** A list of choices, navigated with the arrow keys while the focus stays in the text field. */

import { fill, h } from "../base/dom.js";

let serial = 0;

/**
 * @typedef {{title: any, detail?: any, meta?: any, lead?: Node, group?: string, selected?: boolean, value: any}} Item
 */
export class Listbox {
  /**
   * @param {{label: string, onChoose: (item: Item) => void, multiple?: boolean}} wiring
   */
  constructor({ label, onChoose, multiple = false }) {
    this.id = `listbox-${++serial}`;
    this.items = /** @type {Item[]} */ ([]);
    this.active = -1;
    this.multiple = multiple;
    this.onChoose = onChoose;
    this.onMove = () => {};
    this.el = h("div", { role: "listbox", id: this.id, class: "listbox", "aria-label": label, "aria-multiselectable": multiple ? "true" : null });
    // The focus must stay in the field that the list belongs to.
    this.el.addEventListener("mousedown", (event) => event.preventDefault());
    this.el.addEventListener("mousemove", (event) => this.point(event));
    this.el.addEventListener("click", (event) => {
      const at = this.indexOf(event);
      if (at !== null) this.onChoose(this.items[at]);
    });
  }

  /** @param {Item[]} items @param {number} active index of the marked item; -1 for none */
  set(items, active = 0) {
    this.items = items;
    let group;
    fill(
      this.el,
      items.map((item, i) => {
        const heading = item.group !== group && item.group ? h("div", { class: "group", role: "presentation" }, item.group) : null;
        group = item.group;
        return [heading, this.option(item, i)];
      }),
    );
    this.mark(items.length ? Math.min(active, items.length - 1) : -1);
  }

  option(item, i) {
    return h(
      "div",
      { role: "option", id: `${this.id}-${i}`, class: "option", "aria-selected": item.selected ? "true" : "false", dataset: { index: i } },
      item.lead ?? null,
      h("span", { class: "option-text" }, h("span", { class: "option-title" }, item.title), item.detail ? h("span", { class: "option-detail" }, item.detail) : null),
      item.meta ? h("span", { class: "option-meta" }, item.meta) : null,
      this.multiple ? h("span", { class: "tick", "aria-hidden": "true" }) : null,
    );
  }

  get current() {
    return this.items[this.active] ?? null;
  }

  /** The id for aria-activedescendant. */
  get activeId() {
    return this.active >= 0 ? `${this.id}-${this.active}` : null;
  }

  move(by) {
    if (!this.items.length) return;
    const from = this.active < 0 && by < 0 ? 0 : this.active;
    this.mark((from + by + this.items.length) % this.items.length);
  }

  mark(index, scroll = true) {
    this.active = index;
    for (const el of this.el.querySelectorAll(".option")) el.classList.toggle("active", Number(el.dataset.index) === index);
    if (scroll) this.el.querySelector(".option.active")?.scrollIntoView({ block: "nearest" });
    this.onMove();
  }

  point(event) {
    const at = this.indexOf(event);
    if (at !== null && at !== this.active) this.mark(at, false);
  }

  indexOf(event) {
    const option = event.target.closest(".option");
    return option ? Number(option.dataset.index) : null;
  }
}
