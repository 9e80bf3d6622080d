"""Vocoders: speech frames of a few dozen bits ↔ 20 ms of samples."""

from dsp.vocoder.base import FRAME_SAMPLES, Encoder, FrameStatus, Vocoder

__all__ = ["FRAME_SAMPLES", "Encoder", "FrameStatus", "Vocoder"]
