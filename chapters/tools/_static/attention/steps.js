// What each step of "Attention by hand" says: its title; the formula and a sentence forward; the formula and a sentence back. A letter with
// a bar is the gradient of what the letter stands for, as in the chapter. "W_O" is written with a low O.
globalThis.minilmTinySteps = (config) => {
  const size = config.n_embd;
  const width = size / config.n_head;
  const bar = (letter) => `${letter}\u0304`;
  const STEPS = {
    embedding: [
      "Embedding",
      "e = E[word]",
      `Each word is looked up: its row of the table E, ${size} numbers.`,
      `${bar("E")}[word] += ${bar("e")}`,
      "What has come back to each word's vector. A long one says: with another word here the loss would be another.",
    ],
    position: [
      "Position",
      "x = e + r[place]",
      "To each word the vector of its place is added, or the order would be lost.",
      `${bar("e")} = ${bar("r")} = ${bar("x")}`,
      "A plus hands back what arrives, to both.",
    ],
    norm1: [
      "LayerNorm",
      "a = (x \u2212 mean) / deviation \u00b7 w",
      "Attention reads a copy of each row, with mean 0 and deviation 1, scaled by w.",
      `${bar("x")} += (w ${bar("a")} \u2212 its mean \u2212 its part along x\u0302) / deviation`,
      "What the norm took out, mean and size, gets no gradient. The stream's own gradient is in this sum too.",
    ],
    qkv: [
      "Query, key, value",
      "q = W_Q a, k = W_K a, v = W_V a",
      `Three products make ${width} numbers each: what the word looks for, what it can be found by, what it hands over.`,
      `${bar("a")} = W_Q\u1d40 ${bar("q")} + W_K\u1d40 ${bar("k")} + W_V\u1d40 ${bar("v")}, over all heads`,
      "Queries, keys and values of all heads send their gradients back, and they are added.",
    ],
    scores: [
      "Scores",
      `S = q k\u1d40 / \u221a${width}`,
      "Each query meets each key. A row is a word that looks, a column one that is looked at.",
      `${bar("q")} = ${bar("S")} k / \u221a${width}, ${bar("k")} = ${bar("S")}\u1d40 q / \u221a${width}`,
      "A query moves toward the keys whose scores should rise.",
    ],
    mask: [
      "Mask",
      "S = \u2212\u221e where the key comes later",
      "No word sees those after it.",
      `${bar("S")} = 0 there`,
      "What was masked gets nothing.",
    ],
    softmax: [
      "Softmax",
      "P = e^S / \u03a3 e^S, row by row",
      "Scores become weights: positive, and 1 in each row.",
      `${bar("S")} = P (${bar("P")} \u2212 \u03a3 ${bar("P")} P)`,
      "A score rises where its word is more useful than the average of what was heard.",
    ],
    mix: [
      "Mix",
      "o = P v",
      "Each word takes the mean of the values, by its weights.",
      `${bar("P")} = ${bar("o")} v\u1d40, ${bar("v")} = P\u1d40 ${bar("o")}`,
      "A value hears from every word that looked at it, as much as it was looked at.",
    ],
    join: [
      "Heads joined",
      "y = W_O [o of head 1, o of head 2]",
      `The heads' answers, side by side, go through one matrix back to ${size} numbers.`,
      `[${bar("o")} of each head] = W_O\u1d40 ${bar("y")}`,
      "Each head gets its part back.",
    ],
    add1: [
      "Residual",
      "u = x + y",
      "What attention found is added to the stream.",
      `${bar("x")} = ${bar("u")} + \u2026, ${bar("y")} = ${bar("u")}`,
      "The plus hands back to both: the stream reaches every layer directly.",
    ],
    norm2: [
      "LayerNorm",
      "b = (u \u2212 mean) / deviation \u00b7 w",
      "The MLP reads a normalized copy, too.",
      `${bar("u")} += (w ${bar("b")} \u2212 its mean \u2212 its part along u\u0302) / deviation`,
      "As before the attention.",
    ],
    up: [
      "MLP, first half",
      "g = GELU(z), z = W b",
      `Each word by itself: ${4 * size} neurons, each a weighted sum with a bend.`,
      `${bar("b")} = W\u1d40 (${bar("g")} GELU\u2032(z))`,
      "Neurons that are off let nothing through.",
    ],
    down: [
      "MLP, second half",
      "m = W g",
      `Back to ${size} numbers.`,
      `${bar("g")} = W\u1d40 ${bar("m")}`,
      "A product with the matrix, turned.",
    ],
    add2: [
      "Residual",
      "x = u + m",
      "What the MLP concluded is added to the stream.",
      `${bar("u")} = ${bar("x")} + \u2026, ${bar("m")} = ${bar("x")}`,
      "The plus hands back to both.",
    ],
    norm: [
      "Last LayerNorm",
      "n = (x \u2212 mean) / deviation \u00b7 w",
      "One more norm at the end of the stream.",
      `${bar("x")} = (w ${bar("n")} \u2212 its mean \u2212 its part along x\u0302) / deviation`,
      "From here the gradient enters the stream, at the last word.",
    ],
    logits: [
      "Logits",
      "L = E n",
      "How well does each row fit each word's vector? The table E once more: a score per word.",
      `${bar("n")} = E\u1d40 ${bar("L")}`,
      "Downhill is toward the right word's vector, and away from those that were too likely.",
    ],
    loss: [
      "Softmax and loss",
      "p = softmax(L), loss = \u2212ln p[right]",
      "Only the last word's row is asked.",
      `${bar("L")} = p \u2212 y`,
      "What the model said, minus what was right: y is 1 at the right word and 0 elsewhere.",
    ],
  };
  return { STEPS, bar };
};
