/** The form that injects faults, and the list of those injected. */

import { fill, h } from "../base/dom.js";
import { icon } from "../base/icons.js";
import { ApiError, api } from "../state/api.js";

const SHOWN = 12;
const SLOW_MS = 2000;
const KINDS = [
  ["429", "429 too many requests"], ["500_after_apply", "500 after apply"], ["503", "503 unavailable"], ["reset_after_apply", "Reset after apply"],
  ["slow", "Slow REST"], ["gateway_drop", "Gateway drop"], ["op7", "Gateway: reconnect (op 7)"], ["op9", "Gateway: invalid session (op 9)"],
  ["missed_acks", "Gateway: missed heartbeat acks"], ["dead_resume", "Dead resume address"], ["duplicate_delivery", "Duplicate delivery"],
];

export class Faults {
  constructor() {
    this.list = h("ul", { class: "faults" });
    this.problem = h("p", { class: "field-problem", role: "alert" });
    this.nodes = [h("h3", null, "Faults"), this.form(), this.problem, this.list];
  }

  form() {
    const kind = h("select", { name: "kind", "aria-label": "Kind of fault" }, KINDS.map(([value, label]) => h("option", { value }, label)));
    const route = h("input", { type: "text", name: "route", placeholder: "Route, e.g. /channels/*/messages", "aria-label": "Route (empty for all)" });
    const count = h("input", { type: "number", name: "count", min: 1, max: 1000, value: 1, "aria-label": "Number of calls to hit" });
    const inject = h("button", { type: "submit", class: "button secondary" }, h("span", { class: "face" }, "Inject"));
    const form = h("form", { class: "fault-form" }, kind, route, h("div", { class: "fault-row" }, count, inject));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.inject(kind.value, Number(count.value), route.value.trim());
    });
    return form;
  }

  async inject(kind, count, route) {
    this.problem.textContent = "";
    try {
      await api.addFault({ kind, count, ...(route ? { route } : {}), ...(kind === "slow" ? { delay_ms: SLOW_MS } : {}) });
      await this.read();
    } catch (error) {
      this.problem.textContent = error instanceof ApiError ? error.sentence : String(error);
    }
  }

  async read() {
    this.show((await api.faults()).faults);
  }

  /** @param {import("../base/types.js").Fault[]} faults */
  show(faults) {
    const newest = faults.slice(-SHOWN).reverse();
    fill(this.list, newest.length ? newest.map((fault) => this.line(fault)) : h("li", { class: "empty" }, "No faults injected."));
  }

  line(fault) {
    const where = [fault.method, fault.route].filter(Boolean).join(" ");
    return h(
      "li",
      { class: "line" },
      h("span", { class: `light ${fault.active ? "busy" : "off"}` }),
      h("span", { class: "fault-name" }, h("b", { class: "ellipsis" }, fault.kind), where ? h("small", { class: "ellipsis", title: where }, where) : null),
      h("small", null, `${fault.hits}${fault.count ? ` of ${fault.count}` : ""} hits`),
      h("button", { type: "button", class: "icon-button", "aria-label": `End fault ${fault.kind}`, onclick: () => this.end(fault.id) }, icon("close", 14)),
    );
  }

  async end(id) {
    await api.removeFault(id).catch(() => {});
    await this.read().catch(() => this.show([]));
  }
}
