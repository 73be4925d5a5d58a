// Unsent text about a picture, in the composer with its pin and in replies, is kept for this tab while the person visits
// other pictures or pages, and restored on return. The keys are the ids of the fields, which change after sending.

const room = () => document.getElementById("room");
const place = () => `drafts-${room().dataset.person}`; // a browser may have several people
const fields = () => [...room().querySelectorAll("textarea[data-mentions]")];
const pinOf = (field) => [...field.form.querySelectorAll("[data-x], [data-y]")];

const kept = () => JSON.parse(sessionStorage.getItem(place()) ?? "{}");

const keep = (drafts) => sessionStorage.setItem(place(), JSON.stringify(drafts));

// Before the room shows something else.
export function keepDrafts() {
  const drafts = kept();
  for (const field of fields()) {
    if (field.value.trim()) drafts[field.id] = [field, ...pinOf(field)].map(({ value }) => value);
    else delete drafts[field.id];
  }
  keep(drafts);
}

// Sent text is no longer a draft.
export function forgetDraft(field) {
  const { [field.id]: _, ...others } = kept();
  keep(others);
}

// After the room shows something else. A reply unfolds its conversation.
export function putDraftsBack() {
  const drafts = kept();
  for (const field of fields()) {
    if (field.value || !drafts[field.id]) continue;
    for (const [index, each] of [field, ...pinOf(field)].entries()) each.value = drafts[field.id][index];
    for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
}

addEventListener("pagehide", keepDrafts);
