// The form of a new set: numbers the lines, counts the pictures, follows the chosen style, and sends with Ctrl Enter.
// The server checks everything again; without this script the form only says less.

const form = document.getElementById("set-form");
const thin = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const plural = (number, word) => `${thin(number)} ${word}${number === 1 ? "" : "s"}`;

if (form) {
  const { prompts, count, steps, guidance, strength, seed, scheduler } = form.elements;
  const most = (what) => Number(form.dataset[`max${what}`]);
  const numbers = form.querySelector(".prompts__nums");
  const note = form.querySelector("[data-prompt-note]");
  let ownStrength = false; // someone moved the slider: it no longer follows the style

  const lines = () => prompts.value.split("\n");
  const kept = () => lines().map((line) => line.trim()).filter(Boolean);

  function remark(all, wanted) {
    const long = all.findIndex((line) => line.length > most("Letters") * 0.8);
    if (wanted.length > most("Prompts")) return `At most ${thin(most("Prompts"))} prompts`;
    if (long >= 0) return `Line ${long + 1} is too long: ${all[long].length} of ${most("Letters")} characters`;
    const repeats = wanted.length - new Set(wanted).size;
    return repeats ? plural(repeats, "duplicate") : "";
  }

  function tell() {
    const all = lines();
    const wanted = kept();
    const each = Math.max(1, Number.parseInt(count.value, 10) || 1);
    const total = wanted.length * each;
    prompts.rows = Math.max(8, all.length);
    const shown = Math.max(8, all.length);
    while (numbers.children.length > shown) numbers.lastElementChild.remove();
    while (numbers.children.length < shown) {
      numbers.append(Object.assign(document.createElement("li"), { textContent: numbers.children.length + 1 }));
    }
    form.querySelector("[data-prompt-count]").replaceChildren(
      Object.assign(document.createElement("strong"), { className: "num", textContent: thin(wanted.length) }),
      wanted.length === 1 ? " prompt" : " prompts",
    );
    note.textContent = remark(all, wanted);
    form.querySelector("[data-total-words]").textContent = `${plural(wanted.length, "prompt")} × ${each}`;
    for (const place of form.querySelectorAll("[data-total]")) place.textContent = thin(total);
    for (const noun of form.querySelectorAll("[data-total-noun]")) noun.textContent = total === 1 ? "picture" : "pictures";
    form.querySelector("[data-too-many]").hidden = total <= most("Pictures");
    form.querySelector("[data-generate]").textContent = total ? `Generate ${plural(total, "picture")}` : "Generate";
    for (const choice of form.querySelectorAll("[name=quality]")) choice.checked = choice.value === steps.value;
    form.querySelector("[data-advanced]").textContent = [
      `Strength ${Number(strength.value)}`,
      `${steps.value} steps`,
      `guidance ${guidance.value}`,
      scheduler.value,
      seed.value ? `seed ${seed.value}` : "random seed",
    ].join(", ");
  }

  function followStyle() {
    const chosen = form.querySelector("[name=style]:checked");
    if (!chosen) return;
    const card = chosen.closest(".pickcard");
    const summary = form.querySelector("[data-chosen]");
    summary.querySelector(".quad").replaceWith(card.querySelector(".quad").cloneNode(true));
    const name = card.querySelector("strong");
    summary.querySelector("[data-chosen-name]").textContent = name.textContent;
    summary.querySelector("[data-chosen-name]").lang = name.lang;
    summary.querySelector("[data-chosen-code]").textContent = chosen.value;
    summary.querySelector("[data-chosen-more]").textContent = chosen.dataset.more;
    refuse(chosen.dataset.refusal ?? "");
    if (!ownStrength) {
      strength.value = chosen.dataset.strength;
      form.querySelector("output[for=strength]").textContent = Number(strength.value);
    }
  }

  // A style whose rights have expired can be viewed, but not used; the reason is next to the button.
  function refuse(reason) {
    for (const button of form.querySelectorAll("[type=submit]")) button.disabled = Boolean(reason);
    form.querySelector("[data-refused-link]").hidden = !reason;
    form.querySelectorAll("[data-refused]").forEach((place) => {
      place.hidden = !reason;
      place.querySelector("span").textContent = reason;
    });
  }

  function putLines(all) {
    prompts.value = all.join("\n");
    tell();
  }

  form.addEventListener("input", (event) => {
    if (event.target === strength) ownStrength = true;
    if (event.target.name === "quality") steps.value = event.target.value;
    tell();
  });

  form.addEventListener("change", (event) => {
    if (event.target.name === "style") followStyle();
    if (event.target === count) {
      const number = Number.parseInt(count.value, 10) || 1;
      count.value = Math.min(Math.max(number, Number(count.dataset.min)), Number(count.dataset.max));
    }
    tell();
  });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (!button) return;
    if (button.dataset.step) {
      const number = (Number.parseInt(count.value, 10) || 1) + Number(button.dataset.step);
      count.value = Math.min(Math.max(number, Number(count.dataset.min)), Number(count.dataset.max));
      tell();
    } else if (button.dataset.addPrompt) {
      putLines([...lines().filter((line) => line.trim()), button.dataset.addPrompt]);
    } else if ("unique" in button.dataset) {
      putLines([...new Set(kept())]);
    } else if ("roll" in button.dataset) {
      seed.value = crypto.getRandomValues(new Uint32Array(1))[0] % 100_000_000;
      tell();
    }
  });

  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const generate = form.querySelector("[data-generate]");
    if (!generate.disabled) form.requestSubmit(generate);
  });

  tell();
  refuse(form.querySelector("[name=style]:checked")?.dataset.refusal ?? "");
}
