"""The OpenAPI 3.1 document of the interface, made from the verbs and the structs.

    python -m sdrbridge.control.openapi > sdrbridge/control/openapi.json

The file is committed, so that a client can be made from it without a bridge; a test holds it against the code.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from sdrbridge import __version__
from sdrbridge.control import types
from sdrbridge.control.verbs import STREAM_PATH, VERBS, WEBSOCKET_PATH, Verb

FILE = Path(__file__).with_name("openapi.json")

PROBLEM_TYPE = "application/problem+json"

_PROBLEMS = {
    "400": "The request does not have the right form.",
    "404": "A name, or the path, is not there.",
    "409": "Refused: it cannot be done, or not now.",
    "413": "The request is too large.",
    "415": "The body is not JSON.",
    "422": "The site file cannot be used; the old one stays.",
    "428": "It can be done, and has to be confirmed.",
    "503": "The bridge is too busy to answer.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    structs = {struct for verb in VERBS for struct in (verb.request, verb.answer)} | {types.Problem}
    _, components = msgspec.json.schema_components(
        sorted(structs, key=lambda s: s.__name__), ref_template="#/components/schemas/{name}"
    )
    paths = {verb.path: {verb.method.lower(): _operation(verb, components)} for verb in VERBS}
    paths[STREAM_PATH] = {"get": _stream()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sdrbridge",
            "version": __version__,
            "description": "Asks and tells a running bridge. Served on a Unix socket; whoever may open it may ask. "
            f"Events are also sent as WebSocket text messages at {WEBSOCKET_PATH}.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "http://localhost"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def _operation(verb: Verb, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": verb.words.replace(" ", "_"), "summary": verb.summary}
    if verb.method == "GET":
        parameters = _parameters(components[verb.request.__name__])
        if parameters:
            operation["parameters"] = parameters
        problems = ["400", "404", "409", "503"]
    else:
        operation["parameters"] = [
            {
                "name": "wait",
                "in": "query",
                "required": False,
                "description": "Answer when the change is in force, a tick later.",
                "schema": {"type": "boolean"},
            }
        ]
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{verb.request.__name__}"}}},
        }
        problems = list(_PROBLEMS)
    answer = {"schema": {"$ref": f"#/components/schemas/{verb.answer.__name__}"}}
    operation["responses"] = {"200": {"description": "Done.", "content": {"application/json": answer}}}
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in problems:
        operation["responses"][status] = {"description": _PROBLEMS[status], "content": problem}
    return operation


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, field in schema["properties"].items():
        kind = {key: value for key, value in field.items() if key not in ("default", "description")}
        if "anyOf" in kind:  # a field that may be left out; a query cannot say null
            (kind,) = [choice for choice in kind["anyOf"] if choice.get("type") != "null"]
        entry = {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": kind}
        if "description" in kind:
            entry["description"] = kind.pop("description")
        found.append(entry)
    return found


def _stream() -> dict[str, Any]:
    last = {"name": "last", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}}
    last["schema"]["maximum"] = 1000  # type: ignore[index]
    line = {"schema": {"type": "object"}}
    return {
        "operationId": "events_stream",
        "summary": "Events as they happen, a JSON object on each line, until the client closes.",
        "parameters": [last],
        "responses": {"200": {"description": "A stream without an end.", "content": {"application/x-ndjson": line}}},
    }


if __name__ == "__main__":
    sys.stdout.write(text())
