// A frame and its view of a picture: one in the review room, two to four in the compare room.
//
// A view is {zoom, x, y}: the magnification relative to fitted, and the point of the picture in the middle of the frame.
// Points of the picture are fractions of its sides, so that pictures of different sizes stay aligned. Other points are px
// of the window, {x, y}, as in pointer events.

import { _ } from "./languages.js";

const LARGEST = 32; // maximum CSS px per pixel of the picture
const CRISP = 2; // above 200 %, pixels are drawn as squares
const STEP = 1.25; // + and -
const CLOSER = 2; // a double click zooms to 100 %, but at least by this factor
const KEYS = { 0: "fit", 1: "full", "+": "in", "=": "in", "-": "out" };

const CLICK = { mouse: 4, pen: 8, touch: 12 }; // maximum movement of a click, px
const TWICE = 350; // ms between the taps of a double tap
const NEAR = 32; // px between them

export const FITTED = { zoom: 1, x: 0.5, y: 0.5 };
export const NUDGE = 0.1; // of the frame, for an arrow key
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

export class Pane {
  view = FITTED;

  // `frame` is an element; `size` returns the picture's {width, height} in px, and `together` the panes that share
  // this one's view; `draw` is called when the view has changed.
  constructor({ frame, size, together = () => [this], draw }) {
    Object.assign(this, { frame, size, together, draw });
  }

  // In CSS px: the frame, the picture fitted into it, and the size of one of its pixels.
  get box() {
    const { width: wide, height: high } = this.size();
    const { left, top, width, height } = this.frame.getBoundingClientRect(); // fractions matter: zoomed in they would be pixels
    const fit = Math.min(width / wide, height / high) || 1; // a hidden frame has no size
    return { left, top, width, height, fit, across: wide * fit, down: high * fit };
  }

  get middle() {
    const { left, top, width, height } = this.box;
    return { x: left + width / 2, y: top + height / 2 };
  }

  // CSS px per pixel of the picture.
  get scale() {
    return this.view.zoom * this.box.fit;
  }

  get percent() {
    return _("%(percent)s %%", { percent: Math.round(this.scale * 100) });
  }

  get zoomed() {
    return this.view.zoom > 1.001;
  }

  get crisp() {
    return this.zoomed && this.scale > CRISP;
  }

  placeAt(point) {
    const { zoom, x, y } = this.view;
    const { across, down } = this.box;
    const middle = this.middle;
    return { x: x + (point.x - middle.x) / (zoom * across), y: y + (point.y - middle.y) / (zoom * down) };
  }

  pointOf(place) {
    const { zoom, x, y } = this.view;
    const { across, down } = this.box;
    const middle = this.middle;
    return { x: middle.x + zoom * across * (place.x - x), y: middle.y + zoom * down * (place.y - y) };
  }

  // Every part of every linked picture can reach an edge, and none moves past it while another would have to follow.
  show(view) {
    const zoom = this.#limited(view.zoom);
    const boxes = this.#boxes();
    const left = Math.min(0.5, ...boxes.map(({ width, across }) => width / (2 * zoom * across)));
    const top = Math.min(0.5, ...boxes.map(({ height, down }) => height / (2 * zoom * down)));
    const next = { zoom, x: clamp(view.x, left, 1 - left), y: clamp(view.y, top, 1 - top) };
    for (const pane of this.together()) pane.view = next;
    this.draw();
  }

  // Zoom so that a point of the picture comes to a point of the window.
  hold(place, point, zoom = this.view.zoom) {
    const next = this.#limited(zoom);
    const { across, down } = this.box;
    const middle = this.middle;
    const x = place.x - (point.x - middle.x) / (next * across);
    this.show({ zoom: next, x, y: place.y - (point.y - middle.y) / (next * down) });
  }

  zoomTo(zoom, point = this.middle) {
    this.hold(this.placeAt(point), point, zoom);
  }

  // `how` is a button's data-zoom.
  zoom(how) {
    const { zoom } = this.view;
    if (how === "fit") this.show(FITTED);
    else this.zoomTo({ in: zoom * STEP, out: zoom / STEP, full: 1 / this.box.fit }[how]);
  }

  // A double click: fit, or 100 % at that point.
  toggle(point) {
    if (this.zoomed) this.show(FITTED);
    else this.zoomTo(Math.max(CLOSER, 1 / this.box.fit), point);
  }

  // By fractions of the frame.
  pan(right, down) {
    const { zoom, x, y } = this.view;
    const box = this.box;
    this.show({ zoom, x: x + (right * box.width) / (zoom * box.across), y: y + (down * box.height) / (zoom * box.down) });
  }

  // Of the linked panes, if visible.
  #boxes() {
    return this.together().map(({ box }) => box).filter(({ width }) => width);
  }

  #limited(zoom) {
    const full = this.#boxes().map(({ fit }) => 1 / fit);
    return clamp(zoom, Math.min(1, ...full), Math.max(1, ...full.map((each) => each * LARGEST)));
  }
}

// The argument of Pane.zoom for a key; undefined for any other.
export const zoomOf = (key) => KEYS[key];

// The wheel, dragging, two fingers and double clicks move the panes. `paneOf` finds the pane of an element.
export function moveByHand(paneOf) {
  const pointers = new Map(); // pressed pointers by id: {x, y}
  let pane = null; // under the first of them
  let moved = false; // farther than a click, or with two fingers

  addEventListener("wheel", (event) => {
    const turned = paneOf(event.target);
    if (!turned) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.002; // a trackpad pinch arrives as a wheel with Ctrl
    turned.zoomTo(turned.view.zoom * Math.exp(-event.deltaY * lines * speed), event);
  }, { passive: false });

  addEventListener("pointerdown", (event) => {
    if (event.isPrimary) pointers.clear(); // drop a pointer whose end never came
    const pressed = paneOf(event.target);
    if (!pressed || event.button || pointers.size > 1) return;
    moved = pointers.size > 0;
    if (!moved) pane = pressed;
    pointers.set(event.pointerId, { x: event.x, y: event.y });
  });

  // Their middle and their distance.
  function spread() {
    const [one, other = one] = pointers.values();
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: distance(one, other) || 1 };
  }

  addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId) || !pane.frame.isConnected) return;
    moved ||= distance(pointers.get(event.pointerId), event) > (CLICK[event.pointerType] ?? CLICK.touch);
    if (!moved) return;
    const before = spread();
    pointers.set(event.pointerId, { x: event.x, y: event.y });
    const after = spread();
    pane.hold(pane.placeAt(before), after, (pane.view.zoom * after.apart) / before.apart);
  });

  let tap = null; // the latest, while a second one would make a double tap
  function tapped(event) {
    const twice = tap && event.timeStamp - tap.timeStamp < TWICE && distance(event, tap) < NEAR;
    tap = twice ? null : event;
    if (twice) pane.toggle(event);
  }

  addEventListener("pointerup", (event) => {
    if (pointers.delete(event.pointerId) && event.pointerType === "touch" && !moved) tapped(event);
  });
  addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));

  // Not every browser turns two taps into a double click, so taps are counted above.
  let byFinger = false;
  addEventListener("pointerdown", (event) => {
    byFinger = event.pointerType === "touch";
  });
  addEventListener("dblclick", (event) => {
    if (!byFinger) paneOf(event.target)?.toggle(event);
  });

  // The end of a drag or pinch is not a click. A key's click has no detail.
  addEventListener("click", (event) => {
    if (!moved || !event.detail || !paneOf(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { capture: true });
}
