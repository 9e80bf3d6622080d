"""What can be wrong with the bridge.

    SdrBridgeError (Exception)
    ├── ConfigError     a site file that cannot be used; holds every problem found, not only the first
    ├── EngineError     a running bridge that cannot take what was asked
    ├── JournalError    a journal that cannot be written or read
    ├── PatchError      a patch that cannot be made or changed
    ├── PortError       a port that cannot do what was asked
    └── ReplayError     a replay that could not be carried through

`dsp.errors` and `hw.errors` know nothing of this tree; the bridge translates at the seam with `raise … from`.
"""


class SdrBridgeError(Exception):
    """Base of everything the bridge raises. `exit_code` is what the command line exits with."""

    exit_code = 1


class ConfigError(SdrBridgeError):
    """A site file that cannot be used.

    problems: one line each: where, what, limit, nearest right answer.
    """

    exit_code = 78

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class EngineError(SdrBridgeError):
    """A running bridge that cannot take what was asked."""


class JournalError(SdrBridgeError):
    """A journal that cannot be written or read."""


class PatchError(SdrBridgeError):
    """A patch that cannot be made or changed."""


class PortError(SdrBridgeError):
    """A port that cannot do what was asked."""


class ReplayError(SdrBridgeError):
    """A replay that could not be carried through."""
