"""Error rates of the P25 modem beside what the standard's receivers and a plain differential receiver reach.

Every row has a floor and a ceiling: better than the floor is to be recorded here. Measured values stand behind.
"""

import pytest

from dsp.p25.modulator import C4fmModulator, CqpskModulator
from tests.curves.p25_scores import score
from tests.dsp.p25.scenes import Path

pytestmark = pytest.mark.curve


@pytest.mark.parametrize(
    ("ebn0_db", "least", "most"),
    [
        (4.0, 0.062, 0.078),  # 0.072; discriminator and D(f): 0.089
        (5.0, 0.042, 0.052),  # 0.048; 0.065
        (5.2, 0.038, 0.049),  # 0.045: below 5 % at 5.2 dB
        (6.0, 0.015, 0.030),  # 0.0445
        (8.0, 0.001, 0.009),  # 0.0166
    ],
)
def test_c4fm_in_noise(ebn0_db: float, least: float, most: float) -> None:
    assert least < score(C4fmModulator, Path(ebn0_db), 60, 1).ber < most


@pytest.mark.parametrize(("ebn0_db", "least", "most"), [(4.0, 0.048, 0.062), (5.0, 0.025, 0.040)])
def test_lsm_in_noise(ebn0_db: float, least: float, most: float) -> None:
    assert least < score(CqpskModulator, Path(ebn0_db), 60, 1).ber < most


@pytest.mark.parametrize("make", [C4fmModulator, CqpskModulator])
def test_strong_signals_have_no_error_floor(make: type[C4fmModulator] | type[CqpskModulator]) -> None:
    found = score(make, Path(30.0), 60, 2)
    assert found.ber < 1e-4
    assert found.bits > 90_000


@pytest.mark.parametrize("make", [C4fmModulator, CqpskModulator])
def test_the_equaliser_costs_nothing_without_a_second_ray(
    make: type[C4fmModulator] | type[CqpskModulator],
) -> None:
    """0.1 dB is 3 % of the error rate here."""
    for ebn0_db in (4.0, 6.0):
        both = score(make, Path(ebn0_db), 60, 3).ber
        fixed = score(make, Path(ebn0_db), 60, 3, prefer=0).ber
        assert both < 1.03 * fixed


@pytest.mark.parametrize("offset_hz", [-1500.0, 1500.0])
def test_frequency_error_costs_nothing(offset_hz: float) -> None:
    assert score(C4fmModulator, Path(5.0, offset_hz=offset_hz), 60, 1).ber < 0.052


def test_neighbour_40_db_stronger_costs_little() -> None:
    assert score(C4fmModulator, Path(5.0), 60, 1, neighbour_db=40.0).ber < 0.054


@pytest.mark.parametrize(
    ("deviation_hz", "ebn0_db"),
    [
        (1530.0, 6.2),  # 1.4 dB are lost with the deviation itself
        (2070.0, 6.2),
    ],
)
def test_deviation_of_15_percent(deviation_hz: float, ebn0_db: float) -> None:
    assert score(C4fmModulator, Path(ebn0_db), 60, 1, deviation_hz=deviation_hz).ber < 0.05


@pytest.mark.parametrize(
    ("delay_s", "doppler_hz", "least", "most"),
    [
        # Share of units with more than 5 % errors; every unit begins cold, so a sync lost in a fade is a unit lost.
        (0.0, 5.0, -0.01, 0.01),
        (50e-6, 5.0, -0.01, 0.045),  # 0.01 … 0.035
        (80e-6, 5.0, 0.0, 0.06),  # 0.035; a plain differential receiver: 0.23 with fading frozen for the unit
        (100e-6, 5.0, 0.0, 0.08),  # 0.05
        (80e-6, 0.05, 0.0, 0.06),  # 0.045
        (80e-6, 20.0, 0.1, 0.45),  # 0.35
    ],
)
def test_lsm_of_two_sites(delay_s: float, doppler_hz: float, least: float, most: float) -> None:
    path = Path(30.0, delay_s=delay_s, doppler_hz=doppler_hz, site_hz=1.5)
    assert least < score(CqpskModulator, path, 300, 4).failed <= most
