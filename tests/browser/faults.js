// What is wrong with a page, found by rules of the kind that accessibility checkers apply.
() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (one) =>
    one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
  if (!document.documentElement.lang) faults.push("no lang");
  if (!document.title) faults.push("no title");
  if (all("h1").length !== 1) faults.push("not one h1");
  for (const mark of ["header", "nav", "main", "footer"])
    if (all(mark).length < 1) faults.push("no " + mark);
  for (const one of all("a, button, input:not([type=hidden]), select, textarea, summary"))
    if (!named(one)) faults.push("unnamed " + one.outerHTML);
  for (const one of all("img")) if (!one.hasAttribute("alt")) faults.push("no alt");
  for (const one of all("table")) {
    if (!one.caption) faults.push("no caption");
    for (const head of one.querySelectorAll("th")) if (!head.scope) faults.push("th without scope");
  }
  const ids = all("[id]").map((one) => one.id);
  if (new Set(ids).size !== ids.length) faults.push("an id twice");
  for (const one of all("[aria-labelledby], [aria-describedby]"))
    for (const name of ["aria-labelledby", "aria-describedby"])
      for (const id of (one.getAttribute(name) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) faults.push("no " + id);
  let before = 0;
  for (const one of all("h1, h2, h3, h4")) {
    const level = Number(one.tagName[1]);
    if (level > before + 1) faults.push("a heading level is left out at " + one.innerText);
    before = level;
  }
  const shades = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const shade = shades(getComputedStyle(at).backgroundColor);
      if (shade.length === 3 || shade[3] === 1) return shade;
    }
    return [255, 255, 255];
  };
  for (const one of all("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !one.checkVisibility()) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(shades(style.color)), light(ground(one))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < (large ? 3 : 4.5))
      faults.push(`contrast ${contrast.toFixed(2)} in ${one.outerHTML.slice(0, 90)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the window");
  return faults;
}
