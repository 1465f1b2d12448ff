/** Voice channels in the list: who is in one; a click joins it, a button leaves it. There is no sound. */

import { h } from "../base/dom.js";
import { avatar, icon } from "../base/icons.js";
import { ApiError, api } from "../state/api.js";
import { toast } from "../overlays/toasts.js";

export const isVoice = (channel) => channel.type === "voice" || channel.type === "stage";

/** "2 / 5" beside a channel with a limit. */
export function seats(channel) {
  if (!isVoice(channel) || !channel.user_limit) return null;
  return h("span", { class: "seats", title: "People in it, and its limit" }, `${channel.voice.length} / ${channel.user_limit}`);
}

/** @param {import("../base/types.js").Channel} channel @param {import("../state/store.js").Store} store */
export function voices(channel, store) {
  if (!isVoice(channel) || !channel.voice.length) return null;
  return h("ul", { class: "voices", "aria-label": `In ${channel.name}` }, channel.voice.map((one) => voice(one, store)));
}

function voice(one, store) {
  const name = one.bot ? one.display_name : store.person(one.user)?.display_name ?? one.display_name;
  const silent = [one.mute || one.self_mute || one.suppress ? "muted" : null, one.deaf || one.self_deaf ? "deaf" : null].filter(Boolean);
  return h(
    "li",
    { dataset: { key: one.user_id } },
    avatar(name, { bot: one.bot, size: 20 }),
    h("span", { class: "ellipsis" }, name),
    silent.map((sign) => h("span", { role: "img", "aria-label": sign, title: sign }, icon(sign, 16))),
    !one.bot && one.user === store.acting ? h("button", { type: "button", class: "leave-voice", dataset: { leaveVoice: "" } }, "Leave") : null,
  );
}

/** Joins the voice channel that was clicked as the acting person, or leaves voice. */
export function clickedVoice(event, store) {
  const user = store.acting;
  const link = event.target.closest("a[data-voice]");
  const channel = link ? store.channels.get(link.dataset.id) : null;
  const inside = channel?.voice.some((one) => one.user === user);
  if (user && channel && !inside) refused("Not joined", api.joinVoice({ user, channel: channel.id }));
  if (user && event.target.closest("[data-leave-voice]")) refused("Not left", api.leaveVoice({ user, guild: store.guildId }));
}

const refused = (title, call) => call.catch((error) => toast({ title, text: error instanceof ApiError ? error.sentence : String(error) }));
