"""`sdrbridge serve-rtltcp SOURCE`: plays a recording to rtl_tcp clients."""

import signal
import threading
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from hw.errors import DeviceError
from hw.rtltcp_server import Pace, RtlTcpServer, serve_recording
from sdrbridge.commands.output import note, print_json
from sdrbridge.errors import ReplayError


def run(options: Namespace) -> int:
    """Serve until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    source = options.source if ":" in options.source else f"file:{options.source}"
    try:
        served = serve_recording(
            source,
            base=Path(),
            rate=options.rate,
            format=options.format,
            host=options.host,
            port=options.port,
            pace=Pace(options.pace),
            loop=options.loop,
            stop=stop,
            listening=_announce,
        )
    except DeviceError as problem:
        raise ReplayError(str(problem)) from problem
    if options.json:
        print_json(asdict(served))
    else:
        print(f"{served.clients} clients, {served.samples} samples sent")
    return 0


def _announce(server: RtlTcpServer) -> None:
    host, port = server.address
    note(f"playing {server.info.description} to rtl_tcp clients at {host}:{port}; Ctrl-C ends it")
