// Small conveniences that no form depends on:
// a [data-autosubmit] control sends its form when it changes; a [data-select] field selects its text on focus;
// a form with data-confirm asks that question first; a sent form ignores a second press.

addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
});

addEventListener("focusin", (event) => {
  if (event.target.matches("[data-select]")) event.target.select();
});

// Captured, so that the question comes before the form counts as sent.
addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
}, { capture: true });

addEventListener("submit", (event) => {
  const form = event.target;
  // htmx has prevented the event and guards its own forms; downloads stay on the page.
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});

// The page may come back from the browser's cache as it was left.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});
