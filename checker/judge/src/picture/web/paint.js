// Draws what is in view. Up to DETAILED operations one by one, with labels and points; of more, every one of them is
// counted into the pixels of its lane, and each pixel shows the function that takes up most of it.

const DETAILED = 6000;
const LINKED = 1500;
const GUTTER = 92;
const RULER = 26;
const TAIL = 90;
const FONT = "11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace";

const canvas = document.getElementById("lanes");
const brush = canvas.getContext("2d");
const strip = document.createElement("canvas").getContext("2d");

// Set by resize().
const size = { width: 0, height: 0, ratio: 1, row: 24 };
// Set by restyle().
const style = { functions: [] };
const drawn = { operations: 0, labels: 0, points: 0, hatched: 0, fading: 0, detailed: false };

// Functions that every object has keep their colours from page to page.
const HUES = ["read", "write", "cas", "append"];
const SPARE = 6;

function restyle() {
  const computed = getComputedStyle(document.documentElement);
  const colour = (name) => computed.getPropertyValue(`--${name}`).trim();
  for (const name of ["back", "stripe", "text", "faint", "line", "core", "core-back", "point", "hit", "selected", "wrong"]) {
    style[name] = colour(name);
  }
  style.fillAlpha = Number(colour("fill-alpha"));
  let spare = 0;
  style.functions = meta.functions.map((name) => colour(HUES.includes(name) ? `hue-${name}` : `hue-${spare++ % SPARE}`));
  style.bytes = style.functions.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  const hatch = document.createElement("canvas");
  hatch.width = hatch.height = 8;
  const lines = hatch.getContext("2d");
  lines.strokeStyle = style.text;
  lines.globalAlpha = 0.55;
  for (const shift of [-8, 0, 8]) {
    lines.beginPath();
    lines.moveTo(shift, 8);
    lines.lineTo(shift + 8, 0);
    lines.stroke();
  }
  style.hatch = brush.createPattern(hatch, "repeat");
}

function resize() {
  const width = canvas.parentElement.clientWidth;
  const rows = Math.max(rowCount(), 1);
  const room = Math.max(innerHeight * 0.62, 160) - RULER;
  size.row = Math.min(Math.max(Math.floor(room / rows), 11), 34);
  size.width = width;
  size.height = RULER + Math.min(rows * size.row, Math.floor(room / size.row) * size.row) + 2;
  size.ratio = devicePixelRatio || 1;
  canvas.style.width = `${size.width}px`;
  canvas.style.height = `${size.height}px`;
  canvas.width = Math.round(size.width * size.ratio);
  canvas.height = Math.round(size.height * size.ratio);
  brush.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  scrollTo(view.scroll);
}

const fieldWidth = () => size.width - GUTTER;
const scaleX = () => fieldWidth() / (view.to - view.from);
const pixelOf = (position) => GUTTER + (position - view.from) * scaleX();
const positionOf = (pixel) => view.from + (pixel - GUTTER) / scaleX();
const topOf = (row) => RULER + row * size.row - view.scroll;
const scrollRoom = () => Math.max(0, rowCount() * size.row - (size.height - RULER - 2));
function scrollTo(scroll) {
  view.scroll = Math.min(Math.max(scroll, 0), scrollRoom());
}

function rowsInView() {
  const first = Math.floor(view.scroll / size.row);
  const last = Math.ceil((view.scroll + size.height - RULER) / size.row);
  return [Math.max(first, 0), Math.min(last, rowCount())];
}

// `marks` has what is found, selected and pointed at.
function paint(marks) {
  Object.assign(drawn, { operations: 0, labels: 0, points: 0, hatched: 0, fading: 0 });
  brush.globalAlpha = 1;
  brush.font = FONT;
  brush.textBaseline = "middle";
  brush.fillStyle = style.back;
  brush.fillRect(0, 0, size.width, size.height);
  const [first, last] = rowsInView();
  const spans = [];
  let inView = 0;
  for (let row = first; row < last; row++) {
    if (row % 2 === 1) {
      brush.fillStyle = style.stripe;
      brush.fillRect(GUTTER, topOf(row), fieldWidth(), size.row);
    }
    const [low, high] = membersBetween(row, view.from, view.to);
    spans.push([row, low, high]);
    inView += high - low;
  }
  brush.save();
  brush.beginPath();
  brush.rect(GUTTER, RULER, fieldWidth(), size.height - RULER);
  brush.clip();
  drawn.detailed = inView <= DETAILED;
  drawn.operations = inView;
  if (drawn.detailed) {
    paintTails(spans);
    for (const [row, low, high] of spans) paintRow(row, low, high);
    paintPoints(first, last);
  } else {
    paintDense(spans);
  }
  paintPrefix();
  paintMarks(first, last, marks);
  // Above everything that would tint them.
  if (drawn.detailed) for (const [row, low, high] of spans) paintLabels(row, low, high);
  brush.restore();
  paintGutter(spans);
  paintRuler();
  paintScroll();
  return inView;
}

function paintDense(spans) {
  const width = Math.max(1, Math.round(fieldWidth() * size.ratio));
  if (strip.canvas.width !== width || strip.canvas.height !== spans.length) {
    strip.canvas.width = width;
    strip.canvas.height = Math.max(1, spans.length);
  }
  const image = strip.createImageData(width, Math.max(1, spans.length));
  const from = view.from;
  const perPixel = width / (view.to - from);
  const cover = new Float32Array(width);
  const longest = new Float32Array(width);
  const colour = new Uint16Array(width);
  const { starts, ends, kinds } = scale;
  spans.forEach(([, low, high], index) => {
    cover.fill(0);
    longest.fill(0);
    for (let at = low; at < high; at++) {
      const left = Math.max((starts[at] - from) * perPixel, 0);
      const right = Math.min(Math.max((ends[at] - from) * perPixel, left + 0.02), width);
      const lastPixel = Math.min(right | 0, width - 1);
      for (let pixel = left | 0; pixel <= lastPixel; pixel++) {
        const part = Math.min(right, pixel + 1) - Math.max(left, pixel);
        cover[pixel] += part;
        if (part > longest[pixel]) {
          longest[pixel] = part;
          colour[pixel] = kinds[at];
        }
      }
    }
    for (let pixel = 0; pixel < width; pixel++) {
      if (cover[pixel] === 0) continue;
      const to = 4 * (index * width + pixel);
      const bytes = style.bytes[colour[pixel]];
      image.data[to] = bytes[0];
      image.data[to + 1] = bytes[1];
      image.data[to + 2] = bytes[2];
      image.data[to + 3] = 255 * (0.25 + 0.6 * Math.min(1, cover[pixel]));
    }
  });
  strip.putImageData(image, 0, 0);
  brush.imageSmoothingEnabled = false;
  const inset = size.row > 16 ? 3 : 1;
  spans.forEach(([row], index) => {
    const height = size.row - 2 * inset;
    brush.drawImage(strip.canvas, 0, index, width, 1, GUTTER, topOf(row) + inset, fieldWidth(), height);
  });
}

const insetOf = () => (size.row > 16 ? 3 : 1);

function boxOf(op, row) {
  const left = pixelOf(startOf(op));
  const right = Math.max(pixelOf(endOf(op)), left + 1.5);
  return { left, right, top: topOf(row) + insetOf(), height: size.row - 2 * insetOf() };
}

// Below the boxes, because they end nowhere.
function paintTails(spans) {
  for (const [row, low, high] of spans) {
    for (let at = Math.max(low - 1, scale.rows[row]); at < high; at++) {
      const op = scale.members[at];
      const ending = endingOf(op);
      if (ending !== "info" && ending !== "open") continue;
      const box = boxOf(op, row);
      if (box.right + TAIL < GUTTER) continue;
      brush.fillStyle = style.functions[functionOf(op)];
      for (let slice = 0; slice < 15; slice++) {
        brush.globalAlpha = style.fillAlpha * 1.3 * (1 - slice / 15);
        brush.fillRect(box.right + (slice * TAIL) / 15, box.top, TAIL / 15, box.height);
      }
      drawn.fading++;
    }
  }
  brush.globalAlpha = 1;
}

function paintRow(row, low, high) {
  for (let at = low; at < high; at++) {
    const op = scale.members[at];
    const ending = endingOf(op);
    const { left, right, top, height } = boxOf(op, row);
    const hue = style.functions[functionOf(op)];
    brush.fillStyle = hue;
    brush.globalAlpha = right - left < 4 ? 0.8 : style.fillAlpha;
    brush.fillRect(left, top, right - left, height);
    brush.globalAlpha = 1;
    if (right - left < 4) continue;
    if (ending === "fail") {
      brush.fillStyle = style.hatch;
      brush.fillRect(left, top, right - left, height);
      drawn.hatched++;
    }
    brush.fillStyle = hue;
    brush.fillRect(left, top, 2, height);
    brush.fillRect(left, top, right - left, 1);
    brush.fillRect(left, top + height - 1, right - left, 1);
    if (ending === "ok" || ending === "fail") brush.fillRect(right - 1, top, 1, height);
  }
}

function paintLabels(row, low, high) {
  if (size.row < 12) return;
  for (let at = Math.max(low - 1, scale.rows[row]); at < high; at++) {
    const op = scale.members[at];
    const fading = endingOf(op) === "info" || endingOf(op) === "open";
    if (at < low && !fading) continue;
    const { left, right, top, height } = boxOf(op, row);
    // What fades out has its tail for a label too, as far as the next one on the lane.
    const next = at + 1 < scale.rows[row + 1] ? pixelOf(startOf(scale.members[at + 1])) : Infinity;
    const end = fading ? Math.min(right + TAIL, next) : right;
    paintLabel(op, Math.max(left, GUTTER) + 6, Math.min(end, size.width) - 4, top + height / 2);
  }
}

let characterWidth = 0;
function paintLabel(op, left, right, middle) {
  characterWidth ||= brush.measureText("0123456789").width / 10;
  const fits = Math.floor((right - left) / characterWidth);
  if (fits < 2) return;
  let text = textOf(op);
  if (data.key[op] !== NONE && meta.keys.length > 1 && fits > text.length + 4) {
    const key = ` · ${meta.keys[data.key[op]]}`;
    if (fits >= text.length + key.length) text += key;
  }
  if (text.length > fits) {
    // A word that is cut to its first letters says nothing.
    if (fits < 5) return;
    text = `${text.slice(0, fits - 1)}…`;
  }
  // Beside the point, where there is room, and not under it.
  const width = text.length * characterWidth;
  const point = data.gap[op] === NONE ? -Infinity : pixelOf(pointOf(op));
  if (point > left - 5 && point < left + width + 5 && point + 6 + width <= right) left = point + 6;
  brush.fillStyle = style.text;
  brush.fillText(text, left, middle + 0.5);
  drawn.labels++;
}

function paintPrefix() {
  if (meta.prefix === null) return;
  const from = pixelOf(scale.place[Math.min(meta.prefix - 1, meta.events)]);
  if (from > size.width) return;
  brush.fillStyle = style.wrong;
  brush.fillRect(Math.max(from, GUTTER), RULER, size.width, size.height);
  brush.fillStyle = style.core;
  brush.fillRect(from, RULER, 1.5, size.height);
}

function paintPoints(first, last) {
  const order = scale.linearization;
  const low = firstIndex(0, order.length, (at) => pointOf(order[at]) >= view.from);
  const high = firstIndex(low, order.length, (at) => pointOf(order[at]) > view.to);
  if (high - low > DETAILED) return;
  brush.strokeStyle = brush.fillStyle = style.point;
  if (high - low <= LINKED) {
    brush.beginPath();
    let begun = false;
    for (let at = Math.max(low - 1, 0); at < Math.min(high + 1, order.length); at++) {
      const op = order[at];
      const x = pixelOf(pointOf(op));
      const y = topOf(rowOfOperation(op)) + size.row / 2;
      if (begun) brush.lineTo(x, y);
      else brush.moveTo(x, y);
      begun = true;
    }
    brush.globalAlpha = 0.45;
    brush.lineWidth = 1;
    brush.stroke();
    brush.globalAlpha = 1;
  }
  for (let at = low; at < high; at++) {
    const row = rowOfOperation(order[at]);
    if (row < first || row >= last) continue;
    const x = pixelOf(pointOf(order[at]));
    const top = topOf(row) + insetOf();
    brush.fillRect(x - 0.75, top, 1.5, size.row - 2 * insetOf());
    if (size.row > 16) {
      brush.beginPath();
      brush.arc(x, topOf(row) + size.row / 2, 2.5, 0, 7);
      brush.fill();
    }
    drawn.points++;
  }
}

function paintMarks(first, last, marks) {
  const frame = (op, colour, width, back, dash) => {
    if (!isVisible(op)) return;
    const row = rowOfOperation(op);
    if (row < first || row >= last) return;
    let { left, right, top, height } = boxOf(op, row);
    if (right < GUTTER || left > size.width) return;
    if (right - left < 7) [left, right] = [left - 3, left + 4];
    brush.setLineDash(dash);
    brush.strokeStyle = colour;
    brush.lineWidth = width;
    if (back !== null) {
      brush.fillStyle = back;
      brush.fillRect(left, top, right - left, height);
    }
    brush.strokeRect(left, top - 0.5, right - left, height + 1);
    brush.setLineDash([]);
  };
  const from = eventAt(view.from);
  for (const op of visibleHits(marks.hits, from)) frame(op, style.hit, 2, null, []);
  for (const op of bystanders) frame(op, style.core, 1.5, null, [4, 3]);
  for (const op of core) frame(op, style.core, 2.5, style["core-back"], []);
  if (marks.pointed !== null) frame(marks.pointed, style.text, 1, null, []);
  if (marks.selected !== null) frame(marks.selected, style.selected, 2.5, null, []);
}

// Of the results those that may be in view, and of very many only some: a frame around everything says nothing.
function visibleHits(hits, from) {
  const until = firstIndex(0, hits.length, (at) => startOf(hits[at]) > view.to);
  const since = firstIndex(0, until, (at) => data.invoked[hits[at]] + 5000 >= from);
  return until - since > 2000 ? [] : hits.subarray(since, until);
}

function paintGutter(spans) {
  brush.fillStyle = style.back;
  brush.fillRect(0, 0, GUTTER, size.height);
  brush.fillStyle = style.faint;
  if (size.row < 11) return;
  brush.save();
  brush.beginPath();
  brush.rect(0, RULER, GUTTER, size.height);
  brush.clip();
  for (const [row, low, high] of spans) {
    const at = Math.min(low, scale.rows[row + 1] - 1);
    const one = processText(scale.members[at]);
    const other = high > low ? processText(scale.members[high - 1]) : one;
    let text = one === other ? `process ${one}` : `${one} … ${other}`;
    if (text.length > 12) text = one.length > 11 ? `…${one.slice(-10)}` : one === other ? one : `${one} …`;
    brush.fillText(text, 6, topOf(row) + size.row / 2);
  }
  brush.restore();
  brush.fillStyle = style.line;
  brush.fillRect(GUTTER - 1, RULER, 1, size.height);
}

// Which of the lanes are in view, where not all of them are.
function paintScroll() {
  if (scrollRoom() === 0) return;
  const shown = size.height - RULER;
  const all = rowCount() * size.row;
  brush.fillStyle = style.line;
  brush.fillRect(size.width - 5, RULER, 5, shown);
  brush.fillStyle = style.faint;
  brush.fillRect(size.width - 5, RULER + (view.scroll / all) * shown, 5, (shown / all) * shown);
}

// 1, 2 or 5 times a power of ten, at least `least`.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * 0.999);
}

const UNITS = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];

function duration(nanoseconds, step) {
  const [name, unit] = UNITS.findLast(([, unit]) => Math.max(step * 10, Math.abs(nanoseconds) / 1e3) >= unit) ?? UNITS[0];
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / unit))));
  return `${(nanoseconds / unit).toFixed(digits)} ${name}`;
}

function paintRuler() {
  brush.fillStyle = style.back;
  brush.fillRect(0, 0, size.width, RULER);
  brush.fillStyle = style.line;
  brush.fillRect(0, RULER - 1, size.width, 1);
  brush.fillStyle = style.faint;
  brush.fillText(scale.mode === "time" ? "time" : "event", 6, RULER / 2);
  let step = niceStep((view.to - view.from) / Math.max(2, fieldWidth() / 110));
  if (scale.mode === "order") step = Math.max(1, step);
  for (let position = Math.ceil(view.from / step) * step; position <= view.to; position += step) {
    const x = pixelOf(position);
    const text =
      scale.mode === "time" ? duration(position, step) : (scale.key === null ? position : eventAt(position)).toLocaleString("en");
    brush.fillStyle = style.line;
    brush.fillRect(x, RULER - 6, 1, 6);
    brush.fillStyle = style.faint;
    if (x + text.length * 6 < size.width) brush.fillText(text, x + 4, RULER / 2);
  }
  for (const op of core) {
    if (!isVisible(op)) continue;
    const x = (pixelOf(startOf(op)) + pixelOf(endOf(op))) / 2;
    if (x < GUTTER) continue;
    brush.fillStyle = style.core;
    brush.beginPath();
    brush.moveTo(x - 5, RULER - 8);
    brush.lineTo(x + 5, RULER - 8);
    brush.lineTo(x, RULER);
    brush.fill();
  }
}
