// The map of where a picture's look came from, drawn over it: of some layers and steps, as opaque as wanted. All maps
// come in one grey picture, with a row for each group of layers and a column for each part of the denoising.

let shown = null; // the map that is on the page

async function start() {
  const root = document.querySelector("[data-map][data-sheet]");
  const layer = root?.querySelector("[data-map-layer]");
  if (!layer || layer === shown) return;
  shown = layer;
  const [group, step, opacity, colour, key, least, most] = ["group", "step", "opacity", "colour", "key", "low", "high"].map(
    (name) => document.querySelector(`[data-map-${name}]`),
  );
  const stepSaid = document.querySelector("[data-map-step-said]");
  const said = document.querySelector("[data-map-said]");
  const groups = Number(root.dataset.groups);
  const steps = Number(root.dataset.steps);

  const sheet = new Image();
  sheet.src = root.dataset.sheet;
  await sheet.decode();
  const read = document.createElement("canvas");
  [read.width, read.height] = [sheet.naturalWidth, sheet.naturalHeight];
  const drawn = read.getContext("2d", { willReadFrequently: true });
  drawn.drawImage(sheet, 0, 0);
  const [width, height] = [read.width / steps, read.height / groups];
  [layer.width, layer.height] = [width, height];

  // The mean of the chosen maps, 0 to 1 a place.
  function chosen() {
    const rows = group.value === "" ? [...Array(groups).keys()] : [Number(group.value)];
    const columns = step.value === "0" ? [...Array(steps).keys()] : [Number(step.value) - 1];
    const sum = new Float32Array(width * height);
    for (const row of rows) {
      for (const column of columns) {
        const { data } = drawn.getImageData(column * width, row * height, width, height);
        for (let at = 0; at < sum.length; at += 1) sum[at] += data[4 * at];
      }
    }
    return sum.map((value) => value / (255 * rows.length * columns.length));
  }

  // Lights, 0 to 1, as pixels: from black to the chosen colour, the brighter the more, so that it needs no hue to be read.
  function painted(lights, wide) {
    const full = colour.value.split(" ").map(Number);
    const pixels = new ImageData(wide, lights.length / wide);
    for (const [at, light] of lights.entries()) {
      pixels.data.set([...full.map((part) => part * light), 255], 4 * at);
    }
    return pixels;
  }

  function show() {
    const values = chosen();
    const sorted = Float32Array.from(values).sort();
    const [low, high] = [0.02, 0.98].map((part) => sorted[Math.floor(part * (sorted.length - 1))]);
    const lights = values.map((value) => Math.min(Math.max((value - low) / Math.max(high - low, 1e-6), 0), 1));
    layer.getContext("2d").putImageData(painted(lights, width), 0, 0);
    layer.style.opacity = opacity.value / 100;
    key.getContext("2d").putImageData(painted(Float32Array.from({ length: key.width }, (_, at) => at / (key.width - 1)), key.width), 0, 0);
    [least.textContent, most.textContent] = [low, high].map((value) => `${Math.round(100 * value)} %`);
    stepSaid.textContent = step.value === "0" ? step.dataset.all : step.dataset.part.replace("{part}", step.value);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const percent = { mean, low: sorted[0], high: sorted[sorted.length - 1] };
    said.textContent = said.dataset.words.replace(/\{(\w+)\}/g, (_, name) => Math.round(100 * percent[name]));
  }

  for (const control of [group, step, opacity, colour]) control.addEventListener("input", show);
  show();
}

start();
document.addEventListener("htmx:after:swap", start); // once it is made
