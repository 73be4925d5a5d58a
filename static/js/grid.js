// Pictures in a [data-grid]: arrow keys move, Space selects, Shift and arrows select a range, Ctrl A selects all shown, as
// does [data-pick-shown], Esc clears, Enter opens (it is a link); S stars and Delete deletes if the bar can. Ctrl and a click
// add one, Shift and a click select a range; on touch, a long press selects. The bar #picked counts and offers acts.

import { _, thin } from "./languages.js";
import { TEXT } from "./shortcuts.js";

const LONG = 500; // ms
const BOX = "[data-grid] .pick input";

const items = (grid) => [...grid.children].filter((item) => item.checkVisibility() && item.querySelector("a[href]"));
const box = (item) => item?.querySelector(".pick input");
const picked = () => [...document.querySelectorAll(`${BOX}:checked`)].map((input) => input.closest("li"));
let anchor = null; // the last selected or visited item: a range starts there

function enable(button, able) {
  if (button) button.disabled = !able;
}

function label(button, words) {
  button.querySelector("span").textContent = words;
  for (const name of ["aria-label", "title"]) if (button.hasAttribute(name)) button.setAttribute(name, words);
}

// All matches of a search, on the page or not: the server finds them again by the search.
const everything = () => document.querySelector("[data-picked-everything]");

function leaveEverything() {
  if (everything()) everything().disabled = true;
}

export function count() {
  const bar = document.getElementById("picked");
  if (!bar) return;
  const all = everything() && !everything().disabled;
  if (all) for (const input of document.querySelectorAll(BOX)) input.checked = true;
  const chosen = picked();
  document.body.toggleAttribute("data-picked", chosen.length > 0);
  const of = document.querySelector("[data-total]")?.dataset ?? {}; // everything there is, on the page or not
  const total = Number(of.total ?? 0);
  bar.querySelector("[data-picked-count]").textContent = all
    ? _("All %(number)s selected", { number: thin(total) })
    : _("%(number)s selected", { number: chosen.length });
  const more = bar.querySelector("[data-picked-all]");
  if (more) {
    const shown = document.querySelectorAll(BOX).length;
    more.hidden = all || chosen.length < shown || total <= shown;
    const number = thin(total);
    more.textContent = more.dataset.pickedAll === "finished"
      ? _("Select all %(number)s finished", { number })
      : _("Select all %(number)s that match", { number });
    const many = all && total > Number(more.dataset.most ?? Infinity);
    bar.querySelector("[data-picked-limit]")?.toggleAttribute("hidden", !many);
    for (const button of bar.querySelectorAll("[data-picked-act]")) enable(button, !many);
  }
  for (const reason of bar.querySelectorAll("[data-refused]")) {
    tellRefused(bar, reason, !all && chosen.length > 0 && chosen.every((item) => item.dataset[reason.dataset.refused]));
  }
  enable(bar.querySelector("[data-picked-compare]"), !all && chosen.length > 1 && chosen.length < 5);
  const star = bar.querySelector("[data-picked-star]");
  if (star) {
    const starred = !all && chosen.length > 0 && chosen.every((item) => item.dataset.starred);
    star.value = starred ? "" : "1";
    label(star, starred ? _("Remove star") : _("Star"));
  }
  const download = bar.querySelector("[data-picked-download]");
  if (download) {
    const approved = all
      ? Number(of.approved)
      : chosen.filter((item) => item.dataset.decision === "approved").length;
    enable(download, approved > 0);
    label(download, approved ? _("Export %(number)s approved", { number: thin(approved) }) : _("None approved"));
  }
}

// Acts that would be refused for all that is selected say why before they are tried.
function tellRefused(bar, reason, refused) {
  reason.hidden = !refused;
  for (const button of bar.querySelectorAll(`[data-unless="${reason.dataset.refused}"]`)) {
    button.dataset.why = refused ? reason.textContent : "";
    button.title = button.dataset.why || button.getAttribute("aria-label");
    if (button.dataset.why) button.disabled = true;
  }
}

function pick(item, checked) {
  if (!box(item)) return;
  box(item).checked = checked;
  anchor = item;
  leaveEverything();
}

function between(list, one, other) {
  const [from, to] = [list.indexOf(one), list.indexOf(other)].sort((a, b) => a - b);
  return list.slice(Math.max(from, 0), to + 1);
}

// Selects from the anchor to `to`; deselects what was selected on the way to `from` when turning back.
function extend(list, from, to) {
  if (!list.includes(anchor)) anchor = from;
  const left = new Set(box(from)?.checked ? between(list, anchor, from) : []);
  for (const item of between(list, anchor, to)) {
    left.delete(item);
    if (box(item)) box(item).checked = true;
  }
  for (const item of left) if (box(item)) box(item).checked = false;
  leaveEverything();
}

function middle(item) {
  const { left, width } = item.getBoundingClientRect();
  return left + width / 2;
}

// The nearest item on the next line, or the neighbour on this one.
function towards(list, from, key) {
  const index = list.indexOf(from);
  if (key === "ArrowLeft") return list[index - 1];
  if (key === "ArrowRight") return list[index + 1];
  const here = from.getBoundingClientRect();
  const beyond = key === "ArrowDown"
    ? list.slice(index + 1).filter((item) => item.getBoundingClientRect().top > here.top + here.height / 2)
    : list.slice(0, index).reverse().filter((item) => item.getBoundingClientRect().bottom < here.bottom - here.height / 2);
  const line = beyond[0]?.getBoundingClientRect().top;
  return beyond
    .filter((item) => Math.abs(item.getBoundingClientRect().top - line) < 4)
    .sort((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0];
}

// A key that acts on the selection or, without one, on the focused picture.
function press(selector, from, event) {
  const button = document.querySelector(`#picked ${selector}`);
  if (!button) return;
  if (!picked().length) pick(from, true);
  if (!picked().length) return;
  event.preventDefault();
  count();
  const words = button.dataset.why;
  if (words) document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
  else button.click();
}

// The keys that act on the selection or, without one, on a picture. True if it was one.
function acts(from, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key.toLowerCase() === "s") press("[data-picked-star]", from, event);
  else if (event.key === "Delete" || event.key === "Backspace") press("[data-picked-delete]", from, event);
  else return false;
  return true;
}

// Nothing has the focus: keys go on from the last visited picture, or the first in view.
const nowhere = (target) => target === document.body || target === document.documentElement || target.id === "main";
const inView = (item) => item.getBoundingClientRect().bottom > document.querySelector(".topbar").getBoundingClientRect().bottom;
const visited = (list) => (list.includes(anchor) ? anchor : list.find(inView));

addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if (event.key === "Escape" && picked().length && !document.querySelector(":popover-open")) {
    document.getElementById("picked")?.reset();
    return;
  }
  if (event.target.closest?.(TEXT) || document.querySelector(":popover-open, dialog[open]")) return;
  const grid = document.querySelector("[data-grid]");
  if (!grid) return;
  const list = items(grid);
  if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    for (const item of list) pick(item, true);
    count();
    return;
  }
  const focused = event.target.closest?.("[data-grid] > li");
  if ((focused || picked().length) && !event.target.closest("button") && acts(focused, event)) return;
  const from = focused ?? (nowhere(event.target) ? visited(list) : null);
  if (!from || event.target.closest("button")) return;
  if (nowhere(event.target) && event.key.startsWith("Arrow") && !list.includes(anchor)) {
    event.preventDefault();
    anchor = from;
    from.querySelector("a[href]").focus();
  } else if (event.key.startsWith("Arrow")) {
    const to = towards(list, from, event.key);
    if (!to) return;
    event.preventDefault();
    if (event.shiftKey) extend(list, from, to);
    else anchor = to;
    count();
    to.querySelector("a[href]").focus();
  } else if (event.key === " " && !event.target.matches("input")) {
    event.preventDefault();
    pick(from, !box(from)?.checked);
    count();
  }
});

addEventListener("click", (event) => {
  const item = event.target.closest?.("[data-grid] > li");
  const several = event.ctrlKey || event.metaKey;
  if (!box(item) || !(several || event.shiftKey)) return;
  const onBox = event.target.matches(".pick input");
  if (!onBox && event.target.closest("a") !== item.querySelector("a[href]")) return;
  if (!onBox) event.preventDefault();
  const list = items(item.parentElement);
  if (event.shiftKey && list.includes(anchor)) {
    const checked = onBox ? event.target.checked : true;
    for (const each of between(list, anchor, item)) if (box(each)) box(each).checked = checked;
    leaveEverything();
  } else if (!onBox) {
    pick(item, !box(item).checked);
  }
  count();
});

addEventListener("change", (event) => {
  if (!event.target.matches(BOX)) return;
  anchor = event.target.closest("li");
  leaveEverything();
  count();
});

addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-pick-shown]")) return;
  for (const item of items(document.querySelector("[data-grid]"))) pick(item, true);
  count();
});

addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-picked-all]")) return;
  everything().disabled = false;
  count();
});

// Sent as the search that finds them, not as thousands of numbers.
addEventListener("formdata", (event) => {
  if (event.formData.has("all")) event.formData.delete("ids");
});

addEventListener("reset", () => {
  leaveEverything();
  setTimeout(count);
});

let touching = 0;
addEventListener("touchstart", (event) => {
  const item = event.target.closest?.("[data-grid] > li");
  clearTimeout(touching);
  if (!box(item) || event.touches.length > 1) return;
  touching = setTimeout(() => {
    pick(item, !box(item).checked);
    count();
    // Lifting the finger is not a click on the link.
    item.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
    touching = -1;
  }, LONG);
}, { passive: true });
for (const name of ["touchend", "touchmove", "touchcancel"]) {
  addEventListener(name, () => clearTimeout(touching), { passive: true });
}
addEventListener("contextmenu", (event) => {
  if (touching === -1 && event.target.closest?.("[data-grid]")) event.preventDefault();
});

document.addEventListener("htmx:after:swap", count);
count();
