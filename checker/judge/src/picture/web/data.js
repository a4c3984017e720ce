// Reads what encode.rs wrote. After this, operations are rows of typed arrays, and their numbers are those of the history.

// What goes wrong is said where the picture would be, not only on a console that nobody has open.
addEventListener("error", (event) => {
  const note = document.createElement("p");
  note.id = "failed";
  note.className = "reason";
  note.textContent = `The picture cannot be drawn: ${event.message}`;
  document.querySelector("header").after(note);
});

const meta = JSON.parse(document.getElementById("meta").textContent);
const total = meta.operations;
const NONE = 0xffffffff;

const timing = { started: performance.now() };

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return bytes;
}

function checkWhole(bytes) {
  let sum = 0x811c9dc5;
  for (let at = 0; at < bytes.length; at++) sum = Math.imul(sum ^ bytes[at], 0x01000193);
  if (sum >>> 0 !== meta.checksum) throw new Error("the data of this page are damaged");
}

const data = {
  shape: new Uint32Array(total),
  lane: new Uint32Array(total),
  process: new Uint32Array(total),
  // A process on its lane; when another takes the lane, a new strand begins.
  strand: new Uint32Array(total),
  invoked: new Uint32Array(total),
  // NONE for an operation that is still open when the history stops.
  completed: new Uint32Array(total),
  key: new Uint32Array(total),
  // Of operations that name several keys, the numbers of all.
  keys: new Map(),
  // Three slots each: an integer, or NaN and the number of a string.
  integers: new Float64Array(3 * total),
  strings: new Uint32Array(3 * total),
  // Nanoseconds after the first; NaN where there is none.
  timeInvoked: new Float64Array(total).fill(NaN),
  timeCompleted: new Float64Array(total).fill(NaN),
  // The gap after which event; NONE for an operation that is in no linearization.
  gap: new Uint32Array(total).fill(NONE),
  rank: new Uint32Array(total),
  strands: 0,
  // Of the events in their file; null where they just follow each other.
  lines: null,
};

function decode(bytes) {
  let at = 0;
  const number = () => {
    let byte = bytes[at++];
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let factor = 0x80; ; factor *= 0x80) {
      byte = bytes[at++];
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  const unfold = (value) => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);
  const slots = meta.shapes.map((shape) => shape.template.filter((part) => part === null).length);
  const open = meta.shapes.map((shape) => shape.ending === "open");
  const many = meta.shapes.map((shape) => shape.many_keys);
  const onLane = new Uint32Array(meta.lanes);
  const strandOn = new Uint32Array(meta.lanes);
  const integers = [0, 0, 0];
  let invoked = 0;
  let time = 0;
  for (let op = 0; op < total; op++) {
    const head = number();
    const bits = head % 8;
    const shape = (head - bits) / 8;
    const lane = number();
    if (bits & 1) {
      onLane[lane] = number();
      strandOn[lane] = data.strands++;
    }
    data.shape[op] = shape;
    data.lane[op] = lane;
    data.process[op] = onLane[lane];
    data.strand[op] = strandOn[lane];
    invoked += unfold(number());
    data.invoked[op] = invoked;
    data.completed[op] = open[shape] ? NONE : invoked + number();
    if (many[shape]) {
      const keys = [];
      for (let left = number(); left > 0; left--) keys.push(number());
      data.keys.set(op, keys);
      data.key[op] = keys.length === 1 ? keys[0] : NONE;
    } else {
      data.key[op] = number();
    }
    for (let slot = 0; slot < slots[shape]; slot++) {
      const value = number();
      if (value % 2 === 0) {
        integers[slot] += unfold(value / 2);
        data.integers[3 * op + slot] = integers[slot];
      } else {
        data.integers[3 * op + slot] = NaN;
        data.strings[3 * op + slot] = (value - 1) / 2;
      }
    }
    if (bits & 2) data.timeInvoked[op] = time += unfold(number());
    if (bits & 4) data.timeCompleted[op] = time + unfold(number());
    const gap = number();
    if (gap > 0) {
      data.gap[op] = invoked + gap - 1;
      data.rank[op] = number();
    }
  }
  if (meta.lines === "stream") {
    let line = 0;
    data.lines = Uint32Array.from({ length: meta.events }, () => (line += unfold(number())));
  }
}

{
  const block = document.getElementById("operations");
  const bytes = bytesOf(block.textContent);
  // Twenty megabytes that are not needed twice.
  block.remove();
  checkWhole(bytes);
  timing.unpacked = performance.now();
  decode(bytes);
  timing.decoded = performance.now();
}

const core = new Set(meta.core);
const bystanders = new Set(meta.bystanders);

const endingOf = (op) => meta.shapes[data.shape[op]].ending;
const functionOf = (op) => meta.shapes[data.shape[op]].function;

function textOf(op) {
  let slot = 3 * op;
  let text = "";
  for (const part of meta.shapes[data.shape[op]].template) {
    if (part !== null) {
      text += part;
    } else {
      text += Number.isNaN(data.integers[slot]) ? meta.strings[data.strings[slot]] : data.integers[slot];
      slot++;
    }
  }
  return text;
}

const keysOf = (op) => data.keys.get(op) ?? [data.key[op]];
const keyText = (op) => keysOf(op).map((key) => meta.keys[key]).join(", ");
const processText = (op) => meta.processes[data.process[op]];
const lineOf = (event) => (data.lines === null ? event + meta.lines.from : data.lines[event]);

// How many share each gap, so that they can be spread over it.
const inGap = new Uint32Array(meta.events + 1);
for (let op = 0; op < total; op++) if (data.gap[op] !== NONE) inGap[data.gap[op]]++;

// Operations of the linearization, in its order: gaps in order of events, in each the ranks.
const linearization = (() => {
  const starts = new Uint32Array(meta.events + 2);
  for (let event = 0; event <= meta.events; event++) starts[event + 1] = starts[event] + inGap[event];
  const order = new Uint32Array(starts[meta.events + 1]).fill(NONE);
  for (let op = 0; op < total; op++) {
    if (data.gap[op] === NONE) continue;
    let place = starts[data.gap[op]] + data.rank[op];
    // Ranks are unique, but for histories that two keys of one event make strange.
    while (order[place] !== NONE) place = (place + 1) % order.length;
    order[place] = op;
  }
  return order;
})();
const placeOf = (() => {
  const places = new Uint32Array(total).fill(NONE);
  linearization.forEach((op, place) => (places[op] = place));
  return places;
})();

// The time of each event, in nanoseconds after the first; never decreasing, and where none was recorded, that of the
// event before. Null where there are no times at all.
const eventTimes = (() => {
  if (meta.time_base === null) return null;
  const times = new Float64Array(meta.events + 1).fill(NaN);
  for (let op = 0; op < total; op++) {
    times[data.invoked[op]] = data.timeInvoked[op];
    if (data.completed[op] !== NONE) times[data.completed[op]] = data.timeCompleted[op];
  }
  let latest = 0;
  for (let event = 0; event <= meta.events; event++) {
    if (times[event] > latest) latest = times[event];
    times[event] = latest;
  }
  return times;
})();
