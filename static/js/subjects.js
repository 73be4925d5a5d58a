// The form of a new subject: pictures are uploaded one by one as they are dropped or chosen, and shown. Without this script
// the form sends all of them together.

const form = document.getElementById("subject-form");

if (form) {
  const input = form.querySelector("[data-pictures]");
  const area = form.querySelector("[data-pictures-drop]");
  const list = form.querySelector("[data-kept]");
  const error = form.querySelector("[data-kept-error]");
  const { fewest, most } = form.dataset;
  const names = () => [...list.querySelectorAll("[name=kept]")].map(({ value }) => value).filter(Boolean);

  function tell() {
    const count = names().length;
    const missing = Number(fewest) - count;
    const words = `${count} ${count === 1 ? "picture" : "pictures"}`;
    const wanted = missing > 0 ? `, ${missing} more needed` : count > Number(most) ? `, at most ${most} are taken` : "";
    form.querySelector("[data-kept-words]").textContent = count ? words + wanted : "";
  }

  function complain(sentence) {
    error.hidden = !sentence;
    error.querySelector("span").textContent = sentence;
  }

  async function send(file) {
    const body = new FormData();
    body.append("picture", file);
    let response;
    try {
      response = await fetch("/subjects/pictures", { method: "POST", body, headers: { accept: "application/json" } });
    } catch {
      throw new Error("The server could not be reached. Try again in a moment.");
    }
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }

  async function add(file) {
    const item = document.getElementById("kept-picture").content.firstElementChild.cloneNode(true);
    const picture = item.querySelector("img");
    picture.src = URL.createObjectURL(file);
    item.dataset.busy = "yes";
    list.append(item);
    try {
      const { sha256, thumb } = await send(file);
      if (names().includes(sha256)) throw new Error(`${file.name} is already there. Choose another picture.`);
      URL.revokeObjectURL(picture.src);
      picture.src = thumb;
      item.querySelector("[name=kept]").value = sha256;
      delete item.dataset.busy;
    } catch (problem) {
      item.remove();
      complain(problem.message.includes(file.name) ? problem.message : `${file.name}: ${problem.message}`);
    }
    tell();
  }

  async function addAll(files) {
    complain("");
    for (const file of files) await add(file); // in order, without overloading the server
  }

  input.addEventListener("change", async () => {
    const files = [...input.files];
    input.value = ""; // they are uploaded separately
    await addAll(files);
  });

  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      delete area.dataset.over;
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // a file dropped outside the field does not replace the page
      if (name === "dragover") area.dataset.over = "yes";
      if (name === "drop") addAll([...event.dataTransfer.files]);
    });
  }

  list.addEventListener("click", ({ target }) => {
    if (!target.closest("[data-remove]")) return;
    target.closest(".kept").remove();
    complain("");
    tell();
  });

  tell();
}
