/** Embeds: boxes with a colored edge. */

import { h, hex, safeLink } from "../base/dom.js";
import { inline } from "../text/inline.js";
import { markdown } from "../text/markdown.js";
import { picture } from "./media.js";
import { messageTime } from "../base/time.js";

/** @param {any} embed Discord's embed @param {import("../state/names.js").Names} names */
export function embed(embed, names) {
  const url = embed.url ? safeLink(embed.url) : null;
  const title = embed.title ? inline(embed.title, names) : null;
  return h(
    "article",
    { class: "embed", style: { "--edge": hex(embed.color) ?? "#1e1f22" }, "aria-label": embed.title ? `Embed: ${embed.title}` : "Embed" },
    h(
      "div",
      { class: "embed-body" },
      embed.provider?.name ? h("div", { class: "embed-provider" }, embed.provider.name) : null,
      embed.author?.name ? author(embed.author) : null,
      title ? h("div", { class: "embed-title" }, url ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, title) : title) : null,
      embed.description ? h("div", { class: "embed-description markup" }, markdown(embed.description, names)) : null,
      embed.fields?.length ? fields(embed.fields, names) : null,
      embed.image?.url ? picture({ ...embed.image, description: embed.title ?? "Embed image" }, "picture embed-image") : null,
      embed.footer?.text || embed.timestamp ? footer(embed) : null,
    ),
    embed.thumbnail?.url ? picture({ ...embed.thumbnail, description: "Thumbnail" }, "picture embed-thumbnail") : null,
  );
}

function author({ name, url }) {
  const href = url ? safeLink(url) : null;
  return h("div", { class: "embed-author" }, href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, name) : name);
}

/** Up to three inline fields share a row of a twelve-column grid; others take a row each. */
function fields(all, names) {
  const cells = [];
  for (let i = 0; i < all.length; ) {
    let run = 0;
    while (run < 3 && all[i + run]?.inline) run += 1;
    const columns = Math.max(run, 1);
    for (const field of all.slice(i, i + columns)) cells.push(cell(field, run > 1 ? 12 / run : 12, names));
    i += columns;
  }
  return h("div", { class: "embed-fields" }, cells);
}

function cell(field, span, names) {
  return h(
    "div",
    { class: "embed-field", style: { "--span": span } },
    h("div", { class: "embed-field-name" }, inline(field.name, names)),
    h("div", { class: "embed-field-value markup" }, markdown(field.value, names)),
  );
}

function footer({ footer: line, timestamp }) {
  return h(
    "div",
    { class: "embed-footer" },
    line?.text ?? null,
    line?.text && timestamp ? h("span", { class: "dot" }, " • ") : null,
    timestamp ? messageTime(timestamp) : null,
  );
}
