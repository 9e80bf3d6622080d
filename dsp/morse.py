"""Morse code as keyed tones: ITU-R M.1677-1, 1.1 (signs) and 2 (spacing), speed by the word PARIS.

    dot 1 · dash 3 · between signs of a letter 1 · between letters 3 · between words 7      dot = 1.2 s / words a minute

The tone rises and falls in 5 ms, so that it does not click.
"""

from dsp.errors import RangeError

CODE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.", "H": "....", "I": "..",
    "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.", "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.",
    "S": "...", "T": "-", "U": "..-", "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
    "0": "-----", "1": ".----", "2": "..---", "3": "...--", "4": "....-", "5": ".....", "6": "-....", "7": "--...",
    "8": "---..", "9": "----.", "/": "-..-.", "-": "-....-", ".": ".-.-.-", ",": "--..--", "?": "..--..", "=": "-...-",
}  # fmt: skip
"""Letter → its dots and dashes."""


def marks(text: str) -> list[tuple[int, int]]:
    """When the tone is on, as (start, end) in dots. Raises `RangeError` for a letter without code."""
    found: list[tuple[int, int]] = []
    at = 0
    for word in text.upper().split():
        for letter in word:
            if letter not in CODE:
                raise RangeError(f"{letter!r} in {text!r} has no Morse code")
            for sign in CODE[letter]:
                length = 3 if sign == "-" else 1
                found.append((at, at + length))
                at += length + 1
            at += 2
        at += 4
    return found
