"""Shared by all tests: where things are, and the corpus when it is there."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> dict[str, dict[str, Any]]:
    """The signal corpus by id, each entry with its `path`; the test is skipped where the folder is not there."""
    index = CORPUS / "corpus.json"
    if not index.exists():
        pytest.skip("the signal corpus is not beside this checkout")
    return {e["id"]: {**e, "path": CORPUS / e["file"]} for e in json.loads(index.read_text())["entries"]}
