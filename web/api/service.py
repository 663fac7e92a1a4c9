"""Engines, processes, limits, health, metrics: how the service is."""

from sanic import Blueprint, HTTPResponse, text
from sanic import json as json_response

from shared.errors import NotFound
from shared.health import HEALTHY, UNHEALTHY
from web.admission import free_bytes
from web.front import Req, front_of
from web.operations import Answer, Operation, describes
from web.prometheus import (
    MEDIA_TYPE,
    Metric,
    bus_metrics,
    engine_metrics,
    exposition,
    health_metrics,
)
from web.schemas import LIMIT_NAMES
from web.service import own_status, report_of, store_status, table_of

bp = Blueprint("service")


@bp.get("/api/v1/engines")
@describes(
    Operation(
        "List engines",
        "service",
        (Answer("What each takes, its options, how it is, how fast.", schema="Engines"),),
    )
)
async def engines(request: Req) -> HTTPResponse:
    return json_response({"engines": report_of(front_of(request)).engines(), "default": "auto"})


@bp.get("/api/v1/workers")
@describes(
    Operation(
        "List processes",
        "service",
        (
            Answer(
                "Every process, also those that should be on the bus and are not; while the "
                "broker is away only the one that answers.",
                schema="Workers",
            ),
        ),
    )
)
async def workers(request: Req) -> HTTPResponse:
    front = front_of(request)
    table = table_of(front)
    known = table.workers if table else ()
    problems = report_of(front).problems(await store_status(front))
    return json_response(
        {
            "workers": [worker.to_json() for worker in (*known, own_status(front))],
            "broker": HEALTHY if table else UNHEALTHY,
            "problems": [problem.to_json() for problem in problems],
        }
    )


@bp.get("/api/v1/limits")
@describes(
    Operation("Show the limits", "service", (Answer("What is refused above.", schema="Limits"),))
)
async def limits(request: Req) -> HTTPResponse:
    settings = front_of(request).settings
    return json_response({"limits": {name: getattr(settings, name) for name in LIMIT_NAMES}})


@bp.get("/health")
@describes(
    Operation(
        "Health of the service",
        "service",
        (
            Answer("Every part in one word; it works.", schema="Health"),
            Answer("The same, and it does not work.", 503, schema="Health"),
        ),
    )
)
async def health(request: Req) -> HTTPResponse:
    front = front_of(request)
    shown = report_of(front).unified(await store_status(front))
    return json_response(shown, status=503 if shown["status"] == UNHEALTHY else 200)


@bp.get("/health/<engine:str>")
@describes(
    Operation(
        "Health of an engine",
        "service",
        (
            Answer("It takes pages.", schema="EngineHealth"),
            Answer("It takes none; `message` says why.", 503, schema="EngineHealth"),
        ),
        errors={404: "There is no such engine."},
    )
)
async def engine_health(request: Req, engine: str) -> HTTPResponse:
    front = front_of(request)
    report = report_of(front)
    if not report.knows(engine):
        raise NotFound(f"There is no engine {engine[:40]!r}.", code="unknown_engine")
    shown = report.engine(engine, await store_status(front))
    works = shown["status"] not in {UNHEALTHY, "disabled"}
    return json_response(shown, status=200 if works else 503)


@bp.get("/metrics")
@describes(
    Operation(
        "Metrics for Prometheus",
        "service",
        (Answer("Text format 0.0.4.", media_type="text/plain"),),
    )
)
async def metrics(request: Req) -> HTTPResponse:
    front = front_of(request)
    store = await store_status(front)
    listed = [
        Metric("quire_store_up", "gauge", "1 while the store answers.").add(int(store == HEALTHY)),
        Metric("quire_web_event_streams", "gauge", "Open event streams.").add(front.hub.watchers),
    ]
    if store == HEALTHY:
        jobs, pages = await front.threads.run(front.store.open_work)
        listed += [
            Metric("quire_open_jobs", "gauge", "Jobs that have not ended.").add(jobs),
            Metric("quire_open_pages", "gauge", "Pages that are not settled.").add(pages),
        ]
    report = report_of(front)
    health = report.unified(store)
    listed += health_metrics(health["status"], health["problems"], free_bytes(front.settings))
    listed.append(engine_metrics({shown["name"]: shown["status"] for shown in report.engines()}))
    listed += bus_metrics(table_of(front), front.bus.table_age_seconds())
    return text(exposition(listed), content_type=MEDIA_TYPE)
