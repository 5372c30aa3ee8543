// Makes one piece of the page equal to another by changing only what differs, so that focus, selected
// text, ticked boxes and open details stay.

// Children that are told apart by what they stand for, not by their place.
const keyOf = (node) => node.nodeType === Node.ELEMENT_NODE
  ? node.id || node.dataset.key || null
  : null;

// What the reader changed is the reader's.
const KEPT = new Set(["open", "disabled"]);

export function morph(from, to) {
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || keyOf(from) !== keyOf(to)) {
    from.replaceWith(to);
    return;
  }
  if (from.nodeType === Node.ELEMENT_NODE) {
    if (from.isEqualNode(to)) return;
    morphAttributes(from, to);
    if (from.localName !== "output") morphChildren(from, to);
  } else if (from.data !== to.data) {
    from.data = to.data;
  }
}

function morphAttributes(from, to) {
  for (const { name, value } of to.attributes) {
    if (!KEPT.has(name) && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) {
    if (!KEPT.has(name) && !to.hasAttribute(name)) from.removeAttribute(name);
  }
}

function morphChildren(from, to) {
  const wanted = [...to.childNodes];
  const keys = new Set(wanted.map(keyOf).filter(Boolean));
  const keyed = new Map();
  // What is gone goes first: then most of what stays is in its place already and is not moved.
  for (const child of [...from.childNodes]) {
    const key = keyOf(child);
    if (key && !keys.has(key)) child.remove();
    else if (key) keyed.set(key, child);
  }
  let at = from.firstChild;
  for (const next of wanted) {
    const key = keyOf(next);
    const known = key ? keyed.get(key) : takeUnkeyed(at, next);
    if (!known) {
      from.insertBefore(next, at);
    } else if (known === at) {
      at = at.nextSibling;
      morph(known, next);
    } else {
      from.insertBefore(known, at);
      morph(known, next);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// The next node without a key, if it is of the kind that is wanted.
function takeUnkeyed(at, next) {
  let node = at;
  while (node && keyOf(node)) node = node.nextSibling;
  return node && node.nodeName === next.nodeName ? node : null;
}
