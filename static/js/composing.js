// Text composed with an input method, such as Japanese, is nobody's until it is chosen: while it is composed, no key
// presses, submits or moves anything, and no field searches, filters or saves. Loaded before all other scripts of ours, so
// that none of them has to know. When the composition ends, its field says once that its text changed.

let composed = null; // the field in which text is composed

export const isComposed = (field) => field === composed;

// The key that ends a composition has 229, also where the composition has ended just before, as in Safari.
const composing = (event) => event.isComposing || event.keyCode === 229;

for (const name of ["keydown", "keypress", "keyup"]) {
  addEventListener(name, (event) => {
    if (composing(event)) event.stopImmediatePropagation();
  }, { capture: true });
}

addEventListener("compositionstart", ({ target }) => {
  composed = target;
}, { capture: true });

addEventListener("compositionend", ({ target }) => {
  composed = null;
  target.dispatchEvent(new InputEvent("input", { bubbles: true }));
}, { capture: true });

addEventListener("input", (event) => {
  if (event.isComposing || composed === event.target) event.stopImmediatePropagation();
}, { capture: true });

// A search that waited for a pause when the composition began, and a form whose field is not finished.
const unfinished = (element) => composed && composed === document.activeElement && element.contains(composed);

document.addEventListener("htmx:before:request", (event) => {
  if (unfinished(event.detail.ctx.sourceElement)) event.preventDefault();
});

addEventListener("submit", (event) => {
  if (!unfinished(event.target)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });
