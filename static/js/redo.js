// The form that redoes a picture: a seed of one's own is written at once, and another choice is not faulty any more.

addEventListener("change", ({ target }) => {
  if (!target.matches("#redo-form [name=seed]")) return;
  const own = document.getElementById("own_seed");
  own.removeAttribute("aria-invalid");
  document.getElementById("seed-error")?.remove();
  if (target.value === "own") own.focus();
});
