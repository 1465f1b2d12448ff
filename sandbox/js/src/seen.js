/** What people see: messages, and what came of what they did. */

export class SeenMessage {
  /** @param {any} body the message as the JSON API shows it */
  constructor(body) {
    this.body = body;
    this.id = body.id;
    this.channel = body.channel;
    this.author = body.author;
    this.text = body.text;
    this.ephemeral = body.ephemeral;
  }

  /** Labels of the buttons that can be pressed; a button without a label by its emoji or custom id. */
  get buttons() {
    return this.body.buttons.filter((one) => one.enabled).map((one) => one.label || one.emoji || one.custom_id);
  }

  /** The id of the thread that was started from the message, or null. */
  get thread() {
    return this.body.thread?.id ?? null;
  }
}

/** What came of a command, press, selection or modal. `state`: answered, modal, failed, deferred or pending. */
export class Outcome {
  /** @param {any} body the interaction as the JSON API shows it */
  constructor(body) {
    this.body = body;
    this.id = body.id;
    this.state = body.state;
    this.reason = body.reason;
    this.ephemeral = body.ephemeral;
  }

  /** The answer, or the message that a press changed. Throws if there is none. */
  get message() {
    return new SeenMessage(this.#need("message"));
  }

  get text() {
    return this.message.text;
  }

  get followups() {
    return this.body.followups.map((one) => new SeenMessage(one));
  }

  /** The modal that was opened: `title`, `fields`. Throws if there is none. */
  get modal() {
    return this.#need("modal");
  }

  #need(key) {
    if (this.body[key] !== null) return this.body[key];
    const what = this.body.command ?? this.body.custom_id ?? this.body.type;
    throw new Error(`${this.body.user}'s "${what}" has no ${key}. It is ${this.state}${this.reason ? `: ${this.reason}` : ""}`);
  }
}
