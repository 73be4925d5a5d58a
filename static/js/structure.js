// Maps for the pictures of a new set. The hidden field `structures` contains the selection, in the server's format; this
// script requests maps from the server, shows them next to their pictures, and maintains the field.

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
  const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  let structures = [];
  let draft = []; // uploads that are not used yet: {file, picture, map}
  let round = 0; // of making maps; answers from earlier rounds no longer count

  // Selected maps

  function keep() {
    field.value = JSON.stringify(structures);
    find("structure-words", root.parentElement).textContent = structures.length
      ? structures.map(({ control, weight }) => `${words(control)}, weight ${weight}`).join("; ")
      : "Edges, a silhouette or depth for the pictures to follow";
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
      say = `There are ${count} maps for ${plural(lines, "prompt")}; give one for all, or one for each prompt.`;
    } else if (part.start > part.end) {
      say = "Start must be before end.";
    } else if (wrong.length) {
      const [map] = wrong;
      say = `${map.name} is ${map.width} × ${map.height} px, a different shape from ${size().replace("x", " × ")}.`;
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
      maps.length > 1 ? `one for each of ${maps.length} prompts` : (maps[0]?.name ?? "");
    find("remove", made).setAttribute("aria-label", `Remove ${words(part.control)}`);
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

  async function ask(address, values) {
    const body = new FormData();
    for (const [name, value] of Object.entries(values)) body.append(name, value);
    let response;
    try {
      response = await fetch(address, { method: "POST", body, headers: { accept: "application/json" } });
    } catch {
      throw new Error("The server could not be reached. Try again in a moment.");
    }
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }

  async function crop(part) {
    try {
      const maps = await Promise.all(part.maps.map((id) => ask(`/maps/${id}/crop`, { size: size() })));
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
  }

  function bring(files) {
    const pictures = [...files].filter((file) => file.type.startsWith("image/") || !file.type);
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
    refuse("");
    find("pairs").replaceChildren(...pairs);
    find("draft").hidden = false;
    find("use").disabled = true;
    find("use").textContent = draft.length > 1 ? `Use these ${draft.length} maps` : "Use this map";
    find("draft-words").textContent = "";
    try {
      for (const [place, each] of draft.entries()) {
        each.map = await ask("/maps", { ...values, picture: each.file });
        if (own !== round) return;
        result(pairs[place], each.map);
      }
    } catch (error) {
      if (own !== round) return;
      discard();
      refuse(error.message);
      return;
    }
    find("use").disabled = false;
    if (draft.length > 1 && draft.length !== prompts()) {
      find("draft-words").textContent = `There are ${plural(prompts(), "prompt")}; add one for all, or one for each.`;
    }
  }

  function pair({ file, picture }) {
    const made = document.getElementById("structure-pair").content.firstElementChild.cloneNode(true);
    find("source", made).src = picture;
    find("source", made).alt = `The picture ${file.name}`;
    find("source-words", made).textContent = file.name;
    return made;
  }

  function result(made, map) {
    const shown = find("result", made);
    Object.assign(shown, { src: `/maps/${map.id}.png`, alt: `${words(map.kind)} of ${map.name}`, hidden: false });
    made.querySelector(".pair__busy").hidden = true;
    find("result-words", made).textContent = map.remark || `${words(map.kind)}, ${map.width} × ${map.height}`;
  }

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

  // Recent maps

  const library = document.getElementById("map-library");
  library.addEventListener("toggle", async ({ newState }) => {
    if (newState !== "open") return;
    const response = await fetch(`/maps?kind=${kind()}`);
    library.innerHTML = response.ok ? await response.text() : "<p class='hint'>The maps could not be loaded. Reload the page.</p>";
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
