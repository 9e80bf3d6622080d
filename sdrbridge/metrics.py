"""What Prometheus is told, by its conventions: one prefix, base units, `_total` for what only grows.

    engine ─events─▶ counters          GET /metrics ─▶ text(): the counters, and how everything is right now

Labels are names of the site file and short fixed words, never talkgroups or radio ids: what talks on the air must not
decide how much memory this takes.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import sdrbridge
from dsp.blocks import AUDIO_RATE

if TYPE_CHECKING:
    from sdrbridge.station import Station

OVER_BUCKETS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300)

_FLOOR = ("granted", "refused", "preempted", "timed_out")


class Metrics:
    """A sink of events, and the text. station: whose state is shown."""

    def __init__(self, station: "Station") -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._overs = Counter("sdrbridge_overs", "Overs that ended", ["port"], registry=self._registry)
        self._length = Histogram(
            "sdrbridge_over_seconds", "Length of overs", buckets=OVER_BUCKETS, registry=self._registry
        )
        self._floor = Counter(
            "sdrbridge_floor_decisions", "Decisions of floors", ["patch", "verdict"], registry=self._registry
        )
        self._blocked = Counter(
            "sdrbridge_blocked_seconds", "Time that talkers waited for a floor", ["patch"], registry=self._registry
        )
        self._keyed = Counter("sdrbridge_ptt_active_seconds", "Time on the air", ["port"], registry=self._registry)
        self._changes = Counter("sdrbridge_events", "Events, by kind", ["event"], registry=self._registry)
        self._kinds: set[str] = set()
        self._registry.register(_Now(station))

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Count an event."""
        kind = str(event["event"])
        if kind in self._kinds or len(self._kinds) < 200:
            self._kinds.add(kind)
            self._changes.labels(kind).inc()
        area, _, what = kind.partition(".")
        if area == "floor" and what in _FLOOR:
            self._floor.labels(str(event["patch"]), what).inc()
            if "blocked_s" in event:
                self._blocked.labels(str(event["patch"])).inc(max(0.0, float(event["blocked_s"])))
        elif kind == "port.unkeyed" and "keyed_s" in event:
            self._keyed.labels(str(event["port"])).inc(max(0.0, float(event["keyed_s"])))
        elif kind == "over.done" and "port" in event:
            self._overs.labels(str(event["port"])).inc()
            if "start_s" in event and "end_s" in event:
                self._length.observe(max(0.0, float(event["end_s"]) - float(event["start_s"])))

    def text(self) -> bytes:
        """All of it, in the text format."""
        return generate_latest(self._registry)


class _Now:
    """What is read off when it is asked for."""

    def __init__(self, station: "Station") -> None:
        self._station = station

    def describe(self) -> list[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """How everything is."""
        station = self._station
        engine = station.engine
        info = GaugeMetricFamily("sdrbridge_build_info", "The program", labels=["version"])
        info.add_metric([sdrbridge.__version__], 1)
        yield info
        now = {
            "sdrbridge_patches": ("Patches", len(engine.matrix.patches)),
            "sdrbridge_degraded": ("Things that are not as they should be", len(engine.degraded)),
            "sdrbridge_tick_load_ratio": ("Share of a tick that its work takes", station.load),
            "sdrbridge_shed_rung": ("What is given up under load, 0 to 4", int(station.ladder.rung)),
        }
        for name, (about, value) in now.items():
            yield GaugeMetricFamily(name, about, value=value)
        totals = {
            "sdrbridge_ticks": ("Ticks made", engine.counters.get("ticks", 0)),
            "sdrbridge_late_ticks": ("Ticks that began more than 10 ms late", engine.counters.get("late_ticks", 0)),
            "sdrbridge_skipped_seconds": ("Time that was given up", engine.counters.get("skipped_s", 0)),
            "sdrbridge_bridge_seconds": ("Bridge time", engine.now / AUDIO_RATE),
            "sdrbridge_guard_starts": ("Starts of the keyer guard and its spare", station.guard.starts),
            "sdrbridge_state_writes": ("Writes of the state file", station.state.writes),
        }
        for name, (about, value) in totals.items():
            yield CounterMetricFamily(name, about, value=value)
        yield from self._tuners()
        yield from self._ports()

    def _tuners(self) -> Iterator[Metric]:
        states = [link.state() for link in list(self._station.links.values())]
        gauges = {
            "sdrbridge_tuner_up": ("Whether the tuner is received", [1 if s.state == "up" else 0 for s in states]),
            "sdrbridge_worker_resident_memory_bytes": ("Memory of its worker", [s.rss_bytes for s in states]),
        }
        for name, (about, values) in gauges.items():
            gauge = GaugeMetricFamily(name, about, labels=["tuner"])
            for state, value in zip(states, values):
                gauge.add_metric([state.name], value)
            yield gauge
        counters = {
            "sdrbridge_sdr_samples_lost": ("Samples the radio lost", [s.lost for s in states]),
            "sdrbridge_sdr_samples_clipped": ("Samples at full scale", [s.clipped for s in states]),
            "sdrbridge_worker_restarts": ("Restarts of its worker", [s.restarts for s in states]),
            "sdrbridge_speech_samples_dropped": ("Speech its worker could not hand over", [s.dropped for s in states]),
        }
        for name, (about, counts) in counters.items():
            counter = CounterMetricFamily(name, about, labels=["tuner"])
            for state, count in zip(states, counts):
                counter.add_metric([state.name], count)
            yield counter

    def _ports(self) -> Iterator[Metric]:
        engine = self._station.engine
        talking = engine.matrix.talking()
        open_ = GaugeMetricFamily("sdrbridge_port_open", "Whether an over comes in", labels=["port"])
        keyed = GaugeMetricFamily("sdrbridge_port_keyed", "Whether it is on the air", labels=["port"])
        level = GaugeMetricFamily("sdrbridge_port_level_dbfs", "Level of the over that comes in", labels=["port"])
        up = GaugeMetricFamily("sdrbridge_port_up", "Whether the port works", labels=["port"])
        # Of what a kind of port counts some goes down again (a delay, a pace), so all of it is a gauge.
        count = GaugeMetricFamily("sdrbridge_port_count", "What the port counts and measures", labels=["port", "what"])
        for name, port in engine.ports.items():
            over = talking.get(name)
            if port.rx is not None:
                open_.add_metric([name], 0 if over is None else 1)
            if port.tx is not None:
                keyed.add_metric([name], 1 if engine.matrix.keyed(name) else 0)
            if over is not None and over.facts.level_dbfs is not None:
                level.add_metric([name], over.facts.level_dbfs)
            live = engine.live.get(name)
            if live is not None:
                health = live.health()
                up.add_metric([name], 0 if health.state == "down" else 1)
                for counted, value in health.counters.items():
                    count.add_metric([name, counted], value)
        yield from (open_, keyed, level, up, count)
