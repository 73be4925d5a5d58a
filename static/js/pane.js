// A frame, and what it shows of a picture: one in the review room, two to four in the compare room.
//
// Its view is {zoom, x, y}: how many times larger than fitted the picture is, and which place of it is in the middle of the
// frame. Places are fractions of the picture's sides, so that pictures of different sizes stay aligned. Points are px of the
// window, {x, y}, as every event of a pointer has them.

const LARGEST = 32; // CSS px that a pixel of the picture takes at most
const CRISP = 2; // above 200 % the pixels are squares
const STEP = 1.25; // + and -
const CLOSER = 2; // a double click zooms to 100 %, but by this at least
const KEYS = { 0: "fit", 1: "full", "+": "in", "=": "in", "-": "out" };

const CLICK = { mouse: 4, pen: 8, touch: 12 }; // px that a pointer may move in a click
const TWICE = 350; // ms between the taps of a double tap
const NEAR = 32; // px between them

export const FITTED = { zoom: 1, x: 0.5, y: 0.5 };
export const NUDGE = 0.1; // of the frame, for an arrow key
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const distance = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);

export class Pane {
  view = FITTED;

  // `frame` is an element; `size` gives the picture's {width, height} in its pixels, and `together` the panes that share
  // their view with this one; `draw` is called when that has changed.
  constructor({ frame, size, together = () => [this], draw }) {
    Object.assign(this, { frame, size, together, draw });
  }

  // In CSS px: the frame, the picture as it is fitted into it, and what one of the picture's pixels takes then.
  get box() {
    const { width: wide, height: high } = this.size();
    const { left, top, width, height } = this.frame.getBoundingClientRect(); // fractions count: zoomed in they would be pixels
    const fit = Math.min(width / wide, height / high) || 1; // a frame that is not seen has no size
    return { left, top, width, height, fit, across: wide * fit, down: high * fit };
  }

  get middle() {
    const { left, top, width, height } = this.box;
    return { x: left + width / 2, y: top + height / 2 };
  }

  // CSS px that a pixel of the picture takes.
  get scale() {
    return this.view.zoom * this.box.fit;
  }

  get percent() {
    return `${Math.round(this.scale * 100)} %`;
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

  // Every part of every picture that moves along can come to an edge, and none leaves it while another would have to follow.
  show(view) {
    const zoom = this.#limited(view.zoom);
    const boxes = this.#boxes();
    const left = Math.min(0.5, ...boxes.map(({ width, across }) => width / (2 * zoom * across)));
    const top = Math.min(0.5, ...boxes.map(({ height, down }) => height / (2 * zoom * down)));
    const next = { zoom, x: clamp(view.x, left, 1 - left), y: clamp(view.y, top, 1 - top) };
    for (const pane of this.together()) pane.view = next;
    this.draw();
  }

  // Zoom so that a place of the picture comes to a point.
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

  // `how` is what a button's data-zoom says.
  zoom(how) {
    const { zoom } = this.view;
    if (how === "fit") this.show(FITTED);
    else this.zoomTo({ in: zoom * STEP, out: zoom / STEP, full: 1 / this.box.fit }[how]);
  }

  // What a double click does: fit, or the pixels at that point.
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

  // Of those that move along, as far as they are seen.
  #boxes() {
    return this.together().map(({ box }) => box).filter(({ width }) => width);
  }

  #limited(zoom) {
    const full = this.#boxes().map(({ fit }) => 1 / fit);
    return clamp(zoom, Math.min(1, ...full), Math.max(1, ...full.map((each) => each * LARGEST)));
  }
}

// What a key says to Pane.zoom; undefined for any other key.
export const zoomOf = (key) => KEYS[key];

// The wheel, dragging, two fingers and double clicks move the panes. `paneOf` finds the pane that an element is in.
export function moveByHand(paneOf) {
  const pointers = new Map(); // that are down, by id: {x, y}
  let pane = null; // under the first of them
  let moved = false; // by more than a click, or by two fingers

  addEventListener("wheel", (event) => {
    const turned = paneOf(event.target);
    if (!turned) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.002; // a pinch on a trackpad comes as a wheel with Ctrl
    turned.zoomTo(turned.view.zoom * Math.exp(-event.deltaY * lines * speed), event);
  }, { passive: false });

  addEventListener("pointerdown", (event) => {
    if (event.isPrimary) pointers.clear(); // an end that never came is no finger
    const pressed = paneOf(event.target);
    if (!pressed || event.button || pointers.size > 1) return;
    moved = pointers.size > 0;
    if (!moved) pane = pressed;
    pointers.set(event.pointerId, { x: event.x, y: event.y });
  });

  // Their middle, and how far apart they are.
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

  let tap = null; // the latest, while a second one would make it a double tap
  function tapped(event) {
    const twice = tap && event.timeStamp - tap.timeStamp < TWICE && distance(event, tap) < NEAR;
    tap = twice ? null : event;
    if (twice) pane.toggle(event);
  }

  addEventListener("pointerup", (event) => {
    if (pointers.delete(event.pointerId) && event.pointerType === "touch" && !moved) tapped(event);
  });
  addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));

  // Not every browser makes a double click of two taps, so those of fingers are counted above.
  let byFinger = false;
  addEventListener("pointerdown", (event) => (byFinger = event.pointerType === "touch"));
  addEventListener("dblclick", (event) => {
    if (!byFinger) paneOf(event.target)?.toggle(event);
  });

  // What ends a drag or a pinch is no click on what is under it. A key's click has no detail.
  addEventListener("click", (event) => {
    if (!moved || !event.detail || !paneOf(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { capture: true });
}
