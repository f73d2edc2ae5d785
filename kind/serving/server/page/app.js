// The page: a photograph is made small enough to be worked on at once, sent, and shown with its parts.

import { hideChanges, showChanges } from "/page/changes.js";
import { readBitmap, reduced, save, sizeOf, zipped } from "/page/files.js";
import { describe, enhance, imageOf, predict, readSettings, ServerError } from "/page/server.js";
import { fit, isEnlarged, listenToStage, showBoxes } from "/page/stage.js";

const PREVIEW_SIDE = 1024; // pixels of the longer side of what is shown
const DRAFT_SIDE = 448; // while α is being dragged
const DEBOUNCE = 120; // milliseconds
const LEAST_SCORE = 0.25;
const USUAL_ALPHAS = [0.5, 15]; // of the slider, unless the model chooses another
const SUFFIXES = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };
const SENDABLE = ["image/jpeg", "image/png", "image/gif", "image/bmp"]; // what models read by themselves

const at = (id) => document.getElementById(id);
const has = (signature) => server.signatures.includes(signature);

let server = null; // {model, signatures, version, max_pixels, max_bytes}
let files = []; // {file, name, alpha and brightness: as they were moved to, or null for the model's own}
let photo = null; // the one that is shown, with {bitmap, preview, draft, suggested}
let opening = new AbortController(); // aborted when another photograph is opened
let relighting = new AbortController(); // aborted when α is moved, too
let comparing = new AbortController(); // aborted when another pair is compared, too
let timer = 0;

start();

async function start() {
  listen();
  try {
    const settings = await readSettings();
    at("model").replaceChildren(...settings.models.map((name) => element("option", "", name)));
    at("model-control").hidden = settings.models.length < 2;
    await choose(settings.models[0], settings);
  } catch (error) {
    fail(error);
  }
}

async function choose(model, settings) {
  server = { ...settings, ...(await describe(model)) };
  at("alpha-control").hidden = !has("enhance");
  at("brightness-control").hidden = !has("enhance_to_brightness");
  at("figure-reflectance").hidden = at("figure-illumination").hidden = !has("decompose");
  at("boxes-control").hidden = !has("detect");
  at("changes").hidden = !has("detect_changes");
  say(`Ready: ${server.model}, version ${server.version}`);
}

function listen() {
  at("file").addEventListener("change", (event) => {
    bring([...event.target.files]);
    event.target.value = ""; // so that the same one can be chosen again
  });
  at("second").addEventListener("change", (event) => {
    compare(event.target.files[0]);
    event.target.value = "";
  });
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
    bring([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => bring([...event.clipboardData.files]));
  for (const example of document.querySelectorAll("#examples button")) {
    example.addEventListener("click", async () => {
      const name = `example-${example.value}.jpg`;
      try {
        bring([new File([await (await fetch(`/page/${name}`)).blob()], name, { type: "image/jpeg" })]);
      } catch (error) {
        fail(error);
      }
    });
  }
  at("model").addEventListener("change", async () => {
    opening.abort();
    try {
      await choose(at("model").value, server);
    } catch (error) {
      return fail(error);
    }
    for (const each of files) each.alpha = each.brightness = null; // another model has another α
    if (photo) open(photo.index);
  });
  at("alpha").addEventListener("input", () => moveAlpha(alpha(), photo?.draft));
  at("alpha").addEventListener("change", () => schedule(photo?.preview));
  at("suggested").addEventListener("click", () => {
    showAlpha(photo.suggested ?? Number(at("alpha").defaultValue));
    moveAlpha(null, photo.preview);
  });
  at("brightness").addEventListener("input", () => moveBrightness(photo?.draft));
  at("brightness").addEventListener("change", () => schedule(photo?.preview));
  at("strength").addEventListener("input", showStrength);
  at("zoom").addEventListener("change", () => {
    fit(photo.bitmap);
    schedule(photo.preview);
  });
  at("download").addEventListener("click", download);
  at("download-all").addEventListener("click", downloadAll);
  listenToStage();
}

function bring(given) {
  if (!given.length || !server) return;
  files = given.map((file) => ({ file, name: file.name.replace(/\.[^.]*$/, "") || "photograph", alpha: null, brightness: null }));
  at("files").replaceChildren(
    ...files.map(({ file }, index) => {
      const button = element("button", "plain", file.name);
      button.type = "button";
      button.addEventListener("click", () => open(index));
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
  at("several").hidden = files.length < 2;
  open(0);
}

async function open(index) {
  opening.abort();
  relighting.abort();
  comparing.abort();
  clearTimeout(timer);
  const mine = (opening = new AbortController());
  at("error").hidden = true;
  at("files").querySelectorAll("button").forEach((each, i) => each.setAttribute("aria-current", i === index));
  say("Reading the photograph …", true);
  try {
    const bitmap = await readBitmap(files[index].file);
    const preview = await reduced(bitmap, PREVIEW_SIDE);
    const draft = Math.max(bitmap.width, bitmap.height) > DRAFT_SIDE ? await reduced(bitmap, DRAFT_SIDE) : preview;
    if (mine.signal.aborted) return bitmap.close();
    relighting.abort(); // α may have been moved while the photograph was read
    clearTimeout(timer);
    photo?.bitmap.close();
    photo = Object.assign(files[index], { index, bitmap, preview, draft });
    reset();
    await look(photo, mine.signal);
    if (!mine.signal.aborted) await takeApart(photo, mine.signal);
  } catch (error) {
    fail(error);
  }
}

function reset() {
  const { bitmap, preview } = photo;
  document.body.classList.add("has-photo");
  at("result").hidden = false;
  at("found").hidden = at("suggested").hidden = true;
  at("download").disabled = at("zoom").disabled = true;
  at("zoom").checked = false;
  showBoxes([], bitmap);
  hideChanges();
  showBrightness();
  for (const id of ["after", "part-reflectance", "part-illumination", "part-relit"]) at(id).removeAttribute("src");
  show(preview, "before", "part-input");
  fit(bitmap);
  const isReduced = Math.max(bitmap.width, bitmap.height) > PREVIEW_SIDE;
  at("size-hint").textContent = `${bitmap.width} × ${bitmap.height} pixels${isReduced ? ", shown reduced" : ""}`;
}

// Only the latest wish counts: an earlier one that is still on its way is given up.
function schedule(blob) {
  if (!photo) return;
  clearTimeout(timer);
  relighting.abort();
  timer = setTimeout(() => relight(blob), blob === photo.preview ? 0 : DEBOUNCE);
}

function moveAlpha(wanted, blob) {
  at("alpha-value").value = alpha().toFixed(1);
  if (!photo) return;
  Object.assign(photo, { alpha: wanted, brightness: null });
  showBrightness();
  at("suggested").hidden = wanted === null;
  schedule(blob);
}

function moveBrightness(blob) {
  if (!photo) return;
  Object.assign(photo, { alpha: null, brightness: Number(at("brightness").value) });
  showBrightness();
  at("suggested").hidden = false;
  schedule(blob);
}

// The model chooses α, and finds objects in the same pass: these are shown even if α is moved meanwhile.
async function look(opened, signal) {
  const mine = (relighting = new AbortController());
  const { alpha: moved, brightness } = opened;
  say("Relighting …", true);
  try {
    const answer = await predict(server.model, "serving_default", { image_bytes: opened.preview }, signal);
    const size = await sizeOf(opened.preview);
    if (signal.aborted) return;
    if (answer.number !== undefined) showFound(answer, size);
    opened.suggested = answer.alpha ?? Number(at("alpha").defaultValue);
    at("zoom").disabled = false;
    if (mine.signal.aborted) return;
    showAlpha(moved ?? opened.suggested);
    if (moved !== null) return moveAlpha(moved, opened.preview);
    if (brightness !== null) return moveBrightness(opened.preview);
    showRelit(opened.preview, imageOf(answer, "enhanced_bytes"));
  } catch (error) {
    fail(error);
  }
}

async function relight(blob) {
  relighting.abort();
  const { signal } = (relighting = new AbortController());
  const isWhole = isEnlarged() && blob === photo.preview;
  say(isWhole ? "Relighting the whole photograph …" : "Relighting …", true);
  try {
    const result = isWhole ? await relitWhole(photo, "png", 1, signal) : await enhance(blob, wishes(photo), signal);
    if (signal.aborted) return;
    show(isWhole ? photo.file : photo.preview, "before");
    if (photo.brightness !== null && result.alpha) showAlpha(result.alpha);
    showRelit(blob, result.image);
  } catch (error) {
    fail(error);
  }
}

function showRelit(blob, result) {
  at("error").hidden = true;
  show(result, "after", "part-relit");
  if (blob !== photo.preview) return;
  at("download").disabled = false;
  say(has("enhance") ? `Relit with α ${alpha().toFixed(1)}` : "Relit");
}

function wishes({ alpha: wanted, brightness }) {
  return {
    model: server.model,
    ...(wanted === null ? {} : { alpha: wanted }),
    ...(brightness === null ? {} : { brightness }),
  };
}

function showBrightness() {
  if (photo.brightness !== null) at("brightness").value = photo.brightness;
  at("brightness-value").value = photo.brightness === null ? "free" : photo.brightness.toFixed(2);
}

function showAlpha(chosen) {
  const [least, most] = USUAL_ALPHAS;
  at("alpha").min = Math.min(least, chosen);
  at("alpha").max = Math.max(most, Math.ceil(2 * chosen));
  at("alpha").value = chosen;
  at("alpha-value").value = chosen.toFixed(1);
}

async function takeApart(opened, signal) {
  if (!has("decompose") || opened !== photo) return;
  const parts = await predict(server.model, "decompose", { image_bytes: opened.preview }, signal);
  if (opened !== photo) return;
  show(imageOf(parts, "reflectance_bytes"), "part-reflectance");
  show(imageOf(parts, "illumination_bytes"), "part-illumination");
}

function showFound(found, size) {
  const boxes = [];
  for (let row = 0; row < found.number; row++) {
    if (found.scores[row] < LEAST_SCORE) continue;
    const text = `${found.class_names[row]} ${Math.round(100 * found.scores[row])} %`;
    boxes.push({ corners: found.boxes[row], text });
  }
  showBoxes(boxes, size);
  const texts = boxes.length ? boxes.map(({ text }) => text) : ["nothing"];
  at("found-list").replaceChildren(...texts.map((text) => element("li", "", text)));
  at("found").hidden = false;
}

async function compare(later) {
  comparing.abort();
  const { signal } = (comparing = new AbortController());
  at("error").hidden = true;
  say("Comparing the photographs …", true);
  try {
    const number = await showChanges(server.model, photo.preview, later, signal);
    if (!signal.aborted) say(`Changed regions: ${number}`);
  } catch (error) {
    fail(error);
  }
}

async function download() {
  at("download").disabled = true;
  try {
    const { image: blob } = await relitWhole(photo, "same", strength());
    const name = resultName(photo, blob);
    const { width, height } = await sizeOf(blob);
    save(blob, name);
    say(`Saved ${name}, ${width} × ${height}`);
  } catch (error) {
    fail(error);
  } finally {
    at("download").disabled = false;
  }
}

async function downloadAll() {
  const given = files;
  const entries = [];
  const failed = [];
  at("download-all").disabled = true;
  for (const [index, record] of given.entries()) {
    say(`Relighting ${index + 1} of ${given.length}: ${record.file.name}`, true);
    try {
      const { image: blob } = await relitWhole(record, "same", strength());
      const name = resultName(record, blob);
      const isTaken = entries.some((entry) => entry.name === name);
      entries.push({ name: isTaken ? `${index + 1}-${name}` : name, blob });
    } catch (error) {
      failed.push(`${record.file.name}: ${error.message}`);
    }
  }
  at("download-all").disabled = false;
  if (entries.length) save(await zipped(entries), "relit.zip");
  if (failed.length) fail(new ServerError(failed.join(" · ")));
  say(`Saved relit.zip with ${entries.length} of ${given.length} photographs`);
}

function resultName({ name }, blob) {
  return `${name}-relit.${SUFFIXES[blob.type] ?? "png"}`;
}

// The file itself is sent, so that its metadata stay. What the server cannot read, or only smaller, goes as a PNG.
async function relitWhole(record, format, strength, signal) {
  const { file } = record;
  const asked = { ...wishes(record), format, strength };
  if (record === photo) say("Relighting the whole photograph …", true);
  const bitmap = await readBitmap(file); // also says what is wrong with it
  try {
    const pixels = bitmap.width * bitmap.height;
    let most = server.max_pixels;
    if (SENDABLE.includes(file.type) && pixels <= most && file.size <= server.max_bytes) {
      try {
        return await enhance(file, asked, signal);
      } catch (error) {
        most = Number(/limit is (\d+)/.exec(error.message)?.[1]); // the model's own
        if (!most) throw error;
      }
    }
    const side = Math.max(bitmap.width, bitmap.height) * Math.min(1, Math.sqrt(most / pixels));
    const own = format === "same" && SUFFIXES[file.type] ? file.type.replace("image/", "") : "png";
    return await enhance(await reduced(bitmap, side), { ...asked, format: own }, signal);
  } finally {
    bitmap.close();
  }
}

// The photograph shows through the relit one in front of it, as far as the strength is below 1.
function showStrength() {
  at("strength-value").value = `${at("strength").value} %`;
  at("after").style.opacity = strength();
}

function strength() {
  return Number(at("strength").value) / 100;
}

function alpha() {
  return Number(at("alpha").value);
}

function show(blob, ...ids) {
  for (const id of ids) {
    const image = at(id);
    const old = image.src;
    image.src = URL.createObjectURL(blob);
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  }
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
