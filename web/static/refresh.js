// The system page, made new by the server now and then; what is focused or selected stays.
import { repeat } from "./answers.js";

repeat(async () => {
  if (!getSelection().isCollapsed) return;
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#system");
  const shown = document.querySelector("#system");
  const scroll = shown.querySelector(".scroll")?.scrollLeft ?? 0;
  if (fresh && !shown.contains(document.activeElement)) {
    shown.replaceWith(fresh);
    const table = fresh.querySelector(".scroll");
    if (table) table.scrollLeft = scroll;
  }
}, 3000);
