// Light or dark. Follows the system until someone presses a [data-theme-toggle]; the choice is a cookie, so that the
// server writes `data-theme` on <html> and no page flashes.

const root = document.documentElement;
const YEAR = 365 * 24 * 3600;

addEventListener("click", (event) => {
  if (!event.target.closest("[data-theme-toggle]")) return;
  const shown = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = shown === "dark" ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
});
