"""Whatever the bytes: a recording plays or is refused with a DeviceError, soon and in little memory."""

import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.errors import DeviceError
from hw.filename import read_name
from hw.registry import open_source
from hw.samplefile import MAX_SAMPLES
from hw.spec import parse_source
from tests.hw.recordings import auxi, chunk, fmt, metadata, wav, write_archive

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WAV = wav(fmt(extensible=True), auxi(), chunk(b"LIST", b"abc"), chunk(b"data", bytes(range(200))))
META = json.dumps(
    metadata(
        captures=[{"core:sample_start": 0, "core:global_index": 3}, {"core:sample_start": 9, "core:global_index": 50}]
    )
).encode()


def attempt(spec: str, folder: Path) -> None:
    """Open and play at most 64 blocks; only a DeviceError may come out."""
    try:
        source = open_source(spec, base=folder)
    except DeviceError as e:
        assert 10 < len(str(e)) < 1000
        return
    try:
        for _ in range(64):
            block = source.read(MAX_SAMPLES)
            if block is None:
                break
            assert 0 < block.samples.shape[-1] <= MAX_SAMPLES
    finally:
        source.close()


def flips(good: bytes) -> st.SearchStrategy[bytes]:
    """The good bytes with a few changed, maybe cut short or repeated."""

    def damage(edits: list[tuple[int, int]], keep: int, twice: bool) -> bytes:
        out = bytearray(good)
        for at, value in edits:
            out[at % len(out)] = value
        return bytes(out[:keep]) * (1 + twice)

    edit = st.tuples(st.integers(0, len(good) - 1), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, 0x2D, 0x39]))
    return st.builds(damage, st.lists(edit, max_size=6), st.integers(0, len(good)) | st.just(len(good)), st.booleans())


@QUICK
@given(contents=st.binary(max_size=300) | flips(WAV), kind=st.sampled_from(["file", "discriminator"]))
def test_wav(tmp_path: Path, contents: bytes, kind: str) -> None:
    (tmp_path / "x.wav").write_bytes(contents)
    attempt(f"{kind}:x.wav", tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("cu8"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KEYS = ["core:datatype", "core:sample_rate", "core:num_channels", "core:dataset", "core:trailing_bytes", "core:hw"]
CAPTURE_KEYS = ["core:sample_start", "core:frequency", "core:datetime", "core:global_index", "core:header_bytes"]


@QUICK
@given(contents=st.binary(max_size=300) | flips(META))
def test_sigmf_bytes(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "x.sigmf-meta").write_bytes(contents)
    (tmp_path / "x.sigmf-data").write_bytes(bytes(100))
    attempt("file:x.sigmf-meta", tmp_path)


@QUICK
@given(
    world=st.dictionaries(st.sampled_from(KEYS), JSON),
    captures=st.lists(st.dictionaries(st.sampled_from(CAPTURE_KEYS), JSON), max_size=3) | JSON,
)
def test_sigmf_values(tmp_path: Path, world: dict[str, object], captures: object) -> None:
    meta = metadata()
    meta["global"] |= world
    meta["captures"] = captures
    (tmp_path / "x.sigmf-meta").write_text(json.dumps(meta))
    (tmp_path / "x.sigmf-data").write_bytes(bytes(100))
    attempt("file:x.sigmf-meta", tmp_path)


@pytest.fixture(scope="module")
def tar(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    long = "n" * 150
    members = {f"{long}/a.sigmf-meta": META, f"{long}/a.sigmf-data": bytes(100)}
    return write_archive(tmp_path_factory.mktemp("tar") / "x.sigmf", members, tarfile.PAX_FORMAT).read_bytes()


@QUICK
@given(data=st.data())
def test_archive(tmp_path: Path, tar: bytes, data: st.DataObject) -> None:
    (tmp_path / "x.sigmf").write_bytes(data.draw(st.binary(max_size=600) | flips(tar[:4096])))
    attempt("file:x.sigmf", tmp_path)


@QUICK
@given(edits=st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), max_size=4), which=st.integers(0, 5))
def test_archive_with_a_sound_checksum(tmp_path: Path, tar: bytes, edits: list[tuple[int, int]], which: int) -> None:
    contents = bytearray(tar)
    base = which * 512
    for at, value in edits:
        contents[base + at] = value
    header = contents[base : base + 512]
    contents[base + 148 : base + 156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:]))
    (tmp_path / "x.sigmf").write_bytes(contents)
    attempt("file:x.sigmf", tmp_path)


@QUICK
@given(
    text=st.text(max_size=60)
    | st.from_regex(r"(file|discriminator|rtltcp):[^?]{0,20}\?(\w{0,6}=?[0-9.kMe-]{0,8}&?){0,3}")
)
def test_source_strings(tmp_path: Path, text: str) -> None:
    try:
        parse_source(text, base=tmp_path)
    except DeviceError as e:
        assert len(str(e)) < 1000


@given(
    name=st.text(max_size=60)
    | st.from_regex(r"(gqrx|HDSDR|SDRSharp)_\d{0,9}_\d{0,7}Z?_\d{0,13}(k?Hz)?_?\d{0,11}_?(fc|RF|IQ)?\.(raw|wav)")
)
def test_file_names(name: str) -> None:
    read_name(name)


def test_hostile_headers_take_little_memory(tmp_path: Path) -> None:
    hostile = {
        "deep.sigmf-meta": b"[" * (4 << 20),
        "wide.sigmf-meta": b"[" + b"0," * (2 << 20) + b"0]",
        "huge.sigmf-meta": b" " * (64 << 20),
        "chunks.wav": wav(*[chunk(b"junk", b"")] * 20_000),
    }
    for name, contents in hostile.items():
        (tmp_path / name).write_bytes(contents)
    del hostile, contents
    tracemalloc.start()
    for name in ("deep.sigmf-meta", "wide.sigmf-meta", "huge.sigmf-meta", "chunks.wav"):
        attempt(f"file:{name}", tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The 4 MiB of metadata as bytes and as text, and a list of two million references.
    assert peak < 50e6
