// The number next to a slider: an <output for="…"> shows its value.

addEventListener("input", (event) => {
  if (event.target.type !== "range") return;
  const output = document.querySelector(`output[for="${event.target.id}"]`);
  if (output) output.textContent = Number(event.target.value);
});
