// Maps for the pictures of a new set. The hidden field `structures` contains the selection, in the server's format; this
// script requests maps from the server, shows them next to their pictures, and maintains the field.

import { askGround, forgetGround } from "./ground.js";
import { _, ngettext } from "./languages.js";
import { cancelled, holdBack, sendFile, sendForm } from "./uploading.js";

const OFF = 0.04; // maximum difference between a map's shape and the pictures', same as on the server
const root = document.getElementById("structure");
const form = root?.closest("form");
const list = root?.querySelector("[data-structures]");

if (list) {
  const field = form.elements.structures;
  const known = new Map(JSON.parse(root.dataset.maps).map((map) => [map.id, map]));
  const find = (name, from = root) => from.querySelector(`[data-${name}]`);
  const kinds = [...root.querySelectorAll("[name=map_kind]")];
  const words = (kind) => kinds.find((each) => each.value === kind)?.dataset.words ?? kind;
  const kind = () => kinds.find((each) => each.checked).value;
  const size = () => {
    const { size: chosen, width, height } = Object.fromEntries(new FormData(form));
    return chosen === "custom" ? `${width}x${height}` : (chosen ?? "");
  };
  const prompts = () => form.elements.prompts.value.split("\n").filter((line) => line.trim()).length;
  let structures = [];
  let draft = []; // uploads that are not used yet: {file, picture, map}
  let round = 0; // of making maps; answers from earlier rounds no longer count

  // Selected maps

  function keep() {
    field.value = JSON.stringify(structures);
    find("structure-words", root.parentElement).textContent = structures.length
      ? structures.map(({ control, weight }) => _("%(kind)s, %(weight)s", { kind: words(control), weight })).join(_("; "))
      : _("Edges, a silhouette or depth for the pictures to follow");
    for (const [place, part] of structures.entries()) warn(list.children[place], part);
  }

  function misfits(map) {
    const [width, height] = size().toLowerCase().split("x").map(Number);
    return width > 0 && height > 0 && Math.abs(Math.log(((map.width / map.height) * height) / width)) > OFF;
  }

  function warn(card, part) {
    const wrong = part.maps.map((id) => known.get(id)).filter((map) => map && misfits(map));
    const count = part.maps.length;
    const problem = find("problem", card);
    const lines = prompts();
    let say = "";
    if (count > 1 && lines && count !== lines) {
      say = ngettext(
        "There are %(count)s maps for %(number)s prompt; give one for all, or one for each prompt.",
        "There are %(count)s maps for %(number)s prompts; give one for all, or one for each prompt.",
        lines,
        { count },
      );
    } else if (part.start > part.end) {
      say = _("Start must be before end.");
    } else if (wrong.length) {
      const [{ name, width, height }] = wrong;
      const wanted = size().replace("x", " × ");
      say = _("%(name)s is %(width)s × %(height)s px, a different shape from %(wanted)s.", { name, width, height, wanted });
    }
    problem.hidden = !say;
    problem.querySelector("span").textContent = say;
    find("crop", card).hidden = !wrong.length;
  }

  function card(part) {
    const made = document.getElementById("structure-card").content.firstElementChild.cloneNode(true);
    const maps = part.maps.map((id) => known.get(id)).filter(Boolean);
    for (const map of maps.slice(0, 4)) find("thumbs", made).append(image(`/maps/${map.id}/thumb-320.webp`, map));
    find("title", made).textContent = words(part.control);
    find("subtitle", made).textContent =
      maps.length > 1 ? _("one for each of %(number)s prompts", { number: maps.length }) : (maps[0]?.name ?? "");
    find("remove", made).setAttribute("aria-label", _("Remove %(name)s", { name: words(part.control) }));
    find("weight", made).value = part.weight;
    made.querySelector("output").textContent = part.weight;
    find("start", made).value = Math.round(part.start * 100);
    find("end", made).value = Math.round(part.end * 100);
    return made;
  }

  function image(address, { width, height, name }) {
    return Object.assign(new Image(width, height), { src: address, alt: name, loading: "lazy" });
  }

  function show() {
    list.replaceChildren(...structures.map(card));
    list.hidden = !structures.length;
    keep();
  }

  function add(control, maps) {
    for (const map of maps) known.set(map.id, map);
    structures.push({ control, maps: maps.map(({ id }) => id), weight: 1, start: 0, end: 1 });
    show();
  }

  async function crop(part) {
    try {
      const maps = await Promise.all(part.maps.map((id) => sendForm(`/maps/${id}/crop`, { size: size() })));
      for (const map of maps) known.set(map.id, map);
      part.maps = maps.map(({ id }) => id);
      show();
    } catch (error) {
      refuse(error.message);
    }
  }

  list.addEventListener("input", ({ target }) => {
    const place = [...list.children].indexOf(target.closest("li"));
    const part = structures[place];
    const fraction = Math.min(Math.max(Number(target.value) || 0, 0), 100) / 100;
    if ("weight" in target.dataset) {
      part.weight = Number(target.value);
      target.parentElement.querySelector("output").textContent = part.weight;
    } else if ("start" in target.dataset) part.start = fraction;
    else part.end = fraction;
    keep();
  });

  list.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const place = [...list.children].indexOf(button.closest("li"));
    if ("crop" in button.dataset) crop(structures[place]);
    else if ("remove" in button.dataset) {
      structures.splice(place, 1);
      show();
      (find("remove", list) ?? find("map-file")).focus();
    }
  });

  // New maps

  function refuse(sentence) {
    const error = find("map-error");
    error.hidden = !sentence;
    error.querySelector("span").textContent = sentence;
  }

  function discard() {
    round += 1;
    for (const { picture } of draft) URL.revokeObjectURL(picture);
    draft = [];
    find("draft").hidden = true;
    find("map-file").value = "";
    forgetGround();
  }

  function bring(files) {
    const isPicture = (file) => file.type.startsWith("image/") || !file.type;
    const pictures = [...files].filter(isPicture);
    const others = [...files].filter((file) => !isPicture(file)).map(({ name }) => name);
    const names = others.join(_(", "));
    refuse(names && _("Not taken, because they are no pictures: %(names)s.", { names }));
    if (!pictures.length) return;
    discard();
    draft = pictures.map((file) => ({ file, picture: URL.createObjectURL(file) }));
    make();
  }

  // One at a time: the server computes them on its own processor.
  async function make() {
    if (!draft.length) return;
    round += 1;
    const own = round;
    const control = kind();
    const values = { kind: control, size: size(), ready: find("ready").checked ? "1" : "" };
    const pairs = draft.map(pair);
    find("pairs").replaceChildren(...pairs);
    find("draft").hidden = false;
    find("use").disabled = true;
    find("use").textContent = draft.length > 1 ? _("Use these %(number)s maps", { number: draft.length }) : _("Use this map");
    find("draft-words").textContent = "";
    try {
      for (const [place, each] of draft.entries()) {
        each.map = await mapOf(each, values);
        if (own !== round) return;
        result(pairs[place], each.map);
      }
    } catch (error) {
      if (own !== round) return;
      discard();
      refuse(cancelled(error) ? "" : error.message);
      return;
    }
    find("use").disabled = false;
    if (draft.length > 1 && draft.length !== prompts()) {
      find("draft-words").textContent = ngettext(
        "There are %(number)s prompt; add one for all, or one for each.",
        "There are %(number)s prompts; add one for all, or one for each.",
        prompts(),
      );
    }
  }

  // Uploads a picture once: what is behind a transparent one is asked, and then remembered for another kind of map.
  async function mapOf(each, values) {
    const about = { area: find("map-drop"), input: find("map-file"), file: each.file };
    const again = each.waiting && each.ground;
    const told = again
      ? await sendForm("/maps", { ...values, waiting: each.waiting, ground: each.ground })
      : await sendFile("/maps", { ...values, picture: each.file }, about);
    if (!told.waiting) return told;
    each.waiting = told.waiting;
    each.ground = await askGround([told]);
    return sendForm("/maps", { ...values, waiting: each.waiting, ground: each.ground });
  }

  function pair({ file, picture }) {
    const made = document.getElementById("structure-pair").content.firstElementChild.cloneNode(true);
    find("source", made).src = picture;
    find("source", made).alt = _("The picture %(name)s", { name: file.name });
    find("source-words", made).textContent = file.name;
    return made;
  }

  function result(made, map) {
    const shown = find("result", made);
    Object.assign(shown, { src: `/maps/${map.id}.png`, alt: _("%(kind)s of %(name)s", { kind: words(map.kind), name: map.name }), hidden: false });
    made.querySelector(".pair__busy").hidden = true;
    find("result-words", made).textContent = map.remark || `${words(map.kind)}, ${map.width} × ${map.height}`;
  }

  holdBack(form, () => (draft.length ? _("A map is not used yet. Use it for this set, or discard it.") : ""));

  find("use").addEventListener("click", () => {
    add(
      draft[0].map.kind,
      draft.map(({ map }) => map),
    );
    discard();
    find("map-file").focus();
  });
  find("discard").addEventListener("click", discard);
  find("map-file").addEventListener("change", ({ target }) => bring(target.files));
  find("adder").addEventListener("change", ({ target }) => {
    if (target.name === "map_kind" || target === find("ready")) make();
  });

  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      const area = find("map-drop");
      delete area.dataset.over;
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // a file dropped outside the field does not replace the page
      if (!root.contains(event.target)) return;
      if (name === "dragover") area.dataset.over = "yes";
      if (name === "drop") bring(event.dataTransfer.files);
    });
  }

  addEventListener("paste", (event) => {
    if (!root.closest("details").open || !event.clipboardData?.files.length) return;
    event.preventDefault();
    bring(event.clipboardData.files);
  });

  // The guide's picture, as if it had been chosen
  async function bringSample(address) {
    const answer = await fetch(address);
    if (answer.ok) bring([new File([await answer.blob()], address.split("/").at(-1), { type: "image/webp" })]);
  }
  if (root.dataset.sampleMap && field.value.length <= "[]".length) bringSample(root.dataset.sampleMap);

  // Recent maps

  const library = document.getElementById("map-library");
  library.addEventListener("toggle", async ({ newState }) => {
    if (newState !== "open") return;
    const wanted = kind();
    const response = await fetch(`/maps?kind=${wanted}`);
    if (wanted !== kind()) return; // opened again for the other kind
    library.innerHTML = response.ok ? await response.text() : `<p class='hint'>${_("The maps could not be loaded. Reload the page.")}</p>`;
  });
  library.addEventListener("click", ({ target }) => {
    const chosen = target.closest("[data-map]");
    if (!chosen) return;
    const map = JSON.parse(chosen.dataset.map);
    add(map.kind, [map]);
    library.hidePopover();
  });

  const matters = new Set(["prompts", "size", "width", "height"]);
  for (const name of ["input", "change"]) {
    form.addEventListener(name, ({ target }) => matters.has(target.name) && keep());
  }

  try {
    structures = JSON.parse(field.value || "[]");
  } catch {
    structures = [];
  }
  show();
}
