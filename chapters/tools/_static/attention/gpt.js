// The tiny GPT of "Attention by hand", forward and backward, as a record of calls of the engine's ops in JavaScript (minilm/trace/ops.js).
// It computes in float64 what minilm/models/gpt.py computes, for one text, a row per word; attention is taken apart, head by head.
(() => {
  const { Tape, array } = globalThis.minilmOps;

  // The file's weights: float16 in base64, each widened to the number that it stands for.
  function widened(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({ length: bytes.length / 2 }, (_, i) => {
      const bits = view.getUint16(2 * i, true);
      const exponent = (bits >> 10) & 31,
        fraction = bits & 1023;
      const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
      return bits & 0x8000 ? -size : size;
    });
  }

  function load(file) {
    const weights = {};
    for (const [name, { shape, float16 }] of Object.entries(file.weights)) weights[name] = { shape, data: widened(float16) };
    return { words: file.words, config: file.config, training: file.training, weights };
  }

  // The forward pass over a text, as steps. The arrays of the walk are numbered by its tape: a step names those that it makes and takes, by
  // their letters, as functions of the head that is looked at, and the weights that it uses.
  function forward(model, ids) {
    const { config } = model,
      T = ids.length,
      D = config.n_embd / config.n_head;
    const tape = new Tape(),
      steps = [],
      layers = [],
      heads = Array.from({ length: config.n_head }, (_, h) => h);
    const W = Object.fromEntries(Object.entries(model.weights).map(([name, weight]) => [name, tape.leaf(weight)]));
    const one = (op, inputs, params) => tape.call(op, inputs, params)[0];
    const integers = (list) => tape.leaf(array([list.length], list));
    const step = (key, layer, made, taken, used = []) => {
      const bound = (given) => (typeof given === "function" ? given : () => given);
      steps.push({ key, layer, made: bound(made), taken: bound(taken), used });
    };
    const norm = (x, weight) => one("layer_norm", [x, W[weight], null], { eps: 1e-5 });
    const linear = (x, weight) => one("linear", [x, W[weight], null]);

    const token = one("embedding", [W["wte.weight"], integers(ids)], { padding_idx: null });
    step("embedding", null, { e: token }, { e: token }, ["wte.weight"]);
    const place = one("embedding", [W["wpe.weight"], integers(ids.map((_, i) => i))], { padding_idx: null });
    let x = one("add", [token, place]);
    step("position", null, { r: place, x }, { e: token, r: place }, ["wpe.weight"]);

    const later = tape.leaf(
      array(
        [T, T],
        Array.from({ length: T * T }, (_, k) => +(k % T > Math.floor(k / T))),
      ),
    );
    for (let l = 0; l < config.n_layer; l += 1) {
      const name = (part) => `blocks.${l}.${part}.weight`,
        before = x;
      const a = norm(x, name("ln_1"));
      step("norm1", l, { a }, { x: before }, [name("ln_1")]);
      const all = linear(a, name("attn.c_attn"));
      const parts = tape.call("split", [all], { sections: Array(3 * config.n_head).fill(D), axis: 1 });
      const [q, k, v] = [0, 1, 2].map((part) => heads.map((h) => parts[part * config.n_head + h]));
      step("qkv", l, (h) => ({ q: q[h], k: k[h], v: v[h] }), { a }, [name("attn.c_attn")]);
      const turned = (h) => one("transpose", [k[h]], { axes: [1, 0] });
      const scores = heads.map((h) => one("mul", [one("matmul", [q[h], turned(h)]), { number: 1 / Math.sqrt(D) }]));
      step(
        "scores",
        l,
        (h) => ({ S: scores[h] }),
        (h) => ({ q: q[h], k: k[h] }),
      );
      const masked = scores.map((s) => one("masked_fill", [s, later], { value: -Infinity }));
      step(
        "mask",
        l,
        (h) => ({ S: masked[h] }),
        (h) => ({ S: scores[h] }),
      );
      const weights = masked.map((m) => one("softmax", [m], { axis: 1 }));
      step(
        "softmax",
        l,
        (h) => ({ P: weights[h] }),
        (h) => ({ S: masked[h] }),
      );
      const heard = heads.map((h) => one("matmul", [weights[h], v[h]]));
      step(
        "mix",
        l,
        (h) => ({ o: heard[h] }),
        (h) => ({ P: weights[h], v: v[h] }),
      );
      const y = linear(one("concat", heard, { axis: 1 }), name("attn.c_proj"));
      step("join", l, { y }, (h) => ({ o: heard[h] }), [name("attn.c_proj")]);
      const u = one("add", [x, y]);
      step("add1", l, { u }, { x: before, y });
      const b = norm(u, name("ln_2"));
      step("norm2", l, { b }, { u }, [name("ln_2")]);
      const z = linear(b, name("mlp.c_fc")),
        g = one("gelu", [z], { approximate: "none" });
      step("up", l, { z, g }, { b }, [name("mlp.c_fc")]);
      const m = linear(g, name("mlp.c_proj"));
      step("down", l, { m }, { g }, [name("mlp.c_proj")]);
      x = one("add", [u, m]);
      step("add2", l, { x }, { u, m });
      layers.push({ scores, masked, weights });
    }
    const n = norm(x, "ln_f.weight");
    step("norm", null, { n }, { x }, ["ln_f.weight"]);
    const logits = linear(n, "wte.weight");
    step("logits", null, { L: logits }, { n }, ["wte.weight"]);
    const last = one("embedding", [logits, integers([T - 1])], { padding_idx: null }); // the row of the last word
    step("loss", null, { L: logits }, { L: logits });
    return { tape, steps, layers, token, logits, last, leaves: W };
  }

  // -ln p of the right next word, and the gradients of it by number.
  function backward(pass, right) {
    const { tape, last } = pass,
      calls = tape.calls.length,
      values = tape.values.length;
    const [loss] = tape.call("cross_entropy", [last, tape.leaf(array([1], [right])), null], { reduction: "mean" });
    const found = { loss: tape.values[loss].data[0], gradients: tape.backward(loss) };
    tape.calls.length = calls; // the record is the forward pass again, for another word
    tape.values.length = values;
    return found;
  }

  // The probabilities of the next word at a temperature: at 0 all of it for the largest logit (shared, where several are largest).
  function probabilities(logits, temperature) {
    const most = Math.max(...logits);
    const e = logits.map((x) => (temperature > 0 ? Math.exp((x - most) / temperature) : +(x === most)));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((x) => x / sum);
  }

  const bits = (p) => p.reduce((sum, x) => (x > 0 ? sum - x * Math.log2(x) : sum), 0);

  // A number from 0 to 1 for a seed and a text: the same for the same ones (FNV-1a, then Tommy Ettinger's Mulberry32).
  function die(seed, ids) {
    let a = [seed, ...ids].reduce((hash, x) => Math.imul(hash ^ x, 0x01000193), 0x811c9dc5);
    a = Math.imul(a ^ (a >>> 15), a | 1);
    a ^= a + Math.imul(a ^ (a >>> 7), a | 61);
    return ((a ^ (a >>> 14)) >>> 0) / 2 ** 32;
  }

  function drawn(p, number) {
    let below = 0;
    for (let i = 0; i < p.length; i++) if (number < (below += p[i])) return i;
    return p.reduce((best, x, i) => (x > p[best] ? i : best), 0); // the sum fell short of 1 by a rounding
  }

  globalThis.minilmTinyGPT = { load, forward, backward, probabilities, bits, die, drawn };
})();
