"""Recording: what was written is read back, with its gaps and facts; a kill or a full disk leaves it readable."""

import errno
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sigmf
from numpy.typing import NDArray

import hw.sigmfwriter
from dsp.blocks import IqBlock
from dsp.convert import WRITABLE_TYPES
from hw.base import Source, SourceInfo, SourceStatistics
from hw.errors import DeviceLost, SinkError
from hw.record import Ending, Recorded, best_type, record
from hw.registry import open_source, probe
from hw.sigmfwriter import SigmfWriter
from tests.hw.recordings import CENTER, noise
from tests.hw.test_recordings import play

START = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC)
RATE = 48000


def create(folder: Path, **changes: Any) -> SigmfWriter:
    facts: dict[str, Any] = {"rate": RATE, "center_hz": CENTER, "sample_type": "cf32_le", "start": START}
    return SigmfWriter.create(folder / "x", **(facts | changes))


def metadata_of(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / "x.sigmf-meta").read_text())
    return meta


@pytest.mark.parametrize("kind", WRITABLE_TYPES)
def test_what_was_written_is_read_back(tmp_path: Path, kind: str) -> None:
    samples = noise(1000)
    with create(tmp_path, sample_type=kind, hardware="RTL-SDR 00000001") as writer:
        for at in range(0, 1000, 300):
            writer.write(IqBlock(samples[at : at + 300], RATE, 7000 + at))
    source = open_source("file:x.sigmf-meta", base=tmp_path)
    assert source.info == SourceInfo("x.sigmf-meta", "iq", RATE, CENTER, 1000, START, kind, "RTL-SDR 00000001")
    heard, starts = play(source)
    assert starts == [0]
    # Half a step of 8 bits, on I and on Q.
    np.testing.assert_allclose(heard, samples, atol=0 if kind == "cf32_le" else 2**0.5 / 256)


def test_cu8_of_a_recording_comes_back_bit_for_bit(tmp_path: Path) -> None:
    raw = np.random.default_rng(3).integers(0, 256, 20000, dtype=np.uint8).tobytes()
    (tmp_path / "in.cu8").write_bytes(raw)
    source = open_source("file:in.cu8", base=tmp_path, rate=RATE)
    with create(tmp_path, sample_type=best_type(source.info)) as writer:
        assert isinstance(source, Source)
        done = record(source, writer)
    source.close()
    assert (tmp_path / "x.sigmf-data").read_bytes() == raw
    assert done == Recorded(10000 / RATE, 10000, 0, 0, 0, Ending.SOURCE)


def test_lost_samples_stay_lost_and_the_length_is_kept(tmp_path: Path) -> None:
    samples = noise(300)
    with create(tmp_path) as writer:
        writer.write(IqBlock(samples[:100], RATE, 500))
        writer.write(IqBlock(samples[100:200], RATE, 600))
        writer.write(IqBlock(samples[200:], RATE, 700 + RATE))
    source = open_source("file:x.sigmf-meta", base=tmp_path)
    heard, starts = play(source)
    assert starts == [0, 200 + RATE]
    np.testing.assert_array_equal(heard, samples)
    assert source.info.length == 300 + RATE
    assert (source.statistics().lost, source.statistics().gaps) == (RATE, 1)
    assert [c["core:datetime"] for c in metadata_of(tmp_path)["captures"]] == [
        "2026-11-23T12:00:00.250Z",
        "2026-11-23T12:00:01.254Z",
    ]


def test_endless_loss_is_filled_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hw.sigmfwriter, "MAX_CAPTURES", 3)
    with create(tmp_path, sample_type="cu8") as writer:
        for i in range(6):
            writer.write(IqBlock(noise(10), RATE, i * 100_000))
    assert (writer.gaps, writer.lost) == (5, 5 * 99_990)
    meta = metadata_of(tmp_path)
    assert len(meta["captures"]) == 3
    assert "299970 lost samples after capture 3 are zeros" in meta["global"]["core:description"]
    assert probe("file:x.sigmf-meta", base=tmp_path).length == 500_010


def test_annotations_follow_the_samples_across_a_gap(tmp_path: Path) -> None:
    with create(tmp_path) as writer:
        writer.annotate(1010, 20, CENTER - 6250, CENTER + 6250, "VTAC11", "early")
        writer.write(IqBlock(noise(100), RATE, 1000))
        writer.write(IqBlock(noise(100), RATE, 2000))
        writer.annotate(2010, 20, label="after")
        writer.annotate(1050, 960, label="across")
        writer.annotate(1500, 10, label="inside")
    got = {
        a["core:label"]: (a["core:sample_start"], a["core:sample_count"]) for a in metadata_of(tmp_path)["annotations"]
    }
    assert got == {"VTAC11": (10, 20), "after": (110, 20), "across": (50, 60), "inside": (100, 0)}
    first = metadata_of(tmp_path)["annotations"][0]
    assert (first["core:freq_lower_edge"], first["core:comment"]) == (CENTER - 6250, "early")


def test_annotations_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hw.sigmfwriter, "MAX_ANNOTATIONS", 2)
    with create(tmp_path) as writer:
        for i in range(5):
            writer.annotate(i, 1, comment="x" * 10**6)
    assert writer.annotations_dropped == 3
    assert (tmp_path / "x.sigmf-meta").stat().st_size < 2000
    assert "3 annotations over 2" in metadata_of(tmp_path)["global"]["core:description"]


def test_the_sigmf_library_agrees(tmp_path: Path) -> None:
    samples = noise(3000)
    with create(tmp_path, hardware="a radio", description="drill") as writer:
        writer.annotate(100, 50, CENTER - 5e3, CENTER + 5e3, "over", "first")
        writer.write(IqBlock(samples[:1000], RATE, 0))
        writer.write(IqBlock(samples[1000:], RATE, 5000))
    theirs = sigmf.fromfile(str(tmp_path / "x.sigmf-meta"))
    theirs.validate()
    np.testing.assert_array_equal(theirs.read_samples(), samples)


def test_metadata_is_there_before_the_first_sample(tmp_path: Path) -> None:
    writer = create(tmp_path)
    assert metadata_of(tmp_path)["global"]["core:sample_rate"] == RATE
    writer.write(IqBlock(noise(10), RATE, 0))
    assert (tmp_path / "x.sigmf-data").stat().st_size == 80
    writer.close()
    writer.close()
    with pytest.raises(SinkError, match="is closed"):
        writer.write(IqBlock(noise(10), RATE, 10))


CHILD = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from dsp.blocks import IqBlock
from hw.errors import SinkError
from hw.sigmfwriter import SigmfWriter
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
writer = SigmfWriter.create(folder / "x", rate=48000, center_hz=155752500, start=datetime(2026, 11, 23, tzinfo=UTC))
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for i in range(20):
        writer.write(IqBlock(np.full(1000, i, np.complex64), 48000, i * 1000 + (500 if i >= 10 else 0)))
except SinkError as e:
    print(e)
    sys.exit(3)
print("written", flush=True)
sys.stdin.read()
"""


def child(folder: Path, limit: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_kill_leaves_a_readable_recording(tmp_path: Path) -> None:
    with child(tmp_path, 0) as process:
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    heard, starts = play(open_source("file:x.sigmf-meta", base=tmp_path))
    assert starts == [0, 10_500]
    np.testing.assert_array_equal(heard, np.repeat(np.arange(20), 1000).astype(np.complex64))


def test_a_size_limit_leaves_a_readable_recording(tmp_path: Path) -> None:
    # 5.25 blocks of 8 bytes a sample, and 3 bytes more.
    with child(tmp_path, 5250 * 8 + 3) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(30) == 3
    assert "the disk is full or a size limit was met after 0.109 s; what was written can be read" in said
    source = open_source("file:x.sigmf-meta", base=tmp_path)
    assert source.info.length == 5250 and source.info.notes == ()
    heard, _ = play(source)
    np.testing.assert_array_equal(heard, np.repeat(np.arange(6), 1000)[:5250].astype(np.complex64))


def test_a_disk_that_fills_before_the_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = create(tmp_path)
    writer.write(IqBlock(noise(100), RATE, 0))
    writer.annotate(0, 10, label="x")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SinkError, match="the disk is full"):
        writer.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.sigmf-data", "x.sigmf-meta"]
    assert len(play(open_source("file:x.sigmf-meta", base=tmp_path))[0]) == 100


def test_samples_behind_a_gap_that_could_not_be_noted_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hw.sigmfwriter, "_PROMPT_CAPTURES", 1)
    writer = create(tmp_path)
    writer.write(IqBlock(noise(100), RATE, 0))
    writer.write(IqBlock(noise(100), RATE, 500))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SinkError, match=r"the disk is full or a size limit was met after 0\.002 s"):
        writer.close()
    assert probe("file:x.sigmf-meta", base=tmp_path).length == 100


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"folder .* is not there"):
        create(tmp_path / "no")
    with pytest.raises(SinkError, match="sample type cf64_be is not written; written are cu8, ci8, ci16_le, cf32_le"):
        create(tmp_path, sample_type="cf64_be")
    with pytest.raises(SinkError, match="'zz' is not known"):
        create(tmp_path, sample_type="zz")
    with pytest.raises(SinkError, match="no time zone"):
        create(tmp_path, start=datetime(2026, 1, 1))
    with pytest.raises(SinkError, match="rate = 0"):
        create(tmp_path, rate=0)
    with create(tmp_path) as writer:
        writer.write(IqBlock(noise(10), RATE, 5))
        with pytest.raises(ValueError, match="at index 3 after samples up to 15"):
            writer.write(IqBlock(noise(10), RATE, 3))
        with pytest.raises(ValueError, match="rate 8000 in a recording at 48000"):
            writer.write(IqBlock(noise(10), 8000, 15))
    with pytest.raises(SinkError, match="exists already; choose another name"):
        create(tmp_path)
    with create(tmp_path, overwrite=True):
        pass
    assert (tmp_path / "x.sigmf-data").stat().st_size == 0


class Scripted:
    """A source that gives blocks of 960 at the given indices, then ends or fails."""

    def __init__(self, indices: list[int], failure: Exception | None = None) -> None:
        self._indices = list(indices)
        self._failure = failure
        self.info = SourceInfo("scripted", "iq", RATE, CENTER, None, None, "cf32_le")

    def read(self, n: int) -> IqBlock | None:
        if not self._indices:
            if self._failure:
                raise self._failure
            return None
        samples: NDArray[np.complex64] = noise(min(n, 960))
        return IqBlock(samples, RATE, self._indices.pop(0))

    def statistics(self) -> SourceStatistics:
        return SourceStatistics()

    def close(self) -> None:
        pass


def test_as_long_as_was_asked_for(tmp_path: Path) -> None:
    seen: list[Recorded] = []
    with create(tmp_path) as writer:
        done = record(Scripted([9000 + 960 * i for i in range(200)]), writer, 1.01, seen.append)
    assert done == Recorded(1.01, 48480, 0, 0, 0, Ending.TIME)
    assert [round(s.duration_s, 2) for s in seen] == [0.26, 0.52, 0.78]


def test_a_gap_counts_as_time(tmp_path: Path) -> None:
    with create(tmp_path) as writer:
        done = record(Scripted([0, 960, 47_500, 48_460]), writer, 1.0)
    assert done == Recorded(1.0, 960 * 2 + 500, 47_500 - 1920, 1, 0, Ending.TIME)
    with create(tmp_path, overwrite=True) as writer:
        done = record(Scripted([0, 960, 60_000]), writer, 1.0)
    assert (done.samples, done.ending) == (1920, Ending.TIME)


def test_stop_flag(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    with create(tmp_path) as writer:
        done = record(Scripted([0, 960, 1920]), writer, stop=lambda: next(answers))
    assert (done.samples, done.ending) == (1920, Ending.STOP)


def test_a_radio_unplugged_leaves_what_was_recorded(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match="unplugged"), create(tmp_path) as writer:
        record(Scripted([0, 960], DeviceLost("unplugged")), writer)
    assert probe("file:x.sigmf-meta", base=tmp_path).length == 1920


def test_best_type() -> None:
    info = SourceInfo("x", "iq", RATE, None, None, None, "ci16_le")
    assert best_type(info) == "ci16_le"
    assert best_type(SourceInfo("x", "iq", RATE, None, None, None, "cf64_be")) == "cf32_le"
