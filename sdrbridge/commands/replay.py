"""`sdrbridge replay SITE …`: the whole bridge over recordings."""

import signal
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from hw.errors import DeviceError
from sdrbridge import expect
from sdrbridge.commands.output import note, print_json, print_table, progress
from sdrbridge.config import Site
from sdrbridge.errors import ReplayError, SdrBridgeError
from sdrbridge.replay import Options, replay
from sdrbridge.site import load_site


def run(options: Namespace) -> int:
    """Replay one site and print what was heard, or several at once and print a line each."""
    if len(options.site) == 1:
        return _one(options)
    if options.expect or options.save_expect:
        raise SdrBridgeError("--expect and --save-expect are for one site file at a time")
    return _several(options)


def _one(options: Namespace) -> int:
    wanted = expect.load(options.expect) if options.expect else None
    site = load_site(options.site[0])
    summary = _replay(site, options, options.out or Path(f"{site.path.stem}-out"))
    if options.json:
        print_json(summary)
    else:
        _tables(summary)
    for tuner, state in summary["tuners"].items():
        for remark in state["notes"]:
            note(f"tuner {tuner}: {remark}")
    failed = [f"tuner {name}: {state['trouble']}" for name, state in summary["tuners"].items() if "trouble" in state]
    if options.save_expect:
        _save(options.save_expect, expect.from_summary(summary))
    differences = expect.differences(wanted, summary) if wanted is not None else []
    for line in [*failed, *differences]:
        note(line)
    if wanted is not None and not differences:
        note(f"as expected in {options.expect}")
    return 1 if failed or differences else 0


def _several(options: Namespace) -> int:
    # Every site file is read first: a mistake in the last one should not show after an hour of replaying the others.
    sites = [load_site(path) for path in options.site]
    root = options.out or Path("replay-out")
    names = {site.path: root / site.path.stem for site in sites}
    if len(set(names.values())) < len(sites):
        raise SdrBridgeError("two of the site files have the same name; their results would overwrite each other")
    work = partial(_job, options=options)
    results: list[dict[str, Any]] = []
    with progress("replaying") as advance, _pool(options.jobs) as pool:
        with _uninterrupted():
            coming = pool.map(work, [(site, names[site.path]) for site in sites])
        try:
            for result in coming:
                results.append(result)
                advance(len(results), len(sites), str(result["site"]))
        except KeyboardInterrupt:
            for process in active_children():
                process.terminate()
            raise
    if options.json:
        print_json({"sites": results})
    else:
        rows = [
            [
                str(r["site"]),
                r.get("trouble") or f"{sum(len(c['transmissions']) for c in r['channels'].values())} overs",
                "" if "trouble" in r else f"{r['duration_s']:.1f} s",
                "" if "trouble" in r else f"{r['realtime_factor']:.0f} ×",
            ]
            for r in results
        ]
        print_table("replayed", ["site", "heard", "length", "real time"], rows, right=[2, 3])
    return 1 if any("trouble" in r for r in results) else 0


def _pool(jobs: int) -> ProcessPoolExecutor:
    # spawn: a forked child would inherit the threads of numerical libraries in an unknown state.
    return ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn"))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Processes that are started within ignore Ctrl-C: it is for the one that started them, who ends them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _job(work: tuple[Site, Path], options: Namespace) -> dict[str, Any]:
    site, out = work
    try:
        return _quiet(site, options, out)
    except SdrBridgeError as problem:
        return {"site": site.name, "trouble": str(problem)}


def _replay(site: Site, options: Namespace, out: Path) -> dict[str, Any]:
    with progress(f"replaying {site.name}") as advance:
        return _translated(site, _options(options, out), advance)


def _quiet(site: Site, options: Namespace, out: Path) -> dict[str, Any]:
    return _translated(site, _options(options, out), lambda done, total, word="": None)


def _translated(site: Site, options: Options, advance: Any) -> dict[str, Any]:
    try:
        return replay(site, options, advance)
    except DeviceError as problem:
        raise ReplayError(str(problem)) from problem


def _options(options: Namespace, out: Path) -> Options:
    return Options(out, options.block, options.threads, options.speed == "1", not options.no_report, options.frames)


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ReplayError(f"{path}: cannot be written: {problem.strerror}") from problem
    note(f"wrote {path}")


def _call(over: dict[str, Any]) -> str:
    """Tone or code, or who talks to whom."""
    if "ctcss_hz" in over:
        return f"{over['ctcss_hz']:.1f} Hz"
    said = [str(over["dcs"])] if "dcs" in over else []
    said += [f"{word} {over[key]}" for key, word in (("talkgroup", "TG"), ("source_id", "unit")) if key in over]
    said += [word for word in ("emergency", "encrypted") if over.get(word)]
    return " · ".join([*said, *([over["silent"]] if "silent" in over else [])])


def _tables(summary: dict[str, Any]) -> None:
    rows = [
        [
            name,
            channel["mode"],
            f"{over['start_s']:.2f}",
            f"{over['end_s']:.2f}",
            f"{over['snr_db']:.0f}" if "snr_db" in over else "",
            f"{over['level_dbfs']:.0f}" if "level_dbfs" in over else "",
            _call(over),
            ", ".join(over["heard_by"]) or "nobody",
        ]
        for name, channel in summary["channels"].items()
        for over in channel["transmissions"]
    ]
    rows.sort(key=lambda row: float(row[2]))
    columns = ["channel", "mode", "from s", "to s", "SNR dB", "level dBFS", "call", "heard by"]
    print_table(f"{summary['site']}: who spoke when", columns, rows, right=[2, 3, 4, 5])
    keyed = [
        [name, f"{port['keyed_s']:.2f}", ", ".join(dict.fromkeys(f for k in port["keyed"] for f in k["from"]))]
        for name, port in summary["ports"].items()
    ]
    if keyed:
        print_table("ports", ["port", "keyed s", "heard"], keyed, right=[1])
    print(
        f"{summary['duration_s']:.1f} s replayed at {summary['realtime_factor']:.0f} × real time, "
        f"{summary['dropped_samples']} samples lost. Everything is in {summary['out']}"
    )
