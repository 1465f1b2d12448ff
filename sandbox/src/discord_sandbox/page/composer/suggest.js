/** The panel above the composer: suggestions, an option's description, problems. */

import { fill, h } from "../base/dom.js";
import { Listbox } from "../overlays/listbox.js";

export class Suggest {
  /** @param {HTMLElement} host the parent of the panel @param {string} label */
  constructor(host, label) {
    this.onChoose = (_item) => {};
    this.list = new Listbox({ label, onChoose: (item) => this.onChoose(item) });
    this.head = h("div", { class: "suggest-head" });
    this.note = h("div", { class: "suggest-note" });
    this.el = h("div", { class: "suggest", hidden: true }, this.head, this.list.el, this.note);
    this.field = null;
    this.list.onMove = () => this.announce();
    host.prepend(this.el);
  }

  /**
   * @param {HTMLElement} field the text field @param {{head?: any, items?: import("../overlays/listbox.js").Item[], active?: number,
   *   note?: any, problem?: boolean}} what
   */
  show(field, { head = null, items = [], active = 0, note = null, problem = false }) {
    this.field = field;
    fill(this.head, head);
    this.head.hidden = !head;
    fill(this.note, note);
    this.note.hidden = !note;
    this.note.classList.toggle("problem", problem);
    this.list.el.hidden = items.length === 0;
    this.el.hidden = !head && !note && items.length === 0;
    this.list.set(items, active);
  }

  hide() {
    this.el.hidden = true;
    this.list.set([]);
    this.announce();
  }

  /** Whether there are suggestions. */
  get open() {
    return !this.el.hidden && this.list.items.length > 0;
  }

  get visible() {
    return !this.el.hidden;
  }

  get current() {
    return this.open ? this.list.current : null;
  }

  announce() {
    if (!this.field) return;
    this.field.setAttribute("aria-expanded", String(this.open));
    if (this.open && this.list.activeId) this.field.setAttribute("aria-activedescendant", this.list.activeId);
    else this.field.removeAttribute("aria-activedescendant");
  }
}
