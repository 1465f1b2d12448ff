/** The acting person and its menu, and the list of members by role. */

import { $, h, hex } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";
import { refill } from "../base/morph.js";
import { now } from "../base/time.js";
import { toast } from "../overlays/toasts.js";
import { ApiError, api } from "../state/api.js";

/** The person's highest role in a guild. */
function topRole(person, guild) {
  return guild.roles.filter((r) => person.roles.includes(r.name)).sort((a, b) => b.position - a.position)[0] ?? null;
}

export class People {
  /** @param {{store: import("../state/store.js").Store, unread: import("../state/unread.js").Unread, actAs: (name: string) => void}} wiring */
  constructor({ store, unread, actAs }) {
    Object.assign(this, { store, unread, actAs });
    this.button = $("#acting");
    this.menu = $("#acting-menu");
    this.panel = $("#members");
    this.button.addEventListener("click", () => this.toggle());
    this.button.addEventListener("keydown", (event) => {
      if (!["ArrowUp", "ArrowDown"].includes(event.key)) return;
      event.preventDefault();
      this.open();
    });
    this.menu.addEventListener("click", (event) => this.onChoice(event));
    this.panel.addEventListener("click", (event) => this.onChoice(event));
    this.menu.addEventListener("keydown", (event) => this.onKey(event));
    this.menu.addEventListener("focusout", (event) => {
      if (!this.menu.contains(event.relatedTarget) && event.relatedTarget !== this.button) this.close(false);
    });
  }

  draw() {
    const { store } = this;
    const me = store.me;
    refill(
      this.button,
      avatar(me?.display_name ?? "?", { size: 32 }),
      h("span", { class: "acting-text" }, h("b", { class: "ellipsis" }, me?.display_name ?? "No person"), h("small", { class: "ellipsis" }, me ? me.roles.join(", ") || "no role" : "choose a person")),
      icon("chevron", 18),
    );
    this.button.setAttribute("aria-label", `Acting as ${me?.display_name ?? "no person"}. Switch person`);
    const others = store.peopleHere().some((p) => p.name !== store.acting && this.unread.callsOf(p.name, p.guild_id));
    this.button.classList.toggle("calls", others);
    this.button.title = others ? "Another person was mentioned or written to" : "";
    if (!this.menu.hidden) this.drawMenu();
    this.drawMembers();
  }

  drawMenu() {
    const { store } = this;
    refill(
      this.menu,
      h("div", { class: "menu-title", role: "presentation" }, "Act as"),
      store.peopleHere().map((person) => {
        const calls = this.unread.callsOf(person.name, person.guild_id);
        const mine = person.name === store.acting;
        return h(
          "button",
          { type: "button", role: "menuitemradio", "aria-checked": String(mine), tabindex: -1, dataset: { key: person.id, person: person.name } },
          avatar(person.display_name, { size: 32 }),
          h("span", { class: "acting-text" }, h("b", { class: "ellipsis" }, person.display_name), h("small", null, rolePills(person, store.guild))),
          calls && !mine ? h("span", { class: "badge", title: "Mentions and direct messages", "aria-label": `${calls} unread` }, calls) : null,
          mine ? icon("check", 18) : null,
        );
      }),
      store.me ? this.acceptance(store.me) : null,
    );
  }

  /** The switch in a person's privacy settings that lets bots write to them. */
  acceptance(me) {
    return h(
      "button",
      { type: "button", class: "acceptance", role: "menuitemcheckbox", "aria-checked": String(me.accepts_messages), tabindex: -1, dataset: { key: "accepts", accepts: String(!me.accepts_messages) } },
      h("span", { class: "acting-text" }, h("span", null, "Direct messages"), h("small", null, me.accepts_messages ? `${me.display_name} accepts them` : `${me.display_name} refuses them`)),
      h("span", { class: "switch", "aria-hidden": "true" }),
    );
  }

  toggle() {
    if (this.menu.hidden) this.open();
    else this.close(true);
  }

  open() {
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.drawMenu();
    (this.menu.querySelector('[aria-checked="true"]') ?? this.menu.querySelector("button"))?.focus();
  }

  close(focus) {
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    if (focus) this.button.focus();
  }

  onChoice(event) {
    const accepts = event.target.closest("[data-accepts]")?.dataset.accepts;
    if (accepts) {
      void api.changePerson(this.store.acting ?? "", { accepts_messages: accepts === "true" }).catch((error) => toast({ title: "Not changed", text: error instanceof ApiError ? error.sentence : String(error) }));
      return;
    }
    const name = event.target.closest("[data-person]")?.dataset.person;
    if (!name) return;
    if (!this.menu.hidden) this.close(true);
    this.actAs(name);
  }

  onKey(event) {
    const all = [...this.menu.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") this.close(true);
    else if (to !== undefined) all[to].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** People by their highest role, then those without a role, then apps. */
  drawMembers() {
    const { store } = this;
    if (this.panel.hidden || !store.guild) return;
    const groups = new Map();
    const roles = [...store.guild.roles].sort((a, b) => b.position - a.position);
    for (const role of roles) groups.set(role.name, []);
    groups.set("", []);
    for (const person of store.peopleHere()) groups.get(topRole(person, store.guild)?.name ?? "").push(this.member(person));
    const apps = store.applicationsHere().map((app) => h("li", null, h("div", { class: `member${app.connected ? "" : " offline"}` }, avatar(app.display_name, { bot: true, size: 32 }), h("span", { class: "acting-text" }, h("span", { class: "ellipsis" }, app.display_name, " ", h("span", { class: "app-tag" }, "APP")), h("small", null, app.connected ? "connected" : "not connected")))));
    refill(
      this.panel,
      h("h2", { class: "sr-only" }, "Members"),
      [...groups].filter(([, members]) => members.length).map(([name, members]) => [h("h3", null, `${name || "No role"} — ${members.length}`), h("ul", null, members)]),
      apps.length ? [h("h3", null, `Apps — ${apps.length}`), h("ul", null, apps)] : null,
    );
  }

  member(person) {
    const mine = person.name === this.store.acting;
    return h("li", { dataset: { key: person.id } }, h("button", { type: "button", class: "member", title: mine ? "You are acting as this person" : `Act as ${person.display_name}`, dataset: { person: person.name } }, avatar(person.display_name, { size: 32 }), h("span", { class: "acting-text" }, h("span", { class: "ellipsis", style: person.color ? { color: hex(person.color) } : {} }, person.display_name), h("small", null, [mine ? "you" : person.name, timedOut(person) ? "timed out" : null].filter(Boolean).join(" · ")))));
  }
}

const timedOut = (person) => person.timed_out_until && Date.parse(person.timed_out_until) > now();

function rolePills(person, guild) {
  if (!person.roles.length) return "no role";
  return person.roles.map((name) => h("span", { class: "role-pill", style: { "--dot": hex(guild?.roles.find((r) => r.name === name)?.color) ?? "#949ba4" } }, name));
}
