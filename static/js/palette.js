// The command palette: Ctrl K or Cmd K opens it, over pages, things and actions. The server finds the options, one request at a
// time (hx-sync); arrows choose, Enter presses, Esc closes, and the focus returns to where it was. Without this script the
// search is a form.

const dialog = document.getElementById("palette");
const field = document.getElementById("palette-words");
const options = () => [...dialog.querySelectorAll("[role=option]")];
const active = () => dialog.querySelector("[aria-selected=true]");
let pressing = false; // Enter came before the options for what was typed

// Others are shown as long as nothing has come for what is typed now.
const current = () => dialog.querySelector("[data-words]")?.dataset.words === field.value.trim();

function choose(option) {
  active()?.removeAttribute("aria-selected");
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  if (option) field.setAttribute("aria-activedescendant", option.id);
  else field.removeAttribute("aria-activedescendant");
}

function move(by) {
  const list = options();
  const at = list.indexOf(active());
  choose(list.at((at + by + list.length) % list.length));
}

function open() {
  if (dialog.open || document.querySelector("dialog[open]")) return;
  for (const popover of document.querySelectorAll(":popover-open")) popover.hidePopover();
  dialog.showModal();
  field.select();
  field.dispatchEvent(new CustomEvent("search-again"));
}

function press() {
  pressing = !current();
  if (!pressing) active()?.click();
}

addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (dialog.open) dialog.close();
  else open();
}, { capture: true });

field.addEventListener("keydown", (event) => {
  const act = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: press }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-palette]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[role=option], [data-close]")) dialog.close();
});

// The keys of the page do nothing while it is open.
dialog.addEventListener("keydown", (event) => event.stopPropagation());

dialog.addEventListener("close", () => {
  pressing = false;
});

document.addEventListener("htmx:after:swap", () => {
  if (!dialog.open || active()) return;
  choose(options()[0]);
  if (pressing && current()) press();
});
