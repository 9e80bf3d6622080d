"""One file per verb: `run(options) -> int` calls into the bridge and prints the answer."""
