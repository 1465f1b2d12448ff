/** Slow mode below the composer: how often people write here, and after a refusal, when again. */

import { h } from "../base/dom.js";

const TICK_MS = 250;

export class SlowMode {
  constructor() {
    this.el = h("span", { class: "slow", hidden: true, title: "Slow mode" });
    /** Person and channel -> when they can write again, in milliseconds. @type {Map<string, number>} */
    this.until = new Map();
    this.timer = 0;
  }

  /** @param {?import("../base/types.js").Channel} channel @param {?string} person who acts */
  show(channel, person) {
    this.channel = channel;
    this.key = `${person} ${channel?.id}`;
    this.draw();
  }

  /** Counts down from a refusal. @param {number} seconds */
  wait(seconds) {
    this.until.set(this.key, Date.now() + seconds * 1000);
    this.draw();
  }

  draw() {
    clearTimeout(this.timer);
    const left = Math.ceil(((this.until.get(this.key) ?? 0) - Date.now()) / 1000);
    const every = this.channel?.slowmode ?? 0;
    this.el.hidden = !every;
    this.el.classList.toggle("waiting", left > 0);
    this.el.textContent = left > 0 ? `You can write again in ${duration(left)}` : `Slow mode: ${duration(every)}`;
    if (left > 0) this.timer = setTimeout(() => this.draw(), TICK_MS);
    else this.until.delete(this.key);
  }
}

/** `45 s`, `2 min`, `1 h 30 min`. @param {number} seconds */
export function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const parts = [[hours, "h"], [minutes, "min"], [seconds % 60, "s"]];
  return parts.filter(([n]) => n).map(([n, unit]) => `${n} ${unit}`).join(" ") || "0 s";
}
