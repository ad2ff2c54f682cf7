/* The engine's small ops once more, in JavaScript: forward and backward, for pages that recompute without Python.

   An array is {shape: [2, 3], data: Float64Array}, in row-major order; truth values are 0 and 1 (and the
   array has truth: true), indices are numbers.
   OPS[name].forward(inputs, params) gives {values, saved}: `values` is a list (most ops have one). A missing input is null; the params
   are those of the engine after its checks, with defaults left out (of an index: {shape, places}, the places in the input's data).
   OPS[name].vjp(saved, grads) gives one gradient for each input, null where it has none; `grads` has one for each value, null where
   none arrived. Where an input was broadcast its gradient still has the shape of the value: `sumTo(gradient, shape)` undoes that.

   A Tape is a record, a list of calls on numbered arrays:
     const tape = new Tape(), w = tape.leaf(array([2], [1, 3])), [y] = tape.call("mul", [w, {number: 2}]), [loss] = tape.call("sum", [y]);
     tape.values[loss].data[0] is 8; tape.backward(loss)[w].data is [2, 2].

   This is a plain script: a page reads `minilmOps`, Node gets it from require(). html.py puts only those functions into a page that
   its ops need, so each stands at the left margin by itself. Comments have this form, and strings double quotes. */
(function () {
"use strict";

function count(shape) { return shape.reduce((n, size) => n * size, 1); }
function array(shape, data) { return {shape: shape, data: Float64Array.from(data)}; }
function filled(shape, value) { return {shape: shape, data: new Float64Array(count(shape)).fill(value)}; }
function shaped(x, shape) { return {shape: shape, data: x.data}; }
function sameShape(a, b) { return a.length === b.length && a.every((n, k) => n === b[k]); }

/* -- broadcasting: repeated on the way forward, summed on the way back ------------------------------------------------------ */

function joint(shapes) {
  const dims = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({length: dims}, (_, k) => {
    const sizes = shapes.map((s) => k + s.length - dims < 0 ? 1 : s[k + s.length - dims]);
    return sizes.find((n) => n !== 1) ?? 1;
  });
}
/* For each place of `to`, the place in an array of shape `from` that is repeated there. */
function places(from, to) {
  const steps = to.map(() => 0), found = new Int32Array(count(to)), lead = to.length - from.length, at = to.map(() => 0);
  for (let k = from.length - 1, step = 1; k >= 0; step *= from[k], k -= 1) steps[k + lead] = from[k] === 1 ? 0 : step;
  for (let i = 0, place = 0; i < found.length; i += 1) {
    found[i] = place;
    for (let k = to.length - 1; k >= 0; k -= 1) {
      at[k] += 1;
      place += steps[k];
      if (at[k] < to[k]) break;
      place -= steps[k] * to[k];
      at[k] = 0;
    }
  }
  return found;
}
function expanded(x, shape) {
  if (sameShape(x.shape, shape)) return x;
  return {shape: shape, data: Float64Array.from(places(x.shape, shape), (k) => x.data[k])};
}
function sumTo(x, shape) {
  if (sameShape(x.shape, shape)) return x;
  const total = filled(shape, 0), where = places(shape, x.shape);
  where.forEach((k, i) => { total.data[k] += x.data[i]; });
  return total;
}
/* f at each place of arrays that are broadcast together. */
function map(f, ...xs) {
  const shape = joint(xs.map((x) => x.shape)), all = xs.map((x) => expanded(x, shape).data);
  const y = filled(shape, 0);
  const [a, b, c] = all; /* spelled out for few: a page does this while a number is dragged */
  for (let i = 0; i < y.data.length; i += 1) {
    y.data[i] = all.length === 1 ? f(a[i]) : all.length === 2 ? f(a[i], b[i]) : all.length === 3 ? f(a[i], b[i], c[i]) : f(...all.map((data) => data[i]));
  }
  return y;
}
function add2(a, b) { return a === null || a === undefined ? b : map((x, y) => x + y, a, b); }

/* -- along axes: the axes that are joined stay, with size 1 ------------------------------------------------------------------ */

function axesOf(x, axis) {
  const n = x.shape.length, given = axis === undefined || axis === null ? x.shape.map((_, k) => k) : [].concat(axis);
  return given.map((k) => k < 0 ? k + n : k);
}
function kept(shape, axes) { return shape.map((n, k) => axes.includes(k) ? 1 : n); }
function reduced(x, axes, keepdims) { return keepdims ? x : shaped(x, x.shape.filter((_, k) => !axes.includes(k))); }
function total(x, axes) { return sumTo(x, kept(x.shape, axes)); }
function average(x, axes) {
  const n = axes.reduce((m, k) => m * x.shape[k], 1);
  return map((s) => n ? s / n : NaN, total(x, axes));
}
function extreme(x, axes, better) {
  const best = filled(kept(x.shape, axes), NaN), where = places(best.shape, x.shape), seen = best.data.map(() => 0);
  where.forEach((k, i) => {
    if (!seen[k] || better(x.data[i], best.data[k]) || x.data[i] !== x.data[i]) best.data[k] = x.data[i];
    seen[k] = 1;
  });
  return best;
}
function highest(x, axes) { return extreme(x, axes, (a, b) => a > b); }
function lastAxis(x) { return [x.shape.length - 1]; }

/* -- numbers moved: y_k = x_{i(k)}, and back ---------------------------------------------------------------------------------- */

function taken(x, where, shape) { return {shape: shape, data: Float64Array.from(where, (k) => x.data[k])}; }
function putBack(g, where, shape) {
  const x = filled(shape, 0);
  where.forEach((k, i) => { x.data[k] += g.data[i]; });
  return x;
}
/* The places of x in the order in which a transposed array has them. */
function transposed(shape, axes) {
  const to = axes.map((k) => shape[k]), steps = [], where = new Int32Array(count(shape));
  for (let k = shape.length - 1, step = 1; k >= 0; step *= shape[k], k -= 1) steps[k] = step;
  const inner = places([], to), at = to.map(() => 0);
  for (let i = 0; i < inner.length; i += 1) {
    where[i] = at.reduce((place, n, k) => place + n * steps[axes[k]], 0);
    for (let k = to.length - 1; k >= 0; k -= 1) {
      at[k] += 1;
      if (at[k] < to[k]) break;
      at[k] = 0;
    }
  }
  return {shape: to, where: where};
}
function swapLast(x) {
  const n = x.shape.length, order = x.shape.map((_, k) => k < n - 2 ? k : 2 * n - 3 - k), moved = transposed(x.shape, order);
  return taken(x, moved.where, moved.shape);
}
/* The places of part k of what is joined along an axis. */
function parts(shapes, axis) {
  const whole = shapes[0].slice(), inner = count(whole.slice(axis + 1)), outer = count(whole.slice(0, axis));
  whole[axis] = shapes.reduce((n, s) => n + s[axis], 0);
  let from = 0;
  const where = shapes.map((s) => {
    const size = s[axis] * inner, found = new Int32Array(outer * size);
    for (let i = 0; i < found.length; i += 1) found[i] = Math.floor(i / size) * whole[axis] * inner + from * inner + i % size;
    from += s[axis];
    return found;
  });
  return {shape: whole, where: where};
}

/* -- matrix products ----------------------------------------------------------------------------------------------------------- */

function product(a, b) {
  const [n, k] = a.shape.slice(-2), m = b.shape[b.shape.length - 1], lead = joint([a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  const y = filled([...lead, n, m], 0), left = places(a.shape.slice(0, -2), lead), right = places(b.shape.slice(0, -2), lead);
  left.forEach((p, batch) => {
    for (let i = 0; i < n; i += 1) for (let j = 0; j < m; j += 1) {
      let sum = 0;
      for (let c = 0; c < k; c += 1) sum += a.data[(p * n + i) * k + c] * b.data[(right[batch] * k + c) * m + j];
      y.data[(batch * n + i) * m + j] = sum;
    }
  });
  return y;
}

/* -- how an op is written ------------------------------------------------------------------------------------------------------- */

/* y = f(...x) at each place; a derivative is f'(y, ...x), by which the gradient that arrives is multiplied. */
function elementwise(f, ...derivatives) {
  return {
    forward(xs) { const y = map(f, ...xs); return {values: [y], saved: [y, xs]}; },
    vjp([y, xs], [g]) { return xs.map((_, i) => derivatives[i] ? map((h, ...all) => h * derivatives[i](...all), g, y, ...xs) : null); }
  };
}
/* The same, with functions that depend on the params. */
function withParams(make) {
  return {
    forward(xs, params) { const op = make(params), y = op.forward(xs); return {values: y.values, saved: [op, y.saved]}; },
    vjp([op, saved], gs) { return op.vjp(saved, gs); }
  };
}
/* y has the numbers of x at the places `where`. */
function moving(make) {
  return {
    forward([x, ...rest], params) {
      const {shape, where} = make(x.shape, params, ...rest);
      return {values: [taken(x, where, shape)], saved: [x.shape, where]};
    },
    vjp([shape, where], [g]) { return [putBack(g, where, shape)]; }
  };
}
/* Another shape for the same numbers. */
function reshaping(make) {
  return {
    forward([x], params) { return {values: [shaped(x, make(x.shape, params))], saved: x.shape}; },
    vjp(shape, [g]) { return [shaped(g, shape)]; }
  };
}
/* One number for many, along axes: y = f(x, axes, params), and g(saved, gradient spread over x). */
function reducing(f, back) {
  return {
    forward([x], params) {
      const axes = axesOf(x, params.axis), y = f(x, axes, params);
      return {values: [reduced(y, axes, params.keepdims)], saved: [x, y, axes, params]};
    },
    vjp([x, y, axes, params], [g]) { return [back(expanded(shaped(g, kept(x.shape, axes)), x.shape), x, y, axes, params)]; }
  };
}
/* A loss at each place, and its mean, its sum or nothing of the kind. */
function loss(f, ...derivatives) {
  return {
    forward(xs, params) {
      const given = xs.filter((x) => x), each = map(f, ...given), n = params.reduction === "sum" ? 1 : each.data.length;
      const y = params.reduction === "none" ? each : shaped(map((s) => s / n, total(each, axesOf(each))), []);
      return {values: [y], saved: [given, params.reduction === "none" ? 1 : n]};
    },
    vjp([xs, n], [g]) { return xs.map((_, i) => derivatives[i] ? map((h, ...all) => h / n * derivatives[i](...all), g, ...xs) : null); }
  };
}

const OPS = {};

/* -- arithmetic ---------------------------------------------------------------------------------------------------------------- */

OPS.add = elementwise((a, b) => a + b, () => 1, () => 1);
OPS.sub = elementwise((a, b) => a - b, () => 1, () => -1);
OPS.mul = elementwise((a, b) => a * b, (y, a, b) => b, (y, a) => a);
OPS.div = elementwise((a, b) => a / b, (y, a, b) => 1 / b, (y, a, b) => -y / b);
OPS.neg = elementwise((x) => -x, () => -1);
OPS.pow = elementwise((a, b) => a === 1 ? 1 : Math.abs(b) === 0.5 && a < 0 ? NaN : a ** b,
  (y, a, b) => b === 0 ? 0 : b * a ** (b - 1), (y, a, b) => a === 0 && b >= 0 ? 0 : y * Math.log(a));
OPS.abs = elementwise(Math.abs, (y, x) => Math.sign(x));
OPS.sqrt = elementwise(Math.sqrt, (y) => 1 / (2 * y));
OPS.exp = elementwise(Math.exp, (y) => y);
OPS.log = elementwise(Math.log, (y, x) => 1 / x);
OPS.sin = elementwise(Math.sin, (y, x) => Math.cos(x));
OPS.cos = elementwise(Math.cos, (y, x) => -Math.sin(x));
OPS.square = elementwise((x) => x * x, (y, x) => 2 * x);
OPS.reciprocal = elementwise((x) => 1 / x, (y) => -y * y);
OPS.rsqrt = elementwise((x) => 1 / Math.sqrt(x), (y) => -y * y * y / 2);
OPS.maximum = elementwise(Math.max, (y, a, b) => a < b ? 0 : a === b ? 0.5 : 1, (y, a, b) => b < a ? 0 : a === b ? 0.5 : 1);
OPS.minimum = elementwise(Math.min, (y, a, b) => a > b ? 0 : a === b ? 0.5 : 1, (y, a, b) => b > a ? 0 : a === b ? 0.5 : 1);
OPS.where = elementwise((c, a, b) => c ? a : b, null, (y, c) => c ? 1 : 0, (y, c) => c ? 0 : 1);
OPS.masked_fill = withParams((p) => elementwise((x, m) => m ? p.value : x, (y, x, m) => m ? 0 : 1, null));
OPS.clip = withParams(({low, high}) => elementwise((x) => Math.min(Math.max(x, low ?? -Infinity), high ?? Infinity),
  (y, x) => x >= (low ?? -Infinity) && x <= (high ?? Infinity) ? 1 : 0));

/* -- activations --------------------------------------------------------------------------------------------------------------- */

function logistic(x) { const e = Math.exp(-Math.abs(x)); return x < 0 ? e / (1 + e) : 1 / (1 + e); }
function softplusOf(x) { return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); }
/* A series whose terms are all positive: Abramowitz and Stegun, 7.1.6. */
function erfOf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, sum = x;
  for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n += 1) { term *= 2 * x * x / (2 * n + 1); sum += term; }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

OPS.tanh = elementwise(Math.tanh, (y) => 1 - y * y);
OPS.sigmoid = elementwise(logistic, (y) => y * (1 - y));
OPS.relu = elementwise((x) => Math.max(0, x), (y) => y === 0 ? 0 : 1);
OPS.leaky_relu = withParams(({negative_slope = 0.01}) => elementwise((x) => x > 0 ? x : negative_slope * x, (y, x) => x > 0 ? 1 : negative_slope));
OPS.silu = elementwise((x) => x * logistic(x), (y, x) => logistic(x) * (1 + x * (1 - logistic(x))));
OPS.softplus = withParams(({beta = 1}) => elementwise((x) => softplusOf(beta * x) / beta, (y, x) => logistic(beta * x)));
OPS.erf = elementwise(erfOf, (y, x) => 2 / Math.sqrt(Math.PI) * Math.exp(-x * x));
OPS.gelu = withParams(({approximate}) => {
  const c = Math.sqrt(2 / Math.PI), inner = (x) => c * (x + 0.044715 * x ** 3);
  return approximate === "tanh"
    ? elementwise((x) => x * logistic(2 * inner(x)),
        (y, x) => logistic(2 * inner(x)) + x * (1 - Math.tanh(inner(x)) ** 2) / 2 * c * (1 + 3 * 0.044715 * x * x))
    : elementwise((x) => x * (1 + erfOf(x / Math.SQRT2)) / 2,
        (y, x) => (1 + erfOf(x / Math.SQRT2)) / 2 + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI));
});
OPS.dropout = {
  forward([x], {p = 0, training}) {
    if (p !== 0 && training !== false) throw new Error("dropout: what is drawn at random is not drawn again");
    return {values: [x], saved: null};
  },
  vjp(_, gs) { return gs; }
};

/* -- numbers that are moved ---------------------------------------------------------------------------------------------------- */

OPS.reshape = reshaping((have, {shape}) => shape);
OPS.squeeze = reshaping((have, {axis}) => have.filter((n, k) => axis === undefined ? n !== 1 : ![].concat(axis).includes(k)));
OPS.unsqueeze = reshaping((have, {axis}) => [...have.slice(0, axis), 1, ...have.slice(axis)]);
OPS.transpose = moving((have, {axes}) => transposed(have, axes ?? have.map((_, k) => have.length - 1 - k)));
OPS.swapaxes = moving((have, {axis0, axis1}) => {
  const axes = have.map((_, k) => k), n = have.length, [i, j] = [axis0, axis1].map((k) => k < 0 ? k + n : k);
  [axes[i], axes[j]] = [axes[j], axes[i]];
  return transposed(have, axes);
});
OPS.expand = {
  forward([x], {shape}) { return {values: [expanded(x, shape)], saved: null}; },
  vjp(_, [g]) { return [g]; }
};
OPS.basic_index = moving((have, {shape, places}) => ({shape: shape, where: Int32Array.from(places)}));
OPS.advanced_index = moving((have, {shape, places}) => ({shape: shape, where: Int32Array.from(places)}));
OPS.embedding = {
  forward([weight, ids], {padding_idx}) {
    const width = weight.shape[1], shape = [...ids.shape, width], rows = Array.from(ids.data, (id) => Array.from({length: width}, (_, k) => id * width + k));
    return {values: [taken(weight, rows.flat(), shape)], saved: [weight.shape, rows, ids, padding_idx]};
  },
  vjp([shape, rows, ids, padding], [g]) {
    const counts = map((id, h) => id === padding ? 0 : h, shaped(ids, [...ids.shape, 1]), g);
    return [putBack(counts, Int32Array.from(rows.flat()), shape), null];
  }
};
OPS.embedding_grad = {
  forward([g, ids], {rows}) {
    const width = g.shape[g.shape.length - 1], where = Int32Array.from(g.data, (_, i) => ids.data[Math.floor(i / width)] * width + i % width);
    return {values: [putBack(g, where, [rows, width])], saved: [g.shape, where]};
  },
  vjp([shape, where], [g]) { return [taken(g, where, shape), null]; }
};
OPS.concat = {
  forward(xs, {axis = 0}) {
    const shapes = xs.map((x) => x.shape), {shape, where} = parts(shapes, axis < 0 ? axis + shapes[0].length : axis), y = filled(shape, 0);
    xs.forEach((x, k) => where[k].forEach((place, i) => { y.data[place] = x.data[i]; }));
    return {values: [y], saved: [shapes, where]};
  },
  vjp([shapes, where], [g]) { return shapes.map((shape, k) => taken(g, where[k], shape)); }
};
OPS.stack = {
  forward(xs, {axis = 0}) {
    const n = xs[0].shape.length + 1, at = axis < 0 ? axis + n : axis, one = [...xs[0].shape.slice(0, at), 1, ...xs[0].shape.slice(at)];
    const joined = OPS.concat.forward(xs.map((x) => shaped(x, one)), {axis: at});
    return {values: joined.values, saved: [xs[0].shape, joined.saved]};
  },
  vjp([shape, saved], gs) { return OPS.concat.vjp(saved, gs).map((g) => shaped(g, shape)); }
};
OPS.split = {
  forward([x], {sections, axis = 0}) {
    const at = axis < 0 ? axis + x.shape.length : axis, sizes = Array.isArray(sections) ? sections : Array(sections).fill(x.shape[at] / sections);
    const shapes = sizes.map((n) => [...x.shape.slice(0, at), n, ...x.shape.slice(at + 1)]), {where} = parts(shapes, at);
    return {values: shapes.map((shape, k) => taken(x, where[k], shape)), saved: [x.shape, where]};
  },
  vjp([shape, where], gs) {
    const x = filled(shape, 0);
    gs.forEach((g, k) => { if (g) where[k].forEach((place, i) => { x.data[place] = g.data[i]; }); });
    return [x];
  }
};
function triangle(x, keeps) {
  const [n, m] = x.shape.slice(-2);
  return {shape: x.shape, data: x.data.map((value, i) => keeps(i % m - Math.floor(i / m) % n) ? value : 0)};
}
OPS.tril = {
  forward([x], {k = 0}) { return {values: [triangle(x, (d) => d <= k)], saved: k}; },
  vjp(k, [g]) { return [triangle(g, (d) => d <= k)]; }
};
OPS.triu = {
  forward([x], {k = 0}) { return {values: [triangle(x, (d) => d >= k)], saved: k}; },
  vjp(k, [g]) { return [triangle(g, (d) => d >= k)]; }
};

/* -- sums and their kin -------------------------------------------------------------------------------------------------------- */

OPS.sum = reducing(total, (g) => g);
OPS.mean = reducing(average, (g, x, y) => map((h) => h * y.data.length / x.data.length, g));
function varianceOf(x, axes, {correction = 1}) {
  const n = x.data.length / (count(kept(x.shape, axes)) || 1), mean = average(x, axes);
  return map((s) => n > correction ? s / (n - correction) : NaN, total(map((a, m) => (a - m) ** 2, x, mean), axes));
}
function varianceBack(g, x, y, axes, {correction = 1}) {
  const n = x.data.length / (y.data.length || 1);
  return map((h, a, m) => n > correction ? 2 * h * (a - m) / (n - correction) : NaN, g, x, average(x, axes));
}
OPS.var = reducing(varianceOf, varianceBack);
OPS.std = reducing((x, axes, params) => map(Math.sqrt, varianceOf(x, axes, params)),
  (g, x, y, axes, params) => varianceBack(map((h, s) => s === 0 ? 0 : h / (2 * s), g, y), x, y, axes, params));
function tied(g, x, y, axes) {
  const chosen = map((a, b) => a === b ? 1 : 0, x, y);
  return map((h, c, n) => h / (n || NaN) * c, g, chosen, total(chosen, axes));
}
OPS.max = reducing(highest, tied);
OPS.min = reducing((x, axes) => extreme(x, axes, (a, b) => a < b), tied);
OPS.logsumexp = reducing((x, axes) => {
  const top = map((m) => Number.isFinite(m) ? m : 0, highest(x, axes)), most = highest(x, axes);
  return map((m, t, s) => Number.isFinite(m) ? m + Math.log(s) : m, most, top, total(map((a, t) => Math.exp(Math.min(a - t, 0)), x, top), axes));
}, (g, x, y) => map((h, a, b) => h * Math.exp(a - (b === -Infinity ? 0 : b === Infinity ? NaN : b)), g, x, y));
OPS.cumsum = {
  forward([x], {axis}) {
    const y = {shape: x.shape, data: x.data.slice()}, at = axis < 0 ? axis + x.shape.length : axis, inner = count(x.shape.slice(at + 1));
    for (let i = 0; i < y.data.length; i += 1) if (Math.floor(i / inner) % x.shape[at]) y.data[i] += y.data[i - inner];
    return {values: [y], saved: at};
  },
  vjp(at, [g]) {
    const x = {shape: g.shape, data: g.data.slice()}, inner = count(g.shape.slice(at + 1));
    for (let i = x.data.length - 1; i >= 0; i -= 1) if (Math.floor(i / inner) % g.shape[at] < g.shape[at] - 1) x.data[i] += x.data[i + inner];
    return [x];
  }
};

/* -- softmax and the norms: rows ----------------------------------------------------------------------------------------------- */

function softmaxOf(x, axes) {
  const e = map((a, m) => Math.exp(m === -Infinity ? a : a - m), x, highest(x, axes));
  return map((a, s) => s === 0 ? 0 : a / s, e, total(e, axes));
}
function softmaxBack(g, y, axes) { return map((h, p, s) => p * (h - s), g, y, total(map((h, p) => h * p, g, y), axes)); }
function logSoftmaxOf(x, axes) {
  const z = map((a, m) => m === -Infinity ? a : a - m, x, highest(x, axes));
  return map((a, s) => s === 0 ? -Infinity : a - Math.log(s), z, total(map(Math.exp, z), axes));
}
OPS.softmax = {
  forward([x], {axis = -1}) { const axes = axesOf(x, axis), y = softmaxOf(x, axes); return {values: [y], saved: [y, axes]}; },
  vjp([y, axes], [g]) { return [softmaxBack(g, y, axes)]; }
};
OPS.log_softmax = {
  forward([x], {axis = -1}) { const axes = axesOf(x, axis), y = logSoftmaxOf(x, axes); return {values: [y], saved: [y, axes]}; },
  vjp([y, axes], [g]) { return [map((h, a, s) => h - Math.exp(a) * s, g, y, total(g, axes))]; }
};
OPS.layer_norm = {
  forward([x, w, b], {eps = 1e-5}) {
    const last = lastAxis(x), centered = map((a, m) => a - m, x, average(x, last));
    const r = map((v) => 1 / Math.sqrt(v + eps), average(map((a) => a * a, centered), last)), hat = map((a, s) => a * s, centered, r);
    let y = w ? map((a, c) => a * c, hat, w) : hat;
    if (b) y = map((a, c) => a + c, y, b);
    return {values: [y], saved: [hat, r, w, b]};
  },
  vjp([hat, r, w, b], [g]) {
    const last = lastAxis(g), gw = w ? map((h, c) => h * c, g, w) : g, along = average(map((h, a) => h * a, gw, hat), last);
    const x = map((s, h, m, a, t) => s * (h - m - a * t), r, gw, average(gw, last), hat, along);
    return [x, w ? sumTo(map((h, a) => h * a, g, hat), w.shape) : null, b ? sumTo(g, b.shape) : null];
  }
};
OPS.rms_norm = {
  forward([x, w], {eps = 1e-5}) {
    const r = map((v) => Math.sqrt(v + eps), average(map((a) => a * a, x), lastAxis(x))), hat = map((a, s) => a / s, x, r);
    return {values: [w ? map((a, c) => a * c, hat, w) : hat], saved: [hat, r, w]};
  },
  vjp([hat, r, w], [g]) {
    const gw = w ? map((h, c) => h * c, g, w) : g, along = average(map((h, a) => h * a, gw, hat), lastAxis(g));
    return [map((s, h, a, t) => (h - a * t) / s, r, gw, hat, along), w ? sumTo(map((h, a) => h * a, g, hat), w.shape) : null];
  }
};

/* -- products ------------------------------------------------------------------------------------------------------------------ */

/* A vector on the left is a row, one on the right a column. */
OPS.matmul = {
  forward([a, b]) {
    const row = a.shape.length === 1, column = b.shape.length === 1;
    const left = row ? shaped(a, [1, ...a.shape]) : a, right = column ? shaped(b, [...b.shape, 1]) : b, y = product(left, right);
    const shape = y.shape.filter((_, k) => !(row && k === y.shape.length - 2) && !(column && k === y.shape.length - 1));
    return {values: [shaped(y, shape)], saved: [left, right, y.shape, row, column]};
  },
  vjp([a, b, shape, row, column], [g]) {
    const h = shaped(g, shape), left = product(h, swapLast(b)), right = product(swapLast(a), h);
    if (row || column) { /* of a vector it is summed over the whole batch */
      const x = sumTo(left, a.shape), y = sumTo(right, b.shape);
      return [row ? shaped(x, [x.data.length]) : x, column ? shaped(y, [y.data.length]) : y];
    }
    return [left, right];
  }
};
OPS.linear = {
  forward([x, w, b]) {
    const wide = x.shape.slice(0, -1), rows = shaped(x, [count(wide), x.shape[x.shape.length - 1]]), y = product(rows, swapLast(w));
    return {values: [shaped(b ? map((a, c) => a + c, y, b) : y, [...wide, w.shape[0]])], saved: [x, rows, w, b]};
  },
  vjp([x, rows, w, b], [g]) {
    const h = shaped(g, [rows.shape[0], w.shape[0]]);
    return [shaped(product(h, w), x.shape), product(swapLast(h), rows), b ? g : null];
  }
};
/* saved[0] are the weights P. */
OPS.scaled_dot_product_attention = {
  forward([q, k, v, mask], {causal, dropout_p, scale}) {
    if (dropout_p) throw new Error("attention: what is drawn at random is not drawn again");
    const s = scale ?? 1 / Math.sqrt(Math.max(1, q.shape[q.shape.length - 1]));
    let scores = map((a) => s * a, product(q, swapLast(k)));
    if (mask) scores = map((a, m) => a + m, scores, mask.truth ? map((m) => m ? 0 : -Infinity, mask) : mask);
    const [queries, keys] = scores.shape.slice(-2);
    if (causal) scores = {shape: scores.shape, data: scores.data.map((a, i) => i % keys > Math.floor(i / keys) % queries + keys - queries ? -Infinity : a)};
    const p = softmaxOf(scores, lastAxis(scores));
    return {values: [product(p, v)], saved: [p, q, k, v, mask, s]};
  },
  vjp([p, q, k, v, mask, s], [g]) {
    const scores = softmaxBack(product(g, swapLast(v)), p, lastAxis(p)), times = map((a) => s * a, scores);
    return [product(times, k), product(swapLast(times), q), product(swapLast(p), g), mask && !mask.truth ? scores : null];
  }
};

/* -- losses -------------------------------------------------------------------------------------------------------------------- */

OPS.mse = loss((x, t) => (x - t) ** 2, (x, t) => 2 * (x - t), (x, t) => 2 * (t - x));
OPS.l1 = loss((x, t) => Math.abs(x - t), (x, t) => Math.sign(x - t), (x, t) => Math.sign(t - x));
function heldLog(x) { return Math.max(x === 0 ? -100 : Math.log(x), -100); }
OPS.binary_cross_entropy = loss((x, t) => -t * heldLog(x) - (1 - t) * heldLog(1 - x),
  (x, t) => (x - t) / Math.max(x * (1 - x), 1e-12), (x) => heldLog(1 - x) - heldLog(x));
OPS.binary_cross_entropy_with_logits = loss((x, t, p = 1) => p * t * softplusOf(-x) + (1 - t) * softplusOf(x),
  (x, t, p = 1) => (1 - t) * logistic(x) - p * t * logistic(-x), (x, t, p = 1) => p * softplusOf(-x) - softplusOf(x),
  (x, t) => t * softplusOf(-x));
/* The classes stand along axis 1, or along the only one. */
OPS.cross_entropy = {
  forward([x, target, weight], {ignore_index = -100, label_smoothing = 0, reduction = "mean"}) {
    const axes = [x.shape.length > 1 ? 1 : 0], classes = x.shape[axes[0]], logp = logSoftmaxOf(x, axes), rows = kept(x.shape, axes);
    const inner = count(x.shape.slice(axes[0] + 1)), row = places(rows, x.shape), w = (c) => weight ? weight.data[c] : 1;
    const shares = sameShape(target.shape, x.shape), share = filled(rows, 1);
    if (!shares) share.data = target.data.map((t) => t === ignore_index ? 0 : w(t));
    const a = {shape: x.shape, data: x.data.map((_, i) => {
      const c = Math.floor(i / inner) % classes, t = shares ? target.data[i] : target.data[row[i]] === c ? 1 : 0;
      return shares || target.data[row[i]] !== ignore_index ? w(c) * ((1 - label_smoothing) * t + label_smoothing / classes) : 0;
    })};
    const each = total(map((p, q) => q === 0 ? 0 : -q * p, logp, a), axes), all = axesOf(each), n = reduction === "mean" ? total(share, all).data[0] : 1;
    const y = reduction === "none" ? reduced(each, axes) : shaped(map((s) => n === 0 ? NaN : s / n, total(each, all)), []);
    const factor = {shape: x.shape, data: x.data.map((_, i) => -(1 - label_smoothing) * w(Math.floor(i / inner) % classes))};
    return {values: [y], saved: [logp, a, axes, rows, n, shares && factor, reduction]};
  },
  vjp([logp, a, axes, rows, n, factor, reduction], [g]) {
    const h = map((s) => n === 0 ? 0 : s / n, reduction === "none" ? shaped(g, rows) : g);
    const x = map((s, p, q, all) => s * (Math.exp(p) * all - q), h, logp, a, total(a, axes));
    return [x, factor ? map((s, f, p) => s * f * p, h, factor, logp) : null, null];
  }
};

/* -- a record ------------------------------------------------------------------------------------------------------------------ */

/* `round`: what each number is rounded by, Math.fround for float32. */
class Tape {
  constructor(round) { this.values = []; this.calls = []; this.round = round; }
  rounded(x) { return this.round && x ? {shape: x.shape, data: x.data.map((a) => this.round(a))} : x; }
  leaf(x, at = this.values.length) { this.values[at] = x; return at; }
  /* An input is the number of an array, {number: 2} or null; `numbers`: what the results are called, by default the next ones. */
  call(op, inputs, params, numbers) {
    const given = inputs.map((i) => i === null ? null : typeof i === "number" ? this.values[i] : array([], [i.number]));
    const {values, saved} = OPS[op].forward(given, params ?? {}), outputs = values.map((y, k) => this.leaf(this.rounded(y), numbers?.[k]));
    this.calls.push({op: op, inputs: inputs, given: given, saved: saved, outputs: outputs});
    return outputs;
  }
  /* What call k adds to the gradients of its inputs: {value, product, grad} each; the product is not yet summed where the input was broadcast. */
  back(k, grads) {
    const {op, inputs, given, saved} = this.calls[k], found = OPS[op].vjp(saved, grads);
    return inputs.map((value, i) => {
      if (typeof value !== "number" || !found[i]) return null;
      const product = this.rounded(found[i]);
      return {value: value, product: product, grad: this.rounded(sumTo(product, given[i].shape))};
    });
  }
  /* The gradients of all arrays by number, of one number (or of an array that is multiplied by `seed`). */
  backward(value, seed) {
    const grads = [];
    grads[value] = seed ?? filled(this.values[value].shape, 1);
    for (let k = this.calls.length - 1; k >= 0; k -= 1) {
      const arrived = this.calls[k].outputs.map((i) => grads[i] ?? null);
      if (arrived.some((g) => g)) this.back(k, arrived).forEach((c) => { if (c) grads[c.value] = add2(grads[c.value], c.grad); });
    }
    return grads;
  }
}

const minilmOps = {OPS, Tape, array, count, filled, map, sumTo, shaped};
if (typeof module === "object" && module.exports) module.exports = minilmOps;
else globalThis.minilmOps = minilmOps;
}());
