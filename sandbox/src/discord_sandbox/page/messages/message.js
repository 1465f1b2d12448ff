/** One message as a list item, rendered from data; the timeline handles presses in it. */

import { components, dots } from "./components.js";
import { h, hex } from "../base/dom.js";
import { embed } from "./embeds.js";
import { avatar, icon } from "../base/icons.js";
import { customEmoji } from "../text/emoji.js";
import { inline, plainLine } from "../text/inline.js";
import { markdown } from "../text/markdown.js";
import { attachments } from "./media.js";
import { poll } from "./poll.js";
import { namesFor } from "../state/names.js";
import { clock, full, messageTime } from "../base/time.js";

const SYSTEM = { 6: "pin", 18: "thread-created" };
const REPLY = 19;
const THREAD_STARTER = 21;

/**
 * @typedef {{store: import("../state/store.js").Store, presses: import("../state/interactions.js").Interactions, grouped: boolean,
 *   inThread: boolean}} View
 * @param {import("../base/types.js").Message} message @param {View} view
 * @returns {HTMLLIElement}
 */
export function messageRow(message, view) {
  const { store } = view;
  const original = message.type === THREAD_STARTER ? store.findMessage(message.reference?.message_id) : null;
  if (original) return messageRow({ ...original, key: message.id }, { ...view, grouped: false, inThread: true });
  // Every direct message notifies, so none of them stands out.
  const mentioned = message.guild_id && store.acting && message.notified?.includes(store.acting);
  const classes = ["message", view.grouped && "grouped", mentioned && "mentioned", message.ephemeral && "ephemeral", message.local === "failed" && "unanswered"].filter(Boolean);
  if (SYSTEM[message.type]) return system(message, view, classes);
  return h(
    "li",
    { class: classes.join(" "), tabindex: -1, dataset: { key: message.key ?? message.id, id: message.id }, "aria-label": summary(message, store) },
    context(message, view),
    h(
      "div",
      { class: "message-main" },
      h("div", { class: "gutter" }, view.grouped ? messageTime(message.created, clock(message.created)) : avatar(message.author_name, { bot: message.bot })),
      h("div", { class: "message-content" }, view.grouped ? null : heading(message), body(message, view)),
    ),
    toolbar(message, store),
  );
}

function summary(message, store) {
  const text = plainLine(message.text ?? "", namesFor(store, message), 160);
  return `${message.author_name}, ${full(message.created)}: ${message.loading ? "thinking" : text}`;
}

function heading(message) {
  const color = hex(message.color);
  return h(
    "div",
    { class: "heading" },
    h("span", { class: "author", style: color ? { color } : {} }, message.author_name),
    message.bot ? appTag() : null,
    messageTime(message.created),
  );
}

export const appTag = () => h("span", { class: "app-tag" }, "APP");

/** The line above a message: the command or the message that it answers. */
function context(message, { store }) {
  const asked = message.interaction;
  if (asked && asked.type === "command") {
    const person = store.people.find((p) => p.name === asked.user);
    const name = person?.display_name ?? asked.user;
    return h(
      "div",
      { class: "context" },
      h("span", { class: "spine", "aria-hidden": "true" }),
      avatar(name, { size: 16 }),
      h("span", { class: "context-author", style: person?.color ? { color: hex(person.color) } : {} }, name),
      " used ",
      h("span", { class: "command-name" }, icon("bolt", 12), ` ${asked.command}`),
    );
  }
  const shows = message.type === REPLY || message.type === THREAD_STARTER || (message.reference && !asked);
  const forward = message.forwarded !== null && message.forwarded !== undefined;
  return message.reference?.message_id && shows && !forward ? replied(message.reference, store) : null;
}

function replied(reference, store) {
  const original = store.findMessage(reference.message_id);
  const text = original ? plainLine(original.text, namesFor(store, original)) : "";
  return h(
    "div",
    { class: "context" },
    h("span", { class: "spine", "aria-hidden": "true" }),
    original ? avatar(original.author_name, { bot: original.bot, size: 16 }) : icon("reply", 16),
    original ? h("span", { class: "context-author" }, original.author_name) : null,
    h("button", { type: "button", class: "plain", dataset: { action: "jump", target: reference.message_id } }, original ? text || "Click to see message" : "Original message"),
  );
}

function body(message, view) {
  const { store, presses } = view;
  if (message.loading) {
    return [h("div", { class: "thinking" }, dots(), ` ${message.author_name} is thinking…`), message.ephemeral ? onlyYou(message) : null];
  }
  const names = namesFor(store, message);
  const controls = {
    names,
    busy: (id) => presses.isBusy(message.id, id),
    chosen: (id) => presses.chosen(message.id, id),
    locked: presses.isLocked(message.id),
  };
  const edited = message.edited ? h("span", { class: "edited", title: full(message.edited) }, "(edited)") : null;
  return [
    message.content ? h("div", { class: `markup text${onlyEmoji(message.content) ? " jumbo" : ""}` }, markdown(message.content, names), edited) : null,
    message.forwarded === null || message.forwarded === undefined ? null : h("blockquote", { class: "forwarded" }, h("small", null, icon("arrow", 12), " Forwarded"), h("div", { class: "markup text" }, markdown(message.forwarded, names))),
    message.poll ? poll(message.poll, store.acting) : null,
    attachments(message),
    message.embeds.map((e) => embed(e, names)),
    message.components.length ? h("div", { class: "components" }, components(message.components, controls)) : null,
    message.content ? null : edited,
    presses.problem(message.id) ? h("div", { class: "failed", role: "alert" }, presses.problem(message.id)) : null,
    reactions(message, store),
    message.thread && !view.inThread ? threadPreview(message.thread, store) : null,
    message.ephemeral ? onlyYou(message) : null,
  ];
}

function reactions(message, store) {
  if (!message.reactions?.length) return null;
  return h(
    "div",
    { class: "reactions", role: "group", "aria-label": "Reactions" },
    message.reactions.map((r) => {
      const mine = r.users.includes(store.acting);
      const who = r.users.map((name) => displayName(name, store)).join(", ");
      return h("button", { type: "button", class: "reaction", title: who, "aria-pressed": String(mine), "aria-label": `${r.emoji}, ${r.count}: ${who}`, dataset: { key: r.emoji, action: "react", emoji: r.emoji } }, r.emoji_id ? customEmoji(r.emoji.slice(1, -1), r.emoji_id) : h("span", { class: "emoji" }, r.emoji), h("span", { class: "reaction-count" }, r.count));
    }),
    h("button", { type: "button", class: "reaction more", dataset: { key: "more", action: "pick-emoji" }, "aria-label": "Add a reaction", "aria-haspopup": "menu", title: "Add a reaction" }, icon("smile", 18)),
  );
}

/** The display name of a person or application, by their user name. */
function displayName(name, store) {
  const application = [...store.applications.values()].find((a) => a.name === name);
  return application?.display_name ?? store.people.find((p) => p.name === name)?.display_name ?? name;
}

const onlyEmoji = (text) => /^(?:\p{Extended_Pictographic}\uFE0F?\s*){1,9}$/u.test(text);

function onlyYou(message) {
  return h(
    "div",
    { class: "only-you" },
    icon("eye", 16),
    " Only you can see this • ",
    h("button", { type: "button", class: "as-link", dataset: { action: "dismiss" }, "aria-label": "Dismiss this message" }, "Dismiss message"),
  );
}

function threadPreview(thread, store) {
  const channel = store.channels.get(thread.id);
  const count = Math.max(channel?.message_count ?? 0, thread.message_count ?? 0);
  const last = channel?.last ?? store.visible(thread.id).at(-1);
  const label = count === 0 ? "See thread" : `${count} ${count === 1 ? "message" : "messages"}`;
  return h(
    "button",
    { type: "button", class: "thread-preview", dataset: { action: "thread", thread: thread.id }, "aria-label": `Open thread ${channel?.name ?? thread.name}, ${label}` },
    h("span", { class: "thread-title" }, h("strong", null, channel?.name ?? thread.name), h("span", { class: "thread-count" }, `${label} ›`)),
    h("span", { class: "thread-last" }, last ? [avatar(last.author_name, { bot: last.bot, size: 16 }), h("b", null, last.author_name), h("span", { class: "ellipsis" }, plainLine(last.content || last.text, namesFor(store, last), 120)), messageTime(last.created)] : thread.archived ? "This thread is archived." : (channel?.message_count ?? thread.message_count) ? "Open the thread to read it." : "There are no messages in this thread yet."),
  );
}

function toolbar(message, store) {
  if (message.local) return null;
  const own = message.author === store.acting && !message.bot;
  const everyones = !message.ephemeral;
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
    everyones ? tool("pick-emoji", "Add a reaction", "smile", { "aria-haspopup": "menu" }) : null,
    everyones ? tool("reply", "Reply", "reply") : null,
    own ? tool("edit", "Edit", "pencil") : null,
    everyones ? tool("apps", "Apps", "bolt", { "aria-haspopup": "listbox" }) : null,
    tool("copy", "Copy message ID", "copy"),
    everyones ? tool(own ? "delete" : "remove", own ? "Delete message" : "Delete message as an administrator", "trash", { class: "icon-button danger" }) : null,
  );
}

const tool = (action, name, sign, more = {}) =>
  h("button", { type: "button", class: "icon-button", dataset: { action }, "aria-label": name, title: name, ...more }, icon(sign, 18));

function system(message, { store }, classes) {
  const names = namesFor(store, message);
  const created = message.type === 18;
  const thread = created ? message.reference?.channel_id : null;
  return h(
    "li",
    { class: [...classes, "system"].join(" "), tabindex: -1, dataset: { key: message.id, id: message.id } },
    h(
      "div",
      { class: "message-main" },
      h("div", { class: "gutter" }, icon(created ? "thread" : "link", 18)),
      h(
        "div",
        { class: "message-content" },
        h("b", null, message.author_name),
        created ? " started a thread: " : " pinned a message to this channel. ",
        created ? h("button", { type: "button", class: "as-link strong", dataset: { action: "thread", thread } }, inline(message.content, names)) : null,
        " ",
        messageTime(message.created),
      ),
    ),
  );
}
