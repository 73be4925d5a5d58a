// Ways of sharing in words: choosing one sets the numbers below; changing a number makes them the person's own.

const section = document.querySelector("[data-presets]");
const choices = section ? [...section.querySelectorAll("input[name=preset]")] : [];

/** The field of the form with this name. */
const field = (name) => section.querySelector(`[name="${name}"]`);

/** The text that a field has for a value of a preset. */
const written = (value) => (typeof value === "number" ? String(value) : value);

section?.addEventListener("input", (event) => {
  if (event.target.name === "preset") {
    choose(event.target);
  } else {
    choices.find((choice) => choice.value === chosenBy(fields())).checked = true;
  }
});

function choose(choice) {
  if (!choice.dataset.sets) {
    section.querySelector("details").open = true;
    return;
  }
  for (const [name, value] of Object.entries(JSON.parse(choice.dataset.sets))) {
    const input = field(name);
    if (input.type === "checkbox") input.checked = value;
    else input.value = written(value);
  }
}

/** The preset's name for what a form has, or "own". */
function chosenBy(values) {
  const found = choices.find((choice) => {
    if (!choice.dataset.sets) return false;
    return Object.entries(JSON.parse(choice.dataset.sets)).every(([name, value]) => values(name, value) === value);
  });
  return found ? found.value : "own";
}

/** Reads a field as the kind of value that a preset has; what is no number, such as "0,5", is no preset's. */
function fields() {
  return (name, like) => {
    const input = field(name);
    if (input.type === "checkbox") return input.checked;
    const typed = input.value.trim();
    return typeof like === "number" && typed ? Number(typed) : typed;
  };
}
