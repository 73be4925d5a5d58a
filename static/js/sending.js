// Forms with one file, such as a LoRA or a licence (data-sends): a chosen, dropped or pasted file is uploaded to the form's draft
// with percent, speed, Cancel and Retry, and stays there until the form is sent or the file removed. A refused form stays as it
// is, with its file. Without this script the file is sent with the form, as by any other.

import { forgetTyped, keepUnsent, sendTyped } from "./autosave.js";
import { doubt } from "./connection.js";
import { _ } from "./languages.js";
import { showRefusal } from "./refused.js";
import { cancelled, upload } from "./uploading.js";

const FORMS = "form[data-sends]";
const HEADERS = { accept: "application/json" };
const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
const inputOf = (form) => form.querySelector("input[type=file]");

function take(form, files) {
  const [first, ...others] = files;
  const one = new DataTransfer();
  one.items.add(first);
  const input = inputOf(form);
  input.files = one.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  if (!others.length) return;
  const left = others.map(({ name }) => name).join(_(", "));
  say(_("Only %(name)s was taken: this form sends one file at a time. Not taken: %(others)s.", { name: first.name, others: left }));
}

for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    const form = event.target.closest?.(FORMS);
    for (const each of document.querySelectorAll(FORMS)) delete each.dataset.over;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // a file dropped outside the form does not replace the page
    if (!form) return;
    if (name === "dragover") form.dataset.over = "yes";
    const files = [...event.dataTransfer.files];
    if (name === "drop" && files.length) take(form, files);
  });
}

// A page with another place for files, for pictures, takes what its form does not.
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  const form = document.querySelector(FORMS);
  if (!form || !files.length || event.defaultPrevented) return;
  const suffix = form.dataset.sends;
  if (suffix && !files[0].name.endsWith(suffix)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  form.closest("details")?.setAttribute("open", "");
  take(form, files);
}, { capture: true });

// The file in the draft

// Show the file that the server keeps, {sha256, name, size}, in place of the field; or the field, for null.
function show(form, kept) {
  const [row, input] = [form.querySelector("[data-kept-file]"), inputOf(form)];
  row.hidden = !kept;
  form.elements.kept_file.value = kept?.sha256 ?? "";
  row.querySelector("[data-kept-name]").textContent = kept?.name ?? "";
  row.querySelector("[data-kept-size]").textContent = kept?.size ?? "";
  input.value = "";
  input.hidden = Boolean(kept);
  input.required = !kept;
  form.dispatchEvent(new Event("input", { bubbles: true })); // autosave.js saves which file it is
}

addEventListener("change", async ({ target: input }) => {
  const form = input.type === "file" && input.closest(FORMS);
  if (!form || !input.files.length) return;
  const body = new FormData(form);
  body.set("draft-keep", "1");
  const response = await request(form, body);
  if (!response?.ok) return response && refused(form, response);
  const kept = await response.json();
  form.elements.draft.value = kept.key;
  form.elements["draft-revision"].value = kept.revision;
  const focused = [input, document.body].includes(document.activeElement);
  show(form, kept);
  if (focused) form.querySelector("[data-kept-file]").focus();
});

addEventListener("click", async (event) => {
  const form = event.target.closest("[data-remove-kept]")?.closest(FORMS);
  if (!form) return;
  event.preventDefault();
  const file = `${form.elements.draft.value} ${form.elements["draft-place"].value}`;
  show(form, null);
  inputOf(form).focus();
  try {
    await fetch("/drafts/discard", { method: "POST", body: new URLSearchParams({ file }), headers: HEADERS });
  } catch {
    // the form no longer names it, so it goes with the draft
  }
});

// Sending

addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(FORMS) || event.defaultPrevented || !(inputOf(form).files.length || form.elements.kept_file.value)) return;
  event.preventDefault();
  send(form);
});

async function send(form) {
  await sendTyped(form);
  const response = await request(form, new FormData(form));
  if (response?.ok) {
    forgetTyped(form);
    const { location: there } = await response.json();
    location.assign(there);
    if (new URL(there, location).pathname === location.pathname) location.reload(); // it may differ in its fragment only
    return;
  }
  keepUnsent(form);
  if (response) refused(form, response);
}

// Nothing, if it was cancelled or the server could not be reached.
async function request(form, body) {
  const input = inputOf(form);
  const [file] = input.files;
  const sent = { method: "POST", body, headers: HEADERS };
  const buttons = form.querySelectorAll("button[type=submit]");
  for (const button of buttons) button.disabled = true;
  try {
    return await (file ? upload(form.action, sent, { area: input.closest(".field"), input, file }) : fetch(form.action, sent));
  } catch (error) {
    if (cancelled(error)) return null;
    doubt();
    say(_("The server could not be reached. Try again in a moment."));
    return null;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function refused(form, response) {
  const text = await response.text();
  const summary = new DOMParser().parseFromString(text, "text/html").querySelector("[data-summary]");
  if (!summary) return say(response.status === 401 ? _("You were signed out. Sign in again in another tab, then send this.") : text);
  const input = inputOf(form);
  if (summary.querySelector(`[href="#${input.id}"]`)) input.hidden = false; // another file can be chosen
  showRefusal(summary, form);
}
