// What can be done with a set, campaign, style or subject: its page opens as a sheet over this one. Without this script,
// [data-sheet] is a link to the page.

const sheet = document.getElementById("sheet");
let opener = null;

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement } = detail.ctx;
  if (!sourceElement?.matches("[data-sheet]")) return;
  opener = sourceElement;
  sheet.showPopover();
  (sheet.querySelector("input:not([type=hidden])") ?? sheet.querySelector("button, a"))?.focus();
});

sheet?.addEventListener("click", (event) => {
  if (!event.target.closest("[data-close-sheet]")) return;
  event.preventDefault();
  sheet.hidePopover();
});

sheet?.addEventListener("toggle", ({ newState }) => {
  if (newState === "open") return;
  sheet.replaceChildren();
  opener?.focus();
});
