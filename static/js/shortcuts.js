// The keys of every page. An element names its key: data-key="a", "ArrowRight", "?", or two in sequence, "g h", or
// a letter with Shift, "Shift+a", which does what the plain letter does if no element has it.
// A key focuses a text field and clicks anything else, exactly like the pointer.
// Letters do nothing while a text field has the focus. Esc leaves it, except in a popover, which it closes, returning the
// focus to its opener if the popover still has it.
// A menu that is part of the bar elsewhere, [data-more], keeps its keys while closed.

const WAIT = 1200; // ms between the two keys of a pair
export const TEXT = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=file])";
const OWN_ARROWS = "input[type=radio], input[type=range], [role=group][tabindex]"; // they use arrow keys themselves

let first = "";
let firstAt = 0;

const all = (key) => [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)];

function named(key) {
  return all(key).filter((element) => !element.disabled && (element.checkVisibility() || element.closest("[data-more]")));
}

// A key whose button is disabled says why, if the page does.
function explain(key) {
  const disabled = all(key).find((element) => element.disabled && element.checkVisibility());
  const words = document.getElementById(disabled?.getAttribute("aria-describedby"))?.textContent.trim();
  if (words) document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
}

function press(elements) {
  const field = elements.findLast((element) => element.matches(TEXT));
  if (field) {
    field.focus();
    field.scrollIntoView({ block: "nearest" });
  } else {
    elements.at(-1).click();
  }
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(TEXT)) {
    if (event.key === "Escape" && !event.target.closest(":popover-open")) event.target.blur();
    return;
  }
  if (event.key.startsWith("Arrow") && event.target.closest(OWN_ARROWS)) return;

  const open = document.querySelector(":popover-open");
  if (event.key === "?") {
    document.getElementById("keys")?.togglePopover();
    event.preventDefault();
    return;
  }
  if (open) return;

  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pair = first && event.timeStamp - firstAt < WAIT ? named(`${first} ${key}`) : [];
  first = key === "g" && !pair.length ? key : "";
  firstAt = event.timeStamp;
  const shifted = event.shiftKey ? named(`Shift+${key}`) : [];
  const elements = [pair, shifted, named(key)].find(({ length }) => length) ?? [];
  if (!elements.length) {
    if (!event.repeat) explain(key);
    return;
  }
  event.preventDefault();
  // A key that is held moves on, but sends nothing more: the next picture has not been looked at.
  if (event.repeat && elements.at(-1).type === "submit") return;
  press(elements);
});
