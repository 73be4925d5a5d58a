// Asks before an act that cannot be undone, in the page's one <dialog>. A form with the macro `ask` says what: it posts to
// "…?ask", where the server asks on a page of its own (app/web/asking.py); with this script the dialog has asked already.
// Esc, a press outside and the first button keep everything as it is, and the focus returns to where it was.

import { _ } from "./languages.js";

const dialog = document.getElementById("ask");
const part = (name) => dialog.querySelector(`[data-ask="${name}"]`);
let answered = null; // the form whose question was just answered with yes
let settle = () => {}; // what waits for the answer to the present question

// Whether the person wants the act. `typed`, for a large loss, must be typed first.
export function ask({ title, text = "", act, keep, typed = "" }) {
  settle(false);
  for (const [name, words] of Object.entries({ title, text, act, keep })) part(name).textContent = words;
  part("text").hidden = !text;
  part("typing").hidden = !typed;
  part("wanted").textContent = typed;
  part("typed").value = "";
  part("act").disabled = Boolean(typed);
  dialog.dataset.wanted = typed;
  dialog.returnValue = "";
  dialog.showModal();
  (typed ? part("typed") : part("keep")).focus();
  return new Promise((resolve) => {
    settle = resolve;
  });
}

// The event comes a moment after the dialog has closed; by then it may be open with another question.
dialog.addEventListener("close", () => {
  if (!dialog.open) settle(dialog.returnValue === "act");
});

const question = (form) =>
  Object.fromEntries(["title", "text", "act", "keep", "typed"].map((name) => [name, form[`ask-${name}`]?.value]));

// News may have replaced the form while the person read its question: the form that now asks the same there.
const successor = (form, asked) =>
  [...document.forms].find(
    (other) =>
      other.getAttribute("action") === form.getAttribute("action") &&
      JSON.stringify(question(other)) === JSON.stringify(asked),
  );

// Captured, so that the question comes before htmx, and before the form counts as sent.
addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (!form["ask-title"]) return;
  if (answered === form) {
    answered = null;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const asked = question(form);
  if (!(await ask(asked))) return;
  const present = form.isConnected ? form : successor(form, asked);
  if (!present) {
    const words = _("This page changed in the meantime, so nothing was done. Check it and try again.");
    document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
    return;
  }
  answered = present;
  present.setAttribute("action", present.getAttribute("action").replace(/\?ask$/, ""));
  present.requestSubmit(submitter?.isConnected ? submitter : null);
}, { capture: true });

const matches = () => part("typed").value.trim() === dialog.dataset.wanted.trim();

part("typed").addEventListener("input", () => {
  part("act").disabled = !matches();
});

// Enter in a form presses its first button, which keeps; a person who has typed the name means the other one.
part("typed").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (matches()) dialog.close("act");
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

// The keys of the page do nothing while it asks.
dialog.addEventListener("keydown", (event) => event.stopPropagation());

// What had the focus may be gone, replaced by news.
dialog.addEventListener("close", () => {
  if (document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
});
