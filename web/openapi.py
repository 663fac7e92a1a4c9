"""/openapi.json (3.1) from the routes of the application and what stands beside each."""

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from web.front import App
from web.operations import JSON, Operation, operation_of
from web.schemas import SCHEMAS, ref

_PATH_PARAMETERS = {
    "job_id": "The job.",
    "page": "Page number, from 1.",
    "number": "Page number, from 1.",
    "engine": "The engine's name.",
    "extension": "md, json, html, txt, docx, pdf, hocr or zip.",
    "name": "File name.",
}
_ALWAYS = {
    401: "An API key is needed, or the one given is not known (only when the server has keys).",
    403: "A page of another origin may not change anything here.",
}
_TAGS = {
    "jobs": "Documents in, jobs out.",
    "results": "What the engines read.",
    "service": "Engines, processes, health, limits.",
    "browser": "Pages for people.",
}


def installed_version() -> str:
    """The version of quire; "0" when it runs from a folder that was never installed."""
    try:
        return version("quire")
    except PackageNotFoundError:
        return "0"


def describe_app(app: App, *, with_keys: bool) -> dict[str, Any]:
    """The whole document. A route without a description is left out; a test looks for those."""
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in described_routes(app):
        paths.setdefault(path, {})[method] = _operation(path, method, operation)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "quire",
            "version": installed_version(),
            "description": "Documents in, Markdown and structured JSON out.",
            "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": SCHEMAS},
    }
    if with_keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"header": []}]
    return document


def described_routes(app: App) -> list[tuple[str, str, Operation]]:
    """(path as OpenAPI writes it, method in lower case, description) of every described route."""
    found = []
    for route in app.router.routes:
        operation = operation_of(route.handler)
        if operation is not None:
            path = openapi_path(route.path)
            methods = sorted(set(route.methods) - {"HEAD"})  # as GET, without its body
            found += [(path, method.lower(), operation) for method in methods]
    return found


def openapi_path(path: str) -> str:
    """`jobs/<job_id:str>` as `/jobs/{job_id}`."""
    return "/" + re.sub(r"<(\w+)(:[^>]*)?>", r"{\1}", path).strip("/")


def _operation(path: str, method: str, operation: Operation) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS.get(name, name),
            "schema": {"type": "integer", "minimum": 1}
            if name in {"page", "number"}
            else {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {
            "name": parameter.name,
            "in": parameter.where,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in operation.parameters
    ]
    described: dict[str, Any] = {
        "operationId": method + re.sub(r"\W+", "_", path).rstrip("_"),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body.required,
            "content": {operation.body.media_type: {"schema": dict(operation.body.schema)}},
        }
    return described


def _responses(operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for answer in operation.answers:
        schema = ref(answer.schema) if answer.schema else {"type": "string"}
        known = responses.setdefault(
            str(answer.status), {"description": answer.description, "content": {}}
        )
        known["content"][answer.media_type] = {"schema": schema}
    errors = (
        dict(operation.errors) if operation.tag == "browser" else {**_ALWAYS, **operation.errors}
    )
    for status, description in sorted(errors.items()):
        responses[str(status)] = {
            "description": description,
            "content": {JSON: {"schema": ref("Error")}},
        }
    return responses
