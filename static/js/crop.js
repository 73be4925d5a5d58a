// The part of a picture to use. The box is dragged, resized at its corners, redrawn outside it, or moved by keys:
// arrows move it, Shift and arrows resize it. Its state is four hidden fields: fractions of the picture, 0 to 1.
// The picture arrives by htmx after an upload, so everything is looked up when needed.

import { _ } from "./languages.js";

const LEAST = 0.05; // of a side
const STEP = 0.01;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

const NAMES = ["x", "y", "width", "height"];
const field = (crop, name) => crop.querySelector(`input[name="crop_${name}"]`);
const read = (crop) => Object.fromEntries(NAMES.map((name) => [name, Number(field(crop, name).value)]));
const mode = (crop) => crop.querySelector("input[name=crop_mode]:checked").value;
const shape = (crop) => crop.dataset.pictureWidth / crop.dataset.pictureHeight;

function show(crop, box) {
  // Rounded down, so that the parts never add up to more than the picture.
  for (const name of NAMES) field(crop, name).value = Math.floor(box[name] * 10000) / 10000;
  const style = crop.querySelector(".crop__box").style;
  style.left = `${box.x * 100}%`;
  style.top = `${box.y * 100}%`;
  style.width = `${box.width * 100}%`;
  style.height = `${box.height * 100}%`;
  crop.dataset.mode = mode(crop);
  const { pictureWidth: width, pictureHeight: height } = crop.dataset;
  const [whole, part] = [`${width} × ${height}`, `${Math.round(box.width * width)} × ${Math.round(box.height * height)}`];
  const words = mode(crop) === "whole" ? whole : _("%(part)s of %(whole)s", { part, whole });
  crop.querySelector("#crop-words").textContent = words;
}

// The largest square around the middle of `box` within the picture.
function square(crop, box) {
  const ratio = shape(crop);
  const width = Math.min(Math.max(box.width, box.height / ratio), 1, 1 / ratio);
  const height = width * ratio;
  return {
    x: clamp(box.x + (box.width - width) / 2, 0, 1 - width),
    y: clamp(box.y + (box.height - height) / 2, 0, 1 - height),
    width,
    height,
  };
}

// The box moved, within the picture.
function moved(box, right, down) {
  return { ...box, x: clamp(box.x + right, 0, 1 - box.width), y: clamp(box.y + down, 0, 1 - box.height) };
}

// The box between a fixed corner and the dragged point.
function between(crop, fixed, point) {
  const [left, up] = [point.x < fixed.x, point.y < fixed.y];
  const [roomX, roomY] = [left ? fixed.x : 1 - fixed.x, up ? fixed.y : 1 - fixed.y];
  let width = clamp(Math.abs(point.x - fixed.x), LEAST, roomX);
  let height = clamp(Math.abs(point.y - fixed.y), LEAST, roomY);
  if (mode(crop) === "square") {
    const ratio = shape(crop);
    width = Math.min(Math.max(width, height / ratio), roomX, roomY / ratio);
    height = width * ratio;
  }
  return { x: left ? fixed.x - width : fixed.x, y: up ? fixed.y - height : fixed.y, width, height };
}

function choose(crop, value) {
  crop.querySelector(`input[name=crop_mode][value=${value}]`).checked = true;
  const box = read(crop);
  if (value === "whole") show(crop, { x: 0, y: 0, width: 1, height: 1 });
  else if (value === "square") show(crop, square(crop, box));
  else show(crop, box.width > 0.99 && box.height > 0.99 ? { x: 0.1, y: 0.1, width: 0.8, height: 0.8 } : box);
}

function setUp() {
  for (const crop of document.querySelectorAll("[data-crop]:not([data-mode])")) {
    // As large as the room allows, in its own shape: the box is placed in fractions of the frame.
    crop.querySelector(".crop__frame").style.maxWidth = `min(100%, ${shape(crop)} * min(34rem, 70dvh))`;
    const box = read(crop);
    const whole = box.width > 0.999 && box.height > 0.999;
    const equal = Math.abs(box.width * shape(crop) - box.height) < 0.005;
    crop.querySelector(`input[name=crop_mode][value=${whole ? "whole" : equal ? "square" : "free"}]`).checked = true;
    show(crop, box);
  }
}

addEventListener("change", (event) => {
  if (event.target.name === "crop_mode") choose(event.target.closest("[data-crop]"), event.target.value);
});

addEventListener("pointerdown", (event) => {
  const frame = event.target.closest(".crop__frame");
  if (!frame || event.button) return;
  const crop = frame.closest("[data-crop]");
  const bounds = frame.getBoundingClientRect();
  const at = ({ clientX, clientY }) => ({
    x: clamp((clientX - bounds.left) / bounds.width, 0, 1),
    y: clamp((clientY - bounds.top) / bounds.height, 0, 1),
  });
  const start = at(event);
  const box = read(crop);
  const handle = event.target.dataset.handle;
  const inside = event.target.closest(".crop__box") && mode(crop) !== "whole";
  const move = (e) => {
    const point = at(e);
    if (!handle && inside) {
      show(crop, moved(box, point.x - start.x, point.y - start.y));
      return;
    }
    if (mode(crop) === "whole") choose(crop, "free");
    const fixed = handle
      ? { x: handle.includes("w") ? box.x + box.width : box.x, y: handle.includes("n") ? box.y + box.height : box.y }
      : start;
    show(crop, between(crop, fixed, point));
  };
  frame.setPointerCapture(event.pointerId);
  frame.addEventListener("pointermove", move);
  const end = () => frame.removeEventListener("pointermove", move);
  frame.addEventListener("pointerup", end, { once: true });
  frame.addEventListener("pointercancel", end, { once: true });
});

addEventListener("keydown", (event) => {
  const crop = event.target.closest?.(".crop__box")?.closest("[data-crop]");
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!crop || !way) return;
  event.preventDefault();
  const [right, down] = way;
  if (mode(crop) === "whole") choose(crop, "free");
  const box = read(crop);
  if (!event.shiftKey) {
    show(crop, moved(box, right * STEP, down * STEP));
  } else {
    const [wider, higher] = mode(crop) === "square" ? [right + down, (right + down) * shape(crop)] : [right, down];
    const corner = {
      x: box.x + Math.max(box.width + wider * STEP, LEAST),
      y: box.y + Math.max(box.height + higher * STEP, LEAST),
    };
    show(crop, between(crop, box, corner));
  }
});

document.addEventListener("htmx:after:swap", setUp);
setUp();
