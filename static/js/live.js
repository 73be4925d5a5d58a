// The page of a set. htmx swaps in the events; this script handles what screen readers read (at most every ten seconds),
// and the line about a lost connection.

const EVERY = 10000;
const live = document.getElementById("live");
let spoken = [];

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

function lost(hidden) {
  const line = document.querySelector("[data-lost]");
  if (line) line.hidden = hidden;
}

if (live) spoken = sentences();
setInterval(speak, EVERY);
document.addEventListener("htmx:sse:error", ({ detail }) => {
  if (detail.status === 401) location.reload(); // signed out: the server leads to the sign-in page, and back here
  else lost(false);
});
document.addEventListener("htmx:sse:after:connection", () => lost(true));
document.addEventListener("done", speak);
