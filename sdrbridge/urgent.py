"""Threads that speech waits for go first."""

import contextlib
import os

SPEECH = 5
"""Priority of SCHED_RR, of the matrix thread and the receiver workers: before everything ordinary, behind what the
kernel and a sound server give themselves."""

GUARD = 10
"""Of the keyer guard, which has to act when one of those does not come to an end."""


def urgent(priority: int) -> None:
    """Ask for the calling thread to run as soon as it is due; threads and processes it starts stay ordinary.

    Where that is not allowed (systemd: LimitRTPRIO) it stays an ordinary one. The kernel leaves 5 % to ordinary threads
    whatever an urgent one does.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
