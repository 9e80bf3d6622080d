"""P25 Phase 1, baseband or discriminator audio in, frames out: the modem of a bank and a framer a row.

    channel baseband 24, 48 kHz ─▶ P25Modem           ─┬─▶ Framer of each row ─▶ (row, Frame)
    discriminator audio         ─▶ DiscriminatorModem ─┘

The modem asks the framer's own reader about each network identifier, so what it trains its equaliser with is what the
framer would have read, and the NAC of the last unit is tried where the identifier alone does not suffice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.blocks import BasebandBlock, RowBlock
from dsp.errors import RangeError
from dsp.fec import soft
from dsp.p25 import nid
from dsp.p25.discriminator import DiscriminatorModem
from dsp.p25.frame import Frame
from dsp.p25.framer import Framer
from dsp.p25.modem import P25Modem, SymbolBlock, Verdict, judge_nid
from dsp.p25.symbols import dibits_of

KNOWN_NAC_ERRORS = 16
"""Wrong bits of 64 up to which an identifier is believed for the equaliser when its NAC is that of the unit before: one
of seven words remains to choose, 20 bits or more apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Received:
    """A frame of one row, with what the modem measured when it ended.

    frequency_hz, deviation_hz: as tracked. noise: mean squared error of the points, error vector magnitude squared.
    carrier: carrier-to-noise ratio in the channel, None where it cannot be told.
    """

    row: int
    frame: Frame
    frequency_hz: float
    deviation_hz: float
    noise: float
    carrier: float | None


class _Line:
    """The framer of one row, which knows the NAC that is there."""

    def __init__(self, rate: int, nac: int | None) -> None:
        # The sync correlator of either modem looks for one polarity, and the discriminator's turns its audio to it.
        self.framer = Framer(rate, nac=nac, upright=True)
        self._measured: tuple[float, float, float, float | None] = 0.0, 0.0, 0.0, None

    def judge(self, llr: NDArray[np.float32]) -> Verdict:
        verdict, nac = judge_nid(0, llr), self.framer.known_nac
        if verdict.accepted or nac is None:
            return verdict
        known = nid.decode(soft.levels(llr.reshape(-1)), nac)
        return Verdict(dibits_of(known.nid.encode()), known.errors, known.errors <= KNOWN_NAC_ERRORS)

    def take(self, block: SymbolBlock) -> list[Received]:
        frames = self.framer.process(block.llr, block.index)
        self._measured = block.frequency_hz, block.deviation_hz, block.noise, block.carrier
        return [Received(block.row, frame, *self._measured) for frame in frames]

    def finish(self, row: int) -> list[Received]:
        """The rest of a voice unit that is cut, all of it erasures."""
        return [Received(row, frame, *self._measured) for frame in self.framer.flush()]


class P25Receiver:
    """Bank of receivers of channel baseband.

    rows: channels. rate: 24000 or 48000. nacs: for each row the only NAC that is there, or None.
    """

    def __init__(self, rows: int, rate: int, nacs: Sequence[int | None] | None = None) -> None:
        if nacs is not None and len(nacs) != rows:
            raise RangeError(f"{len(nacs)} NACs for {rows} rows; one each, or None")
        self.rate = rate
        self._nacs: list[int | None] = [None] * rows if nacs is None else list(nacs)
        self._modem = P25Modem(rows, rate, self._judge)
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples between a symbol and the frame that ends with it, at most; the first 57 symbols of a burst
        wait for its network identifier."""
        return self._modem.delay

    def reset(self) -> None:
        """Back to the constructed state."""
        self._modem.reset()
        self._lines = [_Line(self.rate, nac) for nac in self._nacs]

    def set_row(self, row: int, nac: int | None = None) -> None:
        """Give a row to another channel, with a fresh start. The others go on."""
        self._nacs[row] = nac
        self._modem.reset_row(row)
        self._lines[row] = _Line(self.rate, nac)

    def process(self, block: BasebandBlock) -> list[Received]:
        """(rows, n) complex64 in; frames that are whole now. Raises as `P25Modem.process` does."""
        return self._frames(self._modem.process(block))

    def flush(self) -> list[Received]:
        """What is still inside; then as new."""
        out = self._frames(self._modem.flush())
        self.reset()
        return out

    def finish(self) -> list[Received]:
        """The end of the source: what is still inside, and voice units that it cut, completed with erasures."""
        out = self._frames(self._modem.flush())
        for row, line in enumerate(self._lines):
            out += line.finish(row)
        self.reset()
        return out

    def _frames(self, blocks: list[SymbolBlock]) -> list[Received]:
        return [received for block in blocks for received in self._lines[block.row].take(block)]

    def _judge(self, row: int, llr: NDArray[np.float32]) -> Verdict:
        return self._lines[row].judge(llr)


class DiscriminatorReceiver:
    """Receiver of one row of discriminator audio of either polarity.

    rate: 24000 or 48000. nac: the only one that is there, or None.
    """

    def __init__(self, rate: int, nac: int | None = None) -> None:
        self.rate = rate
        self._nac = nac
        self._modem = DiscriminatorModem(rate, self._judge)
        self.reset()

    @property
    def delay(self) -> int:
        """Input samples between a symbol and the frame that ends with it, at most."""
        return self._modem.delay

    def reset(self) -> None:
        """Back to the constructed state."""
        self._modem.reset()
        self._line = _Line(self.rate, self._nac)

    def process(self, block: RowBlock) -> list[Received]:
        """(1, n) float32 in; frames that are whole now. Raises as `DiscriminatorModem.process` does."""
        return self._frames(self._modem.process(block))

    def flush(self) -> list[Received]:
        """What is still inside."""
        return self._frames(self._modem.flush())

    def finish(self) -> list[Received]:
        """The end of the source: what is still inside, and a voice unit that it cut, completed with erasures."""
        out = self._frames(self._modem.flush()) + self._line.finish(0)
        self.reset()
        return out

    def _frames(self, blocks: list[SymbolBlock]) -> list[Received]:
        return [received for block in blocks for received in self._line.take(block)]

    def _judge(self, row: int, llr: NDArray[np.float32]) -> Verdict:
        return self._line.judge(llr)
