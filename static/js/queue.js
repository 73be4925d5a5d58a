// The order of the queue by dragging; its buttons do the same from the keyboard. A row that can be moved has them. It is
// dropped before another row, and the page then shows the order that the server has.

const rows = () => [...document.querySelectorAll("[data-queue] > li")];
const movable = (row) => row.querySelector("[name=to][value=up]");
let dragged = null;

function offer() {
  for (const row of rows()) row.draggable = Boolean(movable(row));
}

addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("[data-queue] > li");
  if (dragged) event.dataTransfer.effectAllowed = "move";
});

addEventListener("dragover", (event) => {
  const row = event.target.closest?.("[data-queue] > li");
  for (const other of rows()) other.classList.toggle("is-over", Boolean(dragged) && other === row && row !== dragged);
  if (dragged && row && row !== dragged && movable(row)) event.preventDefault();
});

addEventListener("drop", (event) => {
  const row = event.target.closest?.("[data-queue] > li");
  if (!dragged || !row || row === dragged) return;
  event.preventDefault();
  const below = rows().indexOf(dragged) < rows().indexOf(row); // then it comes after the row that it was dropped on
  const rest = rows().slice(rows().indexOf(row) + (below ? 1 : 0));
  const next = rest.find(movable); // rows of other people are passed over
  const form = movable(dragged).form;
  form.elements.to.value = next ? next.dataset.topic : "last";
  form.requestSubmit();
});

addEventListener("dragend", () => {
  for (const row of rows()) row.classList.remove("is-over");
  dragged = null;
});

document.addEventListener("htmx:after:swap", offer);
offer();
