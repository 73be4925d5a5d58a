// The references of a style, one at a time next to the picture. The choice stays for the next pictures of the same style
// version.

let chosen = { version: "", index: 0 };

const all = () => [...document.querySelectorAll("[data-reference]")];

function show(index) {
  for (const [at, figure] of all().entries()) figure.hidden = at !== index;
}

addEventListener("click", ({ target }) => {
  const button = target.closest("[data-step]");
  if (!button) return;
  const figures = all();
  const at = figures.indexOf(button.closest("[data-reference]"));
  const index = (at + Number(button.dataset.step) + figures.length) % figures.length;
  chosen = { version: figures[index].dataset.reference, index };
  show(index);
  figures[index].querySelector(`[data-step="${button.dataset.step}"]`).focus({ preventScroll: true });
});

// The room shows another picture.
export function enterReferences() {
  const [first] = all();
  if (first) show(first.dataset.reference === chosen.version ? chosen.index : 0);
}
