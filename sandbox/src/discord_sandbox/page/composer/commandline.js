/** A slash command being filled in: one field per option, required ones first, optional ones on demand. */

import { ApiError } from "../state/api.js";
import { fill, h } from "../base/dom.js";
import { takeFile } from "./filefield.js";
import { OptionSuggestions } from "./optionsuggestions.js";
import { KIND, check, clearProblem, isClosed } from "./optionvalues.js";

/** @typedef {{option: import("../base/types.js").Option, el: HTMLElement, input: HTMLInputElement, text: string, value: any,
 *   chosen: boolean, problem: string | null}} Field */

export class CommandLine {
  /**
   * @param {HTMLElement} host @param {{entry: import("./commands.js").Entry, values: Map<string, string>,
   *   store: import("../state/store.js").Store, suggest: import("./suggest.js").Suggest, channelId: () => string,
   *   onCancel: (text: string) => void, onSend: (options: Object) => Promise<void>}} wiring
   */
  constructor(host, wiring) {
    Object.assign(this, wiring);
    this.host = host;
    this.asked = new OptionSuggestions(wiring);
    /** @type {Map<string, Field>} */ this.fields = new Map();
    this.tail = this.makeInput("", `More options of /${this.entry.path}`);
    this.tail.className = "tail";
    this.bindTail();
    this.optionsEl = h("span", { class: "options" });
    fill(host, h("span", { class: "command-token" }, `/${this.entry.path}`), this.optionsEl, this.tail);
    host.hidden = false;
    for (const option of this.entry.options) if (option.required || this.values.has(option.name)) this.add(option);
    this.focusNext();
  }

  get remaining() {
    return this.entry.options.filter((o) => !this.fields.has(o.name));
  }

  makeInput(text, label) {
    return h("input", { type: "text", value: text, "aria-label": label, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.suggest.list.id, autocomplete: "off", spellcheck: "false", size: Math.max(1, text.length) });
  }

  add(option) {
    const isFile = option.type === KIND.ATTACHMENT;
    const text = isFile ? "" : this.values.get(option.name) ?? "";
    const input = this.makeInput(text, `${option.name}: ${option.description}${option.required ? " (required)" : ""}`);
    if (option.required) input.setAttribute("aria-required", "true");
    const el = h("label", { class: "opt", dataset: { option: option.name } }, h("span", { class: "opt-name" }, option.name), input);
    const field = { option, el, input, text, value: null, chosen: false, problem: null };
    this.fields.set(option.name, field);
    this.optionsEl.append(el);
    input.addEventListener("input", () => this.onInput(field));
    input.addEventListener("focus", () => this.onFocus(field));
    input.addEventListener("blur", () => el.classList.remove("focused"));
    input.addEventListener("keydown", (event) => this.onKey(event, field));
    if (isFile) takeFile(field, { onTaken: () => this.focusNext(field), onProblem: (problem) => this.invalid(field, problem) });
    this.showCount();
    return field;
  }

  showCount() {
    const n = this.remaining.length;
    this.tail.placeholder = n ? `+${n} optional` : "";
    this.tail.size = Math.max(2, this.tail.placeholder.length);
  }

  onInput(field) {
    field.text = field.input.value;
    field.chosen = false;
    field.input.size = Math.max(1, field.text.length);
    clearProblem(field);
    this.suggestFor(field);
  }

  onFocus(field) {
    field.el.classList.add("focused");
    this.suggestFor(field);
  }

  suggestFor(field) {
    this.enterWaits = false;
    this.suggest.onChoose = (item) => this.choose(field, item);
    this.asked.show(field, () => this.others(field), () => this.enterWaits && this.settleEnter(field));
  }

  /** The values of the other fields but files, for the bot's autocomplete. */
  others(field) {
    const out = {};
    for (const other of this.fields.values()) {
      if (other === field || !other.text.trim() || other.option.type === KIND.ATTACHMENT) continue;
      const result = check(other.option, other, this.store);
      if ("value" in result) out[other.option.name] = result.value;
    }
    return out;
  }

  choose(field, item) {
    field.text = String(item.title);
    field.value = item.value;
    field.chosen = true;
    field.input.value = field.text;
    field.input.size = Math.max(1, field.text.length);
    clearProblem(field);
    this.focusNext(field);
  }

  /** Focuses the next empty field, else the field for more options. */
  focusNext(after) {
    const empty = [...this.fields.values()].find((f) => f !== after && !f.text.trim());
    (empty?.input ?? this.tail).focus();
  }

  /** @param {KeyboardEvent} event @param {Field} field */
  onKey(event, field) {
    const all = [...this.fields.values()];
    const at = all.indexOf(field);
    const { input } = field;
    const atStart = input.selectionStart === 0 && input.selectionEnd === 0;
    const atEnd = input.selectionStart === field.text.length;
    if (event.isComposing || event.altKey) return;
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && this.suggest.open) this.suggest.list.move(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" || (event.key === "Tab" && !event.shiftKey)) this.accept(field, event.key);
    else if (event.key === "Escape") this.escape();
    else if (event.key === "Backspace" && !field.text) this.removeOrLeave(field, all[at - 1]);
    else if (event.key === "ArrowLeft" && atStart && at > 0) all[at - 1].input.focus();
    else if (event.key === "ArrowRight" && atEnd) (all[at + 1]?.input ?? this.tail).focus();
    else return;
    event.preventDefault();
  }

  /** Enter and Tab take the marked suggestion; without one, Tab moves on and Enter sends if nothing is missing. */
  accept(field, key) {
    if (this.asked.loading && !field.chosen) {
      this.enterWaits = key;
      return;
    }
    const marked = field.chosen ? null : this.suggest.current;
    const typedFreely = field.text.trim() !== "" && !isClosed(field.option) && !marked;
    if (marked && (field.text.trim() || key === "Enter" || field.option.required)) this.choose(field, marked);
    else if (key === "Tab") this.focusNext(field);
    else if (typedFreely || field.chosen) this.missing().length ? this.focusNext(field) : void this.send();
    else this.invalid(field, check(field.option, field, this.store).problem ?? "Enter a valid value.");
  }

  /** Applies the Enter that was pressed before the bot answered. */
  settleEnter(field) {
    const key = this.enterWaits;
    this.enterWaits = false;
    this.accept(field, key);
  }

  missing() {
    return [...this.fields.values()].filter((f) => f.option.required && !f.text.trim());
  }

  removeOrLeave(field, previous) {
    if (!field.option.required) {
      this.fields.delete(field.option.name);
      field.el.remove();
      this.showCount();
    }
    if (previous) previous.input.focus();
    else if (field.option.required) this.cancel(`/${this.entry.path}`);
    else this.focusNext();
  }

  escape() {
    if (this.suggest.open) this.suggest.hide();
    else this.cancel("");
  }

  bindTail() {
    const suggestOptions = (marked = -1) => {
      this.asked.cancel();
      this.suggest.onChoose = (item) => this.addOptional(item.value);
      const query = this.tail.value.trim().replace(/:$/, "").toLowerCase();
      const items = this.remaining.filter((o) => o.name.includes(query)).map((o) => ({ title: o.name, detail: o.description, value: o }));
      this.suggest.show(this.tail, { head: this.remaining.length ? h("b", null, "Options") : null, items, active: query ? 0 : marked });
    };
    this.tail.addEventListener("focus", () => suggestOptions());
    this.tail.addEventListener("input", () => {
      this.tail.size = Math.max(2, this.tail.value.length, this.tail.placeholder.length);
      suggestOptions();
    });
    this.tail.addEventListener("keydown", (event) => this.onTailKey(event));
  }

  onTailKey(event) {
    if (event.isComposing || event.altKey) return;
    const last = [...this.fields.values()].at(-1);
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && this.suggest.open) this.suggest.list.move(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Enter" && this.suggest.current) this.addOptional(this.suggest.current.value);
    else if (event.key === "Enter") void this.send();
    else if (event.key === "Tab" && !event.shiftKey && this.suggest.current) this.addOptional(this.suggest.current.value);
    else if (event.key === "Escape") this.escape();
    else if (event.key === "Backspace" && !this.tail.value && last) last.input.focus();
    else if (event.key === "Backspace" && !this.tail.value) this.cancel(`/${this.entry.path}`);
    else if (event.key === "ArrowLeft" && this.tail.selectionStart === 0 && last) last.input.focus();
    else return;
    event.preventDefault();
  }

  addOptional(option) {
    this.tail.value = "";
    this.add(option).input.focus();
  }

  invalid(field, problem) {
    field.problem = problem;
    field.el.classList.add("invalid");
    field.input.setAttribute("aria-invalid", "true");
    field.input.focus();
    this.asked.panel(field, { head: this.asked.head, items: this.suggest.list.items, active: this.suggest.list.active });
  }

  async send() {
    if (this.sending) return;
    const options = {};
    for (const field of this.fields.values()) {
      if (!field.option.required && !field.text.trim()) continue;
      const result = check(field.option, field, this.store);
      if ("problem" in result) return this.invalid(field, result.problem);
      options[field.option.name] = result.value;
    }
    this.sending = true;
    try {
      await this.onSend(options);
    } catch (error) {
      this.suggest.show(this.tail, { note: error instanceof ApiError ? error.sentence : String(error), problem: true });
    } finally {
      this.sending = false;
    }
    return undefined;
  }

  cancel(text) {
    this.dispose();
    this.onCancel(text);
  }

  dispose() {
    this.asked.cancel();
    this.suggest.hide();
    this.host.hidden = true;
    fill(this.host);
  }
}
