// Measures a page at the present size of the window: what is wider than it, cut without a way to be read, or too small to
// press. Looks at all of the window's width, but only at what is inside one element or an open dialog. Returns sentences.
({ coarse, inside }) => {
  const found = [];
  const root = document.documentElement;
  const width = root.clientWidth;
  const name = (element) => {
    const id = element.id ? `#${element.id}` : "";
    const classes = typeof element.className === "string" ? element.className.trim().split(/\s+/).slice(0, 3) : [];
    const words = (element.getAttribute("aria-label") || element.textContent || "").trim().replace(/\s+/g, " ");
    return `${element.localName}${id}${classes.filter(Boolean).map((each) => `.${each}`).join("")} "${words.slice(0, 30)}"`;
  };
  const top = document.querySelector("dialog:modal") ?? document.querySelector(inside);
  const all = [...top.querySelectorAll("*")].filter((element) => element.checkVisibility({ visibilityProperty: true }));
  const styles = new Map(all.map((element) => [element, getComputedStyle(element)]));
  const styleOf = (element) => styles.get(element) ?? getComputedStyle(element);
  const boxes = new Map(all.map((element) => [element, element.getBoundingClientRect()]));
  const hiddenText = (element) => {
    const { width: w, height: h } = boxes.get(element) ?? element.getBoundingClientRect();
    return w <= 1.5 || h <= 1.5;
  };
  const scrolls = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      const { overflowX } = styleOf(each);
      if (overflowX === "auto" || overflowX === "scroll") return true;
    }
    return false;
  };

  const clipped = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (styleOf(each).overflowX === "hidden" || styleOf(each).overflowX === "clip") return true;
    }
    return false;
  };
  const fixed = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (styleOf(each).position === "fixed" || styleOf(each).position === "sticky") return each;
    }
    return null;
  };

  // Wider than the window
  if (root.scrollWidth > width) {
    const wide = all.filter((each) => boxes.get(each).right > width + 0.5 && !scrolls(each) && !hiddenText(each));
    const inner = wide.filter((each) => ![...each.children].some((child) => wide.includes(child)));
    found.push(`${root.scrollWidth - width} px wider than the window: ${inner.slice(0, 3).map(name).join(", ")}`);
  }

  // Words for screen readers that are not cut with the text around them, so widen the page once that text is cut
  for (const element of all.filter((each) => each.matches(".sr"))) {
    for (let each = element.parentElement; each && each !== element.offsetParent && each !== document.body; each = each.parentElement) {
      if (styleOf(each).overflowX !== "visible" && styleOf(each).position === "static") found.push(`out of ${name(each)}: ${name(element)}`);
    }
  }

  // Text that is cut
  const readable = (element) => {
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      if (each.title || each.getAttribute("aria-label") || each.hasAttribute("data-cut")) return true;
    }
    return false;
  };
  const range = document.createRange();
  for (const element of all) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!text.length || element.closest("option, svg, script, style, textarea") || hiddenText(element)) continue;
    range.setStartBefore(text[0]);
    range.setEndAfter(text.at(-1));
    const box = range.getBoundingClientRect();
    if (!box.width) continue;
    if (!scrolls(element) && !clipped(element) && (box.left < -1 || box.right > width + 1) && box.bottom > 0) found.push(`outside: ${name(element)}`);
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      const { overflowX, overflowY, clipPath } = styleOf(each);
      if (clipPath !== "none" || (boxes.get(each)?.width ?? 9) <= 1.5) break;
      if (overflowX === "auto" || overflowX === "scroll" || overflowY === "auto" || overflowY === "scroll") break;
      if (overflowX === "visible" && overflowY === "visible") continue;
      const frame = boxes.get(each) ?? each.getBoundingClientRect();
      const cut = Math.max(box.right - frame.right, frame.left - box.left, box.bottom - frame.bottom - 3, frame.top - box.top - 3);
      if (cut > 1.5 && !readable(element)) {
        found.push(`cut by ${Math.round(cut)} px: ${name(element)}`);
        break;
      }
    }
  }

  // Too small to press
  const union = (one, other) => {
    if (!other || !other.width) return one;
    const left = Math.min(one.left, other.left), right = Math.max(one.right, other.right);
    const over = Math.min(one.top, other.top), under = Math.max(one.bottom, other.bottom);
    return { left, right, top: over, bottom: under, width: right - left, height: under - over };
  };
  const places = (element) => {
    let box = boxes.get(element);
    if (element.matches("input[type=checkbox], input[type=radio], input[type=file]")) {
      for (const label of element.labels ?? []) if (label.checkVisibility()) box = union(box, label.getBoundingClientRect());
    }
    return box;
  };
  const targets = all.filter((each) => each.matches("a[href], button:not(:disabled), input:not([type=hidden], :disabled), select, textarea, summary, [role=button], [tabindex='0']"));
  const pressed = targets.map((element) => ({ element, box: places(element), fixed: fixed(element) })).filter(({ box }) => box.width > 1.5 && box.height > 1.5);
  const small = pressed.filter(({ box }) => box.width < 23.9 || box.height < 23.9);
  const inline = (element) => {
    if (styleOf(element).display !== "inline") return false;
    const around = element.parentElement.textContent.trim().length;
    return around > element.textContent.trim().length;
  };
  const near = (box, other) => {
    const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    const away = Math.hypot(Math.max(other.left - x, 0, x - other.right), Math.max(other.top - y, 0, y - other.bottom));
    return away < 12;
  };
  for (const { element, box, fixed: layer } of small) {
    if (inline(element)) continue;
    const crowd = pressed.find((other) => {
      if (other.fixed !== layer) return false; // it scrolls past the other
      if (other.element === element || other.element.contains(element) || element.contains(other.element)) return false;
      if (near(box, other.box)) return true;
      if (!small.includes(other)) return false;
      const x = box.left + box.right - other.box.left - other.box.right, y = box.top + box.bottom - other.box.top - other.box.bottom;
      return Math.hypot(x, y) / 2 < 24;
    });
    if (crowd) found.push(`${Math.round(box.width)} × ${Math.round(box.height)} px to press, by ${name(crowd.element)}: ${name(element)}`);
  }
  if (coarse) {
    for (const { element, box } of pressed) {
      if (!element.matches(".btn--primary, .nav a, .tabs a, .menu a, .menu button, .avatar, [data-main]")) continue;
      if (box.height < 43.9 || box.width < 43.9) found.push(`${Math.round(box.width)} × ${Math.round(box.height)} px for a finger: ${name(element)}`);
    }
  }
  return found;
}
