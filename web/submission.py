"""From the fields of a request to new jobs: everything that can be refused is refused here."""

import json
from collections.abc import Mapping
from typing import Any

from shared.errors import Conflict, Refused
from shared.merge_steps import OPTION as MERGE_SKIP
from shared.page_ranges import parse_pages, select_pages
from shared.records import Job, NewJob
from shared.states import Lane, Origin
from web.engine_choice import EngineCatalogue, parse_options
from web.uploads import StagedFile

_REPLAY_FIELDS = frozenset({"engine", "pages", "options", "from", "reuse", "priority"})
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"", "0", "false", "no", "off"})


class Submission:
    """Checks the fields of submits and replays against what there is."""

    def __init__(self, engines: EngineCatalogue) -> None:
        self._engines = engines

    def check_field(self, name: str, text: str) -> None:
        """Refuse a bad field as soon as it has come, perhaps before the file."""
        if name == "engine":
            self._engines.check_engine(text)
        elif name == "pages":
            parse_pages(text)
        elif name == "priority":
            read_lane(text)
        elif name == "options":
            parse_options(text)
        elif name == "reuse":
            read_flag(name, text)

    def new_job(self, fields: Mapping[str, str], document_id: str, file: StagedFile) -> NewJob:
        """The job for one uploaded file."""
        engine = self._engines.check_engine(fields.get("engine", ""))
        options = self._engines.check_options(engine, parse_options(fields.get("options", "")))
        return NewJob(
            document_id=document_id,
            document_name=file.name,
            engine=engine,
            options=options,
            pages=fields.get("pages", ""),
            lane=read_lane(fields.get("priority", "")),
            reuse=read_flag("reuse", fields.get("reuse", "")),
        )

    def replay(self, parent: Job, body: Mapping[str, Any]) -> NewJob:
        """A new job over the same document. What is not named is inherited from the parent."""
        for name in body:
            if name not in _REPLAY_FIELDS:
                raise Refused(
                    f"{str(name)[:40]!r} is no field of a replay.",
                    code="unknown_field",
                    param=str(name)[:40],
                )
        if parent.failure is not None and not parent.can_run_again:
            raise Conflict(parent.failure.message, code=parent.failure.type)
        origin = read_origin(_text(body, "from", Origin.RECOGNIZE.value))
        engine = self._engine(parent, body, origin)
        options = body.get("options")
        if options is None:
            same = engine == parent.engine
            options = dict(parent.options) if same else {}
        elif not isinstance(options, Mapping):
            raise Refused("The options must be an object.", code="bad_option", param="options")
        elif origin is Origin.POSTPROCESS:
            options = {**parent.options, **options}
        pages = _text(body, "pages", parent.pages)
        check_selection(pages, parent.document.pages)
        return NewJob(
            document_id=parent.document.id,
            document_name=parent.document.name,
            engine=engine,
            options=self._engines.check_options(engine, options),
            pages=pages,
            lane=read_lane(_text(body, "priority", parent.lane.value)),
            origin=origin,
            parent=parent.id,
            reuse=read_flag("reuse", body.get("reuse", False)),
        )

    def _engine(self, parent: Job, body: Mapping[str, Any], origin: Origin) -> str:
        if origin is Origin.RECOGNIZE:
            return self._engines.check_engine(_text(body, "engine", parent.engine))
        if _text(body, "engine", parent.engine) != parent.engine:
            raise Refused(
                "A replay from 'postprocess' reads what the parent's engine said; "
                "use from 'recognize' for another engine.",
                code="bad_replay",
                param="engine",
            )
        options = body.get("options")
        if isinstance(options, Mapping) and set(options) - {MERGE_SKIP}:
            raise Refused(
                "A replay from 'postprocess' reads what the engine said with the parent's options; "
                f"only {MERGE_SKIP!r} may change. Use from 'recognize' for other options.",
                code="bad_replay",
                param="options",
            )
        if not parent.state.is_final:
            raise Conflict(
                "The job is still running; post-processing can be replayed when it has ended.",
                code="job_is_open",
            )
        return parent.engine


def check_selection(pages: str, document_pages: int | None) -> None:
    """Refused (`bad_page_range`); where the length is not known yet, only what is no selection."""
    if document_pages is None:
        parse_pages(pages)
    else:
        select_pages(pages, document_pages)


def read_json(body: bytes) -> Mapping[str, Any]:
    """A request's JSON object; empty for no body. Refused (`bad_json`)."""
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"The body is not valid JSON: {error}.", code="bad_json") from error
    if not isinstance(value, dict):
        raise Refused("The body must be a JSON object.", code="bad_json")
    return value


def read_lane(text: str) -> Lane:
    """The priority. Refused (`bad_priority`)."""
    try:
        return Lane(text or Lane.INTERACTIVE)
    except ValueError as error:
        raise Refused(
            f"{text[:40]!r} is no priority: interactive, batch or backfill.",
            code="bad_priority",
            param="priority",
        ) from error


def read_origin(text: str) -> Origin:
    """Where a replay begins. Refused (`bad_replay`)."""
    try:
        return Origin(text)
    except ValueError as error:
        raise Refused(
            f"A replay begins from 'recognize' or 'postprocess', not from {text[:40]!r}.",
            code="bad_replay",
            param="from",
        ) from error


def read_flag(name: str, value: Any) -> bool:
    """True or false, also as a form writes it. Refused (`bad_field`)."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _YES | _NO:
        return value.lower() in _YES
    raise Refused(f"{name!r} must be true or false.", code="bad_field", param=name)


def _text(body: Mapping[str, Any], name: str, default: str) -> str:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise Refused(f"{name!r} must be a text.", code="bad_field", param=name)
    return value
