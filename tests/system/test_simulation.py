"""Hours of a busy bridge under a virtual clock: the invariants hold, and a broken one is found and told shortly."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.elastic import Elastic
from sdrbridge.floor import Decision, Floor
from sdrbridge.guard import Guard
from sdrbridge.journal import read_entries
from sdrbridge.journalwriter import JournalWriter
from sdrbridge.line import Line, Voice
from sdrbridge.matrix import Matrix
from sdrbridge.recording import Recording
from sdrbridge.recordingdesk import RecordingDesk
from sdrbridge.rtp.rtcp import Reception
from sdrbridge.simulation import script as scripts
from sdrbridge.simulation.house import House, make_house
from sdrbridge.simulation.script import LINK_FAULTS, WORKER_FAULTS, Deed, Plan
from sdrbridge.simulation.shrink import shrink
from sdrbridge.simulation.watch import Broken, Watch
from sdrbridge.simulation.world import Outcome, World
from sdrbridge.transmission import Transmission
from sdrbridge.verify import verify

HOUSE = make_house(16)
LIVELY = Plan(talk=0.2, operator_s=20.0, fault_s=30.0, stuck=0.02, emergency=0.05, encrypted=0.1)


KINDS = {
    *(f"worker {how}" for how in WORKER_FAULTS),
    *(f"supervisor: {seen}" for seen in ("died", "hung", "leaked", "had no device")),
    *("process killed", "process hung", "process stood still"),
    *(f"network: {fault}" for fault in LINK_FAULTS),
    *("packets lost", "packets late", "packets doubled", "packets out of order", "packets held up"),
    *("sound card lost", "clock drift", "disk full", "recordings cut by a full disk", "clock stepped"),
}


def script_of(seed: int, hours: float, plan: Plan = LIVELY, house: House = HOUSE) -> list[Deed]:
    return scripts.make(seed, hours, [s.name for s in house.stations], plan, house.roles)


def run(
    seed: int, hours: float = 0.1, journal: Path | None = None, strides: bool = True, plan: Plan = LIVELY
) -> Outcome:
    return World(HOUSE, journal, strides).run(script_of(seed, hours, plan), hours)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_invariant_holds(seed: int, tmp_path: Path) -> None:
    outcome = run(seed, 0.15, tmp_path)
    assert sum(outcome.faults.values()) > 3 and outcome.tally.first_syllables > 50
    report = verify(tmp_path)
    assert report.ok, report.findings


def test_everything_that_can_go_wrong_does() -> None:
    """Every kind of fault happens, and what notices it did."""
    seen: Counter[str] = Counter()
    for seed in (21, 22, 23, 24, 25):
        seen.update(run(seed, 0.1, plan=replace(LIVELY, fault_s=1.0)).faults)
    assert set(seen) >= KINDS, KINDS - set(seen)


def with_full_disks(seed: int, strides: bool = True) -> Outcome:
    """Twice, once for long and once for a moment."""
    full = [Deed(70 * 8000 + 8999 * seed, "disk", {"for_s": 30.0}), Deed(140 * 8000, "disk", {"for_s": 2.0})]
    script = [deed for deed in script_of(seed, 0.05, Plan(talk=0.2)) if deed.what != "disk"]
    return World(HOUSE, strides=strides).run(sorted([*script, *full], key=lambda d: d.at), 0.05)


@pytest.mark.parametrize("seed", [1, 2])
def test_recordings_on_a_full_disk_lose_what_they_say_and_return_and_change_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held against what was heard (`sdrbridge.simulation.recordings`); what is said and keyed is as without."""
    outcome = with_full_disks(seed)
    cut = outcome.faults["recordings cut by a full disk"]
    assert outcome.tally.recorded >= 40 and 10 <= cut < outcome.tally.recorded
    assert with_full_disks(seed, strides=False).digest == outcome.digest
    monkeypatch.setattr("sdrbridge.simulation.world._recorded", lambda deed: iter(()))
    without = with_full_disks(seed)
    assert without.digest == outcome.digest and without.tally.recorded == 0


def test_a_process_that_dies_on_a_full_disk_leaves_the_journal_to_the_next(tmp_path: Path) -> None:
    faults = [Deed(60 * 8000, "disk", {"for_s": 40.0}), Deed(80 * 8000, "kill", {"for_s": 2.0})]
    script = [deed for deed in script_of(1, 0.05, Plan(talk=0.2)) if deed.what == "talk"]
    outcome = World(HOUSE, tmp_path).run(sorted([*script, *faults], key=lambda d: d.at), 0.05)
    assert outcome.restarts == 1 and outcome.journal_lost == 0
    told = [entry.wall for entry in read_entries(tmp_path) if entry.event == "floor.granted"]
    assert sum(wall > "2026-01-01T00:01:40" for wall in told) > 10
    assert verify(tmp_path).ok


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 106))
def test_every_invariant_holds_for_an_hour_and_a_half(seed: int, tmp_path: Path) -> None:
    run(seed, 1.5, tmp_path)
    assert verify(tmp_path).ok


def drifting(seed: int, hours: float, strides: bool = True) -> Outcome:
    """All sound cards drift, all the time."""
    radios = [s.name for s in HOUSE.stations if s.kind == "radio"]
    drifts = [
        Deed(8000 + 777 * i, "drift", {"port": name, "ppm": ppm, "for_s": hours * 3600})
        for i, (name, ppm) in enumerate(zip(radios, (300.0, -300.0, 100.0, -100.0), strict=True))
    ]
    script = [deed for deed in script_of(seed, hours, Plan(talk=0.2)) if deed.what != "drift"]
    return World(HOUSE, strides=strides).run(sorted([*script, *drifts], key=lambda d: d.at), hours)


def test_sound_cards_with_clocks_of_their_own_lose_and_repeat_nothing() -> None:
    """Each sound is followed to the other side of the elastic buffers, both ways; a step of 1.5 ms would be seen."""
    first = drifting(4, 0.04)
    assert first.tally.followed > 300
    assert drifting(4, 0.04, strides=False).digest == first.digest


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sound_cards_drift_for_twenty_minutes(seed: int) -> None:
    assert drifting(seed, 0.3).tally.followed > 5000


@pytest.mark.parametrize("seed", [4, 7, 18])
def test_the_same_script_gives_the_same_events_in_strides_and_tick_by_tick(seed: int) -> None:
    assert run(seed).digest == run(seed, strides=False).digest


def test_the_same_script_gives_the_same_events() -> None:
    assert run(7).digest == run(7).digest


def test_another_seed_gives_another_run() -> None:
    assert run(1, 0.02).digest != run(2, 0.02).digest


def test_a_script_can_be_written_down_and_read_again() -> None:
    script = script_of(5, 0.2)
    assert [Deed.from_json(deed.to_json()) for deed in script] == script


# A fault planted in each invariant is found.


def planted(number: int, seeds: Sequence[int] = range(1, 9)) -> Broken:
    for seed in seeds:
        try:
            run(seed, 0.1)
        except Broken as broken:
            assert broken.number == number, broken
            return broken
    raise AssertionError(f"nothing was found of the fault planted in invariant {number}")


def test_planted_1_a_run_that_depends_on_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    count = itertools.count()
    begin = Transmission.begin
    monkeypatch.setattr(Transmission, "begin", lambda port, number, start: begin(port, next(count), start))
    assert run(1).digest != run(1).digest


def test_planted_2_the_head_of_an_over_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = Matrix._launch
    monkeypatch.setattr(Matrix, "_launch", lambda self, line, voice, start: launch(self, line, voice, start + 400))
    assert "from its middle" in str(planted(2))


def test_planted_3_who_is_dropped_hears_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Matrix, "_relink_voice", _as_before)
    planted(3)


def _as_before(self: Matrix, line: Line, voice: Voice) -> set[int]:
    return {int(row) for group in line.groups for row in group.leg.rows}


@pytest.mark.parametrize("writeable", [True, False])
def test_planted_3_sound_on_a_port_that_is_not_keyed(writeable: bool) -> None:
    watch, port = Watch(HOUSE), HOUSE.stations[0].name
    silence, click = np.zeros(3200, np.float32), np.zeros(3200, np.float32)
    click[1000] = 1e-6
    for whole in (silence, click):
        whole.flags.writeable = writeable
    for part in (silence[:1600], silence[:160], click[:1000], silence[1000:1160]):
        watch.frame(port, part, 0, False)
    with pytest.raises(Broken, match="is not keyed and is sent sound"):
        watch.frame(port, click[900:1060], 0, False)


def test_planted_3_a_guard_that_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "tick", lambda self, now: False)
    assert "after the bridge is gone" in str(planted(3))


def test_planted_3_a_restart_that_forgets_the_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdrbridge.state._read", lambda path: None)
    assert "other patches or mutes" in str(planted(3))


def test_planted_4_a_loss_that_is_not_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    health = JournalWriter.health

    def blind(self: JournalWriter) -> object:
        found = health(self)
        counters = {**found.counters, "lost": 0}
        return type(found)(found.state, found.reason, counters)

    monkeypatch.setattr(JournalWriter, "health", blind)
    full = [Deed(8000, "disk", {"for_s": 1000.0})]
    with pytest.raises(Broken, match="invariant 4") as found:
        World(HOUSE, tmp_path).run(sorted([*script_of(1, 0.15), *full], key=lambda d: d.at), 0.15)
    assert found.value.number == 4


def _says_nothing(self: RecordingDesk, problem: OSError) -> None:
    """A desk that keeps to itself what went wrong."""


def _skips(self: Recording, until: int) -> None:
    """A recording in which what comes after a loss moves up."""
    self._start += until - self._start - self._writer.samples


def _gives_up(self: RecordingDesk) -> None:
    """A desk that does not try again."""


def _forgets(self: Recording, start: int, samples: NDArray[np.float32]) -> None:
    """A recording that begins anew after a loss."""
    try:
        self._fill(start)
        self._writer.write(samples)
        self._writer.flush()
    except OSError:
        self._writer.samples = 0
        raise


@pytest.mark.parametrize(
    ("place", "name", "fault", "words"),
    [
        (RecordingDesk, "_note", _says_nothing, "nobody is told"),
        (Recording, "_fill", _skips, "samples of|not what was heard"),
        (RecordingDesk, "_try_again", _gives_up, "do not return"),
        (Recording, "write", _forgets, "not what was heard|is not finished"),
    ],
)
def test_planted_4_recordings_on_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, place: type, name: str, fault: object, words: str
) -> None:
    monkeypatch.setattr(place, name, fault)
    with pytest.raises(Broken, match=words) as found:
        with_full_disks(1)
    assert found.value.number == 4


def test_planted_4_packets_that_are_lost_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    note = Reception.note

    def generous(self: Reception, sequence: int, timestamp: int, arrival: int) -> None:
        note(self, sequence, timestamp, arrival)
        self.received += sequence % 50 == 49

    monkeypatch.setattr(Reception, "note", generous)
    assert "packets to link" in str(planted(4))


@pytest.mark.parametrize("ms", [5, -5])
def test_planted_4_a_buffer_that_loses_or_repeats_and_counts_nothing(ms: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pull, pulled = Elastic.pull, itertools.count()

    def slippery(self: Elastic, n: int) -> NDArray[np.float32]:
        if self.playing and next(pulled) % 1000 == 999:
            self._stretch.move(self._stretch.position + ms * self.rate_in / 1000)
        return pull(self, n)

    monkeypatch.setattr(Elastic, "pull", slippery)
    with pytest.raises(Broken, match=r"without a slip|no slip was counted|or twice") as found:
        drifting(4, 0.05)
    assert found.value.number == 4


def test_planted_5_a_decision_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Floor.step

    def mute(self: Floor, *about: object) -> list[Decision]:
        return [replace(d, reason="") if d.blocked else d for d in step(self, *about)]  # type: ignore[arg-type]

    monkeypatch.setattr(Floor, "step", mute)
    assert "without a reason" in str(planted(5))


def test_planted_6_encrypted_speech_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = Matrix._silence

    def careless(self: Matrix, *about: object) -> str | None:
        reason = silence(self, *about)  # type: ignore[arg-type]
        return None if reason == "encrypted" else reason

    monkeypatch.setattr(Matrix, "_silence", careless)
    assert "encrypted" in str(planted(6))


def test_what_breaks_is_told_in_few_deeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "tick", lambda self, now: False)

    def breaks(deeds: Sequence[Deed]) -> Broken | None:
        try:
            World(HOUSE).run(deeds, (deeds[-1].at / 8000 + 5) / 3600 if deeds else 0.001)
        except Broken as broken:
            return broken
        return None

    script = script_of(1, 0.1)
    broken = breaks(script)
    assert broken is not None
    shortest, found = shrink(script, broken, breaks)
    assert found.number == 3
    assert len(shortest) <= 3
    assert {"kill", "hang"} & {deed.what for deed in shortest}
