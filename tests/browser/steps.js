// Walks a step-through from its first step to its last, opening every Module on the way, and measures what a reader sees.
// Returns {seen: states measured, steps: steps shown by themselves, faults: {text: how often}}.
async (root) => {
  const faults = {}, shown = new Set();
  let seen = 0, where = "";
  const note = (what) => { faults[where + what] = (faults[where + what] || 0) + 1; };
  const button = (label) => [...root.querySelectorAll(".bar button")].find((b) => b.textContent.includes(label));
  const visible = (e) => e.checkVisibility ? e.checkVisibility() : e.offsetParent !== null;
  const name = (e) => (e.nodeType === 3 ? "text" : e.tagName.toLowerCase() + (e.className.baseVal === undefined && e.className ? "." + e.className : "")) +
    " '" + e.textContent.trim().replace(/\s+/g, " ").slice(0, 24) + "'";

  function meet(a, b) { // do two rectangles share more than an edge?
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  }
  function within(a, b, room) {
    return a.left >= b.left - room && a.right <= b.right + room && a.top >= b.top - room && a.bottom <= b.bottom + room;
  }
  const box = (r) => ({left: r.left, right: r.right, top: r.top, bottom: r.bottom});

  function scrolls(e) { // a scrollbar that can be seen
    return e.offsetHeight - e.clientHeight > 5 || e.offsetWidth - e.clientWidth > 5;
  }
  let frames = new Map(); // by element, while a step stands: its rectangle, and whether it scrolls; none for what takes no part
  function frameOf(p) {
    if (!frames.has(p)) {
      const style = getComputedStyle(p);
      const none = p.ownerSVGElement || p.tagName === "SPAN" || style.display === "inline" || style.display.startsWith("table");
      frames.set(p, none ? null : [p.getBoundingClientRect(), /auto|scroll/.test(style.overflowX)]);
    }
    return frames.get(p);
  }
  function held(e, rect) { // is all of it inside every frame around it, or can it be scrolled to?
    rect = box(rect);
    for (let p = e.parentElement; p && p !== root.parentElement; p = p.parentElement) {
      if (!frameOf(p)) continue;
      const [frame, scrolling] = frameOf(p), out = rect.left < frame.left - 1 || rect.right > frame.right + 1;
      if (scrolling) {
        if (rect.left + p.scrollLeft < frame.left - 1) return note("cannot be scrolled to: " + name(e));
        if (out && !scrolls(p)) return note("no scrollbar for " + name(e));
        rect.left = Math.max(rect.left, frame.left); rect.right = Math.min(rect.right, frame.right);
      } else if (out) return note("leaves its pane: " + name(e));
    }
    if (rect.left < 0 || rect.right > document.documentElement.clientWidth) note("leaves the page: " + name(e));
  }
  function scroller(e) {
    for (let p = e.parentElement; p && p !== root; p = p.parentElement) if (frameOf(p) && frameOf(p)[1]) return p;
    return root;
  }

  function leaves(item) { // what stands on the page in a step: matrices, pictures, formulas, words
    const found = [];
    (function walk(e) {
      if (e.nodeType === 3) {
        if (!e.textContent.trim()) return;
        const range = document.createRange();
        range.selectNodeContents(e);
        for (const r of range.getClientRects()) if (r.width > 1) found.push([e, r]);
      } else if (e.nodeType === 1 && visible(e)) {
        if (e.matches("table.x, i[class^=p], math")) found.push([e, e.getBoundingClientRect()]);
        else e.childNodes.forEach(walk);
      }
    })(item);
    return found;
  }
  function apart(things) {
    for (let i = 0; i < things.length; i++) for (let k = 0; k < i; k++)
      if (things[i][0] !== things[k][0] && things[i][2] === things[k][2] && meet(things[i][1], things[k][1]))
        note("overlap: " + name(things[k][0]) + " and " + name(things[i][0]));
  }

  function viewport(picture) { // of an svg inside the drawing: its own rectangle counts what it clips
    const m = picture.parentNode.getScreenCTM(), [x, y, w, h] = ["x", "y", "width", "height"].map((a) => +picture.getAttribute(a));
    return {left: m.a * x + m.e, right: m.a * (x + w) + m.e, top: m.d * y + m.f, bottom: m.d * (y + h) + m.f};
  }
  function drawing(svg) {
    const frame = svg.getBoundingClientRect(), nodes = [...svg.querySelectorAll(".n")];
    const rects = nodes.map((n) => [n, n.querySelector("rect:not(.x)").getBoundingClientRect(), 0]);
    apart(rects);
    const tags = [];
    nodes.forEach((n, i) => {
      n.querySelectorAll("text").forEach((t) => {
        if (!t.textContent.trim() || !visible(t)) return;
        const r = t.getBoundingClientRect(), cls = t.getAttribute("class");
        if (cls === "t") tags.push([t, r, n]);
        else if (!within(r, rects[i][1], 0.5)) note("a text leaves its box: " + cls + " '" + t.textContent + "'");
        n.querySelectorAll("svg").forEach((p) => {
          if (meet(viewport(p), r)) note("a picture on a text: '" + t.textContent + "'");
        });
      });
      n.querySelectorAll("svg").forEach((p) => { if (!within(viewport(p), rects[i][1], 0.5)) note("a picture leaves its box: " + name(n)); });
      for (const e of n.children)
        if (e.tagName !== "svg" && visible(e) && !within(e.getBoundingClientRect(), frame, 1)) note("a box leaves the drawing: " + name(n));
    });
    for (const [t, r, own] of tags) {
      for (const [n, b] of rects) if (n !== own && meet(r, b)) note("a tag on a box: '" + t.textContent + "'");
      for (const [u, s] of tags) if (u !== t && meet(r, s)) note("two tags meet: '" + t.textContent + "'");
    }
    held(svg, frame);
  }

  function measure() {
    seen++;
    frames = new Map();
    where = root.querySelector(".msg").textContent + ": ";
    root.querySelectorAll(".panel svg[role]").forEach((svg) => { if (visible(svg)) drawing(svg); });
    const item = root.querySelector(".steps>.now, .sums>.now");
    if (!item) return note("shows no step");
    const found = leaves(item).map(([e, r]) => [e, r, scroller(e)]);
    apart(found);
    found.forEach(([e, r]) => held(e, r));
    ["bar", "crumbs"].forEach((c) => root.querySelector("." + c).childNodes.forEach((e) => { if (visible(e)) held(e, e.getBoundingClientRect()); }));
    if (document.documentElement.scrollWidth > document.documentElement.clientWidth) note("the page scrolls sideways");
    const step = /^step (\d+) /.exec(root.querySelector(".msg").textContent);
    if (step && root.querySelector(".steps>li.now")) shown.add(+step[1]);
  }

  button("|◀").click();
  const next = button("Next"), into = button("Step into");
  for (let guard = 0; guard < 5000; guard++) {
    measure();
    if (!into.disabled && !into.hidden) { into.click(); continue; }
    if (next.disabled) break;
    next.click();
  }
  return {seen, steps: shown.size, faults};
}
