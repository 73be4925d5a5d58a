// Refused forms. The summary on top of a form takes the focus, and its links lead to the fields. The server renders it where
// it shows the form again; this script puts it on top of forms that stay on the page: those that htmx sends, and those with a
// file, whose empty required fields are found before anything is uploaded.

import { _, ngettext } from "./languages.js";

const CONTROL = "input:not([type=hidden]), select, textarea, button:not([data-summary] *)";
let prefix = ""; // of the title

// The server's own title has the words already.
function retitle(words) {
  if (words && document.title.startsWith(`${words} – `)) prefix = `${words} – `;
  const plain = document.title.startsWith(prefix) ? document.title.slice(prefix.length) : document.title;
  prefix = words ? `${words} – ` : "";
  document.title = prefix + plain;
}

// The field that a fault is about: by its name in the form, or by its id.
function fieldOf(form, name) {
  const named = [...(form?.elements ?? [])].filter((field) => field.name === name && field.type !== "hidden");
  return named.find(({ checked }) => checked) ?? named[0] ?? document.getElementById(name);
}

function lead(place) {
  for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  const field = place.matches(CONTROL) ? place : (place.querySelector(CONTROL) ?? place);
  const whole = field.closest(".field") ?? field;
  field.focus({ preventScroll: true });
  whole.scrollIntoView({ block: whole.offsetHeight > innerHeight ? "start" : "center" });
}

function show(summary, within) {
  for (const old of document.querySelectorAll("[data-summary]")) if (old !== summary) old.remove();
  if (!summary.isConnected) within.prepend(summary);
  retitle(summary.dataset.summary);
  summary.dataset.seen = "yes";
  summary.focus();
}

// Put the summary of a refused answer on top of what was sent: a form, or a popover in it. False without a field there.
export function showRefusal(summary, within) {
  if (![...within.querySelectorAll(CONTROL)].some((field) => field.type !== "submit")) return false;
  if (within.matches("[popover]:not(:popover-open)")) within.showPopover();
  show(document.importNode(summary, true), within);
  return true;
}

export function forgetRefusal() {
  retitle("");
}

addEventListener("click", (event) => {
  const link = event.target.closest("[data-summary] a");
  const place = link && fieldOf(link.closest("form"), decodeURIComponent(link.hash.slice(1)));
  if (!place) return;
  event.preventDefault();
  lead(place);
});

// What is missing, before a file is uploaded

function missing(field) {
  const label = field.labels?.[0]?.cloneNode(true);
  label?.querySelector(".must")?.remove();
  return field.dataset.missing ?? _("%(field)s is missing.", { field: label?.textContent.trim() || field.ariaLabel });
}

// Show which required fields are empty. False if none is.
export function showMissing(form) {
  const wrong = [...form.elements].filter((field) => field.required && field.validity.valueMissing);
  if (!wrong.length) return false;
  const summary = document.getElementById("summary").content.firstElementChild.cloneNode(true);
  const words = ngettext("%(number)s thing to fix", "%(number)s things to fix", wrong.length);
  summary.dataset.summary = words;
  summary.ariaLabel = words;
  summary.querySelector("[data-summary-title]").textContent = words;
  for (const field of wrong) {
    field.ariaInvalid = "true";
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("a"), { className: "link", href: `#${field.id}`, textContent: missing(field) }));
    summary.querySelector("ul").append(item);
  }
  show(summary, form);
  return true;
}

const uploads = (field) => field.type === "file" && (field.required || field.files.length);

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.noValidate || ![...form.elements].some(uploads) || !showMissing(form)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

addEventListener("input", ({ target }) => {
  if (target.ariaInvalid === "true" && target.required && target.value) target.ariaInvalid = null;
});

// A summary that the server rendered: the page's own, or one that htmx put into it.
function enter() {
  const summary = document.querySelector("[data-summary]:not([data-seen])");
  if (!summary) return;
  summary.dataset.seen = "yes";
  retitle(summary.dataset.summary);
  summary.focus();
}

// Only a part of the form may have been taken from the answer, without its summary.
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  if (ctx.response?.status === 422 && !document.querySelector("[data-summary]:not([data-seen])")) {
    const summary = new DOMParser().parseFromString(ctx.text, "text/html").querySelector("[data-summary]");
    const form = document.getElementById(ctx.target?.id)?.closest("form");
    if (summary && form) showRefusal(summary, form);
  }
  enter();
});
enter();
