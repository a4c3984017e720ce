// Starts the page. With #selftest it uses itself and writes what it saw into the page, for a browser without a screen.

window.sextant = {
  total,
  core: meta.core,
  bystanders: meta.bystanders,
  lanes: meta.lanes,
  timing,
  drawn: () => ({ ...drawn }),
  view: () => ({ ...view, extent: scale.extent, mode: scale.mode, visible: scale.count }),
  search: (text, field = "anything") => search(text, field).length,
  facts: (op) => Object.fromEntries(factsOf(op)),
};

const problems = [];
addEventListener("error", (event) => problems.push(event.message));
addEventListener("securitypolicyviolation", (event) => problems.push(`policy: ${event.violatedDirective}`));

function operationsAsRead(count) {
  const read = [];
  for (let op = 0; op < Math.min(total, count); op++) {
    const time = (value) => (Number.isNaN(value) ? null : recorded(value));
    read.push({
      process: processText(op),
      keys: keysOf(op).map((key) => meta.keys[key]),
      text: textOf(op),
      ending: endingOf(op),
      lines: [lineOf(data.invoked[op]), data.completed[op] === NONE ? null : lineOf(data.completed[op])],
      times: [time(data.timeInvoked[op]), time(data.timeCompleted[op])],
      place: placeOf[op] === NONE ? null : placeOf[op],
      lane: data.lane[op],
    });
  }
  return read;
}

// Every visible operation once, and in each row one after another: what the drawing searches rests on this.
function rowsAreSound() {
  const { members, rows, starts, ends } = scale;
  for (let row = 0; row < rowCount(); row++) {
    for (let at = rows[row]; at < rows[row + 1]; at++) {
      if (rowOfOperation(members[at]) !== row || !isVisible(members[at]) || ends[at] < starts[at]) return false;
      if (at > rows[row] && (starts[at] < ends[at - 1] || members[at] <= members[at - 1])) return false;
    }
  }
  return new Set(members).size === scale.count && rows[rowCount()] === scale.count;
}

// Milliseconds a frame, of panning from left to right at a zoom where `share` of the history is in view.
function frames(share) {
  const span = scale.extent * share;
  const began = performance.now();
  const count = 10;
  for (let frame = 0; frame < count; frame++) {
    look((frame / count) * (scale.extent - span), (frame / count) * (scale.extent - span) + span);
    paintNow();
    settle();
  }
  return (performance.now() - began) / count;
}

// What came of using the keyboard, the wheel, the pointer and the controls.
function used() {
  const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  const before = { ...view };
  press("+");
  const zoomed = view.to - view.from < before.to - before.from || before.to - before.from <= leastSpan();
  press("0");
  const whole = view.from === 0 && view.to === scale.extent;
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(
    new WheelEvent("wheel", { deltaY: -300, clientX: box.left + GUTTER + 50, clientY: box.top + RULER + 5, cancelable: true }),
  );
  const wheeled = view.to < scale.extent || scale.extent <= leastSpan();
  let pointed = null;
  if (total > 0) {
    select(0);
    paintNow();
    const shown = boxOf(0, rowOfOperation(0));
    pointed = operationAt((Math.max(shown.left, GUTTER) + Math.min(shown.right, size.width)) / 2, shown.top + 2);
  }
  element("theme").click();
  const turned = themeNow();
  element("theme").click();
  const keys = meta.keys.slice(0, 50).map((name, key) => {
    filter(name);
    return { name, visible: scale.count, right: scale.key === key && rowsAreSound(), rows: rowCount() };
  });
  const refused = filter("no such key, surely") === false;
  filter("");
  let ordered = true;
  if (eventTimes !== null) {
    setAxis("time");
    ordered = scale.members.every((op) => endOf(op) >= startOf(op));
    paintNow();
    setAxis("order");
  }
  whole && look(0, scale.extent);
  return { zoomed, whole, wheeled, pointed, turned, keys, refused, ordered };
}

function selftest(queries) {
  const result = { total, events: meta.events, lanes: meta.lanes, core: meta.core, prefix: meta.prefix, timing };
  result.first = { ...drawn };
  result.initial = { ...view };
  result.wholeFrame = frames(1);
  look(0, scale.extent);
  paintNow();
  result.whole = { ...drawn };
  result.halfFrame = frames(0.5);
  result.nearFrame = frames(Math.min(1, 2000 / scale.extent));
  result.near = { ...drawn };
  result.rowsAreSound = rowsAreSound();
  result.operations = operationsAsRead(3000);
  result.searches = queries.map(([field, text]) => {
    const began = performance.now();
    const found = search(text, field);
    return { field, text, count: found.length, first: [...found.slice(0, 5)], ms: performance.now() - began };
  });
  result.used = used();
  paintNow();
  result.pointsAscend = scale.linearization.every(
    (op, at) => at === 0 || pointOf(scale.linearization[at - 1]) < pointOf(op) || scale.place[data.gap[op]] === scale.place[data.gap[op] + 1],
  );
  result.pointsWithin = scale.linearization.every(
    (op) => pointOf(op) > startOf(op) && (endingOf(op) !== "ok" || pointOf(op) < endOf(op)),
  );
  result.problems = problems;
  return result;
}

start();
follow(location.hash);
if (location.hash.startsWith("#selftest")) {
  // #selftest=field:text,field:text
  const asked = decodeURIComponent(location.hash.split("=").slice(1).join("="));
  const queries = asked === "" ? [] : asked.split(",").map((query) => [query.slice(0, query.indexOf(":")), query.slice(query.indexOf(":") + 1)]);
  const report = make("pre");
  report.id = "selftest";
  try {
    report.textContent = JSON.stringify(selftest(queries));
  } catch (error) {
    report.textContent = JSON.stringify({ problems: [String(error), String(error.stack)] });
  }
  document.body.append(report);
}
