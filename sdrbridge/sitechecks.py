"""What has to hold between the tables of a site file, before any device opens.

names: each its own · claims: what of the machine only one may have · loops of patches · channels within their bands
"""

from collections.abc import Iterator

from hw.errors import DeviceError
from sdrbridge import vocoders
from sdrbridge.config import ChannelConfig, Probe, Site
from sdrbridge.errors import ConfigError
from sdrbridge.graph import find_loop
from sdrbridge.ports.kinds import KINDS
from sdrbridge.units import format_frequency


def problems(site: Site, probe: Probe | None) -> list[str]:
    """Everything that is wrong, a line each. probe: asks a tuner's source for rate and centre; None asks nobody."""
    found = [*_names(site), *_claims(site), *_loops(site), *_bands(site, probe)]
    return [f"{site.path}: {line}" for line in found]


def _names(site: Site) -> Iterator[str]:
    for what, names in (
        ("[[tuner]]", [t.name for t in site.tuners]),
        ("[[patch]]", [p.name for p in site.patches]),
        ("[[channel]] or [[port]]", [c.name for c in site.channels] + [p.name for p in site.ports]),
    ):
        seen: dict[str, str] = {}
        for name in names:
            # Names become file names, and some file systems do not tell "Fire" from "fire".
            other = seen.setdefault(name.casefold(), name)
            if other != name:
                yield f'{what} "{name}": differs from "{other}" by capitals only; give it another name'
        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                yield f'{what} "{name}": the name is used {names.count(name)} times; each needs its own'


def _claims(site: Site) -> Iterator[str]:
    owners: dict[str, str] = {}
    for channel in site.channels:
        if channel.preset.kind == "p25":
            name = f'channel "{channel.name}"'
            for claim in vocoders.claims(site.vocoder):
                owner = owners.setdefault(claim, name)
                if owner != name:
                    yield (
                        f'[[channel]] "{channel.name}": needs {claim}, which {owner} has; it speaks for one. '
                        f'vocoder = "{vocoders.OWN_VOCODER}" in [bridge] speaks for any number'
                    )
    for port in site.ports:
        name = f'port "{port.name}"'
        for claim in KINDS[port.kind].claims(port.settings):
            owner = owners.setdefault(claim, name)
            if owner != name:
                yield f'[[port]] "{port.name}": needs {claim}, which {owner} has; each needs its own'


def _loops(site: Site) -> Iterator[str]:
    loop = find_loop({p.name: (p.ports, p.monitors) for p in site.patches})
    if loop is not None:
        yield f"[[patch]] {loop}"


def _bands(site: Site, probe: Probe | None) -> Iterator[str]:
    for tuner in site.tuners:
        rate, center = tuner.rate, tuner.center_hz
        if probe is not None:
            try:
                facts = probe(tuner)
            except DeviceError as problem:
                yield f'[[tuner]] "{tuner.name}": {problem}'
                continue
            rate, center = facts.rate, facts.center_hz if tuner.center_hz is None else tuner.center_hz
        channels = site.channels_of(tuner.name)
        if tuner.kind == "discriminator":
            if len(channels) > 1:
                names = ", ".join(f'"{c.name}"' for c in channels)
                yield f'[[tuner]] "{tuner.name}": discriminator audio holds one channel, not {names}'
            continue
        for channel in channels:
            if channel.freq_hz is not None and center is None and probe is None:
                continue
            try:
                offset = channel.offset_from(center)
            except ConfigError as problem:
                yield from (f"[[{p.replace(' ', ']] ', 1)}" for p in problem.problems)
                continue
            if rate is not None:
                yield from _band(channel, offset, rate, center)


def _band(channel: ChannelConfig, offset: int, rate: int, center: int | None) -> Iterator[str]:
    preset = channel.preset
    reach = (rate - preset.filter_hz) / 2
    if abs(offset + preset.offset_hz) <= reach:
        return
    low, high = round(-reach - preset.offset_hz), round(reach - preset.offset_hz)
    key, value, base = ("offset", offset, 0) if channel.freq_hz is None else ("freq", channel.freq_hz, center or 0)
    if reach < 0:
        limit = f"needs {format_frequency(channel.bandwidth_hz)} of band; tuner has {format_frequency(rate)}"
    else:
        limit = (
            f'lies outside tuner "{channel.tuner}", which hears {format_frequency(base + low)} to '
            f"{format_frequency(base + high)} at {format_frequency(channel.bandwidth_hz)} of bandwidth"
        )
    yield f'[[channel]] "{channel.name}": {key} = "{format_frequency(value)}": {limit}'
