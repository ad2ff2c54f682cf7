// Elements and words that the scripts of cells and of exercises share.

export function element(name, properties = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made && key !== "role") made[key] = value;
    else made.setAttribute(key, value);
  }
  return made;
}

export function button(text, pressed, className = "") {
  const made = element("button", { type: "button", textContent: text, className: `exercise-button ${className}`.trim() });
  made.addEventListener("click", pressed);
  return made;
}

/** How far the session is, in the words of its "progress" (live.js). */
export function arrived({ text, done, total }) {
  const mega = (bytes) => (bytes / 1e6).toFixed(1);
  return total ? `${text}: ${mega(done)} of ${mega(total)} MB` : text;
}
