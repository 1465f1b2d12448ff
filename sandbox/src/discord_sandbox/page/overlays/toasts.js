/** Notifications in a corner, for mentions and direct messages outside the open channel. */

import { $, h } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";

const SHOWN_MS = 8000;
const MOST = 3;

/** @param {{title: string, text: string, author?: string, bot?: boolean, href?: string, channel?: string}} note */
export function toast({ title, text, author, bot, href, channel }) {
  const host = $("#toasts");
  const close = () => el.remove();
  const el = h(
    "div",
    { class: "toast", dataset: { channel } },
    author ? avatar(author, { bot, size: 40 }) : icon("bolt", 24),
    h("div", { class: "toast-text" }, href ? h("a", { href, class: "toast-title", onclick: close }, title) : h("b", { class: "toast-title" }, title), h("p", null, text)),
    h("button", { type: "button", class: "icon-button", "aria-label": "Close notification", onclick: close }, icon("close", 16)),
  );
  let timer = setTimeout(close, SHOWN_MS);
  const wait = () => clearTimeout(timer);
  const go = () => (timer = setTimeout(close, SHOWN_MS / 2));
  for (const [event, handler] of [["mouseenter", wait], ["focusin", wait], ["mouseleave", go], ["focusout", go]]) el.addEventListener(event, handler);
  host.append(el);
  while (host.children.length > MOST) host.firstElementChild.remove();
}

/** Drops what was announced of a channel that is now on screen. */
export function dropToasts(channelId) {
  for (const el of $("#toasts").querySelectorAll(`[data-channel="${CSS.escape(channelId)}"]`)) el.remove();
}
