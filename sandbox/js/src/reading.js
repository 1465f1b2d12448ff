/** Read channels, and wait until a message is there. */

import { CallRefused } from "./api.js";
import { SeenMessage } from "./seen.js";

const SHOWN = 5;

/** @param {import("./api.js").Api} api @param {object} query `as` and `guild` @returns {Promise<SeenMessage[]>} newest last */
export async function messages(api, channel, query) {
  const found = await api.call("GET", `channels/${encodeURIComponent(channel)}/messages`, undefined, query);
  return found.messages.map((one) => new SeenMessage(one));
}

/**
 * The newest message that fits, now or as soon as one does. The channel can be a thread that does not exist yet.
 * @param {{ author?: string, after?: SeenMessage, seconds?: number }} how
 * @returns {Promise<SeenMessage>} throws after `seconds`, with what is there instead
 */
export async function waitForMessage(api, channel, text, { author, after, seconds = 5 }, query) {
  const fits = (one) =>
    one.text.includes(text) && (!author || one.author === author) && (!after || BigInt(one.id) > BigInt(after.id));
  const end = new AbortController();
  const timer = setTimeout(() => end.abort(), seconds * 1000);
  let last = [];
  try {
    const events = await api.events(end.signal);
    for (;;) {
      last = await known(api, channel, query);
      const found = last.findLast(fits);
      if (found) return found;
      await next(events);
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
    const there = last.slice(-SHOWN).map((one) => `\n  ${one.author}: ${one.text}`).join("");
    throw new Error(
      `No message with "${text}"${author ? ` by ${author}` : ""} in ${channel} within ${seconds} s.${there ? ` The newest there:${there}` : " There is none."}`,
    );
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

async function known(api, channel, query) {
  try {
    return await messages(api, channel, query);
  } catch (error) {
    if (error instanceof CallRefused && error.code === "unknown_channel") return [];
    throw error;
  }
}

async function next(events) {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error("The sandbox stopped.");
    if (/^(message|thread|channel)_/.test(value)) return;
  }
}
