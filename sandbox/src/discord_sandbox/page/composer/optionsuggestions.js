/** Suggestions for an option: its description, its choices, or the bot's autocomplete. */

import { ApiError } from "../state/api.js";
import { h } from "../base/dom.js";
import { localSuggestions, remoteSuggestions } from "./optionvalues.js";

const ASK_AFTER_MS = 120;
const NOTHING = "No options match your search.";

export class OptionSuggestions {
  /**
   * @param {{store: import("../state/store.js").Store, suggest: import("./suggest.js").Suggest, channelId: () => string,
   *   entry: import("./commands.js").Entry}} wiring
   */
  constructor({ store, suggest, channelId, entry }) {
    Object.assign(this, { store, suggest, channelId, entry });
    /** Whether the bot has yet to answer. */
    this.loading = false;
    this.head = null;
  }

  /**
   * @param {import("./commandline.js").Field} field
   * @param {() => Object} others the values of the other fields
   * @param {() => void} settled called when the bot has answered, unless something else is shown by then
   */
  show(field, others, settled) {
    const { option } = field;
    this.cancel();
    const head = h("span", null, h("b", null, option.name), " ", option.description, option.required ? null : h("i", null, "optional"));
    this.head = head;
    if (field.chosen) return this.panel(field, { head });
    const items = localSuggestions(option, field.text, this.store);
    if (items) return this.panel(field, { head, items, note: items.length ? null : NOTHING });
    if (!option.autocomplete) return this.panel(field, { head });
    if (!this.suggest.open || this.suggest.field !== field.input) this.panel(field, { head, note: "Loading options…" });
    this.loading = true;
    this.timer = setTimeout(() => this.ask(field, others(), settled), ASK_AFTER_MS);
    return undefined;
  }

  /** Shows what is known of a field. What is wrong with it stays to be read, whenever suggestions come. */
  panel(field, what) {
    this.suggest.show(field.input, field.problem ? { ...what, note: field.problem, problem: true } : what);
  }

  cancel() {
    this.abort?.abort();
    clearTimeout(this.timer);
    this.loading = false;
  }

  async ask(field, options, settled) {
    const { signal } = (this.abort = new AbortController());
    const { head } = this;
    const body = {
      user: this.store.acting, channel: this.channelId(), application: this.entry.application.name, command: this.entry.path,
      option: field.option.name, value: field.text, options,
    };
    try {
      const items = await remoteSuggestions(body, signal);
      if (signal.aborted) return;
      this.loading = false;
      this.panel(field, { head, items, note: items.length ? null : NOTHING });
      settled();
    } catch (error) {
      if (signal.aborted) return;
      this.loading = false;
      const why = error instanceof ApiError && error.status === 0 ? error.sentence : "Loading options failed.";
      this.panel(field, { head, note: why, problem: true });
    }
  }
}
