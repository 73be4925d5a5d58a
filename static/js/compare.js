// The compare room: the visible pictures and their layout, the split, and the difference of two pictures with its number.
//
// Each pane has its own view (see pane.js); those that zoom together share one. A mode (side, split, difference) only
// changes which panes are visible; split puts two of them on top of each other.

import { _ } from "./languages.js";
import { ARROWS, NUDGE, Pane, clamp, moveByHand, zoomOf } from "./pane.js";
import { reasonKey } from "./reasons.js";
import { TEXT } from "./shortcuts.js";
import { nextSurround } from "./surround.js";

const FAR = 0.5; // of the pane, for an arrow key with Shift
const LEVELS = 2; // invisible to the eye: pixels that differ by more are counted
const CALM = 200; // ms before the split's position goes into the address; browsers refuse more than about 10 a second

const room = document.querySelector("[data-compare]");
const part = (name) => room.querySelector(`[data-${name}]`);
const parts = (name) => [...room.querySelectorAll(`[data-${name}]`)];

const stage = part("panes");
const grip = part("grip");
const panes = parts("pane").map((element) => {
  const [frame, media] = ["view", "media"].map((name) => element.querySelector(`[data-${name}]`));
  const pane = new Pane({ frame, size: () => sizeOf(media), together: () => (together() ? panes : [pane]), draw });
  const [cross, map] = ["cross", "map"].map((name) => element.querySelector(`[data-${name}]`));
  return Object.assign(pane, { element, letter: element.dataset.pane, media, cross, map });
});
const pictures = panes.slice(0, -1);
const difference = panes.at(-1);
const named = (letter) => panes.find((pane) => pane.letter === letter);

let mode = room.dataset.mode;
let pair = [...room.dataset.pair]; // letters of the pictures in split and difference: the two selected last
let chosen = pair[0];
let split = Number(room.dataset.split); // per cent of the visible area
let compared = null; // {letters, levels, width, height} of the difference on the canvas

const together = () => mode !== "side" || part("together").checked;
const shown = () => ({ side: pictures, split: pair.map(named), difference: [difference] })[mode];
const active = () => (mode === "difference" ? difference : named(chosen));

// Of the pair, for messages.
const both = () => ({ first: pair[0], second: pair[1] });

function say(words) {
  part("said").textContent = words;
}

// In px of the picture. Before a picture has loaded, the size stated by the page.
function sizeOf(media) {
  const side = (name) => media[`natural${name}`] || Number(media.getAttribute(name));
  return { width: side("Width"), height: side("Height") };
}

function zoom(how) {
  active().zoom(how);
  say(_("Zoom %(percent)s", { percent: active().percent }));
}

// Drawing

function draw() {
  for (const pane of shown()) place(pane);
  part("percent").textContent = active().percent;
  if (mode === "split") drawSplit();
}

function place(pane) {
  const { view, element, media, map } = pane;
  const { width, height, across, down } = pane.box;
  // The element is as large as its frame, with the picture centred in it.
  const left = width / 2 - view.zoom * ((width - across) / 2 + view.x * across);
  const top = height / 2 - view.zoom * ((height - down) / 2 + view.y * down);
  media.style.transform = `translate(${left}px, ${top}px) scale(${view.zoom})`;
  media.toggleAttribute("data-crisp", pane.crisp);
  element.toggleAttribute("data-zoomed", pane.zoomed);
  const [wide, high] = [width / (view.zoom * across), height / (view.zoom * down)];
  const seen = { x: view.x - wide / 2, y: view.y - high / 2, width: wide, height: high };
  for (const [side, fraction] of Object.entries(seen)) map.querySelector("rect").setAttribute(side, `${fraction * 100}%`);
}

// The slider covers the visible part of the pictures, not the surround. In px of the stage, like their frames.
function seenAcross() {
  const { left, width } = shown()[0].box;
  const edges = (x) => shown().map((pane) => clamp(pane.pointOf({ x, y: 0 }).x - left, 0, width));
  return { left: Math.min(...edges(0)), right: Math.max(...edges(1)) };
}

function drawSplit() {
  const { left, right } = seenAcross();
  stage.style.setProperty("--split", `${left + ((right - left) * split) / 100}px`);
  grip.setAttribute("aria-valuenow", Math.round(split));
  const percent = Math.round(split);
  grip.setAttribute("aria-valuetext", _("%(first)s on the left %(percent)s per cent, %(second)s on the right", { ...both(), percent }));
}

let calm; // a timer

function splitTo(fraction) {
  split = clamp(fraction, 0, 100);
  drawSplit();
  clearTimeout(calm);
  calm = setTimeout(keepInAddress, CALM);
}

// Modes and selection

function keepInAddress() {
  const place = `${Math.round(split)}`;
  const kept = {
    mode: mode === "side" ? "" : mode,
    split: place === "50" ? "" : place,
    together: part("together").checked ? "" : "off",
  };
  const letters = pair.join("");
  const here = { ...kept, pair: letters === "AB" ? "" : letters, undo: "" };
  history.replaceState(history.state, "", addressWith(location, here));
  for (const link of parts("keeps")) link.href = addressWith(link.href, kept);
  for (const field of parts("from")) field.value = `${location.pathname}${location.search}`;
}

// An address with other query values; empty ones are left out.
function addressWith(address, values) {
  const url = new URL(address);
  for (const [name, value] of Object.entries(values)) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  url.search = url.search.replaceAll("%2C", ",").replaceAll("%2F", "/");
  return url;
}

function update() {
  room.dataset.mode = mode;
  for (const link of parts("mode-link")) {
    if (link.dataset.modeLink === mode) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  for (const element of [...parts("pane"), ...parts("slot")]) {
    const side = pair.indexOf(element.dataset.pane ?? element.dataset.slot);
    if (side < 0) delete element.dataset.side;
    else element.dataset.side = "ab"[side];
  }
  for (const { element, letter } of pictures) element.toggleAttribute("data-chosen", letter === chosen);
  for (const button of parts("choose")) button.setAttribute("aria-pressed", button.dataset.choose === chosen);
  for (const decision of parts("decides-on")) decision.hidden = decision.dataset.decidesOn !== chosen;
  stage.toggleAttribute("data-apart", !together());
  if (mode === "difference") measure();
  keepInAddress();
  active().show(active().view);
}

function choose(letter) {
  if (!pair.includes(letter)) pair = [chosen, letter].sort();
  chosen = letter;
  update();
  room.querySelector(`[data-slot="${letter}"]`).scrollIntoView({ block: "nearest", inline: "nearest" });
  say(mode === "side" ? _("%(letter)s selected", { letter }) : _("%(first)s and %(second)s, %(letter)s selected", { ...both(), letter }));
}

function enter(next) {
  mode = next;
  const view = named(chosen).view;
  if (together()) for (const pane of panes) pane.view = view;
  update();
  if (mode === "split") grip.focus({ preventScroll: true });
  say({
    side: _("Side by side"),
    split: _("Split: %(first)s and %(second)s", both()),
    difference: _("Difference of %(first)s and %(second)s", both()),
  }[mode]);
}

function openChosen() {
  const link = room.querySelector(`[data-slot="${chosen}"] [data-open]`);
  if (link) link.click();
  else say(_("References cannot be reviewed."));
}

// The difference

async function measure() {
  const letters = pair.join("");
  if (compared?.letters === letters) return;
  const [first, second] = pair.map(named);
  Object.assign(difference.media, sizeOf(first.media)); // clears the canvas
  difference.media.setAttribute("aria-label", _("Difference of %(first)s and %(second)s", both()));
  difference.map.querySelector("img").src = first.map.querySelector("img").src;
  part("first").textContent = pair[0];
  part("second").textContent = pair[1];
  part("measured").textContent = _("Measuring…");
  try {
    await Promise.all([first.media.decode(), second.media.decode()]);
  } catch {
    part("measured").textContent = _("One of the pictures could not be loaded, so there is no difference to show.");
    return;
  }
  if (letters !== pair.join("") || compared?.letters === letters) return; // others were selected since
  const { width, height } = sizeOf(first.media);
  const { levels, mean, fraction } = levelsBetween(pixels(first.media, width, height), pixels(second.media, width, height));
  compared = { letters, levels, width, height };
  Object.assign(difference.media, { width, height });
  amplify();
  const sameSize = second.media.naturalWidth === width && second.media.naturalHeight === height;
  part("measured").textContent = inWords(mean, fraction, sameSize ? null : { width, height });
  if (mode === "difference") difference.show(difference.view);
}

// A picture's RGBA values, at the size given.
function pixels(image, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height).data;
}

// The difference of each channel of each pixel (RGBA, opaque), the mean of these levels, 0 to 255, and the fraction of
// pixels with a channel that differs by more than LEVELS.
function levelsBetween(one, other) {
  const levels = new Uint8ClampedArray(one.length);
  let sum = 0;
  let differing = 0;
  for (let i = 0; i < one.length; i += 4) {
    const red = Math.abs(one[i] - other[i]);
    const green = Math.abs(one[i + 1] - other[i + 1]);
    const blue = Math.abs(one[i + 2] - other[i + 2]);
    levels[i] = red;
    levels[i + 1] = green;
    levels[i + 2] = blue;
    levels[i + 3] = 255;
    sum += red + green + blue;
    if (red > LEVELS || green > LEVELS || blue > LEVELS) differing += 1;
  }
  const count = one.length / 4;
  return { levels, mean: sum / (3 * count), fraction: differing / count };
}

// `resized` is the common size, if the second picture was scaled to it.
function inWords(mean, fraction, resized) {
  if (mean === 0 && !resized) return _("These two pictures are identical.");
  const named = { mean: about(mean, 2), percent: about(fraction * 100, 1), levels: LEVELS, ...both(), ...resized };
  if (resized) return _("The mean difference is %(mean)s of 255 levels per channel; %(percent)s\u00a0%% of the pixels differ by more than %(levels)s levels. %(second)s was scaled to the size of %(first)s, %(width)s × %(height)s.", named);
  return _("The mean difference is %(mean)s of 255 levels per channel; %(percent)s\u00a0%% of the pixels differ by more than %(levels)s levels.", named);
}

function about(value, digits) {
  const least = 10 ** -digits;
  return value > 0 && value < least / 2 ? _("less than %(number)s", { number: least }) : value.toFixed(digits);
}

function amplify() {
  const times = Number(part("amplify").value);
  part("amplified").textContent = `${times}×`;
  if (!compared) return;
  const { levels, width, height } = compared;
  const louder = levels.map((level) => level * times); // the array clamps at 255
  const pen = difference.media.getContext("2d", { willReadFrequently: true }); // in memory, where its pixels are read from
  pen.putImageData(new ImageData(louder, width, height), 0, 0);
}

// Pointer: pane.js handles gestures on the panes; here are the crosshair and the slider

const paneOf = (target) => panes.find(({ element }) => element.contains(target));
moveByHand(paneOf);

// Touching a picture selects it, and so does turning the wheel over it alone: the percentage describes it.
stage.addEventListener("pointerdown", ({ target, button, isPrimary }) => {
  const pane = paneOf(target);
  if (pane && isPrimary && !button && mode === "side" && pane.letter !== chosen) choose(pane.letter);
});

stage.addEventListener("wheel", ({ target }) => {
  const pane = paneOf(target);
  if (pane && !together() && pane.letter !== chosen) choose(pane.letter);
}, { passive: true });

stage.addEventListener("pointermove", (event) => {
  if (!event.buttons) cross(event);
});

// Mark the same point of all pictures while the pointer is over one of them.
function cross(event) {
  const pane = paneOf(event.target);
  const place = pane?.placeAt(event);
  const inside = place && [place.x, place.y].every((fraction) => fraction >= 0 && fraction <= 1);
  stage.toggleAttribute("data-crossed", Boolean(inside) && event.pointerType !== "touch");
  if (!inside || mode !== "side") return;
  for (const each of pictures) {
    const { x, y } = each.pointOf(place);
    const { left, top } = each.box;
    each.cross.style.translate = `${x - left}px ${y - top}px`;
  }
}

stage.addEventListener("pointerleave", () => stage.removeAttribute("data-crossed"));

function dragSplit(event) {
  const { left, right } = seenAcross();
  splitTo(((event.x - shown()[0].box.left - left) / (right - left)) * 100);
}

for (const handle of [grip, part("bar")]) {
  handle.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    grip.focus();
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", dragSplit);
    const end = () => handle.removeEventListener("pointermove", dragSplit);
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, end, { once: true });
  });
}

// Buttons and keys. L and the letters are data-key attributes (see shortcuts.js).

room.addEventListener("click", (event) => {
  const link = event.target.closest("[data-mode-link]");
  const button = event.target.closest("[data-zoom], [data-choose]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    enter(link.dataset.modeLink);
  }
  if (button?.dataset.zoom) zoom(button.dataset.zoom);
  if (button?.dataset.choose) choose(button.dataset.choose);
});

// The tray scrolls if its pictures are too many for it; the one with the focus is wholly in view.
room.addEventListener("focusin", ({ target }) => {
  target.closest(".slot")?.scrollIntoView({ block: "nearest", inline: "nearest" });
});

part("together").addEventListener("change", ({ target }) => {
  if (target.checked) for (const pane of panes) pane.view = named(chosen).view;
  update();
  say(target.checked ? _("All pictures zoom together") : _("Each picture zooms alone"));
});

part("amplify").addEventListener("input", amplify);

const keys = {
  s: () => enter(mode === "split" ? "side" : "split"),
  x: () => enter(mode === "difference" ? "side" : "difference"),
  u: nextSurround,
};

// True if the key was handled.
function pressed({ key, shiftKey, target }) {
  const onGrip = target === grip;
  const act = keys[key.length === 1 ? key.toLowerCase() : key];
  if (act) act();
  else if (zoomOf(key)) zoom(zoomOf(key));
  else if (ARROWS[key] && !target.matches("input")) arrow(ARROWS[key], shiftKey, onGrip);
  else if (onGrip && (key === "Home" || key === "End")) splitTo(key === "Home" ? 0 : 100);
  else if (key === "Enter" && !target.closest("a, button:not([aria-pressed=true]), input")) openChosen();
  else return false;
  return true;
}

function arrow([right, down], far, onGrip) {
  const pane = active();
  if (mode === "split" && (onGrip || !pane.zoomed)) splitTo(split + (right - down) * (far ? 10 : 1));
  else if (pane.zoomed) pane.pan(right * (far ? FAR : NUDGE), down * (far ? FAR : NUDGE));
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TEXT)) return;
  const open = document.querySelector(":popover-open");
  if (open ? open.matches(".reasons") && reasonKey(open, event.key) : pressed(event)) event.preventDefault();
});

// A decision: only the part below the pictures is replaced, so that they keep their view.

addEventListener("submit", ({ target }) => {
  if (target.matches(":popover-open")) target.hidePopover();
});
document.addEventListener("htmx:after:swap", update);

// Sizes are known once pictures have loaded and frames are laid out.
for (const { media } of pictures) media.addEventListener("load", () => active().show(active().view));
const resized = new ResizeObserver(() => active().show(active().view));
for (const { frame } of panes) resized.observe(frame);
update();
