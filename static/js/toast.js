// Toasts: one sentence over the page that disappears by itself. The server writes them into #toasts, as [data-toast] or
// [data-toast="8000"] (ms); for failures, a script sends the event `soroe:toast` with {words}.
// A toast stays while the pointer or the focus is on it.

const STAY = 6000;
const region = document.getElementById("toasts");

function leave(toast) {
  if (!toast.isConnected) return;
  if (toast.matches(":hover, :focus-within")) setTimeout(leave, 1000, toast);
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

new MutationObserver(watch).observe(region, { childList: true, subtree: true });
watch();
