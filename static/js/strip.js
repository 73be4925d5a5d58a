// Drafts of the first prompt at five strengths, on demand. They are made by the server's queue and asked for until they
// are done; leaving the page, or asking again, cancels them.

import { _ } from "./languages.js";

const AGAIN = 500; // ms between two looks
const form = document.getElementById("set-form");
const root = form?.querySelector("[data-strip]");

if (root) {
  const start = root.querySelector("[data-strip-start]");
  const list = root.querySelector("[data-strip-drafts]");
  const said = root.querySelector("[data-strip-said]");
  const bar = root.querySelector("progress");
  const { strength } = form.elements;
  let round = 0; // answers to earlier requests no longer count
  let running = null; // the id of a strip that is being made

  function say(words, wrong = false) {
    said.textContent = words;
    said.classList.toggle("error", wrong);
    said.hidden = !words;
  }

  function mark() {
    for (const draft of list.children) {
      draft.setAttribute("aria-pressed", String(Number(draft.value) === Number(strength.value)));
    }
  }

  const howFar = ({ step, steps }) => _("Step %(step)s of %(steps)s", { step, steps: steps || "…" });

  function show(strip) {
    list.hidden = false;
    bar.hidden = strip.done;
    if (strip.steps) bar.value = strip.step / strip.steps;
    else bar.removeAttribute("value");
    for (const [place, { url }] of strip.drafts.entries()) {
      const picture = list.children[place].querySelector("img");
      if (url && picture.getAttribute("src") !== url) picture.src = url;
      picture.hidden = !url;
    }
    say(strip.said || (strip.done ? _("Choose one to use its strength.") : howFar(strip)));
    mark();
  }

  async function ask(address, options) {
    const answer = await fetch(address, { headers: { accept: "application/json" }, ...options }).catch(() => null);
    if (!answer) throw new Error(_("The server could not be reached. Try again in a moment."));
    if (!answer.headers.get("content-type")?.startsWith("application/json")) {
      throw new Error(answer.headers.get("content-type")?.startsWith("text/plain") ? await answer.text() : _("That did not work. Reload the page."));
    }
    return answer.json();
  }

  async function preview() {
    round += 1;
    const own = round;
    bar.removeAttribute("value");
    bar.hidden = false;
    say(_("Starting…"));
    try {
      let strip = await ask("/strips", { method: "POST", body: new FormData(form) });
      while (own === round) {
        running = strip.done ? null : strip.id;
        show(strip);
        if (strip.done) return;
        await new Promise((done) => setTimeout(done, AGAIN));
        if (own === round) strip = await ask(`/strips/${strip.id}`);
      }
    } catch (error) {
      if (own !== round) return;
      bar.hidden = true;
      say(error.message, true);
    }
  }

  function stop() {
    round += 1;
    if (running === null) return;
    fetch(`/strips/${running}/cancel`, { method: "POST", keepalive: true });
    running = null;
    bar.hidden = true;
    say("");
  }

  start.addEventListener("click", preview);
  list.addEventListener("click", (event) => {
    const draft = event.target.closest("button");
    if (!draft) return;
    strength.value = draft.value;
    strength.dispatchEvent(new Event("input", { bubbles: true }));
    mark();
  });
  strength.addEventListener("input", mark);
  addEventListener("pagehide", stop);
}
