// Pictures by drag and drop, by paste, from a sample, or sent directly after being chosen. Without this script the forms
// still take a file in their field and send it with their button.

import { _ } from "./languages.js";
import { cancelled, upload } from "./uploading.js";

const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
const AREAS = ".drop, .crop";

function give(input, given) {
  const files = new DataTransfer();
  for (const file of input.multiple ? given : given.slice(0, 1)) files.items.add(file);
  const [first, ...others] = given.map(({ name }) => name);
  if (given.length > files.items.length)
    say(_("Only %(name)s was taken: a style starts with one picture. Not taken: %(others)s.", { name: first, others: others.join(_(", ")) }));
  input.files = files.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    const area = event.target.closest?.(AREAS);
    for (const each of document.querySelectorAll("[data-over]")) delete each.dataset.over;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // a file dropped outside the field does not replace the page
    if (!area) return;
    if (name === "dragover") area.dataset.over = "yes";
    const files = [...event.dataTransfer.files];
    if (name === "drop" && files.length) give(area.querySelector("input[type=file]"), files);
  });
}

addEventListener("paste", (event) => {
  const input = document.querySelector(AREAS)?.querySelector("input[type=file]");
  const files = [...(event.clipboardData?.files ?? [])];
  if (!input || !files.length) return;
  event.preventDefault();
  give(input, files);
});

// A sample also fills in its name and texts. A form in which something was typed already stays as a draft: the sample gets
// a form of its own, at another address.
const started = (form) => ["name", "text", "reference_prompt", "reference_id"].some((name) => form.elements[name]?.value);

function describe(form, { name, text, shows }) {
  for (const [field, value] of Object.entries({ name, text, reference_prompt: shows })) {
    const input = form.elements[field];
    if (!input) continue;
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

// The first form of all has a picture only: the page that follows has the fields.
const SAMPLE = "soroe-sample";
const chosen = sessionStorage.getItem(SAMPLE);
const fields = document.getElementById("reference_prompt")?.form;
if (chosen && fields) {
  sessionStorage.removeItem(SAMPLE);
  const sample = JSON.parse(chosen);
  if (fields.elements.reference_id) describe(fields, sample);
  else take(fields.querySelector("input[type=file][name=picture]"), sample);
}

const formOf = ({ name }) => `sample=${encodeURIComponent(name)}`;

async function take(input, sample) {
  const picture = await (await fetch(sample.sample)).blob();
  const { form } = input;
  if (form.matches("[data-upload]")) sessionStorage.setItem(SAMPLE, JSON.stringify(sample));
  else describe(form, sample);
  give(input, [new File([picture], `${sample.name}.webp`, { type: picture.type })]);
}

addEventListener("click", async (event) => {
  const sample = event.target.closest("[data-sample]");
  if (sample) {
    const input = document.querySelector("input[type=file][name=picture]");
    if (!started(input.form)) return take(input, { ...sample.dataset });
    sessionStorage.setItem(SAMPLE, JSON.stringify(sample.dataset));
    location.assign(`/styles/new?${formOf(sample.dataset)}`);
    return;
  }
  // "Choose a picture" opens the file dialog; choosing a file sends the form.
  const button = event.target.closest("[data-upload] button[type=submit]");
  const input = button?.form.querySelector("input[type=file]");
  if (input && !input.files.length) {
    event.preventDefault();
    input.click();
  }
});

// The first picture of all: its page follows.
async function send(input) {
  const { form } = input;
  const area = input.closest(AREAS);
  const [file] = input.files;
  const about = { area, input, file, retry: () => send(input) };
  const body = new FormData(form);
  body.append("draft-place", "/styles/new"); // where the question about a transparent picture is kept
  try {
    const response = await upload(form.action, { method: "POST", body }, about);
    const sample = JSON.parse(sessionStorage.getItem(SAMPLE) ?? "null");
    if (response.ok) return location.assign(sample ? `${response.url}&${formOf(sample)}` : response.url);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (page.querySelector("[data-ground]")) return location.assign("/styles/new"); // the draft has the picture and asks
    const words = page.querySelector("#picture-error, [data-error-sentence]")?.textContent.trim();
    say(words ?? _("The server returned an error (%(status)s). Nothing was uploaded.", { status: response.status }));
    input.value = "";
  } catch (error) {
    if (!cancelled(error)) throw error;
  }
}

addEventListener("change", (event) => {
  if (event.target.type === "file" && event.target.closest("[data-upload]") && event.target.files.length)
    send(event.target);
});
