// What others do while a picture is on show. One stream, for that picture's set, only says that something happened; the
// room then requests its own page and takes over the changed parts. The picture, its zoom, unsent text and anything open
// stay as they are. A toast, which is also read aloud, says who did what.

import { follow as hear } from "./follow.js";
import { listAgain } from "./mentions.js";
import { markAgain } from "./pins.js";

const PARTS = ["room-bar", "room-pins", "room-strip", "room-versions", "room-checks", "room-talk", "room-threads", "room-dock"];
const MOST = 3; // toasts of news at a time

const room = () => document.getElementById("room");

let morph = null; // htmx's own, which keeps unchanged elements
window.htmx.registerExtension("room-parts", { init: (htmx) => { ({ morph } = htmx); } });

// Parts of the room

// Take over what changed around the same picture from a page. False if something had to be left out.
export function takeParts(page) {
  const focused = document.activeElement;
  const { id, selectionStart, selectionEnd } = focused;
  const pairs = PARTS.map((name) => [document, page].map((each) => each.getElementById(name)));
  const open = pairs.filter(([old]) => old?.querySelector(":popover-open")); // such as the reasons: they show what they know
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

// Replace a part; unchanged elements in it stay the same.
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

// A conversation may be resolved, and so folded, while someone writes a reply.
function unfoldTyped() {
  const typed = [...document.querySelectorAll("#room-threads textarea")].filter(({ value, defaultValue }) => value !== defaultValue);
  for (const area of typed) {
    for (let fold = area.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
}

function focusAgain(element, start, end) {
  if (!element || element === document.activeElement) return;
  element.focus({ preventScroll: true });
  if (start != null) element.setSelectionRange?.(start, end);
}

// Requesting the page

let hooks = null; // see startNews
let shown = 0; // how often something else has replaced the room: earlier requests are outdated
let asking = false;
let wanted = false; // something happened since the last request
let late = false; // the room is behind: something open prevented it, or the server did not answer

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
  const decision = toast()?.dataset.decision;
  if (decision) url.searchParams.set("undo", decision);
  try {
    const response = await fetch(url, { headers: { Accept: "text/html", "Soroe-Unattended": "yes" } });
    return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  } catch {
    return null;
  }
}

// False if something had to be left out.
function take(page) {
  const fresh = page.getElementById("room"); // missing on the sign-in page
  if (fresh?.dataset.image !== room().dataset.image) return true;
  const whole = takeParts(page);
  tell(page);
  say(page.getElementById("news"));
  hooks.changed();
  return whole;
}

const toast = (page = document) => page.querySelector("#toasts > [data-decision]");

// What a toast says of one's own decision may no longer be so.
function tell(page) {
  const [old, fresh] = [toast(), toast(page)];
  if (old && !fresh) old.remove();
  else if (old?.dataset.decision === fresh?.dataset.decision) {
    for (const part of ["svg", "span"]) old?.querySelector(part).replaceWith(fresh.querySelector(part));
  }
}

function say(news) {
  if (!news) return;
  const toasts = document.getElementById("toasts");
  toasts.append(document.importNode(news.content, true));
  const said = toasts.querySelectorAll("[data-news]");
  if (said.length > MOST) said[0].remove();
}

// Something open was closed: now the room can show what happened.
addEventListener("toggle", ({ newState }) => {
  if (late && newState === "closed") follow();
}, { capture: true });

// The stream

let stop = () => {};
let heardSet = ""; // the set whose news is heard

function connect() {
  const { set = "", known } = room().dataset;
  if (set === heardSet) return;
  stop();
  heardSet = set;
  stop = set ? hear(`/sets/${set}/news?after=${known}`, heard) : () => {};
}

function heard({ type, event }) {
  if (type === "open" ? late : event === "news") follow();
}

// `settled` returns a promise for when no decision is pending; `changed` is called when the room has caught up.
export function startNews(given) {
  hooks = given;
}

// The room was replaced: another picture, or the same after an act.
export function enterNews() {
  shown += 1;
  connect();
}
