// What has the focus keeps it when its part of the page is replaced by htmx, which by itself does so only for what has an id.
// Anything else is known by its kind and name, as rows may have moved; where several have that name, nothing is guessed.

export const called = (control) => control.getAttribute("aria-label") ?? (control.name || control.textContent.trim());

let last = null; // what has the focus while a part is replaced

const sameAs = (control) =>
  [...document.getElementsByTagName(control.tagName)].filter((each) => called(each) === called(control) && each.checkVisibility());

document.addEventListener("htmx:before:swap", () => {
  last = document.activeElement;
});

document.addEventListener("htmx:after:swap", () => {
  if (!last || last.isConnected || document.activeElement !== document.body) return;
  const [found, ...others] = sameAs(last);
  last = null;
  if (found && !others.length) found.focus({ preventScroll: true });
});
