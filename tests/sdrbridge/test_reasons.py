"""Why keyed, why silent, why refused: the chain of decisions, the first cause first, and what holds now."""

from pathlib import Path

import pytest

from sdrbridge.control import types
from sdrbridge.plainwords import say
from sdrbridge.reasons import MOST_NAMES, RECENT, Reasons
from tests.support.control import ALICE, Incident


@pytest.fixture
def incident(tmp_path: Path) -> Incident:
    return Incident(tmp_path)


def ask(incident: Incident, question: types.Question, name: str) -> types.WhyAnswer:
    return incident.operations.why(types.WhyAsked(question=question, name=name), ALICE)


def test_why_keyed_leads_back_to_the_carrier(incident: Incident) -> None:
    incident.run(1.0)
    incident.hear_carrier("VTAC11", 156.7)
    incident.say("VTAC11", 2.0)
    incident.run(0.5)
    why = ask(incident, "keyed", "dispatch")
    assert why.now and why.answer == "dispatch is keyed: VTAC11 talks in command"
    assert [step.says for step in why.chain] == [
        "VTAC11: a carrier came up, 21 dB over the noise",
        "VTAC11: CTCSS 156.7 Hz was found",
        "command: VTAC11 got the floor: first to talk",
        "dispatch was keyed for command",
    ]
    assert [step.t_s for step in why.chain] == sorted(step.t_s for step in why.chain)
    assert why.chain[0].ago_s == pytest.approx(0.5)
    assert why.chain[0].at == "2026-01-01T00:00:01.000Z"


def test_why_keyed_after_it_is_over_still_tells(incident: Incident) -> None:
    assert "has not been" in ask(incident, "keyed", "dispatch").answer
    incident.say("VTAC11", 0.5)
    incident.run(3.0)
    why = ask(incident, "keyed", "dispatch")
    assert not why.now and "is not keyed; it was unkeyed after" in why.answer
    assert why.chain[-1].says.startswith("dispatch was unkeyed, after 1.")
    assert "only receives" in ask(incident, "keyed", "VTAC11").answer


def test_why_keyed_by_hand_names_the_hand(incident: Incident) -> None:
    request = types.PortKey(port="truck", seconds=2.0, confirm=True, note="antenna test")
    incident.operations.port_key(request, ALICE)
    incident.run(0.1)
    why = ask(incident, "keyed", "truck")
    assert why.answer == "truck is keyed by hand"
    assert why.chain[0].says == 'truck is to be keyed by hand for 2.0 s by alice: "antenna test"'


def test_why_refused_names_who_had_the_floor_and_what_became_of_it(incident: Incident) -> None:
    assert "nothing of dispatch has been refused" in ask(incident, "refused", "dispatch").answer
    incident.say("VTAC11", 1.0)
    incident.run(0.2)
    incident.say("dispatch", 3.0)
    incident.run(0.2)
    why = ask(incident, "refused", "dispatch")
    assert why.now and why.answer == 'command: dispatch was refused: "VTAC11" holds the floor'
    assert why.chain[0].says == "command: VTAC11 got the floor: first to talk"
    incident.run(1.5)
    later = ask(incident, "refused", "dispatch")
    assert not later.now and "got the floor, after" in later.answer
    assert ask(incident, "refused", "command").chain == later.chain


def test_why_silent_without_a_carrier_without_the_tone_and_without_a_patch(incident: Incident) -> None:
    assert "VTAC11 receives no carrier" in ask(incident, "silent", "VTAC11").answer
    incident.hear_carrier("VTAC11", 100.0)
    assert "with CTCSS 100.0 Hz, not with CTCSS 156.7 Hz" in ask(incident, "silent", "VTAC11").answer
    assert "truck is in no patch" in ask(incident, "silent", "truck").answer


def test_why_silent_when_cut_off_says_by_whom(incident: Incident) -> None:
    incident.operations.port_mute(types.PortMute(port="VTAC11", note="jammed"), ALICE)
    incident.say("VTAC11", 2.0)
    incident.run(0.2)
    why = ask(incident, "silent", "VTAC11")
    assert why.now and "what VTAC11 says is cut off in every patch" in why.answer
    assert 'VTAC11 was cut off everywhere by alice: "jammed"' in [step.says for step in why.chain]


def test_why_silent_of_a_transmitter(incident: Incident) -> None:
    assert "nobody talks in command" in ask(incident, "silent", "dispatch").answer
    incident.say("VTAC11", 1.0)
    incident.run(0.3)
    why = ask(incident, "silent", "dispatch")
    assert not why.now and "dispatch is sent what VTAC11 says in command" in why.answer
    incident.operations.patch_mute(types.PatchMute(patch="command", port="VTAC11", listener="dispatch"), ALICE)
    incident.run(0.1)
    assert "the leg from there to dispatch is muted" in ask(incident, "silent", "dispatch").answer


def test_why_silent_of_a_patch(incident: Incident) -> None:
    assert "VTAC11 is silent" in ask(incident, "silent", "command").answer
    incident.operations.patch_mute(types.PatchMute(patch="command", port="VTAC11"), ALICE)
    incident.say("VTAC11", 1.0)
    incident.run(0.3)
    assert "VTAC11 talks and is not heard: muted" in ask(incident, "silent", "command").answer


def test_memory_is_bounded() -> None:
    reasons = Reasons()
    for number in range(3 * RECENT):
        reasons({"t_s": float(number), "event": "carrier.open", "channel": "A", "snr_db": 1.0})
    assert len(reasons.recent("A")) == RECENT
    for number in range(MOST_NAMES + 10):
        reasons({"t_s": 0.0, "event": "patch.made", "patch": f"p{number}", "ports": []})
    assert not reasons.recent("A") and reasons.recent(f"p{MOST_NAMES + 9}")


def test_what_let_an_over_begin_is_known_however_much_was_said_since() -> None:
    reasons = Reasons()
    begun = [{"t_s": 1.0 + n, "event": name, "channel": "A"} for n, name in enumerate(["carrier.open", "tone.found"])]
    for event in [{"t_s": 0.5, "event": "over.open", "channel": "A"}, *begun]:
        reasons(event)
    for number in range(2 * RECENT):
        reasons({"t_s": 3.0 + number, "event": "floor.refused", "patch": "P", "port": "A", "over": f"A-{number}"})
    assert reasons.origin("A") == begun
    *cause, refused = reasons.chain("refused", "A")
    assert cause == begun and refused["over"] == f"A-{2 * RECENT - 1}"
    for number in range(MOST_NAMES):
        reasons({"t_s": 500.0, "event": "patch.made", "patch": f"p{number}", "ports": []})
    assert reasons.origin("A") == []
    for number in range(3 * RECENT):
        reasons({"t_s": 600.0 + number, "event": "over.open", "channel": "B"})
    assert len(reasons.origin("B")) == RECENT


def test_an_event_without_words_of_its_own_is_said_by_its_fields() -> None:
    assert say({"t_s": 1.0, "event": "worker.died", "tuner": "vhf", "code": -9}) == "worker: died (tuner vhf, code -9)"
    assert say({"event": "carrier.open", "channel": "A"}) == "carrier: open (channel A)"
