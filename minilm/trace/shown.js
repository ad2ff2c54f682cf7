/* How step-throughs write numbers and small pictures, as Python does (text.py, panel.py, html.py, picture.py). Like ops.js this is a plain
   script, of which html.py puts the functions into a page; Node gets them from require(). */
(function () {
"use strict";

/* Python's f"{x:.4g}", with a real minus sign in front. */
function number(x, digits = 4) {
  if (!Number.isFinite(x)) return x !== x ? "nan" : x < 0 ? "−inf" : "inf";
  const sign = x < 0 || Object.is(x, -0) ? "−" : "";
  if (x === 0) return sign + "0";
  const [figures, exponent] = figuresOf(Math.abs(x), digits);
  const cut = (text) => text.includes(".") ? text.replace(/0+$/, "").replace(/[.]$/, "") : text;
  if (exponent < -4 || exponent >= digits) {
    const size = Math.abs(exponent);
    return sign + cut(figures[0] + "." + figures.slice(1)) + "e" + (exponent < 0 ? "-" : "+") + (size < 10 ? "0" : "") + size;
  }
  if (exponent < 0) return sign + "0." + "0".repeat(-exponent - 1) + figures.replace(/0+$/, "");
  return sign + cut(figures.slice(0, exponent + 1) + "." + figures.slice(exponent + 1));
}
/* The digits of a number and its power of ten; of a tie Python takes the even digit, JavaScript the upper one. */
function figuresOf(x, digits) {
  const split = (text) => text.replace(".", "").split("e"), [figures, exponent] = split(x.toExponential(digits - 1));
  const [exact, power] = split(x.toExponential(60)), tie = /^50*$/.test(exact.slice(digits));
  return tie && exact[digits - 1] % 2 === 0 ? [exact.slice(0, digits), +power] : [figures, +exponent];
}

/* What stands in a box: one or two numbers, else the shape. */
function inBox(x, label = "") {
  const numbers = Array.from(x.data, (a) => number(a, 3));
  return label + (numbers.length && numbers.length <= 2 ? numbers.join(", ") : x.shape.join("×"));
}
/* The range and the mean of many numbers. */
function spread(x) {
  const finite = x.data.filter(Number.isFinite), lost = x.data.length - finite.length;
  if (!finite.length) return "all " + lost + " not finite";
  const low = finite.reduce((a, b) => Math.min(a, b)), high = finite.reduce((a, b) => Math.max(a, b));
  const mean = finite.reduce((a, b) => a + b) / finite.length, none = Math.abs(mean) < 1e-7 * Math.max(-low, high);
  return number(low) + " to " + number(high) + ", mean " + number(none ? 0 : mean) + (lost ? ", " + lost + " not finite" : "");
}

/* An array as at most 24 by 12 numbers of the palette: {w, h, pixels}. */
function tile(x, signed = true) {
  const w = x.shape.length ? x.shape[x.shape.length - 1] : 1, rows = {h: x.data.length / w, w: w, data: Array.from(x.data)};
  const small = shrunk(shrunk(rows, 12, true), 24, false);
  return {w: small.w, h: small.h, pixels: shades(small.data, signed)};
}
/* Means over blocks of rows, or of columns. */
function shrunk(grid, limit, down) {
  const size = down ? grid.h : grid.w;
  if (size <= limit) return grid;
  const small = down ? {h: limit, w: grid.w} : {h: grid.h, w: limit}, edge = (k) => Math.floor(k * size / limit);
  small.data = Array.from({length: small.h * small.w}, (_, i) => {
    const row = Math.floor(i / small.w), column = i % small.w, [from, to] = down ? [edge(row), edge(row + 1)] : [edge(column), edge(column + 1)];
    let sum = 0;
    for (let k = from; k < to; k += 1) sum += down ? grid.data[k * grid.w + column] : grid.data[row * grid.w + k];
    return sum / (to - from);
  });
  return small;
}
function rint(x) { const r = Math.round(x); return Math.abs(x % 1) === 0.5 && r % 2 ? r - 1 : r; }
/* 0 to 10 for floats, 5 for zero; 11 to 21 for others; 22 where a number is not finite. */
function shades(data, signed) {
  const known = data.map((a) => Number.isFinite(a) ? a : 0), low = known.reduce((a, b) => Math.min(a, b)), top = known.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const span = known.reduce((a, b) => Math.max(a, b)) - low;
  const shade = signed ? (a) => 5 + rint(5 * (top ? a / top : a)) : (a) => 11 + (span ? rint(10 * (a - low) / span) : low ? 10 : 0);
  return known.map((a, k) => Number.isFinite(data[k]) ? shade(a) : 22);
}

if (typeof module === "object" && module.exports) module.exports = {number, inBox, spread, tile};
}());
