// What a small model can draw: a combobox that adds prompts. Arrow keys move, Enter adds, Escape closes.

import { _ } from "./languages.js";

const root = document.querySelector("[data-chooser]");

if (root) {
  const field = root.querySelector("[role=combobox]");
  const list = root.querySelector("[role=listbox]");
  const status = root.querySelector("[data-chooser-status]");
  const options = [...list.children];
  const shown = () => options.filter((option) => !option.hidden);
  let active = null;

  function mark(option) {
    active?.setAttribute("aria-selected", "false");
    active = option ?? null;
    active?.setAttribute("aria-selected", "true");
    if (active) field.setAttribute("aria-activedescendant", active.id);
    else field.removeAttribute("aria-activedescendant");
    if (active) {
      const { offsetTop, offsetHeight } = active;
      if (offsetTop < list.scrollTop) list.scrollTop = offsetTop;
      else if (offsetTop + offsetHeight > list.scrollTop + list.clientHeight) {
        list.scrollTop = offsetTop + offsetHeight - list.clientHeight;
      }
    }
  }

  function open(is) {
    if (is && list.hidden) {
      list.hidden = false;
      list.scrollIntoView({ block: "nearest" }); // a phone's bars would cover it
    } else list.hidden = !is;
    field.setAttribute("aria-expanded", String(is));
    if (!is) mark(null);
  }

  // What begins with the typed letters; if nothing does, what contains them.
  function filter() {
    const typed = field.value.trim().toLowerCase().replace(/^an? /, "");
    const begins = (option) => option.textContent.replace(/^an? /, "").split(" ").some((word) => word.startsWith(typed));
    const fits = options.some(begins) ? begins : (option) => option.textContent.includes(typed);
    for (const option of options) option.hidden = !fits(option);
    const found = shown();
    open(found.length > 0);
    mark(typed ? found[0] : null);
    status.textContent = found.length ? _("%(number)s found", { number: found.length }) : _("The demo model does not know this.");
  }

  function add(option) {
    if (!option) return;
    root.dispatchEvent(new CustomEvent("addprompt", { bubbles: true, detail: option.textContent }));
    field.value = "";
    filter();
    status.textContent = _("Added %(name)s", { name: option.textContent });
  }

  function move(by) {
    if (list.hidden) filter();
    const found = shown();
    const at = found.indexOf(active);
    mark(found.at(at < 0 ? (by > 0 ? 0 : -1) : (at + by) % found.length));
  }

  field.addEventListener("input", filter);
  field.addEventListener("click", filter);
  field.addEventListener("blur", () => open(false));
  field.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    const act = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => add(active), Escape: () => open(false) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => add(event.target.closest("[role=option]")));
}
