"""The optional blip25 package behind the common face: what we say without it, how it is driven, and the real one."""

import importlib.util
import logging
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from dsp.vocoder import Vocoder
from dsp.vocoder.imbe import ImbeDecoder, ImbeVocoder, channel
from hw import blip25
from hw.errors import DeviceLost, DeviceNotFound


class PanicException(BaseException):
    """As the package raises it."""


class FakeVocoder:
    """Has the methods of the package, belongs to one thread, and panics in any other."""

    def __init__(self, rate: str) -> None:
        self.rate = rate
        self.thread = threading.get_ident()
        self.inner = ImbeVocoder()
        self.erasure_frame = bytes(18)

    def _check(self) -> None:
        if threading.get_ident() != self.thread:
            raise PanicException("unsendable")

    def encode_pcm(self, pcm: np.ndarray) -> bytes:
        self._check()
        assert pcm.dtype == np.int16 and pcm.shape == (160,)
        return self.inner.encode(pcm.astype(np.float32) / np.float32(32768)).tobytes()

    def flush_encode(self) -> list[bytes]:
        self._check()
        return [frame.tobytes() for frame in self.inner.flush()]

    def decode_bits(self, frame: bytes) -> np.ndarray:
        self._check()
        assert len(frame) == 18
        if frame == b"\xff" * 18:
            raise PanicException("inside")
        samples = self.inner.decode_hard(np.unpackbits(np.frombuffer(frame, np.uint8)))
        return np.asarray(samples * 32767, np.int16)

    def decode_soft(self, llrs: np.ndarray) -> np.ndarray:
        self._check()
        assert llrs.dtype == np.int8 and llrs.shape == (144,)
        return np.asarray(self.inner.decode_soft(llrs) * 32767, np.int16)

    def last_decode_errors(self) -> tuple[int, int]:
        self._check()
        return (0, self.inner.status.errors)

    def last_disposition(self) -> SimpleNamespace:
        self._check()
        return SimpleNamespace(concealed=self.inner.status.repeated)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        Vocoder=FakeVocoder, Rate=SimpleNamespace(FULL_RATE_4400X4400="4400", FULL_RATE_7200X4400="7200")
    )
    monkeypatch.setitem(sys.modules, "blip25_vocoder", fake)


def test_without_the_package_the_message_names_it_and_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blip25_vocoder", None)
    with pytest.raises(DeviceNotFound, match=r'blip25-vocoder is not installed.*vocoder = "imbe"'):
        blip25.open_vocoder()


@pytest.mark.usefixtures("package")
def test_the_notice_is_shown_once_when_it_is_chosen(caplog: pytest.LogCaptureFixture) -> None:
    blip25.show_notice.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            blip25.open_vocoder().close()
    (notice,) = caplog.messages
    assert "US8359197" in notice and "reverse-engineered" in notice


@pytest.mark.usefixtures("package")
def test_any_thread_may_ask() -> None:
    vocoder: Vocoder = blip25.open_vocoder()
    own = ImbeVocoder()
    speech = np.random.default_rng(1).normal(0, 0.1, 160).astype(np.float32)
    bits = vocoder.encode(speech)
    found = []
    other = threading.Thread(target=lambda: found.append(vocoder.decode(bits)))
    other.start()
    other.join(10)
    np.testing.assert_allclose(found[0], own.decode(bits), atol=1e-3)
    llr = np.where(channel.protect(bits) == 1, 0.02, -0.02)
    llr[5] = -llr[5]
    vocoder.decode_soft(llr)
    assert vocoder.status.errors == 1
    vocoder.decode_soft(np.full(144, np.nan))
    assert vocoder.status.erased
    assert len(vocoder.flush()) == len(ImbeVocoder().flush())


@pytest.mark.usefixtures("package")
def test_a_panic_of_the_package_is_a_device_error() -> None:
    vocoder = blip25.open_vocoder()
    with pytest.raises(DeviceLost, match="inside"):
        vocoder.decode_hard(np.ones(144, np.uint8))


@pytest.mark.skipif(importlib.util.find_spec("blip25_vocoder") is None, reason="blip25-vocoder is not installed")
def test_the_real_package_understands_us_and_we_it() -> None:
    vocoder, own = blip25.open_vocoder(), ImbeVocoder()
    speech = soundfile.read(Path(__file__).parent.parent / "data" / "speech_male.8000.flac", dtype="float32")[0]
    frames = speech[: len(speech) // 160 * 160].reshape(-1, 160)
    decoder = ImbeDecoder()
    theirs = np.concatenate([decoder.decode(vocoder.encode(f)) for f in frames])
    ours = np.concatenate([vocoder.decode(own.encode(f)) for f in frames])
    for heard in (theirs, ours):
        assert max(_alike(speech, heard, lag) for lag in range(8)) > 0.8
    vocoder.close()


def _alike(sent: np.ndarray, heard: np.ndarray, lag: int) -> float:
    """Correlation of the loudness of 10 ms steps, in dB, `lag` steps apart."""
    n = min(len(sent), len(heard)) // 80 * 80
    a, b = (10 * np.log10(np.mean(x[:n].reshape(-1, 80) ** 2, axis=1) + 1e-6) for x in (sent, heard))
    return float(np.corrcoef(a[: len(a) - lag], b[lag:])[0, 1])
