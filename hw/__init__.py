"""Radios, sound cards, files and clocks. Knows nothing of patches."""
