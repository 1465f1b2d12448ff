/** Pictures and files: attachments, galleries, and the picture opened large. */

import { $, fill, h, local } from "../base/dom.js";
import { icon } from "../base/icons.js";

const PICTURE = /\.(png|jpe?g|gif|webp|svg)(\?|$)/i;

/** Attachments not yet shown by a component or an embed. */
export function attachments(message) {
  const shown = JSON.stringify([message.components, message.embeds]);
  const rest = message.attachments.filter((a) => !shown.includes(`/${a.id}/`));
  const pictures = rest.filter((a) => isPicture(a));
  const files = rest.filter((a) => !isPicture(a));
  return [
    pictures.length ? gallery(pictures.map((a) => ({ url: a.url, description: a.description ?? a.filename, width: a.width, height: a.height }))) : null,
    ...files.map((a) => file({ url: a.url, name: a.filename, size: a.size })),
  ];
}

const isPicture = (a) => (a.content_type ?? "").startsWith("image/") || PICTURE.test(a.filename);

/** @param {{url: string, description?: ?string, width?: ?number, height?: ?number, spoiler?: boolean}[]} items */
export function gallery(items) {
  return h("div", { class: "gallery", dataset: { count: Math.min(items.length, 5) } }, items.map((item) => picture(item)));
}

/** A picture that opens large when pressed; one on another host is only named. */
export function picture({ url, description, width, height, spoiler }, className = "picture") {
  const src = local(url);
  const alt = description || "Image";
  if (!src) return elsewhere(url, alt);
  return h(
    "button",
    { type: "button", class: `${className}${spoiler ? " spoiled" : ""}`, dataset: { action: "image", src, alt }, "aria-label": `Enlarge image: ${alt}` },
    h("img", { src, alt, width, height, loading: "eager", decoding: "async", draggable: "false" }),
  );
}

function elsewhere(url, alt) {
  return h("span", { class: "picture-elsewhere", title: "This page loads nothing from other hosts." }, icon("image", 16), ` ${alt} `, h("small", null, String(url)));
}

export function file({ url, name, size }) {
  const href = local(url);
  return h(
    "div",
    { class: "file" },
    icon("file", 30),
    h("div", { class: "file-text" }, h("a", { href, download: name, target: "_blank" }, name ?? "file"), h("small", null, bytes(size))),
    href ? h("a", { class: "icon-button", href, download: name, "aria-label": `Download ${name ?? "file"}` }, icon("download")) : null,
  );
}

function bytes(size) {
  if (size === undefined || size === null) return "";
  if (size < 1024) return `${size} bytes`;
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(2)} KB` : `${(size / 1024 / 1024).toFixed(2)} MB`;
}

/** Opens a picture over everything; Escape or a press beside it closes it. */
export function enlarge(src, alt) {
  const dialog = /** @type {HTMLDialogElement} */ ($("#lightbox"));
  fill(
    dialog,
    h("img", { src, alt }),
    h(
      "div",
      { class: "lightbox-bar" },
      h("span", null, alt),
      h("a", { href: src, target: "_blank", rel: "noopener" }, "Open in browser"),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close image", onclick: () => dialog.close() }, icon("close")),
    ),
  );
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  dialog.showModal();
}
