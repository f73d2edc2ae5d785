// The page: a photograph is made small enough to be worked on at once, sent, and shown with its parts.

import { describe, imageOf, predict, ServerError } from "/page/server.js";

const PREVIEW_SIDE = 1024; // pixels of the longer side of what is shown
const DRAFT_SIDE = 448; // while α is being dragged
const DEBOUNCE = 120; // milliseconds
const LEAST_SCORE = 0.25;
const USUAL_ALPHAS = [0.5, 15]; // of the slider, unless the model chooses another

const at = (id) => document.getElementById(id);
const has = (signature) => server.signatures.includes(signature);

let server = null;
let photo = null; // {name, bitmap, preview, draft, isReduced}
let opening = new AbortController(); // aborted when another photograph is opened
let relighting = new AbortController(); // aborted when α is moved, too
let relit = null; // {blob, alpha} of the whole preview
let timer = 0;

start();

async function start() {
  listen();
  try {
    server = await describe();
  } catch (error) {
    return fail(error);
  }
  at("alpha-control").hidden = !has("enhance");
  at("figure-reflectance").hidden = at("figure-illumination").hidden = !has("decompose");
  at("boxes-control").hidden = !has("detect");
  say(`Ready: ${server.model}, version ${server.version}`);
}

function listen() {
  at("file").addEventListener("change", (event) => open(event.target.files[0]));
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    open(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => open(event.clipboardData.files[0]));
  at("alpha").addEventListener("input", () => {
    at("alpha-value").value = alpha().toFixed(1);
    schedule(photo?.draft);
  });
  at("alpha").addEventListener("change", () => schedule(photo?.preview));
  at("strength").addEventListener("input", showStrength);
  at("split").addEventListener("input", () => split(at("split").value));
  at("show-boxes").addEventListener("change", () => (at("boxes").hidden = !at("show-boxes").checked));
  at("download").addEventListener("click", download);
  const stage = at("stage");
  const follow = (event) => {
    const frame = stage.getBoundingClientRect();
    split(Math.round((100 * (event.clientX - frame.left)) / frame.width));
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
}

async function open(file) {
  if (!file || !server) return;
  opening.abort();
  relighting.abort();
  clearTimeout(timer);
  const mine = (opening = new AbortController());
  at("error").hidden = true;
  say("Reading the photograph …", true);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return fail(new ServerError(`${file.name}: this browser cannot read it. JPEG and PNG always work.`));
  }
  const preview = await reduced(bitmap, PREVIEW_SIDE);
  const opened = {
    name: file.name.replace(/\.[^.]*$/, "") || "photograph",
    bitmap,
    preview,
    draft: Math.max(bitmap.width, bitmap.height) > DRAFT_SIDE ? await reduced(bitmap, DRAFT_SIDE) : preview,
    isReduced: Math.max(bitmap.width, bitmap.height) > PREVIEW_SIDE,
  };
  if (mine.signal.aborted) return bitmap.close();
  relighting.abort(); // α may have been moved while the photograph was read
  clearTimeout(timer);
  photo?.bitmap.close();
  photo = opened;
  relit = null;
  reset();
  await look(opened, mine.signal);
  await takeApart(opened);
}

function reset() {
  const { bitmap, preview, isReduced } = photo;
  document.body.classList.add("has-photo");
  at("result").hidden = false;
  at("found").hidden = true;
  at("boxes").replaceChildren();
  at("download").disabled = true;
  for (const id of ["after", "part-reflectance", "part-illumination", "part-relit"]) at(id).removeAttribute("src");
  show(preview, "before", "part-input");
  at("stage").style.aspectRatio = `${bitmap.width} / ${bitmap.height}`;
  at("stage").style.width = `min(100%, calc(72vh * ${bitmap.width / bitmap.height}))`;
  at("size-hint").textContent = isReduced
    ? `shown reduced; downloads ${bitmap.width} × ${bitmap.height}`
    : `${bitmap.width} × ${bitmap.height} pixels`;
}

// Only the latest wish counts: an earlier one that is still on its way is given up.
function schedule(blob) {
  if (!photo) return;
  clearTimeout(timer);
  relighting.abort();
  timer = setTimeout(() => relight(blob), blob === photo.preview ? 0 : DEBOUNCE);
}

// The model chooses α, and finds objects in the same pass: these are shown even if α is moved meanwhile.
async function look(opened, signal) {
  const mine = (relighting = new AbortController());
  say("Relighting …", true);
  try {
    const answer = await predict(server.model, "serving_default", opened.preview, {}, signal);
    const size = await sizeOf(opened.preview);
    if (signal.aborted) return;
    if (answer.number !== undefined) showFound(answer, size);
    if (mine.signal.aborted) return;
    showRelit(opened.preview, imageOf(answer, "enhanced_bytes"), showAlpha(answer.alpha));
  } catch (error) {
    fail(error);
  }
}

async function relight(blob) {
  relighting.abort();
  const mine = (relighting = new AbortController());
  const wanted = alpha();
  say("Relighting …", true);
  try {
    const result = await enhanced(blob, wanted, mine.signal);
    if (!mine.signal.aborted) showRelit(blob, result, wanted);
  } catch (error) {
    fail(error);
  }
}

function showRelit(blob, result, wanted) {
  at("error").hidden = true;
  show(result, "after", "part-relit");
  if (blob !== photo.preview) return;
  relit = { blob: result, alpha: wanted };
  at("download").disabled = false;
  say(has("enhance") ? `Relit with α ${wanted.toFixed(1)}` : "Relit");
}

async function enhanced(blob, wanted, signal) {
  const answer = has("enhance")
    ? await predict(server.model, "enhance", blob, { alpha: wanted }, signal)
    : await predict(server.model, "serving_default", blob, {}, signal);
  return imageOf(answer, "enhanced_bytes");
}

// Moves the slider to what the model chose; models that do not say take 5, where the slider begins.
function showAlpha(chosen = Number(at("alpha").defaultValue)) {
  const [least, most] = USUAL_ALPHAS;
  at("alpha").min = Math.min(least, chosen);
  at("alpha").max = Math.max(most, Math.ceil(2 * chosen));
  at("alpha").value = chosen;
  at("alpha-value").value = chosen.toFixed(1);
  return chosen;
}

async function takeApart(opened) {
  if (!has("decompose") || opened !== photo) return;
  try {
    const parts = await predict(server.model, "decompose", opened.preview, {});
    if (opened !== photo) return;
    show(imageOf(parts, "reflectance_bytes"), "part-reflectance");
    show(imageOf(parts, "illumination_bytes"), "part-illumination");
  } catch (error) {
    fail(error);
  }
}

function showFound(found, size) {
  const boxes = [];
  const items = [];
  for (let row = 0; row < found.number; row++) {
    if (found.scores[row] < LEAST_SCORE) continue;
    const [left, top, right, bottom] = found.boxes[row];
    const text = `${found.class_names[row]} ${Math.round(100 * found.scores[row])} %`;
    const box = element("div", "box");
    box.style.left = `${(100 * left) / size.width}%`;
    box.style.top = `${(100 * top) / size.height}%`;
    box.style.width = `${(100 * (right - left)) / size.width}%`;
    box.style.height = `${(100 * (bottom - top)) / size.height}%`;
    box.append(element("span", "", text));
    boxes.push(box);
    items.push(element("li", "", text));
  }
  at("boxes").replaceChildren(...boxes.reverse()); // the best on top
  at("found-list").replaceChildren(...(items.length ? items : [element("li", "", "nothing")]));
  at("found").hidden = false;
}

async function download() {
  const { name, isReduced } = photo;
  at("download").disabled = true;
  try {
    const blob = isReduced ? await relitWhole(server.maxPixels) : await blended(photo.preview, relit.blob);
    const { width, height } = await sizeOf(blob);
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}-relit.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    say(`Saved ${link.download}, ${width} × ${height}`);
  } catch (error) {
    fail(error);
  } finally {
    at("download").disabled = false;
  }
}

// The model may have a lower limit than its server, which it says when it is passed.
async function relitWhole(maxPixels) {
  const { bitmap } = photo;
  const scale = Math.min(1, Math.sqrt(maxPixels / (bitmap.width * bitmap.height)));
  say("Relighting the whole photograph …", true);
  const whole = await reduced(bitmap, Math.max(bitmap.width, bitmap.height) * scale);
  try {
    return await blended(whole, await enhanced(whole, relit.alpha, undefined));
  } catch (error) {
    const lower = Number(/limit is (\d+)/.exec(error.message)?.[1]);
    if (!(lower < maxPixels)) throw error;
    return relitWhole(lower);
  }
}

// The photograph shows through the relit one in front of it, as far as the strength is below 1.
function showStrength() {
  at("strength-value").value = `${at("strength").value} %`;
  at("after").style.opacity = strength();
}

async function blended(before, after) {
  if (strength() === 1) return after;
  const [below, above] = await Promise.all([createImageBitmap(before), createImageBitmap(after)]);
  const canvas = element("canvas");
  canvas.width = below.width;
  canvas.height = below.height;
  const context = canvas.getContext("2d", { alpha: false });
  context.drawImage(below, 0, 0);
  context.globalAlpha = strength();
  context.drawImage(above, 0, 0);
  below.close();
  above.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function strength() {
  return Number(at("strength").value) / 100;
}

// A canvas turns whatever the browser can read into PNG, upright and in sRGB.
async function reduced(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = element("canvas");
  canvas.width = Math.max(1, Math.floor(bitmap.width * scale));
  canvas.height = Math.max(1, Math.floor(bitmap.height * scale));
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

async function sizeOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

function show(blob, ...ids) {
  for (const id of ids) {
    const image = at(id);
    const old = image.src;
    image.src = URL.createObjectURL(blob);
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }
}

function split(percent) {
  const value = Math.min(100, Math.max(0, Number(percent)));
  at("split").value = value;
  at("split-value").value = `${value} %`;
  at("stage").style.setProperty("--split", `${value}%`);
}

function alpha() {
  return Number(at("alpha").value);
}

function element(kind, name = "", text = "") {
  const made = document.createElement(kind);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

function say(text, isBusy = false) {
  at("status").textContent = text;
  at("status").classList.toggle("busy", isBusy);
}

function fail(error) {
  if (error.name === "AbortError") return;
  if (!(error instanceof ServerError)) console.error(error);
  at("error").textContent = error.message;
  at("error").hidden = false;
  say("");
}
