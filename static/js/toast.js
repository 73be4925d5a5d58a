// Toasts: one sentence over the page that disappears by itself. The server writes them into #toasts, as [data-toast] or
// [data-toast="8000"] (ms); for failures, a script sends the event `soroe:toast` with {words}.
// A toast stays while the pointer or the focus is on it, or the page is hidden. Ctrl Z presses its button Undo, except in a
// text field, which has an undo of its own.

const STAY = 6000;
const region = document.getElementById("toasts");

function leave(toast) {
  if (!toast.isConnected) return;
  if (document.hidden || toast.matches(":hover, :focus-within")) setTimeout(leave, 1000, toast);
  else toast.remove();
}

function watch() {
  for (const toast of region.querySelectorAll("[data-toast]:not([data-seen])")) {
    toast.dataset.seen = "yes";
    setTimeout(leave, Number(toast.dataset.toast) || STAY, toast);
  }
}

document.addEventListener("soroe:toast", ({ detail }) => {
  const toast = document.getElementById("toast-bad").content.firstElementChild.cloneNode(true);
  toast.querySelector("span").textContent = detail.words;
  toast.dataset.toast = detail.stay ?? 10000;
  region.replaceChildren(toast);
});

region.addEventListener("click", (event) => {
  if (event.target.closest("button[type=button]")) event.target.closest("[data-toast]").remove();
});

const TEXT = "textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=file])";

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.key.toLowerCase() !== "z" || event.shiftKey || event.altKey) return;
  if (!(event.ctrlKey || event.metaKey) || event.target.closest?.(TEXT)) return;
  const button = region.querySelector("[data-undo]");
  if (!button) return;
  event.preventDefault();
  button.click();
});

// Screen readers read what changes in the region, and what the page came with has not changed yet.
setTimeout(() => {
  for (const words of region.querySelectorAll(":scope > [data-toast] > span")) words.replaceChildren(...words.childNodes);
}, 200);

new MutationObserver(watch).observe(region, { childList: true, subtree: true });
watch();
