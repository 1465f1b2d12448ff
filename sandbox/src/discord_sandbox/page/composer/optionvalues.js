/** Values of a slash command's options: suggestions while typing, the check before sending. */

import { api } from "../state/api.js";
import { avatar } from "../base/icons.js";

const MOST = 25;
export const KIND = { STRING: 3, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, ATTACHMENT: 11 };

/** Takes back what was said to be wrong with a field. @param {import("./commandline.js").Field} field */
export function clearProblem(field) {
  field.problem = null;
  field.el.classList.remove("invalid");
  field.input.removeAttribute("aria-invalid");
}

/** Whether the value must come from a list. */
export function isClosed(option) {
  return Boolean(option.choices?.length) || [KIND.BOOLEAN, KIND.USER, KIND.CHANNEL, KIND.ROLE, KIND.MENTIONABLE].includes(option.type);
}

/**
 * Suggestions known without asking the bot; null for options without any.
 * @returns {?import("../overlays/listbox.js").Item[]}
 */
export function localSuggestions(option, typed, store) {
  const all = candidates(option, store);
  if (!all) return null;
  const query = typed.trim().replace(/^[@#]/, "").toLowerCase();
  const fits = all.filter((item) => `${item.title} ${item.detail ?? ""}`.toLowerCase().includes(query));
  return fits.sort((a, b) => rank(a, query) - rank(b, query)).slice(0, MOST);
}

const rank = (item, query) => (String(item.title).toLowerCase().replace(/^[@#]/, "").startsWith(query) ? 0 : 1);

function candidates(option, store) {
  if (option.choices?.length) return option.choices.map((c) => ({ title: c.name, value: c.value }));
  const people = () => [
    ...store.peopleHere().map((p) => ({ title: p.display_name, detail: p.name, value: p.id, lead: avatar(p.display_name, { size: 24 }) })),
    ...store.applicationsHere().map((a) => ({ title: a.display_name, detail: "app", value: a.bot_id, lead: avatar(a.display_name, { bot: true, size: 24 }) })),
  ];
  const roles = () => (store.guild?.roles ?? []).filter((r) => r.id !== store.guildId).map((r) => ({ title: `@${r.name}`, value: r.id }));
  switch (option.type) {
    case KIND.BOOLEAN: return [{ title: "True", value: true }, { title: "False", value: false }];
    case KIND.USER: return people();
    case KIND.ROLE: return roles();
    case KIND.MENTIONABLE: return [...people(), ...roles()];
    case KIND.CHANNEL: return store.channelsHere().map((c) => ({ title: `#${c.name}`, value: c.id }));
    default: return null;
  }
}

/** Asks the bot. @returns {Promise<import("../overlays/listbox.js").Item[]>} raises ApiError when it does not answer */
export async function remoteSuggestions(body, signal) {
  const { choices } = await api.autocomplete(body, signal);
  return choices.map((c) => ({ title: c.name, value: c.value }));
}

/**
 * @param {import("../base/types.js").Option} option @param {{text: string, value: any, chosen: boolean}} entered
 * @returns {{value: any} | {problem: string}}
 */
export function check(option, { text, value, chosen }, store) {
  const typed = text.trim();
  if (chosen) return { value };
  if (!typed) return { problem: `This option is required. ${option.type === KIND.ATTACHMENT ? "Choose a file." : "Specify a value."}` };
  if (isClosed(option)) {
    const same = (localSuggestions(option, typed, store) ?? []).find((i) => String(i.title).toLowerCase().replace(/^[@#]/, "") === typed.toLowerCase().replace(/^[@#]/, ""));
    return same ? { value: same.value } : { problem: "Enter a valid value." };
  }
  if (option.type === KIND.INTEGER || option.type === KIND.NUMBER) return checkNumber(option, typed);
  if (option.min_length && typed.length < option.min_length) return { problem: `Enter at least ${option.min_length} characters.` };
  if (option.max_length && typed.length > option.max_length) return { problem: `Enter at most ${option.max_length} characters.` };
  return { value: typed };
}

function checkNumber(option, typed) {
  const number = Number(typed);
  if (!Number.isFinite(number)) return { problem: "Enter a valid number." };
  if (option.type === KIND.INTEGER && !Number.isInteger(number)) return { problem: "Enter a whole number." };
  if (option.min_value !== undefined && number < option.min_value) return { problem: `Enter a number of at least ${option.min_value}.` };
  if (option.max_value !== undefined && number > option.max_value) return { problem: `Enter a number of at most ${option.max_value}.` };
  return { value: number };
}
