// The page of an export: the download begins once when the zip is ready.

function begin() {
  const link = document.querySelector("[data-download-now]");
  if (!link) return;
  delete link.dataset.downloadNow;
  // A reload of the page is no wish for another download.
  history.replaceState(null, "", location.pathname);
  location.assign(link.href);
}

begin();
new MutationObserver(begin).observe(document.getElementById("main"), { childList: true, subtree: true });
