/** The field of an attachment option: one file, from the picker, dropped, or pasted. */

import { LARGEST, TOO_LARGE, sent } from "../base/files.js";
import { h } from "../base/dom.js";
import { clearProblem } from "./optionvalues.js";

/**
 * Lets a field take a file in place of text. A click, Enter or Space opens the picker; Backspace takes the file out.
 * @param {import("./commandline.js").Field} field
 * @param {{onTaken: () => void, onProblem: (sentence: string) => void}} wiring
 */
export function takeFile(field, { onTaken, onProblem }) {
  const { el, input } = field;
  const picker = h("input", { type: "file", hidden: true, tabindex: -1, "aria-hidden": "true" });
  input.readOnly = true;
  input.placeholder = "Choose a file";
  input.size = input.placeholder.length;
  el.append(picker);

  const put = (name, value) => {
    Object.assign(field, { text: name, value, chosen: value !== null });
    input.value = name;
    input.size = Math.max(1, (name || input.placeholder).length);
    clearProblem(field);
  };
  const take = async (file) => {
    if (!file) return;
    if (file.size > LARGEST) return onProblem(TOO_LARGE);
    try {
      put(file.name, await sent(file));
    } catch (error) {
      return onProblem(String(error));
    }
    return onTaken();
  };
  // The picker is inside the label: its click must not count as one on the field, which opens it.
  picker.addEventListener("click", (event) => event.stopPropagation());
  picker.addEventListener("change", () => {
    void take(picker.files[0]);
    picker.value = "";
  });
  input.addEventListener("click", () => picker.click());
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
    if ((event.key === "Enter" || event.key === " ") && !field.chosen) picker.click();
    else if ((event.key === "Backspace" || event.key === "Delete") && field.chosen) put("", null);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { capture: true });
  for (const [kind, filesOf] of [["drop", (event) => event.dataTransfer], ["paste", (event) => event.clipboardData]]) {
    el.addEventListener(kind, (event) => {
      const [file] = filesOf(event)?.files ?? [];
      if (!file) return;
      event.preventDefault();
      event.stopPropagation();
      void take(file);
    });
  }
}
