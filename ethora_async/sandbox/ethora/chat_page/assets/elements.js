// The elements that the page is made of.

// An element with its properties and attributes; null, undefined and false are left out.
export function node(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((one) => one !== null));
  return made;
}

// The initials of a name, on a colour that belongs to a key.
export function avatar(name, key) {
  const letters = name.split(/\s+/).filter(Boolean).map((word) => [...word][0]);
  const initials = [letters[0], letters.length > 1 ? letters.at(-1) : ""].join("").toUpperCase();
  const made = node("span", { className: "avatar", "aria-hidden": "true" }, initials || "?");
  made.dataset.tint = [...key].reduce((sum, one) => Math.imul(sum ^ one.codePointAt(0), 16777619) >>> 0, 2166136261) % 6;
  return made;
}
