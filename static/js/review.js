// The review room. Its keys are data-key attributes (see shortcuts.js); here: the surround by B, zoom and panning, swiping,
// the film strip that follows, and the next picture that is fetched ahead. htmx morphs the room for each picture.

const SWIPE = 60; // px

function share(stage) {
  const picture = stage.querySelector("[data-frame] img");
  const words = stage.querySelector("[data-zoom-share]");
  const [width, height] = ["width", "height"].map((name) => Number(picture.getAttribute(name)));
  const fitted = Math.min(picture.clientWidth / width, picture.clientHeight / height);
  if (words && fitted) words.textContent = stage.dataset.zoom === "full" ? "Fit" : `${Math.round(fitted * 100)} %`;
}

function enter() {
  const stage = document.querySelector(".duo");
  if (!stage) return;
  share(stage);
  const strip = document.querySelector(".filmstrip");
  const current = strip.querySelector("[aria-current]");
  if (current) strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.clientWidth) / 2;
  const next = document.querySelector("[data-prefetch]");
  if (next) new Image().src = next.dataset.prefetch;
}

function zoom(to) {
  const stage = document.querySelector(".duo");
  const frame = stage.querySelector("[data-frame]");
  stage.dataset.zoom = to;
  frame.tabIndex = to === "full" ? 0 : -1; // what scrolls can be scrolled by keys
  frame.scrollTo((frame.scrollWidth - frame.clientWidth) / 2, (frame.scrollHeight - frame.clientHeight) / 2);
  share(stage);
}

addEventListener("click", (event) => {
  const button = event.target.closest("[data-zoom-to]");
  if (button) zoom(button.dataset.zoomTo);
});

addEventListener("dblclick", (event) => {
  if (event.target.closest("[data-frame]")) zoom(document.querySelector(".duo").dataset.zoom === "full" ? "fit" : "full");
});

addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "b" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("textarea, input[type=text]") || document.querySelector(":popover-open")) return;
  const choices = [...document.querySelectorAll("input[name=surround]")];
  const next = choices[(choices.findIndex((input) => input.checked) + 1) % choices.length];
  next?.click();
});

addEventListener("pointerdown", (event) => {
  const frame = event.target.closest("[data-frame]");
  if (!frame || event.button) return;
  const full = frame.closest(".duo").dataset.zoom === "full";
  if (event.pointerType !== "touch" && full) {
    const { scrollLeft, scrollTop } = frame;
    const pan = ({ clientX, clientY }) =>
      frame.scrollTo(scrollLeft + event.clientX - clientX, scrollTop + event.clientY - clientY);
    frame.setPointerCapture(event.pointerId);
    frame.addEventListener("pointermove", pan);
    frame.addEventListener("pointerup", () => frame.removeEventListener("pointermove", pan), { once: true });
  }
});

let touch = null;
addEventListener("touchstart", (event) => {
  const frame = event.target.closest?.("[data-frame]");
  const alone = frame && event.touches.length === 1 && frame.closest(".duo").dataset.zoom === "fit";
  touch = alone ? { x: event.touches[0].clientX, y: event.touches[0].clientY } : null;
}, { passive: true });
addEventListener("touchend", (event) => {
  if (!touch) return;
  const x = event.changedTouches[0].clientX - touch.x;
  const y = event.changedTouches[0].clientY - touch.y;
  touch = null;
  const along = Math.abs(x) > SWIPE && Math.abs(x) > 2 * Math.abs(y);
  if (along) document.querySelector(x < 0 ? ".arrow--next" : ".arrow--prev")?.click();
}, { passive: true });

document.addEventListener("htmx:after:swap", enter);
addEventListener("resize", enter);
enter();
