"""What can be wrong with a call into `dsp`.

    DspError (ValueError)
    ├── RateError     a sample rate that a stage cannot work at
    ├── ShapeError    an array with the wrong shape, dtype or number of rows
    └── RangeError    a parameter outside its range (frequency, bandwidth, level, code …)

A bad signal is none of these: it is an event and a counter. A message names the thing, the value, the limit and the
nearest right answer.
"""


class DspError(ValueError):
    """Base of everything `dsp` raises."""


class RateError(DspError):
    """A sample rate that a stage cannot work at."""


class ShapeError(DspError):
    """An array with the wrong shape, dtype or number of rows."""


class RangeError(DspError):
    """A parameter outside its range."""
