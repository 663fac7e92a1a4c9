"""Each route says what it does where it stands; /openapi.json and /docs are made from that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

H = TypeVar("H", bound=Callable[..., Any])
_ATTRIBUTE = "quire_operation"

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query, header or path parameter. `schema` is JSON Schema."""

    name: str
    description: str
    where: str = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries. `schema` is JSON Schema."""

    media_type: str
    schema: Mapping[str, Any]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; `schema` names one of `web.schemas` or is None for other content."""

    description: str
    status: int = 200
    media_type: str = JSON
    schema: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of one route does. `errors` maps a status to what leads to it."""

    summary: str
    tag: str
    answers: tuple[Answer, ...]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: Mapping[int, str] = field(default_factory=dict)


def describes(operation: Operation) -> Callable[[H], H]:
    """Keep the description with its handler."""

    def attach(handler: H) -> H:
        setattr(handler, _ATTRIBUTE, operation)
        return handler

    return attach


def operation_of(handler: Any) -> Operation | None:
    """The description of a handler, None when it has none."""
    found: Operation | None = getattr(handler, _ATTRIBUTE, None)
    return found


JOB_ERRORS: dict[int, str] = {404: "There is no such job."}
LIST_LIMIT = Parameter("limit", "How many at most.", schema={"type": "integer", "minimum": 1})
ENGINE = Parameter("engine", "Which engine's result; the first that has one when left out.")
