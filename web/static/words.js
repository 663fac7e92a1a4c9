// The page's words in the person's language; English is the key.
export const known = JSON.parse(document.querySelector("#words")?.textContent ?? "{}");

export function word(text, values = {}) {
  return (known[text] ?? text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

export function count(one, many, n, values = {}) {
  return word(n === 1 ? one : many, { n: n.toLocaleString("en"), ...values });
}

// A sentence with what stands in backticks as code.
export function showTicks(node, text) {
  node.replaceChildren(...text.split("`").map((part, at) => {
    if (at % 2 === 0) return part;
    const code = document.createElement("code");
    for (const piece of part.split(/(?<=,)/)) code.append(piece, document.createElement("wbr"));
    return code;
  }));
}
