// Pins: a click on the picture, or P and the arrow keys, sets the point of a comment. The point is stored in hidden fields
// of the form #composer, as fractions of the picture's width and height.

import { _ } from "./languages.js";
import { placeAt } from "./zoom.js";

const STEP = 0.01; // of the picture, for an arrow key
const FAR = 0.1; // the same with Shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let aimed = null; // {x, y} while keys move the crosshair, or a tap is expected
let before = null; // {x, y} of the pin that the latest click moved, if any

const composer = () => document.getElementById("composer");
const within = (fraction) => Math.min(Math.max(fraction, 0), 1);
const percent = (fraction) => Math.round(fraction * 100);

function say(words) {
  document.getElementById("room-said").textContent = words;
}

function draw({ x, y }) {
  const draft = document.querySelector("[data-draft]");
  draft.setAttribute("x", `${x * 100}%`);
  draft.setAttribute("y", `${y * 100}%`);
  draft.toggleAttribute("data-on", true);
}

function place({ x, y }) {
  const form = composer();
  form.querySelector("[data-x]").value = x.toFixed(4);
  form.querySelector("[data-y]").value = y.toFixed(4);
  showPin({ x, y });
  stopAiming();
  form.querySelector("textarea").focus();
}

function showPin({ x, y }) {
  composer().querySelector("[data-aim-words]").textContent = _("%(left)s %%, %(top)s %%", { left: percent(x), top: percent(y) });
  composer().querySelector("[data-unpin]").hidden = false;
  draw({ x, y });
}

export function unpin() {
  const form = composer();
  for (const field of form.querySelectorAll("[data-x], [data-y]")) field.value = "";
  form.querySelector("[data-aim-words]").textContent = _("Pin");
  form.querySelector("[data-unpin]").hidden = true;
  document.querySelector("[data-draft]").toggleAttribute("data-on", false);
}

// The comment's point; null for none.
function pinned() {
  const [x, y] = ["x", "y"].map((name) => composer().querySelector(`[data-${name}]`).value);
  return x ? { x: Number(x), y: Number(y) } : null;
}

const byTouch = () => matchMedia("(pointer: coarse)").matches;

function aim() {
  if (aimed) { // pressed again
    stopAiming();
    unpin();
    return;
  }
  aimed = pinned() ?? { x: 0.5, y: 0.5 };
  const frame = document.querySelector("[data-frame]");
  frame.toggleAttribute("data-aiming", true);
  frame.scrollIntoView({ block: "nearest" });
  draw(aimed);
  say(byTouch() ? _("Tap the picture.") : _("Arrow keys move the crosshair, Enter places the pin, Escape cancels."));
}

function stopAiming() {
  aimed = null;
  document.querySelector("[data-frame]")?.toggleAttribute("data-aiming", false);
}

// Before the room's other keys, which also use arrows.
addEventListener("keydown", (event) => {
  if (!aimed || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) {
    const step = event.shiftKey ? FAR : STEP;
    aimed = { x: within(aimed.x + arrow[0] * step), y: within(aimed.y + arrow[1] * step) };
    draw(aimed);
    say(_("%(left)s %% from the left, %(top)s %% from the top", { left: percent(aimed.x), top: percent(aimed.y) }));
  } else if (event.key === "Enter") place(aimed);
  else if (event.key === "Escape") {
    stopAiming();
    unpin();
  } else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

addEventListener("click", (event) => {
  const { target } = event;
  const pin = target.closest("[data-pin]");
  const frame = target.closest("[data-frame]");
  if (pin) {
    event.preventDefault();
    mark(pin.dataset.pin);
    document.getElementById(`thread-${pin.dataset.pin}`)?.focus();
  } else if (target.closest("[data-aim]")) aim();
  else if (target.closest("[data-unpin]")) unpin();
  else if (frame && composer() && (aimed || event.pointerType !== "touch")) clicked(event);
});

// A double click zooms, so it undoes the effect of its first click.
function clicked(event) {
  if (event.detail < 2) {
    const { x, y } = placeAt(event);
    before = pinned();
    place({ x: within(x), y: within(y) });
    return;
  }
  if (before) place(before);
  else unpin();
  document.activeElement.blur();
}

// Highlight the pin of the focused or hovered conversation.
function mark(id) {
  for (const pin of document.querySelectorAll("[data-pin]")) pin.classList.toggle("on", pin.dataset.pin === id);
}

// After the pins were replaced.
export function markAgain() {
  mark(document.activeElement.closest("[data-thread]")?.dataset.thread);
}

for (const name of ["focusin", "pointerover"]) {
  addEventListener(name, ({ target }) => {
    const thread = target.closest?.("[data-thread]");
    if (thread) mark(thread.dataset.thread);
  });
}

// Another picture, or the comment was sent.
export function enterPins() {
  stopAiming();
  if (!composer()) return;
  const point = pinned();
  if (point) showPin(point);
  else unpin();
}
