/** Times as Discord shows them, on the sandbox's clock, which can be ahead of this machine's. */

import { h } from "./dom.js";

let offsetMs = 0;

export const setClockOffset = (seconds) => (offsetMs = seconds * 1000);
export const now = () => Date.now() + offsetMs;

const format = (options) => new Intl.DateTimeFormat(undefined, options);
const STYLES = {
  t: format({ timeStyle: "short" }),
  T: format({ timeStyle: "medium" }),
  d: format({ dateStyle: "short" }),
  D: format({ dateStyle: "long" }),
  f: format({ dateStyle: "long", timeStyle: "short" }),
  F: format({ dateStyle: "full", timeStyle: "short" }),
  s: format({ dateStyle: "short", timeStyle: "short" }),
  S: format({ dateStyle: "short", timeStyle: "medium" }),
};
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const UNITS = [["year", 31_557_600], ["month", 2_629_800], ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const dayOf = (ms) => STYLES.D.format(ms);

/** "in 12 seconds", "3 minutes ago". @param {number} ms */
export function ago(ms) {
  const seconds = Math.round((ms - now()) / 1000);
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size || unit === "second") return relative.format(Math.trunc(seconds / size), unit);
  }
  return "";
}

/** The stamp beside an author: the time, with the date unless it is today. */
export function stamp(ms) {
  const today = dayOf(now());
  if (dayOf(ms) === today) return STYLES.t.format(ms);
  if (dayOf(ms) === dayOf(now() - 86_400_000)) return `Yesterday at ${STYLES.t.format(ms)}`;
  return `${STYLES.d.format(ms)}, ${STYLES.t.format(ms)}`;
}

/** `<t:seconds:style>`; relative ones are kept current by `keepRelativeTimesCurrent`. */
export function timestamp(seconds, style = "f") {
  const ms = seconds * 1000;
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return h("span", { class: "timestamp" }, "Invalid date");
  return h(
    "time",
    { class: "timestamp", datetime: date.toISOString(), title: STYLES.F.format(ms), dataset: { relative: style === "R" ? ms : null } },
    style === "R" ? ago(ms) : (STYLES[style] ?? STYLES.f).format(ms),
  );
}

/** `<time>` of a message, with the full date as its tooltip. */
export function messageTime(iso, text) {
  const ms = Date.parse(iso);
  return h("time", { datetime: iso, title: STYLES.F.format(ms), class: "stamp" }, text ?? stamp(ms));
}

export const clock = (iso) => STYLES.t.format(Date.parse(iso));
export const full = (iso) => STYLES.F.format(Date.parse(iso));

export function keepRelativeTimesCurrent() {
  setInterval(() => {
    for (const el of document.querySelectorAll("time[data-relative]")) {
      const text = ago(Number(/** @type {HTMLElement} */ (el).dataset.relative));
      if (el.textContent !== text) el.textContent = text;
    }
  }, 1000);
}
