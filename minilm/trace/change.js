/* Change a number: the leaves of a small step-through become fields, and what is computed from them is computed again, forward and
   backward (ops.js), from the same record; the numbers and pictures on the page follow (shown.js). step.js calls `changing` with what it
   has built. Nothing is offered where the recomputation does not give the very numbers that the page shows. */

/* The record run again with these leaves: the tape, and for each step what arrived and what it added. */
function recompute(record, steps, leaves) {
  const tape = new Tape(record.f === 32 ? Math.fround : null), pending = [], sums = [], arrivals = [];
  Object.keys(leaves).forEach((v) => tape.leaf(leaves[v], +v));
  record.c.forEach(([op, inputs, params, outputs]) => tape.call(op, inputs.map((i) => Array.isArray(i) ? {number: i[0]} : i), params, outputs));
  const add = (list, v, g) => { list[v] = tape.rounded(add2(list[v], g)); };
  const back = steps.map(([kind, , call, changes], step) => {
    if (kind === 0) return null;
    if (kind === 1) { /* a gradient from outside */
      const v = changes[0][0], given = record.s[step] ? numbersOf(record.s[step]) : filled(tape.values[v].shape, 1);
      add(pending, v, given); add(sums, v, given);
      return {arrived: [given], parts: [{value: v, total: sums[v]}]};
    }
    const arrived = tape.calls[call].outputs.map((v) => { const g = pending[v] ?? null; pending[v] = undefined; if (g) arrivals[v] = g; return g; });
    const parts = tape.back(call, arrived).map((c, position) => c && {...c, position: position}).filter((c) => c && changes.some((x) => x[0] === c.value));
    parts.forEach((c) => { add(pending, c.value, c.grad); add(sums, c.value, c.grad); c.total = sums[c.value]; });
    return {arrived: arrived, parts: parts};
  });
  return {tape: tape, back: back, arrivals: arrivals, sums: sums};
}
function numbersOf(x) { return {shape: x.shape, data: Float64Array.from(x.data, Number), truth: x.truth}; }
/* The derivatives of one output of a call by one input: a row for each number of the output. */
function jacobian(tape, call, position, output) {
  const {outputs, given} = tape.calls[call], ys = outputs.map((v) => tape.values[v]), x = given[position], rows = [];
  for (let j = 0; j < ys[output].data.length; j += 1) {
    const grads = ys.map((y) => filled(y.shape, 0));
    grads[output].data[j] = 1;
    rows.push(tape.back(call, grads)[position]?.grad.data ?? new Float64Array(x.data.length));
  }
  return rows;
}
/* The gradient of one number as a sum over paths (explain.py): the path with the largest part grows first, while there is room. */
function pathsOf(run, steps, value, flat, limit) {
  const uses = {}, known = {}, {tape, sums} = run, seeds = {};
  run.back.forEach((b, step) => {
    if (b && steps[step][0] === 1) seeds[b.parts[0].value] = add2(seeds[b.parts[0].value], b.arrived[0]);
    else if (b) b.parts.forEach((c) => { const list = uses[c.value] ??= [], call = steps[step][2]; if (!list.some((u) => u[0] === call && u[1] === c.position)) list.push([call, c.position]); });
  });
  const path = (stops, factors, g, complete) => ({stops: stops, factors: factors, arrived: g, part: factors.reduce((a, b) => a * b, 1) * g, complete: complete});
  let paths = [path([[value, flat]], [], sums[value].data[flat], !uses[value])];
  for (;;) {
    const growing = paths.filter((p) => !p.complete);
    if (!growing.length) break;
    const best = growing.reduce((a, b) => Math.abs(b.part) > Math.abs(a.part) ? b : a), [v, at] = best.stops[best.stops.length - 1], longer = [];
    for (const [call, position] of uses[v]) for (const [k, out] of tape.calls[call].outputs.entries()) {
      if (!sums[out]) continue;
      if (tape.values[out].data.length * tape.values[v].data.length > 4096) return null;
      const rows = known[[call, position, k]] ??= jacobian(tape, call, position, k);
      rows.forEach((row, j) => { if (row[at]) longer.push(path([...best.stops, [out, j]], [...best.factors, row[at]], sums[out].data[j], !uses[out])); });
    }
    if (seeds[v]) longer.push(path(best.stops, best.factors, seeds[v].data[at], true));
    if (paths.length - 1 + longer.length > limit) break;
    paths = [...paths.filter((p) => p !== best), ...longer];
  }
  return paths.sort((a, b) => Math.abs(b.part) - Math.abs(a.part));
}
/* [0, 1] for the second number of a matrix. */
function indexOf(shape, flat) { return shape.map((n, k) => Math.floor(flat / shape.slice(k + 1).reduce((a, b) => a * b, 1)) % n); }
function indexed(name, shape, flat) { return (name.includes(" ") ? "(" + name + ")" : name) + (shape.length ? "[" + indexOf(shape, flat).join(", ") + "]" : ""); }

function changing(page) {
  const {root, data: D, all, one, make, draw} = page, R = D.r, original = {}, leaves = {};
  const copy = (x) => ({...x, data: x.data.slice()}), held = R.f === 32 ? Math.fround : (x) => x;
  Object.keys(R.l).forEach((v) => { original[v] = numbersOf(R.l[v].x); original[v].data = original[v].data.map(held); leaves[v] = copy(original[v]); });
  const floats = (v) => R.l[v] ? !!R.l[v].x.f : !R.i?.includes(v);
  const open = Object.keys(R.l).filter((v) => R.l[v].x.f && original[v].data.every(Number.isFinite));
  const index = Array.from(document.querySelectorAll(".mlstep[data-mlstep]")).indexOf(root) + 1;

  /* -- the places on the page: data-n says what each shows -- */
  const places = all("[data-n]").map((e) => ({e: e, source: e.dataset.n, step: page.items.indexOf(e.closest(".steps>li")), scope: e.closest("section")?.dataset.s}));
  let run = recompute(R, D.t, leaves);
  function local(call, {position, value}) {
    const {tape} = run, y = tape.values[tape.calls[call].outputs[0]], x = tape.values[value];
    if (R.c[call][4]) {
      const each = tape.back(call, [filled(y.shape, 1)])[position].product;
      if (each.data.length === y.data.length) return each;
    }
    return {shape: [y.data.length, x.data.length], data: Float64Array.from(jacobian(tape, call, position, 0).flatMap((row) => Array.from(row)))};
  }
  function find({source, step, scope}) {
    const kind = source[0], k = +source.slice(1), b = run.back[step];
    if (kind === "v") return run.tape.values[k];
    if (kind === "a") return b.arrived[k];
    if (kind === "w") return run.tape.calls[D.t[step][2]].saved[0];
    if (kind === "g") return run.arrivals[k];
    if (kind === "s") return run.back.flatMap((c, i) => c && D.t[i][0] === 2 && page.inside(D.t[i][1]).includes(+scope) ? c.parts.filter((p) => p.value === k) : []).reduce((a, p) => add2(a, p.grad), null);
    return kind === "l" ? local(D.t[step][2], b.parts[k]) : b.parts[k][{p: "product", c: "grad", t: "total"}[kind]];
  }

  /* -- writing -- */
  const tiles = [], numbers = {};
  function picture(key, x, signed) { /* the picture's number on the sheet, which stays */
    const k = numbers[key] ??= tiles.length;
    tiles[k] = tile(x, signed);
    return k;
  }
  function cells({e}, x) { return e.tagName === "B" ? [e] : Array.from(e.querySelectorAll("td")).slice(-x.data.length); }
  function write(place, x) {
    if (place.e.tagName === "I") {
      const rest = place.e.nextSibling, [head] = rest.data.split(", "), means = place.means ??= rest.data.includes(", mean");
      place.e.style.setProperty("--y", 12 * picture(place.source + (place.source[0] === "v" ? "" : "@" + (place.scope ?? place.step)), x, true));
      rest.data = head + ", " + (means ? spread(x) : spread(x).split(", mean")[0]) + (place.tail ??= rest.data.endsWith(" ") ? " " : "");
      return;
    }
    cells(place, x).forEach((cell, k) => {
      const text = number(x.data[k]);
      if (cell.textContent === text) return;
      cell.textContent = "";
      if (Number.isFinite(x.data[k])) cell.textContent = text; else make("mark", "", text, cell);
    });
  }
  function render() {
    places.forEach((place) => write(place, find(place)));
    run.tape.values.forEach((x, v) => {
      if (x.data.length > 2) { if (v in D.v) D.v[v] = picture("v" + v, x, floats(v)); }
      else if (page.texts[v] !== undefined && floats(v)) page.texts[v] = inBox(x);
    });
    D.t.forEach((t, step) => { if (t[0]) run.back[step].parts.forEach((c, k) => { t[3][k][1] = c.total.data.length > 2 ? picture("t" + k + "@" + step, c.total, true) : inBox(c.total, "∂ "); }); });
    D.p = tiles.map((each) => [each.w, each.h]);
    D.changed = true;
    page.redraw(tiles.length ? sheet() : "");
  }
  function sheet() {
    const canvas = document.createElement("canvas"), paint = canvas.getContext("2d");
    canvas.width = 24; canvas.height = 12 * tiles.length;
    const image = paint.createImageData(24, canvas.height);
    tiles.forEach(({w, pixels}, k) => pixels.forEach((color, i) => {
      const at = 4 * ((12 * k + Math.floor(i / w)) * 24 + i % w);
      for (let c = 0; c < 3; c += 1) image.data[at + c] = parseInt(R.p.substr(6 * color + 2 * c, 2), 16);
      image.data[at + 3] = 255;
    }));
    paint.putImageData(image, 0, 0);
    const address = canvas.toDataURL();
    root.style.setProperty("--sheet", "url(" + address + ")");
    root.style.setProperty("--high", canvas.height + "px");
    return address;
  }

  /* -- does it give what the page shows? -- */
  function agrees() {
    const size = Math.max(...run.tape.values.concat(run.sums.filter((x) => x)).map((x) => x.data.reduce((a, b) => Number.isFinite(b) ? Math.max(a, Math.abs(b)) : a, 0)));
    const least = size * (R.f === 32 ? 1e-5 : 1e-12), read = (text) => Number(text.replace("−", "-").replace("inf", "Infinity"));
    return places.every((place) => {
      const x = find(place);
      return x && (place.e.tagName === "I" || cells(place, x).every((cell, k) => {
        const [a, b] = [cell.textContent, number(x.data[k])].map((text) => read(text.trim()));
        return Object.is(a, b) || Math.abs(a - b) <= Math.max(least, 2e-3 * Math.abs(a));
      }));
    });
  }
  try { if (!open.length || !agrees()) return; } catch (error) { return; }

  /* -- the fields -- */
  const button = make("button", "", "Change a number", page.bar), panel = make("div", "change"), fields = [];
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  page.bar.insertBefore(button, one(".msg", page.bar));
  page.stage.parentNode.insertBefore(panel, page.stage);
  root.classList.add("movable");
  panel.hidden = true;
  panel.setAttribute("role", "group");
  panel.setAttribute("aria-label", "change a number");
  make("p", "hint", "Drag a number to the side, type another, or press ↑ ↓ (0.1; with Shift 1, with Alt 0.01). All that is computed from it follows.", panel);
  const both = make("div", "both", "", panel), list = make("div", "q", "", both), graph = draw("svg", {"class": "curve", viewBox: "0 0 300 150", role: "img"}, both);
  const said = make("p", "said", "", panel), words = make("div", "bar", "", panel), undo = make("button", "", "Put this number back", words), reset = make("button", "", "Reset all", words);
  said.setAttribute("aria-live", "polite");
  undo.type = reset.type = "button";
  const more = make("details", "paths", "", panel);
  let chosen = null, waiting = 0, curve = {};
  make("summary", "", "its gradient as a sum over paths", more);
  const table = make("div", "", "", more);

  open.forEach((v) => {
    const {n: name, r: rows, k: columns} = R.l[v], {shape, data} = original[v], box = make("span", "f", name, list), matrix = make("table", "x", "", box);
    const wide = shape.length ? shape[shape.length - 1] : 1, upright = shape.length === 1 && R.u;
    matrix.setAttribute("role", "presentation");
    let row;
    data.forEach((_, flat) => {
      if (upright || flat % wide === 0) row = make("tr", "", "", matrix);
      const at = indexOf(shape, flat).map((i) => i + 1), field = make("input", "", "", make("td", "", "", row));
      const [down, across] = [rows?.[at[at.length - 2] - 1] ?? at[at.length - 2], columns?.[at[at.length - 1] - 1] ?? at[at.length - 1]];
      field.setAttribute("aria-label", name + (shape.length === 0 ? "" : shape.length === 1 ? ", number " + across : shape.length === 2 ? ", row " + down + ", column " + across : ", place " + at.join(", ")));
      field.type = "text"; field.autocomplete = "off"; field.spellcheck = false;
      field.setAttribute("role", "spinbutton");
      fields.push(listen({e: field, v: v, flat: flat}));
    });
  });
  function value(f) { return leaves[f.v].data[f.flat]; }
  function exact(x) { /* in as few digits as say which number it is */
    for (let digits = 6; digits < 17; digits += 1) if (held(Number(x.toPrecision(digits))) === x) return Number(x.toPrecision(digits));
    return x;
  }
  function label(f) {
    f.e.value = number(value(f));
    f.e.setAttribute("aria-valuenow", exact(value(f)));
    f.e.setAttribute("aria-valuetext", f.e.value);
    f.e.removeAttribute("aria-invalid");
    f.e.classList.toggle("moved", value(f) !== original[f.v].data[f.flat]);
  }
  function put(f, x) {
    leaves[f.v].data[f.flat] = held(x);
    follow();
  }
  function follow() { /* once for each frame, however fast a number moves */
    if (!waiting) waiting = requestAnimationFrame(() => {
      waiting = 0;
      run = recompute(R, D.t, leaves);
      render();
      tell();
      remember();
    });
  }
  function listen(f) {
    const field = f.e, near = (x) => Math.abs(x) < 1e-12 ? 0 : Number(x.toPrecision(12)), now = () => exact(value(f));
    field.addEventListener("focus", () => { chosen = f; tell(); });
    field.addEventListener("input", () => {
      const x = Number(field.value.trim().replace("−", "-").replace(",", ".")), good = field.value.trim() !== "" && Number.isFinite(x);
      field.setAttribute("aria-invalid", String(!good));
      if (!good) { said.textContent = "This is no number. Write one such as 0.5 or -2."; return; }
      put(f, x);
      field.classList.toggle("moved", value(f) !== original[f.v].data[f.flat]);
    });
    field.addEventListener("blur", () => { label(f); tell(); });
    field.addEventListener("keydown", (event) => {
      const way = {ArrowUp: 1, ArrowDown: -1}[event.key];
      if (!way || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      put(f, near(now() + way * (event.shiftKey ? 1 : event.altKey ? 0.01 : 0.1)));
      label(f);
    });
    let from = null;
    field.addEventListener("pointerdown", (event) => { if (event.button === 0) from = {x: event.clientX, value: now(), moved: false}; });
    field.addEventListener("pointermove", (event) => {
      if (!event.buttons) from = null;
      if (!from || (!from.moved && Math.abs(event.clientX - from.x) < 4)) return;
      if (!from.moved) { from.moved = true; field.setPointerCapture(event.pointerId); field.classList.add("drags"); chosen = f; }
      event.preventDefault();
      put(f, near(Math.round(100 * from.value + (event.clientX - from.x) * (event.shiftKey ? 10 : 1)) / 100));
      label(f);
    });
    ["pointerup", "pointercancel"].forEach((kind) => field.addEventListener(kind, () => {
      field.classList.remove("drags");
      from = null;
    }));
    label(f);
    return f;
  }
  panel.addEventListener("keydown", (event) => { event.stopPropagation(); });

  /* -- what is said of the chosen number -- */
  const losses = D.t.filter((t) => t[0] === 1).map((t) => t[3][0][0]), ends = R.c.flatMap((c) => c[3]).filter((v) => run.tape.values[v].data.length === 1);
  const end = losses.length ? losses[losses.length - 1] : ends[ends.length - 1], drawn = end !== undefined && run.tape.values[end].data.length === 1;
  function steepest() { /* the number that the loss follows most: the first to be looked at */
    const slope = (f) => Math.abs(run.sums[f.v]?.data[f.flat] ?? 0);
    return fields.reduce((a, b) => slope(b) > slope(a) ? b : a);
  }
  function tell() {
    const f = chosen ??= steepest(), name = indexed(R.l[f.v].n, original[f.v].shape, f.flat), g = run.sums[f.v]?.data[f.flat];
    said.textContent = name + " = " + number(value(f)) + (drawn ? ", " + R.e + " = " + number(run.tape.values[end].data[0]) : "") + (g === undefined ? "" : ", ∂L/∂" + name + " = " + number(g));
    undo.disabled = value(f) === original[f.v].data[f.flat];
    reset.disabled = fields.every((each) => value(each) === original[each.v].data[each.flat]);
    graph.style.display = drawn ? "" : "none";
    more.hidden = g === undefined;
    if (panel.hidden) return;
    if (drawn) trace(f, g);
    if (more.open && g !== undefined) sums(f, name);
  }
  function lossAt(f, x) {
    const moved = {...leaves, [f.v]: copy(leaves[f.v])}, tape = new Tape(R.f === 32 ? Math.fround : null);
    moved[f.v].data[f.flat] = x;
    Object.keys(moved).forEach((v) => tape.leaf(moved[v], +v));
    for (const [op, inputs, params, outputs] of R.c) {
      tape.call(op, inputs.map((i) => Array.isArray(i) ? {number: i[0]} : i), params, outputs);
      if (outputs.includes(end)) break;
    }
    return tape.values[end].data[0];
  }
  /* The loss against this number, a dot where it stands, and the tangent there, whose slope is the gradient. */
  function trace(f, g) {
    const x = value(f), home = original[f.v].data[f.flat], reach = 2 * 2 ** Math.max(0, Math.ceil(Math.log2(Math.abs(x - home) / 2 || 1)));
    const others = fields.map((each) => each === f ? "" : value(each)).join(), key = [fields.indexOf(f), reach, others].join("|");
    if (curve.key !== key) {
      const points = Array.from({length: 61}, (_, k) => { const at = home + reach * (k / 30 - 1); return [at, lossAt(f, at)]; });
      const good = points.map((p) => p[1]).filter(Number.isFinite);
      curve = {key: key, points: points, low: Math.min(...good), high: Math.max(...good)};
    }
    const {points, low, high} = curve, span = high - low || 1, y = run.tape.values[end].data[0];
    const px = (a) => 8 + 284 * (a - home + reach) / (2 * reach), py = (b) => 128 - 108 * (b - low) / span;
    graph.textContent = "";
    graph.setAttribute("aria-label", R.e + " against " + indexed(R.l[f.v].n, original[f.v].shape, f.flat) + ", from " + number(home - reach) + " to " + number(home + reach) + ": between " + number(low) + " and " + number(high));
    draw("path", {"class": "axis", d: "M8 132h284"}, graph);
    let d = "";
    points.forEach(([a, b], k) => { if (Number.isFinite(b)) d += (k && Number.isFinite(points[k - 1][1]) ? "L" : "M") + px(a).toFixed(1) + " " + py(b).toFixed(1); });
    draw("path", {"class": "line", d: d}, graph);
    if (Number.isFinite(y)) {
      const half = 0.25 * reach;
      if (Number.isFinite(g)) draw("path", {"class": "slope", d: "M" + px(x - half).toFixed(1) + " " + py(y - g * half).toFixed(1) + "L" + px(x + half).toFixed(1) + " " + py(y + g * half).toFixed(1)}, graph);
      draw("circle", {cx: px(x).toFixed(1), cy: py(y).toFixed(1), r: 4.5}, graph);
    }
    [[8, 146, number(home - reach), "start"], [292, 146, number(home + reach), "end"], [8, 14, number(high), "start"], [150, 146, R.e + (low === high ? "" : ", from " + number(low)), "middle"]].forEach(([cx, cy, text, anchor]) => {
      draw("text", {x: cx, y: cy, style: "text-anchor:" + anchor}, graph).textContent = text;
    });
  }
  function sums(f, name) {
    const paths = pathsOf(run, D.t, +f.v, f.flat, 12), total = paths?.reduce((a, p) => a + p.part, 0), top = paths && Math.max(...paths.map((p) => Math.abs(p.part))) || 1;
    table.textContent = "";
    if (!paths) { make("p", "", "There are too many numbers on its way to follow them one by one.", table); return; }
    const grid = make("tbody", "", "", make("table", "g", "", table)), line = (...texts) => { const tr = make("tr", "", "", grid); return texts.map((text, k) => make(k && grid.rows.length > 1 ? "td" : "th", "", text, tr)); };
    line("path", "factors", "part", "share");
    paths.forEach((p) => {
      const factor = (a) => a < 0 ? "(" + number(a) + ")" : number(a);
      const last = line(p.stops.map(([v, at]) => indexed(R.n[v], run.tape.values[v].shape, at)).join(" → ") + (p.complete ? "" : " → …"), [...p.factors, p.arrived].map(factor).join(" × "), number(p.part), "")[3];
      make("i", "share " + (p.part < 0 ? "minus" : "more"), "", last).style.width = Math.round(100 * Math.abs(p.part) / top) + "px";
      last.appendChild(document.createTextNode(p.part < 0 ? "−" : "+"));
    });
    line("sum = ∂L/∂" + name, "", number(total), "");
    if (paths.some((p) => !p.complete)) make("p", "", "A path that ends in … stands for all that go on from there.", table);
    page.scrollers();
  }
  more.addEventListener("toggle", () => { if (more.open) tell(); });

  /* -- the address: #steps1~W1:0.1=0.5~at=7, the first step-through of the page with one number changed, at step 7 -- */
  const ours = window.parent === window && !root.closest(".jp-OutputArea, .output_area, #notebook"), before = location.hash;
  const encode = (text) => encodeURIComponent(text).replace(/~/g, "%7E"), mine = "steps" + index + "~";
  let later = 0;
  function state() {
    const moved = fields.filter((f) => value(f) !== original[f.v].data[f.flat]);
    const parts = moved.map((f) => encode(R.l[f.v].n) + (original[f.v].shape.length ? ":" + indexOf(original[f.v].shape, f.flat).join(".") : "") + "=" + exact(value(f)));
    return moved.length ? mine + parts.join("~") + "~at=" + page.step() : "";
  }
  function remember() {
    if (!ours) return;
    clearTimeout(later);
    later = setTimeout(() => {
      const others = location.hash.slice(1).split("&").filter((part) => /^steps[0-9]+~/.test(part) && !part.startsWith(mine)), all = [...others, state()].filter((part) => part);
      const rest = /^#steps[0-9]+~/.test(before) ? "" : before;
      try { history.replaceState(history.state, "", all.length ? "#" + all.join("&") : location.pathname + location.search + rest); } catch (error) { /* a frame without an address of its own */ }
    }, 200);
  }
  function restore() {
    const part = location.hash.slice(1).split("&").find((each) => each.startsWith(mine));
    if (!ours || part === undefined) return;
    let step = null, unknown = 0;
    fields.forEach((f) => { leaves[f.v].data[f.flat] = original[f.v].data[f.flat]; });
    part.slice(mine.length).split("~").forEach((each) => {
      const [key, text] = each.split("="), [name, at] = key.split(":"), x = Number(text);
      if (key === "at") { step = x; return; }
      let told = name;
      try { told = decodeURIComponent(name); } catch (error) { /* not one of ours */ }
      const f = fields.find((each) => R.l[each.v].n === told && (at ?? "") === indexOf(original[each.v].shape, each.flat).join("."));
      if (f && text !== "" && Number.isFinite(x)) { leaves[f.v].data[f.flat] = held(x); chosen = f; } else unknown += 1;
    });
    fields.forEach(label);
    show(true);
    run = recompute(R, D.t, leaves);
    render();
    tell();
    if (step !== null) page.go(Math.max(0, Math.min(D.t.length - 1, Math.floor(step) || 0)));
    if (unknown) said.textContent += ". The address names " + unknown + " numbers that are not here.";
    root.scrollIntoView({block: "start"});
  }
  function show(opened) {
    panel.hidden = !opened;
    button.setAttribute("aria-expanded", String(opened));
    if (opened) { tell(); page.scrollers(); }
  }
  button.onclick = () => { show(panel.hidden); };
  undo.onclick = () => {
    const f = chosen;
    put(f, original[f.v].data[f.flat]);
    label(f);
    f.e.focus();
  };
  reset.onclick = () => {
    fields.forEach((f) => { leaves[f.v].data[f.flat] = original[f.v].data[f.flat]; label(f); });
    follow();
    fields[0].e.focus({preventScroll: true});
  };
  root.addEventListener("click", (event) => { /* a leaf in the drawing leads to its field */
    const box = event.target.closest(".n.parameter,.n.input"), f = box && fields.find((each) => "v" + each.v === box.dataset.k);
    if (!f) return;
    show(true);
    f.e.focus();
  });
  page.moves.push(() => { if (D.changed) remember(); });
  window.addEventListener("hashchange", restore);
  restore();
}
