// Paper is white: a page that is read dark is printed light, and is dark again afterwards.
addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  let theme = "";
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme ?? "";
    if (theme === "dark") root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (theme === "dark") root.dataset.theme = theme;
  });
});
