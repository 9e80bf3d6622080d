"""The application behind the control socket: routes made from the verbs, problems in one form, events as a stream."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sdrbridge.control import openapi, types
from sdrbridge.control.connection import Receive, Scope, Send, connection_of
from sdrbridge.control.identity import Identity
from sdrbridge.control.stream import EventHub, Listener
from sdrbridge.control.verbs import STREAM_PATH, VERBS, WEBSOCKET_PATH, Verb
from sdrbridge.engine import Engine
from sdrbridge.errors import ConfigError, EngineError, NeedsConfirmation, NotFound, Refused, SdrBridgeError
from sdrbridge.names import nearest
from sdrbridge.operations import Operations

Reload = Callable[[Identity], Awaitable[list[str]]]
"""Reads the site file again and says what changed. Raises `ConfigError`; then the old one stays."""

LONGEST_BODY = 64 * 1024
"""Bytes."""

BODY_S = 5.0
"""Seconds a client has to send a body."""

ANSWER_S = 2.0
"""Seconds a tick is waited for; a bridge that does not tick for that long has other troubles."""

log = logging.getLogger(__name__)


class Application:
    """The ASGI application. counters: requests and refusals, by kind of problem."""

    def __init__(
        self,
        operations: Operations,
        hub: EventHub,
        reload: Reload | None = None,
        metrics: Callable[[], bytes] | None = None,
    ) -> None:
        self._operations = operations
        self._hub = hub
        self._reload = reload
        self._metrics = metrics
        self._openapi = openapi.text().encode()
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self.counters: dict[str, int] = {"requests": 0}
        routes: list[Route | WebSocketRoute] = [
            Route(verb.path, self._route(verb), methods=[verb.method]) for verb in VERBS
        ]
        routes += [
            Route(STREAM_PATH, _Stream(self), methods=["GET"]),
            WebSocketRoute(WEBSOCKET_PATH, self._websocket),
            Route("/metrics", self._show_metrics, methods=["GET"]),
            Route("/openapi.json", self._show_openapi, methods=["GET"]),
        ]
        self._paths = [route.path for route in routes]
        self._starlette = Starlette(
            routes=routes, exception_handlers={HTTPException: self._http_problem, Exception: self._failed}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._starlette(scope, receive, send)

    # A verb.

    def _route(self, verb: Verb) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self.counters["requests"] += 1
            who = connection_of(request.scope).identity
            if verb.method == "GET":
                self._note(verb.words, who)
            try:
                asked, wait = await self._asked(verb, request)
                answer = await self._answer(verb, asked, who)
                if wait:
                    # What is asked runs before a tick; when a second asking runs, that tick has been played.
                    await self._performed(lambda engine: None)
            except _Complaint as problem:
                return self._problem(problem.problem)
            except SdrBridgeError as problem:
                return self._problem(_described(problem))
            return Response(self._encode(answer), media_type="application/json")

        return endpoint

    async def _asked(self, verb: Verb, request: Request) -> tuple[msgspec.Struct, bool]:
        """The request struct, and whether to wait until it is in force."""
        query: dict[str, str] = {}
        for key, value in request.query_params.multi_items():
            if key in query:
                raise _Complaint.bad(f"{key} is given twice")
            query[key] = value
        try:
            if verb.method == "GET":
                return msgspec.convert(query, verb.request, strict=False), False
            wait = msgspec.convert(query.pop("wait", False), bool, strict=False)
            if query:
                raise _Complaint.bad(f"{next(iter(query))} belongs into the body")
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                detail = f"the body is {kind or 'of no type'}; it must be application/json"
                raise _Complaint(types.Problem(title="Not JSON", status=415, detail=detail, kind="bad_request"))
            return msgspec.json.decode(await _body(request), type=verb.request), wait
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise _Complaint.bad(_in_words(str(problem), verb)) from None

    async def _answer(self, verb: Verb, asked: Any, who: Identity) -> object:
        if isinstance(asked, types.EventsAsked):
            return types.EventsAnswer(events=self._hub.recent(asked.last), missed=self._hub.missed)
        if verb.operation is None:
            if self._reload is None:
                raise Refused("this bridge was not started from a site file; there is nothing to read again")
            return types.Reloaded(did=await self._reload(who))
        operation = verb.operation
        return await self._performed(lambda engine: operation(self._operations, asked, who))

    def _note(self, words: str, who: Identity) -> None:
        """Have it written down who looks at the bridge; nobody waits for it."""
        with contextlib.suppress(EngineError):
            self._operations.engine.perform(lambda engine: self._operations.asks(words, who))

    async def _performed(self, act: Callable[[Engine], Any]) -> Any:
        future: Future[Any] = self._operations.engine.perform(act)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ANSWER_S)
        except TimeoutError:
            raise EngineError(f"the bridge did not tick for {ANSWER_S:g} s; nothing was done") from None

    # Problems.

    def _problem(self, problem: types.Problem) -> Response:
        self.counters[problem.kind] = self.counters.get(problem.kind, 0) + 1
        return Response(self._encode(problem), status_code=problem.status, media_type=openapi.PROBLEM_TYPE)

    async def _http_problem(self, request: Request, raised: Exception) -> Response:
        assert isinstance(raised, HTTPException)
        close: list[str] = []
        detail = f"{request.method} {request.url.path}: {raised.detail}"
        if raised.status_code == 404:
            close = nearest(request.url.path, self._paths)
            detail = f"there is no {request.url.path}" + (f"; did you mean {close[0]}?" if close else "")
        kind: types.ProblemKind = "not_found" if raised.status_code == 404 else "bad_request"
        problem = types.Problem(title=raised.detail, status=raised.status_code, detail=detail, kind=kind, nearest=close)
        response = self._problem(problem)
        response.headers.update(raised.headers or {})
        return response

    async def _failed(self, request: Request, raised: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=raised)
        detail = "the bridge made a mistake, which is in its log; it goes on"
        return self._problem(types.Problem(title="Failed", status=500, detail=detail, kind="failed"))

    # Beside the verbs.

    async def _show_openapi(self, request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _show_metrics(self, request: Request) -> Response:
        lines = [f'sdrbridge_control_answers_total{{kind="{kind}"}} {n}' for kind, n in sorted(self.counters.items())]
        lines += [
            f"sdrbridge_event_streams {self._hub.listeners}",
            f"sdrbridge_event_streams_lost_total {self._hub.lost_streams}",
            f"sdrbridge_events_missed_total {self._hub.missed}",
        ]
        own = ("\n".join(lines) + "\n").encode()
        return Response(own + (self._metrics() if self._metrics else b""), media_type="text/plain; version=0.0.4")

    def listen(self, last: str | None, scope: Scope) -> Listener | types.Problem:
        """A stream of events that begins with the last ones, or why there is none."""
        connection = connection_of(scope)
        try:
            asked = msgspec.convert({} if last is None else {"last": last}, types.EventsAsked, strict=False)
        except msgspec.ValidationError as problem:
            return _Complaint.bad(str(problem)).problem
        listener = self._hub.listen(asked.last, connection.abort)
        self._note("events", connection.identity)
        if listener is None:
            return _described(EngineError("too many streams of events are open; close one"))
        return listener

    def leave(self, listener: Listener) -> None:
        """A stream has ended."""
        self._hub.leave(listener)

    async def _websocket(self, socket: WebSocket) -> None:
        listener = self.listen(socket.query_params.get("last"), socket.scope)
        if isinstance(listener, types.Problem):
            await socket.send_denial_response(self._problem(listener))
            return
        await socket.accept()
        watch = asyncio.create_task(_until_closed(socket, listener))
        try:
            while (lines := await listener.next()) is not None:
                for line in lines:
                    await socket.send_text(line.decode().rstrip("\n"))
            if not watch.done():
                await socket.close()
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client is gone
        finally:
            self.leave(listener)
            watch.cancel()

    def problem(self, problem: types.Problem) -> Response:
        """A problem as a response."""
        return self._problem(problem)


class _Stream:
    """JSON lines until the client closes, or does not keep up. An ASGI application of its own: it has to see both."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        last = Request(scope).query_params.get("last")
        listener = self._app.listen(last, scope)
        if isinstance(listener, types.Problem):
            await self._app.problem(listener)(scope, receive, send)
            return
        watch = asyncio.create_task(_until_disconnected(receive, listener))
        try:
            headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while (lines := await listener.next()) is not None:
                await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._app.leave(listener)
            watch.cancel()


class _Complaint(Exception):
    """A request that is wrong in form."""

    def __init__(self, problem: types.Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @classmethod
    def bad(cls, detail: str) -> "_Complaint":
        return cls(types.Problem(title="Bad request", status=400, detail=detail, kind="bad_request"))


def _described(raised: SdrBridgeError) -> types.Problem:
    detail = str(raised)
    if isinstance(raised, NotFound):
        return types.Problem(title="Not found", status=404, detail=detail, kind="not_found", nearest=raised.nearest)
    if isinstance(raised, NeedsConfirmation):
        return types.Problem(title="Needs confirmation", status=428, detail=detail, kind="needs_confirmation")
    if isinstance(raised, ConfigError):
        title, problems = "Bad configuration", raised.problems
        return types.Problem(title=title, status=422, detail=detail, kind="bad_configuration", problems=problems)
    if isinstance(raised, EngineError):
        return types.Problem(title="Busy", status=503, detail=detail, kind="busy")
    return types.Problem(title="Refused", status=409, detail=detail, kind="refused")


_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_WRONG = re.compile(r"(.*) - at `\$\.(.*)`")


def _in_words(message: str, verb: Verb) -> str:
    """What msgspec says of a request, with the field in front and the nearest right one behind."""
    unknown = _UNKNOWN.match(message)
    if unknown is not None:
        fields = verb.request.__struct_fields__
        close = nearest(unknown[1], fields)
        hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(fields) or 'none'}"
        return f"there is no field {unknown[1]}; {hint}"
    wrong = _WRONG.fullmatch(message)
    return f"{wrong[2]}: {wrong[1].replace('`', '')}" if wrong is not None else message.replace("`", "")


async def _body(request: Request) -> bytes:
    """The body, of a bounded length, in a bounded time."""
    too_large = _Complaint(
        types.Problem(
            title="Too large", status=413, detail=f"a request has at most {LONGEST_BODY} bytes", kind="too_large"
        )
    )
    declared = request.headers.get("content-length", "0")
    if len(declared) > 18 or (declared.isdigit() and int(declared) > LONGEST_BODY):
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_BODY:
                    raise too_large
    except ClientDisconnect:
        raise _Complaint.bad("the connection ended within the body") from None
    except TimeoutError:
        raise _Complaint.bad(f"the body did not arrive within {BODY_S:g} s") from None
    return bytes(body)


async def _until_closed(socket: WebSocket, listener: Listener) -> None:
    # What a listener says is not asked for and not kept; only that he goes counts.
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
    listener.close()


async def _until_disconnected(receive: Receive, listener: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.close()
