// Controls and events. Everything that changes what is seen ends in refresh().

const marks = { hits: new Uint32Array(0), pointed: null, selected: null };
let hitAt = -1;
let scheduled = false;
let listing = 0;

function say(text) {
  element("status").textContent = text;
}

function paintNow() {
  scheduled = false;
  const inView = paint(marks);
  paintMinimap();
  return inView;
}

// What changes with the view is painted in the next frame, once, however many events ask for it.
function refresh() {
  if (!scheduled) requestAnimationFrame(() => list(paintNow()));
  scheduled = true;
}

function list(inView) {
  clearTimeout(listing);
  listing = setTimeout(() => listInView(inView, select, marks.selected), 120);
}

// What changes with anything else.
function rebuild() {
  resize();
  paintBackdrop(marks.hits);
  refresh();
}

function whole() {
  look(0, scale.extent);
  refresh();
}

function toCore() {
  if (core.size === 0) return;
  if (![...core].some(isVisible)) filter("");
  lookAt([...core].filter(isVisible));
  reveal([...core].find(isVisible));
  refresh();
}

// Scrolls the lane of `op` into view.
function reveal(op) {
  const row = rowOfOperation(op);
  const top = topOf(row);
  if (top < RULER || top + size.row > size.height) scrollTo((row + 0.5) * size.row - (size.height - RULER) / 2);
}

function select(op) {
  marks.selected = op;
  showSelected(op);
  if (op === null) return refresh();
  if (!isVisible(op)) {
    element("key").value = "";
    filter("");
  }
  const from = startOf(op);
  const to = endOf(op);
  if (to < view.from || from > view.to || to - from > view.to - view.from) {
    const span = Math.max(view.to - view.from, to - from);
    look((from + to - span) / 2, (from + to + span) / 2);
  }
  reveal(op);
  say(`Operation ${op}: process ${processText(op)}, key ${keyText(op)}, ${textOf(op)}, ${endingOf(op)}`);
  refresh();
}

function zoom(factor, around = (view.from + view.to) / 2) {
  const span = Math.min(Math.max((view.to - view.from) * factor, leastSpan()), scale.extent);
  const share = (around - view.from) / (view.to - view.from);
  look(around - share * span, around + (1 - share) * span);
  refresh();
}

function pan(share) {
  const by = (view.to - view.from) * share;
  look(view.from + by, view.to + by);
  refresh();
}

// Only operations of the key that is called `text`; of all, if it is empty. False if there is no such key.
function filter(text) {
  const name = text.trim();
  let key = name === "" ? null : meta.keys.indexOf(name);
  // Keys that are strings are shown, but need not be typed, in quotes.
  if (key === -1) key = meta.keys.indexOf(JSON.stringify(name));
  element("key").setAttribute("aria-invalid", String(key === -1));
  if (key === -1) {
    say(`There is no key ${name}.`);
    return false;
  }
  const middle = eventAt((view.from + view.to) / 2);
  const wasWhole = view.to - view.from >= scale.extent * 0.999;
  const span = view.to - view.from;
  scale.key = key;
  rescale();
  if (wasWhole || key !== null) look(0, scale.extent);
  else look(scale.place[middle] - span / 2, scale.place[middle] + span / 2);
  view.scroll = 0;
  if (marks.selected !== null && !isVisible(marks.selected)) select(null);
  find(element("query").value, element("field").value);
  rebuild();
  say(key === null ? `All ${grouped(total)} operations.` : `${grouped(scale.count)} operations of key ${meta.keys[key]}.`);
  return true;
}

function setAxis(mode) {
  const from = eventAt(view.from);
  const to = eventAt(view.to);
  const wasWhole = view.to - view.from >= scale.extent * 0.999;
  scale.mode = mode;
  rescale();
  if (wasWhole) look(0, scale.extent);
  else look(scale.place[from], scale.place[Math.min(to + 1, meta.events + 1)]);
  rebuild();
}

function find(text, field) {
  marks.hits = search(text, field);
  hitAt = -1;
  const count = marks.hits.length;
  element("results").textContent = text.trim() === "" ? "" : count === 1 ? "1 result" : `${grouped(count)} results`;
  return count;
}

function step(by) {
  const count = marks.hits.length;
  if (count === 0) return;
  if (hitAt === -1) {
    // The first one at or after what is in view, so that it goes on from where one is.
    const after = firstIndex(0, count, (at) => startOf(marks.hits[at]) >= view.from) % count;
    hitAt = by > 0 ? after : (after - 1 + count) % count;
  } else {
    hitAt = (hitAt + by + count) % count;
  }
  element("results").textContent = `${grouped(hitAt + 1)} of ${grouped(count)}`;
  approach(marks.hits[hitAt]);
  select(marks.hits[hitAt]);
}

// Zooms in on `op` if it is too small to be seen.
function approach(op) {
  const length = endOf(op) - startOf(op);
  if (length * scaleX() >= 4) return;
  const span = Math.max(length * 30, leastSpan() * 20);
  look(startOf(op) + (length - span) / 2, startOf(op) + (length + span) / 2);
}

// The operation before or after the selected one on its lane; without one, the first in view.
function stepOnLane(by) {
  const op = marks.selected;
  const row = op === null ? rowsInView()[0] : rowOfOperation(op);
  const [low] = membersBetween(row, op === null ? view.from : startOf(op), view.to);
  let at = low;
  if (op !== null) {
    at = firstIndex(scale.rows[row], scale.rows[row + 1], (index) => scale.members[index] >= op) + by;
  }
  if (at >= scale.rows[row] && at < scale.rows[row + 1]) select(scale.members[at]);
}

function operationAt(x, y) {
  if (x < GUTTER || y < RULER) return null;
  const row = Math.floor((y - RULER + view.scroll) / size.row);
  if (row < 0 || row >= rowCount()) return null;
  const reach = 3 / scaleX();
  const at = positionOf(x);
  const [low, high] = membersBetween(row, at - reach, at + reach);
  let best = null;
  let distance = Infinity;
  for (let index = low; index < high; index++) {
    const op = scale.members[index];
    const away = Math.max(startOf(op) - at, at - endOf(op), 0);
    if (away < distance) [best, distance] = [op, away];
  }
  if (best !== null) return best;
  // On the tail of an indeterminate one.
  const before = low - 1;
  if (before < scale.rows[row]) return null;
  const op = scale.members[before];
  const ending = endingOf(op);
  return (ending === "info" || ending === "open") && x - pixelOf(endOf(op)) < TAIL ? op : null;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  element("theme").textContent = theme === "dark" ? "Light" : "Dark";
  restyle();
  showLegend();
  rebuild();
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeNow = () => document.documentElement.dataset.theme ?? (prefersDark.matches ? "dark" : "light");

function listenToPointer() {
  let grip = null;
  canvas.addEventListener("pointerdown", (event) => {
    grip = { x: event.offsetX, y: event.offsetY, from: view.from, to: view.to, scroll: view.scroll, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (grip === null) {
      const op = operationAt(event.offsetX, event.offsetY);
      if (op !== marks.pointed) refresh();
      marks.pointed = op;
      return showTip(op, event.clientX, event.clientY);
    }
    const [x, y] = [event.offsetX - grip.x, event.offsetY - grip.y];
    grip.moved ||= Math.hypot(x, y) > 4;
    if (!grip.moved) return;
    const by = x / scaleX();
    look(grip.from - by, grip.to - by);
    scrollTo(grip.scroll - y);
    marks.pointed = null;
    showTip(null);
    refresh();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (grip !== null && !grip.moved) select(operationAt(event.offsetX, event.offsetY));
    grip = null;
  });
  canvas.addEventListener("pointercancel", () => (grip = null));
  canvas.addEventListener("pointerleave", () => {
    marks.pointed = null;
    showTip(null);
    refresh();
  });
  const wheel = (event) => {
    event.preventDefault();
    // A line is some 16 pixels, a page some 400.
    const unit = [1, 16, 400][event.deltaMode];
    if (event.offsetX < GUTTER && event.currentTarget === canvas) scrollTo(view.scroll + event.deltaY * unit);
    else if (event.shiftKey) pan((event.deltaY || event.deltaX) * unit * 0.001);
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX * unit * 0.001);
    else zoom(1.0015 ** (event.deltaY * unit), positionOf(Math.max(event.offsetX, GUTTER)));
    refresh();
  };
  canvas.addEventListener("wheel", wheel, { passive: false });
  dragMinimap(refresh);
}

const KEYS = {
  ArrowLeft: () => pan(-0.2),
  ArrowRight: () => pan(0.2),
  ArrowUp: () => scrollTo(view.scroll - size.row),
  ArrowDown: () => scrollTo(view.scroll + size.row),
  Home: () => look(0, view.to - view.from),
  End: () => look(scale.extent - (view.to - view.from), scale.extent),
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  0: whole,
  c: toCore,
  n: () => step(1),
  p: () => step(-1),
  ",": () => stepOnLane(-1),
  ".": () => stepOnLane(1),
  Escape: () => select(null),
};

function listen() {
  listenToPointer();
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
    event.preventDefault();
    KEYS[event.key]();
    refresh();
  });
  const clicks = { "zoom-in": () => zoom(0.5), "zoom-out": () => zoom(2), whole, "to-core": toCore };
  Object.assign(clicks, { next: () => step(1), previous: () => step(-1) });
  for (const [id, act] of Object.entries(clicks)) element(id).addEventListener("click", act);
  element("theme").addEventListener("click", () => setTheme(themeNow() === "dark" ? "light" : "dark"));
  prefersDark.addEventListener("change", () => setTheme(prefersDark.matches ? "dark" : "light"));
  element("axis").addEventListener("change", (event) => setAxis(event.target.value));
  element("key").addEventListener("change", (event) => filter(event.target.value));
  let typing = 0;
  const typed = () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      find(element("query").value, element("field").value);
      rebuild();
    }, 150);
  };
  element("query").addEventListener("input", typed);
  element("field").addEventListener("change", typed);
  element("tools").addEventListener("submit", (event) => {
    event.preventDefault();
    if (hitAt === -1) find(element("query").value, element("field").value);
    step(1);
    rebuild();
  });
  addEventListener("resize", rebuild);
  // Boxes and rows of the core lead to where they are in the whole.
  for (const member of document.querySelectorAll("#evidence [data-operation]")) {
    const go = () => {
      lookAt([Number(member.dataset.operation)]);
      select(Number(member.dataset.operation));
      canvas.scrollIntoView({ block: "nearest" });
    };
    member.classList.add("link");
    member.addEventListener("click", go);
    if (member.namespaceURI.endsWith("svg")) {
      member.setAttribute("tabindex", "0");
      member.setAttribute("role", "button");
      member.addEventListener("keydown", (event) => event.key === "Enter" && go());
    }
  }
}

// Waits until what was painted is drawn: a pixel of it cannot be read before.
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
function settle() {
  for (const painted of [canvas, minimap]) probe.drawImage(painted, 0, 0, 1, 1);
  return probe.getImageData(0, 0, 1, 1);
}

function start() {
  element("stage").hidden = false;
  if (eventTimes === null) {
    element("axis").value = "order";
    element("axis").querySelector("[value=time]").disabled = true;
  }
  element("to-core").hidden = core.size === 0;
  // A browser cannot show more in a list, and nobody could choose from it.
  const names = meta.keys.slice(0, 1000).map((name) => {
    const option = make("option");
    option.value = name;
    return option;
  });
  element("keys").replaceChildren(...names);
  element("theme").textContent = themeNow() === "dark" ? "Light" : "Dark";
  canvas.setAttribute("aria-label", `${grouped(total)} operations on ${grouped(meta.lanes)} lanes`);
  rescale();
  timing.scaled = performance.now();
  restyle();
  showLegend();
  resize();
  look(0, scale.extent);
  if (core.size > 0) lookAt(meta.core);
  if (core.size > 0) reveal(meta.core[0]);
  paintBackdrop(marks.hits);
  const inView = paintNow();
  settle();
  timing.drawn = performance.now();
  listInView(inView, select, null);
  listen();
}

// What a link to the page may ask for: #op=12, #key=x, #search=5, #axis=time, #from=100&to=200, #theme=dark.
function follow(hash) {
  const asked = new URLSearchParams(hash.slice(1));
  if (["light", "dark"].includes(asked.get("theme"))) setTheme(asked.get("theme"));
  if (asked.get("axis") === "time" && eventTimes !== null) {
    element("axis").value = "time";
    setAxis("time");
  }
  if (asked.has("key")) {
    element("key").value = asked.get("key");
    filter(asked.get("key"));
  }
  if (asked.has("search")) {
    element("query").value = asked.get("search");
    find(asked.get("search"), "anything");
    rebuild();
  }
  if (asked.has("whole")) whole();
  if (asked.has("from") && asked.has("to")) {
    const place = (name) => scale.place[Math.min(Math.max(Number(asked.get(name)) || 0, 0), meta.events)];
    look(place("from"), place("to"));
  }
  const op = Number(asked.get("op") ?? NaN);
  if (Number.isInteger(op) && op >= 0 && op < total) {
    select(op);
    if (!asked.has("from")) approach(op);
  }
  refresh();
}
