// The page of an export: the download starts once when the zip is ready.

function begin() {
  const link = document.querySelector("[data-download-now]");
  if (!link) return;
  delete link.dataset.downloadNow;
  // Reloading the page does not start another download.
  history.replaceState(null, "", location.pathname);
  location.assign(link.href);
}

begin();
new MutationObserver(begin).observe(document.getElementById("main"), { childList: true, subtree: true });
