"""A headless PulseAudio with a null sink and its monitor, as sound cards of ALSA, for the length of a test."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SINK, MONITOR = "bridge null sink", "bridge monitor"

_ALSA = """
pcm."{sink}" {{ type pulse device bridge_test hint {{ show on description "{sink}" }} }}
pcm."{monitor}" {{ type pulse device bridge_test.monitor hint {{ show on description "{monitor}" }} }}
"""


@contextmanager
def null_sink(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run it; gives the environment in which PortAudio sees `SINK` and `MONITOR`. Skips where something is missing."""
    for program, package in (("pulseaudio", "pulseaudio"), ("pactl", "pulseaudio-utils")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: {package})")
    plugins = list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so"))
    if not plugins or not Path("/usr/share/alsa/alsa.conf").exists():
        pytest.skip("ALSA cannot reach PulseAudio (Debian: libasound2-plugins)")
    (folder / "asound.conf").write_text(_ALSA.format(sink=SINK, monitor=MONITOR))
    native = f"unix:{folder}/native"
    private = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder)}
    environment = {**os.environ, **private, "PULSE_SERVER": native}
    command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    command += ["-L", f"module-native-protocol-unix socket={folder}/native auth-anonymous=1"]
    command += ["-L", "module-null-sink sink_name=bridge_test rate=48000"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
    try:
        for _ in range(200):
            if subprocess.run(["pactl", "info"], env=environment, check=False, **quiet).returncode == 0:  # type: ignore[call-overload]
                break
            try:
                pytest.skip(f"pulseaudio does not run here (it ended with {server.wait(0.05)})")
            except subprocess.TimeoutExpired:
                continue
        else:
            pytest.skip("pulseaudio does not answer")
        yield {"PULSE_SERVER": native, "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{folder}/asound.conf", **private}
    finally:
        server.kill()
        server.wait(10)
