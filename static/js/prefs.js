// Display choices: each [data-pref] radio or checkbox is stored in a cookie of its name (size, view, surround, reference).
// The server reads it and sets `checked`; the style sheet does the rest.

const YEAR = 365 * 24 * 3600;

addEventListener("change", (event) => {
  const input = event.target;
  if (!input.matches("[data-pref]")) return;
  const value = input.type === "checkbox" ? (input.checked ? "on" : "off") : input.value;
  document.cookie = `${input.name}=${value}; path=/; max-age=${YEAR}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
});
