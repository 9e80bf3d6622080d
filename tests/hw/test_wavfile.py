"""WAV files: IQ with every header in use, discriminator audio, and headers that lie."""

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock, RowBlock
from hw.base import DiscriminatorSource, Source, SourceInfo
from hw.errors import SourceError, Unsupported
from hw.registry import open_source, probe
from tests.hw.recordings import CENTER, auxi, chunk, fmt, noise, wav

START = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)


def packed(values: NDArray[np.float32], bits: int, code: int) -> bytes:
    """Samples as WAV packs them."""
    if code == 3:
        return bytes(values.astype(np.float32 if bits == 32 else np.float64).tobytes())
    if bits == 8:
        return bytes(np.rint(values * 128 + 127.5).astype(np.uint8))
    integers = np.rint(values.astype(np.float64) * 2.0 ** (bits - 1)).astype("<i8")
    return b"".join(v.tobytes()[: bits // 8] for v in integers)


def heard(source: Source | DiscriminatorSource, n: int = 1000) -> NDArray[Any]:
    pieces = []
    end = 0
    while (block := source.read(n)) is not None:
        assert isinstance(block, IqBlock | RowBlock) and block.index == end
        end = block.end
        pieces.append(block.samples.copy())
    source.close()
    out: NDArray[Any] = np.concatenate(pieces, axis=-1)
    return out


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(("bits", "code"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
def test_iq_of_every_width(tmp_path: Path, bits: int, code: int, extensible: bool) -> None:
    samples = noise(2500)
    data = packed(samples.view(np.float32), bits, code)
    contents = wav(fmt(bits=bits, code=code, extensible=extensible), chunk(b"LIST", b"abc"), chunk(b"data", data))
    (tmp_path / "x.wav").write_bytes(contents)
    source = open_source("file:x.wav", base=tmp_path)
    assert (source.info.rate, source.info.length, source.info.notes) == (240000, 2500, ())
    # Half a step, on I and on Q; float32 has 24 bits.
    np.testing.assert_allclose(heard(source), samples, atol=2**0.5 * max(2.0**-bits, 2.0**-25))


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_sixty_four_bit_sizes(tmp_path: Path, form: bytes) -> None:
    samples = noise(500)
    data = packed(samples.view(np.float32), 32, 3)
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(data), 500, 0))
    chunks = (ds64, fmt(bits=32, code=3), chunk(b"data", data, 0xFFFFFFFF), chunk(b"LIST", b"tail"))
    (tmp_path / "x.rf64").write_bytes(wav(*chunks, form=form))
    source = open_source("file:x.rf64", base=tmp_path)
    assert source.info.length == 500 and source.info.notes == ()
    np.testing.assert_array_equal(heard(source), samples)


def test_over_four_gigabytes(tmp_path: Path) -> None:
    size = 5 << 30
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, size, 0, 0))
    with (tmp_path / "x.wav").open("wb") as f:
        f.write(wav(ds64, fmt(), chunk(b"data", b"", 0xFFFFFFFF), form=b"RF64"))
        f.truncate(f.tell() + size)
    assert probe("file:x.wav", base=tmp_path).length == size // 4


@pytest.mark.parametrize("place", ["before", "after"])
def test_auxi_gives_centre_and_time(tmp_path: Path, place: str) -> None:
    data = chunk(b"data", bytes(400))
    chunks = [fmt(), auxi(), data] if place == "before" else [fmt(), data, auxi()]
    (tmp_path / "x.wav").write_bytes(wav(*chunks))
    info = probe("file:x.wav", base=tmp_path)
    assert info == SourceInfo("x.wav", "iq", 240000, CENTER, 100, START, "ci16_le", None)


@pytest.mark.parametrize(
    ("name", "center", "start", "program"),
    [
        ("SDRSharp_20261123_120000Z_155752500Hz_IQ.wav", CENTER, datetime(2026, 11, 23, 12, tzinfo=UTC), "SDRSharp"),
        ("HDSDR_20200101_120000Z_14100kHz_RF.wav", 14_100_000, datetime(2020, 1, 1, 12, tzinfo=UTC), "HDSDR"),
        ("SDRuno_20200910_115546Z_40kHz.wav", 40_000, datetime(2020, 9, 10, 11, 55, 46, tzinfo=UTC), "SDRuno"),
        ("SDRconnect_IQ_20240101_120000_162550000HZ.wav", 162_550_000, None, "SDRconnect"),
        ("HDSDR_20201399_996060Z_14100kHz_RF.wav", 14_100_000, None, "HDSDR"),
        ("holiday.wav", None, None, None),
    ],
)
def test_names_of_other_programs(
    tmp_path: Path, name: str, center: int | None, start: datetime | None, program: str | None
) -> None:
    (tmp_path / name).write_bytes(wav(fmt(), chunk(b"data", bytes(400))))
    info = probe(f"file:{name}", base=tmp_path)
    assert (info.center_hz, info.start, info.hardware) == (center, start, program)


def test_the_auxi_chunk_is_believed_over_the_name(tmp_path: Path) -> None:
    near, far = "HDSDR_20261123_120000Z_155752kHz_RF.wav", "HDSDR_20261123_120000Z_14100kHz_RF.wav"
    for name in (near, far):
        (tmp_path / name).write_bytes(wav(fmt(), auxi(), chunk(b"data", bytes(400))))
    assert probe(f"file:{near}", base=tmp_path).notes == ()
    info = probe(f"file:{far}", base=tmp_path)
    assert info.center_hz == CENTER
    assert info.notes == (f"the file name says centre 14100000 Hz, the auxi chunk {CENTER} Hz; the chunk is believed",)


@pytest.mark.parametrize(("size", "note"), [(0, "how long"), (0xFFFFFFFF, "how long"), (10**6, "says 1000000 bytes")])
def test_a_length_that_lies_is_read_to_the_end(tmp_path: Path, size: int, note: str) -> None:
    (tmp_path / "x.wav").write_bytes(wav(fmt(), chunk(b"data", bytes(402), size)))
    info = probe("file:x.wav", base=tmp_path)
    assert info.length == 100
    assert note in info.notes[0] and "2 byte(s) at the end" in info.notes[1]


def lying(byte_rate: int = 960_000, converter_rate: int = 0) -> bytes:
    """A header of rate 240000 that says something else in another place."""
    head = bytearray(fmt())
    head[16:20] = struct.pack("<I", byte_rate)
    return wav(bytes(head), auxi(converter_rate=converter_rate), chunk(b"data", bytes(400)))


def test_a_header_that_contradicts_itself_needs_the_rate_stated(tmp_path: Path) -> None:
    (tmp_path / "bytes.wav").write_bytes(lying(byte_rate=192_000))
    (tmp_path / "auxi.wav").write_bytes(lying(converter_rate=48_000))
    (tmp_path / "decimated.wav").write_bytes(lying(converter_rate=80_000_000))
    (tmp_path / "unsaid.wav").write_bytes(lying(byte_rate=0))
    for name in ("bytes", "auxi"):
        with pytest.raises(SourceError, match="contradicts itself: its header says rate 240000 and 48000; state which"):
            probe(f"file:{name}.wav", base=tmp_path)
        assert probe(f"file:{name}.wav", base=tmp_path, rate=48000).rate == 48000
        with pytest.raises(SourceError, match="rate 96000 is stated"):
            probe(f"file:{name}.wav", base=tmp_path, rate=96000)
    assert probe("file:decimated.wav", base=tmp_path).rate == 240000
    assert probe("file:unsaid.wav", base=tmp_path).rate == 240000


DATA = chunk(b"data", bytes(400))


@pytest.mark.parametrize(
    ("contents", "error", "says"),
    [
        (b"", SourceError, "is empty"),
        (b"RIFF", SourceError, "does not begin with RIFF"),
        (b"RIFX" + bytes(40), Unsupported, "is RIFX"),
        (wav(), SourceError, "no fmt chunk found"),
        (wav(fmt()), SourceError, "no samples found"),
        (wav(DATA, fmt()), SourceError, "before any fmt chunk"),
        (wav(fmt(), chunk(b"data", b"")), SourceError, "is empty"),
        (wav(fmt())[:30], SourceError, "fmt chunk has 10 bytes"),
        (wav(chunk(b"fmt ", b"short"), DATA), SourceError, "fmt chunk has 5 bytes"),
        (wav(fmt(bits=8, code=7), DATA), Unsupported, "8-bit µ-law is not read; read are PCM of 8, 16, 24, 32 bits"),
        (wav(fmt(bits=12), DATA), Unsupported, "12-bit PCM is not read"),
        (wav(fmt(bits=16, code=77), DATA), Unsupported, "16-bit format 77"),
        (wav(fmt(channels=0), DATA), SourceError, "0 channels"),
        (wav(fmt(rate=0), DATA), SourceError, "rate 0"),
        (wav(fmt(rate=999), DATA), SourceError, "rate = 999 is outside 1000"),
        (wav(fmt(rate=4_000_000_000), DATA), SourceError, "is outside"),
        (wav(fmt(channels=1), DATA), SourceError, "not IQ; FM discriminator audio is opened as discriminator:x.wav"),
        (wav(fmt(channels=6), DATA), Unsupported, "6 channels; IQ has two"),
    ],
)
def test_refused_headers(tmp_path: Path, contents: bytes, error: type[Exception], says: str) -> None:
    (tmp_path / "x.wav").write_bytes(contents)
    with pytest.raises(error, match=says):
        open_source("file:x.wav", base=tmp_path)


def test_audio_by_its_name_is_refused_as_iq(tmp_path: Path) -> None:
    name = "SDRSharp_20261123_120000Z_155752500Hz_AF.wav"
    (tmp_path / name).write_bytes(wav(fmt(rate=48000), DATA))
    with pytest.raises(SourceError, match="its name says it is demodulated audio"):
        open_source(f"file:{name}", base=tmp_path)


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
@pytest.mark.parametrize(("bits", "code"), [(16, 1), (32, 3)])
def test_discriminator_audio(tmp_path: Path, rate: int, bits: int, code: int) -> None:
    values = noise(1500).view(np.float32)
    contents = wav(fmt(rate, bits, code, channels=1), chunk(b"data", packed(values, bits, code)))
    (tmp_path / "x.wav").write_bytes(contents)
    source = open_source("discriminator:x.wav", base=tmp_path)
    assert isinstance(source, DiscriminatorSource)
    assert (source.info.kind, source.info.rate, source.info.length) == ("discriminator", rate, 3000)
    rows = heard(source)
    assert rows.shape == (1, 3000) and rows.dtype == np.float32
    np.testing.assert_allclose(rows[0], values, atol=2.0**-bits if code == 1 else 0)
    turned = heard(open_source("discriminator:x.wav?invert=yes", base=tmp_path), 77)
    np.testing.assert_array_equal(turned, -rows)


def test_one_side_of_a_stereo_file(tmp_path: Path) -> None:
    pairs = noise(800)
    (tmp_path / "x.wav").write_bytes(wav(fmt(48000, 32, 3), chunk(b"data", pairs.tobytes())))
    left = heard(open_source("discriminator:x.wav?channel=left", base=tmp_path))
    right = heard(open_source("discriminator:x.wav?channel=right&invert=yes", base=tmp_path))
    np.testing.assert_array_equal(left[0], pairs.real)
    np.testing.assert_array_equal(right[0], -pairs.imag)


@pytest.mark.parametrize(
    ("spec", "channels", "says"),
    [
        ("discriminator:x.wav", 2, r"if it is IQ, open it as file:x\.wav; if one side.*channel=left"),
        ("discriminator:x.wav?channel=left", 1, "has one channel; leave channel=left out"),
        ("discriminator:x.wav?channel=middle", 2, "neither left nor right"),
        ("discriminator:x.wav?invert=perhaps", 1, "neither yes nor no"),
        ("discriminator:x.wav", 3, "3 channels"),
    ],
)
def test_refused_discriminator_audio(tmp_path: Path, spec: str, channels: int, says: str) -> None:
    (tmp_path / "x.wav").write_bytes(wav(fmt(48000, channels=channels), DATA))
    with pytest.raises((SourceError, Unsupported), match=says):
        open_source(spec, base=tmp_path)


def test_discriminator_rate_has_limits(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav(fmt(4000, channels=1), DATA))
    with pytest.raises(SourceError, match="rate = 4000 is outside 8000 … 1000000"):
        open_source("discriminator:x.wav", base=tmp_path)
