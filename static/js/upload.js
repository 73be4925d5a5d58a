// Pictures by drag and drop, from a sample, or sent directly after being chosen. Without this script the forms still take
// a file in their field and send it with their button.

function give(input, file) {
  const files = new DataTransfer();
  files.items.add(file);
  input.files = files.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    const area = event.target.closest?.(".drop, .crop");
    for (const each of document.querySelectorAll(".drop[data-over]")) delete each.dataset.over;
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // a file dropped outside the field does not replace the page
    if (!area) return;
    if (name === "dragover") area.dataset.over = "yes";
    const [file] = event.dataTransfer.files;
    if (name === "drop" && file) give(area.querySelector("input[type=file]"), file);
  });
}

addEventListener("click", async (event) => {
  const sample = event.target.closest("[data-sample]");
  if (sample) {
    const picture = await (await fetch(sample.dataset.sample)).blob();
    const file = new File([picture], `${sample.dataset.name}.webp`, { type: picture.type });
    give(document.querySelector("input[type=file][name=picture]"), file);
    return;
  }
  // "Choose a picture" opens the file dialog; choosing a file sends the form.
  const button = event.target.closest("[data-upload] button[type=submit]");
  const input = button?.form.querySelector("input[type=file]");
  if (input && !input.files.length) {
    event.preventDefault();
    input.click();
  }
});

addEventListener("change", (event) => {
  const form = event.target.closest("[data-upload]");
  if (!form || event.target.type !== "file" || !event.target.files.length) return;
  form.querySelector("[data-upload-words]").textContent = `Uploading ${event.target.files[0].name}`;
  form.requestSubmit();
});
