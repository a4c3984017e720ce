// What of the history is there to be seen (one key or all), where it lies on the axis, and which part is in view.
// Positions are events or nanoseconds; pixels come later.

const scale = {
  mode: "order",
  key: null,
  // Position of each event, never decreasing. In the order of events of one key, the events of others take no room.
  place: new Float64Array(0),
  extent: 1,
  // Visible operations, lane by lane: those of row r are members[rows[r]] up to members[rows[r + 1]].
  members: new Uint32Array(0),
  rows: new Uint32Array(1),
  // Of each member, where it starts and ends, and its function: a million are gone through for a frame, in this order.
  starts: new Float64Array(0),
  ends: new Float64Array(0),
  kinds: new Uint16Array(0),
  // -1 where nothing is visible.
  rowOfStrand: new Int32Array(0),
  count: 0,
  // Of the visible operations, those in a linearization, in its order.
  linearization: new Uint32Array(0),
};

const view = { from: 0, to: 1, scroll: 0 };

const isVisible = (op) =>
  scale.key === null || data.key[op] === scale.key || (data.keys.has(op) && data.keys.get(op).includes(scale.key));

function rescale() {
  const there = scale.key === null ? null : new Uint8Array(meta.events + 1);
  const counts = new Uint32Array(data.strands);
  scale.count = 0;
  for (let op = 0; op < total; op++) {
    if (there !== null) {
      if (!isVisible(op)) continue;
      there[data.invoked[op]] = 1;
      if (data.completed[op] !== NONE) there[data.completed[op]] = 1;
    }
    counts[data.strand[op]]++;
    scale.count++;
  }
  const rows = assignRows(there !== null);
  scale.rows = new Uint32Array(rows + 1);
  counts.forEach((count, strand) => count > 0 && (scale.rows[scale.rowOfStrand[strand] + 1] += count));
  for (let row = 0; row < rows; row++) scale.rows[row + 1] += scale.rows[row];
  scale.members = new Uint32Array(scale.count);
  const next = scale.rows.slice();
  for (let op = 0; op < total; op++) {
    if (there === null || isVisible(op)) scale.members[next[rowOfOperation(op)]++] = op;
  }
  scale.linearization = there === null ? linearization : linearization.filter(isVisible);
  scale.place = new Float64Array(meta.events + 2);
  let place = 0;
  for (let event = 0; event <= meta.events; event++) {
    scale.place[event] = scale.mode === "time" ? eventTimes[event] : place;
    if (there === null || there[event]) place++;
  }
  const last = scale.place[meta.events];
  // What is open at the end fades out beyond it.
  scale.extent = Math.max(scale.mode === "time" ? last * 1.01 : last + 1, 1);
  scale.place[meta.events + 1] = scale.extent;
  arrange();
}

// Gives every strand with visible operations a row and returns how many rows there are. Of all operations, the rows are
// the lanes. Of one key, strands that do not overlap share rows: most processes use a key only for a while.
const FEW = 16;
function assignRows(filtered) {
  const first = new Uint32Array(data.strands).fill(NONE);
  const until = new Float64Array(data.strands);
  const lanes = new Uint32Array(data.strands);
  for (let op = 0; op < total; op++) {
    if (filtered && !isVisible(op)) continue;
    const strand = data.strand[op];
    if (first[strand] === NONE) first[strand] = data.invoked[op];
    until[strand] = data.completed[op] === NONE ? data.invoked[op] : data.completed[op];
    lanes[strand] = data.lane[op];
  }
  scale.rowOfStrand = new Int32Array(data.strands).fill(-1);
  const visible = Array.from(first.keys()).filter((strand) => first[strand] !== NONE);
  if (!filtered || new Set(visible.map((strand) => lanes[strand])).size <= FEW) {
    const used = [...new Set(visible.map((strand) => lanes[strand]))].sort((one, other) => one - other);
    const rowOf = new Map(used.map((lane, row) => [lane, row]));
    for (const strand of visible) scale.rowOfStrand[strand] = rowOf.get(lanes[strand]);
    return used.length;
  }
  const ends = [];
  visible.sort((one, other) => first[one] - first[other]);
  for (const strand of visible) {
    let row = ends.findIndex((end) => end < first[strand]);
    if (row === -1) row = ends.push(0) - 1;
    ends[row] = until[strand];
    scale.rowOfStrand[strand] = row;
  }
  return ends.length;
}

function arrange() {
  const functions = Uint16Array.from(meta.shapes, (shape) => shape.function);
  scale.starts = new Float64Array(scale.count);
  scale.ends = new Float64Array(scale.count);
  scale.kinds = new Uint16Array(scale.count);
  for (let at = 0; at < scale.count; at++) {
    const op = scale.members[at];
    scale.starts[at] = startOf(op);
    scale.ends[at] = endOf(op);
    scale.kinds[at] = functions[data.shape[op]];
  }
}

const rowCount = () => scale.rows.length - 1;
const startOf = (op) => scale.place[data.invoked[op]];
const endOf = (op) => (data.completed[op] === NONE ? startOf(op) : scale.place[data.completed[op]]);

function pointOf(op) {
  const gap = data.gap[op];
  const share = (data.rank[op] + 1) / (inGap[gap] + 1);
  return scale.place[gap] + share * (scale.place[gap + 1] - scale.place[gap]);
}

// The first index in [low, high) for which `holds`, which is false up to some index and true from there on.
function firstIndex(low, high, holds) {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

// The members of a row that are between two positions, or reach there.
function membersBetween(row, from, to) {
  const { starts, ends, rows } = scale;
  const low = firstIndex(rows[row], rows[row + 1], (at) => ends[at] >= from);
  const high = firstIndex(low, rows[row + 1], (at) => starts[at] > to);
  return [low, high];
}

const eventAt = (position) => Math.max(0, firstIndex(0, meta.events + 1, (event) => scale.place[event] > position) - 1);

// -1 for an operation that is not visible, and neither is any other of its strand.
const rowOfOperation = (op) => scale.rowOfStrand[data.strand[op]];

const leastSpan = () => Math.min(scale.extent, scale.mode === "time" ? Math.max(scale.extent * 1e-8, 20) : 4);

// Keeps the view within the history; a span that is too small or too large is mended around its middle.
function look(from, to) {
  const span = Math.min(Math.max(to - from, leastSpan()), scale.extent);
  const middle = (from + to) / 2;
  view.from = Math.min(Math.max(middle - span / 2, 0), scale.extent - span);
  view.to = view.from + span;
}

// Everything from the first to the last of `ops`, with some room around.
function lookAt(ops) {
  let from = Infinity;
  let to = -Infinity;
  for (const op of ops) {
    from = Math.min(from, startOf(op));
    to = Math.max(to, endOf(op));
  }
  const room = Math.max((to - from) * 0.25, scale.mode === "time" ? scale.extent * 1e-6 : 8);
  if (from <= to) look(from - room, to + room);
}
