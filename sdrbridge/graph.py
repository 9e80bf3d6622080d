"""Who hears whom through which patch, and whether speech could come around.

A port that is in two patches does not carry speech from one to the other: what is sent to its transmitter does not
come out of its receiver. Two things do make a loop, and both are refused:

    two patches from A to B       B would hear A twice, and never in step
    a cable from B's output to A's input, where A reaches B through patches and cables: speech goes around for ever
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

Members = tuple[Collection[str], Collection[str]]
"""The members of a patch: those who talk and hear, and those who only hear."""


@dataclass(frozen=True, slots=True)
class Cable:
    """Audio sent to port `source` enters the bridge again at port `target`."""

    source: str
    target: str


def find_loop(patches: Mapping[str, Members], cables: Sequence[Cable] = ()) -> str | None:
    """Why these patches cannot stand together, naming ports and patches; None if they can."""
    through: dict[tuple[str, str], str] = {}
    for name, (talkers, monitors) in patches.items():
        for a in talkers:
            for b in [*talkers, *monitors]:
                if a == b:
                    continue
                other = through.setdefault((a, b), name)
                if other != name:
                    return (
                        f'"{name}" and "{other}" both carry "{a}" to "{b}", which would hear it twice; '
                        f"take one of them out of one patch"
                    )
    hears: dict[str, set[str]] = {}
    for a, b in through:
        hears.setdefault(a, set()).add(b)
    for cable in cables:
        # From an input to the outputs that hear it, and by cable to the next inputs.
        said, reached = {cable.target}, set[str]()
        todo = [cable.target]
        while todo:
            outputs = hears.get(todo.pop(), set())
            reached |= outputs
            onward = {c.target for c in cables if c.source in outputs} - said
            said |= onward
            todo += sorted(onward)
        if cable.source in reached:
            return (
                f'a loop: what "{cable.target}" says reaches "{cable.source}", whose output is wired '
                f'back to "{cable.target}"'
            )
    return None
