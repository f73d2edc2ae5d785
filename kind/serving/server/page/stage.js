// The picture with its line between before and after, its boxes, and its enlargement.

const at = (id) => document.getElementById(id);
let found = { boxes: [], size: { width: 1, height: 1 } };

export function listenToStage() {
  const stage = at("stage");
  const frame = at("stage-frame");
  let last = null;
  stage.addEventListener("pointerdown", (event) => {
    if (isEnlarged() && event.pointerType !== "mouse") return; // a finger pans by itself
    stage.setPointerCapture(event.pointerId);
    last = event;
    if (!isEnlarged()) follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!stage.hasPointerCapture(event.pointerId)) return;
    if (!isEnlarged()) return follow(event);
    frame.scrollBy(last.clientX - event.clientX, last.clientY - event.clientY);
    last = event;
  });
  at("split").addEventListener("input", () => split(at("split").value));
  at("show-boxes").addEventListener("change", () => {
    at("boxes").hidden = !at("show-boxes").checked;
    placeBoxes();
  });
  new ResizeObserver(placeBoxes).observe(stage);
}

function follow(event) {
  const frame = at("stage").getBoundingClientRect();
  split(Math.round((100 * (event.clientX - frame.left)) / frame.width));
}

function split(percent) {
  const value = Math.min(100, Math.max(0, Number(percent)));
  at("split").value = value;
  at("split-value").value = `${value} %`;
  at("stage").style.setProperty("--split", `${value}%`);
}

export function isEnlarged() {
  return at("zoom").checked;
}

// Enlarged, a pixel of the photograph is a pixel of the screen.
export function fit({ width, height }) {
  const stage = at("stage");
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.width = isEnlarged() ? `${width / devicePixelRatio}px` : `min(100%, calc(72vh * ${width / height}))`;
  at("stage-frame").classList.toggle("enlarged", isEnlarged());
}

export function showBoxes(boxes, size) {
  found = { boxes, size };
  at("boxes").replaceChildren(
    ...boxes.flatMap(({ text }) => ["box", "label"].map((kind) => {
      const made = document.createElement("div");
      made.className = kind;
      if (kind === "label") made.textContent = text;
      return made;
    })),
  );
  placeBoxes();
}

function placeBoxes() {
  const layer = at("boxes");
  if (layer.hidden || !layer.clientWidth) return;
  const frame = { width: layer.clientWidth, height: layer.clientHeight };
  const scale = [frame.width / found.size.width, frame.height / found.size.height];
  const boxes = found.boxes.map(({ corners }) => corners.map((value, i) => value * scale[i % 2]));
  const labels = [...layer.querySelectorAll(".label")];
  const places = placeLabels(boxes, labels.map(({ offsetWidth, offsetHeight }) => [offsetWidth, offsetHeight]), frame);
  layer.querySelectorAll(".box").forEach((box, i) => {
    const [left, top, right, bottom] = boxes[i];
    Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
  });
  labels.forEach((label, i) => {
    label.style.visibility = places[i] ? "" : "hidden"; // the list below the picture has it
    if (places[i]) label.style.transform = `translate(${places[i][0]}px, ${places[i][1]}px)`;
  });
}

// Where labels go, the first ones first: inside the picture, near their box, over no other label; null without room.
export function placeLabels(boxes, sizes, frame) {
  const taken = [];
  return boxes.map(([left, top, right, bottom], i) => {
    const [width, height] = sizes[i];
    const rows = [top - height, top, bottom, bottom - height];
    for (let y = top + height; y < bottom; y += height) rows.push(y);
    for (const y of rows)
      for (const x of [left, right - width, (left + right - width) / 2]) {
        const place = [Math.min(Math.max(x, 0), frame.width - width), Math.min(Math.max(y, 0), frame.height - height)];
        const own = [...place, place[0] + width, place[1] + height];
        const fits = place[0] >= 0 && place[1] >= 0;
        if (fits && !taken.some((other) => own[0] < other[2] && other[0] < own[2] && own[1] < other[3] && other[1] < own[3])) {
          taken.push(own);
          return place;
        }
      }
    return null;
  });
}
