// What others do while a picture is on show. One stream, of the set of that picture, says only that something happened;
// the room then asks for its own page anew and takes over the parts that tell of it. The picture, its zoom, what is being
// written and what is open stay as they are. A toast, which is read aloud too, says who did what.

import { listAgain } from "./mentions.js";
import { markAgain } from "./pins.js";

const PARTS = ["room-bar", "room-pins", "room-strip", "room-versions", "room-talk", "room-threads", "room-dock"];
const MOST = 3; // toasts of news at once
const AGAIN = 10000; // ms until a stream that was refused is asked for again

const room = () => document.getElementById("room");

let morph = null; // htmx's own, which keeps the elements that stay
window.htmx.registerExtension("room-parts", { init: (htmx) => { ({ morph } = htmx); } });

// Parts of the room

// Take over from a page with the same picture what changed around it. False when something had to be left out.
export function takeParts(page) {
  const focused = document.activeElement;
  const { id, selectionStart, selectionEnd } = focused;
  const pairs = PARTS.map((name) => [document, page].map((each) => each.getElementById(name)));
  const open = pairs.filter(([old]) => old?.querySelector(":popover-open")); // such as the reasons: see what they know
  for (const [old, fresh] of pairs) if (old && fresh && !open.some(([each]) => each === old)) renew(old, fresh);
  for (const name of ["next", "nextImage", "following", "known"]) {
    const value = page.getElementById("room").dataset[name];
    if (value) room().dataset[name] = value;
    else delete room().dataset[name];
  }
  unfoldTyped();
  focusAgain(focused.isConnected ? focused : id && document.getElementById(id), selectionStart, selectionEnd);
  listAgain();
  markAgain();
  return !open.length;
}

// Put a part in place anew; what stays in it is the same element as before.
export function renew(old, fresh) {
  for (const details of fresh.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? false;
  }
  const { id } = old;
  const fragment = document.createDocumentFragment();
  fragment.append(document.importNode(fresh, true));
  morph(old, fragment, false);
  window.htmx.process(document.getElementById(id));
}

// A conversation may have been resolved, and so folded away, while somebody writes an answer.
function unfoldTyped() {
  const typed = [...document.querySelectorAll("#room-threads textarea")].filter(({ value }) => value);
  for (const area of typed) {
    for (let fold = area.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
}

function focusAgain(element, start, end) {
  if (!element || element === document.activeElement) return;
  element.focus({ preventScroll: true });
  if (start != null) element.setSelectionRange?.(start, end);
}

// The page asked for anew

let hooks = null; // see startNews
let shown = 0; // how often the room was shown anew by something else: what was asked for before tells of earlier
let asking = false;
let wanted = false; // something happened since the page was last asked for
let late = false; // the room does not show all of what it knows: something open hid it, or the server did not answer

async function follow() {
  wanted = true;
  if (asking) return;
  asking = true;
  try {
    while (wanted) await ask();
  } finally {
    asking = false;
  }
}

async function ask() {
  wanted = false;
  const decision = hooks.settled();
  await decision;
  const before = shown;
  const page = room().dataset.image && (await answer());
  if (!page) late = true;
  else if (shown !== before || hooks.settled() !== decision) wanted = true;
  else late = !take(page);
}

async function answer() {
  const url = new URL(room().dataset.url, location.href);
  url.searchParams.set("known", room().dataset.known);
  try {
    const response = await fetch(url, { headers: { Accept: "text/html", "Soroe-Unattended": "yes" } });
    return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  } catch {
    return null;
  }
}

// False when something had to be left out.
function take(page) {
  const fresh = page.getElementById("room"); // missing on the sign-in page
  if (fresh?.dataset.image !== room().dataset.image) return true;
  const whole = takeParts(page);
  say(page.getElementById("news"));
  hooks.changed();
  return whole;
}

function say(news) {
  if (!news) return;
  const toasts = document.getElementById("toasts");
  toasts.append(document.importNode(news.content, true));
  const said = toasts.querySelectorAll("[data-news]");
  if (said.length > MOST) said[0].remove();
}

// What was open was closed: now the room can show what happened meanwhile.
addEventListener("toggle", ({ newState }) => {
  if (late && newState === "closed") follow();
}, { capture: true });

// The stream

let stream = null;
let streamSet = ""; // whose it is

function connect() {
  const { set = "", known } = room().dataset;
  const needed = document.hidden ? "" : set; // a browser opens only a few connections to a server
  if (needed === streamSet && stream?.readyState !== EventSource.CLOSED) return;
  stream?.close();
  streamSet = needed;
  stream = needed ? new EventSource(`/sets/${set}/news?after=${known}`) : null;
  stream?.addEventListener("news", follow);
  stream?.addEventListener("open", () => late && follow());
  // The browser itself comes back to a server that was away, but not to one that refused.
  stream?.addEventListener("error", ({ target }) => {
    if (target.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN);
  });
}

document.addEventListener("visibilitychange", connect);

// `settled` gives a promise that ends when no decision is on its way; `changed` is called when the room has followed.
export function startNews(given) {
  hooks = given;
}

// The room was shown anew: another picture, or the same after something was done to it.
export function enterNews() {
  shown += 1;
  connect();
}
