// Small helps of forms, none of which a form needs to work:
// a [data-autosubmit] control sends its form when it changes; a [data-select] field selects its text when it gets the focus;
// a form with data-confirm asks that question first; a form that was sent waits, so that a second press does not send it twice.

addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
});

addEventListener("focusin", (event) => {
  if (event.target.matches("[data-select]")) event.target.select();
});

// Captured, so that it is asked before the form is taken for sent.
addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
}, { capture: true });

addEventListener("submit", (event) => {
  const form = event.target;
  // htmx has prevented the event and guards its own forms; downloads leave the page where it is.
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
});

// The page may come back from the browser's memory, as it was left.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});
