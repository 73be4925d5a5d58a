// Text and formats: the place of the text is dragged, resized at its corners, drawn again outside it, or moved by keys: arrows
// move it, Shift and arrows resize it. Its state is four number fields, in per cent of the picture. What is measured, and
// the address of it, come from the server.

import { _, thin } from "./languages.js";

const LEAST = 2; // per cent of a side
const STEP = 1;
const WAIT = 250; // ms after the last key
const LONGEST = 500; // characters of the text
const SIDES = ["x", "y", "w", "h"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const form = document.getElementById("placing");
const stage = document.getElementById("stage");
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const round = (value) => Math.round(value * 10) / 10;
const field = (side) => form.elements[side];
const read = () => Object.fromEntries(SIDES.map((side) => [side, Number(field(side).value)]));

let asked = 0;
let waiting;

// Something else is about to be asked: an answer that is still on its way would put the place back.
function outrun() {
  clearTimeout(waiting);
  return ++asked;
}

// An address holds some thousand letters. What is longer stays in its field, with a sentence.
function isTooLong() {
  const { words } = form.elements;
  const long = words.value.length > LONGEST;
  words.setCustomValidity(long ? _("Your text can have at most %(number)s characters.", { number: thin(LONGEST) }) : "");
  return long && !words.reportValidity();
}

// Ask for what is measured now.
async function measure() {
  const turn = outrun();
  if (isTooLong()) return;
  const query = new URLSearchParams(new FormData(form));
  document.getElementById("read").toggleAttribute("aria-busy", true);
  try {
    const answer = await fetch(`${form.action}?${query}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (turn === asked) take(page, answer.url);
  } catch {
    if (turn === asked) form.submit(); // the page itself says what is wrong
  }
}

function take(page, url) {
  const focused = document.activeElement.id;
  for (const id of ["placed", "read"]) document.getElementById(id).replaceWith(document.importNode(page.getElementById(id), true));
  const fresh = page.getElementById("placing");
  for (const side of SIDES) if (document.activeElement !== field(side)) field(side).value = fresh.elements[side].value;
  if (focused === "place-box") document.getElementById(focused).focus({ preventScroll: true });
  document.getElementById("placing-said").textContent = document.getElementById("h-read").textContent.trim(); // not all of it
  history.replaceState(history.state, "", url);
}

function later() {
  outrun();
  waiting = setTimeout(measure, WAIT);
}

// Move what is drawn; what is measured follows later.
function show(box) {
  for (const side of SIDES) field(side).value = round(box[side]);
  const { width, height } = stage.dataset;
  const [x, y, w, h] = [box.x * width, box.y * height, box.w * width, box.h * height].map((value) => value / 100);
  for (const element of document.querySelectorAll("#place :is(rect, foreignObject)")) {
    for (const [name, value] of Object.entries({ x, y, width: w, height: h })) element.setAttribute(name, value);
  }
  for (const grip of document.querySelectorAll("[data-grip]")) {
    grip.setAttribute("cx", grip.dataset.grip.includes("e") ? x + w : x);
    grip.setAttribute("cy", grip.dataset.grip.includes("s") ? y + h : y);
  }
}

const moved = (box, right, down) => ({ ...box, x: clamp(box.x + right, 0, 100 - box.w), y: clamp(box.y + down, 0, 100 - box.h) });

// The box between a fixed corner and a point.
function between(fixed, point) {
  const [left, up] = [point.x < fixed.x, point.y < fixed.y];
  const w = clamp(Math.abs(point.x - fixed.x), LEAST, left ? fixed.x : 100 - fixed.x);
  const h = clamp(Math.abs(point.y - fixed.y), LEAST, up ? fixed.y : 100 - fixed.y);
  return { x: left ? fixed.x - w : fixed.x, y: up ? fixed.y - h : fixed.y, w, h };
}

// In per cent of the picture.
function at(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
  const { width, height } = stage.dataset;
  return { x: clamp((100 * point.x) / width, 0, 100), y: clamp((100 * point.y) / height, 0, 100) };
}

stage.addEventListener("pointerdown", (event) => {
  const { grip } = event.target.dataset;
  const inside = event.target.id === "place-box";
  if (event.button || (event.pointerType === "touch" && !grip && !inside)) return; // a finger outside scrolls the page
  event.preventDefault();
  outrun();
  const [start, box] = [at(event), read()];
  const fixed = grip ? { x: grip.includes("w") ? box.x + box.w : box.x, y: grip.includes("n") ? box.y + box.h : box.y } : start;
  const move = (e) => {
    const point = at(e);
    show(inside ? moved(box, point.x - start.x, point.y - start.y) : between(fixed, point));
  };
  stage.setPointerCapture(event.pointerId);
  stage.addEventListener("pointermove", move);
  const end = () => {
    stage.removeEventListener("pointermove", move);
    document.getElementById("place-box").focus({ preventScroll: true });
    measure();
  };
  stage.addEventListener("pointerup", end, { once: true });
  stage.addEventListener("pointercancel", end, { once: true });
});

stage.addEventListener("keydown", (event) => {
  const way = event.target.id === "place-box" && ARROWS[event.key];
  if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const [right, down] = way.map((side) => side * STEP);
  const box = read();
  const corner = { x: box.x + Math.max(box.w + right, LEAST), y: box.y + Math.max(box.h + down, LEAST) };
  show(event.shiftKey ? between(box, { x: Math.min(corner.x, 100), y: Math.min(corner.y, 100) }) : moved(box, right, down));
  later();
});

form.addEventListener("input", (event) => {
  if (event.target.id === "own") form.elements.text.value = "own";
  later();
});
form.addEventListener("change", measure);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  measure();
});

// A suggestion: its address is taken into the form.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[data-goes]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const query = new URL(link.href).searchParams;
  query.get("place").split(",").forEach((value, index) => {
    field(SIDES[index]).value = value;
  });
  form.elements.text.value = { ffffff: "white", "000000": "black" }[query.get("text")] ?? "own";
  await measure();
  document.getElementById("place-box").focus({ preventScroll: true });
});
