// Which operations a text means.

// A predicate on operations. Integers are equal or not; of strings a part is enough.
function matcher(text, field) {
  const words = text.trim().toLowerCase();
  const number = /^[+-]?\d+$/.test(words) ? Number(words) : null;
  const part = (name) => name.toLowerCase().includes(words);
  const matching = (names, matches) => Uint8Array.from(names, (name) => (matches(name) ? 1 : 0));
  const any = field === "anything";
  const tests = [];
  if (number !== null && (any || field === "operation")) tests.push((op) => op === number);
  if (number !== null && field === "line") {
    tests.push((op) => lineOf(data.invoked[op]) === number);
    tests.push((op) => data.completed[op] !== NONE && lineOf(data.completed[op]) === number);
  }
  if (any || field === "process") {
    const processes = matching(meta.processes, (name) => name === words);
    tests.push((op) => processes[data.process[op]] === 1);
  }
  if (any || field === "key") {
    // A key that is a number is not meant by a part of it, nor a string key that is only digits.
    const exact = (name) => name === words || name.toLowerCase() === `"${words}"`;
    const keys = matching(meta.keys, (name) => (number === null ? part(name) : exact(name)));
    tests.push((op) => (data.keys.has(op) ? keysOf(op).some((key) => keys[key] === 1) : keys[data.key[op]] === 1));
  }
  if (any || field === "value") {
    const strings = matching(meta.strings, part);
    const slots = meta.shapes.map((shape) => shape.template.filter((piece) => piece === null).length);
    tests.push((op) => {
      for (let slot = 3 * op; slot < 3 * op + slots[data.shape[op]]; slot++) {
        const integer = data.integers[slot];
        if (Number.isNaN(integer) ? strings[data.strings[slot]] === 1 : integer === number) return true;
      }
      return false;
    });
  }
  if (any) {
    const shapes = matching(meta.shapes, (shape) => part(meta.functions[shape.function]) || shape.ending === words);
    if (number === null) tests.push((op) => shapes[data.shape[op]] === 1);
  }
  return (op) => tests.some((test) => test(op));
}

// Visible operations that `text` means, in order of invocation.
function search(text, field) {
  if (text.trim() === "") return new Uint32Array(0);
  const matches = matcher(text, field);
  const found = [];
  for (let op = 0; op < total; op++) if (isVisible(op) && matches(op)) found.push(op);
  return Uint32Array.from(found);
}
