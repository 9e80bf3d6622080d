"""What an RTL2832U with its tuner can do: sample rates and gains. Shared by the USB driver and the rtl_tcp client.

Rates: librtlsdr, `rtlsdr_set_sample_rate`: 225001–300000 and 900001–3200000 samples per second; over 2.4 M samples get
lost on many machines. Gains: librtlsdr, `rtlsdr_get_tuner_gains`, in tenths of a dB.
"""

from hw.errors import Unsupported

RATES = ((225_001, 300_000), (900_001, 3_200_000))
"""Lowest and highest of each range, samples per second."""

CRYSTAL_HZ = 28_800_000

PREFERRED_RATES = (250_000, 1_000_000, 1_024_000, 1_200_000, 1_800_000, 2_048_000, 2_400_000, 2_560_000, 3_200_000)
"""Rates that divide the crystal well and are in common use; suggested when another is refused."""

LARGEST_PPM = 1000
"""Largest frequency correction accepted: ten times what the worst dongle needs."""

TUNERS = ("unknown", "E4000", "FC0012", "FC0013", "FC2580", "R820T", "R828D")
"""Names by the number that librtlsdr and the rtl_tcp header use (`enum rtlsdr_tuner`)."""

# fmt: off
_R82XX = (0, 9, 14, 27, 37, 77, 87, 125, 144, 157, 166, 197, 207, 229, 254, 280, 297, 328, 338, 364, 372, 386, 402,
          421, 434, 439, 445, 480, 496)
GAINS_TENTH_DB: dict[str, tuple[int, ...]] = {
    "E4000": (-10, 15, 40, 65, 90, 115, 140, 165, 190, 215, 240, 290, 340, 420),
    "FC0012": (-99, -40, 71, 179, 192),
    "FC0013": (-99, -73, -65, -63, -60, -58, -54, 58, 61, 63, 65, 67, 68, 70, 71, 179, 181, 182, 184, 186, 188, 191,
               197),
    "FC2580": (0,),
    "R820T": _R82XX,
    "R828D": _R82XX,
}
# fmt: on


def rate_is_possible(rate: int) -> bool:
    """Whether the chip can sample at that rate."""
    return any(low <= rate <= high for low, high in RATES)


def check_rate(name: str, rate: int) -> None:
    """Raise `Unsupported`, naming the device, the limits and the nearest right answer."""
    if not rate_is_possible(rate):
        nearest = min(PREFERRED_RATES, key=lambda r: abs(r - rate))
        raise Unsupported(
            f"{name}: rate = {rate} S/s is not one an RTL2832 can do (225001–300000 or 900001–3200000); "
            f"nearest in common use is {nearest}"
        )


def check_ppm(name: str, ppm: float) -> int:
    """The correction as the whole ppm the chip takes. Raises `Unsupported` out of range."""
    if not -LARGEST_PPM <= ppm <= LARGEST_PPM:
        raise Unsupported(f"{name}: ppm = {ppm} is out of range; the limit is ±{LARGEST_PPM}")
    return round(ppm)


def nearest_gain(gains_tenth_db: tuple[int, ...], gain_db: float) -> int:
    """The gain of the list nearest to `gain_db`, in tenths of a dB; of two equally near the lower."""
    return min(gains_tenth_db, key=lambda g: (abs(g - 10 * gain_db), g))
