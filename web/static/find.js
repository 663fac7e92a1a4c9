// Marks what was searched for in what is shown, and brings the first place into view.
export function markWords(root, query) {
  const words = (query.match(/"[^"]+"|\S+/g) ?? []).map((word) => word.replaceAll('"', "").toLowerCase()).filter(Boolean);
  if (!words.length) return null;
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const text = node.data.toLowerCase();
    for (const word of words) for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) found.push([node, at, word.length]);
  }
  const byNode = Map.groupBy(found, ([node]) => node);
  for (const [node, places] of byNode) {
    places.sort((a, b) => b[1] - a[1]); // from the back, so that places before stay right
    let bound = Infinity;
    for (const [, at, length] of places) {
      if (at + length > bound) continue;
      bound = at;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + length);
      range.surroundContents(document.createElement("mark"));
    }
  }
  const first = root.querySelector("mark");
  first?.scrollIntoView({ block: "center" });
  return first;
}
