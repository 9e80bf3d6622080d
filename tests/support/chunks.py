"""Feeding a stage in pieces, to show that the pieces do not matter."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from dsp.blocks import AudioBlock, IqBlock

Block = TypeVar("Block", AudioBlock, IqBlock)


def cut(block: Block, seed: int, longest: int = 700) -> Iterator[Block]:
    """The block in random pieces: many short ones, empty ones and single samples included; read-only."""
    rng = np.random.default_rng(seed)
    at = 0
    while at < len(block.samples):
        n = (0, 1, 2, int(rng.integers(1, longest)))[rng.integers(4)]
        part = block.samples[at : at + n].copy()
        part.flags.writeable = False
        yield type(block)(part, block.rate, block.index + at)
        at += len(part)


def together(parts: Sequence[IqBlock]) -> IqBlock:
    """Joined blocks; they must follow each other without gap or overlap."""
    for before, after in itertools.pairwise(parts):
        assert after.index == before.end
    return IqBlock(np.concatenate([p.samples for p in parts]), parts[0].rate, parts[0].index)
