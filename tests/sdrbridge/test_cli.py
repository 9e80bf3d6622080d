"""The command line answers at once: nothing heavy is imported before a verb runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdrbridge import __version__
from sdrbridge.cli import run

HEAVY = ("numpy", "scipy", "soundfile", "rich", "click", "asyncio", "multiprocessing")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["replay", "--help"], ["frobnicate"]])
def test_nothing_heavy_is_imported_to_answer(arguments: list[str]) -> None:
    program = (
        "import sys, json, contextlib\nfrom sdrbridge.cli import run\n"
        f"with contextlib.suppress(SystemExit): run({arguments!r})\n"
        f"print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(result.stderr.splitlines()[-1]) == []


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sdrbridge {__version__}\n"


def test_the_version_is_the_one_of_the_project() -> None:
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert f'version = "{__version__}"' in pyproject.read_text()


@pytest.mark.parametrize("active", ["high", "low"])
def test_check_warns_of_a_line_that_keys_when_nobody_drives_it(
    active: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "donor-radio.toml"
    text = (Path(__file__).parents[2] / "configs" / "donor-radio.toml").read_text()
    assert '"serial:/dev/ttyUSB0,line=rts"' in text
    site.write_text(text.replace("ttyUSB0,line=rts", f"ttyUSB0,line=rts,active={active}"))
    assert run(["check", str(site), "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert run(["check", str(site)]) == 0
    said = capsys.readouterr().err
    if active == "high":
        assert warnings == [] and said == ""
    else:
        (warning,) = warnings
        assert "on the air whenever nobody drives RTS" in warning and warning in said
