// Shows all pictures as people with another colour vision see them, by the filters of static/vision.svg, in this tab until
// it is closed. A note stays on every page, so that nobody judges colours by it unawares.

const KEY = "see";
const choice = document.getElementById("see"); // rooms without the account menu have none
const note = document.getElementById("seeing");

async function see(vision) {
  sessionStorage.setItem(KEY, vision);
  if (vision && !document.getElementById(`see-${vision}`)) await load();
  if (vision) document.documentElement.dataset.see = vision;
  else delete document.documentElement.dataset.see;
  if (choice) choice.value = vision;
  note.hidden = !vision;
  for (const words of note.querySelectorAll("[data-vision]")) words.hidden = words.dataset.vision !== vision;
}

// Filters work from the page itself only.
async function load() {
  const answer = await fetch(note.dataset.filters);
  const { documentElement } = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
  document.body.append(document.adoptNode(documentElement));
}

choice?.addEventListener("change", () => see(choice.value));
note.querySelector("button").addEventListener("click", () => {
  see("");
  document.getElementById("main").focus({ preventScroll: true });
});
// A link can name how its pictures are seen: ?see=deuteranopia. Elements that show one vision always, [data-sees], need the
// filters too.
const asked = new URLSearchParams(location.search).get("see");
const known = Array.from(note.querySelectorAll("[data-vision]"), (words) => words.dataset.vision);
see(known.includes(asked) ? asked : (sessionStorage.getItem(KEY) ?? ""));
if (document.querySelector("[data-sees]") && !document.getElementById("see-grey")) load();
