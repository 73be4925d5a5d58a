// Judging a pair: an answer counts once both pictures are there, or the one that loads faster would be preferred; and a
// key that is held down answers one pair only.

const judging = () => document.querySelector("[data-judge]");
const loaded = (form) =>
  [...form.querySelectorAll("[data-side]")].every((picture) => picture.complete && picture.naturalWidth);

function mark() {
  const form = judging();
  if (form) form.ariaBusy = String(!loaded(form));
}

addEventListener(
  "submit",
  (event) => {
    if (!event.target.matches("[data-judge]") || loaded(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
addEventListener(
  "keydown",
  (event) => {
    if (!event.repeat || !judging() || !event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  },
  true,
);
document.addEventListener("load", mark, true); // the events of pictures do not reach the window
document.addEventListener("htmx:after:swap", mark);
mark();
