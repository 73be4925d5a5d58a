// The review room. Most of its keys are data-key attributes (see shortcuts.js), and htmx morphs the room for each picture.
// This script prefetches the next picture in the queue, page and PNG, so that a decision shows it immediately while the
// server is informed; it handles reasons by number, the surround by U, swiping, and the film strip. What others do is in
// news.js.

import { enter as enterForms, forgetTyped, keepTyped, keepUnsent, sendTyped } from "./autosave.js";
import { checksMissing, saveChecks, showMissing } from "./checklist.js";
import { doubt } from "./connection.js";
import { enterPins, unpin } from "./pins.js";
import { _ } from "./languages.js";
import "./mentions.js";
import { enterNews, renew, startNews, takeParts } from "./news.js";
import { enterLaid } from "./laid.js";
import { enterReferences } from "./references.js";
import { reasonKey } from "./reasons.js";
import { TEXT } from "./shortcuts.js";
import { nextSurround } from "./surround.js";
import { enterZoom, isZoomed, zoomKey } from "./zoom.js";

const SWIPE = 60; // px

const room = () => document.getElementById("room");
const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

// The next picture

let ahead = null; // {url, coming, page}: the next room, a Document once loaded
const unsettled = new Set(); // ids of pictures whose decision the server has not answered yet

function fetchAhead() {
  const { next, nextImage, following } = room().dataset;
  for (const id of new Set([nextImage, following])) if (id) new Image().src = `/images/${id}.png`;
  if (!next || unsettled.has(nextImage)) ahead = null;
  if (!next || unsettled.has(nextImage) || ahead?.url === next) return;
  const wanted = { url: next, coming: fetched(next), page: null };
  ahead = wanted;
  wanted.coming.then((page) => {
    wanted.page = page;
  });
}

// The next picture must not delay the first: neither the server nor the browser has time for both.
function whenShown(act) {
  if (document.readyState === "complete") act();
  else addEventListener("load", act, { once: true });
}

// A room as a Document, or null; without one, a decision waits for the server.
async function fetched(url) {
  try {
    const response = await fetch(url, { headers: { Purpose: "prefetch", Accept: "text/html" } });
    return response.ok ? parsed(await response.text()) : null;
  } catch {
    return null;
  }
}

function enter() {
  enterForms();
  enterZoom();
  enterPins();
  enterReferences();
  enterLaid();
  enterNews();
  const strip = document.querySelector(".filmstrip");
  const current = strip?.querySelector("[aria-current]");
  if (current) strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.clientWidth) / 2;
  whenShown(fetchAhead);
}

// Replace an element by its counterpart from another page. Keeps the focus and the display choices, which may have changed
// since that page was fetched.
function replace(old, fresh) {
  for (const input of fresh.querySelectorAll("[data-pref]")) {
    input.checked = document.getElementById(input.id)?.checked ?? input.checked;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(fresh);
  window.htmx.process(fresh);
  document.getElementById(focused)?.focus({ preventScroll: true });
}

function show(page, url) {
  keepTyped();
  replace(room(), document.importNode(page.getElementById("room"), true));
  document.title = page.title;
  history.replaceState(history.state, "", url);
  enter();
}

// Decisions: one at a time, in the order of the keys.

let sent = Promise.resolve();
let deciding = Promise.resolve(); // resolves when the latest decision was answered
let turns = 0;

async function decide(form, submitter) {
  const comment = written();
  const body = new URLSearchParams([...new FormData(form, submitter), ...(comment ? fieldsOf(comment) : [])]);
  const turn = ++turns;
  const kept = comment && sendTyped(comment.form);
  const answer = Promise.all([sent, kept, saveChecks()]).then(() => post(form.action, body));
  sent = answer.catch(() => {});
  const before = { room: room(), url: location.href, title: document.title };
  const { image } = before.room.dataset;
  unsettled.add(image);
  const { url, coming, page } = ahead ?? {};
  if (page) show(page, url);
  else {
    // The person was faster than the next room: it is shown on arrival, unless the server answers first.
    const late = await Promise.race([coming, sent.then(() => null)]);
    if (late && turn === turns && room().dataset.image === image) show(late, url);
  }
  const next = room().dataset.image;
  try {
    const accepted = take(await answer, turn, next);
    if (comment) (accepted ? forgetTyped : keepUnsent)(comment.form);
  } catch (error) {
    unsettled.clear();
    if (comment) keepUnsent(comment.form);
    keepTyped();
    room().replaceWith(before.room);
    document.title = before.title;
    history.replaceState(history.state, "", before.url);
    delete form.dataset.deciding;
    enter();
    say(error.message);
  }
}

// The field of an unsent comment, which goes with the decision.
function written() {
  const field = document.querySelector("#composer textarea");
  return field.value.trim() ? field : null;
}

const fieldsOf = ({ form }) => ["body", "x", "y", "draft"].map((name) => [name, form.elements[name].value]);

async function post(action, body) {
  let response;
  try {
    const headers = { "HX-Request": "true", "HX-Current-URL": location.href, Accept: "text/html" };
    response = await fetch(action, { method: "POST", body, headers });
  } catch {
    doubt();
    throw new Error(_("The server could not be reached, so your decision was not saved. Try again in a moment."));
  }
  const elsewhere = response.headers.get("HX-Redirect");
  if (elsewhere) location.assign(elsewhere); // signed out
  const page = parsed(await response.text());
  const sentence = page.querySelector("[data-error-sentence]")?.textContent;
  const { status } = response;
  if (!response.ok) throw new Error(sentence ?? _("The server returned an error (%(status)s). Your decision was not saved.", { status }));
  return { page, url: response.url };
}

// The server's answer: the room after the decision, or the picture as someone else left it. True if it decided.
function take({ page, url }, turn, next) {
  const refused = page.querySelector("#toasts .toast--bad");
  if (!refused && turn !== turns) return true; // a later decision's answer is still to come
  showToasts(page);
  unsettled.clear();
  const here = room().dataset.image;
  if (page.getElementById("room").dataset.image === here) freshen(page, url);
  else if (refused || here === next) show(page, url);
  return !refused;
}

function showToasts(page) {
  const toasts = document.getElementById("toasts");
  toasts.replaceChildren(...document.importNode(page.getElementById("toasts"), true).childNodes);
  window.htmx.process(toasts);
}

// The same picture, with its changes.
function freshen(page, url) {
  takeParts(page);
  history.replaceState(history.state, "", url);
  enter();
}

// Answers to htmx requests: another picture is htmx's to show, which keeps the old one until the new one has loaded; for
// the same picture only changes are taken over, so that everything else stays open and as written.
document.addEventListener("htmx:before:swap", (event) => {
  const { ctx, tasks } = event.detail;
  if (tasks.find(({ type }) => type === "main")?.target !== room()) return;
  const page = parsed(ctx.text);
  const fresh = page.getElementById("room");
  if (fresh && fresh.dataset.image !== room().dataset.image) {
    keepTyped();
    return;
  }
  event.preventDefault();
  if (!fresh) { // a refused form
    say(page.querySelector("[data-error-sentence]").textContent);
    return;
  }
  const accepted = !page.querySelector("#toasts .toast--bad");
  if (accepted) clear(ctx.sourceElement, page);
  showToasts(page);
  freshen(page, ctx.response.raw.url);
  if (accepted) ctx.sourceElement.dispatchEvent(new Event("soroe:renewed", { bubbles: true }));
});

// The form was accepted: reset it, and fold it if it was unfolded for this.
function clear(form, page) {
  const fold = form.closest(".reply, .redo-fold");
  if (form.id === "composer") {
    unpin();
    renew(form, page.getElementById("composer"));
  } else if (form.id === "redo-form") replace(fold, document.importNode(page.getElementById(fold.id), true));
  else if (fold) fold.open = false;
}

// Before htmx, which would wait for the server.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-decides]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (form.dataset.deciding) return;
  const missing = event.submitter?.value === "approved" && checksMissing();
  if (missing) {
    showMissing(missing);
    return;
  }
  form.dataset.deciding = "yes";
  if (form.matches(":popover-open")) form.hidePopover();
  deciding = decide(form, event.submitter);
}, { capture: true });

// The page of a picture with an unanswered decision would be outdated: going back to it waits for the answer.
addEventListener("click", (event) => {
  const link = event.target.closest?.("#room a[hx-get]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (!unsettled.has(new URL(link.href).searchParams.get("image"))) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  deciding.then(() => [...document.querySelectorAll("#room a[hx-get]")].find(({ href }) => href === link.href)?.click());
}, { capture: true });

// Keys that belong to no element. Each function says whether it handled the key.

// Undo comes with the server's answer; if pressed earlier, it waits for that.
function undoLater() {
  if (!unsettled.size) return false;
  deciding.then(() => document.querySelector("#toasts [data-key=z]")?.click());
  return true;
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(`${TEXT}, input[type=range]`)) return;
  const open = document.querySelector(":popover-open");
  let did = false;
  if (open) did = open.id === "reasons" && reasonKey(open, event.key);
  else if (event.key.toLowerCase() === "u") did = nextSurround();
  else if (event.key.toLowerCase() === "z") did = undoLater();
  else did = zoomKey(event);
  if (did) event.preventDefault();
}, { capture: true });

// Touch: swipe from picture to picture.

let touch = null;
addEventListener("touchstart", (event) => {
  const alone = event.target.closest?.("[data-frame]") && event.touches.length === 1 && !isZoomed();
  touch = alone ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null;
}, { passive: true });
addEventListener("touchend", (event) => {
  if (!touch) return;
  const x = event.changedTouches[0].clientX - touch.x;
  const y = event.changedTouches[0].clientY - touch.y;
  touch = null;
  const along = Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y);
  if (along) document.querySelector(x < 0 ? ".arrow--next" : ".arrow--prev")?.click();
}, { passive: true });

// A prefetched page may show a picture that someone has just decided on.
function followed() {
  ahead = null;
  fetchAhead();
}

startNews({ settled: () => deciding, changed: followed });
document.addEventListener("htmx:after:swap", enter);
enter();
