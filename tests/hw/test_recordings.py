"""Raw and SigMF recordings: they play what was recorded, with its rate, centre, time and gaps, or say what is wrong."""

import errno
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.blocks import IqBlock
from dsp.convert import from_complex, sample_type
from hw.base import DiscriminatorSource, Source, SourceInfo
from hw.errors import DeviceNotFound, SourceError, Unsupported
from hw.registry import KINDS, open_source, probe
from hw.samplefile import MAX_SAMPLES
from tests.hw.recordings import CENTER, metadata, noise, write_archive, write_sigmf


def play(source: Source | DiscriminatorSource, n: int = 4096) -> tuple[NDArray[np.complex64], list[int]]:
    """All samples, and the index at which each run without a gap begins."""
    pieces, starts, end = [np.empty(0, np.complex64)], [], None
    while (block := source.read(n)) is not None:
        assert isinstance(block, IqBlock)
        if block.index != end:
            starts.append(block.index)
        end = block.end
        pieces.append(block.samples.copy())
    source.close()
    source.close()
    return np.concatenate(pieces), starts


def cu8(samples: NDArray[np.complex64]) -> bytes:
    return from_complex(samples, sample_type("cu8"))[0].tobytes()


def quantised(samples: NDArray[np.complex64]) -> NDArray[np.complex64]:
    parts = (np.rint(samples.view(np.float32) * 128 + 127.5) - 127.5) / 128
    out: NDArray[np.complex64] = parts.astype(np.float32).view(np.complex64)
    return out


def test_every_corpus_entry_opens(corpus: dict[str, dict[str, Any]]) -> None:
    for entry in corpus.values():
        name = entry["path"].name
        kind = "discriminator" if "mono" in entry["format"] else "file"
        rate = None if name.endswith(".wav") else entry["sample_rate_hz"]
        source = open_source(f"{kind}:{name}", base=entry["path"].parent, rate=rate)
        samples = 0
        while (block := source.read(65536)) is not None:
            samples += block.samples.shape[-1]
        statistics = source.statistics()
        source.close()
        assert source.info.rate == entry["sample_rate_hz"], name
        assert source.info.kind == ("discriminator" if kind == "discriminator" else "iq")
        assert samples == source.info.length == statistics.samples, name
        assert samples / source.info.rate == pytest.approx(entry["duration_s"], abs=2e-3), name
        assert statistics.lost == statistics.gaps == statistics.invalid == 0, name


@pytest.mark.parametrize("suffix", ["cu8", "cs8", "cs16", "cf32", "cfile"])
def test_raw_type_from_the_suffix(tmp_path: Path, suffix: str) -> None:
    samples = noise(10000)
    kind = sample_type(suffix)
    (tmp_path / f"x.{suffix}").write_bytes(from_complex(samples, kind)[0].tobytes())
    with_rate = open_source(f"file:x.{suffix}", base=tmp_path, rate=2_400_000, center_hz=CENTER)
    assert with_rate.info == SourceInfo(f"x.{suffix}", "iq", 2_400_000, CENTER, 10000, None, kind.name)
    heard, starts = play(with_rate)
    assert starts == [0]
    # Half a step of the coarsest type.
    np.testing.assert_allclose(heard, samples, atol=0.5 / 128 * 2**0.5)


def test_blocks_of_any_size_give_the_same_samples(tmp_path: Path) -> None:
    (tmp_path / "x.cu8").write_bytes(cu8(noise(5000)))
    whole, _ = play(open_source("file:x.cu8", base=tmp_path, rate=48000), 5000)
    for n in (1, 7, 4999, 10**9):
        pieces, starts = play(open_source("file:x.cu8", base=tmp_path, rate=48000), n)
        assert pieces.tobytes() == whole.tobytes() and starts == [0]


def test_a_huge_request_gives_a_bounded_block(tmp_path: Path) -> None:
    with (tmp_path / "sparse.cs16").open("wb") as f:
        f.truncate(6 << 30)
    source = open_source("file:sparse.cs16", base=tmp_path, rate=20_000_000)
    assert source.info.length == (6 << 30) // 4
    block = source.read(10**12)
    assert block is not None and block.end == MAX_SAMPLES
    source.close()
    assert source.read(1) is None


def test_options_in_the_string_say_what_a_raw_file_does_not(tmp_path: Path) -> None:
    (tmp_path / "x.iq").write_bytes(bytes(100))
    info = probe("file:x.iq?format=cs16&rate=2.4M&center=155.7525M", base=tmp_path)
    assert (info.rate, info.center_hz, info.sample_type, info.length) == (2_400_000, CENTER, "ci16_le", 25)


@pytest.mark.parametrize(
    ("name", "rate", "center", "start", "kind"),
    [
        (
            "gqrx_20261123_120000_155752500_250000_fc.raw",
            250_000,
            CENTER,
            datetime(2026, 11, 23, 12, tzinfo=UTC),
            "cf32_le",
        ),
        ("g001_433.92M_250k.cu8", 250_000, 433_920_000, None, "cu8"),
    ],
)
def test_names_of_other_programs(
    tmp_path: Path, name: str, rate: int, center: int, start: datetime | None, kind: str
) -> None:
    (tmp_path / name).write_bytes(bytes(80))
    info = probe(f"file:{name}", base=tmp_path)
    assert (info.rate, info.center_hz, info.start, info.sample_type) == (rate, center, start, kind)


def test_not_a_number_is_set_to_zero_and_counted(tmp_path: Path) -> None:
    samples = noise(100)
    samples[[3, 50]] = np.nan
    samples[70] = complex(0, np.inf)
    (tmp_path / "x.cf32").write_bytes(samples.tobytes())
    source = open_source("file:x.cf32", base=tmp_path, rate=48000)
    heard, _ = play(source, 7)
    assert not heard[[3, 50, 70]].any() and np.isfinite(heard).all()
    assert source.statistics().invalid == 3


def test_full_scale_is_counted(tmp_path: Path) -> None:
    (tmp_path / "x.cu8").write_bytes(bytes([0, 128, 128, 255, 1, 254, 255, 0]))
    source = open_source("file:x.cu8", base=tmp_path, rate=48000)
    play(source)
    assert source.statistics().clipped == 3


def test_an_odd_byte_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / "x.cs16").write_bytes(bytes(4 * 10 + 3))
    info = probe("file:x.cs16", base=tmp_path, rate=48000)
    assert info.length == 10
    assert info.notes == ("3 byte(s) at the end are no whole sample of ci16_le and were left out",)


def test_a_file_cut_short_while_it_plays(tmp_path: Path) -> None:
    (tmp_path / "x.cu8").write_bytes(bytes(2000))
    source = open_source("file:x.cu8", base=tmp_path, rate=48000)
    assert source.read(100) is not None
    os.truncate(tmp_path / "x.cu8", 300)
    with pytest.raises(SourceError, match="ends at byte 300; it was longer"):
        source.read(100)
    source.close()


def refusal(spec: str, base: Path, **stated: Any) -> str:
    """The message for a source that must be refused."""
    with pytest.raises((SourceError, DeviceNotFound, Unsupported)) as caught:
        open_source(spec, base=base, **stated)
    return str(caught.value)


def test_refused_paths(tmp_path: Path) -> None:
    (tmp_path / "vhf_north.cu8").write_bytes(b"")
    (tmp_path / "one.cs16").write_bytes(b"abc")
    (tmp_path / "x.cu8").write_bytes(bytes(100))
    os.mkfifo(tmp_path / "pipe.cu8")
    assert "nearest in that folder: vhf_north.cu8" in refusal("file:vhf_nrth.cu8", tmp_path, rate=48000)
    assert "of its path only" in refusal("file:no/such/x.cu8", tmp_path, rate=48000)
    assert "is a folder; name a recording in it, such as one.cs16" in refusal("file:.", tmp_path)
    assert "not a regular file" in refusal("file:pipe.cu8", tmp_path, rate=48000)
    assert "is empty" in refusal("file:vhf_north.cu8", tmp_path, rate=48000)
    assert "3 bytes are less than one sample of ci16_le" in refusal("file:one.cs16", tmp_path, rate=48000)
    assert 'add rate = "…"' in refusal("file:x.cu8", tmp_path)
    assert "rate = 0 is outside 1000 … 1000000000" in refusal("file:x.cu8", tmp_path, rate=0)
    assert "File name too long" in refusal("file:" + "x" * 5000, tmp_path)
    assert "only" in refusal("file:x.cu8/y", tmp_path)


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.cu8").write_bytes(bytes(100))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "may not be read by this user" in refusal("file:x.cu8", tmp_path, rate=48000)


def test_refused_types(tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes(bytes(100))
    assert "suffix '.dat' does not say the sample type; add format" in refusal("file:x.dat", tmp_path, rate=48000)
    assert "'cu9' is not known; known are cu8" in refusal("file:x.dat", tmp_path, rate=48000, format="cu9")
    assert "needs a complex one: ci16_le" in refusal("file:x.dat", tmp_path, rate=48000, format="ri16")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "is not KIND:ADDRESS"),
        ("x.cu8", "is not KIND:ADDRESS"),
        ("file:", "is not KIND:ADDRESS"),
        ("file:a\0b", "is not KIND:ADDRESS"),
        ("fil:x.cu8", "did you mean file:PATH?"),
        ("zebra:x", "known are file:PATH, discriminator:PATH.wav"),
        ("file:x?rate", "not written key=value"),
        ("file:x?rate=fast", "rate = 'fast' is not a whole number of hertz such as 155.7525M"),
        ("file:x?rate=1.5", "not a whole number"),
        ("file:x?rate=1e999999999M", "not a whole number"),
        ("file:x?rate=nan", "not a whole number"),
        ("file:x?rate=", "not a whole number"),
        ("file:x?rte=48k", "option 'rte' is not known for file"),
        ("discriminator:x?chanel=left", "did you mean channel?"),
    ],
)
def test_refused_strings(tmp_path: Path, spec: str, says: str) -> None:
    assert says in refusal(spec, tmp_path)


def test_a_rate_stated_twice_must_agree(tmp_path: Path) -> None:
    (tmp_path / "x.cu8").write_bytes(bytes(100))
    assert "rate is stated twice, as 48000 and as 96000" in refusal("file:x.cu8?rate=96k", tmp_path, rate=48000)
    assert probe("file:x.cu8?rate=48k", base=tmp_path, rate=48000).rate == 48000


def test_every_kind_has_its_module() -> None:
    for name, kind in KINDS.items():
        assert kind.usage.startswith(name + ":") and kind.module.startswith("hw.")


@pytest.mark.parametrize("suffix", [".sigmf-meta", ".sigmf-data"])
def test_sigmf(tmp_path: Path, suffix: str) -> None:
    samples = noise(3000)
    write_sigmf(tmp_path, cu8(samples), metadata())
    source = open_source(f"file:capture{suffix}", base=tmp_path)
    start = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)
    assert source.info == SourceInfo("capture.sigmf-meta", "iq", 240000, CENTER, 3000, start, "cu8", "test")
    heard, starts = play(source)
    assert starts == [0]
    np.testing.assert_array_equal(heard, quantised(samples))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("stem", ["capture/capture", "n" * 60 + "/" + "capture" * 20])
def test_sigmf_archive(tmp_path: Path, form: int, stem: str) -> None:
    samples = noise(3000)
    if form == tarfile.USTAR_FORMAT:
        stem = stem[:90]
    members = {
        "readme.txt": b"hi",
        f"{stem}.sigmf-data": cu8(samples),
        f"{stem}.sigmf-meta": json.dumps(metadata()).encode(),
    }
    write_archive(tmp_path / "x.sigmf", members, form)
    heard, starts = play(open_source("file:x.sigmf", base=tmp_path))
    assert starts == [0]
    np.testing.assert_array_equal(heard, quantised(samples))


def test_lost_samples_are_a_gap(tmp_path: Path) -> None:
    captures = [
        {"core:sample_start": 0, "core:global_index": 500},
        {"core:sample_start": 1000, "core:global_index": 1750},
        {"core:sample_start": 1500},
    ]
    samples = noise(2000)
    write_sigmf(tmp_path, cu8(samples), metadata(captures=captures))
    source = open_source("file:capture.sigmf-meta", base=tmp_path)
    heard, starts = play(source)
    np.testing.assert_array_equal(heard, quantised(samples))
    assert starts == [0, 1250]
    assert source.info.length == 2250
    assert (source.statistics().lost, source.statistics().gaps) == (250, 1)


def test_only_one_centre_frequency_is_played(tmp_path: Path) -> None:
    captures = [
        {"core:sample_start": 0, "core:frequency": CENTER},
        {"core:sample_start": 500, "core:frequency": 462_000_000},
        {"core:sample_start": 800, "core:frequency": CENTER},
    ]
    samples = noise(1000)
    write_sigmf(tmp_path, cu8(samples), metadata(captures=captures))
    source = open_source("file:capture.sigmf-meta", base=tmp_path)
    heard, starts = play(source)
    assert starts == [0, 800]
    np.testing.assert_array_equal(heard, quantised(np.concatenate([samples[:500], samples[800:]])))
    assert source.info.notes == (
        f"300 samples on other centre frequencies are left out as gaps; played is {CENTER} Hz",
    )
    other = open_source("file:capture.sigmf-meta", base=tmp_path, center_hz=462_000_000)
    heard, starts = play(other)
    assert starts == [0] and len(heard) == 300 and other.info.center_hz == 462_000_000
    assert "nothing was recorded at centre 1 Hz; there is 155752500, 462000000" in refusal(
        "file:capture.sigmf-meta", tmp_path, center_hz=1
    )


def test_header_and_trailing_bytes_and_dataset_name(tmp_path: Path) -> None:
    samples = noise(300)
    raw = cu8(samples)
    captures = [
        {"core:sample_start": 0, "core:header_bytes": 10},
        {"core:sample_start": 100, "core:header_bytes": 6},
    ]
    (tmp_path / "other.bin").write_bytes(b"h" * 10 + raw[:200] + b"h" * 6 + raw[200:] + b"t" * 4)
    meta = metadata(captures=captures, dataset="other.bin", trailing_bytes=4)
    (tmp_path / "capture.sigmf-meta").write_text(json.dumps(meta))
    heard, starts = play(open_source("file:capture.sigmf-meta", base=tmp_path))
    assert starts == [0]
    np.testing.assert_array_equal(heard, quantised(samples))


def test_a_stated_centre_is_believed_with_a_note(tmp_path: Path) -> None:
    write_sigmf(tmp_path, bytes(100), metadata())
    info = probe("file:capture.sigmf-meta", base=tmp_path, center_hz=30_000_000)
    assert info.center_hz == 30_000_000
    assert info.notes == (f"the recording says centre {CENTER} Hz; taken as 30000000 Hz as stated",)


def test_sigmf_oddities_that_play_with_a_note(tmp_path: Path) -> None:
    captures = [{"core:sample_start": 5, "core:datetime": "yesterday"}]
    write_sigmf(tmp_path, bytes(101), metadata(captures=captures, sample_rate=240000.4))
    info = probe("file:capture.sigmf-meta", base=tmp_path)
    assert (info.rate, info.length, info.start) == (240000, 45, None)
    notes = " | ".join(info.notes)
    assert "240000.4 is taken as 240000" in notes and "'yesterday'" in notes
    assert "first 5 samples belong to no capture" in notes and "1 byte(s) at the end" in notes


@pytest.mark.parametrize(
    ("meta", "says"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON"),
        (b"[]", "holds no object"),
        (b"\xff\xfe{", "is not text: byte 0 is not UTF-8"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"global": {"core:sample_rate": ' + b"9" * 5000 + b"}}", "is not JSON"),
        (b'{"global": NaN}', "NaN is not JSON"),
        (b"{}", "'global' is missing"),
        (b'{"global": []}', "not an object"),
        (b" " * (5 << 20), "over 4 MiB"),
        (metadata(datatype=None), "core:datatype is missing"),
        (metadata(datatype=7), "core:datatype = '7' is not a string"),
        (metadata(datatype="ri16_le"), "real samples; played are complex: cu8, ci8"),
        (metadata(datatype="cx9"), "core:datatype = 'cx9'; played are cu8"),
        (metadata(datatype="ci24_le"), "played are complex: cu8"),
        (metadata(num_channels=2), "core:num_channels = 2; recordings of 1 channel"),
        (metadata(metadata_only=True), "has no samples"),
        (metadata(sample_rate=None), "core:sample_rate is missing"),
        (metadata(sample_rate="fast"), "core:sample_rate = 'fast' is not a number"),
        (metadata(sample_rate=True), "is not a number"),
        (metadata(sample_rate=0), "rate = 0 is outside"),
        (metadata(sample_rate=1e300), "is outside"),
        (metadata(sample_rate=-48000), "is outside"),
        (metadata(dataset="../../etc/passwd"), "not the name of a file in the same folder"),
        (metadata(dataset="gone.bin"), "its samples are missing"),
        (metadata(trailing_bytes=10**6), "is empty"),
        (metadata(trailing_bytes=-1), "core:trailing_bytes = -1 is not a whole number"),
        (metadata(captures={}), "'captures' is missing or not a list"),
        (metadata(captures=[3]), "captures[0] is not an object"),
        (metadata(captures=[{}]), "captures[0]: core:sample_start is missing"),
        (metadata(captures=[{"core:sample_start": 10**6}]), "starts at sample 1000000; the file has 50"),
        (metadata(captures=[{"core:sample_start": 0.5}]), "core:sample_start = 0.5 is not a whole number"),
        (metadata(captures=[{"core:sample_start": 9}, {"core:sample_start": 3}]), "lies before that of the one before"),
        (metadata(captures=[{"core:sample_start": 0, "core:frequency": 1e30}]), "outside ±10 THz"),
        (metadata(captures=[{"core:sample_start": 0, "core:frequency": "vhf"}]), "is not a number"),
        (
            metadata(captures=[{"core:sample_start": 0}, {"core:sample_start": 20, "core:global_index": 3}]),
            "core:global_index = 3 lies before 20",
        ),
        (
            metadata(captures=[{"core:sample_start": 0}, {"core:sample_start": 20, "core:global_index": 2**60}]),
            "gap of over 7 days",
        ),
    ],
)
def test_refused_metadata(tmp_path: Path, meta: Any, says: str) -> None:
    write_sigmf(tmp_path, bytes(100), meta)
    assert says in refusal("file:capture.sigmf-meta", tmp_path)


def test_a_stated_rate_must_agree(tmp_path: Path) -> None:
    write_sigmf(tmp_path, bytes(100), metadata())
    assert "says rate 240000, and rate 48000 is stated" in refusal("file:capture.sigmf-meta", tmp_path, rate=48000)
    assert probe("file:capture.sigmf-meta", base=tmp_path, rate=240000).rate == 240000


def test_missing_halves(tmp_path: Path) -> None:
    path = write_sigmf(tmp_path, bytes(100), metadata())
    path.rename(tmp_path / "other.sigmf-meta")
    assert "its samples are missing" in refusal("file:other.sigmf-meta", tmp_path)
    assert "has no capture.sigmf-meta beside it" in refusal("file:capture.sigmf-data", tmp_path)


GOOD = {"a.sigmf-meta": json.dumps(metadata()).encode(), "a.sigmf-data": bytes(100)}


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({}, "holds no .sigmf-meta"),
        ({"a.sigmf-meta": GOOD["a.sigmf-meta"]}, "holds no a.sigmf-data"),
        ({**GOOD, "b.sigmf-meta": b"{}"}, "holds 2 recordings (a.sigmf-meta, b.sigmf-meta)"),
        ({"../a.sigmf-meta": b"{}"}, "leads out of the archive"),
        ({"/etc/a.sigmf-meta": b"{}"}, "leads out of the archive"),
        ({f"{i}.txt": b"" for i in range(2001)}, "over 1000 members"),
        ({"n" * 70_000: b""}, "at most 65536 are read"),
    ],
)
def test_refused_archives(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    write_archive(tmp_path / "x.sigmf", members)
    assert says in refusal("file:x.sigmf", tmp_path)


def test_damaged_archives(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "x.sigmf", GOOD, tarfile.USTAR_FORMAT)
    good = path.read_bytes()
    path.write_bytes(good[:700])
    assert "cut short" in refusal("file:x.sigmf", tmp_path)
    path.write_bytes(good[:100])
    assert "header at byte 0 is damaged" in refusal("file:x.sigmf", tmp_path)
    path.write_bytes(b"")
    assert "header at byte 0 is damaged" in refusal("file:x.sigmf", tmp_path)
    path.write_bytes(b"\x1f\x8b" + good)
    assert "is compressed; unpack it first" in refusal("file:x.sigmf", tmp_path)
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("a.sigmf-data")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert "is a link or special file" in refusal("file:x.sigmf", tmp_path)
