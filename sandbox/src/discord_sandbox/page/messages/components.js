/** Message components, classic and V2: rows, buttons, selects, sections, containers, galleries. */

import { h, hex, safeLink } from "../base/dom.js";
import { icon } from "../base/icons.js";
import { customEmoji } from "../text/emoji.js";
import { markdown } from "../text/markdown.js";
import { file, gallery, picture } from "./media.js";

const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "premium" };
const SELECT_KINDS = { 3: "string", 5: "user", 6: "role", 7: "mentionable", 8: "channel" };
const NOTHING_CHOSEN = { string: "Make a selection", user: "Select a user", role: "Select a role", mentionable: "Select", channel: "Select a channel" };

/**
 * What components need to know besides their own data.
 * @typedef {{names: import("../state/names.js").Names, busy: (customId: string) => boolean,
 *   chosen: (customId: string) => ?string[], locked: boolean}} Context
 */

/** @param {any[]} list Discord's components @param {Context} context @returns {Node[]} */
export function components(list, context) {
  return list.map((item) => component(item, context)).filter((node) => node !== null);
}

const KINDS = {
  1: (it, c) => h("div", { class: "row" }, components(it.components, c)),
  2: button,
  3: select,
  5: select,
  6: select,
  7: select,
  8: select,
  9: (it, c) => h("div", { class: "section" }, h("div", { class: "section-text" }, components(it.components, c)), h("div", { class: "section-accessory" }, component(it.accessory, c))),
  10: (it, c) => h("div", { class: "text-display markup" }, markdown(it.content, c.names)),
  11: (it) => picture({ ...it.media, description: it.description, spoiler: it.spoiler }, "picture thumbnail"),
  12: (it) => gallery(it.items.map((i) => ({ ...i.media, description: i.description, spoiler: i.spoiler }))),
  13: (it) => file({ url: it.file.url, name: it.name ?? it.file.url.split("/").pop(), size: it.size }),
  14: (it) => h("div", { class: `separator${it.spacing === 2 ? " wide" : ""}${it.divider === false ? " blank" : ""}`, role: it.divider === false ? null : "separator" }),
  17: (it, c) =>
    h("div", { class: `container${it.accent_color === null || it.accent_color === undefined ? "" : " accented"}${it.spoiler ? " spoiled" : ""}`, style: { "--accent": hex(it.accent_color) ?? "#000" } }, components(it.components, c)),
};

function component(it, context) {
  if (!it) return null;
  const render = KINDS[it.type];
  return render ? render(it, context) : h("div", { class: "unknown-component" }, `(This page cannot show components of type ${it.type}.)`);
}

function face(it) {
  return [it.emoji ? emoji(it.emoji) : null, it.label ? h("span", { class: "label" }, it.label) : null];
}

export function emoji(it) {
  return it.id ? customEmoji(it.name, it.id) : h("span", { class: "emoji" }, it.name);
}

function button(it, context) {
  const style = BUTTON_STYLES[it.style] ?? "secondary";
  const accessible = it.label ?? it.emoji?.name ?? "Button";
  const key = it.custom_id ?? it.url ?? it.id;
  if (style === "link") {
    const href = it.disabled ? null : safeLink(it.url);
    return h("a", { class: "button link", href, target: "_blank", rel: "noopener noreferrer", role: href ? null : "link", "aria-disabled": href ? null : "true", dataset: { key } }, face(it), icon("link", 16));
  }
  const busy = context.busy(it.custom_id);
  return h(
    "button",
    {
      type: "button",
      class: `button ${style}${busy ? " busy" : ""}`,
      disabled: Boolean(it.disabled),
      "aria-disabled": context.locked && !it.disabled ? "true" : null,
      "aria-busy": busy ? "true" : null,
      "aria-label": it.label ? null : accessible,
      dataset: { key, action: "press", customId: it.custom_id },
    },
    h("span", { class: "face" }, face(it)),
    busy ? dots() : null,
  );
}

export function dots() {
  return h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
}

function select(it, context) {
  const kind = SELECT_KINDS[it.type];
  const defaults = (it.options ?? []).filter((o) => o.default).map((o) => o.label);
  const named = (it.default_values ?? []).map((d) => (d.type === "role" ? context.names.role(d.id) : d.type === "channel" ? context.names.channel(d.id) : context.names.user(d.id)).name);
  const chosen = context.chosen(it.custom_id) ?? [...defaults, ...named];
  const prompt = it.placeholder ?? NOTHING_CHOSEN[kind];
  const busy = context.busy(it.custom_id);
  return h(
    "button",
    {
      type: "button",
      class: `select${chosen.length ? "" : " empty"}${busy ? " busy" : ""}`,
      role: "combobox",
      "aria-haspopup": "listbox",
      "aria-expanded": "false",
      "aria-label": prompt,
      disabled: Boolean(it.disabled),
      dataset: { key: it.custom_id, action: "select", customId: it.custom_id },
    },
    h("span", { class: "chosen" }, chosen.length ? chosen.join(", ") : prompt),
    busy ? dots() : icon("chevron", 20),
  );
}

/** The component with this id, at any depth; null if there is none. */
export function findComponent(list, customId) {
  for (const it of list ?? []) {
    if (it.custom_id === customId) return it;
    const found = findComponent([...(it.components ?? []), ...(it.accessory ? [it.accessory] : []), ...(it.component ? [it.component] : [])], customId);
    if (found) return found;
  }
  return null;
}

/** The options of a select. @returns {{label: string, value: string, description?: ?string, emoji?: any, default?: boolean, kind?: string}[]} */
export function selectOptions(it, store) {
  if (it.type === 3) return it.options ?? [];
  const preset = new Set((it.default_values ?? []).map((d) => d.id));
  const people = () => [
    ...store.peopleHere().map((p) => ({ label: p.display_name, value: p.id, description: p.name, kind: "person" })),
    ...store.applicationsHere().map((a) => ({ label: a.display_name, value: a.bot_id, description: "app", kind: "bot" })),
  ];
  const roles = () => (store.guild?.roles ?? []).filter((r) => r.name !== "@everyone").map((r) => ({ label: `@${r.name}`, value: r.id, kind: "role" }));
  const channels = () => store.channelsHere().map((c) => ({ label: `#${c.name}`, value: c.id, kind: "channel" }));
  const lists = { 5: people, 6: roles, 7: () => [...people(), ...roles()], 8: channels };
  return (lists[it.type]?.() ?? []).map((o) => ({ ...o, default: preset.has(o.value) }));
}
