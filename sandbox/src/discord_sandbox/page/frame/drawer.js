/** The panel of what is the sandbox's and not Discord's: connected bots, registered services, processes, faults. */

import { $, fill, h } from "../base/dom.js";
import { morph } from "../base/morph.js";
import { toast } from "../overlays/toasts.js";
import { ApiError } from "../state/api.js";
import { Faults } from "./faults.js";
import { Services } from "./services.js";

const ASK_EVERY_MS = 1000;

export class Drawer {
  /** @param {{store: import("../state/store.js").Store}} wiring */
  constructor({ store }) {
    this.store = store;
    this.services = new Services(store);
    this.faults = new Faults();
    this.el = $("#drawer");
    this.button = $("#drawer-button");
    this.live = h("div", { class: "drawer-live" });
    fill($("#drawer-body"), this.live, this.faults.nodes);
    this.button.addEventListener("click", () => this.toggle());
    $("#drawer-body").addEventListener("click", (event) => {
      const button = event.target.closest("[data-breaker]");
      if (button) void this.services.toggle(button).catch((error) => toast({ title: "Service not changed", text: error instanceof ApiError ? error.sentence : String(error) })).finally(() => this.draw());
    });
    $("#drawer-close").addEventListener("click", () => this.toggle(false));
    // On the document: ending a fault removes the button that had the focus.
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
    void this.faults.read().catch(() => {});
    this.timer = setInterval(() => this.ask(), ASK_EVERY_MS);
    $("#drawer-close").focus();
  }

  async ask() {
    if (document.hidden || this.asking) return;
    this.asking = true;
    await this.services.ask();
    this.asking = false;
    this.draw();
  }

  draw() {
    if (!this.open) return;
    const { applications, processes } = this.store;
    const fresh = h(
      "div",
      { class: "drawer-live" },
      h("h3", null, "Applications"),
      h("ul", null, [...applications.values()].map(application)),
      this.services.render(),
      processes.length ? [h("h3", null, "Processes"), h("ul", null, processes.map(process))] : null,
    );
    this.live = morph(this.live, fresh);
  }
}

function application(app) {
  const commands = `${app.commands.length} ${app.commands.length === 1 ? "command" : "commands"}`;
  return h(
    "li",
    { class: "line", dataset: { key: app.id } },
    h("span", { class: `light ${app.connected ? "on" : "off"}` }),
    h("b", { class: "ellipsis", title: app.display_name }, app.display_name),
    h("small", null, app.connected ? `connected · ${commands}` : "not connected"),
  );
}

const process = ({ name, pid }) => h("li", { class: "line", dataset: { key: `${name} ${pid}` } }, h("b", { class: "ellipsis", title: name }, name), h("small", null, `pid ${pid}`));
