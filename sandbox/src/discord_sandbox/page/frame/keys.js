/** Global keys, and the buttons of the frame. */

import { $ } from "../base/dom.js";

const TYPED = /^[\p{L}\p{N}\p{P}\p{S}]$/u;
const NARROW = matchMedia("(max-width: 760px)");

/** @param {import("../app.js").App} app */
export function bindKeys(app) {
  document.addEventListener("keydown", (event) => onKey(event, app));
  $("#nav-button").addEventListener("click", () => toggleNav());
  $("#scrim").addEventListener("click", () => toggleNav(false));
  $("#thread-close").addEventListener("click", () => app.closeThread());
  const members = $("#members-button");
  members.addEventListener("click", () => showMembers(app, $("#members").hidden));
  showMembers(app, innerWidth >= 1200);
}

function showMembers(app, shown) {
  $("#members").hidden = !shown;
  $("#members-button").setAttribute("aria-pressed", String(shown));
  app.people.drawMembers();
}

function toggleNav(open = !document.body.classList.contains("nav-open")) {
  document.body.classList.toggle("nav-open", open);
  $("#nav-button").setAttribute("aria-expanded", String(open));
  if (open) $("#channels a")?.focus();
  else if (NARROW.matches) $("#nav-button").focus();
}

function onKey(event, app) {
  const target = /** @type {HTMLElement} */ (event.target);
  if (document.querySelector("dialog[open]")) return;
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    const next = app.sidebar.neighbour(event.key === "ArrowUp" ? -1 : 1, event.shiftKey);
    event.preventDefault();
    if (next) app.go(next);
    return;
  }
  if (event.key === "Escape" && !event.defaultPrevented) {
    if (document.body.classList.contains("nav-open")) toggleNav(false);
    else if (app.store.threadId && app.side.el.contains(target)) app.closeThread();
    else app.main.timeline.toEnd();
    return;
  }
  // Typing anywhere goes to the composer, as in Discord.
  const elsewhere = target === document.body || target.classList.contains("message") || target.matches("a, button");
  if (elsewhere && !event.ctrlKey && !event.metaKey && !event.altKey && TYPED.test(event.key) && !target.closest("[role=menu], #drawer")) {
    const view = app.side.el.contains(target) ? app.side : app.main;
    view.composer.focus();
  }
}
