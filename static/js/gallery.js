// All pictures, and the bin: work after each swap of htmx, and Enter in the small forms of the bar.

import { count } from "./grid.js";
import { reasonKey } from "./reasons.js";

const pictures = () => [...document.querySelectorAll("#pictures > li")];
let acted = null; // an act in progress: which pictures there were, and where it was among them

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const { sourceElement } = ctx;
  if (sourceElement.closest("#picked, #toasts")) {
    const list = pictures();
    const first = list.findIndex((item) => item.querySelector(".pick :checked"));
    acted = { ctx, ids: list.map(({ id }) => id), first: Math.max(first, 0), undo: !sourceElement.closest("#picked") };
  }
});

document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
  const { sourceElement } = ctx;
  if (sourceElement.closest?.("#picked [popover]")) closePopovers();
  // Searches are saved with the page's current filters.
  const query = document.querySelector("#results [name=query]");
  for (const input of document.querySelectorAll("#saved [name=query]")) input.value = query.value;
  // Refused pictures stay selected, so that they are visible.
  const refused = document.querySelector("#toasts .toast--bad");
  if (sourceElement.matches?.("[data-then-clear]") && !refused) document.getElementById("picked").reset();
  if (acted?.ctx !== ctx) return;
  count(); // or the bar would still be there
  focusAfter(acted);
  acted = null;
});

// The inner one first: each returns the focus to its opener.
function closePopovers() {
  for (const popover of [...document.querySelectorAll("#picked :popover-open")].reverse()) popover.hidePopover();
}

// Deleting removes the picture, and the bar when nothing is selected. The focus goes to the next picture, or to the
// restored ones.
function focusAfter({ ctx, ids, first, undo }) {
  const back = undo && pictures().find(({ id }) => !ids.includes(id));
  const lost = document.activeElement === document.body || !document.activeElement.checkVisibility();
  if (!back && !lost) return;
  const places = [...ids.slice(first), ...ids.slice(0, first).reverse()];
  const next = places.map((id) => document.getElementById(id)).find(Boolean);
  const link = (back || next)?.querySelector("a[href]") ?? document.getElementById("q");
  // After a click, the person is looking at the page as it is.
  link.focus({ preventScroll: ctx.sourceEvent?.detail > 0 });
}

// Where a reason for rejecting is chosen.
addEventListener("keydown", (event) => {
  const reasons = document.querySelector("#bulk-reject:popover-open");
  if (!reasons || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  if (reasonKey(reasons, event.key)) event.preventDefault();
});

addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches(".pop input")) return;
  const button = event.target.closest(".pop").querySelector("[data-on-enter]");
  if (!button) return;
  event.preventDefault();
  button.click();
});
