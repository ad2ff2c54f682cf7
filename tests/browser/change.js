// All numbers of a step-through as a reader can see them: the arrays of every step, and what stands in the boxes of the drawing at each step.
// Returns {places: [[what, text]], boxes: [[texts of a step]]}; a picture is told by its pixels.
async (root) => {
  const sheet = new Image(), address = getComputedStyle(root).getPropertyValue("--sheet");
  if (address) {
    sheet.src = address.slice(address.indexOf("data:"), address.lastIndexOf(")"));
    await sheet.decode();
  }
  const canvas = document.createElement("canvas"), paint = canvas.getContext("2d", {willReadFrequently: true});
  canvas.width = 24; canvas.height = sheet.height || 1;
  if (address) paint.drawImage(sheet, 0, 0);
  const pixels = (x, y, w, h) => Array.from(paint.getImageData(x, y, w, h).data).join();
  const picture = (e) => {
    const style = getComputedStyle(e), size = (name) => Number(style.getPropertyValue(name));
    return pixels(0, size("--y"), size("--w"), size("--h")) + e.nextSibling.data;
  };
  const places = [...root.querySelectorAll("[data-n]")].map((e) => {
    const step = [...root.querySelectorAll(".steps>li")].indexOf(e.closest("li"));
    const text = e.tagName === "I" ? picture(e) : e.tagName === "B" ? e.textContent : [...e.querySelectorAll("td")].map((td) => td.textContent).join(" ");
    return [`${e.dataset.n} of step ${step}`, text.trim()];
  });
  const button = (label) => [...root.querySelectorAll(".bar button")].find((b) => b.textContent.includes(label));
  const boxes = [];
  button("|◀").click();
  for (;;) {
    boxes.push([...root.querySelectorAll(".panel:not([hidden]) .n")].map((g) => [
      ...[...g.querySelectorAll(".v, .g")].map((t) => t.textContent.trim()),
      ...[...g.querySelectorAll("svg")].map((s) => { const [x, y, w, h] = s.getAttribute("viewBox").split(" ").map(Number); return pixels(x, y, w, h); }),
    ].join(" | ")));
    if (button("Next").disabled) break;
    button("Next").click();
  }
  button("|◀").click();
  return {places, boxes};
}
