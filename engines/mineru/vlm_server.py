"""Whether MinerU's VLM server answers, watched by a thread of its own."""

import threading

import httpx

from shared.settings import Settings

LOOK_SECONDS = 2.0  # between looks while it is away
CALM_SECONDS = 20.0  # between looks while all is well; a failed page brings the next one forward
_ANSWER_SECONDS = 5.0  # a list of models takes milliseconds


class VlmServer:
    """The server's state. `problem` is a sentence, or "" while pages may be sent."""

    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self.url = settings.mineru_vlm_url.rstrip("/").removesuffix("/v1")
        self._model = settings.mineru_vlm_model
        key = settings.mineru_vlm_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=_ANSWER_SECONDS, transport=transport)
        self._changed = threading.Condition()
        self._problem = ""
        self._hurry = False
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="mineru-vlm", daemon=True)

    @property
    def problem(self) -> str:
        """Why no pages are sent, and what to do."""
        return self._problem

    def start(self) -> None:
        """Look once, then go on looking."""
        self._problem = self.look()
        self._thread.start()

    def report(self, problem: str) -> None:
        """A page failed because of the server: send none until it is seen to answer."""
        with self._changed:
            self._problem = problem
            self._hurry = True
            self._changed.notify()

    def look(self) -> str:
        """Ask for its models; the problem."""
        try:
            answer = self._client.get(f"{self.url}/v1/models")
            names = [str(model["id"]) for model in answer.raise_for_status().json()["data"]]
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            hint = "check QUIRE_MINERU_VLM_KEY" if code in {401, 403} else "look at its log"
            return f"The VLM server {self.url} answers with status {code}: {hint}."
        except httpx.TimeoutException:
            return (
                f"The VLM server {self.url} does not answer within {_ANSWER_SECONDS:.0f} s: "
                "look at its log."
            )
        except httpx.HTTPError as error:
            return (
                f"The VLM server {self.url} cannot be reached ({error}): start it or mend "
                "QUIRE_MINERU_VLM_URL."
            )
        except (ValueError, KeyError, TypeError):
            return (
                f"The VLM server {self.url} does not speak the OpenAI protocol: check "
                "QUIRE_MINERU_VLM_URL."
            )
        return self._problem_of(names)

    def _problem_of(self, names: list[str]) -> str:
        if self._model and self._model not in names:
            return (
                f"The VLM server {self.url} has no model {self._model!r}: check "
                "QUIRE_MINERU_VLM_MODEL."
            )
        if not self._model and len(names) != 1:
            return (
                f"The VLM server {self.url} has {len(names)} models: name one in "
                "QUIRE_MINERU_VLM_MODEL."
            )
        return ""

    def close(self) -> None:
        """Stop looking."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(2 * _ANSWER_SECONDS)
        self._client.close()

    def _watch(self) -> None:
        while self._wait():
            seen = self.look()
            with self._changed:
                if not self._hurry:
                    self._problem = seen

    def _wait(self) -> bool:
        """Until the next look is due; False when there will be none.

        What has just failed is not asked at once: it would be believed, and fail again.
        """
        with self._changed:
            if not self._problem:
                self._changed.wait_for(lambda: self._closed or self._hurry, CALM_SECONDS)
            if self._problem:
                self._hurry = False
                self._changed.wait_for(lambda: self._closed, LOOK_SECONDS)
            return not self._closed
