// Before each result of a search: what it is. The search is Sphinx's, which adds one result after the other.
addEventListener("DOMContentLoaded", () => {
  const results = document.getElementById("search-results");
  if (!results) return;
  const KINDS = [
    [/^reference\/ops\/[^/]+\/[^/]+$/, "Op"],
    [/^reference\/ops/, "Ops"],
    [/^reference\/api/, "API"],
    [/^solutions-/, "Solution"],
    [/^bugs/, "Bug"],
    [/\/exercise-|#exercise-/, "Exercise"],
    [/^\d\d-|^[A-Z]-/, "Section"],
  ];
  // What a result quotes of its page is its text, not the buttons above it, which the theme has in the same element.
  const whole = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const article = new DOMParser().parseFromString(html, "text/html").querySelector("article.bd-article");
    article?.querySelector("h1")?.remove(); // it stands in the line above
    const way = article?.querySelector("p");
    if (way?.textContent.includes("›")) way.remove(); // where the page stands in the reference
    return whole(article ? `<div role="main">${article.innerHTML}</div>` : html, anchor);
  };
  const name = (item) => {
    const link = item.querySelector("a");
    if (!link || item.querySelector(".book-kind")) return;
    const place = link.getAttribute("href").replace(/^(\.\.?\/)*/, "").replace(/\.html/, "");
    const kind = document.createElement("span");
    kind.className = "book-kind";
    kind.textContent = KINDS.find(([pattern]) => pattern.test(place))?.[1] ?? "Page";
    item.prepend(kind);
  };
  new MutationObserver(() => results.querySelectorAll("li").forEach(name)).observe(results, { childList: true, subtree: true });
});
