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
from sdrbridge.discriminator import DiscriminatorReceiver
from sdrbridge.matrix import Matrix
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


class Bridge:
    """All that a site file describes, except where samples come from and who listens.

    infos: what each tuner's source says of itself. transmit: the ports that are no channels, by name. sink: told of
    every decision, with its time and reason. on_over: told of each over when it begins.
    """

    def __init__(
        self,
        site: Site,
        infos: Mapping[str, SourceInfo],
        transmit: Mapping[str, TxPort],
        sink: Sink,
        on_over: Callable[[Transmission], None],
    ) -> None:
        self.site = site
        self.tuners = [
            make_line(tuner, site.channels_of(tuner.name), infos[tuner.name], site.extra_ctcss_hz, sink, on_over)
            for tuner in site.tuners
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
        """Whether somebody is still heard or a transmitter is keyed."""
        return any(port.over for port in self.receive) or any(self.matrix.keyed(name) for name in self._transmit)


def make_line(
    tuner: TunerConfig,
    channels: Sequence[ChannelConfig],
    info: SourceInfo,
    extra_ctcss_hz: Sequence[float],
    sink: Sink,
    on_over: Callable[[Transmission], None],
) -> TunerLine:
    """A tuner with its receiver and its channels. Arguments are as those of `Bridge`."""
    receiver: Receiver | DiscriminatorReceiver
    if info.kind == "discriminator":
        preset = channels[0].preset
        receiver = DiscriminatorReceiver(tuner.name, info.rate, preset, tuner.full_scale_hz, extra_ctcss_hz)
    else:
        tuned = [Tuned(c.preset, float(c.offset_from(info.center_hz)), c.squelch.snr_db) for c in channels]
        receiver = Receiver(info.rate, tuned, extra_ctcss_hz)
    ports = []
    for position, channel in enumerate(channels):
        bank, row = receiver.place(position)
        ports.append(ReceivePort(Channel(channel, sink), bank.speech[row], _frequency(channel, info), on_over))
    return TunerLine(tuner, info, receiver, ports)


def make_ports(
    site: Site, channels: Mapping[str, RxPort], ends: Mapping[str, tuple[RxPort | None, TxPort | None]]
) -> list[Port]:
    """The ports of a site with what its file says of each, channels first.

    channels: where each channel comes in. ends: the receive and transmit sides of the ports that are no channels.
    """
    ports = [Port(c.name, channels[c.name], priority=c.priority, handling=c.handling) for c in site.channels]
    for config in site.ports:
        rx, tx = ends[config.name]
        half = config.half_duplex
        ports.append(Port(config.name, rx, tx, config.priority, config.access_ms, half, config.handling))
    return ports


def _frequency(channel: ChannelConfig, info: SourceInfo) -> int | None:
    if info.kind != "iq" or info.center_hz is None:
        return channel.freq_hz
    return info.center_hz + channel.offset_from(info.center_hz)
