// A set's page has only some of its pictures at a time. The address of a picture, such as #place-700, opens the part with
// it, and so does the way back from a picture.

const placeIn = (hash) => hash.match(/^#place-(\d+)$/)?.[1];
const place = placeIn(location.hash);
const here = new URL(location.href);
const atFirst = document.querySelectorAll("#pictures > li").length;

function partWith(position) {
  const url = new URL(location.href);
  for (const name of ["after", "before", "first", "last"]) url.searchParams.delete(name);
  url.searchParams.set("at", position);
  url.hash = `place-${position}`;
  return url;
}

if (place && !document.getElementById(`place-${place}`) && here.searchParams.get("at") !== place) {
  location.replace(partWith(place));
} else if (place && performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
  document.getElementById(`place-${place}`)?.scrollIntoView({ block: "center" });
}

// A link to a picture, followed while the page is open, changes only the address.
addEventListener("hashchange", () => {
  const position = placeIn(location.hash);
  if (position && !document.getElementById(`place-${position}`)) location.replace(partWith(position));
});

// On the way back, the browser knows how far the page was scrolled, but not how much of it was loaded.
addEventListener("click", ({ target }) => {
  const tile = target.closest?.("#pictures > li");
  if (!tile || !target.closest("a[href]") || target.closest("[data-redo]")) return;
  if ([...tile.parentElement.children].indexOf(tile) < atFirst) return;
  history.scrollRestoration = "manual";
  history.replaceState(history.state, "", partWith(tile.id.replace("place-", "")));
});
