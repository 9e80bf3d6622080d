"""The list of Cython extensions and their directives; everything else about the project is in pyproject.toml."""

import os
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

# One kernel, one file: every `_name.pyx` under `dsp` is an extension of the same dotted name.
KERNELS = sorted(Path("dsp").rglob("_*.pyx"))

# SDRBRIDGE_CHECKED=1 builds with bounds and wraparound checks on; CI runs the kernel tests on both builds.
CHECKED = os.environ.get("SDRBRIDGE_CHECKED") == "1"

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "wraparound": CHECKED,
    "initializedcheck": CHECKED,
    "cdivision": True,
    "embedsignature": False,
    "autotestdict": False,
}

# -ffp-contract=off: a fused multiply-add rounds differently from a multiply and an add, so without it the vector body,
# the scalar tail and the different target_clones of one loop would give different last bits.
COMPILE = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]

# Reductions may be reassociated in these files only (a dot product cannot be vectorised otherwise).
REASSOCIATE = ["-fassociative-math", "-fno-signed-zeros"]
REASSOCIATED: set[str] = set()


def extension(path: Path) -> Extension:
    name = ".".join(path.with_suffix("").parts)
    flags = COMPILE + (REASSOCIATE if name in REASSOCIATED else [])
    if sys.platform == "win32":
        flags = ["/O2"]
    return Extension(
        name,
        [str(path)],
        include_dirs=["dsp", numpy.get_include()],
        depends=sorted(str(p) for p in Path("dsp").rglob("*.h")),
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=flags,
    )


setup(
    ext_modules=cythonize(
        [extension(p) for p in KERNELS],
        compiler_directives=DIRECTIVES,
        nthreads=0,
        quiet=True,
    )
)
