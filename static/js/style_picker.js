// The search over the styles of a new set. The radio group itself needs no script.

const styles = document.querySelector("[data-styles]");
const find = document.querySelector("[data-find-style]");

if (styles) {
  const cards = [...styles.querySelectorAll(".pickcard")];
  const chosen = () => styles.querySelector("input:checked")?.closest(".pickcard");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const names = new Map(cards.map((card) => [card, plain(card.querySelector("strong").textContent)]));

  // Scrolls the list alone, never the page.
  const show = (card) => {
    if (card) styles.scrollTop = card.offsetTop - styles.offsetTop - 4;
  };

  function filter() {
    const typed = plain(find.value).trim();
    const words = typed.split(/\s+/).filter(Boolean);
    for (const card of cards) {
      const code = card.querySelector("input").value.toLowerCase();
      card.hidden = !words.every((word) => names.get(card).includes(word)) && !code.includes(typed);
    }
    styles.querySelector("[data-no-style]").hidden = cards.some((card) => !card.hidden);
    if (!words.length) show(chosen());
  }

  find?.addEventListener("input", filter);
  find?.addEventListener("keydown", (event) => {
    const found = cards.filter((card) => !card.hidden);
    if (event.key === "Escape" && find.value) {
      find.value = "";
      filter();
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault(); // a search does not generate
      if (found.length && find.value) found[0].querySelector("input").click();
    } else if (event.key === "ArrowDown" && found.length) {
      event.preventDefault();
      (found.includes(chosen()) ? chosen() : found[0]).querySelector("input").focus();
    }
  });

  show(chosen());
}
