// The form of a new subject: pictures are uploaded one by one as they are dropped, pasted or chosen, and shown. Without this
// script the form sends all of them together.

import { answered, askGround, forgetGround } from "./ground.js";
import { _, ngettext } from "./languages.js";
import { cancelled, holdBack, sendFile, sendForm } from "./uploading.js";

const form = document.getElementById("subject-form");

if (form) {
  const input = form.querySelector("[data-pictures]");
  const area = form.querySelector("[data-pictures-drop]");
  const list = form.querySelector("[data-kept]");
  const error = form.querySelector("[data-kept-error]");
  const { fewest, most } = form.dataset;
  const names = () => [...list.querySelectorAll("[name=kept]")].map(({ value }) => value).filter(Boolean);

  function tell() {
    const count = names().length;
    const missing = Number(fewest) - count;
    let words = "";
    if (count && missing > 0) {
      words = ngettext(
        "%(number)s picture, %(missing)s more needed",
        "%(number)s pictures, %(missing)s more needed",
        count,
        { missing },
      );
    } else if (count > Number(most)) {
      words = ngettext(
        "%(number)s picture, at most %(most)s are taken",
        "%(number)s pictures, at most %(most)s are taken",
        count,
        { most },
      );
    } else if (count) words = ngettext("%(number)s picture", "%(number)s pictures", count);
    form.querySelector("[data-kept-words]").textContent = words;
    list.dispatchEvent(new Event("change", { bubbles: true })); // for the draft
  }

  function complain(sentence) {
    error.hidden = !sentence;
    error.querySelector("span").textContent = sentence;
  }

  const complainOf = (name, problem) =>
    complain(problem.includes(name) ? problem : _("%(name)s: %(problem)s", { name, problem }));

  function item() {
    const made = document.getElementById("kept-picture").content.firstElementChild.cloneNode(true);
    made.dataset.busy = "yes";
    list.append(made);
    return made;
  }

  function keep(made, name, { sha256, thumb }) {
    if (names().includes(sha256)) throw new Error(_("%(name)s is already there. Choose another picture.", { name }));
    made.querySelector("img").src = thumb;
    made.querySelector("[name=kept]").value = sha256;
    delete made.dataset.busy;
  }

  // Uploads a picture. Returns the question if it is transparent, and throws if it was cancelled.
  async function add(file) {
    const made = item();
    const picture = URL.createObjectURL(file);
    made.querySelector("img").src = picture;
    try {
      const told = await sendFile("/subjects/pictures", { picture: file }, { area, input, file });
      if (told.waiting) {
        made.remove();
        return told;
      }
      keep(made, file.name, told);
    } catch (problem) {
      made.remove();
      if (cancelled(problem)) throw problem;
      complainOf(file.name, problem.message);
    } finally {
      URL.revokeObjectURL(picture);
      tell();
    }
    return null;
  }

  async function addAll(files) {
    complain("");
    const waiting = [];
    for (const [place, file] of files.entries()) { // in order, without overloading the server
      try {
        const told = await add(file);
        if (told) waiting.push(told);
      } catch {
        const left = files.slice(place).map(({ name }) => name).join(_(", "));
        complain(_("Cancelled. Not uploaded: %(names)s.", { names: left }));
        break;
      }
    }
    if (waiting.length) await settle([...asked(), ...waiting]);
  }

  // The pictures that the question on the page is about.
  const asked = () => [...form.querySelectorAll("[data-ground] [name=waiting]")].map(({ value }) => questionOf(value));
  function questionOf(waiting) {
    const { name, sha256 } = JSON.parse(waiting);
    return { waiting, name, picture: `/thumbs/${sha256}-320.webp` };
  }

  const settle = async (waiting) => settleOn(waiting, await askGround(waiting));

  async function settleOn(waiting, ground) {
    for (const each of waiting) {
      const made = item();
      try {
        keep(made, each.name, await sendForm("/subjects/pictures", { waiting: each.waiting, ground }));
      } catch (problem) {
        made.remove();
        complainOf(each.name, problem.message);
      }
    }
    forgetGround();
    tell();
  }

  const shown = form.querySelector("[data-ground]"); // of a draft, or a refused form
  if (shown) {
    const waiting = asked();
    answered(shown).then((ground) => settleOn(waiting, ground));
  }

  holdBack(form, () => (list.querySelector("[data-busy]") ? _("Some pictures are still being uploaded. Wait for them, or cancel.") : ""));

  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = ""; // they are uploaded separately
    await addAll(files);
  });

  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      delete area.dataset.over;
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // a file dropped outside the field does not replace the page
      if (name === "dragover" && !event.target.closest("form[data-sends]")) area.dataset.over = "yes";
      if (name === "drop" && !event.target.closest("form[data-sends]")) addAll([...event.dataTransfer.files]);
    });
  }

  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    addAll(files);
  });

  list.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-remove]")) return;
    target.closest(".kept").remove();
    complain("");
    tell();
  });

  tell();
}
