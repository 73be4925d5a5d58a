// Redoing a picture of a set: E on a picture, or its button, fetches the form into the sheet #redo. Without this script
// the button is a link to the form's own page.

const sheet = document.getElementById("redo");
let place = null; // the form's tile; its picture gets the focus afterwards

addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "e" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("textarea, input:not([type=checkbox])") || document.querySelector(":popover-open")) return;
  const button = event.target.closest("[data-grid] > li")?.querySelector("[data-redo]");
  if (!button?.checkVisibility()) return; // not theirs to redo
  event.preventDefault();
  button.click();
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement, response } = detail.ctx;
  if (sourceElement?.matches("[data-redo]")) {
    place = sourceElement.closest("li").id;
    sheet.showPopover();
  } else if (sourceElement?.id === "redo-form" && response.status !== 422) {
    sheet.hidePopover();
  }
});

sheet.addEventListener("toggle", ({ newState }) => {
  if (newState === "open") return;
  sheet.replaceChildren();
  if (document.activeElement === document.body) document.getElementById(place)?.querySelector("a[href]").focus();
});
