/** What goes along with the text in the composer: files, and the message that it answers or changes. */

import { h } from "../base/dom.js";
import { LARGEST, TOO_LARGE, sent, size } from "../base/files.js";
import { icon } from "../base/icons.js";
import { refill } from "../base/morph.js";

const MOST = 10;

export class Tray {
  /** @param {{onChange: () => void, onProblem: (sentence: string) => void}} wiring */
  constructor({ onChange, onProblem }) {
    this.onChange = onChange;
    this.onProblem = onProblem;
    /** @type {File[]} */ this.files = [];
    /** @type {?{kind: "reply"|"edit", message: any, mention: boolean}} */ this.about = null;
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-hidden": "true", tabindex: -1 });
    this.picker.addEventListener("change", () => {
      this.add([...this.picker.files]);
      this.picker.value = "";
    });
    this.el = h("div", { class: "tray", hidden: true });
    this.el.addEventListener("click", (event) => this.onClick(event));
  }

  get empty() {
    return !this.files.length && !this.about;
  }

  /** @param {File[]} files */
  add(files) {
    const fitting = files.filter((f) => f.size <= LARGEST);
    if (fitting.length < files.length) this.onProblem(TOO_LARGE);
    else if (this.files.length + fitting.length > MOST) this.onProblem(`At most ${MOST} files can be sent at once.`);
    this.files = [...this.files, ...fitting].slice(0, MOST);
    this.draw();
  }

  /** @param {"reply"|"edit"} kind */
  begin(kind, message) {
    this.about = { kind, message, mention: true };
    this.draw();
  }

  clear() {
    this.files = [];
    this.about = null;
    this.draw();
  }

  /** Leaves the reply or edit; the files stay. */
  leave() {
    this.about = null;
    this.draw();
  }

  onClick(event) {
    const action = event.target.closest("[data-tray]")?.dataset.tray;
    if (action === "leave") this.leave();
    else if (action === "mention" && this.about) this.about.mention = !this.about.mention;
    else if (action?.startsWith("file ")) this.files.splice(Number(action.slice(5)), 1);
    if (action) this.draw();
  }

  draw() {
    this.el.hidden = this.empty;
    refill(this.el, this.about ? this.line(this.about) : null, this.files.length ? h("ul", { class: "tray-files" }, this.files.map((file, index) => this.file(file, index))) : null);
    this.onChange();
  }

  line({ kind, message, mention }) {
    const whom = kind === "reply" ? ["Replying to ", h("b", null, message.author_name)] : ["Editing your message"];
    return h(
      "div",
      { class: "tray-line" },
      h("span", { class: "ellipsis" }, whom),
      kind === "reply" ? h("button", { type: "button", class: "tray-mention", "aria-pressed": String(mention), title: mention ? "The author is notified" : "The author is not notified", dataset: { tray: "mention" } }, `@ ${mention ? "on" : "off"}`) : null,
      h("button", { type: "button", class: "icon-button", "aria-label": kind === "reply" ? "Do not reply" : "Do not edit", dataset: { tray: "leave" } }, icon("close", 16)),
    );
  }

  file(file, index) {
    return h(
      "li",
      { class: "tray-file" },
      icon("file", 18),
      h("span", { class: "ellipsis" }, file.name),
      h("small", null, size(file.size)),
      h("button", { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, dataset: { tray: `file ${index}` } }, icon("close", 16)),
    );
  }

  /** @returns {Promise<import("../base/files.js").Sent[]>} */
  read() {
    return Promise.all(this.files.map(sent));
  }
}
