import { append } from "./dom.js";

/**
 * Changes an element in place until it equals a freshly rendered one. Whatever did not change stays: focus, scroll
 * position, loaded pictures and running animations. Attributes `data-ui-*` belong to the
 * page's own state (an opened spoiler) and are left alone. Listeners are not compared: what is morphed must use
 * delegated events.
 * @param {any} from @param {any} to
 * @returns {any} the node that now stands in the document
 */
export function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || key(from) !== key(to)) {
    from.replaceWith(to);
    return to;
  }
  if (from.nodeType === Node.TEXT_NODE) {
    if (from.data !== to.data) from.data = to.data;
    return from;
  }
  attributes(from, to);
  children(from, to);
  return from;
}

/** Gives an element these children, changing those it has in place, so that the focus stays. */
export function refill(el, ...wanted) {
  const shell = el.cloneNode(false);
  append(shell, wanted);
  children(el, shell);
}

const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.dataset?.key ?? null : null);

function attributes(from, to) {
  for (const { name, value } of [...to.attributes]) {
    // Content security policy forbids style attributes, and allows the object model.
    if (name === "style") continue;
    if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  if (from.style && from.style.cssText !== to.style.cssText) from.style.cssText = to.style.cssText;
  for (const { name } of [...from.attributes]) {
    if (name !== "style" && !name.startsWith("data-ui-") && !to.hasAttribute(name)) from.removeAttribute(name);
  }
}

function children(from, to) {
  const keyed = new Map();
  for (const child of from.childNodes) if (key(child)) keyed.set(key(child), child);
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const match = key(wanted) ? keyed.get(key(wanted)) : place && !key(place) ? place : null;
    if (!match) {
      from.insertBefore(wanted, place);
      continue;
    }
    if (match !== place) from.insertBefore(match, place);
    place = morph(match, wanted).nextSibling;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
