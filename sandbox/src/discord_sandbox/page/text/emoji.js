import { h } from "../base/dom.js";

/** A custom emoji, as its name where the server has no such picture (any more). */
export function customEmoji(name, id) {
  const label = `:${name}:`;
  const missing = (event) => event.target.replaceWith(h("span", { class: "emoji-custom", title: label }, label));
  return h("img", { class: "emoji-picture", src: `/cdn/emojis/${id}`, alt: label, title: label, onerror: missing });
}

/** The shortcodes that bots write most. Others stay as they are written, as an unknown name does in Discord. */
export const EMOJI = {
  white_check_mark: "✅", heavy_check_mark: "✔️", check: "✅", x: "❌", no_entry: "⛔", no_entry_sign: "🚫", warning: "⚠️",
  rotating_light: "🚨", fire: "🔥", rocket: "🚀", eyes: "👀", tada: "🎉", lock: "🔒", unlock: "🔓", bell: "🔔", no_bell: "🔕",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", clock1: "🕐", stopwatch: "⏱️", timer: "⏲️", rewind: "⏪", arrow_right: "➡️",
  arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️", arrows_counterclockwise: "🔄", leftwards_arrow_with_hook: "↩️",
  chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", bar_chart: "📊", package: "📦", ship: "🚢", anchor: "⚓",
  construction: "🚧", gear: "⚙️", wrench: "🔧", hammer: "🔨", bug: "🐛", mag: "🔍", memo: "📝", link: "🔗", pause_button: "⏸️",
  arrow_forward: "▶️", stop_button: "⏹️", octagonal_sign: "🛑", red_circle: "🔴", green_circle: "🟢", yellow_circle: "🟡",
  orange_circle: "🟠", blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫", red_square: "🟥", green_square: "🟩",
  yellow_square: "🟨", thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", wave: "👋", pray: "🙏", heart: "❤️", smile: "😄",
  question: "❓", exclamation: "❗", information_source: "ℹ️", baby_chick: "🐤", bird: "🐦", snail: "🐌", boom: "💥", skull: "💀",
};
