// What has the focus keeps it when its part of the page is replaced by htmx, which by itself does so only for what has an id.
// Anything else is known by its kind and name, as rows may have moved; where several have that name, nothing is guessed.
// If its row is gone, such as cancelled work, the focus goes to the next one, or to the one before.

export const called = (control) => control.getAttribute("aria-label") ?? (control.name || control.textContent.trim());

const ROW = "li[id], tr[id]";
const CONTROLS = "a[href], button, input, select, textarea, summary";

let last = null; // what has the focus while a part is replaced
let row = null;
let near = []; // ids of the rows after its own, then of those before it

const sameAs = (control) =>
  [...document.getElementsByTagName(control.tagName)].filter((each) => called(each) === called(control) && each.checkVisibility());

document.addEventListener("htmx:before:swap", () => {
  last = document.activeElement;
  row = last?.closest(ROW);
  const rows = row ? [...row.parentElement.children] : [];
  const at = rows.indexOf(row);
  near = [...rows.slice(at + 1), ...rows.slice(0, Math.max(at, 0)).reverse()].map(({ id }) => id);
});

// A control of another row that does the same, or else the first.
function inRow(id) {
  const controls = [...(document.getElementById(id)?.querySelectorAll(CONTROLS) ?? [])].filter((each) => each.checkVisibility());
  return controls.find((each) => each.tagName === last.tagName && each.className === last.className) ?? controls[0];
}

const afterGone = () => (document.getElementById(row.id) ? null : near.map(inRow).find(Boolean));

document.addEventListener("htmx:after:swap", () => {
  if (!last || last.isConnected || document.activeElement !== document.body) return;
  const [found, ...others] = sameAs(last);
  const next = found && !others.length ? found : row && afterGone();
  last = null;
  next?.focus({ preventScroll: true });
});
