// Buttons that copy: data-copy="SOR-7K2Q". The clipboard needs https or localhost; elsewhere a fallback is used.

import { _ } from "./languages.js";

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "sr";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser did not copy");
}

addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await copy(button.dataset.copy);
    button.dataset.copied = "yes";
    setTimeout(() => delete button.dataset.copied, 1500);
  } catch {
    const words = _("The browser blocked copying. Select the text and copy it yourself.");
    document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
  }
});
