// Elements by hand, and lists that are kept by key: what has not changed is not touched.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    const text = String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Keeps the children of `parent` as `items`: `make` gives an element, `update` writes an item into it. An element is
// moved only where its place has changed, and written only where its item is another object than before.
export function keyed(parent, key, make, update) {
  const known = new Map();
  return (items) => {
    const wanted = new Set();
    let place = parent.firstElementChild;
    for (const item of items) {
      const name = key(item);
      wanted.add(name);
      let entry = known.get(name);
      if (!entry) {
        entry = { element: make(item), item: undefined };
        known.set(name, entry);
      }
      if (entry.item !== item) {
        update(entry.element, item, entry.item);
        entry.item = item;
      }
      if (entry.element === place) place = place.nextElementSibling;
      else parent.insertBefore(entry.element, place);
    }
    for (const [name, entry] of known) {
      if (!wanted.has(name)) {
        entry.element.remove();
        known.delete(name);
      }
    }
  };
}
