"""The list of Cython extensions and their directives; everything else about the project is in pyproject.toml."""

import os
import re
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


INCLUDE = re.compile(r'''(?:extern from|#include|#define EACH_WIDTH)\s+"([^"]+\.h)"''')

CIMPORT = re.compile(r"^from ([\w.]+) cimport", re.MULTILINE)


def headers(path: Path) -> set[Path]:
    """The project's C headers that a kernel or header includes, directly or not; a change of one compiles it again."""
    found: set[Path] = set()
    for name in INCLUDE.findall(path.read_text()):
        for header in (path.parent / name, Path("dsp") / name):
            if header.exists() and header not in found:
                found |= {header} | headers(header)
                break
    for module in CIMPORT.findall(path.read_text()):
        declarations = Path(module.replace(".", "/")).with_suffix(".pxd")
        if declarations.exists():
            found |= headers(declarations)
    return found


def extension(path: Path) -> Extension:
    name = ".".join(path.with_suffix("").parts)
    flags = COMPILE + (REASSOCIATE if name in REASSOCIATED else [])
    if sys.platform == "win32":
        flags = ["/O2"]
    return Extension(
        name,
        [str(path)],
        include_dirs=["dsp", numpy.get_include()],
        depends=sorted(str(header) for header in headers(path)),
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=flags,
    )


setup(
    ext_modules=cythonize(
        [extension(p) for p in KERNELS],
        compiler_directives=DIRECTIVES,
        nthreads=0,
        quiet=True,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
