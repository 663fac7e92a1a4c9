// The engines' state and queue on their cards.
import { ask, repeat } from "./answers.js";

repeat(async () => {
  const { engines } = await ask("GET", "/api/v1/engines");
  for (const engine of engines) {
    const card = document.querySelector(`[data-engine="${CSS.escape(engine.name)}"]`);
    if (!card) continue;
    card.querySelector(".state").dataset.state = engine.status;
    card.querySelector("[data-part=status]").textContent = engine.status;
    card.querySelector("[data-part=load]").textContent =
      engine.message || `${engine.queue.pages} waiting · ${Math.round(engine.pages_a_minute)} pages a minute`;
  }
}, 4000);
