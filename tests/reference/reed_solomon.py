"""GF(2⁶) and the Reed-Solomon codes by the definition: a code word is a multiple of the generator polynomial."""

from collections.abc import Callable
from typing import Any

HardDecoder = Callable[[list[int], list[int]], tuple[Any, int] | None]


def multiply(a: int, b: int) -> int:
    """Product of two field elements: polynomials over GF(2) modulo x⁶ + x + 1."""
    product = 0
    for bit in range(6):
        if b >> bit & 1:
            product ^= a << bit
    for power in range(10, 5, -1):
        if product >> power & 1:
            product ^= 0x43 << (power - 6)
    return product


def encode(data: list[int], generator: list[int]) -> list[int]:
    """Data and the remainder of data · x^parity; generator lowest power first, monic."""
    parity = len(generator) - 1
    rest = data + [0] * parity
    for i in range(len(data)):
        factor = rest[i]
        for j in range(parity + 1):
            rest[i + j] ^= multiply(factor, generator[parity - j])
    return data + rest[len(data) :]


def soft(agreement: list[list[float]], decode_hard: HardDecoder, parity: int) -> float:
    """Agreement of the best word found by erasing the least certain symbols one by one."""
    ranked = [sorted(row)[-1:-3:-1] for row in agreement]
    margins = [first - second for first, second in ranked]
    best = [row.index(max(row)) for row in agreement]
    order = sorted(range(len(best)), key=lambda i: margins[i])
    found = []
    for erasures in range(parity + 1):
        result = decode_hard(best, order[:erasures])
        if result is not None:
            found.append(sum(row[symbol] for row, symbol in zip(agreement, result[0])))
    return float(max(found))
