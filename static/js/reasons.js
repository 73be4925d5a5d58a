// A list of reasons: number keys choose, arrows move. True if the key was handled.
export function reasonKey(reasons, key) {
  const buttons = [...reasons.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  if (key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
  else if (key === "ArrowUp") buttons.at(at < 1 ? -1 : at - 1).focus();
  else if (/^[1-9]$/.test(key)) buttons.find((button) => button.dataset.number === key)?.click();
  else return false;
  return true;
}
