"""What other people's decoders make of what a site transmits: patched speech as discriminator audio of its P25 port.

dsdcc (Debian) knows P25 by its frame sync only; dsd, where somebody has built it, reads network access code, link
control and voice frames, and marks each bit that it had to correct.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal

from dsp.blocks import BasebandBlock, IqBlock
from dsp.p25.frame import Frame
from dsp.p25.receiver import P25Receiver
from dsp.vocoder.imbe import ImbeDecoder
from hw.registry import open_source
from sdrbridge.cli import run

SITE = Path(__file__).resolve().parents[2] / "configs" / "p25.toml"
RATE = 48_000


@pytest.fixture(scope="module")
def on_air(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.complex64]:
    """What the port EAST of the shipped site transmits, with the noise of a receiver 50 dB below it."""
    out = tmp_path_factory.mktemp("p25")
    assert run(["replay", str(SITE), "--out", str(out), "--no-report", "--json"]) == 0
    source = open_source(f"file:{out}/ports/EAST.sigmf-meta", base=out)
    block = source.read(1 << 30)
    source.close()
    assert isinstance(block, IqBlock) and block.rate == RATE
    noise = np.random.default_rng(1).normal(0, 0.0015, (len(block.samples), 2)) @ np.array([1, 1j])
    return np.asarray(block.samples + noise, np.complex64)


def discriminator(iq: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Audio of a receiver's discriminator behind a channel filter of ±6 kHz; full scale is ±5 kHz."""
    channel = signal.lfilter(signal.firwin(101, 6_000, fs=RATE), 1, iq)
    return np.asarray(np.angle(channel[1:] * channel[:-1].conj()) * RATE / (2 * np.pi) / 5_000)


def read(iq: NDArray[np.complex64]) -> list[Frame]:
    """What the project's own receiver reads; no bit of speech is wrong."""
    receiver = P25Receiver(1, RATE, [0x293])
    frames = [r.frame for r in receiver.process(BasebandBlock(iq[None], RATE, 0)) + receiver.flush()]
    assert all(f.valid and f.errors == 0 for f in frames if f.name in ("NID", "IMBE", "LDU1", "LDU2"))
    return frames


def test_dsdcc_finds_the_sync_of_every_voice_unit_in_its_place(on_air: NDArray[np.complex64], tmp_path: Path) -> None:
    dsdcc = shutil.which("dsdccx")
    if dsdcc is None:
        pytest.skip("dsdcc is not installed")
    raw, log = tmp_path / "audio.raw", tmp_path / "log"
    (discriminator(on_air) * 32_767).clip(-32_768, 32_767).astype("<i2").tofile(raw)
    command = [dsdcc, "-i", str(raw), "-o", "/dev/null", "-v", "2", "-L", str(log)]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    text = log.read_text(errors="replace")
    found = np.array([int(n) for n in re.findall(r"Sync:\s+\+P25p1.*?good sync found: \d+ symbol (\d+)", text)])
    wanted = [round(f.index / 10) for f in read(on_air) if f.name.startswith("LDU")]
    assert len(wanted) > 40
    # It counts to the end of the sync, with a symbol clock of its own.
    shift = np.median([found[np.abs(found - at - 24).argmin()] - at for at in wanted])
    # Speech now and then looks like the short sync of another system, which it then follows until that breaks off.
    other = r"Sync:\s+[+-](?!P25p1)\S+.*?good sync found: \d+ symbol (\d+)(.*?)(?:resetFrameSync: symbol (\d+)|\Z)"
    astray = [(int(a), int(b or 1 << 60)) for a, _, b in re.findall(other, text, re.DOTALL)]
    there = [at for at in wanted if not any(first <= at + shift <= last for first, last in astray)]
    assert len(there) >= 0.8 * len(wanted)
    hits = sum(np.abs(found - at - shift).min() <= 2 for at in there)
    assert hits >= len(there) - 2  # the first of each message may pass while its clock settles


def test_dsd_reads_code_link_control_and_every_voice_frame(on_air: NDArray[np.complex64], tmp_path: Path) -> None:
    dsd = shutil.which("dsd")
    if dsd is None:
        pytest.skip("dsd is not installed")
    wav = tmp_path / "audio.wav"
    # Its slicer learns the levels from what it hears, so the same is played twice.
    audio = discriminator(on_air)
    soundfile.write(wav, np.concatenate([audio, audio]).clip(-1, 1), RATE, subtype="PCM_16")
    options = f"-i {wav} -o /dev/null -n -f1 -mc -d {tmp_path}/ -pl -pt -e -v 3"
    command = [dsd, *options.split()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False, cwd=tmp_path)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    voice = [line for line in lines if re.search(r"\bLDU[12]\b", line)]
    frames = read(on_air)
    wanted = [f.name for f in frames if f.name.startswith("LDU")]
    assert len(voice) >= 2 * len(wanted) - 2
    second = voice[-len(wanted) :]
    assert [re.findall(r"LDU[12]", line)[-1] for line in second] == wanted
    assert all(re.search(r"nac:\s*293\b", line) for line in second)
    # Each "=" is a bit that it corrected; it slices without the standard's receive filter, and on recordings of real
    # transmitters corrects four and more in every unit.
    corrected = [len(line.split("e:")[-1].strip()) for line in second]
    assert max(corrected) <= 1
    assert sum(corrected) < len(wanted) / 3
    # Its file of the last message: ".imb", then for each frame a byte of errors and 11 of speech.
    saved = max(tmp_path.glob("*.imb"), key=lambda path: path.stat().st_mtime_ns).read_bytes()[4:]
    theirs = [saved[at + 1 : at + 12] for at in range(0, len(saved), 12)]
    own = [f.data for f in frames if f.name == "IMBE"][-len(theirs) :]
    assert len(theirs) >= 180
    # The seven bits of a frame that have no code show its slicing errors.
    assert sum(a == b for a, b in zip(theirs, own, strict=True)) >= len(own) - 4
    calls = set(re.findall(r"tg: 1001 src: (\d+) emr: 0", "\n".join(lines)))
    assert calls == {"9028", "9043"}


def test_analog_speech_is_the_speech_of_the_message(tmp_path: Path) -> None:
    """From an FM carrier through the patch to C4FM and back through the project's own vocoder."""
    assert run(["replay", str(SITE), "--out", str(tmp_path), "--no-report", "--json"]) == 0
    source = open_source(f"file:{tmp_path}/ports/EAST.sigmf-meta", base=tmp_path)
    block = source.read(1 << 30)
    source.close()
    assert isinstance(block, IqBlock)
    frames = [f for f in read(block.samples) if f.name == "IMBE"]
    said, _ = soundfile.read(tmp_path / "overs" / "VMED28-0001.wav", dtype="float32")
    decoder = ImbeDecoder()
    out = np.concatenate([decoder.decode(np.frombuffer(f.data, np.uint8)) for f in frames])[: len(said) + 4_000]
    smooth = np.ones(240) / 240
    loud, heard = (np.convolve(np.abs(x), smooth, "same") for x in (said, out))
    # The patch wins back the delay of the tone's decision in pauses, so it is compared a stretch at a time.
    for at in range(2_000, 22_000, 4_000):
        stretch = loud[at : at + 4_000]
        assert (
            max(np.corrcoef(stretch, heard[a : a + 4_000])[0, 1] for a in range(max(0, at - 3_000), at + 1_000, 20))
            > 0.85
        )
