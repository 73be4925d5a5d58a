// The form of a new set: numbers the lines, counts the pictures, follows the chosen style, and sends with Ctrl Enter.
// The server checks everything again; without this script the form only says less.

import { _, ngettext, thin } from "./languages.js";

const form = document.getElementById("set-form");
const GUESS = 300; // ms without a change, before the time is asked
const LINES = 6; // of the empty field
const MARK = "\0"; // in place of a number

// The words around a number, with the number in an element.
function counted(number, words) {
  const [before, after] = words.split(MARK);
  return [before, Object.assign(document.createElement("strong"), { className: "num", textContent: thin(number) }), after];
}

if (form) {
  const { prompts, count, steps, guidance, strength, seed, scheduler, seamless, negative_prompt: negative } = form.elements;
  const unique = form.querySelector("[data-unique]");
  const countProblem = form.querySelector("[data-count-problem]");
  const most = (what) => Number(form.dataset[`max${what}`]);
  const numbers = form.querySelector(".prompts__nums");
  const note = form.querySelector("[data-prompt-note]");
  let guessed = ""; // what was asked last
  let guessing = 0;
  let ownStrength = false; // someone moved the slider: it no longer follows the style

  // How many of each prompt; null unless it is a number that a set can have.
  function variations() {
    const number = /^\d+$/.test(count.value.trim()) ? Number(count.value) : Number.NaN;
    return number >= Number(count.dataset.min) && number <= Number(count.dataset.max) ? number : null;
  }

  function step(by) {
    const number = (variations() ?? 1) + by;
    count.value = Math.min(Math.max(number, Number(count.dataset.min)), Number(count.dataset.max));
    count.dispatchEvent(new Event("input", { bubbles: true }));
  }

  const lines = () => prompts.value.split("\n");
  const kept = () => lines().map((line) => line.trim()).filter(Boolean);

  function remark(all, wanted) {
    const long = all.findIndex((line) => line.length > most("Letters") * 0.8);
    if (wanted.length > most("Prompts")) return _("At most %(number)s prompts", { number: thin(most("Prompts")) });
    if (long >= 0) {
      const found = { line: long + 1, length: all[long].length, most: most("Letters") };
      return _("Line %(line)s is too long: %(length)s of %(most)s characters", found);
    }
    const repeats = wanted.length - new Set(wanted).size;
    return repeats ? ngettext("%(number)s duplicate", "%(number)s duplicates", repeats) : "";
  }

  function tell() {
    const all = lines();
    const wanted = kept();
    const total = wanted.length * (variations() ?? 1);
    const shown = Math.max(LINES, all.length);
    prompts.rows = shown;
    while (numbers.children.length > shown) numbers.lastElementChild.remove();
    while (numbers.children.length < shown) {
      numbers.append(Object.assign(document.createElement("li"), { textContent: numbers.children.length + 1 }));
    }
    form.querySelector("[data-prompt-count]").replaceChildren(
      ...counted(wanted.length, ngettext("%(number)s prompt", "%(number)s prompts", wanted.length, { number: MARK })),
    );
    note.textContent = remark(all, wanted);
    const pictures = counted(total, ngettext("%(number)s picture", "%(number)s pictures", total, { number: MARK }));
    pictures[1].dataset.total = "";
    form.querySelector("[data-total-words]").replaceChildren(...pictures);
    form.querySelector("[data-too-many]").hidden = total <= most("Pictures");
    unique.hidden = new Set(wanted).size === wanted.length;
    say(countProblem);
    guess(wanted.length);
    for (const choice of form.querySelectorAll("[name=quality]")) choice.checked = choice.value === steps.value;
    form.querySelector("[data-advanced]").textContent = [
      _("%(steps)s steps", { steps: steps.value }),
      _("guidance %(guidance)s", { guidance: guidance.value }),
      scheduler.value,
      seed.value && _("seed %(seed)s", { seed: seed.value }),
      negative.value.trim() && _("negative prompt"),
      seamless.checked && _("seamless"),
    ].filter(Boolean).join(_(", "));
  }

  // How long it will take: the server knows its speed and its queue. Answers to earlier questions no longer count.
  function guess(wanted) {
    const { size, width, height, structures, regions } = Object.fromEntries(new FormData(form));
    const parts = (json) => (json?.match(/"(?:control|prompt)"/g) ?? []).length;
    const asked = new URLSearchParams({
      prompts: wanted,
      ...{ count: count.value, size: size ?? "", width: width ?? "", height: height ?? "" },
      ...{ steps: steps.value, guidance: guidance.value, scheduler: scheduler.value },
      ...{ structures: parts(structures), regions: parts(regions) },
    }).toString();
    if (asked === guessed) return;
    guessed = asked;
    clearTimeout(guessing);
    guessing = setTimeout(async () => {
      const answer = await fetch(`/sets/estimate?${asked}`).catch(() => null);
      const words = answer?.ok && answer.headers.get("content-type").startsWith("text/plain") ? await answer.text() : "";
      if (asked === guessed) form.querySelector("[data-estimate]").textContent = words;
    }, GUESS);
  }

  // The server refuses a wrong number; nobody's number is changed behind their back.
  function say(problem) {
    const bounds = { least: count.dataset.min, most: count.dataset.max };
    const wrong = variations() ? "" : _("Variations: a whole number from %(least)s to %(most)s.", bounds);
    problem.hidden = !wrong;
    problem.querySelector("span").textContent = wrong;
    count.toggleAttribute("aria-invalid", Boolean(wrong));
  }

  function followStyle() {
    const chosen = form.querySelector("[name=style]:checked");
    if (!chosen) return;
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
    prompts.dispatchEvent(new Event("input", { bubbles: true })); // also for the scripts of other parts
  }

  form.addEventListener("input", (event) => {
    if (event.target === strength) ownStrength = true;
    if (event.target.name === "quality") steps.value = event.target.value;
    tell();
  });

  form.addEventListener("change", (event) => {
    if (event.target.name === "style") followStyle();
    tell();
  });

  form.addEventListener("click", (event) => {
    const button = event.target.closest("button[type=button]");
    if (!button) return;
    if (button.dataset.step) {
      step(Number(button.dataset.step));
    } else if ("unique" in button.dataset) {
      putLines([...new Set(kept())]);
    } else if ("roll" in button.dataset) {
      seed.value = crypto.getRandomValues(new Uint32Array(1))[0] % 100_000_000;
      tell();
    }
  });

  // A strength that was chosen by drafts: back to the one before, also where a draft of the form has been saved since.
  form.addEventListener("click", (event) => {
    const undo = event.target.closest("[data-undo-strength]");
    if (!undo) return;
    event.preventDefault();
    history.replaceState(null, "", undo.href);
    undo.closest(".note").remove();
    const before = undo.dataset.undoStrength || form.querySelector("[name=style]:checked").dataset.strength;
    strength.value = before;
    strength.dispatchEvent(new Event("input", { bubbles: true }));
    ownStrength = Boolean(undo.dataset.undoStrength);
    strength.focus();
  });

  form.addEventListener("addprompt", (event) => putLines([...lines().filter((line) => line.trim()), event.detail]));

  count.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
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
