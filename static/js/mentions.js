// Mentions in a comment: after an @ a list of people opens under the field, with the arrows, Enter and Esc of any list.
// The text stays plain; the server parses it.

import { _ } from "./languages.js";

const MOST = 6; // people in the list
const BEFORE = /(?:^|[^\p{L}\p{N}])@([^\n@]{0,40})$/u; // typed so far, up to the caret

let list = null; // the open list
let field = null; // and its field

const plain = (text) => text.normalize("NFKC").toLowerCase();

const typedIn = (area) => BEFORE.exec(area.value.slice(0, area.selectionStart))?.[1];

// The people that the words after the @ may mean.
function candidates(area) {
  const typed = area.selectionEnd === area.selectionStart ? typedIn(area) : undefined;
  if (typed === undefined) return [];
  const wanted = plain(typed);
  const people = [...document.getElementById("people").content.querySelectorAll(".mention")];
  const fits = ({ dataset: { name, mail } }) => {
    const words = [plain(name), ...plain(name).split(/\s+/).slice(1), plain(mail)];
    return words.some((word) => word.startsWith(wanted)) && plain(name) !== wanted;
  };
  return people.filter(fits).slice(0, MOST);
}

function close() {
  list?.remove();
  for (const name of ["aria-controls", "aria-activedescendant"]) field?.removeAttribute(name);
  list = field = null;
}

function open(area, found) {
  close();
  if (!found.length) return;
  field = area;
  list = Object.assign(document.createElement("div"), { id: "mentions", className: "menu mentions" });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", _("People"));
  for (const [index, person] of found.entries()) {
    const option = person.cloneNode(true);
    option.id = `mention-${index}`;
    list.append(option);
  }
  area.after(list);
  area.setAttribute("aria-controls", list.id);
  choose(list.firstElementChild);
}

// After the field's surroundings were replaced, the list is gone from the page.
export function listAgain() {
  if (field?.isConnected && !list.isConnected) open(field, candidates(field));
}

function choose(option) {
  for (const each of list.children) each.setAttribute("aria-selected", each === option);
  field.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function take(option) {
  const end = field.selectionStart; // what was composed since the list opened is replaced too
  field.setRangeText(`${option.dataset.name} `, end - (typedIn(field) ?? "").length, end, "end");
  field.focus();
  close();
}

addEventListener("input", ({ target }) => {
  if (target.matches("[data-mentions]")) open(target, candidates(target));
});

addEventListener("keydown", (event) => {
  const area = event.target.closest?.("[data-mentions]");
  if (!area) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    area.form.requestSubmit();
    return;
  }
  if (!list || area !== field) return;
  const chosen = list.querySelector("[aria-selected=true]");
  if (event.key === "ArrowDown") choose(chosen.nextElementSibling ?? list.firstElementChild);
  else if (event.key === "ArrowUp") choose(chosen.previousElementSibling ?? list.lastElementChild);
  else if (event.key === "Enter" || event.key === "Tab") take(chosen);
  else if (event.key === "Escape") close();
  else return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

addEventListener("pointerdown", (event) => {
  const option = list && event.target.closest?.("#mentions > *");
  if (!option) return;
  event.preventDefault(); // the field keeps the focus
  take(option);
});

addEventListener("focusout", ({ target }) => {
  if (target === field) close();
});
