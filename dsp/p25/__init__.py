"""Project 25 Phase 1: the digital standard of public safety in North America (TIA-102.BAAA-B)."""
