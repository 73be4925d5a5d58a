// The popovers of the form of a new set: Enter in the field for a template's name saves it, and recent prompts are
// added and removed in place. Choosing and saving are buttons of the form and need no script.

const form = document.getElementById("set-form");

form?.addEventListener("keydown", (event) => {
  const save = event.target.closest("[data-save]");
  if (!save || event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  form.requestSubmit(save.querySelector("[type=submit]"));
});

form?.querySelector("[data-recent]")?.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("addPrompt" in button.dataset) {
    button.dispatchEvent(new CustomEvent("addprompt", { bubbles: true, detail: button.textContent }));
    return;
  }
  if (!button.dataset.forget) return;
  const answer = await fetch(button.dataset.forget, { method: "POST", redirect: "manual" }).catch(() => null);
  if (!answer || (answer.type !== "opaqueredirect" && !answer.ok)) return;
  const row = button.closest("li");
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (next?.querySelector("[data-forget]") ?? form.querySelector("[popovertarget=pop-recent]")).focus();
});
