// Light or dark. Follows the system until someone presses a [data-theme-toggle] or chooses a [data-theme-set] ("": the system’s); the choice is a cookie, so that the
// server writes `data-theme` on <html> and no page flashes.

const root = document.documentElement;
const YEAR = 365 * 24 * 3600;

function use(theme) {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  document.cookie = `theme=${theme}; path=/; max-age=${theme ? YEAR : 0}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

addEventListener("click", ({ target }) => {
  const wanted = target.closest("[data-theme-set]");
  if (wanted) return use(wanted.dataset.themeSet);
  if (!target.closest("[data-theme-toggle]")) return;
  const shown = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  use(shown === "dark" ? "light" : "dark");
});
