// Sentences of the server in the person's language, by the template that they were made from: see web/ui/sentences.py.
import { known } from "./words.js";

const templates = Object.entries(JSON.parse(document.querySelector("#sentences")?.textContent ?? "{}"));
const NAME = /\{(\w+)\}/g;
const NUMBER = "[\\d.,]+?";
const VALUES = { engine: "\\S+?", worker: "\\S+?", state: "[a-z]+", n: NUMBER, seconds: NUMBER, many: NUMBER, most: NUMBER, least: NUMBER, times: NUMBER };
const ANYTHING = "(?:(?!\\. ).)*?";
const MAX_DEPTH = 8;
const told = new Map();
let patterns = null;

function pattern(template) {
  const pieces = template.split(NAME);
  const endsOpen = pieces.at(-1) === "";
  const body = pieces.map((piece, at) => {
    if (at % 2 === 0) return piece.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    const value = endsOpen && at === pieces.length - 2 ? ".*" : VALUES[piece] ?? ANYTHING;
    return `(?<${piece}>${value})`;
  });
  return new RegExp(`^${body.join("")}${endsOpen || !/[.?]$|\.\)$/.test(template) ? "$" : "(?=\\s|$)"}`, "s");
}

export function said(text, depth = 0) {
  if (!templates.length || !text || depth > MAX_DEPTH) return text;
  if (!told.has(text)) told.set(text, tell(text, depth));
  return told.get(text);
}

function part(value, depth) {
  const translated = said(value.trim(), depth + 1);
  return translated === value.trim() ? value : translated;
}

function tell(text, depth) {
  if (known[text]) return known[text];
  patterns ??= templates
    .sort(([a], [b]) => b.replace(NAME, "").length - a.replace(NAME, "").length)
    .map(([template, translation]) => [pattern(template), translation]);
  for (const [form, translation] of patterns) {
    const match = form.exec(text);
    if (!match) continue;
    const filled = translation.replace(NAME, (all, name) => part(match.groups[name], depth));
    const rest = said(text.slice(match[0].length).trim(), depth + 1);
    return filled + (rest && !/[\u3000-\u303f\uff00-\uffef]$/.test(filled) ? " " : "") + rest;
  }
  const stop = text.indexOf(". ");
  return stop < 0 ? text : text.slice(0, stop + 2) + said(text.slice(stop + 2), depth + 1);
}
