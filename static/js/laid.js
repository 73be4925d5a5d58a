// The format over the picture of the review room. The choice is a cookie (prefs.js), and the server draws it; a room that was
// fetched before the choice is drawn again.

const kept = () => document.cookie.match(/(?:^|; )format=([\w-]+)/)?.[1] ?? "none";

export async function enterLaid() {
  const [laid, choice] = ["laid", "format"].map((id) => document.getElementById(id));
  if (!laid || !choice) return;
  choice.value = kept();
  if (laid.dataset.format === choice.value) return;
  const { url, image } = document.getElementById("room").dataset;
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("laid");
  const wanted = document.getElementById("format")?.value; // by now
  if (fresh && fresh.dataset.format === wanted && document.getElementById("room").dataset.image === image) {
    document.getElementById("laid").replaceWith(document.importNode(fresh, true));
  }
}

addEventListener("change", ({ target }) => {
  if (target.id === "format") enterLaid();
});
