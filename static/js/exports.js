// The page of an export: the download begins once when the zip is ready; deleting is asked about first.

function begin() {
  const link = document.querySelector("[data-download-now]");
  if (!link) return;
  delete link.dataset.downloadNow;
  // A reload of the page is no wish for another download.
  history.replaceState(null, "", location.pathname);
  location.assign(link.href);
}

// Captured, so that it is asked before forms.js takes the form for sent.
addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
}, { capture: true });

begin();
new MutationObserver(begin).observe(document.getElementById("main"), { childList: true, subtree: true });
