// What is behind a transparent picture: the preview follows the chosen colour, and pages whose scripts upload pictures ask
// by `askGround`. The server asks the same without scripts (templates/_ground.html).

import { _ } from "./languages.js";

addEventListener("input", ({ target }) => {
  if (target.name !== "ground_colour") return;
  target.closest("[data-ground]").querySelector("[data-ground-fill]").setAttribute("fill", target.value);
});

const place = () => document.querySelector("[data-ground-place]");
const own = (button) => (button.value === "own" ? button.closest("[data-ground]").querySelector("[name=ground_colour]").value : button.value);

// Shows the question about `pictures`, as the server told them, and resolves with the colour.
export function askGround(pictures) {
  const asked = document.getElementById("ground-question").content.firstElementChild.cloneNode(true);
  const [{ name }, ...others] = pictures;
  const number = pictures.length;
  const words = others.length ? _("%(number)s pictures are transparent.", { number }) : _("%(name)s is transparent.", { name });
  asked.querySelector("[data-ground-name]").textContent = words;
  for (const image of asked.querySelectorAll("image")) image.setAttribute("href", pictures[0].picture);
  for (const { waiting } of pictures) {
    asked.prepend(Object.assign(document.createElement("input"), { type: "hidden", name: "waiting", value: waiting }));
  }
  place().replaceChildren(asked);
  place().dispatchEvent(new Event("change", { bubbles: true })); // for the draft
  asked.scrollIntoView({ block: "nearest" });
  asked.querySelector("button").focus({ preventScroll: true });
  return answered(asked);
}

export const forgetGround = () => place()?.replaceChildren();

// The answer to a question that is on the page: a colour.
export function answered(asked) {
  return new Promise((resolve) => {
    asked.addEventListener("click", (event) => {
      const button = event.target.closest("button[name=ground]");
      if (!button) return;
      event.preventDefault();
      asked.remove();
      resolve(own(button));
    });
  });
}
