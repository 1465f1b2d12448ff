/** The page's icons, drawn as inline SVG, and avatars made of initials. */

import { h } from "./dom.js";

const PATHS = {
  hash: "M10 3 8 21M16 3l-2 18M4 8.5h17M3 15.5h17",
  thread: "M4 5h16v11h-9l-4 4v-4H4zM8 9h8M8 12h5",
  members: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-4 3-6 6.5-6s6.5 2 6.5 6M16 4.5a3.3 3.3 0 0 1 0 6.3M18 14.5c2.3.8 3.5 2.8 3.5 5.5",
  beaker: "M9 3h6M10 3v6l-5 9.5A1.7 1.7 0 0 0 6.5 21h11a1.7 1.7 0 0 0 1.5-2.5L14 9V3M7.5 15h9",
  close: "M6 6l12 12M18 6 6 18",
  menu: "M4 6h16M4 12h16M4 18h16",
  chevron: "m6 9 6 6 6-6",
  check: "m5 12.5 4.5 4.5L19 7.5",
  link: "M14 5h5v5M19 5l-8 8M17 14v5H5V7h5",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  send: "M4 12 20 4l-4 16-4.5-6.5zM11.5 13.5 20 4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  copy: "M9 9h11v11H9zM5 15V4h11",
  bolt: "M13 3 5 13.5h6L10 21l8-10.5h-6z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4",
  megaphone: "M4 10v4h3l9 4V6l-9 4zM8 14.5V19h2.5v-3.5M19 9.5c1 1.5 1 3.5 0 5",
  plus: "M12 5v14M5 12h14",
  pencil: "M4 20h4L19.5 8.5l-4-4L4 16zM13 7l4 4",
  arrow: "M12 5v14M6 13l6 6 6-6",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14.5c.9 1.3 2.1 2 3.5 2s2.6-.7 3.5-2M9 9.5v.5M15 9.5v.5",
  speaker: "M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  stage: "M12 13a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 20c0-3 1.8-4.5 4-4.5s4 1.5 4 4.5M6.5 14a7 7 0 1 1 11 0",
  muted: "M12 4a3 3 0 0 1 3 3v4a3 3 0 0 1-6 0V7a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v3M4 4l16 16",
  deaf: "M5 15v-2a7 7 0 0 1 14 0v2M5 15h3v5H6a1 1 0 0 1-1-1zM19 15h-3v5h2a1 1 0 0 0 1-1zM4 4l16 16",
  reply: "M9 6 4 11l5 5M4 11h9c4 0 7 2 7 7",
};

/** A decorative icon, 24 by 24 units, in the text's color. */
export function icon(name, size = 20) {
  return h(
    "svg",
    { class: `icon icon-${name}`, viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true" },
    h("path", { d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linecap": "round", "stroke-linejoin": "round" }),
  );
}

const HUES = ["#5865f2", "#3ba55c", "#d1802c", "#c9478f", "#3a8fb7", "#8e5bd0", "#b8862b", "#d0494b"];

/** "Ada Lovelace" gives "AL", "jack-of-all" gives "JO". */
export function initials(name) {
  const words = name.split(/[\s\-_.]+/).filter(Boolean);
  const letters = words.length > 1 ? words[0][0] + words[1][0] : name.slice(0, 1);
  return letters.toUpperCase();
}

/** A round avatar: initials on a color that depends on the name. Decorative: the name is beside it. */
export function avatar(name, { bot = false, size = 40 } = {}) {
  const hue = HUES[[...name].reduce((sum, c) => (sum * 31 + (c.codePointAt(0) ?? 0)) % 9973, 7) % HUES.length];
  const svg = h("svg", { class: "avatar", viewBox: "0 0 40 40", width: size, height: size, "aria-hidden": "true" });
  if (bot) svg.append(...robot(hue));
  else {
    svg.append(
      h("circle", { cx: 20, cy: 20, r: 20, fill: hue }),
      h("text", { x: 20, y: 20, "text-anchor": "middle", "dominant-baseline": "central", fill: "#fff", "font-size": 16, "font-weight": 600 }, initials(name)),
    );
  }
  return svg;
}

/** A face with an antenna: apps look different from people at a glance. */
function robot(hue) {
  return [
    h("circle", { cx: 20, cy: 20, r: 20, fill: hue }),
    h("path", { d: "M20 13V8.5", stroke: "#fff", "stroke-width": 2.2, "stroke-linecap": "round" }),
    h("rect", { x: 10.5, y: 13, width: 19, height: 15, rx: 5, fill: "#fff" }),
    h("circle", { cx: 16.5, cy: 20, r: 2.1, fill: hue }),
    h("circle", { cx: 23.5, cy: 20, r: 2.1, fill: hue }),
  ];
}
