"""Vocoders as a site file names them: NAME or NAME:PLACE, for `dsp.vocoder.registry`.

Only the standard library is imported here: site files are read by the command line, and NumPy takes longer than all the
rest of it.
"""

OWN_VOCODER = "imbe"
"""Who speaks for digital channels where the site file does not say it: the project's own codec."""

_CHIP = "dvsi:"

_USUAL_PORT = ":2460"
"""AMBEserver's, which need not be written."""


def problem(spec: str) -> str | None:
    """What is wrong with a name; None if there is a vocoder of that name. Opens nothing."""
    if spec == OWN_VOCODER:
        return None
    from dsp.vocoder import registry

    return registry.problem(spec)


def claims(spec: str) -> tuple[str, ...]:
    """What of the machine a stream with this vocoder needs for itself, in words.

    A chip serves one stream (`hw.dvsi` asks for one, whatever the chip has), however its place is spelled.
    """
    if not spec.startswith(_CHIP):
        return ()
    return (f"the vocoder {spec.partition(',')[0].removesuffix(_USUAL_PORT)}",)
