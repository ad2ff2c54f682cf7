document.querySelectorAll("[data-mlstep='HASH']:not([data-on])").forEach(function (root) {
  root.dataset.on = "1";
  root.classList.add("on");
  root.tabIndex = 0;
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "step-through of a computation; press ? for the keys");
  function all(s, from) { return Array.from((from || root).querySelectorAll(s)); }
  function one(s, from) { return (from || root).querySelector(s); }
  function make(tag, cls, text, parent) {
    var e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text) e.textContent = text;
    if (parent) parent.appendChild(e);
    return e;
  }
  var D = JSON.parse(one("script[type='application/json']").textContent), T = D.t;
  if (D.r) { /* what change.js computes again */
    var sources = D.r.a.split(",");
    all("table.x,i[class^=p],b").forEach(function (e, k) { if (sources[k]) e.dataset.n = sources[k]; });
  }
  var list = one(".steps"), items = all(".steps>li"), sections = {}, panels = {};
  var stage = make("div", "stage"), sums = make("div", "sums", "", stage);
  list.parentNode.insertBefore(stage, list);
  stage.insertBefore(list, sums);
  all("section").forEach(function (s) { sections[s.dataset.s] = s; sums.appendChild(s); });
  all(".panel").forEach(function (p) { panels[p.dataset.s] = p; if (p.open !== undefined) p.hidden = true; });
  var open = [0], runs = [], at = 0, step = 0, moves = []; /* what is called after each step */

  /* Controls */
  var bar = make("div", "bar"), buttons = {};
  [["first", "|◀", "first step"], ["back", "◀ Back", "previous step"], ["next", "Next ▶", "next step"], ["last", "▶|", "last step"],
   ["into", "Step into ⤵", "open this Module"], ["help", "?", "keys"]].forEach(function (b) {
    var e = buttons[b[0]] = make("button", b[0] === "next" ? "go" : "", b[1], bar);
    e.type = "button"; e.title = b[2];
    if (!/[a-z]/.test(b[1])) e.setAttribute("aria-label", b[2]); /* else it is called by what is written on it */
  });
  var message = make("span", "msg", "", bar);
  message.setAttribute("aria-live", "polite");
  var strip = make("div", "strip"), slider = document.createElement("input"), ticks = [];
  slider.type = "range"; slider.min = 0; slider.step = "any"; slider.setAttribute("aria-label", "step");
  var keys = make("div", "keys"), crumbs = make("div", "crumbs");
  keys.innerHTML = "<kbd>←</kbd> <kbd>→</kbd> back, next &nbsp; <kbd>Home</kbd> <kbd>End</kbd> first, last &nbsp; <kbd>Enter</kbd> or <kbd>o</kbd> open a Module &nbsp; <kbd>Esc</kbd> close it &nbsp; <kbd>?</kbd> these keys";
  crumbs.setAttribute("role", "group");
  crumbs.setAttribute("aria-label", "opened Modules");
  buttons.help.setAttribute("aria-expanded", "false");
  var first = one(".panel");
  [bar, strip, keys, crumbs].forEach(function (e) { root.insertBefore(e, first); });

  /* Room for pictures and marks in the boxes */
  var NS = "http://www.w3.org/2000/svg", source = getComputedStyle(root).getPropertyValue("--sheet");
  source = source.slice(source.indexOf("data:"), source.lastIndexOf(")"));
  function draw(tag, attributes, parent, before) {
    var e = document.createElementNS(NS, tag);
    for (var a in attributes) e.setAttribute(a, attributes[a]);
    parent.insertBefore(e, before || null);
    return e;
  }
  function picture(box, text, k) { /* picture k of the sheet, left of a text */
    var old = text.image, x = box.w / 2, size = D.p[k];
    if (old && old.k !== k) { old.remove(); old = text.image = null; }
    text.setAttribute("x", k >= 0 ? x + 14 : x);
    if (k < 0 || old) return;
    text.image = draw("svg", {x: Math.max(5, x - 17 - 3.4 * texts[box.value].length), y: text.getAttribute("y") - 9.5, width: 24, height: 12, preserveAspectRatio: "none",
      viewBox: [0, k * 12, size[0], size[1]].join(" ")}, box.g, text);
    text.image.k = k;
    draw("image", {href: source, width: 24, height: 12 * D.p.length}, text.image);
  }
  var texts = {}, names = {}; /* of the values, as they stand in the boxes */
  var boxes = all(".n").map(function (g) {
    var value = one(".v", g), w = +one("rect:not(.x)", g).getAttribute("width"), view = g.classList.contains("view");
    draw("path", {"class": "m", d: "M" + (w - 20) + "-15h14l-7 10z"}, g);
    var v = g.dataset.v || g.dataset.k.slice(1);
    texts[v] = value.textContent.trim();
    if (!g.classList.contains("module")) names[v] = one(".b", g).textContent.trim();
    return {g: g, key: g.dataset.k, value: v, w: w, view: view, v: value, panel: +g.closest(".panel").dataset.s,
            d: view ? null : one(".g", g) || draw("text", {"class": "g", x: w / 2, y: +value.getAttribute("y") + 15}, g)};
  });
  var edges = all("svg>.e").map(function (e) { /* for gradients the arrowhead is at the other end */
    var path = one("path", e), d = path.getAttribute("d"), body = d.slice(0, d.lastIndexOf("m"));
    return {g: e, title: draw("title", {}, e), to: e.dataset.t, value: e.dataset.w, path: path, d: d, back: body + d.split(/(?=[A-Za-z])/)[0] + "m6-4l-6 4 6 4"};
  });

  function redraw(sheet) { /* after the texts or the pictures have changed */
    source = sheet || source;
    edges.forEach(function (e) { e.title.textContent = (names[e.value] || D.n[e.value]) + (texts[e.value] ? ": " + texts[e.value] : ""); });
    if (sheet) boxes.forEach(function (b) { [b.v, b.d].forEach(function (t) { if (t && t.image) { t.image.remove(); t.image = null; } }); });
    show(at);
  }
  function fit(text, room) { /* a number that became longer than its box has room for */
    text.removeAttribute("textLength");
    if (!text.image && text.getComputedTextLength() > room) { text.setAttribute("textLength", room); text.setAttribute("lengthAdjust", "spacingAndGlyphs"); }
  }
  function inside(scope) { /* the scopes around a step, the whole trace first */
    var chain = [];
    for (var s = scope; s >= 0; s = D.s[s][0]) chain.unshift(s);
    return chain;
  }
  function group() { /* runs of steps that are shown as one: those in a Module that is not open */
    runs = [];
    T.forEach(function (t, i) {
      var closed = inside(t[1]).find(function (s) { return open.indexOf(s) < 0; }), last = runs[runs.length - 1];
      if (closed !== undefined && last && last.scope === closed && last.back === t[0] > 0) last.to = i;
      else runs.push({from: i, to: i, scope: closed, back: t[0] > 0});
    });
    ticks.forEach(function (t) { t.remove(); });
    strip.textContent = "";
    ticks = runs.map(function (r, i) { return make("i", (r.back ? "b" : "") + (r.back && i && !runs[i - 1].back ? " turn" : ""), "", strip); });
    slider.max = runs.length;
    strip.appendChild(slider);
  }
  function find(i) { return runs.findIndex(function (r) { return r.from <= i && i <= r.to; }); }

  function formula(item) { /* the op's formula beside its name, the first time that a step is shown */
    var a = one(".a a", item), before = item;
    if (!a || a.done) return;
    a.done = true;
    while (before && !one(".l", before)) before = before.previousElementSibling; /* the same line stands there once */
    if (before && before !== item) item.insertBefore(one(".l", before).cloneNode(true), a.parentNode);
    var from = one("dd[data-" + (item.className[0] === "b" ? "d" : "f") + "='" + a.textContent + "'] math");
    if (from) a.parentNode.appendChild(from.cloneNode(true));
  }

  function show(to, moved) {
    at = Math.max(0, Math.min(runs.length - 1, to));
    var run = runs[at], known = {}, grads = {}, touched = {}, i, t;
    step = run.from;
    for (i = 0; i <= run.to; i++) {
      t = T[i];
      if (t[0] === 0) t[3].forEach(function (v) { known[v] = 1; });
      else t[3].forEach(function (c) { grads[c[0]] = c; if (i >= run.from) touched[c[0]] = 1; });
    }
    var key = run.scope !== undefined ? "s" + run.scope : T[step][0] === 1 ? "v" : "c" + T[step][2];
    if (key === "v") key = "c" + T[step][2];
    root.querySelectorAll(".panel").forEach(function (p) { p.classList.toggle("bw", run.back); });
    boxes.forEach(function (b) {
      if (open.indexOf(b.panel) < 0) return;
      var ready = known[b.value] || (b.key[0] === "v" && !produced[b.value]), grad = grads[b.value], c = b.g.classList;
      c.toggle("done", !!ready);
      c.toggle("back", !!grad);
      c.toggle("now", b.key === key);
      c.toggle("opened", b.key[0] === "s" && open.indexOf(+b.key.slice(1)) >= 0);
      b.v.textContent = ready ? texts[b.value] : "";
      if (b.d) {
        picture(b, b.v, ready && b.value in D.v ? D.v[b.value] : -1);
        b.d.textContent = grad ? grad[1] >= 0 ? "∂" : grad[1] : "";
        picture(b, b.d, grad && grad[1] >= 0 ? grad[1] : -1);
      }
      if (D.changed) { fit(b.v, b.w - 6); if (b.d) fit(b.d, b.w - 6); }
      if (b.key === key && moved) reveal(b.g);
    });
    edges.forEach(function (e) {
      var lit = e.to === key && T[step][0] !== 1 && (!run.back || !!touched[e.value]);
      e.g.classList.toggle("now", lit);
      e.path.setAttribute("d", lit && run.back ? e.back : e.d);
    });
    var summary = sections[run.scope];
    items.forEach(function (item, k) { item.classList.toggle("now", !summary && k === step); });
    Object.keys(sections).forEach(function (s) {
      sections[s].classList.toggle("now", run.scope === +s);
      sections[s].classList.toggle("bw", run.back);
    });
    if (!summary) formula(items[step]);
    ticks.forEach(function (e, k) { e.classList.toggle("done", k < at); e.classList.toggle("now", k === at); });
    slider.value = at + 0.5;
    var count = run.to - run.from + 1, kind = run.back ? "backward" : "forward";
    var numbers = count > 1 ? "steps " + run.from + "–" + run.to : "step " + step;
    message.textContent = numbers + " of " + (T.length - 1) + ", " + kind;
    slider.setAttribute("aria-valuetext", message.textContent);
    keep(function () {
      buttons.first.disabled = buttons.back.disabled = at === 0;
      buttons.next.disabled = buttons.last.disabled = at === runs.length - 1;
      buttons.into.disabled = run.scope === undefined;
    });
    stage.style.minHeight = Math.max(parseFloat(stage.style.minHeight) || 0, Math.min(stage.offsetHeight, 300)) + "px";
    scrollers();
    moves.forEach(function (f) { f(); });
  }
  function keep(change) { /* a button that goes, or that can be pressed no more, must not take the keys with it */
    var active = document.activeElement, held = root.contains(active);
    change();
    if (held && (active.disabled || !active.getClientRects().length || !root.contains(active))) root.focus({preventScroll: true});
  }
  function scrollers() { /* what is wider than its pane fades out where it goes on, and scrolls by the arrow keys, too */
    open.map(function (s) { return one(".pane", panels[s]); }).concat(all(".stage .now .q,.stage .now .g,.stage .now .a,.change .q,.change .g")).forEach(function (e) {
      var more = e.scrollWidth - e.clientWidth;
      if (more > 1) e.tabIndex = 0; else e.removeAttribute("tabindex");
      e.classList.toggle("cut", more - e.scrollLeft > 1);
      e.onscroll = function () { e.classList.toggle("cut", e.scrollWidth - e.clientWidth - e.scrollLeft > 1); };
    });
  }
  window.addEventListener("resize", scrollers);
  var produced = {};
  T.forEach(function (t) { if (t[0] === 0) t[3].forEach(function (v) { produced[v] = 1; }); });

  function reveal(g) { /* scrolls a wide drawing, never the page */
    var pane = g.closest(".pane"), a = g.getBoundingClientRect(), b = pane.getBoundingClientRect();
    if (a.width && (a.left < b.left + 20 || a.right > b.right - 20)) pane.scrollLeft += a.left + a.width / 2 - b.left - b.width / 2;
  }
  function unfold(scope, go) { /* opens the panels down to a scope, and closes all others */
    keep(function () { reopen(scope, go); });
  }
  function reopen(scope, go) {
    var before = step;
    open = inside(scope);
    Object.keys(panels).forEach(function (s) {
      var p = panels[s], shown = open.indexOf(+s) >= 0;
      if (p.open === undefined) return;
      p.hidden = !shown; p.open = shown;
    });
    open.slice(1).forEach(function (s) {
      var above = panels[D.s[s][0]], box = one("[data-k='s" + s + "']", above), a = box.getBoundingClientRect(), p = panels[s];
      p.style.setProperty("--x", Math.max(14, Math.min(a.left + a.width / 2 - p.getBoundingClientRect().left, p.offsetWidth - 14)) + "px");
    });
    crumbs.textContent = "";
    if (open.length > 1) open.forEach(function (s, k) {
      if (k) make("span", "", "›", crumbs).setAttribute("aria-hidden", "true");
      var b = make("button", "", k ? D.s[s][1] : "everything", crumbs);
      b.type = "button"; b.onclick = function () { unfold(s); };
      if (k === open.length - 1) b.setAttribute("aria-current", "true");
    });
    group();
    show(find(go === undefined ? before : go), true);
  }
  function enter(scope) { /* opens a Module; a step that is not inside it stays where it is */
    var run = runs[at];
    unfold(scope, run.scope === scope ? run.from : undefined);
  }
  function close() { if (open.length > 1) unfold(D.s[open[open.length - 1]][0]); }
  function into() { if (runs[at].scope !== undefined) enter(runs[at].scope); }
  function toggle(box) {
    var s = +box.dataset.k.slice(1);
    if (open.indexOf(s) >= 0) unfold(D.s[s][0]); else enter(s);
  }

  buttons.first.onclick = function () { show(0, true); };
  buttons.back.onclick = function () { show(at - 1, true); };
  buttons.next.onclick = function () { show(at + 1, true); };
  buttons.last.onclick = function () { show(runs.length - 1, true); };
  buttons.into.onclick = into;
  buttons.help.onclick = function () { buttons.help.setAttribute("aria-expanded", "" + keys.classList.toggle("open")); };
  slider.oninput = function () { show(Math.floor(slider.value), true); };
  root.addEventListener("click", function (event) {
    var box = event.target.closest(".module"), head = event.target.closest("details.panel>summary");
    if (box) toggle(box);
    if (head) { event.preventDefault(); unfold(D.s[head.parentNode.dataset.s][0]); }
  });
  function press(event) {
    var box = event.target.closest(".module"), typed = event.target.tagName === "BUTTON" || event.target.tagName === "SUMMARY";
    var act = {ArrowLeft: function () { show(at - 1, true); }, ArrowRight: function () { show(at + 1, true); }, Home: function () { show(0, true); },
               End: function () { show(runs.length - 1, true); }, Escape: close, "?": buttons.help.onclick, o: into, Enter: into}[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey || (typed && event.key === "Enter")) return;
    if (event.target.classList.contains("cut") && event.key.slice(0, 5) === "Arrow") return; /* it scrolls */
    if (box && (event.key === "Enter" || event.key === " " || event.key === "o")) act = function () { toggle(box); };
    if (act) { event.preventDefault(); event.stopPropagation(); act(); }
  }
  root.addEventListener("keydown", press);
  /* Before anything is clicked, keys go to the page. Alone on it, this takes them all; else the one of which most is in sight
     takes those that mean nothing to a page. */
  function sight(e) { var r = e.getBoundingClientRect(); return Math.min(r.bottom, innerHeight) - Math.max(r.top, 0); }
  document.addEventListener("keydown", function (event) {
    var others = Array.from(document.querySelectorAll(".mlstep.on")), alone = others.length === 1 && root.parentNode.tagName === "MAIN";
    if (event.target !== document.body || event.defaultPrevented || !root.isConnected) return;
    if (!alone && ["ArrowLeft", "ArrowRight", "?", "o"].indexOf(event.key) < 0) return;
    if (alone || (sight(root) > 0 && others.every(function (e) { return e === root || sight(e) < sight(root) || (sight(e) === sight(root) && others.indexOf(e) > others.indexOf(root)); }))) press(event);
  });
  group();
  buttons.into.hidden = !all(".module").length;
  redraw();
  show(0, true);
  if (D.r) changing({root: root, data: D, texts: texts, items: items, bar: bar, stage: stage, all: all, one: one, make: make, inside: inside,
    draw: draw, redraw: redraw, scrollers: scrollers, step: function () { return step; }, go: function (to) { unfold(T[to][1], to); }, moves: moves});
});
