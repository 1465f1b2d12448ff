/** The start of a channel, thread, forum or direct messages, and what is shown until it is read. */

import { h } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";
import { href } from "../state/router.js";

/** A forum shows its posts, the newest first. */
function forum(channel, store) {
  const posts = store.threadsOf(channel.id).reverse();
  return h(
    "div",
    { class: "intro-start" },
    h("h2", null, channel.name),
    channel.tags.length ? h("p", null, "Tags: ", channel.tags.join(", ")) : null,
    posts.length ? h("ul", { class: "posts", "aria-label": "Posts" }, posts.map((post) => h("li", null, h("a", { href: href(store, post) }, h("b", null, post.name), post.tags.length ? ` · ${post.tags.join(", ")}` : "")))) : h("p", null, "There are no posts yet."),
  );
}

/** What stands above the first message: the start of a channel, of a forum with its posts, or a placeholder. */
export function introFor(state, channel, history, store) {
  if (state === "none") return null;
  if (state === "loading") {
    return h("div", { class: "skeleton", "aria-label": "Loading messages" }, [72, 44, 88, 60, 35].map((w) => h("div", { class: "bone", style: { "--w": `${w}%` } }, h("i"), h("b"), h("u"))));
  }
  if (history?.error) return h("div", { class: "intro-error", role: "alert" }, h("h2", null, "Messages could not be loaded"), h("p", null, history.error));
  if (state === "more") return h("div", { class: "intro-more" }, "Loading older messages…");
  if (channel.type === "direct") {
    const name = store.titleOf(channel).slice(1);
    return h("div", { class: "intro-start" }, avatar(name, { bot: true, size: 68 }), h("h2", null, name), h("p", null, `This is the beginning of your direct messages with ${name}.`));
  }
  if (channel.type === "forum") return forum(channel, store);
  const thread = Boolean(channel.parent_id);
  return h(
    "div",
    { class: "intro-start" },
    h("div", { class: "intro-sign" }, icon(thread ? "thread" : "hash", 40)),
    h("h2", null, thread ? channel.name : `Welcome to #${channel.name}!`),
    h("p", null, thread ? "This is the start of the thread." : `This is the start of the #${channel.name} channel.`),
    thread ? null : h("p", { class: "intro-hint" }, "Type ", h("kbd", null, "/"), " to see what the apps here can do."),
  );
}
