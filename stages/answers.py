"""What follows from an answer: its page is done, has failed, or goes on to another attempt.

Everything that counts here is in the answer's header and in the store, so that a collector that
is started anew decides the same.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engines.registry import make_engine
from shared.blocks import PageOutput
from shared.errors import Misconfigured, ProtocolError
from shared.messages import Result, parse_page_key
from shared.page_codec import from_frames, pack, unpack
from shared.records import PageResult, Retry, Settled
from shared.render import image_extension, page_markdown, page_text
from shared.routing import ENGINE, MOVES_ALWAYS, PROMPT, SAMPLING, STAYS, Attempt, Route
from shared.settings import MIB, Settings
from shared.states import PageState
from stages.choice import rank
from stages.gate import Step, last_resort, may_be_taken, next_step
from store import Store

log = logging.getLogger(__name__)

KEPT_CHARACTERS = 200_000  # of a refused text; a loop says the same after a thousand
KEPT_BYTES = 8 * MIB  # of a refused answer that may still be taken

RetryOptions = Sequence[tuple[str, Mapping[str, Any]]]


class Answers:
    """Makes records for the store from messages."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._retry_options: dict[str, RetryOptions] = {}

    def consequence(
        self, message: Result, payload: Sequence[bytes | memoryview]
    ) -> Settled | Retry:
        """What the store shall write. OutsideFailed when it cannot be read or written now."""
        header = message.header
        route = Route.from_json(header.get("route", {}), parse_page_key(message.key)[2])
        if message.outcome != "done":
            return self._failed(message, route)
        frames = [bytes(frame) for frame in payload]
        try:
            output = from_frames(frames)
        except ProtocolError as error:
            return self._failed(_unreadable(message, str(error)), route)
        if not header.get("finding"):
            reason = str(header.get("retried_because", ""))
            return self._done(message, route, output, reason)
        return self._refused(message, route, output, frames)

    def unusable(self, message: Result, why: Exception) -> Settled | Retry:
        """What follows where the answer, as it is, can neither be followed nor written."""
        told = _unreadable(message, f"Its answer cannot be used: {type(why).__name__}: {why}")
        route = Route.from_json(message.header.get("route", {}), parse_page_key(message.key)[2])
        return self._failed(told, route)

    def _done(self, message: Result, route: Route, output: PageOutput, reason: str) -> Settled:
        job, page, asked = parse_page_key(message.key)
        header = message.header
        milliseconds = header.get("milliseconds")
        return Settled(
            job=job,
            page=page,
            asked=asked,
            state=PageState.DONE,
            attempts=int(header.get("attempts", 1)),
            crashes=int(header.get("crashes", 0)),
            reason=reason,
            reason_type=str(header.get("reason_type", "")),
            milliseconds=float(milliseconds) if milliseconds is not None else None,
            worker=str(header.get("worker", "")),
            result=self._page_result(message, route, output),
            engine=route.engine,
            choice=route.choice,
            rung=route.rung,
            turn=route.turn,
            history=tuple(_tries(message, route)),
        )

    def _failed(self, message: Result, route: Route) -> Settled | Retry:
        """The engine, or the broker after its tries, or split gives the page up."""
        header = message.header
        quarantined = bool(header.get("quarantined", False))
        final = bool(header.get("final", False))
        tries = _tries(message, route)
        if not tries and not final and header.get("route"):
            tries = [
                Attempt(
                    engine=route.engine,
                    outcome="failed",
                    reason=str(header.get("reason", "")),
                    reason_type=str(header.get("reason_type", "")),
                    rung=route.rung,
                    options=route.options,
                    worker=str(header.get("worker", "")),
                    at=time.time(),
                )
            ]
        if not header.get("route") or quarantined:
            return self._end(message, route, tries, quarantined=quarantined)
        earlier = self._earlier(message, route)
        if final:
            return self._settle(message, route, tries, earlier)
        return self._go_on(message, route, "failed", tries, earlier)

    def _refused(
        self, message: Result, route: Route, output: PageOutput, frames: Sequence[bytes]
    ) -> Settled | Retry:
        """The quality gate refuses the answer."""
        header = message.header
        milliseconds = header.get("milliseconds")
        finding = str(header["finding"])
        answer = pack(frames) if may_be_taken(finding, output.source) else None
        attempt = Attempt(
            engine=route.engine,
            outcome="refused",
            reason=str(header.get("reason", "")),
            reason_type=finding,
            rung=route.rung,
            finding=finding,
            options=route.options,
            milliseconds=float(milliseconds) if milliseconds is not None else None,
            worker=str(header.get("worker", "")),
            at=time.time(),
            text=page_markdown(output.blocks)[:KEPT_CHARACTERS],
            answer=answer if answer is not None and len(answer) <= KEPT_BYTES else None,
        )
        attempts = [*_tries(message, route), attempt]
        return self._go_on(message, route, finding, attempts, self._earlier(message, route))

    def _go_on(
        self,
        message: Result,
        route: Route,
        finding: str,
        attempts: Sequence[Attempt],
        earlier: Sequence[Attempt],
    ) -> Settled | Retry:
        """To the next step of the ladder, or to the end."""
        options = _options(message)
        step = next_step(
            route,
            finding,
            [*earlier, *attempts],
            retry_options=self._retry(route.engine),
            chosen={name: options[name] for name in options if name not in route.options},
            ranked=rank(route.engines) if route.moves != STAYS else (),
        )
        if step is None:
            return self._settle(message, route, attempts, earlier)
        job, page, asked = parse_page_key(message.key)
        header = message.header
        return Retry(
            job=job,
            page=page,
            asked=asked,
            turn=route.turn,
            route=_next_route(route, step, str(header.get("reason", ""))),
            attempts=int(header.get("attempts", 1)),
            crashes=int(header.get("crashes", 0)),
            reason=str(header.get("reason", "")),
            reason_type=str(header.get("finding", "") or header.get("reason_type", "")),
            history=tuple(attempts),
        )

    def _settle(
        self,
        message: Result,
        route: Route,
        attempts: Sequence[Attempt],
        earlier: Sequence[Attempt],
    ) -> Settled:
        """Nothing is left to try: the least bad answer with a warning, or none with a reason."""
        found = last_resort([*earlier, *attempts])
        if found is None:
            return self._end(message, route, attempts, earlier=earlier)
        attempt, warning = found
        assert attempt.answer is not None
        output = from_frames(unpack(attempt.answer))
        if attempt.finding == "blank":
            output = replace(output, blocks=(), raw=b"", images={})
        output = replace(output, warnings=(*output.warnings, warning))
        taken = replace(route, engine=attempt.engine, rung=attempt.rung)
        plain = {k: v for k, v in _options(message).items() if k not in route.options}
        told = {
            "reason_type": attempt.finding,
            "milliseconds": attempt.milliseconds,
            "worker": attempt.worker,
            "options": {**plain, **attempt.options},
        }
        done = self._done(
            replace(message, header={**message.header, **told}), taken, output, warning
        )
        rest = [each for each in attempts if each is not attempt or each.finding == "blank"]
        return replace(done, history=tuple(rest), last_resort=True)

    def _end(
        self,
        message: Result,
        route: Route,
        attempts: Sequence[Attempt],
        *,
        earlier: Sequence[Attempt] = (),
        quarantined: bool = False,
    ) -> Settled:
        job, page, asked = parse_page_key(message.key)
        header = message.header
        reason = str(header.get("reason", ""))
        refused = [a for a in (*earlier, *attempts) if a.outcome == "refused"]
        if refused and not quarantined:
            said = dict.fromkeys(f"{attempt.engine}: {attempt.reason}" for attempt in refused)
            reason = " ".join(["No answer could be accepted.", *said])
        return Settled(
            job=job,
            page=page,
            asked=asked,
            state=PageState.FAILED,
            attempts=int(header.get("attempts", 1)),
            crashes=int(header.get("crashes", 0)),
            reason=reason,
            reason_type=str(header.get("finding", "") or header.get("reason_type", "")),
            quarantined=quarantined,
            worker=str(header.get("worker", "")),
            engine=route.engine,
            choice=route.choice,
            rung=route.rung,
            turn=route.turn if header.get("route") else None,
            history=tuple(attempts),
        )

    def _earlier(self, message: Result, route: Route) -> list[Attempt]:
        if not route.turn:
            return []
        return self._store.attempts(*parse_page_key(message.key))

    def _retry(self, engine: str) -> RetryOptions:
        known = self._retry_options.get(engine)
        if known is None:
            try:
                known = make_engine(engine, self._settings, None).capabilities.retry_options
            except Misconfigured as error:  # it has joined from another host
                log.warning("What %s can try again is not known here: %s", engine, error)
                known = ()
            self._retry_options[engine] = known
        return known

    def _page_result(self, message: Result, route: Route, output: PageOutput) -> PageResult:
        job, page, asked = parse_page_key(message.key)
        if output.images:  # on disk before the row that names them
            self._store.blobs.put_many(list(output.images.values()))

        def image_url(sha256: str) -> str:
            extension = image_extension(output.images.get(sha256, b"")[:16])
            return f"images/{sha256}.{extension}"

        return PageResult(
            job=job,
            page=page,
            engine=route.engine,
            asked=asked,
            blocks=output.blocks,
            markdown=page_markdown(output.blocks, image_url=image_url),
            text=page_text(output.blocks),
            raw=output.raw,
            raw_media_type=output.raw_media_type,
            width=output.width,
            height=output.height,
            source=output.source,
            turned_degrees=output.turned_degrees,
            skew_degrees=output.skew_degrees,
            images=tuple(output.images),
            timings=output.timings,
            warnings=output.warnings,
            model=output.model,
            options=_options(message),
            reused_from=message.header.get("reused_from"),
        )


def given_up(message: Result, why: Exception) -> Settled:
    """The end of a page of whose answer not even the header can be used: nothing is taken of it."""
    job, page, asked = parse_page_key(message.key)
    return Settled(
        job=job,
        page=page,
        asked=asked,
        state=PageState.FAILED,
        reason=f"Its answer cannot be used: {type(why).__name__}: {why}"[:500],
        reason_type="unreadable_answer",
        engine=asked,
    )


def _unreadable(message: Result, reason: str) -> Result:
    told = {**message.header, "reason": reason[:500], "reason_type": "unreadable_answer"}
    return replace(message, header={**told, "finding": ""})


def _options(message: Result) -> dict[str, Any]:
    """All that the engine was given: the job's options and those of the rung."""
    return dict(message.header.get("options", {}))


def _next_route(route: Route, step: Step, reason: str) -> Route:
    how = {
        SAMPLING: f"{step.engine} reads it once more, with other sampling",
        PROMPT: f"{step.engine} reads it once more, with another prompt",
        ENGINE: f"{step.engine} reads it instead",
    }.get(step.rung, "its own text layer is taken instead")
    return replace(
        route,
        engine=step.engine,
        rung=step.rung,
        options=dict(step.options),
        choice=f"The answer of {route.engine} was refused, and {how}. {reason}".strip(),
        turn=route.turn + 1,
        moves=MOVES_ALWAYS if route.moves != STAYS else STAYS,
    )


def _tries(message: Result, route: Route) -> list[Attempt]:
    """What the broker knows of earlier tries at this attempt."""
    return [
        Attempt(
            engine=str(told.get("engine", route.engine)),
            outcome=str(told.get("outcome", "failed")),
            reason=str(told.get("reason", "")),
            reason_type=str(told.get("reason_type", "")),
            rung=route.rung,
            options=route.options,
            worker=str(told.get("worker", "")),
            at=float(told.get("at", 0.0)),
        )
        for told in message.header.get("tries", ())
    ]
