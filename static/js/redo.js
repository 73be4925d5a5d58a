// The form for redoing a picture: typing a seed selects it, and changing a choice clears its error.

addEventListener("change", ({ target }) => {
  if (!target.matches("#redo-form [name=seed]")) return;
  const own = document.getElementById("own_seed");
  own.removeAttribute("aria-invalid");
  document.getElementById("seed-error")?.remove();
  if (target.value === "own") own.focus();
});
