// Subjects in the form of a set: boxes and weights fill the hidden field, and naming @a-handle in a prompt selects it.

import { named } from "./handles.js";
import { _ } from "./languages.js";

const part = document.getElementById("subjects");
const field = part?.querySelector("[name=subjects]");
const cards = [...(part?.querySelectorAll("[data-subject]") ?? [])];

if (cards.length) {
  const { prompts } = field.form.elements;
  const hint = part.querySelector("[data-subjects-words]");
  const usual = cards.some((card) => card.querySelector("[type=checkbox]").checked) ? "" : hint.textContent;
  const box = (card) => card.querySelector("[type=checkbox]");
  const weight = (card) => card.querySelector("[type=range]");
  let before = new Set();

  function keep() {
    const chosen = cards.filter((card) => box(card).checked);
    for (const card of cards) card.querySelector(".subject__weight").hidden = !box(card).checked;
    field.value = chosen.length
      ? JSON.stringify(chosen.map((card) => ({ id: Number(card.dataset.subject), weight: Number(weight(card).value) })))
      : "";
    hint.textContent = chosen.map((card) => `@${card.dataset.handle}`).join(_(", ")) || usual;
  }

  // Typing a handle selects its subject; removing it deselects the subject, unless the person chose it.
  function follow() {
    const now = named(prompts.value, new Set(cards.map((card) => card.dataset.handle)));
    for (const card of cards) {
      const { handle } = card.dataset;
      if (now.has(handle) !== before.has(handle)) box(card).checked = now.has(handle);
    }
    before = now;
    keep();
  }

  prompts.addEventListener("input", follow);
  part.addEventListener("input", keep);
  follow();
}
