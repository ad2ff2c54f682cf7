// A link to a heading or a formula that stands on another page now leads on. The map of these is fetched only then.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement.dataset.content_root ?? "./";
  const stem = /((?:\d\d|[A-Z])-[\w-]+)(?:\/[^/]+)?\.html$/.exec(location.pathname)?.[1];
  function lead() {
    const anchor = decodeURIComponent(location.hash.slice(1));
    if (!stem || !anchor || document.getElementById(anchor)) return;
    const map = document.createElement("script");
    map.src = `${root}anchors.js`;
    map.onload = () => {
      const to = window.bookAnchors[stem]?.[anchor];
      if (to) location.replace(root + to);
    };
    document.head.append(map);
  }
  addEventListener("hashchange", lead);
  lead();
});
