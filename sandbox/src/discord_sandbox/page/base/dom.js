/** Builds elements from data. Text always becomes text nodes: nothing in the page is ever parsed as HTML. */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle", "rect", "g", "text"]);

/**
 * `h("button", {class: "x", dataset: {id: 1}, onclick: f, "aria-label": "…"}, "text", node, [more])`.
 * Null, undefined and false children and properties are left out; `style` takes an object of CSS properties.
 * @param {string} tag
 * @param {?Object<string, any>} [props]
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, props, ...children) {
  const el = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "dataset") {
      for (const [key, v] of Object.entries(value)) if (v !== null && v !== undefined) el.dataset[key] = String(v);
    } else if (name === "style") {
      for (const [key, v] of Object.entries(value)) el.style.setProperty(key, String(v));
    } else if (name.startsWith("on")) {
      el.addEventListener(name.slice(2), value);
    } else {
      el.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(el, children);
  return el;
}

/** @param {Element|DocumentFragment} el @param {any[]} children */
export function append(el, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(el, child);
    else el.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces all children. */
export function fill(el, ...children) {
  el.replaceChildren();
  append(el, children);
  return el;
}

/** @returns {any} the element, which must exist */
export function $(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** `#rrggbb` of Discord's integer color; null for 0, which means "no color". */
export function hex(color) {
  return color ? `#${color.toString(16).padStart(6, "0")}` : null;
}

/** The address as a path on this origin; null for other origins, from which the page loads nothing. */
export function local(url) {
  try {
    const parsed = new URL(url, location.origin);
    return parsed.origin === location.origin ? parsed.pathname + parsed.search : null;
  } catch {
    return null;
  }
}

/** The address if it is safe to link to, else null. */
export function safeLink(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:", "mailto:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

export const compareIds = (a, b) => (a.length - b.length) || (a < b ? -1 : a > b ? 1 : 0);
