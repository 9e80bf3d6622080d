"""Speech as WAV beyond the 4 GiB that its header can say: the file goes on as RF64, and is whole however it ends."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from hw.riff import read_header
from sdrbridge.port import FilePort
from sdrbridge.wav import WavWriter, mend

LIMIT = (0xFFFFFFFF - 80) // 2
"""Samples that a header of 32 bits can say."""


def tone(n: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (np.arange(1, n + 1) % 1024 / 2048).astype(np.float32)


def sparse(path: Path, samples: int) -> WavWriter:
    """A file with so many samples of silence, which take no room on the disk."""
    wav = WavWriter(path)
    wav.samples = samples
    return wav


def tail(path: Path, n: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The last samples, as somebody else's reader sees them."""
    with soundfile.SoundFile(path) as file:
        file.seek(file.frames - n)
        got: np.ndarray[tuple[int], np.dtype[np.float32]] = file.read(n, dtype="float32")
    return got


def kind(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def test_up_to_the_limit_it_is_an_ordinary_wav(tmp_path: Path) -> None:
    wav = sparse(tmp_path / "x.wav", LIMIT - 8000)
    wav.write(tone(8000))
    wav.close()
    assert kind(wav.path) == b"RIFF" and soundfile.info(wav.path).frames == LIMIT
    np.testing.assert_array_equal(tail(wav.path, 8000), tone(8000))


@pytest.mark.parametrize("over", [1, 100_000])
def test_beyond_it_nothing_is_lost(tmp_path: Path, over: int) -> None:
    wav = sparse(tmp_path / "x.wav", LIMIT - 8000)
    wav.write(tone(8000 + over))
    wav.close()
    assert kind(wav.path) == b"RF64" and soundfile.info(wav.path).frames == LIMIT + over
    np.testing.assert_array_equal(tail(wav.path, 8000 + over), tone(8000 + over))
    with wav.path.open("rb", buffering=0) as file:
        header = read_header(file, "x.wav")
    assert (header.offset, header.size, header.notes) == (80, 2 * (LIMIT + over), ())


@pytest.mark.parametrize("beyond", [-9000, 9000])
def test_cut_off_by_a_kill_on_either_side_of_the_limit(tmp_path: Path, beyond: int) -> None:
    path = tmp_path / "x.wav"
    wav = sparse(path, LIMIT + beyond)
    wav.write(tone(8000))
    wav.abandon()
    # The header was not brought up to date any more.
    with path.open("ab") as file:
        file.write(np.ones(500, "<i2").tobytes())
    assert mend(path) == LIMIT + beyond + 8500 == soundfile.info(path).frames
    np.testing.assert_array_equal(tail(path, 8500)[:8000], tone(8000))


def test_a_port_of_the_replay_goes_on_beyond_it(tmp_path: Path) -> None:
    port = FilePort("x", tmp_path / "x.wav")
    assert port._wav is not None
    port._wav.samples = port.end = LIMIT - 80
    port.write(tone(160), port.end, True)
    port.close()
    assert soundfile.info(port.path).frames == LIMIT + 80
    np.testing.assert_array_equal(tail(port.path, 160), tone(160))


def test_a_disk_that_has_no_room_for_a_header_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: WavWriter, at: int, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(self.path))

    monkeypatch.setattr(WavWriter, "_put", full)
    with pytest.raises(OSError, match="No space"):
        WavWriter(tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_only_its_own_files_are_mended(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros((1000, 2)), 8000)
    before = path.read_bytes()
    with pytest.raises(OSError, match="no recording of this program"):
        mend(path)
    assert path.read_bytes() == before
