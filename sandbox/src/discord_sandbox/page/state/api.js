/** Calls of the sandbox's JSON API. Errors are `ApiError`s with the API's sentence and hint. */

const BASE = "/sandbox/v1/";

export class ApiError extends Error {
  /**
   * @param {string} code @param {string} message @param {?string} hint @param {number} status 0: not reached
   * @param {?number} retryAfter of slow mode, in seconds
   */
  constructor(code, message, hint, status, retryAfter = null) {
    super(message);
    this.code = code;
    this.hint = hint;
    this.status = status;
    this.retryAfter = retryAfter;
  }

  get sentence() {
    return this.hint ? `${this.message} ${this.hint}` : this.message;
  }
}

/** @returns {Promise<any>} the answer's JSON; raises ApiError, with status 0 if there is no answer */
async function call(method, path, body, signal) {
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      signal,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("unreachable", "The sandbox does not answer.", "Is it still running?", 0);
  }
  const json = await answer.json().catch(() => null);
  if (answer.ok) return json;
  const error = json?.error ?? {};
  throw new ApiError(
    error.code ?? "error", error.message ?? `The sandbox answered ${answer.status}.`, error.hint ?? null, answer.status, error.retry_after ?? null,
  );
}

const query = (params) => new URLSearchParams(Object.entries(params).filter(([, v]) => v !== null && v !== undefined));

export const api = {
  state: () => call("GET", "state"),
  messages: (channel, as, before, limit = 50) => call("GET", `channels/${channel}/messages?${query({ as, before, limit })}`),
  message: (id, as) => call("GET", `messages/${id}?${query({ as })}`),
  edit: (id, body) => call("PATCH", `messages/${id}`, body),
  vote: (body) => call("POST", "votes", body),
  startThread: (body) => call("POST", "threads", body),
  say: (body) => call("POST", "messages", body),
  command: (body) => call("POST", "commands", body),
  autocomplete: (body, signal) => call("POST", "autocomplete", body, signal),
  press: (body) => call("POST", "presses", body),
  select: (body) => call("POST", "selects", body),
  submit: (body) => call("POST", "modals", body),
  interaction: (id) => call("GET", `interactions/${id}`),
  react: (body) => call("POST", "reactions", body),
  joinVoice: (body) => call("POST", "voice", body),
  leaveVoice: (body) => call("DELETE", "voice", body),
  unreact: (body) => call("DELETE", "reactions", body),
  changePerson: (name, body) => call("PATCH", `people/${encodeURIComponent(name)}`, body),
  removeMessage: (id, user = null) => call("DELETE", `messages/${id}?${query({ user })}`),
  faults: () => call("GET", "faults"),
  addFault: (body) => call("POST", "faults", body),
  removeFault: (id) => call("DELETE", `faults/${id}`),
  changeService: (name, environment, body) => call("POST", `services/${encodeURIComponent(name)}?${query({ environment })}`, body),
  service: (name, environment) => call("GET", `services/${encodeURIComponent(name)}?${query({ environment })}`),
};
