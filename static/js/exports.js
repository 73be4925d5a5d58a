// The page of an export: the download starts once when the zip is ready.

let begun = false; // an answer that was on its way brings the link again

function begin() {
  const link = document.querySelector("[data-download-now]");
  if (!link || begun) return;
  begun = true;
  // Reloading the page does not start another download.
  history.replaceState(null, "", location.pathname);
  location.assign(link.href);
}

begin();
new MutationObserver(begin).observe(document.getElementById("main"), { childList: true, subtree: true });
