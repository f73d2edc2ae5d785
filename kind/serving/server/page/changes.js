// Two photographs of one place: what has changed between them, outlined on both.

import { readBitmap, scaled, sizeOf } from "/page/files.js";
import { imageOf, predict, ServerError } from "/page/server.js";

const SHAPES = 0.02; // relative difference of the aspect ratios up to which the later one is scaled
const PIXELS_A_LINE = 400;
const LINE = [255, 214, 10, 255];
const RIM = [0, 0, 0, 255];

const at = (id) => document.getElementById(id);

export function hideChanges() {
  at("changed").hidden = true;
  at("changes-list").replaceChildren();
}

// Resolves to the number of regions; what the signal gives up is not shown.
export async function showChanges(model, before, file, signal) {
  const after = await ofSameSize(file, await sizeOf(before));
  const found = await predict(model, "detect_changes", { before_bytes: before, after_bytes: after }, signal);
  const outlines = outlinesOf(await pixelsOf(imageOf(found, "mask_bytes")));
  const rims = await createImageBitmap(outlines);
  if (signal.aborted) return 0;
  for (const [id, blob] of [["changed-before", before], ["changed-after", after]]) await draw(at(id), blob, rims);
  const texts = Array.from({ length: found.number }, (_, i) => `${found.areas[i]} pixels, ${Math.round(100 * found.scores[i])} %`);
  at("changes-list").replaceChildren(...(texts.length ? texts : ["nothing has changed"]).map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  at("changed").hidden = false;
  return found.number;
}

async function ofSameSize(file, { width, height }) {
  const bitmap = await readBitmap(file);
  try {
    if (Math.abs((bitmap.width / bitmap.height) * (height / width) - 1) > SHAPES)
      throw new ServerError(`${file.name}: ${bitmap.width} × ${bitmap.height} pixels have another shape than the first photograph.`);
    return await scaled(bitmap, width, height);
  } finally {
    bitmap.close();
  }
}

async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

// A line just inside of white regions, and a dark rim just outside; everything else is transparent.
export function outlinesOf({ data, width, height }) {
  const outlines = new ImageData(width, height);
  const reach = Math.max(1, Math.round(Math.max(width, height) / PIXELS_A_LINE));
  const isInside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && data[4 * (y * width + x)] > 127;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const inside = isInside(x, y);
      const around = [[x - reach, y], [x + reach, y], [x, y - reach], [x, y + reach]];
      if (around.some((place) => isInside(...place) !== inside)) outlines.data.set(inside ? LINE : RIM, 4 * (y * width + x));
    }
  return outlines;
}

async function draw(canvas, blob, rims) {
  const bitmap = await createImageBitmap(blob);
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  context.drawImage(rims, 0, 0);
  bitmap.close();
}
