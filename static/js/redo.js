// The form for redoing a picture: typing a seed selects it, changing a choice clears its error, and unfolding it leads to
// its prompt, as the letters would decide on the picture.

addEventListener("change", ({ target }) => {
  if (!target.matches("#redo-form [name=seed]")) return;
  const own = document.getElementById("own_seed");
  own.removeAttribute("aria-invalid");
  document.getElementById("seed-error")?.remove();
  if (target.value === "own") own.focus();
});

addEventListener("click", ({ target }) => {
  const fold = target.closest(".redo-fold > summary")?.parentElement;
  fold?.addEventListener("toggle", () => fold.open && fold.querySelector("textarea")?.focus(), { once: true });
});
