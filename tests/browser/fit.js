// What a reader cannot reach on this page at this width: [kind, what, why] each, and how many things were looked at.
() => {
  const SLACK = 2; // pixels: the ink of an italic letter stands out of its box
  const screen = document.documentElement.clientWidth;
  const main = document.querySelector("#main-content") ?? document.body;
  document.querySelectorAll("details").forEach((d) => (d.open = true));

  // Why the horizontal extent of an element cannot be brought into view, or "". Each ancestor cuts it, or lets it scroll.
  const hidden = (element, { left, right }) => {
    for (let a = element; a && a !== document.documentElement; a = a.parentElement) {
      const overflow = getComputedStyle(a).overflowX;
      if (overflow === "visible" || a.clientWidth === 0 || a.tagName === "svg" || a.tagName === "BODY") continue;
      const begin = a.getBoundingClientRect().left + a.clientLeft, end = begin + a.clientWidth;
      const scrolls = overflow === "auto" || overflow === "scroll";
      const [first, last] = scrolls ? [begin - a.scrollLeft, begin - a.scrollLeft + a.scrollWidth] : [begin, end];
      if (left < first - SLACK || right > last + SLACK)
        return `${Math.round(left)} to ${Math.round(right)} in <${a.localName}> from ${Math.round(first)} to ${Math.round(last)}`;
      if (scrolls && a.scrollWidth > a.clientWidth + SLACK && !shows(a)) return `<${a.localName}> scrolls, and nothing says so`;
      [left, right] = [Math.max(left, begin), Math.min(right, end)];
    }
    return left < -SLACK || right > screen + SLACK ? `${Math.round(left)} to ${Math.round(right)} on a screen of ${screen}` : "";
  };
  // A scroller says so with a scrollbar, or with a shadow at the edge where there is more.
  const shows = (e) => e.offsetHeight - e.clientHeight > 4 || getComputedStyle(e).backgroundImage.includes("gradient");

  const ink = (svg) => {
    const boxes = [...svg.querySelectorAll("use, rect, path, text")].map((x) => x.getBoundingClientRect()).filter((b) => b.width);
    return { left: Math.min(...boxes.map((b) => b.left)), right: Math.max(...boxes.map((b) => b.right)) };
  };
  const text = (e) => {
    const range = document.createRange();
    range.selectNodeContents(e);
    return range.getBoundingClientRect();
  };
  const box = (e) => e.getBoundingClientRect();
  const kinds = {
    "displayed formula": ['mjx-container[display="true"] > svg', ink],
    "inline formula": ['mjx-container:not([display="true"]) > svg', ink],
    "code or output": ["pre", text],
    "table": ["table", box],
    "image": ["img", box],
    "step-through": [".mlstep", box],
  };
  const bad = [], counts = {};
  for (const [kind, [selector, extent]] of Object.entries(kinds)) {
    const found = [...main.querySelectorAll(selector)].filter(
      (e) => e.getClientRects().length && (e.matches(".mlstep") || !e.closest(".mlstep")),
    );
    counts[kind] = found.length;
    for (const e of found) {
      const why = hidden(e, extent(e));
      if (why) bad.push([kind, (e.closest(".formula")?.id || e.textContent || e.alt || "").trim().slice(0, 50), why]);
    }
  }
  counts.page = 1;
  if (document.documentElement.scrollWidth > screen)
    bad.push(["page", location.pathname, `${document.documentElement.scrollWidth} wide on a screen of ${screen}`]);
  for (const e of main.querySelectorAll(".math:not(:has(mjx-container))")) bad.push(["formula", e.textContent.slice(0, 50), "was not typeset"]);
  return { bad, counts, height: document.documentElement.scrollHeight };
}
