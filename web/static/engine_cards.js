// The engines' state and queue on their cards.
import { ask, repeat } from "./answers.js";
import { said } from "./sentences.js";
import { showTicks, word } from "./words.js";

const away = document.querySelector("#broker-away");
const isOfBroker = (engine) => engine.message === away.dataset.message; // said once, above the cards

repeat(async () => {
  const { engines } = await ask("GET", "/api/v1/engines");
  away.hidden = !engines.some(isOfBroker);
  for (const engine of engines) {
    const card = document.querySelector(`[data-engine="${CSS.escape(engine.name)}"]`);
    if (!card) continue;
    card.dataset.state = engine.status;
    card.querySelector(".state").dataset.state = engine.status;
    card.querySelector("[data-part=status]").textContent = word(engine.status);
    card.querySelector("input").disabled = engine.status === "disabled";
    const load = card.querySelector("[data-part=load]");
    if (isOfBroker(engine)) load.textContent = "";
    else if (engine.message) showTicks(load, said(engine.message.replace(`${engine.name} is not started. `, "")));
    else load.textContent = `${word("{n} waiting", { n: engine.queue.pages })} · ${word("{n} pages a minute", { n: Math.round(engine.pages_a_minute) })}`;
  }
}, 4000);
