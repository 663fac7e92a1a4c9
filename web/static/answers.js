// Talks to the API, and tells the person what it said.
import { said } from "./sentences.js";
import { word } from "./words.js";

export class Refusal extends Error {}

export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(word("The server does not answer."));
  }
  if (response.status === 401) location.assign("/login");
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(answer?.detail ? said(answer.detail) : word("The server answered {status}.", { status: response.status }));
  return answer;
}

// Waits until what is made when it is asked for is there; its body is left to whoever takes it.
export async function made(address) {
  let response;
  do {
    response = await fetch(`${address}&wait=40`).catch(() => { throw new Refusal(word("The server does not answer.")); });
    await response.body?.cancel();
  } while (response.status === 202);
  if (!response.ok) await ask("GET", address);
}

const NOTICE_MILLISECONDS = 6000;

export function tell(text, isBad = false) {
  const notice = document.createElement("p");
  notice.className = isBad ? "notice bad" : "notice";
  notice.textContent = text;
  document.querySelector("#notices").append(notice);
  setTimeout(() => notice.remove(), NOTICE_MILLISECONDS);
}

// Runs now and then while somebody looks; never twice at a time.
export function repeat(work, milliseconds) {
  let timer;
  const round = async () => {
    let goOn = true;
    if (!document.hidden) goOn = (await work().catch(() => true)) !== false;
    if (goOn) timer = setTimeout(round, milliseconds);
  };
  timer = setTimeout(round, milliseconds);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    clearTimeout(timer);
    round();
  });
}
