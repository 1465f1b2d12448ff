/** What is the sandbox's and not Discord's: connected bots, the demo services as their users see them, and faults. */

import { ApiError, api } from "./api.js";
import { $, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { morph } from "./morph.js";

const ASK_EVERY_MS = 1000;
const RATE_OVER = 10;
const KINDS = [
  ["429", "429 too many requests"], ["500_after_apply", "500 after apply"], ["503", "503 unavailable"], ["reset_after_apply", "Reset after apply"],
  ["slow", "Slow REST"], ["gateway_drop", "Gateway drop"], ["op7", "Gateway: reconnect (op 7)"], ["op9", "Gateway: invalid session (op 9)"],
  ["missed_acks", "Gateway: missed heartbeat acks"], ["dead_resume", "Dead resume address"], ["duplicate_delivery", "Duplicate delivery"],
];
const SHADES = ["#5865f2", "#3ba55c", "#f0b232", "#eb459e", "#3a8fb7", "#ed4245"];

export class Drawer {
  /** @param {{store: import("./store.js").Store}} wiring */
  constructor({ store }) {
    this.store = store;
    this.el = $("#drawer");
    this.button = $("#drawer-button");
    this.body = $("#drawer-body");
    this.live = h("div", { class: "drawer-live" });
    this.faults = h("ul", { class: "faults" });
    this.problem = h("p", { class: "field-problem", role: "alert" });
    fill(this.body, this.live, h("h3", null, "Faults"), this.form(), this.problem, this.faults);
    /** service, environment -> what it said last, or null when it could not be reached. */
    this.answers = new Map();
    /** What it counted at each of the last looks. */
    this.past = new Map();
    this.shades = new Map();
    this.button.addEventListener("click", () => this.toggle());
    $("#drawer-close").addEventListener("click", () => this.toggle(false));
    // On the document, since what had the focus may be gone: a fault that was ended takes its button along.
    document.addEventListener("keydown", (event) => {
      const within = this.el.contains(event.target) || event.target === document.body;
      if (event.key !== "Escape" || !this.open || !within) return;
      event.stopImmediatePropagation();
      this.toggle(false);
    }, { capture: true });
  }

  get open() {
    return !this.el.hidden;
  }

  toggle(open = this.el.hidden) {
    this.el.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    clearInterval(this.timer);
    if (!open) {
      this.button.focus();
      return;
    }
    this.draw();
    void this.ask();
    void api.faults().then(({ faults }) => this.showFaults(faults)).catch(() => {});
    this.timer = setInterval(() => this.ask(), ASK_EVERY_MS);
    $("#drawer-close").focus();
  }

  async ask() {
    if (document.hidden || this.asking) return;
    this.asking = true;
    await Promise.all(
      this.store.services.map(async ({ name, environment }) => {
        const answer = await api.service(name, environment).catch(() => null);
        this.keep(`${name} ${environment}`, answer);
      }),
    );
    this.asking = false;
    this.draw();
  }

  keep(key, answer) {
    this.answers.set(key, answer);
    if (!answer) this.past.delete(key);
    else this.past.set(key, [...(this.past.get(key) ?? []), answer.totals ?? {}].slice(-RATE_OVER));
  }

  /** The share of errors among a version's requests in the last seconds; over all time when one just began to look. */
  errorRate(key, version) {
    const all = this.past.get(key) ?? [];
    const now = all.at(-1)?.[version] ?? { ok: 0, error: 0 };
    const then = (all.length > 1 ? all[0][version] : null) ?? { ok: 0, error: 0 };
    const errors = now.error - then.error;
    const total = errors + now.ok - then.ok;
    return total > 0 ? errors / total : 0;
  }

  draw() {
    if (!this.open) return;
    const { store } = this;
    const fresh = h(
      "div",
      { class: "drawer-live" },
      h("h3", null, "Applications"),
      h("ul", null, [...store.applications.values()].map((app) => h("li", { class: "line", dataset: { key: app.id } }, h("span", { class: `light ${app.connected ? "on" : "off"}` }), h("b", { class: "ellipsis" }, app.display_name), h("small", null, app.connected ? `connected · ${app.commands.length} commands` : "not connected")))),
      h("h3", null, "Demo services"),
      store.services.length ? store.services.map((s) => this.service(s)) : h("p", { class: "empty" }, "None is registered. The demo starts some."),
      store.processes.length ? [h("h3", null, "Processes"), h("ul", null, store.processes.map((p) => h("li", { class: "line", dataset: { key: `${p.name} ${p.pid}` } }, h("b", { class: "ellipsis" }, p.name), h("small", null, `pid ${p.pid}`))))] : null,
    );
    this.live = morph(this.live, fresh);
  }

  /** One bar of traffic shares, and a line per version that has any: its share, and its errors in the last ten seconds. */
  service({ name, environment }) {
    const key = `${name} ${environment}`;
    const answer = this.answers.get(key);
    const title = h("div", { class: "service-title" }, h("b", { class: "ellipsis" }, name), " ", h("small", null, environment));
    if (!answer) return h("section", { class: "service", dataset: { key } }, title, h("p", { class: "empty" }, answer === null ? "It cannot be reached." : "Asking…"));
    const shares = Object.entries(answer.shares ?? {}).sort();
    const versions = [...new Set([...shares.map(([v]) => v)])];
    const label = shares.map(([v, s]) => `${v} ${percent(s)}`).join(", ");
    return h(
      "section",
      { class: "service", dataset: { key } },
      title,
      h("div", { class: "share-bar", role: "img", "aria-label": label ? `Traffic: ${label}` : "No traffic" }, shares.map(([v, s]) => h("span", { dataset: { key: v }, style: { "--share": s, "--shade": this.shade(v) } }))),
      h("ul", null, versions.map((v) => this.version(v, answer, this.errorRate(key, v))), versions.length ? null : h("li", { class: "empty" }, "No traffic.")),
    );
  }

  version(version, answer, rate) {
    return h("li", { class: "line", dataset: { key: version } }, h("span", { class: "swatch", style: { "--shade": this.shade(version) } }), h("b", { class: "ellipsis" }, version === "none" ? "no answer" : version), h("small", { class: rate > 0.01 ? "bad" : "" }, `${percent(answer.shares[version])} · ${percent(rate, 1)} errors`));
  }

  shade(version) {
    if (version === "none") return "#80848e";
    if (!this.shades.has(version)) this.shades.set(version, SHADES[this.shades.size % SHADES.length]);
    return this.shades.get(version);
  }

  form() {
    const kind = h("select", { name: "kind", "aria-label": "Kind of fault" }, KINDS.map(([value, label]) => h("option", { value }, label)));
    const route = h("input", { type: "text", name: "route", placeholder: "route, e.g. /channels/*/messages", "aria-label": "Route (all when empty)" });
    const count = h("input", { type: "number", name: "count", min: 1, max: 1000, value: 1, "aria-label": "How many calls it hits" });
    const form = h("form", { class: "fault-form" }, kind, route, h("div", { class: "fault-row" }, count, h("button", { type: "submit", class: "button secondary" }, h("span", { class: "face" }, "Inject"))));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      this.problem.textContent = "";
      const body = { kind: kind.value, count: Number(count.value) };
      if (route.value.trim()) body.route = route.value.trim();
      if (kind.value === "slow") body.delay_ms = 2000;
      try {
        await api.addFault(body);
        this.showFaults((await api.faults()).faults);
      } catch (error) {
        this.problem.textContent = error instanceof ApiError ? error.sentence : String(error);
      }
    });
    return form;
  }

  showFaults(faults) {
    fill(
      this.faults,
      faults.length ? faults.slice(-12).reverse().map((f) => h("li", { class: "line" }, h("span", { class: `light ${f.active ? "busy" : "off"}` }), h("b", { class: "ellipsis", title: f.route ?? "every call" }, f.kind), h("small", null, `${f.hits}${f.count ? ` of ${f.count}` : ""} hits`), h("button", { type: "button", class: "icon-button", "aria-label": `End fault ${f.kind}`, onclick: () => this.endFault(f.id) }, icon("close", 14)))) : h("li", { class: "empty" }, "None. Everything works as it should."),
    );
  }

  async endFault(id) {
    await api.removeFault(id).catch(() => {});
    this.showFaults((await api.faults().catch(() => ({ faults: [] }))).faults);
  }
}

const percent = (share, digits = 0) => `${((share ?? 0) * 100).toFixed(digits)} %`;
