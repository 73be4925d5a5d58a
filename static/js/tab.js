// The tab of a set or a training: its title and icon show how far it is, also while other tabs are looked at, and that it
// has ended, until someone looks. [data-run] has the count for the title; data-percent is there while it runs.

const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const usual = icon.href;

let ran = false; // when it was last shown
let unseen = false; // it ended while another tab was looked at
let drawn = "";

const run = () => document.querySelector("[data-run]");

export const isRunning = () => run()?.dataset.percent !== undefined;

// Colours that can be told from light and dark tabs.
const TRACK = "#8a8a8a";
const DONE = "#5f7fe0";
const ROUND = 2 * Math.PI * 7; // of the ring

const ring = (percent) => `<circle cx="10" cy="10" r="7" fill="none" stroke="${TRACK}" stroke-opacity=".45" stroke-width="5"/>
<circle cx="10" cy="10" r="7" fill="none" stroke="${DONE}" stroke-width="5" transform="rotate(-90 10 10)"
 stroke-dasharray="${((percent / 100) * ROUND).toFixed(2)} ${ROUND.toFixed(2)}"/>`;

const DOT = `<rect x="1" y="1" width="8" height="8" fill="${TRACK}"/><g fill="none" stroke="${TRACK}" stroke-width="1.5">
<rect x="1.75" y="11.75" width="6.5" height="6.5"/><rect x="11.75" y="11.75" width="6.5" height="6.5"/></g>
<circle cx="14.5" cy="5.5" r="5" fill="${DONE}"/>`;

function draw(inner) {
  if (inner === drawn) return;
  drawn = inner;
  const old = icon.href;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20">${inner}</svg>`;
  icon.href = inner ? URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" })) : usual;
  if (old !== usual) URL.revokeObjectURL(old);
}

export function showProgress() {
  const shown = run();
  if (!shown) return;
  const { run: count, percent } = shown.dataset;
  const runs = percent !== undefined;
  unseen = document.hidden && !runs && (ran || unseen);
  ran = runs;
  const before = runs && count ? `(${count}) ` : unseen ? "✓ " : "";
  document.title = before + title;
  draw(runs ? ring(Number(percent)) : unseen ? DOT : "");
}

document.addEventListener("visibilitychange", showProgress);
showProgress();
