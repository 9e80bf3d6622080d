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


PERIODS = np.arange(42, 245) / 2
FILLS = (0.0, 0.003, 0.01, 0.03, 0.06)


def symmetric(half: Array) -> Array:
    """A window from its half n = 0, 1, …"""
    return np.concatenate([half[:0:-1], half])


W_I, W_R, H_LPF = (symmetric(h) for h in (tables.PITCH_WINDOW, tables.REFINEMENT_WINDOW, tables.LOW_PASS))


def window_spectrum(k: NDArray[np.int64]) -> Array:
    """W_R(k): eq. 30."""
    n = np.arange(-110, 111)
    return np.asarray(np.cos(2 * np.pi * np.outer(k, n) / 16384) @ W_R)


SPECTRUM_R = window_spectrum(np.arange(8193))


def quantised(t: Array, count: int) -> list[int]:
    """b₂ … b_(L+1) of residuals t[1 … L]: eq. 58 to 64."""
    width, step = tables.allocation(count), (0.0, 0.0, 0.0, *tables.steps(count))

    def number(m: int, value: float) -> int:
        if width[m] == 0:
            return 0
        return int(np.clip(np.floor(value / step[m]) + 2 ** (width[m] - 1), 0, 2 ** width[m] - 1))

    means, shapes, at = [], [], 1
    for length in tables.block_lengths(count):
        part = t[at : at + length]
        j = np.arange(length) + 0.5
        c = [float((part * np.cos(np.pi * k * j / length)).mean()) for k in range(length)]
        means.append(c[0])
        shapes += c[1:]
        at += length
    i = np.arange(6) + 0.5
    gains = [float((np.array(means) * np.cos(np.pi * k * i / 6)).mean()) for k in range(6)]
    b2 = int(np.argmin(np.abs(tables.GAIN_LEVELS - gains[0])))
    return [b2] + [number(m, v) for m, v in enumerate(gains[1:] + shapes, start=3)]


class Encoder:
    """One stream; `encode` takes 160 samples at full scale ±1 and returns packed speech bits."""

    def __init__(self) -> None:
        self.x1 = self.y1 = 0.0
        self.signal = np.zeros(960)
        self.errors = [np.ones(203)] * 3
        self.place, self.error1, self.error2 = 158, 0.0, 0.0
        self.voiced = np.zeros(13, dtype=bool)
        self.loudest = 20000.0
        self.log_m = np.zeros(31)
        self.toggle = 0

    def encode(self, samples: Array) -> NDArray[np.uint8]:
        self.signal[:-160] = self.signal[160:].copy()
        for i, x in enumerate(32768.0 * samples.astype(float)):
            self.y1 = x - self.x1 + 0.99 * self.y1
            self.y1 *= abs(self.y1) >= 1e-20
            self.x1 = x
            self.signal[800 + i] = self.y1
        self.errors = [*self.errors[1:], self._errors(960 - 160)]
        place = self._track()
        x = np.zeros(256)
        x[np.arange(-110, 111) % 256] = self.signal[480 - 110 : 480 + 111] * W_R
        spectrum = np.fft.rfft(x)
        tone = self._tones(spectrum)
        if tone is not None:
            return self._code(*tone)
        place = self._octave(spectrum, place)
        eighths = self._refined(spectrum, place)
        pitch = (eighths - 156) // 4
        bits, m = self._voicing(spectrum, 16 * np.pi / eighths, pitch, float(self.errors[0][place]))
        return self._code(pitch, bits, m)

    def _errors(self, centre: int) -> Array:
        """E(P): eq. 5 to 9."""
        smooth = np.convolve(self.signal, H_LPF, "same")
        smooth[-10:] = 0.0
        s = np.zeros(301)
        known = smooth[centre - 150 : centre + 151]
        s[: len(known)] = known
        sw = s * W_I**2
        energy = float((s**2 * W_I**2).sum())
        if energy < 1e-3:
            return np.ones(203)
        r = np.correlate(sw, sw, "full")[300:]
        out = []
        for p in PERIODS:
            lags = np.arange(1, int(150 / p) + 1) * p
            whole = np.floor(lags).astype(int)
            total = r[0] + 2 * ((1 + whole - lags) * r[whole] + (lags - whole) * r[whole + 1]).sum()
            out.append((energy - p * total) / (energy * (1 - p * (W_I**4).sum())))
        return np.array(out)

    def _track(self) -> int:
        """Eq. 10 to 23."""
        e0, e1, e2 = self.errors

        def near(i: int) -> NDArray[np.bool_]:
            # Whole numbers of tenths of half samples: 0.8·P and 1.2·P are met exactly.
            tenths = np.arange(42, 245) * 10
            return (tenths >= 8 * (42 + i)) & (tenths <= 12 * (42 + i))

        def least(e: Array) -> Array:
            return np.array([e[near(i)].min() for i in range(203)])

        forward = e0 + least(e1 + least(e2))

        def submultiple(place: int) -> int:
            cost = forward[place]
            for n in range((42 + place) // 42, 1, -1):
                i = int(np.floor((42 + place) / n + 0.5)) - 42
                c = forward[i]
                if (c <= 0.85 and c <= 1.7 * cost) or (c <= 0.4 and c <= 3.5 * cost) or c <= 0.05:
                    return i
            return place

        back = int(np.argmin(np.where(near(self.place), e0, np.inf)))
        behind = e0[back] + self.error1 + self.error2
        ahead = submultiple(int(np.argmin(forward)))
        chosen = back if behind <= 0.48 or behind <= forward[ahead] else ahead
        self.error2, self.error1, self.place = self.error1, float(e0[chosen]), chosen
        return chosen

    @staticmethod
    def _bins(w0: float, l: int) -> tuple[int, int]:  # noqa: E741
        """⌈a_l⌉ and ⌈b_l⌉: eq. 26, 27."""
        low, high = (int(np.ceil(256 / (2 * np.pi) * (l + d) * w0)) for d in (-0.5, 0.5))
        return max(low, 0), min(high, 129)

    def _fit(self, spectrum: NDArray[np.complex128], w0: float, l: int) -> tuple[NDArray[np.complex128], Array]:  # noqa: E741
        """What harmonic l leaves unexplained in its bins, and W_R in them: eq. 25, 28."""
        low, high = self._bins(w0, l)
        m = np.arange(low, high)
        w = SPECTRUM_R[np.abs(np.floor(64 * m - 16384 / (2 * np.pi) * l * w0 + 0.5).astype(int))]
        s = spectrum[low:high]
        return s - (s * w).sum() / (w**2).sum() * w, w

    def _excess(self, spectrum: NDArray[np.complex128], eighths: int) -> float:
        """Eq. 24 from bin 4."""
        w0 = 16 * np.pi / eighths
        top = int(np.floor((0.9254 * np.pi / w0 - 0.5) * 256 * w0 / (2 * np.pi)))
        total, l = 0.0, 0  # noqa: E741
        while self._bins(w0, l)[0] <= top:
            low, high = self._bins(w0, l)
            m = np.arange(low, high)
            rest, _ = self._fit(spectrum, w0, l)
            total += float((np.abs(rest[(m >= 4) & (m <= top)]) ** 2).sum())
            l += 1  # noqa: E741
        return total

    def _refined(self, spectrum: NDArray[np.complex128], place: int) -> int:
        tries = 4 * (42 + place) - 9 + 2 * np.arange(10)
        return int(tries[np.argmin([self._excess(spectrum, int(t)) for t in tries])])

    def _octave(self, spectrum: NDArray[np.complex128], place: int) -> int:
        energy = float((np.abs(spectrum[4:118]) ** 2).sum())
        whole = self._excess(spectrum, self._refined(spectrum, place))
        for n in range((42 + place) // 42, 1, -1):
            i = int(np.floor((42 + place) / n + 0.5)) - 42
            part = self._excess(spectrum, self._refined(spectrum, i))
            if part < 0.02 * energy and part < 1.2 * whole + 0.001 * energy:
                self.place = i
                return i
        return place

    def _voicing(self, spectrum: NDArray[np.complex128], w0: float, pitch: int, error: float) -> tuple[int, Array]:
        """Eq. 34 to 44."""
        count = tables.harmonics(pitch)
        bands = tables.bands(count)
        power = np.abs(spectrum) ** 2
        lf, hf = power[:64].sum() / W_R.sum() ** 2, power[64:].sum() / W_R.sum() ** 2
        total = lf + hf
        if total > self.loudest:
            self.loudest = 0.5 * (self.loudest + total)
        else:
            self.loudest = max(20000.0, 0.99 * self.loudest + 0.01 * total)
        lively = (0.0025 * self.loudest + total) / (0.01 * self.loudest + total)
        if lf < 5 * hf:
            lively *= np.sqrt(lf / (5 * hf))
        m, bits, voiced = np.zeros(count + 1), 0, np.zeros(13, dtype=bool)
        for k in range(1, bands + 1):
            harmonics = range(3 * k - 2, (3 * k if k < bands else count) + 1)
            wrong = sum(float((np.abs(self._fit(spectrum, w0, h)[0]) ** 2).sum()) for h in harmonics)
            everything = sum(float(power[slice(*self._bins(w0, h))].sum()) for h in harmonics)
            threshold = (0.5625 if self.voiced[k] else 0.45) * (1 - 0.3096 * (k - 1) * w0) * lively
            if error > 0.5 and k >= 2:
                threshold = 0.0
            voiced[k] = wrong < threshold * everything
            bits = 2 * bits + int(voiced[k])
            for l in harmonics:  # noqa: E741
                low, high = self._bins(w0, l)
                if voiced[k]:
                    m[l] = np.sqrt(power[low:high].sum() / (self._fit(spectrum, w0, l)[1] ** 2).sum())
                else:
                    m[l] = np.sqrt(power[low:high].sum() / (high - low)) / W_R.sum()
        self.voiced = voiced
        return bits, m

    def _tones(self, spectrum: NDArray[np.complex128]) -> tuple[int, int, Array] | None:
        power = np.abs(spectrum) ** 2
        total = power.sum()
        if total < 100 * W_R.sum() ** 2:
            return None
        lines: list[tuple[float, float]] = []
        while sum(e for _, e in lines) <= 0.98 * total:
            if len(lines) == 2 or (lines and lines[0][1] < 0.49 * total):
                return None
            top = int(np.argmax(power[2:120])) + 2
            a, b, c = np.log2(power[top - 1 : top + 2] + 1e-9)
            place = top + (0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c < 0 else 0.0)
            near = slice(max(top - 3, 0), top + 4)
            lines.append((place, power[near].sum()))
            power[near] = 0.0
        if min(place for place, _ in lines) < 14.5:
            return None
        best, least = 0, np.inf
        for pitch in range(208):
            spacing, count = 512 / (pitch + 39.5), tables.harmonics(pitch)
            numbers = [int(np.floor(place / spacing + 0.5)) for place, _ in lines]
            if len(set(numbers)) < len(lines):
                continue
            cost = max(abs(min(h, count) * spacing / place - 1) for h, (place, _) in zip(numbers, lines))
            cost += 0.0008 * (count - 9)
            if cost < least:
                best, least = pitch, cost
        spacing, count = 512 / (best + 39.5), tables.harmonics(best)
        m, self.voiced = np.zeros(count + 1), np.zeros(13, dtype=bool)
        for place, energy in lines:
            k = np.arange(int(place) - 3, int(place) + 5)
            w = SPECTRUM_R[np.abs(np.floor(64 * k - 64 * place + 0.5).astype(int))]
            l = min(int(np.floor(place / spacing + 0.5)), count)  # noqa: E741
            m[l] = np.sqrt(energy / (w**2).sum())
            self.voiced[min((l + 2) // 3, tables.bands(count))] = True
            if place == lines[0][0]:
                loud = m[l]
        m = np.maximum(m, 0.025 * loud)
        bits = int("".join(str(int(v)) for v in self.voiced[1 : tables.bands(count) + 1]), 2)
        return best, bits, m

    def _code(self, pitch: int, voicing: int, m: Array) -> NDArray[np.uint8]:
        """Eq. 52 to 64, five times, and the trial of least error in loudness."""
        count = tables.harmonics(pitch)
        predicted = prediction(self.log_m, count)
        wanted = np.log2(np.maximum(m, 0.125))
        rms = np.sqrt((m[1:] ** 2).mean())
        best: tuple[float, list[int], Array] | None = None
        for fill in FILLS:
            trial = quantised(np.maximum(wanted, np.log2(max(fill * rms, 0.125))) - predicted, count)
            b = [pitch, voicing, *trial, 0]
            made = residuals(b, count) + predicted
            error = float(((2 ** (0.35 * made[1:]) - 2 ** (0.35 * wanted[1:])) ** 2).sum())
            if best is None or error < best[0]:
                best = (error, b, made)
        assert best is not None
        _, b, self.log_m = best
        self.log_m[0] = 0.0
        self.toggle = 1 - self.toggle
        b[-1] = self.toggle
        return np.packbits([b[k] >> weight & 1 for k, weight in placement(count)])
