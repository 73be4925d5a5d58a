// Says what the model reads of a text while it is written: marks words that it does not know, weights, what comes after
// the end of what it reads, and words that the team does not allow. Any text field with data-reads="prompt", "negative" or "style" takes part, on every page.
// The server reads the lines (POST /readings). Nothing changes while an input method composes a word.
//
// What is drawn for a line in Japanese stands below in English, to be corrected. Corrections are kept by line in the
// form's field drawn_as, as JSON; a form without it draws lines as they are written.

import { isComposed } from "./composing.js";
import { _ } from "./languages.js";

const PAUSE = 300; // ms without a key, after which new lines are read
const AT_ONCE = 10_000; // letters that one answer reads
const MOST_NOTES = 5; // shown under one field
const MOST_DRAWN = 50; // lines in Japanese shown under one field, with their English
const KEPT = 2000; // lines whose readings are remembered
const LOOK = ["fontFamily", "fontSize", "fontWeight", "letterSpacing", "lineHeight", "padding", "borderWidth"];

const known = new Map(); // readings by what they depend on
const fields = new WeakMap(); // what belongs to each field: its mirror, notes and timer

// The texts of a field: its lines, as app/text.py counts them, or the whole, in which a line break is a space.
const texts = (field) => ("lines" in field.dataset ? field.value.split(/\r\n|[\r\n]/) : [field.value]);
const flat = (text) => text.replace(/[\r\n]/g, " ").trim();

// What the reading of a field's lines depends on besides the line itself.
function about(field) {
  const form = field.form;
  const ofRegion = field.closest(".regions__row")?.querySelector("[data-of=style_code]")?.value;
  const negative = field.dataset.reads === "negative";
  const asked = {
    kind: field.dataset.reads,
    style: (field.dataset.reads === "prompt" && (ofRegion || (form && new FormData(form).get("style")))) || "",
    set: field.dataset.readsSet ?? "",
    guidance: (negative && form?.elements.guidance?.value) || "",
  };
  // Each line has its own, so they are not sent with the rest.
  if (form?.elements.drawn_as) Object.defineProperty(asked, "corrected", { value: corrections(field) });
  return asked;
}

const corrections = (field) => JSON.parse(field.form?.elements.drawn_as?.value || "{}");

function correct(field, text, english) {
  const { [text]: before, ...rest } = corrections(field);
  field.form.elements.drawn_as.value = JSON.stringify(english ? { ...rest, [text]: english } : rest);
}

const keyOf = (asked, text) => JSON.stringify([...Object.values(asked), asked.corrected?.[flat(text)] ?? "", flat(text)]);
const readingOf = (asked, text) => (flat(text) ? known.get(keyOf(asked, text)) : { pieces: [], notes: [], nothing: false });

function setUp(field) {
  const parts = { timer: 0, mirror: null, notes: document.createElement("div"), said: "", turn: 0 };
  fields.set(field, parts);
  parts.drawn = Object.assign(document.createElement("ul"), { className: "drawn", role: "list", hidden: true });
  parts.drawn.setAttribute("aria-label", _("Will be drawn as"));
  parts.notes.className = "reads";
  parts.notes.id = `reads-${field.id || crypto.randomUUID()}`;
  parts.notes.setAttribute("role", "status");
  const described = field.getAttribute("aria-describedby");
  field.setAttribute("aria-describedby", described ? `${described} ${parts.notes.id}` : parts.notes.id);
  let place = field;
  if (field.matches("textarea")) {
    place = document.createElement("div");
    place.className = "readmarks";
    parts.mirror = Object.assign(document.createElement("div"), { className: "readmarks__mirror", ariaHidden: "true" });
    const focused = document.activeElement === field;
    field.replaceWith(place);
    place.append(field, parts.mirror);
    if (focused) field.focus();
    new ResizeObserver(() => number(field, parts)).observe(parts.mirror);
  }
  (field.closest(".prompts") ?? place).after(parts.drawn, parts.notes);
  return parts;
}

// The text again, behind nothing and in no colour, with marks under its words. It also makes the field as high as it is.
function mark(field, parts, asked) {
  if (!parts.mirror) return;
  const style = getComputedStyle(field);
  for (const name of LOOK) parts.mirror.style[name] = style[name];
  parts.mirror.replaceChildren(...texts(field).map((text) => marked(text, readingOf(asked, text))));
  number(field, parts);
}

function marked(text, reading) {
  const row = document.createElement("div");
  let end = text.length - text.trimStart().length;
  if (reading?.pieces.map(([part]) => part).join("") === flat(text)) {
    row.append(text.slice(0, end));
    for (const [part, kind] of reading.pieces) {
      const typed = text.slice(end, end + part.length);
      end += part.length;
      row.append(kind ? Object.assign(document.createElement("mark"), { className: `readmarks__${kind}`, textContent: typed }) : typed);
    }
    row.append(text.slice(end));
  } else row.append(text);
  if (!text || text.endsWith("\n")) row.append("\u200b"); // an empty line has its height too
  return row;
}

// A line that wraps keeps its number at its first row.
function number(field, parts) {
  const numbers = field.closest(".prompts__body")?.querySelector(".prompts__nums");
  if (!numbers) return;
  const heights = [...parts.mirror.children].map((row) => row.offsetHeight);
  for (const [index, item] of [...numbers.children].entries()) {
    item.style.height = heights[index] ? `${heights[index]}px` : "";
  }
}

function tell(field, parts, asked) {
  const rows = texts(field);
  const several = "lines" in field.dataset;
  const places = new Map(); // line numbers by note
  const looks = new Map(); // classes of notes that are not warnings
  for (const [index, line] of rows.entries()) {
    const reading = readingOf(asked, line);
    const aside = reading?.aside ? [reading.aside] : [];
    for (const note of [...(reading?.notes ?? []), ...aside]) places.set(note, [...(places.get(note) ?? []), index + 1]);
    for (const note of reading?.barred ?? []) looks.set(note, "reads__blocked");
    if (reading?.nothing) looks.set(reading.notes[reading.barred?.length ?? 0], "reads__nothing");
    for (const note of aside) looks.set(note, "reads__aside");
  }
  const told = [...places].map(([note, where]) => {
    const className = looks.get(note) ?? "";
    return Object.assign(document.createElement("p"), { className, textContent: several ? ofLines(where, note) : note });
  });
  const more = told.length - MOST_NOTES;
  if (more > 0) told.splice(MOST_NOTES, told.length, Object.assign(document.createElement("p"), { textContent: _("%(number)s more", { number: more }) }));
  twin(field, asked, rows);
  const said = told.map((note) => note.textContent).join("\n");
  if (said === parts.said) return; // a screen reader would say it once more
  parts.said = said;
  parts.notes.replaceChildren(...told);
}

// The English of each line in Japanese. A row is kept as long as its line, and the one that is written in is left alone.
function draw(field, parts, asked) {
  const lines = [...new Set(texts(field).map(flat))].filter((text) => readingOf(asked, text)?.drawn_as).slice(0, MOST_DRAWN);
  const rows = new Map([...parts.drawn.children].map((row) => [row.dataset.line, row]));
  for (const [line, row] of rows) if (!lines.includes(line)) row.remove();
  for (const [index, line] of lines.entries()) {
    const row = rows.get(line) ?? drawnRow(field, line);
    const input = row.querySelector("input");
    if (document.activeElement !== input) input.value = readingOf(asked, line).drawn_as;
    if (parts.drawn.children[index] !== row) parts.drawn.insertBefore(row, parts.drawn.children[index] ?? null);
  }
  parts.drawn.hidden = !lines.length;
}

function drawnRow(field, line) {
  const row = document.createElement("li");
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { className: "input", autocomplete: "off", lang: "en" });
  const words = Object.assign(document.createElement("span"), { className: "drawn__words", textContent: `${_("Will be drawn as:")} ` });
  if ("lines" in field.dataset) words.prepend(Object.assign(document.createElement("span"), { lang: "ja", className: "drawn__line", textContent: line }), " ");
  row.dataset.line = line;
  row.className = "drawn__row";
  label.append(words, input);
  row.append(label);
  input.addEventListener("input", () => {
    correct(field, line, input.value.trim());
    soon(field);
  });
  input.addEventListener("blur", () => soon(field, 0)); // an empty correction is none
  return row;
}

function ofLines(where, note) {
  const lines = where.slice(0, MOST_NOTES).join(_(", "));
  const more = where.length - MOST_NOTES;
  if (more > 0) return _("Lines %(lines)s and %(more)s more: %(note)s", { lines, more, note });
  return where.length === 1 ? _("Line %(line)s: %(note)s", { line: lines, note }) : _("Lines %(lines)s: %(note)s", { lines, note });
}

// That a negative prompt has no effect is also said where the guidance is set.
function twin(field, asked, rows) {
  const guidance = asked.kind === "negative" && field.form?.elements.guidance;
  if (!guidance) return;
  const unused = readingOf(asked, rows[0])?.unused ?? "";
  const note = guidance.parentElement.querySelector(".reads") ?? Object.assign(document.createElement("p"), { className: "reads" });
  note.textContent = unused;
  guidance.after(note);
}

// As many lines as one answer reads; the server decides.
function firstOf(lines) {
  let letters = 0;
  return lines.filter((line, index) => {
    letters += line.length;
    return !index || letters <= AT_ONCE;
  });
}

async function ask(asked, wanted) {
  const drawn = asked.corrected && Object.fromEntries(Object.entries(asked.corrected).filter(([text]) => wanted.includes(text)));
  const body = new URLSearchParams({ ...asked, prompts: wanted.join("\n"), drawn_as: drawn ? JSON.stringify(drawn) : "" });
  const answer = await fetch("/readings", { method: "POST", body, headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(await answer.text());
  const readings = await answer.json();
  if (known.size > KEPT) known.clear();
  for (const [index, reading] of readings.entries()) known.set(keyOf(asked, wanted[index]), reading);
  return readings.length;
}

function show(field, parts) {
  if (isComposed(field)) return; // its end says that the text changed
  const asked = about(field);
  mark(field, parts, asked);
  draw(field, parts, asked);
  tell(field, parts, asked);
}

// Long texts are read in several answers, until the field changes again.
async function read(field, parts) {
  const asked = about(field);
  const turn = ++parts.turn;
  let wanted = [...new Set(texts(field).map(flat))].filter((text) => text && !known.has(keyOf(asked, text)));
  try {
    while (wanted.length && turn === parts.turn && !isComposed(field)) {
      const read = await ask(asked, firstOf(wanted));
      if (!read) return;
      wanted = wanted.slice(read);
      if (wanted.length) show(field, parts);
    }
  } catch {
    return; // offline: the text is simply not marked
  }
  if (turn === parts.turn) show(field, parts);
}

function soon(field, pause = PAUSE) {
  const parts = fields.get(field) ?? setUp(field);
  mark(field, parts, about(field));
  clearTimeout(parts.timer);
  parts.timer = setTimeout(() => read(field, parts), pause);
}

const all = (root) => [...root.querySelectorAll("[data-reads]")];
const folded = (field) => field.closest("details:not([open])"); // read when someone unfolds it

document.addEventListener("input", (event) => {
  if (event.target.matches?.("[data-reads]")) soon(event.target);
});
document.addEventListener("change", ({ target }) => {
  if (target.matches?.("[name=style], [data-of=style_code], [name=guidance]")) for (const field of all(target.form ?? document)) soon(field, 0);
});

function scan() {
  for (const field of all(document)) if (!fields.has(field) && !folded(field)) soon(field, 0);
}

new MutationObserver(scan).observe(document.body, { childList: true, subtree: true }); // regions, and forms that htmx brings
document.addEventListener("toggle", scan, true);
scan();
