"""The full-rate IMBE vocoder of P25 Phase 1 (TIA-102.BABA-A, 7200 bit/s of which 4400 are speech)."""

from dsp.vocoder.imbe.decoder import ImbeDecoder
from dsp.vocoder.imbe.encoder import ImbeEncoder
from dsp.vocoder.imbe.vocoder import ImbeVocoder, open_vocoder

__all__ = ["ImbeDecoder", "ImbeEncoder", "ImbeVocoder", "open_vocoder"]
