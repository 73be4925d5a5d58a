// All pictures: what is left to do after each swap of htmx, and Enter in the small forms of the bar.

const more = () => document.querySelector("#more a");
let before = null; // the last picture before the next page, when the button that asks for it had the focus

document.addEventListener("htmx:before:request", ({ detail }) => {
  if (detail.ctx.sourceElement !== more()) return;
  before = document.activeElement === more() ? document.querySelector("#pictures > li:last-child") : null;
});

document.addEventListener("htmx:after:swap", ({ detail }) => {
  const { sourceElement } = detail.ctx;
  sourceElement.closest?.(".pop")?.hidePopover();
  // The searches are saved as the page is now.
  const query = document.querySelector("#results [name=query]").value;
  document.querySelectorAll("#saved [name=query]").forEach((input) => (input.value = query));
  before?.nextElementSibling?.querySelector("a").focus();
  before = null;
  // What was refused stays selected, so that one sees it.
  const refused = document.querySelector("#toasts .toast--bad");
  if (sourceElement.matches?.("[data-then-clear]") && !refused) document.getElementById("picked").reset();
});

addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.isComposing || !event.target.matches(".pop input")) return;
  const button = event.target.closest(".pop").querySelector("[data-on-enter]");
  if (!button) return;
  event.preventDefault();
  button.click();
});
