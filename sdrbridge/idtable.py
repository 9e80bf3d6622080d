"""Identities of one system as another shows them: a table from who talks to the number that goes on the air.

    ids = { "EAST/1234" = 9001, "1234" = 9002, "COUNTY" = 9003, "VTAC11" = "same" }

Looked up in this order: the talker's port and number, his number, his port. "same" passes the number on as it is. What
the table does not name gets the port's own number: two systems may use the same number for different people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdrbridge.table import Table

SAME = "same"


@dataclass(frozen=True, slots=True)
class IdTable:
    """entries: who → number, or "same". own: the number for everybody else. most: the largest number there is."""

    own: int
    most: int
    entries: Mapping[str, int | str] = field(default_factory=dict)

    def of(self, port: str, number: int | None) -> int:
        """The number on the air of a talker of `port` whose own number is `number`, where he has one."""
        found: int | str | None = None
        for who in (port,) if number is None else (f"{port}/{number}", str(number), port):
            found = self.entries.get(who)
            if found is not None:
                break
        if found == SAME:
            found = number
        return found if isinstance(found, int) and found <= self.most else self.own


def read(t: Table, key: str, own: int, most: int) -> IdTable:
    """The table under `key`. own, most: see `IdTable`."""
    entries: dict[str, int | str] = {}
    for who, number in t.table(key).items():
        if number == SAME or (isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most):
            entries[who] = number
        else:
            t.problem(f'{key} "{who}"', number, f'must be a whole number from 0 to {most}, or "{SAME}"')
    return IdTable(own, most, entries)
