"""IQ in a WAV file: two channels, left I and right Q, with what HDSDR, SDRuno, SDR# and others add.

The centre frequency and the time come from the `auxi` chunk, or from the file name where there is none. Where the two
disagree by more than the name rounds, the chunk is believed and a note says so. The rate is that of the header, but a
header that contradicts itself needs it stated: bytes a second that do not fit the rate, or a converter slower than the
recording (faster is ordinary: programs decimate).
"""

import contextlib
from dataclasses import replace

from dsp.convert import sample_type
from hw.base import SourceInfo
from hw.errors import SourceError, Unsupported
from hw.filename import read_name
from hw.iqfile import IqFile, check_rate, settle_center, whole_samples
from hw.riff import WavHeader, read_header
from hw.samplefile import Segment, open_regular
from hw.spec import SourceRequest


def open_wav(request: SourceRequest) -> IqFile:
    """Open a stereo WAV file as IQ. Raises `SourceError` or `Unsupported`; mono is pointed to `discriminator:`."""
    path = request.path
    with contextlib.closing(open_regular(path)) as file:
        header = read_header(file, str(path))
    if header.channels == 1:
        raise SourceError(
            f"{path} has one channel, so it is audio, not IQ; FM discriminator audio is opened as "
            f"discriminator:{request.address}"
        )
    if header.channels != 2:
        raise Unsupported(f"{path} has {header.channels} channels; IQ has two, left I and right Q")
    name = read_name(path.name)
    if name.audio:
        raise SourceError(f"{path}: its name says it is demodulated audio (_AF), not IQ; rename it if that is wrong")
    notes = list(header.notes)
    kind = sample_type(f"c{header.component}")
    if request.sample_type is not None and request.sample_type != kind.name:
        notes.append(f"format = {request.sample_type} is not needed: the header says {kind.name}")
    count = whole_samples(str(path), header.size, kind, notes)
    center, start = header.auxi and header.auxi.center_hz, (header.auxi and header.auxi.start) or name.start
    if not center:
        center = name.center_hz
    elif name.center_hz is not None and abs(name.center_hz - center) > name.resolution_hz:
        notes.append(
            f"the file name says centre {name.center_hz} Hz, the auxi chunk {center} Hz; the chunk is believed"
        )
    info = SourceInfo(
        description=path.name,
        kind="iq",
        rate=check_rate(str(path), wav_rate(request, header)),
        center_hz=settle_center(request.center_hz, center, notes),
        length=count,
        start=start,
        sample_type=kind.name,
        hardware=name.program,
    )
    return IqFile(path, replace(info, notes=tuple(notes)), kind, [Segment(header.offset, count, 0)])


def wav_rate(request: SourceRequest, header: WavHeader) -> int:
    """The header's rate, which a stated one must agree with. Raises `SourceError` where it is unclear."""
    rates = header.rates
    if header.auxi and 0 < header.auxi.converter_rate < rates[0]:
        rates = (*rates, header.auxi.converter_rate)
    said = " and ".join(map(str, rates))
    if request.rate is None and len(rates) > 1:
        raise SourceError(
            f'{request.path} contradicts itself: its header says rate {said}; state which: rate = "{rates[0]}"'
        )
    if request.rate not in (None, *rates):
        raise SourceError(
            f"{request.path} says rate {said}, and rate {request.rate} is stated; leave rate out, or correct it"
        )
    return rates[0] if request.rate is None else request.rate
