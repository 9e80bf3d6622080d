"""The bridge under one clock: receivers, channels, ports and patches, a tick at a time.

What replay and daemon share. Samples are fed to the receivers from outside; `tick(now)` lets the bridge act on
everything that is known by `now`, moves 20 ms of speech through the matrix and tells the listeners.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hw.base import SourceInfo
from sdrbridge.bank import Found
from sdrbridge.channel import Channel, Sink
from sdrbridge.config import ChannelConfig, Site, TunerConfig
from sdrbridge.digits import with_digits
from sdrbridge.discriminator import DiscriminatorReceiver
from sdrbridge.handling import Handling
from sdrbridge.matrix import Matrix
from sdrbridge.p25bank import P25Bank
from sdrbridge.p25channel import FrameSink, P25Channel
from sdrbridge.patch import Patch
from sdrbridge.port import Port, RxPort, TxPort
from sdrbridge.receiveport import ReceivePort
from sdrbridge.receiver import Receiver, Tuned
from sdrbridge.transmission import Transmission


@dataclass(slots=True)
class TunerLine:
    """One tuner of the bridge: its settings, its receiver, and the channels in it."""

    config: TunerConfig
    info: SourceInfo
    receiver: Receiver | DiscriminatorReceiver
    ports: list[ReceivePort]

    def advance(self, now: int) -> None:
        """Let the channels act on what is known by `now`, and the banks release the speech of those that are open."""
        for port in self.ports:
            port.decide(now)
        for bank in self.receiver.banks:
            bank.advance(now)

    def deliver(self, found: Sequence[Found]) -> None:
        """Hand the detectors' signals to the channels."""
        for item in found:
            self.ports[item.channel].rules.put(item.signal)


@dataclass(frozen=True, slots=True)
class LineCommon:
    """What all tuners have in common.

    extra_ctcss_hz: tones to look for. vocoder: of digital channels. sink: told of every decision, with its time and
    reason. on_over: told of each over when it begins. frames: told of each protocol unit, None where nobody wants to.
    """

    extra_ctcss_hz: Sequence[float]
    vocoder: str
    sink: Sink
    on_over: Callable[[Transmission], None]
    frames: FrameSink | None = None


class Bridge:
    """All that a site file describes, except where samples come from and who listens.

    infos: what each tuner's source says of itself. transmit: the ports that are no channels, by name. sink: told of
    every decision, with its time and reason. on_over: told of each over when it begins. frames: told of each protocol
    unit of digital channels.
    """

    def __init__(
        self,
        site: Site,
        infos: Mapping[str, SourceInfo],
        transmit: Mapping[str, TxPort],
        sink: Sink,
        on_over: Callable[[Transmission], None],
        frames: FrameSink | None = None,
    ) -> None:
        self.site = site
        common = LineCommon(site.extra_ctcss_hz, site.vocoder, sink, on_over, frames)
        self.tuners = [
            make_line(tuner, site.channels_of(tuner.name), infos[tuner.name], common) for tuner in site.tuners
        ]
        by_name = {port.name: port for line in self.tuners for port in line.ports}
        self.receive = [by_name[channel.name] for channel in site.channels]
        ports = make_ports(site, by_name, {name: (None, tx) for name, tx in transmit.items()})
        self._transmit = tuple(transmit)
        self.matrix = Matrix(ports, [Patch.from_config(patch) for patch in site.patches], sink)
        self._banks = [bank for line in self.tuners for bank in line.receiver.banks]

    def tick(self, now: int) -> None:
        """Act on what is known by `now` (samples of 8 kHz) and play the tick that begins there."""
        for port in self.receive:
            port.decide(now)
        for bank in self._banks:
            bank.advance(now)
        self.matrix.tick(now)

    @property
    def busy(self) -> bool:
        """Whether somebody is still heard, a transmitter is keyed, or something received has not been told."""
        return any(port.over or port.rules.waiting for port in self.receive) or any(
            self.matrix.keyed(name) for name in self._transmit
        )


def make_line(tuner: TunerConfig, channels: Sequence[ChannelConfig], info: SourceInfo, common: LineCommon) -> TunerLine:
    """A tuner with its receiver and its channels. info: what its source says of itself."""
    receiver: Receiver | DiscriminatorReceiver
    tones, vocoder = common.extra_ctcss_hz, common.vocoder
    if info.kind == "discriminator":
        preset = channels[0].preset
        receiver = DiscriminatorReceiver(tuner.name, info.rate, preset, tuner.full_scale_hz, tones, vocoder)
    else:
        tuned = [Tuned(c.preset, float(c.offset_from(info.center_hz)), c.squelch.snr_db, c.name) for c in channels]
        receiver = Receiver(info.rate, tuned, tones, vocoder)
    ports = []
    for position, channel in enumerate(channels):
        bank, row = receiver.place(position)
        rules: Channel | P25Channel = Channel(channel, common.sink)
        if isinstance(bank, P25Bank):
            rules = P25Channel(channel, common.sink, bank.lines[row], common.frames)
        ports.append(ReceivePort(rules, bank.speech[row], _frequency(channel, info), common.on_over))
    return TunerLine(tuner, info, receiver, ports)


def make_ports(
    site: Site, channels: Mapping[str, RxPort], ends: Mapping[str, tuple[RxPort | None, TxPort | None]]
) -> list[Port]:
    """The ports of a site with what its file says of each, channels first.

    channels: where each channel comes in. ends: the receive and transmit sides of the ports that are no channels.
    """
    ports = [
        Port(c.name, _heard(channels[c.name], c.handling), priority=c.priority, handling=c.handling)
        for c in site.channels
    ]
    for config in site.ports:
        rx, tx = ends[config.name]
        half = config.half_duplex
        heard = None if rx is None else _heard(rx, config.handling)
        ports.append(Port(config.name, heard, tx, config.priority, config.access_ms, half, config.handling))
    return ports


def _heard(rx: RxPort, handling: Handling) -> RxPort:
    return rx if handling.dtmf is None else with_digits(rx, muted=handling.dtmf == "mute")


def _frequency(channel: ChannelConfig, info: SourceInfo) -> int | None:
    if info.kind != "iq" or info.center_hz is None:
        return channel.freq_hz
    return info.center_hz + channel.offset_from(info.center_hz)
