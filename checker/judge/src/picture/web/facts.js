// Operations in words: legend, what is pointed at and selected, and the table of what is in view. Text nodes only: what a
// history says never becomes markup.

const element = (id) => document.getElementById(id);

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name !== undefined) made.className = name;
  return made;
}

const grouped = (number) => number.toLocaleString("en");

const ENDINGS = {
  ok: "ok",
  fail: "fail: no effect",
  info: "info: may take effect at any later time, or never",
  open: "never completed: may take effect at any time, or never",
};

// Exact as long as the history is shorter than a hundred days.
const recorded = (time) => (BigInt(meta.time_base) + BigInt(Math.round(time))).toString();

const clock = (time) => (time < 1e6 ? `${time} ns` : time < 1e9 ? `${(time / 1e6).toFixed(3)} ms` : `${(time / 1e9).toFixed(6)} s`);

function factsOf(op) {
  const event = (at, time) => {
    const when = Number.isNaN(time) ? "" : `, ${clock(time)} after the first (${recorded(time)} ns)`;
    return `event ${grouped(at)}, line ${lineOf(at)}${when}`;
  };
  const facts = [
    ["operation", String(op)],
    ["process", processText(op)],
    ["key", keyText(op)],
    ["what", textOf(op)],
    ["ended", ENDINGS[endingOf(op)]],
    ["invoked", event(data.invoked[op], data.timeInvoked[op])],
  ];
  if (data.completed[op] !== NONE) facts.push(["completed", event(data.completed[op], data.timeCompleted[op])]);
  if (placeOf[op] !== NONE) {
    const place = `number ${grouped(placeOf[op] + 1)} of ${grouped(linearization.length)}`;
    facts.push(["linearized", `${place}, after event ${grouped(data.gap[op])}`]);
  }
  if (core.has(op)) facts.push(["core", "part of what cannot be"]);
  if (bystanders.has(op)) facts.push(["core", "no part of it, but pending at the time"]);
  return facts;
}

function fillFacts(list, op) {
  list.replaceChildren(...factsOf(op).flatMap(([name, fact]) => [make("dt", name), make("dd", fact)]));
}

function showTip(op, x, y) {
  const tip = element("tip");
  tip.hidden = op === null;
  if (op === null) return;
  const list = make("dl");
  fillFacts(list, op);
  tip.replaceChildren(list);
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
}

function showSelected(op) {
  const list = element("selected");
  list.hidden = op === null;
  if (op !== null) fillFacts(list, op);
}

const LISTED = 60;

// Rows for what is in view, if that is few enough to be read.
function listInView(inView, select, selected) {
  const title = element("in-view-title");
  const body = element("in-view");
  const rows = [];
  if (inView <= 20000) {
    const [first, last] = rowsInView();
    const shown = [];
    for (let row = first; row < last; row++) {
      const [low, high] = membersBetween(row, view.from, view.to);
      for (let at = low; at < high; at++) shown.push(scale.members[at]);
    }
    shown.sort((one, other) => one - other);
    for (const op of shown.slice(0, LISTED)) {
      const row = make("tr", undefined, core.has(op) ? "impossible" : op === selected ? "selected" : "");
      const button = make("button", String(op));
      button.type = "button";
      button.setAttribute("aria-label", `Select operation ${op}`);
      button.addEventListener("click", () => select(op));
      const number = make("th");
      number.scope = "row";
      number.append(button);
      const completed = data.completed[op] === NONE ? "?" : lineOf(data.completed[op]);
      const cells = [processText(op), keyText(op), textOf(op), endingOf(op), `${lineOf(data.invoked[op])} to ${completed}`];
      row.append(number, ...cells.map((text) => make("td", text)));
      rows.push(row);
    }
  }
  const which = rows.length < inView ? `the first ${rows.length} of ${grouped(inView)}` : grouped(inView);
  title.textContent = rows.length > 0 || inView === 0 ? `Operations in view: ${which}` : `Operations in view: ${grouped(inView)}, too many to list`;
  body.replaceChildren(...rows);
  body.parentElement.hidden = rows.length === 0;
}

function showLegend() {
  const counts = meta.functions.map(() => 0);
  const endings = { ok: 0, fail: 0, info: 0, open: 0 };
  const byShape = new Uint32Array(meta.shapes.length);
  for (let op = 0; op < total; op++) byShape[data.shape[op]]++;
  meta.shapes.forEach((shape, number) => {
    counts[shape.function] += byShape[number];
    endings[shape.ending] += byShape[number];
  });
  const items = [];
  const item = (name, text, colour) => {
    const entry = make("li");
    const swatch = make("span", undefined, `swatch ${name}`);
    swatch.setAttribute("aria-hidden", "true");
    if (colour !== undefined) swatch.style.setProperty("--hue", colour);
    entry.append(swatch, text);
    items.push(entry);
  };
  // Each colour once it is used by more functions than there are colours for says nothing; the first are enough.
  meta.functions.slice(0, 12).forEach((name, number) => item("function", `${name} ${grouped(counts[number])}`, style.functions[number]));
  if (meta.functions.length > 12) items.push(make("li", `and ${meta.functions.length - 12} more functions`));
  if (endings.fail > 0) item("fail", `failed ${grouped(endings.fail)}`);
  if (endings.info + endings.open > 0) item("info", `indeterminate ${grouped(endings.info + endings.open)}`);
  if (linearization.length > 0) item("point", "where it takes effect");
  if (core.size > 0) item("core", `failing core ${grouped(core.size)}`);
  if (bystanders.size > 0) item("bystander", "pending at the time");
  if (meta.prefix !== null) item("wrong", `no order ${meta.prefix_is_shortest ? "from here on" : "at the latest from here on"}`);
  element("legend").replaceChildren(...items);
}
