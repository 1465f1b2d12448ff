/** Inline markup of Discord's markdown: emphasis, code, links, mentions, emoji, timestamps. */

import { h, hex, safeLink } from "../base/dom.js";
import { EMOJI, customEmoji } from "./emoji.js";
import { timestamp } from "../base/time.js";

const DEEPEST = 12;

/** In order: the first rule that matches wins, and consumes its whole match. */
const RULES = [
  { start: "\\", match: /^\\([^A-Za-z0-9\s])/, node: (m) => m[1] },
  { start: "`", match: /^(`{1,2})([^`](?:[\s\S]*?[^`])?)\1(?!`)/, node: (m) => h("code", { class: "inline" }, m[2]) },
  { start: "<", match: /^<@!?(\d+)>/, node: (m, names) => mention("@", names.user(m[1])) },
  { start: "<", match: /^<@&(\d+)>/, node: (m, names) => mention("@", names.role(m[1])) },
  { start: "<", match: /^<#(\d+)>/, node: (m, names) => channelMention(names.channel(m[1])) },
  { start: "<", match: /^<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/, node: (m) => timestamp(Number(m[1]), m[2]) },
  { start: "<", match: /^<a?:(\w{2,32}):(\d+)>/, node: (m) => customEmoji(m[1], m[2]) },
  { start: "<", match: /^<\/([^:>\n]{1,98}):(\d+)>/, node: (m) => h("span", { class: "mention" }, `/${m[1]}`) },
  { start: "<", match: /^<(https?:\/\/[^\s<>]+)>/, node: (m) => anchor(m[1], m[1]) },
  { start: "@", match: /^@(everyone|here)\b/, node: (m) => h("span", { class: "mention" }, m[0]) },
  { start: "[", match: /^\[((?:[^[\]\\]|\\.|\[[^[\]]*\])+)\]\(<?(https?:\/\/[^\s<>()]+(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?: "[^"]*")?\)/, node: masked },
  { start: "h", match: /^https?:\/\/[^\s<>]+[^\s<>.,:;"'\])]/, node: (m) => anchor(m[0], m[0]) },
  { start: "*", match: /^\*\*\*(?=\S)([\s\S]*?\S)\*\*\*(?!\*)/, node: (m, n, d) => h("strong", null, h("em", null, inline(m[1], n, d))) },
  { start: "*", match: /^\*\*(?=\S)([\s\S]*?[^\s\\])\*\*(?!\*)/, node: (m, n, d) => h("strong", null, inline(m[1], n, d)) },
  { start: "_", match: /^__(?=\S)([\s\S]*?\S)__(?!_)/, node: (m, n, d) => h("u", null, inline(m[1], n, d)) },
  { start: "*", match: /^\*(?=[^\s*])((?:\*\*[^*]+\*\*|[^*])*?[^\s*])\*(?!\*)/, node: (m, n, d) => h("em", null, inline(m[1], n, d)) },
  { start: "_", match: /^_(?=[^\s_])((?:__[^_]+__|[^_])*?[^\s_])_(?![A-Za-z0-9_])/, node: (m, n, d) => h("em", null, inline(m[1], n, d)) },
  { start: "~", match: /^~~(?=\S)([\s\S]*?\S)~~(?!~)/, node: (m, n, d) => h("s", null, inline(m[1], n, d)) },
  { start: "|", match: /^\|\|([\s\S]+?)\|\|/, node: (m, n, d) => spoiler(inline(m[1], n, d)) },
  { start: ":", match: /^:([a-z0-9_+-]{2,32}):/, node: (m) => EMOJI[m[1]] ?? null },
];
const STARTS = new Set(RULES.map((rule) => rule.start));

/**
 * @param {string} text @param {import("../state/names.js").Names} names @param {number} [depth]
 * @returns {Node[]}
 */
export function inline(text, names, depth = 0) {
  const out = [];
  let plain = "";
  let i = 0;
  while (i < text.length) {
    const found = STARTS.has(text[i]) && depth < DEEPEST ? apply(text, i, names, depth) : null;
    if (!found) {
      plain += text[i++];
    } else if (typeof found.node === "string") {
      plain += found.node;
      i += found.length;
    } else {
      if (plain) out.push(document.createTextNode(plain));
      plain = "";
      out.push(found.node);
      i += found.length;
    }
  }
  if (plain) out.push(document.createTextNode(plain));
  return out;
}

function apply(text, i, names, depth) {
  // An underscore inside a word is part of it, as in `error_rate`.
  if (text[i] === "_" && i > 0 && /[A-Za-z0-9]/.test(text[i - 1])) return null;
  const rest = text.slice(i);
  for (const rule of RULES) {
    if (rule.start !== text[i]) continue;
    const m = rule.match.exec(rest);
    const node = m ? rule.node(m, names, depth + 1) : null;
    if (node !== null) return { node, length: m[0].length };
  }
  return null;
}

function anchor(url, label) {
  const href = safeLink(url);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", title: url }, label) : String(label);
}

function masked(m, names, depth) {
  const href = safeLink(m[2]);
  if (!href) return m[0];
  return h("a", { href, target: "_blank", rel: "noopener noreferrer", title: m[2] }, inline(m[1], names, depth));
}

function mention(sign, who) {
  return h("span", { class: "mention", style: who.color ? { "--pill": hex(who.color) } : {}, dataset: { pill: who.color ? "role" : null } }, sign + who.name);
}

function channelMention(channel) {
  const label = `${channel.thread ? "" : "#"}${channel.name}`;
  return channel.href ? h("a", { class: "mention", href: channel.href }, label) : h("span", { class: "mention" }, label);
}

/** A text as one line without markup, for previews and labels. */
export function plainLine(text, names, longest = 200) {
  const said = text.split("\n").map((line) => {
    const bare = line.replace(/^(?:#{1,3} |-# |>{1,3} |```\w*)|```$/g, "");
    const shown = h("span", null, inline(bare, names));
    for (const picture of shown.querySelectorAll("img")) picture.replaceWith(picture.alt);
    return shown.textContent;
  });
  const line = said.join(" ").replace(/\s+/g, " ").trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

/** Text hidden until pressed; the timeline handles the press. */
export function spoiler(children) {
  return h("span", { class: "spoiler", role: "button", tabindex: 0, "aria-label": "Spoiler", dataset: { action: "spoiler" } }, h("span", null, children));
}
