"""Modulators: speech in, keyed complex baseband out. `Modulator` in `base.py` says how each is used."""

from dsp.mod.am import AmModulator
from dsp.mod.base import Modulator, modulate
from dsp.mod.fm import FmModulator
from dsp.mod.ssb import SsbModulator
from dsp.mod.tones import Ctcss, Dcs, dcs_word
from dsp.mod.upconvert import Upconverter

__all__ = [
    "AmModulator",
    "Ctcss",
    "Dcs",
    "FmModulator",
    "Modulator",
    "SsbModulator",
    "Upconverter",
    "dcs_word",
    "modulate",
]
