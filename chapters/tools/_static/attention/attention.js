// "Attention by hand": a text is typed, and everything that the tiny GPT does with it is shown, forward and back. Nothing is fetched: the
// model stands in the page, and gpt.js computes with it. Without scripts a picture stands in this place.
addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("by-hand");
  if (!root) return;
  const gpt = globalThis.minilmTinyGPT;
  const model = gpt.load(JSON.parse(document.getElementById("by-hand-model").textContent));
  const { words: vocabulary, config } = model;
  const LONGEST = config.block_size;
  const { STEPS, bar } = globalThis.minilmTinySteps(config);
  const EXAMPLES = [
    ["the cat slept while it", "purred"],
    ["mia fed the dog and", "he"],
    ["red gold blue again red gold", "blue"],
    ["the frog ate while it croaked . tom fed the cat while it", "purred"],
  ];
  const SHOWN = {
    weights: "weights P",
    scores: "scores S",
    weightsBack: "gradients of the weights P",
    scoresBack: "gradients of the scores S",
  };

  // -- the state, which is the address too ---------------------------------------------------------------------------------------
  const initial = { text: EXAMPLES[0][0], right: "", layer: 0, head: 1, row: null, col: null, show: "weights", t: 1, step: 0, seed: 1 };
  const state = { ...initial };
  const address = "#by-hand?";

  function fromAddress() {
    if (!location.hash.startsWith(address)) return false;
    const given = new URLSearchParams(location.hash.slice(address.length));
    const number = (name, low, high, shift = 0) => {
      const x = given.has(name) ? Number(given.get(name)) - shift : NaN;
      return x >= low && x <= high ? x : initial[name];
    };
    const whole = (name, high) => {
      const x = number(name, 0, high, 1);
      return x === null ? null : Math.trunc(x);
    };
    Object.assign(state, initial, {
      text: given.get("text") ?? initial.text,
      right: vocabulary.includes(given.get("right")) ? given.get("right") : "",
      layer: whole("layer", config.n_layer - 1),
      head: whole("head", config.n_head - 1),
      row: whole("row", LONGEST - 1),
      col: whole("col", LONGEST - 1),
      show: given.get("show") in SHOWN ? given.get("show") : initial.show,
      t: number("t", 0, 1000),
      step: Math.trunc(number("step", 0, 1000)),
      seed: Math.trunc(number("seed", 0, 2 ** 31)),
    });
    return true;
  }

  let begun = false; // until then the address stays as it came
  function toAddress() {
    if (!begun) return;
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(state))
      if (value !== initial[name]) given.set(name, ["layer", "head", "row", "col"].includes(name) ? value + 1 : value);
    history.replaceState(null, "", `${address}${given}`);
  }

  // -- small pieces --------------------------------------------------------------------------------------------------------------
  function el(tag, attributes = {}, ...children) {
    const element =
      tag === "svg" || tag === "rect" ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null));
    return element;
  }
  const button = (key, attributes, ...children) => el("button", { type: "button", "data-key": key, ...attributes }, ...children);
  const quoted = (word) => `\u201c${word}\u201d`;
  const minus = (text) => text.replace("-", "\u2212");
  const fixed = (x, digits) => {
    if (!Number.isFinite(x)) return x > 0 ? "\u221e" : x < 0 ? "\u2212\u221e" : "not a number";
    const text = x.toFixed(digits);
    return minus(Number(text) === 0 ? (0).toFixed(digits) : text);
  };
  // Three digits that count, without an exponent where it can be had.
  const three = (x) => {
    if (x === 0 || !Number.isFinite(x)) return x === 0 ? "0" : fixed(x, 0);
    const text = Number(x.toPrecision(3));
    if (Math.abs(x) >= 1e-3 && Math.abs(x) < 1e5) return minus(String(text));
    const [front, power] = x.toExponential(1).split("e");
    return `${minus(front)}\u00b710${[...String(Number(power))].map((c) => "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"["-0123456789".indexOf(c)]).join("")}`;
  };
  const row = (array, i) => {
    const n = array.shape[1];
    return Array.from(array.data.slice(i * n, (i + 1) * n));
  };
  const largest = (numbers) => numbers.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0) || 1;
  const length = (numbers) => Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0));
  // A tint never so dark that the number on it could not be read: blue for what is not negative, orange with a minus sign else.
  const tint = (share) => `background:rgb(${share < 0 ? "213 94 0" : "0 114 178"} / ${(0.5 * Math.min(1, Math.abs(share))).toFixed(3)})`;

  // -- the controls, which stay -----------------------------------------------------------------------------------------------------
  const box = el("input", {
    id: "bh-text",
    type: "text",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
    "aria-describedby": "bh-status",
  });
  const status = el("p", { id: "bh-status", class: "bh-status", role: "status" });
  const region = (name, title, ...children) =>
    el("section", { class: `bh-${name}`, "aria-labelledby": `bh-${name}` }, el("h2", { id: `bh-${name}` }, title), ...children);
  const at = Object.fromEntries(
    ["known", "sentence", "heads", "matrix", "cell", "bars", "entropy", "loss", "blame", "step"].map((name) => [
      name,
      el("div", { class: `bh-at-${name}` }),
    ]),
  );
  const choose = el(
    "select",
    { id: "bh-show", onchange: () => change({ show: choose.value }) },
    Object.entries(SHOWN).map(([value, text]) => el("option", { value }, text)),
  );
  const warm = el("input", { id: "bh-t", type: "range", min: 0, max: 5, step: 0.05, oninput: () => change({ t: Number(warm.value) }) });
  const degrees = el("input", {
    type: "number",
    min: 0,
    max: 1000,
    step: "any",
    "aria-label": "temperature, as a number",
    onchange: () => change({ t: Math.min(1000, Math.max(0, Number(degrees.value) || 0)) }),
  });
  const seed = el("input", {
    id: "bh-seed",
    type: "number",
    min: 0,
    max: 2 ** 31,
    step: 1,
    onchange: () => change({ seed: Math.trunc(Math.max(0, Number(seed.value) || 0)) }),
  });
  const right = el("select", { id: "bh-right", onchange: () => change({ right: right.value }) });
  const walk = el("input", { id: "bh-walk", type: "range", min: 0, step: 1, oninput: () => go(Number(walk.value)) });
  const moves = [
    ["First", () => go(0)],
    ["Back", () => go(state.step - 1)],
    ["Next", () => go(state.step + 1)],
    ["Turn", () => go(pass.steps.length)],
  ].map(([name, move]) => button(`move-${name}`, { onclick: move }, name === "Turn" ? "To the way back" : name));
  const result = el(
    "div",
    { class: "bh-result" },
    region(
      "look",
      "Who looks at whom",
      el(
        "p",
        { class: "bh-hint" },
        "Choose a head. A row is the word that looks, a column the word that is looked at. Arrow keys move in the matrix.",
      ),
      at.heads,
      el("p", { class: "bh-line" }, el("label", { for: "bh-show" }, "The matrix shows "), choose),
      at.matrix,
      at.cell,
      at.sentence,
    ),
    region(
      "next",
      "The next word",
      el("p", { class: "bh-line" }, el("label", { for: "bh-t" }, "Temperature "), warm, degrees),
      at.entropy,
      el(
        "p",
        { class: "bh-hint" },
        "A word that you press is appended to the text. Or draw one: the same seed draws the same word after the same text.",
      ),
      el("p", { class: "bh-line" }, button("draw", { onclick: draw }, "Draw a word"), el("label", { for: "bh-seed" }, "seed "), seed),
      at.bars,
    ),
    region(
      "blame",
      "What the loss would change",
      el("p", { class: "bh-line" }, el("label", { for: "bh-right" }, "Suppose that the right next word is "), right),
      at.loss,
      at.blame,
    ),
    region(
      "steps",
      "Step by step, forward and back",
      el("p", { class: "bh-line bh-moves" }, moves),
      el("p", { class: "bh-line" }, el("label", { for: "bh-walk" }, "Step "), walk),
      at.step,
    ),
  );
  const form = el(
    "form",
    {
      class: "bh-form",
      onsubmit: (event) => {
        event.preventDefault();
        read(box.value);
      },
    },
    el("label", { for: "bh-text" }, "The text"),
    box,
    el("button", { type: "submit" }, "Read"),
  );
  const examples = el(
    "p",
    { class: "bh-line bh-examples" },
    el("span", {}, "For example:"),
    EXAMPLES.map(([text, then], k) =>
      button(
        `example-${k}`,
        {
          onclick: () => {
            state.right = then;
            read(text, true);
          },
        },
        text,
      ),
    ),
  );
  box.addEventListener("input", () => {
    if (split(box.value).length && !unknown(split(box.value)).length) read(box.value);
  });

  // -- reading ------------------------------------------------------------------------------------------------------------------------
  let pass, back, ids, seen; // of the text as it is read: its walk, gradients, numbers and words

  const split = (text) =>
    text
      .toLowerCase()
      .replace(/\./g, " . ")
      .split(/\s+/)
      .filter((word) => word);
  const unknown = (list) => [...new Set(list)].filter((word) => !vocabulary.includes(word));

  function distance(a, b) {
    let above = [...Array(b.length + 1).keys()];
    for (let i = 1; i <= a.length; i += 1) {
      const here = [i];
      for (let j = 1; j <= b.length; j += 1) here[j] = Math.min(above[j] + 1, here[j - 1] + 1, above[j - 1] + (a[i - 1] !== b[j - 1]));
      above = here;
    }
    return above[b.length];
  }

  // Another text. What was chosen for the one before, the word that looks and the right next word, is kept only where told.
  function read(text, keep = false) {
    if (split(text).join(" ") !== split(state.text).join(" ") && !keep) state.right = "";
    Object.assign(state, { text: split(text).join(" "), row: null, col: null });
    if (box.value !== text || keep) box.value = state.text;
    refresh();
  }

  function refresh() {
    const list = split(state.text),
      strange = unknown(list);
    const wrong = strange.length
      ? strange
          .map((word) => {
            const near = vocabulary.map((known) => [distance(word, known), known]).sort((a, b) => a[0] - b[0])[0];
            return `The model does not know the word ${quoted(word)}.${near[0] <= 2 ? ` Did you mean ${quoted(near[1])}?` : ""}`;
          })
          .join(" ") + ` It knows ${vocabulary.length}: see the list above.`
      : list.length
        ? ""
        : "Type at least one word.";
    box.setAttribute("aria-invalid", String(!!wrong));
    result.hidden = !!wrong;
    if (wrong) {
      say(wrong);
      toAddress();
      return;
    }
    seen = list.slice(-LONGEST);
    ids = seen.map((word) => vocabulary.indexOf(word));
    pass = gpt.forward(model, ids);
    say(
      list.length > LONGEST
        ? `${list.length} words. The model sees at most ${LONGEST}, so it reads the last ${LONGEST}.`
        : `${list.length} of at most ${LONGEST} words.`,
    );
    change({});
  }

  const say = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };
  function append(word) {
    const list = split(state.text),
      full = list.length >= LONGEST;
    state.right = "";
    read([...list, word].slice(-LONGEST).join(" "), true);
    if (full) say(`The model sees at most ${LONGEST} words: ${quoted(list[list.length - LONGEST])} at the beginning was left out.`);
  }
  function draw() {
    const p = gpt.probabilities(row(pass.tape.values[pass.last], 0), state.t);
    append(vocabulary[gpt.drawn(p, gpt.die(state.seed, ids))]);
  }
  // To a step; one of attention turns the matrix to what it makes.
  function go(step) {
    const count = 2 * pass.steps.length;
    const to = Math.min(count - 1, Math.max(0, step)),
      { key, layer } = place(to).of;
    const forward = { scores: "scores", mask: "scores", softmax: "weights", mix: "weights" };
    const backward = { scores: "scoresBack", mask: "scoresBack", softmax: "scoresBack", mix: "weightsBack" };
    const show = (to < pass.steps.length ? forward : backward)[key];
    change({ step: to, ...(layer === null ? {} : { layer }), ...(show ? { show } : {}) });
  }
  const place = (step) => {
    const n = pass.steps.length;
    return step < n ? { of: pass.steps[step], way: "forward" } : { of: pass.steps[2 * n - 1 - step], way: "back" };
  };

  // -- drawing it anew ------------------------------------------------------------------------------------------------------------------
  function change(news) {
    Object.assign(state, news);
    const n = seen.length;
    if (state.row === null || state.row >= n) state.row = n - 1;
    if (state.col === null || state.col >= n) {
      const given = row(looks(), state.row);
      state.col = given.indexOf(Math.max(...given)); // the word that it looks at most
    }
    state.step = Math.min(state.step, 2 * pass.steps.length - 1);
    const logits = row(pass.tape.values[pass.last], 0);
    const likeliest = logits.indexOf(Math.max(...logits));
    const target = state.right ? vocabulary.indexOf(state.right) : likeliest;
    if (!back || back.of !== pass || back.target !== target) back = { ...gpt.backward(pass, target), of: pass, target };
    choose.value = state.show;
    warm.value = state.t;
    warm.setAttribute("aria-valuetext", String(state.t));
    if (document.activeElement !== degrees) degrees.value = state.t;
    seed.value = state.seed;
    right.replaceChildren(
      el("option", { value: "" }, `the likeliest (${vocabulary[likeliest]})`),
      ...vocabulary.map((word) => el("option", { value: word }, word)),
    );
    right.value = state.right;
    kept(() => {
      showHeads();
      showMatrix();
      showCell();
      showSentence();
      showNext(logits);
      showBlame(vocabulary[target]);
      showStep();
    });
    toAddress();
  }

  // Redraws, and gives the focus back to what it was on.
  function kept(redraw) {
    const key = root.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    redraw();
    if (key && !root.contains(document.activeElement))
      root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  }

  const value = (index) => pass.tape.values[index];
  const gradient = (index) => back.gradients[index] ?? { shape: value(index).shape, data: new Float64Array(value(index).data.length) };
  const looks = (layer = state.layer, head = state.head) => value(pass.layers[layer].weights[head]);

  function shown() {
    const { scores, weights } = pass.layers[state.layer],
      h = state.head;
    return { weights: value(weights[h]), scores: value(scores[h]), weightsBack: gradient(weights[h]), scoresBack: gradient(scores[h]) }[
      state.show
    ];
  }

  function showHeads() {
    const n = seen.length;
    at.heads.setAttribute("role", "group");
    at.heads.setAttribute("aria-label", "Heads");
    at.heads.replaceChildren(
      ...pass.layers.flatMap(({ weights }, layer) =>
        weights.map((index, head) => {
          const p = value(index).data;
          const picture = el(
            "svg",
            { viewBox: `0 0 ${n} ${n}`, "aria-hidden": "true", focusable: "false" },
            [...p].map((x, k) =>
              x < 0.02 ? null : el("rect", { x: k % n, y: Math.floor(k / n), width: 1, height: 1, "fill-opacity": x.toFixed(3) }),
            ),
          );
          const on = layer === state.layer && head === state.head;
          return button(
            `head-${layer}-${head}`,
            { class: "bh-head", "aria-pressed": String(on), onclick: () => change({ layer, head }) },
            picture,
            el("span", {}, `layer ${layer + 1}, head ${head + 1}`),
          );
        }),
      ),
    );
  }

  const masked = (i, j) => j > i && state.show !== "scores";
  // The numbers of a matrix with so few digits that they fit; the unit stands above it.
  function unit(numbers) {
    const power = Math.floor(Math.log10(largest([...numbers])));
    return state.show === "weights" || power >= -1 ? 0 : power;
  }

  function showMatrix() {
    const array = shown(),
      n = seen.length,
      most = state.show === "weights" ? 1 : largest([...array.data]),
      power = unit(array.data);
    const digits = state.show === "weights" ? 2 : power || most >= 3 ? 1 : 2;
    const name = `layer ${state.layer + 1}, head ${state.head + 1}`;
    const cell = (i, j) => {
      const x = array.data[i * n + j],
        hidden = masked(i, j),
        on = i === state.row && j === state.col;
      const number = fixed(x / 10 ** power, digits),
        says = hidden ? "masked" : power ? `${number} times ${three(10 ** power)}` : number;
      return el(
        "td",
        {
          "data-key": `cell-${i}-${j}`,
          tabindex: on ? 0 : -1,
          class: hidden ? "bh-masked" : i === state.row ? "bh-row" : null,
          "aria-label": `${name}, from ${quoted(seen[i])} to ${quoted(seen[j])}, ${says}`,
          style: hidden ? null : tint(x / most),
          "aria-selected": String(on),
          onclick: () => {
            change({ row: i, col: j });
            at.matrix.querySelector('[tabindex="0"]').focus({ preventScroll: true });
          },
        },
        hidden ? "\u00b7" : number.replace(/^0\./, "."),
      );
    };
    const table = el(
      "table",
      { role: "grid", class: "bh-grid", onkeydown: onKey },
      el(
        "caption",
        {},
        `${name[0].toUpperCase()}${name.slice(1)}: ${SHOWN[state.show]}${power ? `, in units of ${three(10 ** power)}` : ""}`,
      ),
      byWord(
        seen.map((word) => el("th", { scope: "col" }, el("span", {}, word))),
        (i) => seen.map((_, j) => cell(i, j)),
      ),
    );
    const scrolled = at.matrix.scrollLeft;
    at.matrix.replaceChildren(table);
    at.matrix.scrollLeft = scrolled;
  }

  function onKey(event) {
    const n = seen.length,
      [i, j] = [state.row, state.col];
    const to = { ArrowUp: [i - 1, j], ArrowDown: [i + 1, j], ArrowLeft: [i, j - 1], ArrowRight: [i, j + 1], Home: [i, 0], End: [i, n - 1] }[
      event.key
    ];
    if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    change({ row: Math.min(n - 1, Math.max(0, to[0])), col: Math.min(n - 1, Math.max(0, to[1])) });
    const now = at.matrix.querySelector('[tabindex="0"]');
    now.focus({ preventScroll: true });
    now.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function showCell() {
    const { scores, weights } = pass.layers[state.layer],
      h = state.head,
      n = seen.length,
      k = state.row * n + state.col;
    const [i, j] = [state.row, state.col];
    at.cell.replaceChildren(
      el(
        "p",
        {},
        el("b", {}, seen[i]),
        ` (word ${i + 1}) looks at `,
        el("b", {}, seen[j]),
        ` (word ${j + 1}): `,
        j > i
          ? `masked, for it comes later. Its score would be ${three(value(scores[h]).data[k])}.`
          : `score ${three(value(scores[h]).data[k])}, weight ${fixed(value(weights[h]).data[k], 3)}; their gradients ${three(gradient(scores[h]).data[k])} and ${three(gradient(weights[h]).data[k])}.`,
      ),
    );
  }

  function showSentence() {
    const weights = row(looks(), state.row);
    at.sentence.setAttribute("role", "group");
    at.sentence.setAttribute("aria-label", "Which word looks");
    at.sentence.replaceChildren(
      ...seen.map((word, i) =>
        button(
          `word-${i}`,
          { class: "bh-word", "aria-pressed": String(i === state.row), style: tint(weights[i]), onclick: () => change({ row: i, col: i }) },
          word,
          el("small", {}, i > state.row ? "later" : fixed(weights[i], 2)),
        ),
      ),
    );
  }

  function showNext(logits) {
    const p = gpt.probabilities(logits, state.t),
      order = vocabulary.map((_, i) => i).sort((a, b) => p[b] - p[a] || logits[b] - logits[a]);
    const h = gpt.bits(p);
    at.entropy.replaceChildren(
      el(
        "p",
        { "aria-live": "polite" },
        `Entropy: ${fixed(h, 2)} bits, of at most ${fixed(Math.log2(vocabulary.length), 2)}. As open as a choice among ${three(2 ** h)} words that are equally likely.`,
      ),
    );
    const open = at.bars.querySelector("details")?.open ?? false;
    const line = (i) =>
      el(
        "li",
        {},
        button(
          `next-${i}`,
          { class: "bh-bar", title: "append to the text", onclick: () => append(vocabulary[i]) },
          el("i", { style: `width:${(100 * p[i]).toFixed(2)}%`, "aria-hidden": "true" }),
          el("span", {}, vocabulary[i]),
          " ",
          el("span", {}, p[i] > 0 && p[i] < 0.0005 ? "< 0.001" : fixed(p[i], 3)),
        ),
      );
    at.bars.replaceChildren(
      el("ol", {}, order.slice(0, 8).map(line)),
      el(
        "details",
        { open },
        el("summary", { "data-key": "bars-more" }, `The other ${vocabulary.length - 8} words`),
        el("ol", { start: 9 }, order.slice(8).map(line)),
      ),
    );
  }

  function showBlame(target) {
    at.loss.replaceChildren(
      el(
        "p",
        { "aria-live": "polite" },
        "Loss: \u2212ln p(",
        el("b", {}, target),
        `) = ${fixed(back.loss, 3)} nats, or ${fixed(back.loss / Math.LN2, 2)} bits, at temperature 1.`,
      ),
    );
    const sizes = seen.map((_, i) => length(row(gradient(pass.token), i))),
      most = largest(sizes);
    const weights = pass.layers.flatMap((layer, l) =>
      layer.weights.map((index, h) => [`layer ${l + 1}, head ${h + 1}`, gradient(index), l, h]),
    );
    const strongest = weights
      .flatMap(([name, g, layer, head]) =>
        [...g.data].map((x, k) => ({ name, x, layer, head, i: Math.floor(k / seen.length), j: k % seen.length })),
      )
      .filter(({ i, j }) => j <= i)
      .sort((a, b) => Math.abs(b.x) - Math.abs(a.x))
      .slice(0, 5);
    const parts = Object.entries(pass.leaves)
      .map(([name, index]) => [name, length([...gradient(index).data])])
      .sort((a, b) => b[1] - a[1]);
    const open = at.blame.querySelector("details")?.open ?? false;
    at.blame.replaceChildren(
      el("h3", {}, "Which words: how long the gradient of each embedding is"),
      el(
        "ol",
        { class: "bh-sizes" },
        seen.map((word, i) =>
          el(
            "li",
            {},
            el("i", { style: `width:${((100 * sizes[i]) / most).toFixed(2)}%`, "aria-hidden": "true" }),
            el("span", {}, word),
            " ",
            el("span", {}, three(sizes[i])),
          ),
        ),
      ),
      el("h3", {}, "Which attention weights: the five largest gradients"),
      el(
        "ul",
        { class: "bh-strong" },
        strongest.map(({ name, x, layer, head, i, j }, k) =>
          el(
            "li",
            {},
            button(
              `strong-${k}`,
              { onclick: () => change({ layer, head, row: i, col: j, show: "weightsBack" }) },
              `${name}, from ${quoted(seen[i])} to ${quoted(seen[j])}: ${three(x)}`,
            ),
          ),
        ),
      ),
      el("p", { class: "bh-hint" }, "A negative gradient: more of this weight would make the loss smaller."),
      el(
        "details",
        { open },
        el("summary", { "data-key": "parts" }, "Which parameters: how long the gradient of each is"),
        scroller(
          "Gradients of the parameters",
          el(
            "table",
            {},
            el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "parameter"), el("th", { scope: "col" }, "length of its gradient"))),
            el(
              "tbody",
              {},
              parts.map(([name, x]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, three(x)))),
            ),
          ),
        ),
      ),
    );
  }

  // "W_O" with a low O.
  const lowered = (text) => text.split(/_(\w)/).map((piece, k) => (k % 2 ? el("sub", {}, piece) : piece));
  // The inside of a table with a row for each word.
  const byWord = (head, cells) => [
    el("thead", {}, el("tr", {}, el("td", {}), head)),
    el("tbody", {}, seen.map((word, i) => el("tr", {}, el("th", { scope: "row" }, word), cells(i)))),
  ];
  const scroller = (name, ...children) => el("div", { class: "bh-scroll", tabindex: 0, role: "region", "aria-label": name }, ...children);

  let whole = false; // whether the tables of all words are open, in the next step too
  // An array of a step: the row of the word that looks, number by number, and all rows in a table that opens.
  function numbers(letter, array, way) {
    const square = "SP".includes(letter),
      labels = square ? seen : letter === "L" ? vocabulary : null;
    const most = largest([...array.data]),
      own = row(array, state.row);
    const title = way === "back" ? bar(letter) : letter;
    const show = (x) => (square || labels ? three(x) : fixed(x, most < 0.05 ? 4 : 2));
    const text = (x) => (most < 0.05 && !square && !labels ? three(x) : show(x));
    const list = el(
      "div",
      { class: "bh-numbers" },
      own.map((x, j) =>
        el("span", { style: Number.isFinite(x) ? tint(x / most) : null }, labels ? el("small", {}, labels[j]) : null, text(x)),
      ),
    );
    const all = el("details", { open: whole }, el("summary", { "data-key": `all-${letter}` }, `${title} for all words`));
    const fill = () => {
      if (!all.open || all.querySelector("table")) return;
      const head = (labels ?? own.map((_, j) => j + 1)).map((label) => el("th", { scope: "col" }, String(label)));
      all.append(
        scroller(
          `${title} for all words`,
          el(
            "table",
            {},
            byWord(head, (i) => row(array, i).map((x) => el("td", { style: Number.isFinite(x) ? tint(x / most) : null }, text(x)))),
          ),
        ),
      );
    };
    all.addEventListener("toggle", () => {
      whole = all.isConnected ? all.open : whole;
      fill();
    });
    fill();
    return el(
      "div",
      { class: "bh-array" },
      el(
        "p",
        {},
        el("b", {}, title),
        ` of `,
        el("b", {}, seen[state.row]),
        ` (word ${state.row + 1}), ${own.length} number${own.length === 1 ? "" : "s"}`,
      ),
      list,
      all,
    );
  }

  function showStep() {
    const n = pass.steps.length,
      { of, way } = place(state.step),
      [title, formula, says, formulaBack, saysBack] = STEPS[of.key];
    const where = of.layer === null ? "" : `Layer ${of.layer + 1}: `,
      own = ["qkv", "scores", "mask", "softmax", "mix"].includes(of.key) ? `, head ${state.head + 1}` : "";
    walk.max = 2 * n - 1;
    walk.value = state.step;
    const line = `${state.step + 1} of ${2 * n}, ${way}. ${where}${title}${own}`;
    walk.setAttribute("aria-valuetext", line);
    moves[0].disabled = moves[1].disabled = state.step === 0;
    moves[2].disabled = state.step === 2 * n - 1;
    moves[3].textContent = "To the way back";
    const arrays = way === "forward" ? of.made(state.head) : of.taken(state.head);
    const pieces = Object.entries(arrays).map(([letter, index]) =>
      numbers(letter, way === "forward" ? value(index) : gradient(index), way),
    );
    const used =
      way === "back" && of.used.length
        ? el(
            "p",
            {},
            "Its weights get gradients too, of length ",
            of.used.map((name) => `${three(length([...gradient(pass.leaves[name]).data]))} (${name})`).join(", "),
            of.key === "logits" || of.key === "embedding" ? "; the table E is used twice, and this is the sum of both." : ".",
          )
        : null;
    at.step.className = `bh-at-step bh-${way}`;
    at.step.replaceChildren(
      el("h3", { "aria-live": "polite" }, `Step ${line}`),
      el("p", { class: "bh-formula" }, lowered(way === "forward" ? formula : formulaBack)),
      el("p", {}, way === "forward" ? says : saysBack),
      ...pieces,
      ...(used ? [used] : []),
    );
  }

  // -- begin --------------------------------------------------------------------------------------------------------------------------
  at.known.append(
    el(
      "details",
      {},
      el("summary", {}, `The ${vocabulary.length} words that it knows`),
      el(
        "p",
        { class: "bh-line" },
        vocabulary.map((word, k) =>
          button(`known-${k}`, { class: "bh-known", title: "append to the text", onclick: () => append(word) }, word),
        ),
      ),
    ),
  );
  root.replaceChildren(form, examples, at.known, status, result);
  root.classList.add("bh-on");
  function begin() {
    const told = fromAddress();
    if (begun && !told) return;
    box.value = state.text;
    refresh();
    if (told) root.scrollIntoView();
    begun = true;
  }
  addEventListener("hashchange", begin);
  begin();
});
