// The page of a set. htmx swaps in the events; this script handles what screen readers read (at most every ten seconds),
// and the line about a lost connection.

const EVERY = 10000;
const live = document.getElementById("live");
let spoken = "";

function speak() {
  const words = document.querySelector("[data-spoken]")?.textContent.trim() ?? "";
  const speaker = document.querySelector("[data-speaker]");
  if (!speaker || words === spoken) return;
  spoken = speaker.textContent = words;
}

function lost(hidden) {
  const line = document.querySelector("[data-lost]");
  if (line) line.hidden = hidden;
}

if (live) spoken = document.querySelector("[data-spoken]")?.textContent.trim() ?? "";
setInterval(speak, EVERY);
document.addEventListener("htmx:sse:error", ({ detail }) => {
  if (detail.status === 401) location.reload(); // signed out: the server leads to the sign-in page, and back here
  else lost(false);
});
document.addEventListener("htmx:sse:after:connection", () => lost(true));
document.addEventListener("done", speak);
