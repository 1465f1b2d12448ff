/** Discord's markdown as DOM nodes: blocks here, inline markup in inline.js. */

import { h } from "../base/dom.js";
import { inline } from "./inline.js";

const FENCE = /^```(?:([A-Za-z0-9_+-]*)\n)?([\s\S]*?)```\n?/;
const LIST = /^( *)(?:[-*]|(\d{1,9})\.) +(.+)$/;

/**
 * @param {string} text Discord's content, verbatim
 * @param {import("../state/names.js").Names} names names for ids
 * @returns {Node[]}
 */
export function markdown(text, names) {
  const out = [];
  let rest = text.replace(/\r\n/g, "\n");
  let plain = "";
  const flush = () => {
    if (plain) out.push(...lines(plain.replace(/\n$/, ""), names));
    plain = "";
  };
  while (rest) {
    const fence = rest.startsWith("```") ? FENCE.exec(rest) : null;
    if (fence && fence[2].trim()) {
      flush();
      out.push(h("pre", { class: "codeblock", tabindex: 0 }, h("code", { dataset: { lang: fence[1] || null } }, fence[2].replace(/\n$/, ""))));
      rest = rest.slice(fence[0].length);
      continue;
    }
    const next = rest.indexOf("```", 1);
    plain += next === -1 ? rest : rest.slice(0, next);
    rest = next === -1 ? "" : rest.slice(next);
  }
  flush();
  return out;
}

/** Blocks made of lines; adjacent plain lines stay one run, so that emphasis can span them. */
function lines(text, names) {
  const all = text.split("\n");
  const out = [];
  let run = [];
  const flush = () => {
    if (run.length) out.push(h("span", { class: "run" }, inline(run.join("\n"), names)));
    run = [];
  };
  for (let i = 0; i < all.length; ) {
    const taken = block(all, i, names);
    if (!taken) {
      run.push(all[i++]);
      continue;
    }
    flush();
    out.push(taken.node);
    i += taken.count;
  }
  flush();
  return out;
}

/** The block that starts at line `i`, and its number of lines; null for plain text. */
function block(all, i, names) {
  const line = all[i];
  const heading = /^(#{1,3}) +(.+)$/.exec(line);
  if (heading) return { node: h(`h${heading[1].length + 2}`, { class: `md-h${heading[1].length}` }, inline(heading[2], names)), count: 1 };
  const sub = /^-# +(.+)$/.exec(line);
  if (sub) return { node: h("small", { class: "subtext" }, inline(sub[1], names)), count: 1 };
  if (line.startsWith(">>> ")) {
    const quoted = [line.slice(4), ...all.slice(i + 1)].join("\n");
    return { node: h("blockquote", null, lines(quoted, names)), count: all.length - i };
  }
  if (/^> /.test(line)) {
    const count = all.slice(i).findIndex((l) => !/^> ?/.test(l));
    const n = count === -1 ? all.length - i : count;
    const quoted = all.slice(i, i + n).map((l) => l.replace(/^> ?/, "")).join("\n");
    return { node: h("blockquote", null, lines(quoted, names)), count: n };
  }
  return LIST.test(line) ? list(all, i, names) : null;
}

function list(all, i, names) {
  const first = LIST.exec(all[i]);
  const indent = first[1].length;
  const ordered = first[2] !== undefined;
  const node = h(ordered ? "ol" : "ul", { start: ordered && first[2] !== "1" ? first[2] : null });
  let at = i;
  while (at < all.length) {
    const item = LIST.exec(all[at]);
    if (!item || item[1].length < indent) break;
    if (item[1].length > indent && node.lastChild) {
      const nested = list(all, at, names);
      node.lastChild.append(nested.node);
      at += nested.count;
      continue;
    }
    if ((item[2] !== undefined) !== ordered) break;
    node.append(h("li", null, inline(item[3], names)));
    at += 1;
  }
  return { node, count: at - i };
}
