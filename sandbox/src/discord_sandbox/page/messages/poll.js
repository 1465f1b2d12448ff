/** A poll: its question, and a button for each answer that says how many chose it. */

import { h } from "../base/dom.js";
import { full } from "../base/time.js";

/** @param {any} poll @param {?string} acting who looks at it */
export function poll(poll, acting) {
  const total = poll.answers.reduce((sum, a) => sum + a.count, 0);
  return h(
    "div",
    { class: "poll", role: "group", "aria-label": `Poll: ${poll.question}` },
    h("strong", null, poll.question),
    h("small", null, poll.finalized ? "The poll has ended." : poll.multiple ? "Select one or more answers" : "Select one answer"),
    poll.answers.map((answer) => {
      const mine = answer.users.includes(acting);
      const share = total ? Math.round((answer.count / total) * 100) : 0;
      return h(
        "button",
        { type: "button", class: "poll-answer", disabled: poll.finalized, "aria-pressed": String(mine), title: answer.users.join(", "), style: { "--share": `${share}%` }, dataset: { key: answer.id, action: "vote", answer: answer.id } },
        answer.emoji ? h("span", { class: "emoji" }, answer.emoji) : null,
        h("span", { class: "ellipsis" }, answer.text),
        h("span", { class: "poll-count" }, `${answer.count} · ${share}%`),
      );
    }),
    h("small", null, `${total} ${total === 1 ? "vote" : "votes"} · ends ${full(poll.expires)}`),
  );
}
