// Rules for every htmx request: an error becomes a toast with the server's own sentence and leaves the page as it is
// (a 422 is a form with its errors, and is shown); a page in a hidden tab requests nothing by itself; empty fields are left
// out of addresses.

const say = (words) => document.dispatchEvent(new CustomEvent("soroe:toast", { detail: { words } }));

document.addEventListener("htmx:after:request", (event) => {
  const { response, text } = event.detail.ctx;
  if (response.status < 400 || response.status === 422) return;
  if (response.headers.has("HX-Redirect")) return; // signed out: htmx goes to the sign-in page
  event.preventDefault();
  const page = new DOMParser().parseFromString(text, "text/html");
  const sentence = page.querySelector("[data-error-sentence]")?.textContent;
  say(sentence ?? `The server returned an error (${response.status}). Nothing was changed.`);
});

document.addEventListener("htmx:error", (event) => {
  const { error } = event.detail;
  const unreachable = error?.name === "TypeError" || error === "timeout";
  if (unreachable) say("The server could not be reached. Try again in a moment.");
  else console.error(error);
});

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.detail.ctx.sourceEvent?.type === "every") event.preventDefault();
});

document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  // This does not show that someone is there, so it does not keep them signed in.
  if (ctx.sourceEvent?.type === "every") ctx.request.headers["Soroe-Unattended"] = "yes";
  if (!ctx.push || ctx.request.method !== "GET") return;
  ctx.request.body = new URLSearchParams([...ctx.request.body].filter(([, value]) => value));
});
