"""The full-rate vocoder by NumPy, one equation of TIA-102.BABA-A after the other, slow and obvious.

Arrays of harmonics are counted from 1, place 0 is not used (or is M₀ where the standard has one).
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from dsp.fec import golay, hamming
from dsp.vocoder.imbe import tables
from dsp.vocoder.imbe.priority import placement

Array = NDArray[np.float64]
SPANS = np.cumsum([0, *tables.VECTOR_BITS])


def protect(speech: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """144 channel bits of 11 packed bytes: figures 23 to 25, eq. 84 to 94."""
    bits = np.unpackbits(speech)
    u = [int("".join(map(str, bits[a:b])), 2) for a, b in itertools.pairwise(SPANS)]
    words = [golay.encode23(x) for x in u[:4]] + [hamming.encode15(x) for x in u[4:7]] + [u[7]]
    pseudo = [16 * u[0]]
    for _ in range(114):
        pseudo.append((173 * pseudo[-1] + 13849) % 65536)
    noise = [p // 32768 for p in pseudo]
    code: list[int] = []
    at = 1
    for i, (word, width) in enumerate(zip(words, tables.CODE_BITS)):
        plain = [word >> (width - 1 - k) & 1 for k in range(width)]
        if 0 < i < 7:
            plain = [a ^ b for a, b in zip(plain, noise[at : at + width])]
            at += width
        code += plain
    return np.array(code, dtype=np.uint8)[tables.interleave()]


def quantiser_values(speech: NDArray[np.uint8]) -> tuple[list[int], int]:
    """b₀ … b_(L+2) and L; (…, 0) for a reserved pitch."""
    bits = np.unpackbits(speech)
    pitch = int("".join(map(str, bits[:6])) + "".join(map(str, bits[85:87])), 2)
    if pitch > 207:
        return [pitch], 0
    count = int(0.9254 * np.floor((pitch + 39.5) / 4 + 0.25))
    b = [0] * (count + 3)
    for bit, (m, weight) in zip(bits, placement(count)):
        b[m] |= int(bit) << weight
    return b, count


def residuals(b: list[int], count: int) -> Array:
    """T₁ … T_L: eq. 65 to 74."""
    width, step = tables.allocation(count), (0.0, 0.0, 0.0, *tables.steps(count))

    def level(m: int) -> float:
        return step[m] * (b[m] - 2 ** (width[m] - 1) + 0.5) if width[m] else 0.0

    gain = [tables.GAIN_LEVELS[b[2]]] + [level(m) for m in range(3, 8)]
    out, m = [0.0], 8
    for i, length in enumerate(tables.block_lengths(count)):
        c = [sum((1 if k == 0 else 2) * gain[k] * np.cos(np.pi * k * (i + 0.5) / 6) for k in range(6))]
        for _ in range(1, length):
            c.append(level(m))
            m += 1
        for j in range(length):
            out.append(sum((1 if k == 0 else 2) * c[k] * np.cos(np.pi * k * (j + 0.5) / length) for k in range(length)))
    return np.array(out)


def prediction(past: Array, count: int) -> Array:
    """Eq. 55 and 75 to 79: what is added to T_l; past[0] = log₂ M₀ = 0."""
    rho = 0.4 if count <= 15 else 0.03 * count - 0.05 if count <= 24 else 0.7
    l = np.arange(count + 1)  # noqa: E741
    places = (len(past) - 1) * l / count
    p = np.interp(places, np.arange(len(past)), past)
    out = rho * (p - p[1:].mean())
    return np.asarray(out)


def enhanced(m: Array, w0: float) -> Array:
    """Eq. 105 to 110."""
    l = np.arange(1, len(m))  # noqa: E741
    x = m[1:]
    r0, r1 = (x**2).sum(), (x**2 * np.cos(w0 * l)).sum()
    w = (
        np.sqrt(x)
        * (0.96 * np.pi * (r0**2 + r1**2 - 2 * r0 * r1 * np.cos(w0 * l)) / (w0 * r0 * (r0**2 - r1**2))) ** 0.25
    )
    y = np.where(8 * l <= len(x), x, np.clip(w, 0.5, 1.2) * x)
    return np.concatenate([[0.0], y * np.sqrt(r0 / (y**2).sum())])


class Decoder:
    """One stream; `decode` takes packed speech bits and the seven error counts (or None: erased)."""

    def __init__(self) -> None:
        self.w0, self.count = 0.02985 * np.pi, 30
        self.log_m = np.zeros(31)
        self.m, self.v = np.zeros(57), np.zeros(57, dtype=bool)
        self.phi, self.psi = np.zeros(57), np.zeros(57)
        self.noise = 3147
        self.tail = np.zeros(256)
        self.error_rate, self.local_energy, self.limit, self.energy = 0.0, 75000.0, 20480.0, 0.0
        self.erasures = 0

    def decode(self, speech: NDArray[np.uint8], errors: NDArray[np.int32] | None) -> tuple[Array, bool, bool]:
        """(160 samples at full scale ±1, repeated, muted)."""
        b, count = quantiser_values(speech)
        total = 0
        repeat = errors is None
        self.erasures = self.erasures + 1 if errors is None else 0
        if errors is not None:
            total = int(errors.sum())
            self.error_rate = 0.95 * self.error_rate + 0.000365 * total
            repeat = count == 0 or bool(errors[0] >= 2 and total >= 10 + 40 * self.error_rate)
        mute = self.error_rate > 0.0875 or self.erasures > 3
        repeat |= mute
        w0, m, v = self.w0, self.m.copy(), self.v.copy()
        if not repeat:
            w0 = 4 * np.pi / (b[0] + 39.5)
            self.log_m = residuals(b, count) + prediction(self.log_m, count)
            self.log_m[0] = 0.0
            plain = 2.0**self.log_m
            m, v = np.zeros(57), np.zeros(57, dtype=bool)
            m[: count + 1] = enhanced(plain, w0)
            bands = tables.bands(count)
            for l in range(1, count + 1):  # noqa: E741
                v[l] = b[1] >> (bands - min((l + 2) // 3, bands)) & 1
            self.energy = float((plain[1:] ** 2).sum())
        else:
            count = self.count
        hamming_errors = 0 if errors is None else int(errors[4])
        self._smooth(hamming_errors, total, m, v)
        u = [(171 * self.noise + 11213) % 53125]
        for _ in range(208):
            u.append((171 * u[-1] + 11213) % 53125)
        if mute:
            sound = np.array(u[:160]) / 5312.5 - 5.0
            self.tail = np.zeros(256)
        else:
            sound = self._unvoiced(np.array(u, dtype=float), w0, count, m, v)
            sound = sound + self._voiced(np.array(u, dtype=float), w0, count, m, v)
        self.w0, self.count, self.m, self.v = w0, count, m, v
        for _ in range(160):
            self.noise = (171 * self.noise + 11213) % 53125
        return np.clip(sound, -32768, 32767) / 32768, repeat, mute

    def _smooth(self, hamming_errors: int, total: int, m: Array, v: NDArray[np.bool_]) -> None:
        """Eq. 111 to 116, in place."""
        self.local_energy = max(0.95 * self.local_energy + 0.05 * self.energy, 10000.0)
        if self.error_rate > 0.005 or total > 4:
            threshold = 1.414 * self.local_energy**0.375
            if self.error_rate <= 0.0125 and hamming_errors == 0:
                threshold = 45.255 * self.local_energy**0.375 * 2.0 ** (-400 * self.error_rate)
            v |= m > threshold
        if self.error_rate <= 0.005 and total <= 6:
            self.limit = 20480.0
        else:
            self.limit += 6000 - 300 * total
        m *= min(1.0, self.limit / max(m.sum(), 1e-30))

    def _unvoiced(self, u: Array, w0: float, count: int, m: Array, v: NDArray[np.bool_]) -> Array:
        """Eq. 117 to 126."""
        n = np.arange(-104, 105)
        ws = np.array([tables.synthesis_window(int(k)) for k in n])
        spectrum = np.zeros(256, dtype=complex)
        spectrum = np.exp(-2j * np.pi * np.outer(np.arange(256), n) / 256) @ (u * ws)
        shaped = np.zeros(256, dtype=complex)
        half = tables.REFINEMENT_WINDOW
        wr = np.concatenate([half[:0:-1], half])
        scale = wr.sum() * np.sqrt((ws**2).sum() / (wr**2).sum())
        for l in range(1, count + 1):  # noqa: E741
            a, b = (int(np.ceil(256 / (2 * np.pi) * (l + d) * w0)) for d in (-0.5, 0.5))
            if v[l]:
                continue
            rms = np.sqrt((np.abs(spectrum[a:b]) ** 2).mean())
            shaped[a:b] = scale * m[l] * spectrum[a:b] / rms
        shaped[129:] = shaped[127:0:-1].conj()
        fresh = np.fft.ifft(shaped).real
        k = np.arange(160)
        w_old = np.array([tables.synthesis_window(int(i)) for i in k])
        w_new = np.array([tables.synthesis_window(int(i) - 160) for i in k])
        old = np.where(k < 128, self.tail[k % 256], 0.0)
        new = np.where(k >= 32, fresh[(k - 160) % 256], 0.0)
        self.tail = fresh
        return np.asarray((w_old * old + w_new * new) / (w_old**2 + w_new**2))

    def _voiced(self, u: Array, w0: float, count: int, m: Array, v: NDArray[np.bool_]) -> Array:
        """Eq. 127 to 141."""
        n = np.arange(160)
        ws_old = np.array([tables.synthesis_window(int(k)) for k in n])
        ws_new = np.array([tables.synthesis_window(int(k) - 160) for k in n])
        harmonics = np.arange(57)
        psi = self.psi + (self.w0 + w0) * harmonics * 80
        psi -= 2 * np.pi * np.floor(psi / (2 * np.pi) + 0.5)
        unvoiced = count - int(v[1 : count + 1].sum())
        phi = psi.copy()
        for l in range(count // 4 + 1, max(self.count, count) + 1):  # noqa: E741
            phi[l] += unvoiced * (2 * np.pi * u[l - 1] / 53125 - np.pi) / count
        sound = np.zeros(160)
        for l in range(1, max(self.count, count) + 1):  # noqa: E741
            before, now = bool(self.v[l]), bool(v[l])
            if before and now and l < 8 and abs(w0 - self.w0) < 0.1 * w0:
                d = phi[l] - self.phi[l] - (self.w0 + w0) * l * 80
                bend = (d - 2 * np.pi * np.floor((d + np.pi) / (2 * np.pi))) / 160
                theta = self.phi[l] + (self.w0 * l + bend) * n + (w0 - self.w0) * l * n**2 / 320
                sound += 2 * (self.m[l] + n / 160 * (m[l] - self.m[l])) * np.cos(theta)
                continue
            if before:
                sound += 2 * ws_old * self.m[l] * np.cos(self.w0 * n * l + self.phi[l])
            if now:
                sound += 2 * ws_new * m[l] * np.cos(w0 * (n - 160) * l + phi[l])
        self.psi, self.phi = psi, phi
        return sound
