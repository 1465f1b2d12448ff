/** Calls of the sandbox's JSON API. */

/** The sandbox refused a call: `status`, a stable `code`, a sentence, a `hint` or null, `retryAfter` of slow mode in seconds. */
export class CallRefused extends Error {
  constructor(status, { code, message, hint, retry_after: retryAfter = null }) {
    super(hint ? `${message} ${hint}` : message);
    this.name = "CallRefused";
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /** @param {string} base such as `http://127.0.0.1:8300/sandbox/v1` */
  constructor(base) {
    this.base = base;
  }

  /**
   * @param {string} method @param {string} path @param {object} [body] @param {object} [query] null and undefined are left out
   * @returns {Promise<any>} the answer's JSON; raises CallRefused
   */
  async call(method, path, body, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    const answer = await fetch(`${this.base}/${path}?${new URLSearchParams(given)}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const found = await answer.json();
    if (answer.ok) return found;
    throw new CallRefused(answer.status, found?.error?.message ? found.error : { code: "error", message: `The sandbox answered ${answer.status}.`, hint: null });
  }

  /**
   * Events from now on: resolves when the sandbox is listened to.
   * @param {AbortSignal} signal ends them
   * @returns {Promise<AsyncGenerator<string>>} names of events
   */
  async events(signal) {
    const answer = await fetch(`${this.base}/events`, { signal });
    return names(answer.body);
  }
}

async function* names(body) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("event: ")) yield line.slice("event: ".length);
  }
}
