"""Signalling below the speech, CTCSS tones and DCS codes, and in it, DTMF digits."""
