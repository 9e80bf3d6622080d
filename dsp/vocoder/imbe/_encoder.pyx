"""From 160 samples of speech to the 88 bits of a frame. See `encoder` for the whole and its clauses."""

cimport cython
from libc.math cimport ceil, floor, sqrt

from dsp.vocoder.imbe import tables
from dsp.vocoder.imbe._fourier cimport Fourier
from dsp.vocoder.imbe._math cimport TWO_PI, log2_of, exp2_of, sincos_of
from dsp.vocoder.imbe._model cimport MODEL

cdef enum:
    # Pitch periods 21, 21.5 … 122 samples (eq. 11), by their place on this grid.
    PERIODS = 203
    # Samples kept: 160 before the centre of the oldest frame and all since.
    HISTORY = 640
    # From the newest sample back to the centre of the frame that is coded.
    LOOK_AHEAD = 480
    # W_R of eq. 30 as far as it is looked at: half a harmonic is at most 6.45·64 steps, and one for rounding.
    WINDOW_BINS = 512

# Amplitudes below this are as good as none: the lowest gain level is 2^−2.84.
cdef double LEAST = 0.125

# Valleys of the spectrum are tried filled up to these parts of its RMS. A coder that must follow a valley of 50 dB runs
# out of quantiser range and bends the peaks beside it; filling costs a little noise instead. What counts is the error in
# loudness, the amplitude to the power of 0.35.
cdef enum:
    FILLS = 5
cdef double FILL[FILLS]
FILL[:] = [0.0, 0.003, 0.01, 0.03, 0.06]
cdef double LOUDNESS = 0.35

# Lowest bin (125 Hz) of the fits that choose the pitch. Eq. 24 starts at bin 50 (1.56 kHz), where radio speech has little.
cdef int LOWEST = 4

# Steady tones: this part of all energy stands in one or two lines, all of them above 453 Hz (14.5 bins), where no voice
# has its pitch; the other harmonics are filled up to this part of the tone.
cdef double TONE_SHARE = 0.98
cdef double TONE_LOWEST = 14.5
cdef double TONE_FILL = 0.025
# A harmonic more costs as much as being 0.08 % off the frequency: few harmonics have many bits each.
cdef double TONE_HARMONIC = 0.0008


@cython.final
cdef class Encoder:
    cdef Fourier fourier
    cdef double low_pass[11]
    cdef double window_sq[301]
    cdef double window_r[221]
    cdef double window_sum
    cdef double moment
    cdef double spectrum_r[WINDOW_BINS + 1]
    cdef int first[PERIODS]
    cdef int last[PERIODS]

    # High-pass of eq. 3, its output, and that through the low-pass of eq. 9; the newest sample stands last.
    cdef double x1
    cdef double y1
    cdef double signal[HISTORY]
    cdef double smooth[HISTORY]
    # E(P) of this frame and the next two, P̂₋₁ as a place on the grid, E₋₁(P̂₋₁) and E₋₂(P̂₋₂).
    cdef double error[3][PERIODS]
    cdef int period
    cdef double error1
    cdef double error2
    # Voicing of the last frame, ξ_max, what the decoder has of the last frame, and the bit that toggles.
    cdef unsigned char voiced[13]
    cdef double loudest
    cdef double log_amplitude[58]
    cdef int count
    cdef int toggle

    def __init__(self):
        cdef int n, k, i
        cdef double w, total, c, s
        self.fourier = Fourier()
        for n in range(11):
            self.low_pass[n] = tables.LOW_PASS[n]
        self.moment = 0.0
        for n in range(-150, 151):
            w = tables.PITCH_WINDOW[abs(n)]
            self.window_sq[n + 150] = w * w
            self.moment += w * w * w * w
        self.window_sum = 0.0
        for n in range(-110, 111):
            self.window_r[n + 110] = tables.REFINEMENT_WINDOW[abs(n)]
            self.window_sum += self.window_r[n + 110]
        for k in range(WINDOW_BINS + 1):
            total = self.window_r[110]
            for n in range(1, 111):
                sincos_of(TWO_PI * (k * n % 16384) / 16384, &c, &s)
                total += 2.0 * self.window_r[110 + n] * c
            self.spectrum_r[k] = total
        for i in range(PERIODS):
            # 0.8·P and 1.2·P in half samples: places (4·(42 + i) − 210)/5 and (6·(42 + i) − 210)/5.
            k = 4 * (42 + i) - 210
            self.first[i] = (k + 4) // 5 if k > 0 else 0
            self.last[i] = min(PERIODS - 1, (6 * (42 + i) - 210) // 5)
        self.reset()

    def reset(self):
        """Back to the state of Annex A."""
        cdef int i, k
        self.x1 = self.y1 = 0.0
        for i in range(HISTORY):
            self.signal[i] = self.smooth[i] = 0.0
        for k in range(3):
            for i in range(PERIODS):
                self.error[k][i] = 1.0
        self.period = 158
        self.error1 = self.error2 = 0.0
        for i in range(13):
            self.voiced[i] = 0
        self.loudest = 20000.0
        for i in range(58):
            self.log_amplitude[i] = 0.0
        self.count = 30
        self.toggle = 0

    def encode(self, const float[::1] samples, unsigned char[::1] speech):
        """(160,) samples, full scale ±1, into the (11,) packed bits of the frame centred 480 samples before their end."""
        with nogil:
            self.frame(&samples[0], &speech[0])

    cdef void frame(self, const float* samples, unsigned char* speech) noexcept nogil:
        cdef int b[64]
        cdef int period, refined
        cdef double re[129]
        cdef double im[129]
        cdef double amplitude[58]
        cdef double frequency
        self.take(samples)
        self.measure_periods(self.error[2])
        period = self.track()
        self.transform(re, im)
        if self.tones(re, im, b, amplitude):
            self.code(b, amplitude, speech)
            return
        period = self.octave(re, im, period)
        # Refined periods are odd numbers of eighths: P̂_I ± 1/8 … 9/8.
        refined = self.refine(re, im, period)
        frequency = TWO_PI * 8.0 / refined
        # Eq. 45: ⌊4π/ω₀ − 39⌋ = ⌊2·P − 39⌋, exactly.
        b[0] = (refined - 156) // 4
        self.voicing(re, im, frequency, b, self.error[0][period], amplitude)
        self.code(b, amplitude, speech)

    cdef void take(self, const float* samples) noexcept nogil:
        """High-pass (eq. 3) and low-pass (eq. 9) of 160 new samples; the low-pass is known up to ten before the newest."""
        cdef int i, k
        cdef double x, y
        for i in range(HISTORY - 160):
            self.signal[i] = self.signal[i + 160]
            self.smooth[i] = self.smooth[i + 160]
        for i in range(160):
            x = 32768.0 * samples[i]
            # Not a number, or beyond any converter: silence, or the rail.
            if x != x:
                x = 0.0
            elif x > 32767.0:
                x = 32767.0
            elif x < -32768.0:
                x = -32768.0
            y = x - self.x1 + 0.99 * self.y1
            # What rings on in digital silence would shrink to subnormal numbers in 9 s, which cost a hundred times the CPU.
            if -1e-20 < y < 1e-20:
                y = 0.0
            self.x1 = x
            self.y1 = y
            self.signal[HISTORY - 160 + i] = y
        for i in range(HISTORY - 170, HISTORY - 10):
            y = self.low_pass[0] * self.signal[i]
            for k in range(1, 11):
                y += self.low_pass[k] * (self.signal[i - k] + self.signal[i + k])
            self.smooth[i] = y
        for i in range(HISTORY - 10, HISTORY):
            self.smooth[i] = 0.0

    cdef void measure_periods(self, double* newest) noexcept nogil:
        """E(P) of the frame two ahead, centred 160 before the newest sample (eq. 5 to 8); the others move up."""
        cdef double x[512]
        cdef double r[160]
        cdef double energy = 0.0, v, period, total
        cdef const double* s = &self.smooth[HISTORY - LOOK_AHEAD + 320 - 150]
        cdef int i, t, lag
        for i in range(PERIODS):
            self.error[0][i] = self.error[1][i]
            self.error[1][i] = self.error[2][i]
        for i in range(512):
            x[i] = 0.0
        for i in range(301):
            x[i] = s[i] * self.window_sq[i]
            energy += s[i] * x[i]
        for t in range(160):
            r[t] = 0.0
        for i in range(301):
            v = x[i]
            for t in range(152):
                r[t] += v * x[i + t]
        for i in range(PERIODS):
            # In half samples: the period is 42 + i, the lag a multiple of it.
            total = 0.0
            lag = 42 + i
            while lag <= 300:
                if lag & 1:
                    total += 0.5 * (r[lag >> 1] + r[(lag >> 1) + 1])
                else:
                    total += r[lag >> 1]
                lag += 42 + i
            period = 0.5 * (42 + i)
            if energy < 1e-3:
                newest[i] = 1.0
            else:
                newest[i] = (energy - period * (r[0] + 2.0 * total)) / (energy * (1.0 - period * self.moment))

    cdef void near_least(self, const double* e, double* least) noexcept nogil:
        """least[i] = the least e within 0.8 … 1.2 of period i, by least values over runs of 2^k."""
        cdef double run[7][PERIODS]
        cdef int i, k, width
        for i in range(PERIODS):
            run[0][i] = e[i]
        for k in range(1, 7):
            width = 1 << (k - 1)
            for i in range(PERIODS - 2 * width + 1):
                run[k][i] = run[k - 1][i] if run[k - 1][i] < run[k - 1][i + width] else run[k - 1][i + width]
        for i in range(PERIODS):
            width = self.last[i] - self.first[i] + 1
            k = 0
            while 2 << k <= width:
                k += 1
            least[i] = run[k][self.first[i]]
            if run[k][self.last[i] - (1 << k) + 1] < least[i]:
                least[i] = run[k][self.last[i] - (1 << k) + 1]

    cdef int track(self) noexcept nogil:
        """P̂_I, the initial pitch (eq. 10 to 23), as a place on the grid."""
        cdef double ahead[PERIODS]
        cdef double forward[PERIODS]
        cdef double behind
        cdef int i, back, best = 0, part
        # Look back.
        back = self.first[self.period]
        for i in range(self.first[self.period], self.last[self.period] + 1):
            if self.error[0][i] < self.error[0][back]:
                back = i
        behind = self.error[0][back] + self.error1 + self.error2
        # Look ahead: CE_F of every period.
        self.near_least(self.error[2], ahead)
        for i in range(PERIODS):
            forward[i] = self.error[1][i] + ahead[i]
        self.near_least(forward, ahead)
        for i in range(PERIODS):
            forward[i] = self.error[0][i] + ahead[i]
            if forward[i] < forward[best]:
                best = i
        part = self.submultiple(forward, best)
        if behind > 0.48 and behind > forward[part]:
            back = part
        self.error2 = self.error1
        self.error1 = self.error[0][back]
        self.period = back
        return back

    cdef int submultiple(self, const double* cost, int place) noexcept nogil:
        """The smallest submultiple that fits about as well, or the period itself (eq. 18 to 20)."""
        cdef int i, n = (42 + place) // 42
        cdef double e
        while n >= 2:
            # (42 + place)/n half samples, to the nearest.
            i = (2 * (42 + place) + n) // (2 * n) - 42
            if i >= 0:
                e = cost[i]
                if (e <= 0.85 and e <= 1.7 * cost[place]) or (e <= 0.4 and e <= 3.5 * cost[place]) or e <= 0.05:
                    return i
            n -= 1
        return place

    cdef void transform(self, double* re, double* im) noexcept nogil:
        """S_w(m) of the frame that is coded, m = 0 … 128 (eq. 29)."""
        cdef double x[256]
        cdef int n
        for n in range(256):
            x[n] = 0.0
        for n in range(-110, 111):
            x[n & 255] = self.signal[HISTORY - LOOK_AHEAD + n] * self.window_r[n + 110]
        self.fourier.forward(x, re, im)

    cdef inline double response(self, int m, double place) noexcept nogil:
        """W_R(⌊64·m − place + ½⌋), `place` being l·ω₀ in steps of 2π/16384."""
        cdef int k = <int>floor(64.0 * m - place + 0.5)
        return self.spectrum_r[-k if k < 0 else k]

    cdef double misfit(
        self, const double* re, const double* im, double frequency, int l, int low, int high
    ) noexcept nogil:
        """Energy of bins low … high − 1, all of harmonic l, that its own line does not explain (eq. 24 to 28)."""
        cdef double spacing = 256.0 * frequency / TWO_PI
        cdef double place = 64.0 * spacing * l
        cdef int start = <int>ceil((l - 0.5) * spacing), stop = <int>ceil((l + 0.5) * spacing), m
        cdef double ar = 0.0, ai = 0.0, ww = 0.0, w, dr, di, out = 0.0
        if stop > 129:
            stop = 129
        if start < 0:
            start = 0
        for m in range(start, stop):
            w = self.response(m, place)
            ar += re[m] * w
            ai += im[m] * w
            ww += w * w
        if ww > 0.0:
            ar /= ww
            ai /= ww
        if low < start:
            low = start
        if high > stop:
            high = stop
        for m in range(low, high):
            w = self.response(m, place)
            dr = re[m] - ar * w
            di = im[m] - ai * w
            out += dr * dr + di * di
        return out

    cdef double excess(self, const double* re, const double* im, int eighths, int lowest) noexcept nogil:
        """Energy from bin `lowest` up that the harmonics of a period (in eighths of a sample) do not explain (eq. 24)."""
        cdef double frequency = TWO_PI * 8.0 / eighths, spacing = 2048.0 / eighths, e = 0.0
        cdef int top = <int>floor(118.4512 - 0.5 * spacing), l = <int>floor(lowest / spacing + 0.5)
        while <int>ceil((l - 0.5) * spacing) <= top:
            e += self.misfit(re, im, frequency, l, lowest, top + 1)
            l += 1
        return e

    cdef int refine(self, const double* re, const double* im, int period) noexcept nogil:
        """The period of least misfit among P̂_I ± 1/8 … 9/8, in eighths of a sample (clause 5.1.5)."""
        cdef int i, eighths, best = 0
        cdef double e, least = 0.0
        for i in range(10):
            eighths = 4 * (42 + period) - 9 + 2 * i
            e = self.excess(re, im, eighths, LOWEST)
            if i == 0 or e < least:
                least = e
                best = eighths
        return best

    cdef int octave(self, const double* re, const double* im, int period) noexcept nogil:
        """The shortest part of the period that explains a very clean spectrum as well as the whole of it.

        E(P) knows periods to half a sample, so twice a short period can look far better than the period itself, and the
        look-back then stays with it. Only for spectra explained to 2 %: with less, half of the harmonics missing and a
        little noise are hard to tell apart.
        """
        cdef int n = (42 + period) // 42, i, m
        cdef double total = 0.0, whole, e
        if n < 2:
            return period
        for m in range(LOWEST, 118):
            total += re[m] * re[m] + im[m] * im[m]
        whole = self.excess(re, im, self.refine(re, im, period), LOWEST)
        while n >= 2:
            i = (2 * (42 + period) + n) // (2 * n) - 42
            if i >= 0:
                e = self.excess(re, im, self.refine(re, im, i), LOWEST)
                if e < 0.02 * total and e < 1.2 * whole + 0.001 * total:
                    self.period = i
                    return i
            n -= 1
        return period

    cdef void voicing(
        self, const double* re, const double* im, double frequency, int* b, double error, double* amplitude
    ) noexcept nogil:
        """Which bands are voiced (eq. 34 to 42), and the amplitude of each harmonic (eq. 43 and 44)."""
        cdef int count = MODEL.count(b[0]), bands = MODEL.bands(count), k, l, m, low, high, top
        cdef double power[129]
        cdef double spacing = 256.0 * frequency / TWO_PI, place, w, ww
        cdef double lf = 0.0, hf = 0.0, total, lively, threshold, wrong, all
        cdef double scale = 1.0 / (self.window_sum * self.window_sum)
        for m in range(129):
            power[m] = re[m] * re[m] + im[m] * im[m]
        for m in range(64):
            lf += power[m]
        for m in range(64, 129):
            hf += power[m]
        lf *= scale
        hf *= scale
        total = lf + hf
        if total > self.loudest:
            self.loudest = 0.5 * (self.loudest + total)
        else:
            self.loudest = 0.99 * self.loudest + 0.01 * total
            if self.loudest < 20000.0:
                self.loudest = 20000.0
        lively = (0.0025 * self.loudest + total) / (0.01 * self.loudest + total)
        if lf < 5.0 * hf:
            lively *= sqrt(lf / (5.0 * hf))
        b[1] = 0
        for k in range(1, bands + 1):
            top = 3 * k if k < bands else count
            wrong = all = 0.0
            for l in range(3 * k - 2, top + 1):
                low = <int>ceil((l - 0.5) * spacing)
                high = <int>ceil((l + 0.5) * spacing)
                if high > 129:
                    high = 129
                wrong += self.misfit(re, im, frequency, l, low, high)
                for m in range(low, high):
                    all += power[m]
            threshold = (0.5625 if self.voiced[k] else 0.45) * (1.0 - 0.3096 * (k - 1) * frequency) * lively
            if error > 0.5 and k >= 2:
                threshold = 0.0
            self.voiced[k] = wrong < threshold * all
            b[1] = b[1] << 1 | self.voiced[k]
            for l in range(3 * k - 2, top + 1):
                low = <int>ceil((l - 0.5) * spacing)
                high = <int>ceil((l + 0.5) * spacing)
                if high > 129:
                    high = 129
                all = 0.0
                for m in range(low, high):
                    all += power[m]
                if self.voiced[k]:
                    place = 64.0 * spacing * l
                    ww = 0.0
                    for m in range(low, high):
                        w = self.response(m, place)
                        ww += w * w
                    amplitude[l] = sqrt(all / ww) if ww > 0.0 else 0.0
                else:
                    amplitude[l] = sqrt(all / (high - low)) / self.window_sum if high > low else 0.0
        for k in range(bands + 1, 13):
            self.voiced[k] = 0

    cdef double peak(self, double* power, double* energy) noexcept nogil:
        """Frequency (in bins) and energy of the strongest line of a spectrum, which is taken out of it."""
        cdef int m, top = 2
        cdef double a, c, e, place
        for m in range(2, 120):
            if power[m] > power[top]:
                top = m
        e = log2_of(power[top] + 1e-9)
        a = log2_of(power[top - 1] + 1e-9)
        c = log2_of(power[top + 1] + 1e-9)
        place = top + (0.5 * (a - c) / (a - 2.0 * e + c) if a - 2.0 * e + c < 0.0 else 0.0)
        energy[0] = 0.0
        for m in range(top - 3 if top > 3 else 0, top + 4):
            energy[0] += power[m]
            power[m] = 0.0
        return place

    cdef bint tones(self, const double* re, const double* im, int* b, double* amplitude) noexcept nogil:
        """One or two steady tones, as of pagers, alerts and key pads: a fundamental that has them as harmonics.

        Few harmonics have many bits each, and a line above the range of voices has no pitch of its own: of the
        fundamentals that meet the tones within 0.3 %, the highest is taken.
        """
        cdef double power[129]
        cdef double place[2]
        cdef double energy[2]
        cdef double total = 0.0, spacing, wrong, least = 1e9, w, ww, loud = 0.0
        cdef int m, n = 2, k, pitch, best = 0, l, count, bands
        for m in range(129):
            power[m] = re[m] * re[m] + im[m] * im[m]
            total += power[m]
        if total < 100.0 * self.window_sum * self.window_sum:
            return False
        place[0] = self.peak(power, &energy[0])
        if energy[0] > TONE_SHARE * total:
            n = 1
        elif energy[0] < 0.5 * TONE_SHARE * total:
            return False
        else:
            place[1] = self.peak(power, &energy[1])
            if energy[0] + energy[1] < TONE_SHARE * total:
                return False
        for k in range(n):
            if place[k] < TONE_LOWEST:
                return False
        for pitch in range(208):
            spacing = 512.0 / (pitch + 39.5)
            count = MODEL.count(pitch)
            wrong = 0.0
            for k in range(n):
                l = <int>floor(place[k] / spacing + 0.5)
                if l > count:
                    l = count
                w = l * spacing / place[k] - 1.0
                if w < 0.0:
                    w = -w
                if w > wrong:
                    wrong = w
            if n == 2 and floor(place[0] / spacing + 0.5) == floor(place[1] / spacing + 0.5):
                continue
            wrong += TONE_HARMONIC * (count - 9)
            if wrong < least:
                least = wrong
                best = pitch
        count = MODEL.count(best)
        bands = MODEL.bands(count)
        spacing = 512.0 / (best + 39.5)
        b[0] = best
        b[1] = 0
        for l in range(1, count + 1):
            amplitude[l] = 0.0
        for k in range(n):
            l = <int>floor(place[k] / spacing + 0.5)
            if l > count:
                l = count
            ww = 0.0
            for m in range(<int>place[k] - 3, <int>place[k] + 5):
                w = self.response(m, 64.0 * place[k])
                ww += w * w
            amplitude[l] = sqrt(energy[k] / ww)
            if k == 0:
                loud = amplitude[l]
            m = (l + 2) // 3
            if m > bands:
                m = bands
            b[1] |= 1 << (bands - m)
        for m in range(1, 13):
            self.voiced[m] = b[1] >> (bands - m) & 1 if m <= bands else 0
        for l in range(1, count + 1):
            if amplitude[l] < TONE_FILL * loud:
                amplitude[l] = TONE_FILL * loud
        return True

    cdef void code(self, int* b, const double* amplitude, unsigned char* speech) noexcept nogil:
        """Amplitudes to quantiser values to bits, and what the decoder makes of them for the next frame (clause 6.3)."""
        cdef int count = MODEL.count(b[0]), l, k
        cdef double predicted[58]
        cdef double wanted[58]
        cdef double loudness[58]
        cdef double made[58]
        cdef int trial[64]
        cdef double rms = 0.0, least, error, e, best = 0.0
        MODEL.prediction(self.log_amplitude, self.count, count, predicted)
        for l in range(1, count + 1):
            rms += amplitude[l] * amplitude[l]
            wanted[l] = log2_of(amplitude[l] if amplitude[l] > LEAST else LEAST)
            loudness[l] = exp2_of(LOUDNESS * wanted[l])
        rms = sqrt(rms / count)
        for k in range(FILLS):
            least = FILL[k] * rms
            least = log2_of(least if least > LEAST else LEAST)
            for l in range(1, count + 1):
                made[l] = (wanted[l] if wanted[l] > least else least) - predicted[l]
            MODEL.quantise(made, count, trial)
            MODEL.residual(trial, count, made)
            error = 0.0
            for l in range(1, count + 1):
                made[l] += predicted[l]
                e = exp2_of(LOUDNESS * made[l]) - loudness[l]
                error += e * e
            if k == 0 or error < best:
                best = error
                for l in range(2, count + 2):
                    b[l] = trial[l]
                for l in range(1, count + 1):
                    self.log_amplitude[l] = made[l]
        self.count = count
        self.toggle = 1 - self.toggle
        b[count + 2] = self.toggle
        MODEL.pack(b, count, speech)
