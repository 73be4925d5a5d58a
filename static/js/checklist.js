// Checklists before approval, in the review room and for many pictures. 1, 2 and 3 answer the item that has the focus and
// lead to the next without an answer, arrows go from item to item, Shift K answers the rest as fine. In the room every
// change is saved at once, for the person and the picture; a decision waits for that. The server checks all of it again.

import { _ } from "./languages.js";

const WAIT = 400; // ms without a change
const form = () => document.querySelector("form[data-checks], form[data-same]");
const items = () => [...(form()?.querySelectorAll("[data-check]") ?? [])];
const answer = (item) => item.querySelector("input:checked")?.value ?? "";
const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));

// Saving, one request after the other

let timer = 0;
let due = null; // the form with unsaved answers
let saving = Promise.resolve();

function later() {
  clearTimeout(timer);
  due = form();
  timer = setTimeout(saveChecks, WAIT);
}

// Resolves when everything that was answered so far is saved.
export function saveChecks() {
  clearTimeout(timer);
  if (due) {
    const { action } = due;
    const body = new URLSearchParams([...new FormData(due)]);
    due = null;
    saving = saving.then(() => send(action, body));
  }
  return saving;
}

async function send(action, body) {
  try {
    const headers = { "HX-Request": "true", Accept: "text/html" };
    const response = await fetch(action, { method: "POST", body, headers, keepalive: true });
    if (response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    say(page.querySelector("[data-error-sentence]")?.textContent ?? _("Your answers could not be saved. Try again."));
  } catch {
    say(_("The server could not be reached, so your answers were not saved. Try again in a moment."));
  }
}

// What is left

// Why the picture cannot be approved, and the item to look at; null if it can.
export function checksMissing() {
  const all = items();
  const bad = all.find((item) => answer(item) === "not_fine");
  if (bad) return { item: bad, words: _("Something is not fine: request changes, or correct the answer.") };
  const open = all.filter((item) => !answer(item));
  if (!open.length) return null;
  const words = _("Answer the checklists before approving: %(number)s of %(all)s have no answer.", { number: open.length, all: all.length });
  return { item: open[0], words };
}

export function showMissing({ item, words }) {
  focusOn(item);
  say(words);
}

function focusOn(item) {
  for (let fold = item.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  const radio = item.querySelector("input:checked") ?? item.querySelector("input[type=radio]");
  radio.focus({ preventScroll: true });
  item.scrollIntoView({ block: "center" });
}

// Open the lists, or close them if they have the focus.
function openChecks() {
  const panel = form()?.closest("details");
  if (!panel) return false;
  if (panel.open && panel.contains(document.activeElement)) {
    panel.open = false;
    panel.querySelector("summary").focus();
  } else focusOn(items().find((item) => !answer(item)) ?? items()[0]);
  return true;
}

function count() {
  const place = document.querySelector("[data-checks-count]");
  const all = items();
  if (place) place.textContent = _("%(number)s of %(all)s", { number: all.filter(answer).length, all: all.length });
}

// What is not fine becomes the reason for requesting changes, until somebody writes another.
function tellReason() {
  const area = document.getElementById("decide-reason");
  if (!area) return;
  const bad = items().filter((item) => answer(item) === "not_fine");
  document.getElementById("decide-why").hidden = !bad.length;
  if (area.value !== (area.dataset.told ?? area.defaultValue)) return;
  const said = bad.map((item) => {
    const words = item.querySelector("legend").textContent.trim();
    const note = item.querySelector(".check-item__note").value.trim();
    return note ? _("%(item)s (%(note)s)", { item: words.replace(/[.。]$/, ""), note }) : words;
  });
  const between = document.documentElement.lang === "ja" ? "" : " ";
  area.value = said.length ? [_("Not fine:"), ...said].join(between).slice(0, 500) : "";
  area.dataset.told = area.value;
}

function changed() {
  count();
  tellReason();
  if (form()?.matches("[data-checks]")) later();
}

// Answering

function choose(item, place) {
  const radio = item.querySelectorAll("input[type=radio]")[place];
  radio.checked = true;
  changed();
  if (radio.value === "not_fine") {
    item.querySelector(".check-item__note").focus({ preventScroll: true });
    item.scrollIntoView({ block: "center" });
  } else {
    const all = items();
    const after = [...all.slice(all.indexOf(item) + 1), ...all].find((each) => !answer(each));
    if (after) focusOn(after);
    else radio.focus();
  }
}

function restIsFine(within) {
  for (const item of within) if (!answer(item)) item.querySelector("input[value=fine]").checked = true;
  changed();
}

function key(event) {
  const item = event.target.closest("[data-check]");
  if (event.shiftKey && event.key.toLowerCase() === "k") {
    if (!items().length) return false;
    restIsFine(items());
    return true;
  }
  if (event.key.toLowerCase() === "k") return openChecks();
  if (!item) return false;
  if (/^[123]$/.test(event.key)) {
    choose(item, Number(event.key) - 1);
    return true;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const next = step && items()[items().indexOf(item) + step];
  if (next) focusOn(next);
  return Boolean(step);
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector(":popover-open")) return;
  if (event.key === "Enter" && event.target.matches(".check-item__note")) { // to the next item, not to the server
    event.preventDefault();
    const all = items();
    const at = all.indexOf(event.target.closest("[data-check]"));
    focusOn(all.slice(at + 1).find((item) => !answer(item)) ?? all[Math.min(at + 1, all.length - 1)]);
    return;
  }
  if (event.target.closest("textarea, select, input:not([type=radio], [type=checkbox])")) return;
  if (!key(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

document.addEventListener("input", (event) => {
  if (event.target.closest("[data-check]")) changed();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-rest-fine]");
  if (button) restIsFine(button.closest("section").querySelectorAll("[data-check]"));
});

// For many pictures, approving waits for answers too.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-same]") || event.submitter?.value !== "approved") return;
  const missing = checksMissing();
  if (!missing) return;
  event.preventDefault();
  showMissing(missing);
});

addEventListener("pagehide", () => saveChecks());
