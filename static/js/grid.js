// Pictures in a [data-grid]: arrow keys move, Space selects, Shift and arrows select more, Ctrl A all that are shown,
// Esc none, Enter opens (it is a link). Shift and a click select up to there; on touch, a long press selects.
// The bar #picked counts.

const LONG = 500; // ms

const items = (grid) => [...grid.children].filter((item) => item.checkVisibility() && item.querySelector("a[href]"));
const box = (item) => item?.querySelector(".pick input");
let last = null; // the item that was selected last: a range begins there

function count() {
  const bar = document.getElementById("picked");
  if (!bar) return;
  const picked = [...document.querySelectorAll(".pick :checked")].map((input) => input.closest("li"));
  const approved = picked.filter((item) => item.dataset.decision === "approved").length;
  const download = bar.querySelector("[data-picked-download]");
  bar.querySelector("[data-picked-count]").textContent = `${picked.length} selected`;
  download.disabled = !approved;
  download.querySelector("span").textContent = approved ? `Download ${approved} approved` : "None is approved";
}

function pick(input, checked) {
  if (!input) return;
  input.checked = checked;
  last = input.closest("li");
}

function middle(item) {
  const { left, width } = item.getBoundingClientRect();
  return left + width / 2;
}

// The nearest item on the next line, or the neighbour on this one.
function towards(list, from, key) {
  const index = list.indexOf(from);
  if (key === "ArrowLeft") return list[index - 1];
  if (key === "ArrowRight") return list[index + 1];
  const here = from.getBoundingClientRect();
  const beyond = key === "ArrowDown"
    ? list.slice(index + 1).filter((item) => item.getBoundingClientRect().top > here.top + here.height / 2)
    : list.slice(0, index).reverse().filter((item) => item.getBoundingClientRect().bottom < here.bottom - here.height / 2);
  const line = beyond[0]?.getBoundingClientRect().top;
  return beyond
    .filter((item) => Math.abs(item.getBoundingClientRect().top - line) < 4)
    .sort((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)))[0];
}

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.querySelector(".pick :checked") && !document.querySelector(":popover-open")) {
    document.getElementById("picked")?.reset();
    return;
  }
  const grid = event.target.closest?.("[data-grid]");
  const from = event.target.closest?.("[data-grid] > li");
  if (!grid || !from || event.target.closest("button")) return;
  const list = items(grid);
  if (event.key.startsWith("Arrow")) {
    const to = towards(list, from, event.key);
    if (!to) return;
    event.preventDefault();
    if (event.shiftKey) {
      pick(box(from), true);
      pick(box(to), true);
      count();
    }
    to.querySelector("a[href]").focus();
  } else if (event.key === " " && !event.target.matches("input")) {
    event.preventDefault();
    pick(box(from), !box(from)?.checked);
    count();
  } else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    list.forEach((item) => pick(box(item), true));
    count();
  }
});

addEventListener("click", (event) => {
  if (!event.shiftKey || !event.target.matches(".pick input") || !last?.isConnected) return;
  const list = items(event.target.closest("[data-grid]"));
  const [from, to] = [list.indexOf(last), list.indexOf(event.target.closest("li"))].sort((a, b) => a - b);
  const { checked } = event.target;
  list.slice(from, to + 1).forEach((item) => box(item) && (box(item).checked = checked));
  count();
});

addEventListener("change", (event) => {
  if (!event.target.matches(".pick input")) return;
  last = event.target.closest("li");
  count();
});

addEventListener("reset", () => setTimeout(count));

let press = 0;
addEventListener("touchstart", (event) => {
  const item = event.target.closest?.("[data-grid] > li");
  clearTimeout(press);
  if (!box(item) || event.touches.length > 1) return;
  press = setTimeout(() => {
    pick(box(item), !box(item).checked);
    count();
    // The finger's lifting is no click on the link.
    item.addEventListener("click", (click) => click.preventDefault(), { once: true, capture: true });
    press = -1;
  }, LONG);
}, { passive: true });
for (const name of ["touchend", "touchmove", "touchcancel"]) {
  addEventListener(name, () => clearTimeout(press), { passive: true });
}
addEventListener("contextmenu", (event) => {
  if (press === -1 && event.target.closest?.("[data-grid]")) event.preventDefault();
});

document.addEventListener("htmx:after:swap", count);
count();
