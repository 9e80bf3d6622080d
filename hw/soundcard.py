"""Sound cards: blocks of 10 ms in or out, by a callback, through PortAudio.

    open_input(name, rate, take)   take(samples) is called by PortAudio's thread with (n,) float32, mono
    open_output(name, rate, give)  give(n) is called likewise and returns (n,) float32

A card is named as `sdrbridge devices` shows it; capitals do not count and a part that only one card has will do.
PortAudio looks for cards only when it is started, so each stream has a PortAudio of its own: a card that was pulled out
and put back is found again. What ALSA and JACK write to standard error on the way is thrown away.
"""

import contextlib
import ctypes
import importlib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hw.devices import PYAUDIO_REMEDY, SoundCard, silenced_stderr
from hw.errors import DeviceBusy, DeviceError, DeviceNotFound, Unsupported

Audio = NDArray[np.float32]
Take = Callable[[Audio], None]
Give = Callable[[int], Audio]

RATES = (48_000, 44_100, 96_000, 32_000, 16_000, 8_000)
"""Tried in this order after the one that was asked for and the card's own."""

BLOCKS_A_SECOND = 100


class SoundStream(Protocol):
    """One direction of one card, running."""

    rate: int
    card: str

    @property
    def latency_s(self) -> float:
        """What lies between the callback and the plug, as the driver says."""
        ...

    @property
    def alive(self) -> bool:
        """Whether PortAudio still runs it."""
        ...

    @property
    def faults(self) -> int:
        """Blocks that came too late on PortAudio's side (over- and underflows)."""
        ...

    def close(self) -> None:
        """Stop and let the card go. May be called twice; never raises."""
        ...


class SoundBackend(Protocol):
    """What opens cards. Both raise `DeviceError`."""

    def open_input(self, name: str, rate: int | None, take: Take) -> SoundStream: ...
    def open_output(self, name: str, rate: int | None, give: Give) -> SoundStream: ...


def find_card(name: str, cards: Sequence[SoundCard], output: bool) -> SoundCard:
    """The card that is meant. Raises `DeviceNotFound` with the nearest names, or those between which it cannot tell."""
    what = "output" if output else "input"
    fit = [card for card in cards if (card.outputs if output else card.inputs) > 0]
    wanted = name.casefold()
    exact = [card for card in fit if card.name.casefold() == wanted]
    part = [card for card in fit if wanted in card.name.casefold()]
    for found in (exact, part):
        if len({card.name for card in found}) == 1:
            return found[0]
        if found:
            names = ", ".join(f'"{card.name}"' for card in found)
            raise DeviceNotFound(f'sound card "{name}" could be {names}; write more of the name')
    if any(wanted in card.name.casefold() for card in cards):
        raise DeviceNotFound(f'sound card "{name}" has no {what}; cards with one are: {_names(fit)}')
    close = get_close_matches(wanted, [card.name.casefold() for card in fit], 1, 0.4)
    meant = [card.name for card in fit if card.name.casefold() in close]
    hint = f'; did you mean "{meant[0]}"?' if meant else f"; cards with an {what} are: {_names(fit)}"
    raise DeviceNotFound(f'there is no sound card "{name}"{hint}')


def _names(cards: Sequence[SoundCard]) -> str:
    return ", ".join(dict.fromkeys(f'"{card.name}"' for card in cards)) or "none"


class PortAudio:
    """The cards of this machine. load: imports PyAudio by its name."""

    def __init__(self, load: Callable[[str], Any] = importlib.import_module) -> None:
        self._load = load

    def open_input(self, name: str, rate: int | None, take: Take) -> SoundStream:
        """Hear a card. Raises `DeviceNotFound`, `DeviceBusy`, `Unsupported` or `DeviceError`."""
        return _Stream(self._load, name, rate, take=take)

    def open_output(self, name: str, rate: int | None, give: Give) -> SoundStream:
        """Play to a card. Raises as `open_input`."""
        return _Stream(self._load, name, rate, give=give)


_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
_say_nothing = _HANDLER(lambda *_: None)


def _silence_alsa() -> None:
    """ALSA's own messages come for as long as a stream runs; give it a handler that drops them."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_say_nothing)


class _Stream:
    """One stream and the PortAudio it belongs to."""

    def __init__(
        self,
        load: Callable[[str], Any],
        name: str,
        rate: int | None,
        take: Take | None = None,
        give: Give | None = None,
    ) -> None:
        try:
            pyaudio = load("pyaudio")
        except Exception as problem:
            raise DeviceError(f"sound: PyAudio cannot be used ({problem}); {PYAUDIO_REMEDY}") from problem
        self._pyaudio: Any = pyaudio
        self._take, self._give = take, give
        self._faults = 0
        self._stream: Any = None
        _silence_alsa()
        with silenced_stderr():
            self._audio: Any = pyaudio.PyAudio()
            try:
                card = find_card(name, _cards(self._audio), output=give is not None)
                self.card = card.name
                self.rate = self._choose(card, rate)
                self._open(card)
            except BaseException:
                self._audio.terminate()
                raise

    def _choose(self, card: SoundCard, wanted: int | None) -> int:
        # PortAudio's own word for a channel count that is not its.
        side = "output" if self._give is not None else "input"
        for rate in dict.fromkeys([*([wanted] if wanted else [48_000]), card.rate, *RATES]):
            with contextlib.suppress(ValueError):
                if self._audio.is_format_supported(
                    rate,
                    **{
                        f"{side}_device": card.index,
                        f"{side}_channels": 1,
                        f"{side}_format": self._pyaudio.paFloat32,
                    },
                ):
                    return int(rate)
        listed = ", ".join(str(rate) for rate in RATES)
        raise Unsupported(f'sound card "{card.name}" takes one channel at none of {listed} samples per second')

    def _open(self, card: SoundCard) -> None:
        out = self._give is not None
        try:
            self._stream = self._audio.open(
                self.rate,
                1,
                self._pyaudio.paFloat32,
                input=not out,
                output=out,
                input_device_index=None if out else card.index,
                output_device_index=card.index if out else None,
                frames_per_buffer=self.rate // BLOCKS_A_SECOND,
                stream_callback=self._played if out else self._heard,
            )
        except OSError as problem:
            text = str(problem.args[0]) if problem.args else str(problem)
            if "unavailable" in text.lower() or "busy" in text.lower():
                raise DeviceBusy(f'sound card "{card.name}" is held by another program') from problem
            raise DeviceError(f'sound card "{card.name}" cannot be opened: {problem}') from problem

    @property
    def latency_s(self) -> float:
        stream = self._stream
        if stream is None:
            return 0.0
        return float(stream.get_output_latency() if self._give is not None else stream.get_input_latency())

    @property
    def alive(self) -> bool:
        try:
            return self._stream is not None and bool(self._stream.is_active())
        except OSError:
            return False

    @property
    def faults(self) -> int:
        return self._faults

    def close(self) -> None:
        stream, self._stream = self._stream, None
        audio, self._audio = self._audio, None
        if audio is None:
            return
        with silenced_stderr(), contextlib.suppress(Exception):
            if stream is not None:
                stream.close()
        with silenced_stderr(), contextlib.suppress(Exception):
            audio.terminate()

    def _heard(self, data: bytes, count: int, times: object, status: int) -> tuple[None, int]:
        self._faults += bool(status)
        assert self._take is not None
        self._take(np.frombuffer(data, np.float32))
        return None, self._pyaudio.paContinue

    def _played(self, data: None, count: int, times: object, status: int) -> tuple[bytes, int]:
        self._faults += bool(status)
        assert self._give is not None
        return self._give(count).tobytes(), self._pyaudio.paContinue


def _cards(audio: Any) -> list[SoundCard]:
    cards = []
    for i in range(audio.get_device_count()):
        info = audio.get_device_info_by_index(i)
        api = audio.get_host_api_info_by_index(info["hostApi"])["name"]
        inputs, outputs = int(info["maxInputChannels"]), int(info["maxOutputChannels"])
        cards.append(SoundCard(i, str(info["name"]), str(api), inputs, outputs, round(info["defaultSampleRate"])))
    return cards
