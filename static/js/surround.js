// Switch to the next surround of the pictures (_surround.html). False if there is none.
export function nextSurround() {
  const choices = [...document.querySelectorAll("input[name=surround]")];
  choices[(choices.findIndex((input) => input.checked) + 1) % choices.length]?.click();
  return choices.length > 0;
}
