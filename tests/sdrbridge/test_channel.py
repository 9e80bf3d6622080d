"""When a channel is heard: what opens it, from which sample, what closes it, and that each has its reason."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dsp.events import EventKind
from sdrbridge.channel import TONE_WITH_CARRIER, Channel, Signal
from sdrbridge.config import ChannelConfig, SquelchConfig
from sdrbridge.transmission import Transmission

MS = 8


class Bench:
    """A channel, and what it told."""

    def __init__(self, squelch: SquelchConfig | None = None) -> None:
        config = ChannelConfig("A", "t", "nfm", 12_500, offset_hz=0, squelch=squelch or SquelchConfig())
        self.told: list[dict[str, Any]] = []
        self.channel = Channel(config, self.told.append)

        self.all: list[Transmission] = []

    def say(self, kind: EventKind, at_ms: float, known_ms: float, value: float | str | None = None) -> None:
        self.channel.put(Signal(kind, int(at_ms * MS), int(known_ms * MS), value))

    def run(self, until_ms: int) -> None:
        for now in range(0, until_ms * MS + 1, 20 * MS):
            self.advance(now)

    def advance(self, now: int) -> None:
        self.all += [over for over in self.channel.advance(now) if over not in self.all]

    @property
    def events(self) -> list[str]:
        return [event["event"] for event in self.told]

    def overs(self) -> list[tuple[int, int | None]]:
        return [(o.start // MS, None if o.end is None else o.end // MS) for o in self.all]


def test_a_carrier_opens_from_its_start_and_closes_at_its_end() -> None:
    bench = Bench()
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CLOSE, 900, 910, 22.5)
    bench.run(1000)
    assert bench.overs() == [(100, 900)]
    assert bench.all[0].facts.snr_db == 22.5
    assert bench.events == ["carrier.open", "over.open", "carrier.close", "over.close"]
    assert bench.told[-1]["reason"] == "carrier gone"


def test_nothing_is_acted_on_before_it_is_known() -> None:
    bench = Bench()
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.advance(129 * MS)
    assert bench.channel.over is None
    bench.advance(130 * MS)
    assert bench.channel.over is not None and bench.channel.over.start == 100 * MS


def test_a_required_tone_opens_from_where_the_carrier_began() -> None:
    bench = Bench(SquelchConfig(ctcss_hz=156.7))
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CTCSS, 110, 250, 156.7)
    bench.say(EventKind.CLOSE, 900, 910, 21.0)
    bench.run(1000)
    assert bench.overs() == [(100, 900)]
    assert bench.all[0].facts.ctcss_hz == 156.7


def test_another_tone_stays_shut() -> None:
    bench = Bench(SquelchConfig(ctcss_hz=156.7))
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CTCSS, 110, 250, 151.4)
    bench.say(EventKind.CLOSE, 900, 910, 21.0)
    bench.run(1000)
    assert bench.overs() == []
    assert bench.events == ["carrier.open", "tone.found", "carrier.close"]


def test_a_tone_that_joins_later_opens_from_where_it_began() -> None:
    bench = Bench(SquelchConfig(ctcss_hz=156.7))
    late = 100 + TONE_WITH_CARRIER // MS + 200
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CTCSS, late, late + 140, 156.7)
    bench.say(EventKind.CLOSE, 2000, 2010, 21.0)
    bench.run(2100)
    assert bench.overs() == [(late, 2000)]


def test_a_tone_known_a_moment_before_its_carrier_counts() -> None:
    bench = Bench(SquelchConfig(ctcss_hz=100.0))
    bench.say(EventKind.CTCSS, 100, 240, 100.0)
    bench.say(EventKind.OPEN, 100, 250, 9.0)
    bench.say(EventKind.CLOSE, 900, 910, 9.0)
    bench.run(1000)
    assert bench.overs() == [(100, 900)]


def test_a_code_is_known_by_each_of_its_names() -> None:
    bench = Bench(SquelchConfig(dcs="047I"))
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.DCS, 100, 420, "023N")
    bench.say(EventKind.DCS_TURN_OFF, 800, 860, "023N")
    bench.say(EventKind.CLOSE, 980, 990, 21.0)
    bench.run(1100)
    assert bench.overs() == [(100, 800)]
    assert bench.told[-2]["reason"] == "turn-off code"
    assert bench.all[0].facts.dcs == "047I"


def test_a_reverse_burst_ends_the_over_and_the_carrier_after_it_opens_nothing() -> None:
    bench = Bench(SquelchConfig(ctcss_hz=156.7))
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CTCSS, 100, 250, 156.7)
    bench.say(EventKind.REVERSE_BURST, 900, 950, 156.7)
    bench.say(EventKind.CTCSS_LOST, 900, 950, 156.7)
    bench.say(EventKind.CLOSE, 1080, 1090, 21.0)
    bench.run(1200)
    assert bench.overs() == [(100, 900)]


def test_a_lost_tone_closes_only_where_it_is_required() -> None:
    for squelch, wanted in ((SquelchConfig(ctcss_hz=100.0), [(100, 500)]), (SquelchConfig(), [(100, 900)])):
        bench = Bench(squelch)
        bench.say(EventKind.OPEN, 100, 130, 21.0)
        bench.say(EventKind.CTCSS, 100, 250, 100.0)
        bench.say(EventKind.CTCSS_LOST, 500, 640, 100.0)
        bench.say(EventKind.CLOSE, 900, 910, 21.0)
        bench.run(1000)
        assert bench.overs() == wanted


def test_what_was_released_cannot_be_called_back() -> None:
    bench = Bench()
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CLOSE, 500, 700, 5.0)
    bench.advance(200 * MS)
    bench.channel.released = 640 * MS
    bench.advance(700 * MS)
    over = bench.all[0]
    assert over.end == 640 * MS
    assert over.on_air_end == 500 * MS


def test_an_over_never_starts_inside_the_one_before() -> None:
    bench = Bench()
    bench.say(EventKind.OPEN, 100, 130, 21.0)
    bench.say(EventKind.CLOSE, 500, 520, 21.0)
    bench.say(EventKind.OPEN, 480, 530, 21.0)
    bench.say(EventKind.CLOSE, 900, 910, 21.0)
    bench.run(1000)
    assert bench.overs() == [(100, 500), (500, 900)]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(EventKind)), st.integers(0, 3000), st.integers(0, 400), st.booleans()),
        max_size=30,
    ),
    st.sampled_from([SquelchConfig(), SquelchConfig(ctcss_hz=100.0), SquelchConfig(dcs="023N")]),
)
def test_whatever_the_detectors_say_overs_follow_each_other_and_fit_the_squelch(
    said: list[tuple[EventKind, int, int, bool]], squelch: SquelchConfig
) -> None:
    bench = Bench(squelch)
    for kind, at, late, right in said:
        value: float | str | None = None
        if "ctcss" in kind.value or kind is EventKind.REVERSE_BURST:
            value = 100.0 if right else 103.5
        elif "dcs" in kind.value:
            value = "023N" if right else "025N"
        elif kind in (EventKind.OPEN, EventKind.CLOSE):
            value = 12.0
        bench.say(kind, at, at + late, value)
    bench.run(4000)
    overs = [over for over in bench.all if over is not bench.channel.over]
    assert all(o.end is not None and o.start <= o.end for o in overs)
    assert all(a.end is not None and a.end <= b.start for a, b in pairwise(overs))
    for over in [*overs, *([bench.channel.over] if bench.channel.over else [])]:
        if squelch.ctcss_hz:
            assert over.facts.ctcss_hz == 100.0
        if squelch.dcs:
            assert over.facts.dcs == "023N"
