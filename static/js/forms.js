// Small conveniences that no form depends on:
// a [data-autosubmit] control sends its form when it changes; a [data-select] field selects its text on focus;
// a sent form ignores a second press; if its answer is the same page again, the focus returns to the control that sent it.

import { called } from "./focus.js";

// A form's own property may be a field of that name, as in the form of a style.
const posts = (form) => form.getAttribute("method") === "post";

addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
});

addEventListener("focusin", (event) => {
  if (event.target.matches("[data-select]")) event.target.select();
});

// The second click of a double click was meant for what was there at the first: by now it may be the next picture's form.
addEventListener("click", (event) => {
  if (event.detail === 2 && event.target.closest?.("button")?.type === "submit") event.preventDefault();
}, { capture: true });

// So is what a held Enter presses again.
addEventListener("keydown", (event) => {
  if (event.repeat && event.key === "Enter" && event.target.closest?.("button")?.type === "submit") event.preventDefault();
}, { capture: true });

addEventListener("submit", (event) => {
  const form = event.target;
  // htmx has prevented the event and guards its own forms; downloads stay on the page.
  if (event.defaultPrevented || !posts(form)) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});

function release() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
}

// The page may come back from the browser's cache as it was left, or stay because somebody stopped the sending.
addEventListener("pageshow", release);
window.navigation?.addEventListener("navigateerror", release);

// The control is known by its form's address and by its name, as the page's rows may have moved.
const SENT = "sent-by";
const controls = (action) =>
  [...document.forms].filter((form) => form.getAttribute("action") === action).flatMap((form) => [...form.elements]);

addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !posts(form)) return;
  const by = event.submitter ?? document.activeElement;
  const sent = { page: location.pathname, action: form.getAttribute("action"), by: form.contains(by) ? called(by) : "" };
  sessionStorage.setItem(SENT, JSON.stringify(sent));
});

const sent = JSON.parse(sessionStorage.getItem(SENT) ?? "null");
sessionStorage.removeItem(SENT);

function focusSender() {
  const taken = [...document.querySelectorAll("[autofocus]")].some((each) => each.checkVisibility());
  if (sent?.page !== location.pathname || taken || document.activeElement !== document.body) return;
  const control = controls(sent.action).find((each) => called(each) === sent.by && !each.disabled);
  if (control) control.focus();
  else if (!location.hash) document.getElementById("main")?.focus();
}

// Until the page is loaded, an address that leads to a row takes the focus away.
addEventListener("load", () => requestAnimationFrame(focusSender));
