// Two ways to make an element, which the scripts of the exercises share.

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
