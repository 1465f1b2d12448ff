/**
 * Services registered with the sandbox, as they answer for themselves: shares of versions and errors.
 *
 * A service answers `{shares: {version: 0..1}, totals: {version: {ok, error}}}`; the version `none` stands for no answer.
 * One that also answers `{error_rates: {version: 0..1}}` can be broken: it takes `{version, error_rate}` by POST, and `{version}` alone
 * to be as it was.
 */

import { h } from "../base/dom.js";
import { api } from "../state/api.js";

const SAMPLES = 10;
const NO_ANSWER = "none";
const BROKEN = 0.5;
const SHADES = ["#5865f2", "#3ba55c", "#f0b232", "#eb459e", "#3a8fb7", "#ed4245"];

export class Services {
  /** @param {import("../state/store.js").Store} store */
  constructor(store) {
    this.store = store;
    /** Service and environment -> its last answer, null if it did not answer. */
    this.answers = new Map();
    /** Service and environment -> the totals of its last answers. */
    this.samples = new Map();
    this.shades = new Map();
  }

  /** Asks every service once. */
  async ask() {
    await Promise.all(
      this.store.services.map(async ({ name, environment }) => {
        const key = `${name} ${environment}`;
        const answer = await api.service(name, environment).catch(() => null);
        this.answers.set(key, answer);
        if (answer) this.samples.set(key, [...(this.samples.get(key) ?? []), answer.totals ?? {}].slice(-SAMPLES));
        else this.samples.delete(key);
      }),
    );
  }

  render() {
    const { services } = this.store;
    return [h("h3", null, "Services"), services.length ? services.map((one) => this.service(one)) : h("p", { class: "empty" }, "No services registered.")];
  }

  /** A bar of shares, and a line per version: its share, and its errors in the last ten seconds. */
  service({ name, environment }) {
    const key = `${name} ${environment}`;
    const answer = this.answers.get(key);
    const title = h("div", { class: "service-title" }, h("b", { class: "ellipsis", title: name }, name), " ", h("small", null, environment));
    if (!answer) return h("section", { class: "service", dataset: { key } }, title, h("p", { class: "empty" }, answer === null ? "Not reachable." : "Loading…"));
    const shares = Object.entries(answer.shares ?? {}).sort();
    const label = shares.map(([version, share]) => `${version} ${percent(share)}`).join(", ");
    return h(
      "section",
      { class: "service", dataset: { key } },
      title,
      h("div", { class: "share-bar", role: "img", "aria-label": label ? `Traffic: ${label}` : "No traffic" }, shares.map(([version, share]) => h("span", { dataset: { key: version }, style: { "--share": share, "--shade": this.shade(version) } }))),
      h("ul", null, shares.map(([version, share]) => this.version(version, share, this.errorRate(key, version), answer.error_rates, name, environment)), shares.length ? null : h("li", { class: "empty" }, "No traffic.")),
    );
  }

  version(version, share, errors, rates, name, environment) {
    return h(
      "li",
      { class: "line", dataset: { key: version } },
      h("span", { class: "swatch", style: { "--shade": this.shade(version) } }),
      h("b", { class: "ellipsis", title: version }, version === NO_ANSWER ? "no answer" : version),
      h("small", { class: errors > 0.01 ? "bad" : "" }, `${percent(share)} · ${percent(errors, 1)} errors`),
      rates && version !== NO_ANSWER ? breaker(name, environment, version, Boolean(rates[version])) : null,
    );
  }

  /** Breaks or mends the version of the button that was pressed. @param {HTMLElement} button */
  async toggle(button) {
    const { name, environment, version, broken } = button.dataset;
    await api.changeService(name, environment, broken ? { version } : { version, error_rate: BROKEN });
    await this.ask();
  }

  /** Errors among a version's requests since the oldest sample; since its start if there is only one sample. */
  errorRate(key, version) {
    const samples = this.samples.get(key) ?? [];
    const now = samples.at(-1)?.[version] ?? { ok: 0, error: 0 };
    const then = (samples.length > 1 ? samples[0][version] : null) ?? { ok: 0, error: 0 };
    const errors = now.error - then.error;
    const total = errors + now.ok - then.ok;
    return total > 0 ? errors / total : 0;
  }

  shade(version) {
    if (version === NO_ANSWER) return "#80848e";
    if (!this.shades.has(version)) this.shades.set(version, SHADES[this.shades.size % SHADES.length]);
    return this.shades.get(version);
  }
}

/** The button that makes half of a version's requests fail, and takes that back. */
function breaker(name, environment, version, broken) {
  const label = broken ? `Mend ${name} ${version} in ${environment}` : `Make half of the requests of ${name} ${version} in ${environment} fail`;
  return h("button", { type: "button", class: "breaker", "aria-label": label, title: label, "aria-pressed": String(broken), dataset: { breaker: "", name, environment, version, broken: broken ? "true" : null } }, broken ? "Mend" : "Break");
}

const percent = (share, digits = 0) => `${((share ?? 0) * 100).toFixed(digits)}%`;
