/** The form that an interaction opens. */

import { ApiError } from "../state/api.js";
import { selectOptions } from "../messages/components.js";
import { $, fill, h } from "../base/dom.js";
import { LARGEST, TOO_LARGE, sent } from "../base/files.js";
import { avatar, icon } from "../base/icons.js";
import { markdown } from "../text/markdown.js";
import { namesFor } from "../state/names.js";
import { chooseFrom } from "./selectmenu.js";

const TEXT_DISPLAY = 10;
const SELECT_TYPES = { string_select: 3, user_select: 5, role_select: 6, mentionable_select: 7, channel_select: 8 };

/**
 * @param {import("../base/types.js").Interaction} interaction with the state `modal`
 * @param {import("../state/store.js").Store} store @param {import("../state/interactions.js").Interactions} presses
 */
export function openModal(interaction, store, presses) {
  const modal = /** @type {any} */ (interaction.modal);
  const dialog = /** @type {HTMLDialogElement} */ ($("#modal"));
  if (dialog.open) dialog.close();
  const app = [...store.applications.values()].find((a) => a.name === interaction.application);
  const fields = modal.fields.map((f) => field(f, store));
  const problem = h("div", { class: "modal-problem", role: "alert", hidden: true });
  const submit = h("button", { type: "submit", class: "button primary" }, h("span", { class: "face" }, "Submit"));
  const form = h(
    "form",
    { class: "modal", novalidate: true, autocomplete: "off" },
    h("header", null, avatar(app?.display_name ?? "App", { bot: true, size: 24 }), h("h2", { id: "modal-title" }, modal.title), closeButton(dialog)),
    h("div", { class: "modal-body" }, notice(app), problem, inOrder(modal, fields, store)),
    h("footer", null, h("button", { type: "button", class: "button plain-button", onclick: () => dialog.close() }, "Cancel"), submit),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send({ interaction, fields, problem, submit, dialog, presses });
  });
  dialog.setAttribute("aria-labelledby", "modal-title");
  const before = /** @type {HTMLElement} */ (document.activeElement);
  dialog.onclose = () => before?.isConnected && before.focus();
  fill(dialog, form);
  dialog.showModal();
  form.querySelector("input, textarea, button.select")?.focus();
}

const closeButton = (dialog) => h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));

function notice(app) {
  return h("p", { class: "modal-notice" }, "This form will be submitted to ", h("b", null, app?.display_name ?? "the application"), ". Do not share passwords or other sensitive information.");
}

/** Fields in the order of Discord's components, with the texts between them. */
function inOrder(modal, fields, store) {
  const names = namesFor(store, null);
  const rest = new Set(fields);
  const out = [];
  for (const it of modal.components ?? []) {
    if (it.type === TEXT_DISPLAY) out.push(h("div", { class: "markup modal-text" }, markdown(it.content, names)));
    const ids = [it.custom_id, it.component?.custom_id, ...(it.components ?? []).map((c) => c.custom_id)];
    for (const f of fields) {
      if (ids.includes(f.id) && rest.delete(f)) out.push(f.el);
    }
  }
  return [...out, ...[...rest].map((f) => f.el)];
}

async function send({ interaction, fields, problem, submit, dialog, presses }) {
  problem.hidden = true;
  const wrong = fields.filter((f) => !f.validate());
  if (wrong.length) {
    wrong[0].focus();
    return;
  }
  submit.disabled = true;
  submit.classList.add("busy");
  try {
    const given = fields.filter((f) => f.given()).map(async (f) => [f.id, await f.value()]);
    await presses.submit(interaction.id, Object.fromEntries(await Promise.all(given)));
    dialog.close();
  } catch (error) {
    problem.textContent = error instanceof ApiError ? error.sentence : error instanceof Error ? error.message : String(error);
    problem.hidden = false;
  } finally {
    submit.disabled = false;
    submit.classList.remove("busy");
  }
}

/** @returns {{id: string, el: HTMLElement, value: () => any, given: () => boolean, validate: () => boolean, focus: () => void}} */
function field(spec, store) {
  const id = `field-${spec.custom_id.replace(/\W/g, "_")}`;
  const message = h("span", { class: "field-problem", id: `${id}-problem` });
  const control = (CONTROLS[spec.type] ?? unsupported)(spec, id, store);
  const el = h(
    "div",
    { class: "field" },
    h("label", { class: "field-label", for: id, id: `${id}-label` }, spec.label ?? spec.custom_id, spec.required ? h("span", { class: "star", "aria-hidden": "true" }, " *") : null),
    spec.description ? h("p", { class: "field-description" }, spec.description) : null,
    control.el,
    h("div", { class: "field-foot" }, message, control.counter ?? null),
  );
  const validate = () => {
    const problem = control.problem();
    message.textContent = problem ?? "";
    el.classList.toggle("invalid", Boolean(problem));
    control.focusable.setAttribute("aria-invalid", String(Boolean(problem)));
    return !problem;
  };
  control.focusable.setAttribute("aria-describedby", `${id}-problem`);
  el.addEventListener("input", () => el.classList.contains("invalid") && validate());
  return { id: spec.custom_id, el, value: control.value, given: control.given ?? (() => true), validate, focus: () => control.focusable.focus() };
}

function textControl(spec, id) {
  const paragraph = spec.style === "paragraph";
  const el = h(paragraph ? "textarea" : "input", { id, type: paragraph ? null : "text", rows: paragraph ? 4 : null, placeholder: spec.placeholder, maxlength: spec.max_length ?? 4000, "aria-required": spec.required ? "true" : null });
  el.value = spec.value ?? "";
  const counter = spec.max_length ? h("span", { class: "counter" }) : null;
  const count = () => counter && (counter.textContent = `${el.value.length}/${spec.max_length}`);
  el.addEventListener("input", count);
  count();
  const problem = () => {
    const length = el.value.trim().length;
    if (!length) return spec.required ? "This field is required." : null;
    return spec.min_length && length < spec.min_length ? `Must be at least ${spec.min_length} characters.` : null;
  };
  return { el, focusable: el, counter, value: () => el.value, problem };
}

function selectControl(spec, id, store) {
  const options = selectOptions({ type: SELECT_TYPES[spec.type], options: spec.options ?? [] }, store);
  const max = spec.max_values ?? 1;
  const min = spec.min_values ?? (spec.required ? 1 : 0);
  let values = options.filter((o) => o.default).map((o) => o.value);
  const prompt = spec.placeholder ?? "Make a selection";
  const shown = h("span", { class: "chosen" }, prompt);
  const show = () => {
    shown.textContent = options.filter((o) => values.includes(o.value)).map((o) => o.label).join(", ") || prompt;
    el.classList.toggle("empty", values.length === 0);
  };
  const el = h("button", { type: "button", id, class: "select empty", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-labelledby": `${id}-label` }, shown, icon("chevron"));
  el.addEventListener("click", async () => {
    const picked = await chooseFrom(el, options, { min, max, label: spec.label ?? prompt, chosen: values });
    if (picked) values = picked.values;
    show();
    el.dispatchEvent(new Event("input", { bubbles: true }));
  });
  show();
  return { el, focusable: el, value: () => values, problem: () => (spec.required && values.length < Math.max(1, min) ? "This field is required." : null) };
}

function choiceControl(kind) {
  return (spec, id) => {
    const boxes = (spec.options ?? []).map((o) => ({ o, box: h("input", { type: kind, name: id, checked: Boolean(o.default) }) }));
    const el = h("div", { class: "choices", id, role: kind === "radio" ? "radiogroup" : "group", "aria-labelledby": `${id}-label` }, boxes.map(({ o, box }) => h("label", null, box, h("span", null, o.label, o.description ? h("small", null, o.description) : null))));
    const picked = () => boxes.filter(({ box }) => box.checked).map(({ o }) => o.value);
    const enough = () => picked().length >= (kind === "radio" ? 1 : Math.max(1, spec.min_values ?? 1));
    return { el, focusable: boxes[0]?.box ?? el, value: () => (kind === "radio" ? picked()[0] : picked()), given: () => picked().length > 0 || kind === "checkbox", problem: () => (spec.required && !enough() ? "This field is required." : null) };
  };
}

function checkboxControl(spec, id) {
  const el = h("input", { type: "checkbox", id, checked: Boolean(spec.value) });
  return { el, focusable: el, value: () => el.checked, problem: () => null };
}

function fileControl(spec, id) {
  const max = spec.max_values ?? 1;
  const el = h("input", { type: "file", id, class: "upload", multiple: max > 1, "aria-required": spec.required ? "true" : null });
  const least = Math.max(spec.required ? 1 : 0, spec.min_values ?? 1);
  const problem = () => {
    const files = [...el.files];
    if (!files.length) return spec.required ? "This field is required." : null;
    if (files.length < least || files.length > max) return `Choose ${least === max ? max : `${least} to ${max}`} files.`;
    return files.some((f) => f.size > LARGEST) ? TOO_LARGE : null;
  };
  return { el, focusable: el, value: () => Promise.all([...el.files].map(sent)), given: () => el.files.length > 0, problem };
}

function unsupported(_spec, id) {
  const el = h("p", { class: "field-description", id, tabindex: -1 }, "This page cannot fill in this kind of field.");
  return { el, focusable: el, value: () => [], given: () => false, problem: () => null };
}

const CONTROLS = {
  text: textControl,
  string_select: selectControl, user_select: selectControl, role_select: selectControl, mentionable_select: selectControl, channel_select: selectControl,
  file_upload: fileControl,
  radio_group: choiceControl("radio"), checkbox_group: choiceControl("checkbox"), checkbox: checkboxControl,
};
