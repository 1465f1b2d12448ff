/** A small palette of emoji to react with. */

import { h } from "../base/dom.js";

/** Emoji and what they are called aloud. */
const EMOJI = [
  ["👍", "thumbs up"], ["👎", "thumbs down"], ["👀", "eyes"], ["✅", "check mark"], ["❌", "cross"], ["📌", "pin"],
  ["🎉", "party"], ["❤️", "heart"], ["😄", "smile"], ["😢", "crying"], ["🔥", "fire"], ["🚀", "rocket"],
];
const COLUMNS = 6;
let close = null;

/** @param {HTMLElement} anchor the button that was pressed @returns {Promise<?string>} null when it was closed without a choice */
export function pickEmoji(anchor) {
  close?.(null);
  return new Promise((resolve) => open(anchor, resolve));
}

function open(anchor, resolve) {
  const buttons = EMOJI.map(([emoji, name], index) => h("button", { type: "button", role: "menuitem", class: "emoji-choice", tabindex: index ? -1 : 0, title: name, "aria-label": name, dataset: { emoji } }, emoji));
  const el = h("div", { class: "menu emoji-picker", role: "menu", "aria-label": "Reactions" }, buttons);
  const outside = (event) => {
    // Pressing the anchor closes the palette, and must not open it again.
    if (!el.contains(event.target)) finish(null);
  };
  const away = () => finish(null);
  const finish = (emoji) => {
    close = null;
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("resize", away);
    el.remove();
    anchor.setAttribute("aria-expanded", "false");
    if (anchor.isConnected) anchor.focus();
    resolve(emoji);
  };
  close = finish;
  el.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-emoji]")?.dataset.emoji;
    if (chosen) finish(chosen);
  });
  el.addEventListener("keydown", (event) => onKey(event, buttons, finish));
  document.body.append(el);
  anchor.setAttribute("aria-expanded", "true");
  place(el, anchor);
  buttons[0].focus();
  setTimeout(() => document.addEventListener("pointerdown", outside, true));
  addEventListener("resize", away);
}

function onKey(event, buttons, finish) {
  const at = buttons.indexOf(document.activeElement);
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS }[event.key];
  if (by !== undefined) buttons[(at + by + buttons.length) % buttons.length].focus();
  else if (event.key === "Escape" || event.key === "Tab") finish(null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Above the button, or below it where there is no room. */
function place(el, anchor) {
  const at = anchor.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.right - el.offsetWidth, innerWidth - el.offsetWidth - 8));
  const top = at.top > el.offsetHeight + 12 ? at.top - el.offsetHeight - 6 : at.bottom + 6;
  el.style.setProperty("left", `${left}px`);
  el.style.setProperty("top", `${Math.max(8, Math.min(top, innerHeight - el.offsetHeight - 8))}px`);
}
