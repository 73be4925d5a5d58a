// The review room's picture in its frame, by keys and buttons; pane.js handles gestures. The style sheet reads the view
// as --zoom, --x and --y, so that pins keep their size.

import { ARROWS, FITTED, NUDGE, Pane, moveByHand, zoomOf } from "./pane.js";

let pane = null; // none while there is no picture
let shownOf; // the id of its frame: htmx may reuse the element as the frame of another picture

function draw() {
  for (const [name, value] of Object.entries(pane.view)) pane.frame.style.setProperty(`--${name}`, value);
  pane.frame.toggleAttribute("data-zoomed", pane.zoomed);
  pane.frame.toggleAttribute("data-crisp", pane.crisp);
  document.querySelector("[data-percent]").textContent = pane.percent;
}

// In px of the picture, as stated by the page before the picture has loaded.
function sizeOf(frame) {
  const [width, height] = ["width", "height"].map((side) => Number(frame.querySelector("img").getAttribute(side)));
  return { width, height };
}

// Another picture is shown whole; the same one keeps its view.
export function enterZoom() {
  const frame = document.querySelector("[data-frame]");
  const view = pane && frame?.id === shownOf ? pane.view : FITTED;
  shownOf = frame?.id;
  pane = frame && new Pane({ frame, size: () => sizeOf(frame), draw });
  if (!frame) return;
  const { width, height } = sizeOf(frame);
  frame.closest(".duo").style.setProperty("--ar", width / height); // the page's class is only approximate
  pane.show(view);
}

export const isZoomed = () => Boolean(pane?.zoomed);
export const placeAt = (point) => pane.placeAt(point);

// True if the key was handled.
export function zoomKey({ key, shiftKey }) {
  const arrow = shiftKey && isZoomed() && ARROWS[key];
  if (!pane || !(zoomOf(key) || arrow)) return false;
  if (arrow) pane.pan(arrow[0] * NUDGE, arrow[1] * NUDGE);
  else pane.zoom(zoomOf(key));
  return true;
}

addEventListener("click", ({ target }) => {
  const button = target.closest("[data-zoom]");
  if (button) pane.zoom(button.dataset.zoom);
});

addEventListener("resize", () => pane?.show(pane.view));
moveByHand((element) => (pane?.frame.contains(element) ? pane : null));
