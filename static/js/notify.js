// Notifications of the browser: "Notify me when it's done", for sets and trainings. What was asked for is kept in this
// browser, so any page of it hears of the end, over the stream that all of them share; the first to hear tells, once.

import { _ } from "./languages.js";
import { follow } from "./follow.js";

const PATIENCE = 500; // ms that other pages leave to the one that shows it, since a click on the notification leads there

const person = document.querySelector("meta[name=person]").content;
const NAME = `notify ${person}`;
const followed = new Map(); // by path: what ends it

const button = () => document.querySelector("[data-notify]");

// By path, such as /sets/7: the name to tell.
function wanted() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? {};
  } catch {
    return {}; // this browser keeps nothing
  }
}

function want(path, name) {
  const { [path]: was, ...others } = wanted();
  try {
    localStorage.setItem(NAME, JSON.stringify(name ? { ...others, [path]: name } : others));
  } catch {
    say(_("This browser keeps nothing for this site, so it cannot notify you."));
  }
  followAll();
}

function say(words) {
  const line = document.querySelector("[data-notify-said]");
  if (line) [line.textContent, line.hidden] = [words, !words];
}

function showButton() {
  const shown = button();
  if (!shown) return;
  const on = shown.dataset.notify in wanted();
  const row = shown.parentElement;
  const runs = document.querySelector("[data-percent]");
  if (runs) row.hidden = false;
  row.toggleAttribute("data-over", !runs); // where it was shown, its space stays, or the pictures would jump
  shown.setAttribute("aria-pressed", on);
  shown.querySelector("span").textContent = on ? _("You will be notified") : _("Notify me when it’s done");
}

// One page at a time, so that only one finds it still wanted.
async function tell(path, data) {
  if (button()?.dataset.notify !== path) await new Promise((resolve) => { setTimeout(resolve, PATIENCE); });
  const once = (act) => (navigator.locks ? navigator.locks.request(NAME, act) : act());
  await once(() => {
    const name = wanted()[path];
    if (!name) return;
    want(path, "");
    const page = new DOMParser().parseFromString(data, "text/html");
    const ended = page.querySelector("[data-ended]")?.dataset.ended ?? _("Done");
    const note = new Notification(name, { body: ended, tag: path });
    note.onclick = () => {
      window.focus();
      note.close();
      if (button()?.dataset.notify !== path && location.pathname !== path) window.open(path);
    };
  });
}

function followAll() {
  const paths = Object.keys(wanted());
  for (const [path, stop] of followed) {
    if (paths.includes(path)) continue;
    stop();
    followed.delete(path);
  }
  for (const path of paths) {
    if (followed.has(path)) continue;
    let latest = "";
    const hear = ({ event, data }) => {
      if (event === "message") latest = data;
      else if (event === "done") tell(path, latest);
      else if (event === "gone") want(path, "");
    };
    // Of a set's pictures, none.
    followed.set(path, follow(`${path}/events?first=1&last=0`, hear, () => true));
  }
  showButton();
}

const DENIED = _("Notifications from this site are blocked. Allow them in your browser’s settings for this site, then try again.");

async function press({ notify: path, name }) {
  say("");
  if (path in wanted()) want(path, "");
  else if ((await Notification.requestPermission()) === "granted") want(path, name);
  else say(DENIED);
}

if ("Notification" in window) {
  addEventListener("storage", ({ key }) => key === NAME && followAll());
  document.addEventListener("htmx:after:swap", showButton);
  followAll();
}
addEventListener("click", ({ target }) => {
  const pressed = target.closest?.("[data-notify]");
  if (!pressed) return;
  if ("Notification" in window) press(pressed.dataset);
  else say(window.isSecureContext ? _("This browser has no notifications.") : _("Browsers show notifications only for sites with https."));
});
