"""Vocoders: speech frames of a few dozen bits ↔ 20 ms of samples."""
