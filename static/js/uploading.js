// Files on their way: percent and speed, a button that cancels, and Retry after a lost connection. Browsers tell the
// progress of an upload to XMLHttpRequest only, so htmx gets a `fetch` made of one for requests that carry a file.

import { doubt } from "./connection.js";
import { _ } from "./languages.js";

const MEGA = 1e6;
const speed = (bytes) => (bytes < MEGA ? `${Math.ceil(bytes / 1000)} kB/s` : `${(bytes / MEGA).toFixed(1)} MB/s`);

export const cancelled = (error) => error?.name === "AbortError";

// A form that files are on their way to, or wait for a decision, is not sent without them: `why()` says so in a sentence, or
// is empty. Buttons with an address of their own send something else.
export function holdBack(form, why) {
  form.addEventListener("submit", (event) => {
    const words = !event.submitter?.hasAttribute("formaction") && why();
    if (!words) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
  }, { capture: true });
}

// Leaving ends an upload, so the browser asks; a form that is sent takes its file along.
let isSent = false;
addEventListener("submit", ({ defaultPrevented }) => {
  isSent ||= !defaultPrevented;
});
addEventListener("pageshow", () => {
  isSent = false;
});
addEventListener("beforeunload", (event) => {
  if (!isSent && document.querySelector(".uploading:not([data-lost])")) event.preventDefault();
});

// What shows an upload, below `area`; there is one at a time.
function panel(area, file) {
  document.querySelector(".uploading")?.remove();
  const made = document.getElementById("uploading").content.firstElementChild.cloneNode(true);
  made.querySelector("[data-file]").textContent = file.name;
  area.after(made);
  made.scrollIntoView({ block: "nearest" });
  return made;
}

function lost(shown, words, retry) {
  shown.dataset.lost = "yes";
  shown.querySelector("[data-words]").textContent = words;
  const again = shown.querySelector("[data-retry]");
  again.hidden = false;
  again.addEventListener("click", () => {
    shown.remove();
    retry();
  });
  again.focus();
}

// Like fetch, for one file. Rejects with an AbortError if it was cancelled. After a lost connection the panel offers to
// retry: by `retry`, if the caller has one of its own and hears of an AbortError, else by sending the file again.
export function upload(address, request, about) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("cancelled", "AbortError"));
    const attempt = () => attemptOnce(address, request, about, { resolve, stop, attempt });
    attempt();
  });
}

function attemptOnce(address, request, { area, input, file, retry }, { resolve, stop, attempt }) {
  const shown = panel(area, file);
  const bar = shown.querySelector("progress");
  const sender = new XMLHttpRequest();
  const begun = performance.now();
  sender.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    const percent = Math.floor((100 * loaded) / total);
    const pace = speed((1000 * loaded) / Math.max(1, performance.now() - begun));
    shown.querySelector("[data-words]").textContent = percent < 100 ? _("%(percent)s %%, %(pace)s", { percent, pace }) : _("Checking…");
  });
  sender.addEventListener("load", () => {
    shown.remove();
    const names = ["content-type", "hx-redirect", "hx-trigger", "hx-retarget", "hx-reswap", "hx-push-url", "retry-after"];
    const headers = names.map((name) => [name, sender.getResponseHeader(name)]).filter(([, value]) => value);
    const response = new Response(sender.responseText, { status: sender.status, headers });
    resolve(Object.defineProperty(response, "url", { value: sender.responseURL }));
  });
  sender.addEventListener("error", () => {
    lost(shown, _("The connection was lost. Nothing was uploaded."), retry ?? attempt);
    if (retry) stop();
  });
  shown.querySelector("[data-cancel]").addEventListener("click", () => {
    sender.abort();
    input.value = "";
    shown.remove();
    input.focus();
    stop();
  });
  sender.open(request.method, address);
  for (const [name, value] of Object.entries(request.headers ?? {})) sender.setRequestHeader(name, value);
  sender.send(request.body);
}

// Sends a form with a file, and returns the answer as JSON; a transparent picture's has the question, `waiting`. Throws an
// AbortError if it was cancelled, else an Error with a sentence.
export async function sendFile(address, values, about) {
  const response = await upload(address, { method: "POST", body: formOf(values), headers: { accept: "application/json" } }, about);
  return answerOf(response);
}

// The same for a form without a file.
export async function sendForm(address, values) {
  let response;
  try {
    response = await fetch(address, { method: "POST", body: formOf(values), headers: { accept: "application/json" } });
  } catch {
    doubt();
    throw new Error(_("The server could not be reached. Try again in a moment."));
  }
  return answerOf(response);
}

function formOf(values) {
  const body = new FormData();
  for (const [name, value] of Object.entries(values)) body.append(name, value);
  return body;
}

async function answerOf(response) {
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  if (!isJson) throw new Error(response.status === 401 ? _("You were signed out. Sign in again in another tab, then try again.") : await response.text());
  return response.json();
}

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const input = ctx.sourceElement;
  const file = input.type === "file" && input.files[0];
  if (!file) return;
  const retry = () => input.dispatchEvent(new Event("change", { bubbles: true }));
  const about = { area: input.closest(".drop, .crop"), input, file, retry };
  ctx.fetch = (address, request) => upload(address, request, about);
});
