"""`file:` — an IQ recording, told apart by its suffix, or by its first bytes where the suffix says nothing."""

import contextlib

from hw.base import SourceInfo
from hw.iqfile import IqFile, open_raw
from hw.samplefile import open_regular
from hw.sigmf import open_archive, open_sigmf
from hw.spec import SourceRequest
from hw.wavfile import open_wav

SIGMF_SUFFIXES = (".sigmf-meta", ".sigmf-data")


def open_source(request: SourceRequest) -> IqFile:
    """Open an IQ recording. Raises `DeviceNotFound`, `SourceError` or `Unsupported`."""
    request.only()
    suffix = request.path.suffix.lower()
    if suffix in SIGMF_SUFFIXES:
        return open_sigmf(request)
    if suffix == ".sigmf":
        return open_archive(request)
    with contextlib.closing(open_regular(request.path)) as file:
        head = file.read(12)
    if suffix in (".wav", ".wave", ".rf64", ".bw64") or (
        head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE"
    ):
        return open_wav(request)
    return open_raw(request)


def probe(request: SourceRequest) -> SourceInfo:
    """What is known of the recording, from its header alone."""
    with contextlib.closing(open_source(request)) as source:
        return source.info
