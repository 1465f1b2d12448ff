/** Interactions that the page started, and their outcome: busy buttons, failures, modals to open. */

import { ApiError, api } from "./api.js";

const FAILED = "This interaction failed";
const NO_ANSWER = "The application did not respond";
/** A command that is not answered by then gets a placeholder message. */
const GHOST_AFTER_MS = 350;
const PROBLEM_SHOWN_MS = 15_000;

export class Interactions {
  /**
   * @param {import("./store.js").Store} store
   * @param {(interaction: import("../base/types.js").Interaction) => void} openModal
   */
  constructor(store, openModal) {
    this.store = store;
    this.openModal = openModal;
    /** Interaction -> how it was started. @type {Map<string, any>} */
    this.mine = new Map();
    /** Message -> custom ids pressed and not answered. @type {Map<string, Set<string>>} */
    this.busy = new Map();
    this.choices = new Map();
    this.problems = new Map();
    /** Interactions heard of before the call that started them returned. */
    this.early = new Map();
  }

  isBusy(messageId, customId) {
    return this.busy.get(messageId)?.has(customId) ?? false;
  }

  isLocked(messageId) {
    return (this.busy.get(messageId)?.size ?? 0) > 0;
  }

  problem(messageId) {
    return this.problems.get(messageId) ?? null;
  }

  chosen(messageId, customId) {
    return this.choices.get(`${messageId} ${customId}`) ?? null;
  }

  /** Drops choices in a message that was edited: the edit has its own defaults. */
  forgetChoices(messageId) {
    for (const key of [...this.choices.keys()]) if (key.startsWith(`${messageId} `)) this.choices.delete(key);
  }

  async press(message, customId) {
    await this.onMessage(message, customId, () => api.press({ user: this.store.acting, message: message.id, custom_id: customId }));
  }

  async select(message, customId, values, labels) {
    this.choices.set(`${message.id} ${customId}`, labels);
    await this.onMessage(message, customId, () => api.select({ user: this.store.acting, message: message.id, select: customId, values }));
  }

  async onMessage(message, customId, begin) {
    if (this.isLocked(message.id)) return;
    this.problems.delete(message.id);
    this.busy.set(message.id, new Set([customId]));
    this.changed(message);
    try {
      const { interaction } = await begin();
      this.track(interaction, { message });
    } catch (error) {
      this.fail(message, error instanceof ApiError ? error.sentence : FAILED);
    }
  }

  /** @param {{channel: string, command: string, application: string, options?: Object, label?: string, target_user?: string, target_message?: string}} what @returns {Promise<void>} raises ApiError when refused */
  async command(what) {
    const { label, ...body } = what;
    const { interaction } = await api.command({ user: this.store.acting, ...body });
    this.track(interaction, { channelId: what.channel, command: label ?? what.command, application: what.application });
  }

  /** Submits a modal; resolves when the answer has come. Raises ApiError or an Error with a sentence to show. */
  async submit(interactionId, fields) {
    const { interaction } = await api.submit({ user: this.store.acting, interaction: interactionId, fields });
    await new Promise((resolve, reject) => this.track(interaction, { resolve, reject }));
  }

  track(id, begun) {
    begun.user = this.store.acting;
    this.mine.set(id, begun);
    const early = this.early.get(id);
    if (begun.command) begun.timer = setTimeout(() => this.ghost(id, begun, "sending"), GHOST_AFTER_MS);
    if (early) this.onUpdate(early);
  }

  /** Takes every interaction's update; those started elsewhere are ignored. */
  onUpdate(interaction) {
    const begun = this.mine.get(interaction.id);
    if (!begun) {
      this.early.set(interaction.id, interaction);
      if (this.early.size > 50) this.early.delete(this.early.keys().next().value);
      return;
    }
    if (interaction.state === "pending") return;
    clearTimeout(begun.timer);
    if (begun.command) this.ghost(interaction.id, begun, interaction.state === "failed" ? "failed" : null);
    if (begun.message) this.settle(begun.message, interaction);
    if (interaction.state === "failed") begun.reject?.(new Error("Something went wrong. Try again."));
    else begun.resolve?.();
    if (interaction.state === "modal" && begun.user === this.store.acting && !begun.opened) {
      begun.opened = true;
      this.openModal(interaction);
    }
    if (interaction.state !== "deferred") this.mine.delete(interaction.id);
  }

  settle(message, interaction) {
    this.busy.delete(message.id);
    if (interaction.state === "failed") this.fail(message, FAILED);
    else this.changed(message);
  }

  fail(message, sentence) {
    this.busy.delete(message.id);
    this.problems.set(message.id, sentence);
    this.changed(message);
    setTimeout(() => {
      if (this.problems.get(message.id) !== sentence) return;
      this.problems.delete(message.id);
      this.changed(message);
    }, PROBLEM_SHOWN_MS);
  }

  /** Asks about pending interactions after the connection was lost. */
  async recheck() {
    for (const id of [...this.mine.keys()]) {
      const interaction = await api.interaction(id).catch(() => null);
      this.onUpdate(interaction ?? { id, state: "failed" });
    }
  }

  changed(message) {
    this.store.emit("messages", { channelId: message.channel_id, id: message.id });
  }

  /** Shows a placeholder for a command without an answer: being sent, or failed. */
  ghost(id, begun, state) {
    if (state === null) {
      this.store.removeMessage(id, begun.channelId);
      return;
    }
    const app = [...this.store.applications.values()].find((a) => a.name === begun.application || a.id === begun.application);
    this.store.putMessage({
      id, local: state, channel_id: begun.channelId, type: 0, author: app?.name ?? "", author_id: "", bot: true, color: 0,
      author_name: app?.display_name ?? "Application", created: new Date().toISOString(), edited: null,
      content: state === "sending" ? "-# Sending command…" : NO_ANSWER, text: state === "sending" ? "Sending command…" : NO_ANSWER,
      notified: [], attachments: [], components: [], embeds: [], thread: null, ephemeral: state === "failed", ephemeral_to: begun.user,
      loading: false, flags: 0, deleted: false, reference: null, mentions: { users: {}, roles: {}, channels: {} },
      interaction: { id, type: "command", user: begun.user, command: begun.command },
    });
  }
}
