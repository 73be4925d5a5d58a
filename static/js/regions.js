// Regions of a set: boxes are drawn, moved and resized, masks are painted; their prompts and styles are at the side.
// The state is one hidden JSON field: fractions of the picture for a box, the name of a stored PNG for a mask.

import { _ } from "./languages.js";

const LEAST = 0.05; // of a side, same as on the server
const STEP = 0.01;
const MASK = 512; // px of a mask, for any shape of the picture: it is stretched
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (value) => Math.floor(value * 10000) / 10000; // down: parts never add up to more than the whole

const root = document.querySelector("[data-regions]");
const form = root?.closest("form");

if (root) {
  const part = (name) => root.querySelector(`[data-region-${name}]`);
  const field = root.querySelector("input[name=regions]");
  const [stage, list, undo, brush, failure] = ["stage", "list", "undo", "brush", "error"].map(part);
  const most = Number(root.dataset.most);
  const past = []; // undo states
  let regions = read();
  let chosen = 0;
  let keeping = Promise.resolve(); // masks being uploaded

  // A region: prompt, style_code, strength, and either box or strokes over a stored mask (mask, null during the upload).
  function read() {
    try {
      return JSON.parse(field.value || "[]").map((region) => ({ strokes: [], base: region.mask, ...region }));
    } catch {
      return [];
    }
  }

  const tool = () => root.querySelector("[name=region_tool]:checked").value;
  const state = () => JSON.stringify(regions);

  function remember() {
    past.push(state());
    undo.disabled = false;
  }

  function tell() {
    const wanted = regions.map(({ prompt, box, mask, style_code, strength }) => ({
      prompt,
      box: box ? box.map(rounded) : null,
      mask: box ? null : mask,
      style_code: style_code ?? "",
      strength: strength === "" || strength === undefined || strength === null ? null : Number(strength),
    }));
    field.value = JSON.stringify(wanted);
    const words = regions.map((region) => region.prompt || _("no prompt yet")).join(_(", "));
    part("summary").textContent = words || _("Areas with their own prompt and style");
    part("empty").hidden = regions.length > 0;
    part("add").disabled = regions.length >= most;
    undo.disabled = !past.length;
  }

  function say(words) {
    failure.hidden = !words;
    failure.querySelector("span").textContent = words;
  }

  // The picture's shape, from the selected size.
  function shape() {
    const size = form.querySelector("[name=size]:checked")?.value ?? "1x1";
    const [width, height] = size === "custom" ? [form.elements.width.value, form.elements.height.value] : size.split("x");
    const ratio = width / height;
    stage.style.aspectRatio = ratio > 0 && Number.isFinite(ratio) ? clamp(ratio, 1 / 16, 16) : 1;
    stage.style.maxWidth = `min(100%, ${stage.style.aspectRatio.split("/")[0]} * 26rem)`;
  }

  function place(element, box) {
    for (const [side, value] of [["left", box[0]], ["top", box[1]], ["width", box[2]], ["height", box[3]]]) {
      element.style[side] = `${value * 100}%`;
    }
  }

  function boxOf(region, index) {
    const element = Object.assign(document.createElement("button"), { type: "button", className: "regions__box" });
    for (const corner of ["nw", "ne", "sw", "se"]) {
      element.append(Object.assign(document.createElement("i"), { className: `regions__corner regions__corner--${corner}` }));
      element.lastChild.dataset.corner = corner;
    }
    element.append(Object.assign(document.createElement("span"), { textContent: index + 1 }));
    place(element, region.box);
    return element;
  }

  function paintingOf() {
    const canvas = Object.assign(document.createElement("canvas"), { className: "regions__mask", width: MASK, height: MASK });
    canvas.setAttribute("role", "img");
    return canvas;
  }

  function paint(canvas, region) {
    draw(canvas, region);
    if (!region.base) return;
    const kept = new Image();
    kept.onload = () => draw(canvas, region, kept);
    kept.src = `/regions/masks/${region.base}.png`;
  }

  // The stored mask and the strokes over it, as a shape coloured by the style sheet.
  function draw(canvas, region, kept) {
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, MASK, MASK);
    if (kept) {
      pen.drawImage(kept, 0, 0, MASK, MASK);
      const pixels = pen.getImageData(0, 0, MASK, MASK);
      for (let i = 0; i < pixels.data.length; i += 4) pixels.data[i + 3] = pixels.data[i];
      pen.putImageData(pixels, 0, 0);
    }
    for (const stroke of region.strokes) line(pen, stroke);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = getComputedStyle(canvas).color;
    pen.fillRect(0, 0, MASK, MASK);
    pen.globalCompositeOperation = "source-over";
  }

  function line(pen, { points, wide, high, erase }) {
    pen.globalCompositeOperation = erase ? "destination-out" : "source-over";
    pen.fillStyle = "white";
    let last = points[0];
    for (const point of points) {
      const steps = Math.max(1, Math.ceil((Math.hypot(point[0] - last[0], point[1] - last[1]) * 4) / Math.min(wide, high)));
      for (let i = 1; i <= steps; i += 1) {
        const [x, y] = [0, 1].map((axis) => (last[axis] + ((point[axis] - last[axis]) * i) / steps) * MASK);
        pen.beginPath();
        pen.ellipse(x, y, (wide * MASK) / 2, (high * MASK) / 2, 0, 0, 2 * Math.PI);
        pen.fill();
      }
      last = point;
    }
    pen.globalCompositeOperation = "source-over";
  }

  function rowOf(region, index) {
    const row = part("row").content.cloneNode(true).firstElementChild;
    for (const input of row.querySelectorAll("[data-of]")) input.value = region[input.dataset.of] ?? "";
    row.querySelector(".regions__dot").textContent = index + 1;
    row.querySelector("[data-region-remove]").setAttribute("aria-label", _("Remove region %(number)s", { number: index + 1 }));
    return row;
  }

  function label(index) {
    const region = regions[index];
    const [left, top, width, height] = (region.box ?? []).map((fraction) => Math.round(fraction * 100));
    const named = { number: index + 1, prompt: region.prompt || _("no prompt yet") };
    if (!region.box) return _("Region %(number)s, %(prompt)s, painted", named);
    return _(
      "Region %(number)s, %(prompt)s, %(left)s %% from the left, %(top)s %% from the top, %(width)s %% wide, %(height)s %% high",
      { ...named, left, top, width, height },
    );
  }

  function show() {
    chosen = clamp(chosen, 0, Math.max(regions.length - 1, 0));
    for (const element of stage.querySelectorAll("[data-index]")) element.remove();
    list.replaceChildren(...regions.map(rowOf));
    regions.forEach((region, index) => {
      const element = region.box ? boxOf(region, index) : paintingOf();
      element.dataset.index = index;
      element.dataset.colour = index;
      element.setAttribute("aria-label", label(index));
      stage.append(element);
      if (!region.box) paint(element, region);
      list.children[index].dataset.colour = index;
    });
    mark();
    tell();
  }

  function mark() {
    for (const [index, row] of [...list.children].entries()) row.toggleAttribute("data-chosen", index === chosen);
    for (const element of stage.querySelectorAll("[data-index]")) {
      element.toggleAttribute("data-chosen", Number(element.dataset.index) === chosen);
    }
  }

  function add(region) {
    regions.push({ prompt: "", style_code: "", strength: null, box: null, mask: null, base: null, strokes: [], ...region });
    chosen = regions.length - 1;
    show();
  }

  function remove(index) {
    remember();
    regions.splice(index, 1);
    show();
  }

  function moveTo(index, box) {
    regions[index].box = box;
    const element = stage.querySelector(`[data-index="${index}"]`);
    place(element, box);
    element.setAttribute("aria-label", label(index));
    tell();
  }

  const moved = ([left, top, width, height], right, down) => [
    clamp(left + right, 0, 1 - width),
    clamp(top + down, 0, 1 - height),
    width,
    height,
  ];

  const resized = ([left, top, width, height], wider, higher) => [
    left,
    top,
    clamp(width + wider, LEAST, 1 - left),
    clamp(height + higher, LEAST, 1 - top),
  ];

  // The box between a fixed corner and the dragged point.
  function between([fixedX, fixedY], [x, y]) {
    const side = (fixed, to) => {
      const room = to < fixed ? fixed : 1 - fixed;
      const length = Math.min(Math.max(Math.abs(to - fixed), LEAST), room);
      return [to < fixed ? fixed - length : fixed, length];
    };
    const [[left, width], [top, height]] = [side(fixedX, x), side(fixedY, y)];
    return [left, top, width, height];
  }

  // Upload the selected region's mask, white on black; forms wait for it.
  function keep(region) {
    const canvas = stage.querySelector(`[data-index="${regions.indexOf(region)}"]`);
    const sent = document.createElement("canvas");
    sent.width = sent.height = MASK;
    const pen = sent.getContext("2d");
    pen.drawImage(canvas, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "white";
    pen.fillRect(0, 0, MASK, MASK);
    pen.globalCompositeOperation = "destination-over";
    pen.fillStyle = "black";
    pen.fillRect(0, 0, MASK, MASK);
    const before = keeping;
    keeping = (async () => {
      await before;
      const body = new FormData();
      body.append("mask", await new Promise((done) => sent.toBlob(done, "image/png")), "mask.png");
      try {
        const answer = await fetch("/regions/masks", { method: "POST", body, headers: { accept: "application/json" } });
        if (!answer.ok) throw new Error(await answer.text());
        region.mask = (await answer.json()).mask;
        say("");
      } catch (error) {
        say(error instanceof TypeError ? _("The server could not be reached, so the mask was not saved. Paint it again.") : error.message);
      }
      tell();
    })();
  }

  function startBox(at, start, event) {
    const element = event.target.closest(".regions__box");
    const corner = event.target.dataset.corner;
    const index = element ? Number(element.dataset.index) : regions.length;
    if (index >= most) return say(_("At most %(number)s regions.", { number: most }));
    let began = false;
    const box = regions[index]?.box;
    if (element) {
      chosen = index;
      mark();
    }
    return (e) => {
      const point = at(e);
      if (!began) {
        if (Math.hypot(e.clientX - event.clientX, e.clientY - event.clientY) < 4) return;
        began = true;
        remember();
        if (!element) add({ box: between(start, point) });
      }
      if (element && !corner) moveTo(index, moved(box, point[0] - start[0], point[1] - start[1]));
      else if (corner) {
        const fixed = [corner.includes("w") ? box[0] + box[2] : box[0], corner.includes("n") ? box[1] + box[3] : box[1]];
        moveTo(index, between(fixed, point));
      } else moveTo(index, between(start, point));
    };
  }

  function startStroke(at, start, bounds) {
    const erase = tool() === "erase";
    if (regions[chosen]?.box !== null && erase) return say(_("Choose a painted region to erase from."));
    if (!regions.length || regions[chosen].box) {
      if (regions.length >= most) return say(_("At most %(number)s regions.", { number: most }));
      remember();
      add({});
    } else remember();
    const region = regions[chosen];
    const size = (brush.querySelector("input").value / 100) * Math.min(bounds.width, bounds.height);
    const stroke = { points: [start], wide: size / bounds.width, high: size / bounds.height, erase };
    region.strokes.push(stroke);
    const canvas = stage.querySelector(`[data-index="${chosen}"]`);
    region.mask = null; // until the new one is stored
    const extend = (points) => {
      const pen = canvas.getContext("2d");
      line(pen, { ...stroke, points });
      pen.globalCompositeOperation = "source-in";
      pen.fillStyle = getComputedStyle(canvas).color;
      pen.fillRect(0, 0, MASK, MASK);
      pen.globalCompositeOperation = "source-over";
    };
    extend([start]);
    const move = (e) => {
      stroke.points.push(at(e).map(rounded));
      extend(stroke.points.slice(-2));
    };
    return Object.assign(move, { done: () => keep(region) });
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    say("");
    const bounds = stage.getBoundingClientRect();
    const at = ({ clientX, clientY }) => [
      clamp((clientX - bounds.left) / bounds.width, 0, 1),
      clamp((clientY - bounds.top) / bounds.height, 0, 1),
    ];
    const start = at(event);
    const move = tool() === "box" ? startBox(at, start, event) : startStroke(at, start, bounds);
    if (!move) return;
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", move);
    const end = () => {
      stage.removeEventListener("pointermove", move);
      move.done?.();
      // A new region needs its prompt next.
      if (regions[chosen] && !regions[chosen].prompt) list.children[chosen].querySelector("input").focus();
    };
    stage.addEventListener("pointerup", end, { once: true });
    stage.addEventListener("pointercancel", end, { once: true });
  });

  stage.addEventListener("keydown", (event) => {
    const element = event.target.closest(".regions__box");
    if (!element) return;
    const index = Number(element.dataset.index);
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      event.preventDefault();
      if (!event.repeat) remember();
      const change = event.shiftKey ? resized : moved;
      moveTo(index, change(regions[index].box, way[0] * STEP, way[1] * STEP));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      remove(index);
      (stage.querySelector("button") ?? part("add")).focus();
    }
  });

  stage.addEventListener("focusin", (event) => {
    const element = event.target.closest("[data-index]");
    if (element) chosen = Number(element.dataset.index);
    mark();
  });

  list.addEventListener("focusin", (event) => {
    chosen = [...list.children].indexOf(event.target.closest("li"));
    mark();
  });

  list.addEventListener("input", (event) => {
    const index = [...list.children].indexOf(event.target.closest("li"));
    regions[index][event.target.dataset.of] = event.target.value;
    stage.querySelector(`[data-index="${index}"]`).setAttribute("aria-label", label(index));
    tell();
  });

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-region-remove]")) remove([...list.children].indexOf(button.closest("li")));
    else if (button.matches("[data-region-add]")) {
      remember();
      add({ box: [0.3, 0.25, 0.4, 0.5] });
      stage.lastElementChild.focus();
    } else if (button.matches("[data-region-undo]")) {
      regions = JSON.parse(past.pop());
      show();
      regions.filter((region) => region.strokes.length && !region.mask).forEach(keep);
    }
  });

  root.addEventListener("change", (event) => {
    if (event.target.name === "region_tool") {
      brush.hidden = tool() === "box";
      root.dataset.tool = tool();
    }
  });

  form.addEventListener("input", (event) => {
    if (["size", "width", "height"].includes(event.target.name)) shape();
  });

  // The form waits until all masks are stored.
  form.addEventListener("submit", async (event) => {
    const waiting = regions.findIndex((region) => !region.box && !region.mask);
    const wordless = regions.findIndex((region) => !region.prompt.trim());
    if (wordless >= 0) {
      event.preventDefault();
      root.open = true;
      say(_("Say what region %(number)s shows.", { number: wordless + 1 }));
      list.children[wordless].querySelector("input").focus();
    } else if (waiting >= 0) {
      event.preventDefault();
      await keeping;
      if (regions.every((region) => region.box || region.mask)) form.requestSubmit();
      else root.open = true;
    }
  });

  shape();
  show();
}
