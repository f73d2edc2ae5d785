// Pictures of a case are compared with a line between two of them; tables are sorted by a column.
document.querySelectorAll(".case").forEach((row) => {
  const pictures = [...row.querySelectorAll("figure")].map((figure) => ({
    image: figure.querySelector("img"),
    name: figure.querySelector("figcaption").textContent,
    isAfter: figure.hasAttribute("data-after"),
  }));
  if (pictures.length < 2) return;
  const make = (kind, properties = {}) => Object.assign(document.createElement(kind), properties);
  const stage = make("div", { className: "stage" });
  const frame = make("div", { className: "frame" });
  const tools = make("div", { className: "tools" });
  const line = make("input", { type: "range", min: 0, max: 100, value: 50 });
  const whole = make("input", { type: "checkbox" });
  const shown = [0, Math.max(1, pictures.findIndex((picture) => picture.isAfter))].map((index, side) => {
    const image = make("img", { loading: "lazy", draggable: false });
    const choice = make("select");
    pictures.forEach((picture, i) => choice.add(new Option(picture.name, i, i === index, i === index)));
    choice.setAttribute("aria-label", side ? "picture on the right" : "picture on the left");
    const show = () => Object.assign(image, { src: pictures[choice.value].image.src, alt: pictures[choice.value].image.alt });
    choice.addEventListener("change", show);
    show();
    stage.append(image);
    return choice;
  });
  const split = (value) => {
    line.value = Math.min(100, Math.max(0, value));
    stage.style.setProperty("--split", `${line.value}%`);
  };
  const follow = (event) => {
    const area = stage.getBoundingClientRect();
    if (!whole.checked) split((100 * (event.clientX - area.left)) / area.width);
  };
  const enlarge = () => {
    const { naturalWidth } = stage.firstChild;
    stage.classList.toggle("whole", whole.checked);
    stage.style.width = whole.checked ? `${naturalWidth / devicePixelRatio}px` : "";
  };
  line.setAttribute("aria-label", "line between the two pictures");
  line.addEventListener("input", () => split(line.value));
  whole.addEventListener("change", enlarge);
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
  const label = make("label", { textContent: " 100 %" });
  label.prepend(whole);
  tools.append(shown[0], line, shown[1], label);
  frame.append(stage);
  const compare = make("div", { className: "compare" });
  compare.append(frame, tools);
  // Left and right move the line, up and down choose the picture on the right, z enlarges.
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", `${row.getAttribute("aria-label")}: arrow keys compare, z enlarges`);
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
    const next = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (whole.checked ? event.key !== "z" : !step && !next && event.key !== "z") return; // enlarged, arrows scroll
    event.preventDefault();
    if (step) return split(Number(line.value) + step);
    if (!next) return whole.click();
    shown[1].value = (Number(shown[1].value) + next + pictures.length) % pictures.length;
    shown[1].dispatchEvent(new Event("change"));
  });
  row.before(compare);
});

document.querySelectorAll("table").forEach((table) => {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (rows, column) => {
    const text = rows[0].cells[column].textContent;
    const number = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const groups = []; // lines that belong together stay together
      for (const row of body.rows) {
        if (row.classList.contains("first") || !body.querySelector(".first")) groups.push([]);
        groups[groups.length - 1].push(row);
      }
      const order = (a, b) => (typeof a !== typeof b ? (typeof a === "number" ? -1 : 1) : (a < b) - (a > b));
      groups.sort((a, b) => {
        const [one, other] = [value(a, column), value(b, column)];
        return typeof one !== typeof other || falling ? order(one, other) : -order(one, other);
      });
      body.append(...groups.flat());
    });
  });
});
