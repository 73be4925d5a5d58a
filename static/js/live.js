// The pages of a set and of a subject. What [data-follow] names is followed, and each message is HTML whose parts htmx puts
// in place by id. This script also handles what screen readers read (at most every ten seconds).

import { follow, settle } from "./follow.js";
import { isRunning, showProgress } from "./tab.js";

const EVERY = 10000;
const live = document.getElementById("live");
const followed = new Map(); // by element: {address, stop}
let spoken = [];
let swapped = Promise.resolve();

// As shown: without what this person does not see.
const sentences = () => Array.from(document.querySelectorAll("[data-spoken]"), (each) => each.innerText.trim());

function speak() {
  const speaker = document.querySelector("[data-speaker]");
  if (!speaker) return;
  const now = sentences();
  const changed = now.filter((words) => !spoken.includes(words));
  spoken = now;
  if (changed.length) speaker.textContent = changed.join(" ");
}

// One message after the other.
function put(element, text) {
  swapped = swapped.then(() => window.htmx.swap({ text, sourceElement: element, target: element, swap: "none" }));
}

function hear(element, { type, event, data }) {
  if (type === "out") location.reload(); // signed out: the server leads to the sign-in page, and back here
  else if (event === "message") put(element, data);
  else if (event === "done") {
    swapped.then(speak).then(settle).then(() => document.body.dispatchEvent(new Event("soroe:done")));
    if (element.hasAttribute("data-until-done")) leave(element);
  }
}

function leave(element) {
  followed.get(element).stop();
  followed.set(element, { address: element.dataset.follow, stop() {} });
}

// A page that loads more of a set follows another address.
function followAll() {
  for (const [element, { address, stop }] of followed) {
    if (element.isConnected && element.dataset.follow === address) continue;
    stop();
    followed.delete(element);
  }
  for (const element of document.querySelectorAll("[data-follow]")) {
    if (followed.has(element)) continue;
    const address = element.dataset.follow;
    followed.set(element, { address, stop: follow(address, (told) => hear(element, told), isRunning) });
  }
}

if (live) spoken = sentences();
setInterval(speak, EVERY);
document.addEventListener("htmx:after:swap", followAll);
document.addEventListener("htmx:after:swap", showProgress);
followAll();
