// Rules for every htmx request: an error leaves the page as it is. What is wrong with a form is shown on top of it, anything
// else becomes a toast with the server's own sentence. (A 422 whose page shows the form again is swapped in.) A page in a
// hidden tab requests nothing by itself; empty fields are left out of addresses.

import { doubt } from "./connection.js";
import { _ } from "./languages.js";
import { forgetRefusal, showRefusal } from "./refused.js";
import { cancelled } from "./uploading.js";

const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));

const AWAY = [502, 503, 504]; // a proxy's answers for a server that is away, and ours while it is very busy

const byItself = (ctx) => ctx?.sourceEvent?.type === "every";
const unreachable = (error) => error?.name === "TypeError" || error === "timeout";

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const { response, text, sourceElement } = ctx;
  const away = byItself(ctx) && AWAY.includes(response.status);
  if (away) {
    doubt();
    return event.preventDefault();
  }
  if (response.status < 400) return forgetRefusal();
  if (response.headers.has("HX-Redirect")) return; // signed out: htmx goes to the sign-in page
  const page = new DOMParser().parseFromString(text, "text/html");
  if (response.status === 422 && !page.querySelector("[data-fix]")) return;
  event.preventDefault();
  const summary = page.querySelector("[data-summary]");
  const form = sourceElement.closest("form");
  if (summary && form && showRefusal(summary, sourceElement.closest("[popover]") ?? form)) return;
  const sentence = page.querySelector("[data-error-sentence]")?.textContent;
  say(sentence ?? _("The server returned an error (%(status)s). Nothing was changed.", { status: response.status }));
});

document.addEventListener("htmx:error", (event) => {
  const { ctx, error } = event.detail;
  if (cancelled(error)) return; // of an upload, which says so itself
  if (!unreachable(error)) return console.error(error);
  doubt();
  if (!byItself(ctx)) say(_("The server could not be reached. Try again in a moment."));
});

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceEvent?.type === "every") event.preventDefault();
});

// "Load more" that has the focus gives it to the first of what it loads.
const REACH = 600; // px below the window, as in its own trigger
let last = null; // what the list ends with until then

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const { sourceElement } = ctx;
  if (!sourceElement.closest(".more")) return;
  const list = document.querySelector(sourceElement.getAttribute("hx-target"));
  last = sourceElement === document.activeElement ? list?.lastElementChild : null;
});

document.addEventListener("htmx:after:swap", () => {
  const first = last?.nextElementSibling;
  if (!first) return;
  last = null;
  const inside = "a, summary, button";
  (first.matches(inside) ? first : first.querySelector(inside))?.focus();
});

// What could not be loaded while the connection was lost.
document.addEventListener("soroe:back", () => {
  for (const link of document.querySelectorAll(".more a[hx-get]")) {
    if (link.getBoundingClientRect().top < innerHeight + REACH) link.click();
  }
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  // This does not show that someone is there, so it does not keep them signed in.
  if (ctx.sourceEvent?.type === "every") ctx.request.headers["Soroe-Unattended"] = "yes";
  if (!ctx.push || ctx.request.method !== "GET") return;
  ctx.request.body = new URLSearchParams([...ctx.request.body].filter(([, value]) => value));
});
