// Whether the server can be reached. Whatever notices that something did not arrive (a request, an event stream, the browser)
// calls `doubt()`: then the server is asked, and while it does not answer, one line over the page says so. A form that would
// open another page is held back for as long; those that htmx or a script sends say themselves what did not work. When the
// server answers again, the event `soroe:back` lets the page catch up.

import { _ } from "./languages.js";

const FIRST = 500; // ms until the server is asked again; doubled each time
const LONGEST = 8000;
const PATIENCE = 5000; // ms for an answer
const BACK = 3000; // ms that the line says it is over
const STAYS = "[hx-get], [hx-post], [data-decides], [data-sends], [method=dialog]"; // forms that leave the page as it is

const line = document.getElementById("connection");
let lost = false;
let asked = null; // the question that is on its way
let wait = FIRST;
let timer = 0;

async function answers() {
  try {
    return (await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}

function say(words, kind = "") {
  line.replaceChildren();
  if (words) line.append(Object.assign(document.createElement("span"), { textContent: words, className: kind }));
}

function tell() {
  const words = navigator.onLine
    ? _("The server cannot be reached. What you typed stays on this page.")
    : _("You are offline. What you typed stays on this page.");
  if (line.textContent !== words) say(words);
}

function found() {
  wait = FIRST;
  if (!lost) return;
  lost = false;
  say(_("Connected again."), "is-back");
  timer = setTimeout(say, BACK, "");
  document.dispatchEvent(new Event("soroe:back"));
}

// A page in a hidden tab asks when it is shown.
function missed() {
  lost = true;
  tell();
  if (!document.hidden) timer = setTimeout(ask, wait);
  wait = Math.min(2 * wait, LONGEST);
}

// Resolves to whether the server answers.
async function ask() {
  clearTimeout(timer);
  if (asked) return asked;
  asked = answers();
  const there = await asked;
  asked = null;
  if (there) found();
  else missed();
  return there;
}

export function doubt() {
  if (!lost) ask();
}

addEventListener("offline", ask);
addEventListener("online", ask);
document.addEventListener("visibilitychange", () => {
  if (lost && !document.hidden) ask();
});
if (!navigator.onLine) ask();

// Sent after all, if the server answers by now.
addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (!lost || form.matches(STAYS) || submitter?.matches(STAYS)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await ask()) form.requestSubmit(submitter);
  else {
    const words = _("Not sent, because the server cannot be reached. Everything is still here: send it again when the connection is back.");
    document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
  }
}, { capture: true });
