"""The JSON of the API as JSON Schema, by name, for /openapi.json and the tests."""

from typing import Any

from shared.blocks import BlockType
from shared.media import MEDIA_TYPES
from shared.routing import FINDINGS, MARKS, OUTCOMES, RUNGS
from shared.states import JobState, Lane, Origin, PageState

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": "number", "description": "Unix seconds."}
HEALTH: Schema = {"enum": ["healthy", "degraded", "unhealthy", "disabled"]}


def maybe(schema: Schema) -> Schema:
    """The same or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(item: Schema) -> Schema:
    """An array."""
    return {"type": "array", "items": item}


def record(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object that has all of these keys; more may follow in later versions."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


ANY_OBJECT: Schema = {"type": "object"}

_BLOCK = record(
    {
        "type": {"enum": [kind.value for kind in BlockType]},
        "order": INTEGER,
        "bbox": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4},
        "content": TEXT,
        "level": maybe(INTEGER),
        "continues_prev": FLAG,
        "caption_of": maybe(INTEGER),
        "confidence": maybe(NUMBER),
        "engine": TEXT,
        "image": maybe(TEXT),
        "label": TEXT,
    }
)
_DOCUMENT = record(
    {
        "id": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "name": TEXT,
        "media_type": {"enum": list(MEDIA_TYPES)},
        "bytes": INTEGER,
        "pages": maybe(INTEGER),
    }
)
_COUNTS = record(dict.fromkeys(("total", "pending", "done", "failed", "cancelled"), INTEGER))
_JOB = record(
    {
        "id": TEXT,
        "state": {"enum": [state.value for state in JobState]},
        "engine": TEXT,
        "options": ANY_OBJECT,
        "pages": TEXT,
        "priority": {"enum": [lane.value for lane in Lane]},
        "from": {"enum": [origin.value for origin in Origin]},
        "parent": maybe(TEXT),
        "reuse": FLAG,
        "document": ref("Document"),
        "counts": ref("Counts"),
        "failed_pages": INTEGER,
        "failure": maybe(record({"type": TEXT, "message": TEXT})),
        "revision": INTEGER,
        "created": TIME,
        "started": maybe(TIME),
        "finished": maybe(TIME),
        "seconds": maybe(NUMBER),
        "formats": listed(TEXT),
        "has_result": FLAG,
        "can_run_again": FLAG,
    }
)
_ATTEMPT = record(
    {
        "engine": TEXT,
        "rung": {"enum": ["first", *RUNGS]},
        "outcome": {"enum": list(OUTCOMES)},
        "finding": maybe({"enum": list(FINDINGS)}),
        "reason": maybe(TEXT),
        "reason_type": maybe(TEXT),
        "options": ANY_OBJECT,
        "milliseconds": maybe(NUMBER),
        "worker": maybe(TEXT),
        "at": TIME,
        "has_text": FLAG,
        "text": maybe(TEXT),
    },
    optional=("text",),
)
_PAGE = record(
    {
        "page": INTEGER,
        "engine": {"type": "string", "description": "Has read the page, or is going to."},
        "asked": {"type": "string", "description": "What the job named: an engine, or auto."},
        "choice": maybe({"type": "string", "description": "Why this engine."}),
        "state": {"enum": [state.value for state in PageState]},
        "mark": {"enum": list(MARKS), "description": "The state as people see it."},
        "attempts": INTEGER,
        "crashes": INTEGER,
        "reason": maybe(TEXT),
        "reason_type": maybe(TEXT),
        "quarantined": FLAG,
        "milliseconds": maybe(NUMBER),
        "reused_from": maybe(TEXT),
        "worker": maybe(TEXT),
        "source": maybe(TEXT),
        "finished": maybe(TIME),
        "history": {
            **listed(ref("Attempt")),
            "description": "Attempts that gave no accepted answer, in order.",
        },
    }
)
_PAGE_RESULT = record(
    {
        "job": TEXT,
        "page": INTEGER,
        "engine": TEXT,
        "asked": TEXT,
        "model": TEXT,
        "source": TEXT,
        "width": NUMBER,
        "height": NUMBER,
        "turned_degrees": INTEGER,
        "skew_degrees": NUMBER,
        "blocks": listed(ref("Block")),
        "markdown": TEXT,
        "raw": TEXT,
        "raw_media_type": TEXT,
        "raw_encoding": {"enum": ["utf-8", "base64"]},
        "timings": ANY_OBJECT,
        "warnings": listed(TEXT),
        "options": ANY_OBJECT,
        "reused_from": maybe(TEXT),
    }
)
_HIT = record(
    {
        "job": TEXT,
        "document_name": TEXT,
        "page": INTEGER,
        "engine": TEXT,
        "snippet": {"type": "string", "description": "Hits stand between U+2068 and U+2069."},
        "created": TIME,
    }
)
_ENGINE = record(
    {
        "name": TEXT,
        "status": HEALTH,
        "message": TEXT,
        "processes": INTEGER,
        "model": TEXT,
        "model_loaded": FLAG,
        "gpu_available": FLAG,
        "accepts": listed(TEXT),
        "options": maybe(listed(ANY_OBJECT)),
        "queue": record({"pages": INTEGER, "jobs": INTEGER, "bytes": INTEGER}),
        "in_flight": INTEGER,
        "pages_done": INTEGER,
        "pages_a_minute": NUMBER,
    }
)
_WORKER = record(
    {
        "worker": TEXT,
        "role": TEXT,
        "service": TEXT,
        "pid": INTEGER,
        "host": TEXT,
        "state": TEXT,
        "in_flight": INTEGER,
        "pages_done": INTEGER,
        "heartbeat_age_seconds": NUMBER,
        "gpu": TEXT,
        "gpu_number": maybe(INTEGER),
        "gpu_uuid": TEXT,
        "rss_bytes": INTEGER,
    }
)
_ERROR = record(
    {
        "error": record({"type": TEXT, "code": TEXT, "message": TEXT, "param": maybe(TEXT)}),
        "detail": TEXT,
    }
)
_MEASURED: dict[str, Schema] = {
    "agreement": {**NUMBER, "description": "0..1: 1 minus the normalised edit distance."},
    "words_in_common": {**NUMBER, "description": "0..1, wherever they stand (Dice)."},
    "order_difference": {
        **maybe(NUMBER),
        "description": "0..1: share of the pairs of words that stand the other way round; null "
        "where too few words stand once in both.",
    },
}
_SIDE = record(
    {
        "job": TEXT,
        "engine": {"type": "string", "description": "What was asked for."},
        "taken": {"type": "boolean", "description": "A person took this reading."},
    }
)
_COMPARISON = record(
    {
        "job": TEXT,
        "with": TEXT,
        "pages": listed(record({"page": INTEGER, "left": _SIDE, "right": _SIDE, **_MEASURED})),
        "total": INTEGER,
        "next": maybe(INTEGER),
    }
)
_READING = record(
    {
        "job": TEXT,
        "engine": {"type": "string", "description": "What read the page."},
        "asked": TEXT,
        "taken": {"type": "boolean", "description": "A person took this reading."},
        "model": TEXT,
        "source": TEXT,
    }
)
_PAGE_COMPARISON = record(
    {
        "page": INTEGER,
        "left": _READING,
        "right": _READING,
        **_MEASURED,
        "differences": listed(
            record(
                {
                    "kind": {"enum": ["same", "changed", "left", "right"]},
                    "left": TEXT,
                    "right": TEXT,
                }
            )
        ),
        "is_cut": {**FLAG, "description": "Only the first 10,000 words are in `differences`."},
    }
)
_MAKING = record({"job": TEXT, "kind": TEXT, "state": {"enum": ["making"]}, "asked": TIME})
LIMIT_NAMES = (
    "max_file_bytes",
    "max_files",
    "max_pages",
    "max_pixels",
    "max_queued_pages",
    "max_queued_jobs",
)

SCHEMAS: dict[str, Schema] = {
    "Attempt": _ATTEMPT,
    "Attempts": record({"attempts": listed(ref("Attempt"))}),
    "Block": _BLOCK,
    "Comparison": _COMPARISON,
    "Counts": _COUNTS,
    "Document": _DOCUMENT,
    "Engine": _ENGINE,
    "EngineHealth": record(
        {
            "status": HEALTH,
            "model_loaded": FLAG,
            "gpu_available": FLAG,
            "backend": TEXT,
            "timestamp": INTEGER,
            "message": TEXT,
        }
    ),
    "Engines": record({"engines": listed(ref("Engine")), "default": TEXT}),
    "Error": _ERROR,
    "Health": {
        **record({"status": HEALTH, "timestamp": INTEGER}),
        "patternProperties": {"_status$": HEALTH},
    },
    "Job": _JOB,
    "Jobs": record({"jobs": listed(ref("Job")), "next": maybe(TEXT)}, optional=("next",)),
    "Limits": record({"limits": record(dict.fromkeys(LIMIT_NAMES, INTEGER))}),
    "Making": _MAKING,
    "Page": _PAGE,
    "PageComparison": _PAGE_COMPARISON,
    "PageResult": _PAGE_RESULT,
    "Pages": record({"pages": listed(ref("Page"))}),
    "SearchHit": _HIT,
    "SearchHits": record({"hits": listed(ref("SearchHit")), "next": maybe(INTEGER)}),
    "WorkBefore": record({"jobs": INTEGER, "pages": INTEGER}),
    "Worker": _WORKER,
    "Workers": record({"workers": listed(ref("Worker"))}),
}
