"""What technicians can do: it is done at the next tick, written down with who and why, and refused in plain words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sdrbridge.control import types
from sdrbridge.errors import NeedsConfirmation, NotFound, Refused
from tests.support.control import ALICE, Incident


@pytest.fixture
def incident(tmp_path: Path) -> Incident:
    return Incident(tmp_path)


def test_a_patch_is_made_at_the_next_tick_and_written_down(incident: Incident) -> None:
    incident.run(0.1)
    request = types.PatchMake(
        name="tactical", ports=("UTAC41", "truck"), monitors=("dispatch",), timeout_s=60, note="IC request 14:20"
    )
    done = incident.operations.patch_make(request, ALICE)
    assert done.did == ['made patch "tactical" of UTAC41 and truck', "dispatch only hears"]
    assert done.in_force_s == pytest.approx(0.1)
    assert done.patch is not None and done.patch.timeout_s == 60
    (event,) = incident.told("patch.made")
    assert event == {
        "t_s": 0.1,
        "event": "patch.made",
        "patch": "tactical",
        "ports": ["UTAC41", "truck"],
        "monitors": ["dispatch"],
        "who": "alice",
        "uid": 1000,
        "pid": 4711,
        "via": "socket",
        "note": "IC request 14:20",
    }
    incident.say("UTAC41", 0.5)
    incident.run(0.06)
    assert incident.engine.matrix.holder("tactical") == "UTAC41"
    assert incident.engine.matrix.keyed("dispatch") and incident.engine.matrix.keyed("truck")


def test_an_active_patch_is_broken_only_by_who_means_it(incident: Incident) -> None:
    incident.say("VTAC11", 2.0)
    incident.run(0.2)
    with pytest.raises(NeedsConfirmation, match="VTAC11 is heard by dispatch"):
        incident.operations.patch_break(types.PatchBreak(name="command"), ALICE)
    assert "command" in incident.engine.matrix.patches
    incident.operations.patch_break(types.PatchBreak(name="command", confirm=True), ALICE)
    incident.run(0.04)
    assert not incident.engine.matrix.patches and not incident.engine.matrix.keyed("dispatch")
    assert [e["who"] for e in incident.told("patch.broken")] == ["alice"]


def test_a_quiet_patch_is_broken_at_once(incident: Incident) -> None:
    done = incident.operations.patch_break(types.PatchBreak(name="command-post/command"), ALICE)
    assert done.did == ['broke patch "command"; VTAC11 and dispatch are apart']


def test_members_come_go_are_muted_and_levelled(incident: Incident) -> None:
    ops = incident.operations
    ops.patch_add(types.PatchAdd(patch="command", port="truck", talks=False), ALICE)
    ops.patch_mute(types.PatchMute(patch="command", port="VTAC11", listener="truck"), ALICE)
    ops.patch_gain(types.PatchGain(patch="command", talker="VTAC11", listener="dispatch", gain_db=-6.0), ALICE)
    (patch,) = ops.patch_ls(types.PatchList(), ALICE).patches
    assert [(m.port, m.talks) for m in patch.members] == [("VTAC11", True), ("dispatch", True), ("truck", False)]
    assert {(leg.talker, leg.listener, leg.gain_db, leg.muted) for leg in patch.legs} == {
        ("VTAC11", "truck", 0.0, True),
        ("VTAC11", "dispatch", -6.0, False),
    }
    ops.patch_mute(types.PatchMute(patch="command", port="VTAC11", listener="truck", muted=False), ALICE)
    ops.patch_mute(types.PatchMute(patch="command", port="VTAC11"), ALICE)
    dropped = ops.patch_drop(types.PatchDrop(patch="command", port="truck"), ALICE)
    assert dropped.patch is not None
    assert [(m.port, m.muted) for m in dropped.patch.members] == [("VTAC11", True), ("dispatch", False)]
    ops.patch_drop(types.PatchDrop(patch="command", port="VTAC11"), ALICE)
    done = ops.patch_drop(types.PatchDrop(patch="command", port="dispatch"), ALICE)
    assert done.did[-1] == "nobody is left in it"


def test_a_transmitter_is_keyed_by_hand_for_so_long_and_no_longer(incident: Incident) -> None:
    ops = incident.operations
    incident.run(0.1)
    with pytest.raises(NeedsConfirmation, match=r"truck on the air for 1\.0 s"):
        ops.port_key(types.PortKey(port="truck", seconds=1.0), ALICE)
    ops.port_key(types.PortKey(port="truck", seconds=1.0, confirm=True, note="antenna test"), ALICE)
    incident.run(3.0)
    assert incident.loops["truck"].keyed.intervals == [(800, 8800)]
    assert [e["note"] for e in incident.told("port.key")] == ["antenna test"]


def test_unkeying_says_what_else_keeps_it_on_the_air(incident: Incident) -> None:
    ops = incident.operations
    ops.port_key(types.PortKey(port="dispatch", seconds=5, confirm=True), ALICE)
    incident.say("VTAC11", 1.0)
    incident.run(0.2)
    done = ops.port_unkey(types.PortUnkey(port="dispatch"), ALICE)
    assert done.did[0] == "took the hand off dispatch"
    assert 'patch "command" keeps it on the air' in done.did[1]
    incident.run(0.1)
    assert incident.engine.matrix.keyed("dispatch")
    assert ops.port_unkey(types.PortUnkey(port="dispatch"), ALICE).did[0] == "dispatch was not keyed by hand"


def test_a_port_is_cut_off_one_way_or_both(incident: Incident) -> None:
    ops = incident.operations
    done = ops.port_mute(types.PortMute(port="dispatch", direction="tx"), ALICE)
    assert done.port is not None and done.port.muted == "tx"
    incident.say("VTAC11", 1.0)
    incident.run(0.2)
    assert not incident.engine.matrix.keyed("dispatch")
    done = ops.port_mute(types.PortMute(port="dispatch"), ALICE)
    assert done.port is not None and done.port.muted == "both"
    done = ops.port_mute(types.PortMute(port="dispatch", muted=False), ALICE)
    assert done.port is not None and done.port.muted == ""
    incident.run(0.1)
    assert incident.engine.matrix.keyed("dispatch")


MISTAKES: dict[str, tuple[Callable[[Incident], object], type[Exception], str]] = {
    "port nearly right": (
        lambda i: i.operations.port_ls(types.PortList(name="VTAC1"), ALICE),
        NotFound,
        'there is no port "VTAC1"; did you mean "VTAC11"',
    ),
    "port of another case": (
        lambda i: i.operations.port_ls(types.PortList(name="Dispatch"), ALICE),
        NotFound,
        'did you mean "dispatch"',
    ),
    "port of nowhere": (
        lambda i: i.operations.port_ls(types.PortList(name="zzz"), ALICE),
        NotFound,
        'there are "VTAC11", "UTAC41", "dispatch", "truck", "printer"',
    ),
    "patch nearly right": (
        lambda i: i.operations.patch_drop(types.PatchDrop(patch="comand", port="VTAC11"), ALICE),
        NotFound,
        'did you mean "command"',
    ),
    "another site": (
        lambda i: i.operations.port_ls(types.PortList(name="hospital/VTAC11"), ALICE),
        NotFound,
        'this bridge is "command-post"',
    ),
    "patch that is there": (
        lambda i: i.operations.patch_make(types.PatchMake(name="command", ports=("UTAC41", "truck")), ALICE),
        Refused,
        'there is a patch "command" already',
    ),
    "patch of one": (
        lambda i: i.operations.patch_make(types.PatchMake(name="x", ports=("truck",)), ALICE),
        Refused,
        "joins at least two ports",
    ),
    "patch with itself": (
        lambda i: i.operations.patch_make(types.PatchMake(name="x", ports=("truck", "truck")), ALICE),
        Refused,
        "named twice",
    ),
    "patch with a name no file can have": (
        lambda i: i.operations.patch_make(types.PatchMake(name="a:b", ports=("truck", "UTAC41")), ALICE),
        Refused,
        "file names cannot have",
    ),
    "twice the same way": (
        lambda i: i.operations.patch_make(types.PatchMake(name="x", ports=("VTAC11", "dispatch")), ALICE),
        Refused,
        "would hear it twice",
    ),
    "member already": (
        lambda i: i.operations.patch_add(types.PatchAdd(patch="command", port="VTAC11"), ALICE),
        Refused,
        "a member already",
    ),
    "member of nothing": (
        lambda i: i.operations.patch_add(
            types.PatchAdd(patch="command", port="truck", talks=False, hears=False), ALICE
        ),
        Refused,
        "neither talk nor hear",
    ),
    "no member": (
        lambda i: i.operations.patch_mute(types.PatchMute(patch="command", port="truck"), ALICE),
        Refused,
        "members are VTAC11 and dispatch",
    ),
    "leg to itself": (
        lambda i: i.operations.patch_gain(
            types.PatchGain(patch="command", talker="VTAC11", listener="VTAC11", gain_db=0), ALICE
        ),
        Refused,
        "never hears itself",
    ),
    "key a receiver": (
        lambda i: i.operations.port_key(types.PortKey(port="VTAC11", confirm=True), ALICE),
        Refused,
        "no transmitter",
    ),
    "mute a receiver's transmitter": (
        lambda i: i.operations.port_mute(types.PortMute(port="VTAC11", direction="tx"), ALICE),
        Refused,
        "no transmitter",
    ),
    "delay to itself": (
        lambda i: i.operations.delay(types.DelayAsked(source="truck", target="truck"), ALICE),
        Refused,
        "never hears itself",
    ),
    "delay to a receiver": (
        lambda i: i.operations.delay(types.DelayAsked(source="truck", target="VTAC11"), ALICE),
        Refused,
        "transmits",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_in_plain_words_and_changes_nothing(incident: Incident, mistake: str) -> None:
    act, kind, words = MISTAKES[mistake]
    before = incident.engine.matrix.patches, incident.engine.matrix.muted
    with pytest.raises(kind) as caught:
        act(incident)
    assert words in str(caught.value)
    assert (incident.engine.matrix.patches, incident.engine.matrix.muted) == before
    changes = [e for e in incident.events if str(e["event"]).startswith(("patch.", "port."))]
    assert not changes


def test_a_refused_change_is_written_down_with_who_asked(incident: Incident) -> None:
    with pytest.raises(NotFound):
        incident.operations.patch_break(types.PatchBreak(name="comand", note="end of incident"), ALICE)
    (event,) = incident.told("control.refused")
    told: dict[str, Any] = dict(event)
    assert (told["verb"], told["who"], told["note"]) == ("patch break", "alice", "end of incident")
    assert "command" in told["reason"]


def test_status_shows_what_goes_on(incident: Incident) -> None:
    incident.say("VTAC11", 1.0)
    incident.run(0.2)
    status = incident.operations.status(types.Nothing(), ALICE)
    assert status.site == "command-post" and status.t_s == pytest.approx(0.2)
    ports = {port.name: port for port in status.ports}
    assert ports["VTAC11"].over == "VTAC11-0001" and ports["VTAC11"].patches == ["command"]
    assert ports["dispatch"].keyed and ports["dispatch"].keyed_by == ["command"]
    assert [p.holder for p in status.patches] == ["VTAC11"]


def test_the_ledger_of_a_path_adds_up_and_is_held_against_what_is_measured(incident: Incident) -> None:
    asked = types.DelayAsked(source="VTAC11", target="dispatch")
    quiet = incident.operations.delay(asked, ALICE)
    assert quiet.measured_ms is None
    assert quiet.declared_ms == pytest.approx(sum(stage.delay_ms for stage in quiet.stages))
    incident.say("VTAC11", 1.0)
    incident.run(0.5)
    talking = incident.operations.delay(asked, ALICE)
    # The loopback gives its sound 160 samples late and declares nothing.
    assert talking.measured_ms is not None
    assert 20.0 <= talking.measured_ms <= quiet.declared_ms + 20.0 + 20.0
    assert incident.operations.delay(types.DelayAsked(source="VTAC11", target="truck"), ALICE).launch_ms == 300.0
