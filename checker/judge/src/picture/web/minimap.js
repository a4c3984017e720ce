// The whole history in one strip: how many operations are under way, where the core, the results and the prefix are. The
// frame is what the lanes show, and can be dragged.

const minimap = document.getElementById("minimap");
const map = minimap.getContext("2d");
const MAP_HEIGHT = 46;
// Without frame; drawn again only when something else than the view has changed.
const backdrop = document.createElement("canvas");

const mapX = (position) => GUTTER + (position / scale.extent) * fieldWidth();
const mapPosition = (pixel) => ((pixel - GUTTER) / fieldWidth()) * scale.extent;

function paintBackdrop(hits) {
  for (const target of [minimap, backdrop]) {
    target.width = Math.round(size.width * size.ratio);
    target.height = Math.round(MAP_HEIGHT * size.ratio);
  }
  minimap.style.width = `${size.width}px`;
  minimap.style.height = `${MAP_HEIGHT}px`;
  const context = backdrop.getContext("2d");
  context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  context.fillStyle = style.stripe;
  context.fillRect(GUTTER, 0, fieldWidth(), MAP_HEIGHT);
  paintDensity(context);
  if (meta.prefix !== null) {
    const from = mapX(scale.place[Math.min(meta.prefix - 1, meta.events)]);
    context.fillStyle = style.wrong;
    context.fillRect(from, 0, size.width, MAP_HEIGHT);
  }
  const tick = (op, colour, width, top, height) => {
    if (!isVisible(op)) return;
    context.fillStyle = colour;
    context.fillRect(mapX((startOf(op) + endOf(op)) / 2) - width / 2, top, width, height);
  };
  for (const op of hits) tick(op, style.hit, 1.5, MAP_HEIGHT - 12, 12);
  for (const op of core) tick(op, style.core, 3, 0, MAP_HEIGHT);
  context.fillStyle = style.faint;
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillText("overview", 6, MAP_HEIGHT / 2);
}

// For each pixel, the mean number of operations under way, by function. Differences at both ends, then one sum.
function paintDensity(context) {
  const width = Math.max(1, Math.round(fieldWidth()));
  const functions = meta.functions.length;
  const shown = Math.min(functions, 12);
  const change = Array.from({ length: shown }, () => new Float32Array(width + 2));
  const { starts, ends, kinds } = scale;
  const perPixel = width / scale.extent;
  const step = (changes, x, by) => {
    const pixel = x | 0;
    changes[pixel] += by * (1 - (x - pixel));
    changes[pixel + 1] += by * (x - pixel);
  };
  for (let at = 0; at < starts.length; at++) {
    const changes = change[Math.min(kinds[at], shown - 1)];
    const left = starts[at] * perPixel;
    step(changes, left, 1);
    step(changes, Math.min(Math.max(ends[at] * perPixel, left + 1e-3), width), -1);
  }
  let most = 0;
  const sums = new Float32Array(width);
  for (const changes of change) {
    let sum = 0;
    for (let pixel = 0; pixel < width; pixel++) {
      sum += changes[pixel];
      changes[pixel] = sum;
      sums[pixel] += sum;
      most = Math.max(most, sums[pixel]);
    }
  }
  const unit = (MAP_HEIGHT - 6) / Math.max(most, 1e-9);
  const bottom = new Float32Array(width).fill(MAP_HEIGHT);
  change.forEach((changes, kind) => {
    context.fillStyle = style.functions[kind];
    context.globalAlpha = 0.6;
    for (let pixel = 0; pixel < width; pixel++) {
      const height = Math.max(0, changes[pixel]) * unit;
      bottom[pixel] -= height;
      if (height > 0) context.fillRect(GUTTER + pixel, bottom[pixel], 1, height);
    }
  });
  context.globalAlpha = 1;
}

function paintMinimap() {
  map.setTransform(1, 0, 0, 1, 0, 0);
  map.clearRect(0, 0, minimap.width, minimap.height);
  map.drawImage(backdrop, 0, 0);
  map.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  const left = mapX(view.from);
  const right = Math.max(mapX(view.to), left + 3);
  map.fillStyle = style.back;
  map.globalAlpha = 0.55;
  map.fillRect(GUTTER, 0, left - GUTTER, MAP_HEIGHT);
  map.fillRect(right, 0, size.width - right, MAP_HEIGHT);
  map.globalAlpha = 1;
  map.strokeStyle = style.text;
  map.lineWidth = 1.5;
  map.strokeRect(left, 1, right - left, MAP_HEIGHT - 2);
}

// Dragging the frame moves it; a press beside it brings it there first.
function dragMinimap(onMove) {
  let grip = null;
  const move = (event) => {
    const at = mapPosition(event.clientX - minimap.getBoundingClientRect().left);
    if (grip === null) grip = at >= view.from && at <= view.to ? at - view.from : (view.to - view.from) / 2;
    const span = view.to - view.from;
    look(at - grip, at - grip + span);
    onMove();
  };
  minimap.addEventListener("pointerdown", (event) => {
    minimap.setPointerCapture(event.pointerId);
    move(event);
  });
  minimap.addEventListener("pointermove", (event) => {
    if (grip !== null) move(event);
  });
  for (const end of ["pointerup", "pointercancel"]) minimap.addEventListener(end, () => (grip = null));
}
