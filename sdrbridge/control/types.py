"""What is asked of the bridge and what it answers, with the bounds of every field.

The server decodes requests into these and refuses what does not fit; `sdrbridge.operations` takes and gives them; the
OpenAPI document is made from them. Docstrings are for whoever reads that document.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[
    str,
    Meta(
        min_length=1, max_length=160, description="Name of a port or patch, or of the site and it: command-post/VTAC11."
    ),
]
Note = Annotated[str, Meta(max_length=500, description="Why; written into the journal.")]
Seconds = Annotated[float, Meta(description="Bridge time: seconds since the bridge started.")]
Confirm = Annotated[bool, Meta(description="Do it although speech passes through; the bridge asks for it if needed.")]

LONGEST_KEY_S = 60.0
"""Seconds a transmitter may be keyed by hand: longer is a stuck key."""

Direction = Literal["both", "rx", "tx"]
ProblemKind = Literal[
    "bad_request", "not_found", "refused", "needs_confirmation", "bad_configuration", "too_large", "busy", "failed"
]
Question = Literal["keyed", "silent", "refused"]


class _Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Answer(Struct, frozen=True, kw_only=True, omit_defaults=False):
    pass


# Requests


class Nothing(_Request, frozen=True):
    """No details are needed."""


class PatchList(_Request, frozen=True):
    """Which patches to show; all of them if none is named."""

    name: Name | None = None


class PatchMake(_Request, frozen=True):
    """A new patch. Times as in the site file."""

    name: Name
    ports: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=256, description="Members that talk and hear.")]
    monitors: Annotated[tuple[Name, ...], Meta(max_length=256, description="Members that only hear.")] = ()
    hang_s: Annotated[float, Meta(ge=0, le=30)] = 0.5
    timeout_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0
    lockout_ms: Annotated[int, Meta(ge=0, le=5000)] = 0
    min_key_ms: Annotated[int, Meta(ge=0, le=5000)] = 0
    kerchunk_ms: Annotated[int, Meta(ge=0, le=5000)] = 0
    preempt: bool = True
    mix: bool = False
    note: Note = ""


class PatchBreak(_Request, frozen=True):
    """A patch to take away."""

    name: Name
    confirm: Confirm = False
    note: Note = ""


class PatchAdd(_Request, frozen=True):
    """A port to let into a patch."""

    patch: Name
    port: Name
    talks: bool = True
    hears: bool = True
    note: Note = ""


class PatchDrop(_Request, frozen=True):
    """A port to take out of a patch."""

    patch: Name
    port: Name
    note: Note = ""


class PatchMute(_Request, frozen=True):
    """A member to cut off, or to let through again; with `listener`, for that one only."""

    patch: Name
    port: Name
    listener: Name | None = None
    muted: bool = True
    note: Note = ""


class PatchGain(_Request, frozen=True):
    """The gain of one crosspoint."""

    patch: Name
    talker: Name
    listener: Name
    gain_db: Annotated[float, Meta(ge=-60, le=20)]
    note: Note = ""


class PortList(_Request, frozen=True):
    """Which ports to show; all of them if none is named."""

    name: Name | None = None


class PortKey(_Request, frozen=True):
    """A transmitter to key by hand. It carries silence, or what a patch sends it."""

    port: Name
    seconds: Annotated[float, Meta(ge=0.02, le=LONGEST_KEY_S)] = 5.0
    confirm: Confirm = False
    note: Note = ""


class PortUnkey(_Request, frozen=True):
    """A transmitter to take the hand off."""

    port: Name
    note: Note = ""


class PortMute(_Request, frozen=True):
    """A port to cut off from every patch, or to let through again."""

    port: Name
    direction: Direction = "both"
    muted: bool = True
    note: Note = ""


Gain = Annotated[float, Meta(ge=-60, le=20)]


class PortLevel(_Request, frozen=True):
    """How loud a port is, in every patch: what comes in, what goes out. What is not given stays."""

    port: Name
    rx_gain_db: Gain | None = None
    tx_gain_db: Gain | None = None
    note: Note = ""


class PortAlign(_Request, frozen=True):
    """A tone of 1 kHz to send, to set levels by; it puts the transmitter on the air. `stop`: end the one there is."""

    port: Name
    level_dbfs: Annotated[float, Meta(ge=-60, le=0)] = -20.0
    seconds: Annotated[float, Meta(ge=0.02, le=LONGEST_KEY_S)] = 10.0
    stop: bool = False
    confirm: Confirm = False
    note: Note = ""


class PortRestore(_Request, frozen=True):
    """A port to let through again that was cut off because our own speech came back there."""

    port: Name
    note: Note = ""


class WhyAsked(_Request, frozen=True):
    """Why a port or patch is, or was last, as it is."""

    question: Question
    name: Name


class DelayAsked(_Request, frozen=True):
    """A path through the bridge, from the air of one port to the transmitter of another."""

    source: Name
    target: Name


class EventsAsked(_Request, frozen=True):
    """How many of the last events to hear of."""

    last: Annotated[int, Meta(ge=0, le=1000)] = 100


# Answers


class MemberInfo(_Answer, frozen=True):
    """A port's part in a patch."""

    port: str
    talks: bool
    hears: bool
    muted: bool
    mixes: bool


class LegInfo(_Answer, frozen=True):
    """A crosspoint that is not as it comes."""

    talker: str
    listener: str
    gain_db: float
    muted: bool


class PatchInfo(_Answer, frozen=True):
    """A patch as it is. `holder` has the floor now; `heard` is everybody who is heard, more than one where it mixes."""

    name: str
    holder: str | None
    heard: list[str]
    members: list[MemberInfo]
    legs: list[LegInfo]
    hang_s: float
    timeout_s: float
    lockout_ms: int
    min_key_ms: int
    kerchunk_ms: int
    preempt: bool
    mix: bool


class PortInfo(_Answer, frozen=True):
    """A port as it is. `over` is what comes in now; `keyed` whether it is on the air, `keyed_by` for which patches.
    `loop`: why it is cut off where our own speech came back there."""

    name: str
    kind: str
    receives: bool
    transmits: bool
    priority: int
    access_ms: int
    state: str
    reason: str
    keyed: bool
    keyed_by: list[str]
    muted: Literal["", "both", "rx", "tx"]
    loop: str
    rx_gain_db: float
    tx_gain_db: float
    over: str | None
    level_dbfs: float | None
    snr_db: float | None
    patches: list[str]
    counters: dict[str, float]


class TunerInfo(_Answer, frozen=True):
    """A tuner as it is."""

    name: str
    state: str
    reason: str
    description: str
    rate: int
    center_hz: int | None
    lost: int
    clipped: int
    restarts: int


class StatusInfo(_Answer, frozen=True):
    """The whole bridge as it is. `degraded`: what is not as it should be, and why."""

    site: str
    version: str
    t_s: Seconds
    at: str
    ports: list[PortInfo]
    patches: list[PatchInfo]
    tuners: list[TunerInfo]
    degraded: dict[str, str]
    counters: dict[str, float]


class PatchListed(_Answer, frozen=True):
    """Patches."""

    patches: list[PatchInfo]


class PortListed(_Answer, frozen=True):
    """Ports."""

    ports: list[PortInfo]


class Loss(_Answer, frozen=True):
    """What a listener does not get of a talker, beside speech."""

    talker: str
    listener: str
    lost: list[str]


class Changed(_Answer, frozen=True):
    """What was done, in plain words, and how things stand from `in_force_s` on."""

    did: list[str]
    in_force_s: Seconds
    patch: PatchInfo | None = None
    port: PortInfo | None = None
    losses: list[Loss] = field(default_factory=list)


class Step(_Answer, frozen=True):
    """One link of a chain of decisions: when, and what."""

    t_s: Seconds
    at: str
    ago_s: float
    says: str


class WhyAnswer(_Answer, frozen=True):
    """A chain of decisions, the first cause first. `answer` is the whole of it in a sentence."""

    question: Question
    name: str
    answer: str
    now: bool
    chain: list[Step]


class DelayStage(_Answer, frozen=True):
    """One stage of a path and what it holds back."""

    stage: str
    delay_ms: float


class DelayAnswer(_Answer, frozen=True):
    """The ledger of a path, in steady speech; `launch_ms` is the transmitter's access time, once for each over and won
    back in pauses. `measured_ms`: age of what was sent in the last tick, null while nothing passes. `unknown`: in words
    which stages are missing.
    """

    source: str
    target: str
    stages: list[DelayStage]
    declared_ms: float
    launch_ms: float
    measured_ms: float | None
    unknown: str = ""


class Reloaded(_Answer, frozen=True):
    """What a reload of the site file changed."""

    did: list[str]


class EventsAnswer(_Answer, frozen=True):
    """The last events, oldest first. `missed`: events that were too many to pass on."""

    events: list[dict[str, Any]]
    missed: int


class Problem(_Answer, frozen=True):
    """Why something was not done (RFC 9457, application/problem+json).

    kind: what sort of problem. nearest: right names near a wrong one. problems: every problem of a site file.
    """

    title: str
    status: int
    detail: str
    kind: ProblemKind
    nearest: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
