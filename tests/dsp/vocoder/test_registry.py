"""Vocoders by name: what there is, what is said of a wrong name, and what another package brings."""

from importlib.metadata import EntryPoint

import pytest

from dsp.errors import RangeError
from dsp.vocoder import registry
from dsp.vocoder.imbe import ImbeVocoder


def test_the_own_codec_and_none_are_always_there() -> None:
    names = registry.names()
    assert "imbe" in names and names[-1] == "none"
    assert isinstance(registry.open_vocoder("imbe"), ImbeVocoder)


def test_entry_points_of_this_package_are_found() -> None:
    if len(registry.names()) == 2:
        pytest.skip("the package is not installed, so nobody knows its entry points")
    assert {"dvsi", "blip25"} <= set(registry.names())


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("imb", 'vocoder "imb": is no vocoder that is installed.*did you mean "imbe"'),
        ("imbe:/dev/x", "takes nothing behind its name"),
        ("none", "no vocoder is wanted"),
    ],
)
def test_what_is_said_of_a_wrong_name(spec: str, said: str) -> None:
    with pytest.raises(RangeError, match=said):
        registry.open_vocoder(spec)


def test_another_package_brings_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", "dsp.vocoder.imbe:ImbeVocoder", registry.GROUP)

    def found(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "sdrbridge.vocoders"
        return [entry] if name in (None, "mine") else []

    monkeypatch.setattr(registry, "entry_points", found)
    assert registry.names() == ("imbe", "mine", "none")
    assert registry.problem("mine:/dev/ttyUSB0") is None
