"""What can be wrong with the bridge.

    SdrBridgeError (Exception)
    ├── ConfigError             a site file that cannot be used; holds every problem found, not only the first
    ├── ControlError            a control socket that cannot be served
    ├── DaemonUnreachable       no daemon answers on the control socket
    ├── EngineError             a running bridge that cannot take what was asked
    ├── JournalError            a journal that cannot be written or read
    ├── OperationError          a request to the bridge that was not carried out
    │   ├── NotFound            it names something that is not there; holds the nearest right names
    │   ├── Refused             it cannot be done, or not now
    │   └── NeedsConfirmation   it can be done, and somebody has to say that he means it
    ├── PatchError              a patch that cannot be made or changed
    ├── PortError               a port that cannot do what was asked
    └── ReplayError             a replay that could not be carried through

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


class ControlError(SdrBridgeError):
    """A control socket that cannot be served."""


class DaemonUnreachable(SdrBridgeError):
    """No daemon answers on the control socket."""

    exit_code = 3


class EngineError(SdrBridgeError):
    """A running bridge that cannot take what was asked."""


class JournalError(SdrBridgeError):
    """A journal that cannot be written or read."""


class OperationError(SdrBridgeError):
    """A request to the bridge that was not carried out."""


class NotFound(OperationError):
    """A request names something that is not there. nearest: right names near the wrong one, the nearest first."""

    def __init__(self, message: str, nearest: list[str]) -> None:
        super().__init__(message)
        self.nearest = nearest


class Refused(OperationError):
    """A request cannot be carried out, or not now; the message says why."""


class NeedsConfirmation(OperationError):
    """A request can be carried out once somebody says that he means it; the message says what would happen."""


class PatchError(SdrBridgeError):
    """A patch that cannot be made or changed."""


class PortError(SdrBridgeError):
    """A port that cannot do what was asked."""


class ReplayError(SdrBridgeError):
    """A replay that could not be carried through."""
