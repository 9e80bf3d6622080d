"""Signalling below the speech: CTCSS tones and DCS codes."""
