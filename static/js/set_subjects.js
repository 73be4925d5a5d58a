// Subjects in the form of a set: boxes and weights fill the hidden field, and naming @a-handle in a prompt selects it.

const part = document.getElementById("subjects");
const field = part?.querySelector("[name=subjects]");
const cards = [...(part?.querySelectorAll("[data-subject]") ?? [])];

if (cards.length) {
  const { prompts } = field.form.elements;
  const hint = part.querySelector("[data-subjects-words]");
  const usual = cards.some((card) => card.querySelector("[type=checkbox]").checked) ? "" : hint.textContent;
  const box = (card) => card.querySelector("[type=checkbox]");
  const weight = (card) => card.querySelector("[type=range]");
  let named = new Set();

  function keep() {
    const chosen = cards.filter((card) => box(card).checked);
    for (const card of cards) card.querySelector(".subject__weight").hidden = !box(card).checked;
    field.value = chosen.length
      ? JSON.stringify(chosen.map((card) => ({ id: Number(card.dataset.subject), weight: Number(weight(card).value) })))
      : "";
    hint.textContent = chosen.map((card) => `@${card.dataset.handle}`).join(", ") || usual;
  }

  // Typing a handle selects its subject; removing it deselects the subject, unless the person chose it.
  function follow() {
    const found = prompts.value.toLowerCase().match(/(?<![\w@])@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?/g) ?? [];
    const now = new Set(found.map((handle) => handle.slice(1)));
    for (const card of cards) {
      const { handle } = card.dataset;
      if (now.has(handle) !== named.has(handle)) box(card).checked = now.has(handle);
    }
    named = now;
    keep();
  }

  prompts.addEventListener("input", follow);
  part.addEventListener("input", keep);
  follow();
}
