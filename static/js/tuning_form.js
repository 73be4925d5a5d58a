// How many drafts "Find the best setting" makes, and how long they take, while its form is filled in.

const LATER = 300; // ms after the last change
const form = document.getElementById("tuning-form");

if (form) {
  const said = document.getElementById("effort");
  let asked = "";
  let asking;

  form.addEventListener("input", () => {
    const { prompts, from } = form.elements;
    const question = new URLSearchParams({
      prompts: prompts.value.split("\n").filter((line) => line.trim()).length,
      layers: form.querySelectorAll("[name=layers]:checked").length,
      from: from?.value ?? "",
    }).toString();
    if (question === asked) return;
    asked = question;
    clearTimeout(asking);
    asking = setTimeout(async () => {
      const answer = await fetch(`/tunings/effort?${question}`).catch(() => null);
      if (question !== asked || !answer?.ok || answer.redirected) return;
      said.textContent = await answer.text();
    }, LATER);
  });
}
