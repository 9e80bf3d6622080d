"""Loops of `dsp.tones.dcs`: soft bits at four phases, words, the turn-off tone. The method is told in the face."""

cimport cython
from libc.math cimport M_PI, atan2, cos, fabs, floor, sin, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t

cdef extern from "tones/_dcs.h" nogil:
    int32_t slice(const float* v, float two_levels, float least)

cdef enum:
    FRAME = 8           # samples at 1 kHz taken at once
    PHASES = 4          # of the bit clock
    KEPT = 64           # soft bits kept of each phase
    SUMS = 64           # running sums kept
    WORD = 23
    SHORT = 32          # bits that must agree well …
    LONG = 40           # … or fairly well
    BACK = 20           # bits in which the beginning is looked for
    HALF = 8            # frames in each half of the turn-off window: 64 ms
    QUIET_AFTER = 40    # frames after a turn-off in which no code is taken

cdef double BIT = 1000.0 / 134.4        # in samples at 1 kHz
cdef double TURN_OFF = 134.4
cdef double PURE = 0.5           # least share of the power that the turn-off tone holds in 128 ms …
cdef double HALF_PURE = 0.4      # … and in each half
cdef int64_t GONE = <int64_t>(0.25 * 134.4 * PHASES)        # 250 ms without the code, in steps of the clock

FRAMES_PER_CALL = 32


@cython.final
cdef class DcsBank:
    """State of all rows. See `dsp.tones.dcs.DcsDetector`."""

    cdef readonly int rows
    cdef int factor
    cdef int64_t start, count
    cdef float[:, :, ::1] soft
    cdef double[:, ::1] sums, tone_re, tone_im, tone_sum, tone_square, dc_re, dc_im
    cdef double[8][2] wave
    cdef double[2] dc
    cdef double[32][2] turn
    cdef int32_t[::1] lock, gate, quiet, frames
    cdef double[::1] amplitude
    cdef int64_t[::1] since, good, ended
    cdef int64_t[:, ::1] events
    cdef uint16_t[::1] parity
    cdef uint32_t[::1] errors
    cdef int16_t[::1] classes
    cdef int found

    def __init__(self, int rows, int factor, arrays, tables):
        self.rows, self.factor = rows, factor
        (self.soft, self.sums, self.tone_re, self.tone_im, self.tone_sum, self.tone_square, self.dc_re,
         self.dc_im, self.lock,
         self.gate, self.quiet, self.frames, self.amplitude, self.since, self.good, self.ended,
         self.events) = arrays
        cdef int j
        self.dc[0] = self.dc[1] = 0
        for j in range(FRAME):
            self.wave[j][0] = cos(2 * M_PI * TURN_OFF * 0.001 * j)
            self.wave[j][1] = sin(2 * M_PI * TURN_OFF * 0.001 * j)
            self.dc[0] += self.wave[j][0]
            self.dc[1] -= self.wave[j][1]
        self.parity, self.errors, self.classes = tables

    def begin(self, int64_t index):
        """Start a stretch of samples without a gap at `index`; what the rows are locked to stays."""
        cdef int r
        self.start, self.count = index, 0
        for r in range(self.rows):
            self.frames[r] = 0
            self.since[r] = 0
            # a whole word must come in before its absence counts
            self.good[r] = WORD * PHASES
            self.ended[r] = 0
            self.sums[r, 0] = 0

    def clear(self, int r):
        """Forget what has come in on one row."""
        self.since[r] = self._clock(self.count) + PHASES

    def process(self, const float[:, ::1] y, ptrdiff_t at, int frames):
        """Take y[:, at : at + 8 · frames] at 1 kHz, at most FRAMES_PER_CALL frames; returns the number of events written."""
        cdef int r, f
        cdef double angle
        self.found = 0
        if frames <= 0 or self.rows == 0:
            return 0
        with nogil:
            for f in range(frames):
                angle = TURN_OFF * 0.001 * FRAME * <double>(self.count + f)
                angle = 2 * M_PI * (angle - floor(angle))
                self.turn[f][0], self.turn[f][1] = cos(angle), sin(angle)
            for r in range(self.rows):
                for f in range(frames):
                    self._frame(r, self.count + f, &y[r, at + f * FRAME], self.turn[f][0], self.turn[f][1])
            self.count += frames
        return self.found

    cdef inline int64_t _clock(self, int64_t frame) noexcept nogil:
        """Steps of the bit clock (a quarter of a bit) before the end of the frame before `frame`."""
        return <int64_t>floor(frame * FRAME * PHASES / BIT)

    cdef inline int64_t _on_air(self, double sample) noexcept nogil:
        """Index of a moment counted in samples at 1 kHz: their centres lie 3·factor before the input they end with."""
        return self.start + <int64_t>floor(sample * self.factor) - 3 * self.factor - self.factor // 2

    cdef void _emit(self, int kind, int r, int64_t frame, int64_t index, int code) noexcept nogil:
        cdef int64_t decided = self.start + (frame + 1) * FRAME * self.factor
        if index < self.start and kind != 1:
            index = self.start
        self.events[self.found, 0] = kind
        self.events[self.found, 1] = r
        self.events[self.found, 2] = index if index < decided else decided
        self.events[self.found, 3] = decided
        self.events[self.found, 4] = code
        self.found += 1

    cdef void _lose(self, int r, int64_t frame, int64_t index) noexcept nogil:
        self._emit(1, r, frame, index, self.lock[r])
        self.lock[r] = -1

    cdef inline double _sum_to(self, int r, double t) noexcept nogil:
        """Sum of all samples up to a moment between two of them."""
        cdef int64_t whole = <int64_t>floor(t)
        cdef double part = t - whole, low = self.sums[r, whole % SUMS]
        if part <= 0:
            return low
        return low + part * (self.sums[r, (whole + 1) % SUMS] - low)

    cdef void _frame(self, int r, int64_t frame, const float* y, double c, double s) noexcept nogil:
        """c, s: cosine and sine of the turn-off tone where the frame begins."""
        cdef int j, slot = <int>(frame % (2 * HALF)), p
        cdef int64_t first, last, g, k, at = frame * FRAME
        cdef double total, t, re = 0, im = 0, ones = 0, squares = 0
        cdef float v
        total = self.sums[r, at % SUMS]
        for j in range(FRAME):
            total += y[j]
            self.sums[r, (at + j + 1) % SUMS] = total
            ones += y[j]
            squares += <double>y[j] * y[j]
            re += y[j] * self.wave[j][0]
            im -= y[j] * self.wave[j][1]
        self.tone_re[r, slot] = re * c + im * s
        self.tone_im[r, slot] = im * c - re * s
        # and what a constant 1 would give
        self.dc_re[r, slot] = self.dc[0] * c + self.dc[1] * s
        self.dc_im[r, slot] = self.dc[1] * c - self.dc[0] * s
        self.tone_sum[r, slot] = ones
        self.tone_square[r, slot] = squares
        if self.frames[r] < 1000000:
            self.frames[r] += 1
        if self.quiet[r] > 0:
            self.quiet[r] -= 1
        if self.gate[r] == 0 and self.lock[r] >= 0:
            self._lose(r, frame, self._on_air(<double>(at + FRAME)))
        first, last = self._clock(frame) + 1, self._clock(frame + 1)
        for g in range(first, last + 1):
            if g < PHASES:
                continue
            t = g * BIT / PHASES
            p, k = <int>(g % PHASES), g // PHASES
            v = <float>((self._sum_to(r, t) - self._sum_to(r, t - BIT)) / BIT)
            self.soft[r, p, k % KEPT] = v
            self.soft[r, p, k % KEPT + KEPT] = v
        # not in the same loop: a vector read at once after one of its elements was written waits for memory
        for g in range(max(first, PHASES), last + 1):
            p, k = <int>(g % PHASES), g // PHASES
            if self.gate[r] and self.quiet[r] == 0 and g >= self.since[r] + WORD * PHASES:
                self._word(r, frame, g, &self.soft[r, p, k % KEPT + KEPT])
        if self.lock[r] >= 0:
            self._turn_off(r, frame)
        if self.lock[r] >= 0 and last - self.good[r] > GONE:
            self._lose(r, frame, self._on_air(self.ended[r] * BIT / PHASES))

    cdef double _fit(self, const float* v, int word, int n, double* size, double* middle) noexcept nogil:
        """Share of the variance of the last n soft bits (v: the newest) that the word, repeated, explains; 0 if inverted."""
        cdef int j
        cdef double s, a = 0, b = 0, x = 0, xx = 0, along, spread
        for j in range(n):
            s = 1.0 if word >> (WORD - 1 - j % WORD) & 1 else -1.0
            x += v[-j]
            xx += <double>v[-j] * v[-j]
            a += s
            b += s * v[-j]
        along = b - a * x / n
        spread = n - a * a / n
        size[0] = along / spread
        middle[0] = (x - size[0] * a) / n
        xx -= x * x / n
        if along <= 0 or xx <= 0:
            return 0
        return along * along / (spread * xx)

    cdef int _after(self, const float* v, int word, double size, double middle) noexcept nogil:
        """Of the newest soft bits (v: the last), how many most probably came after the end of the code."""
        cdef int j, at = 0
        cdef double along, total = 0, most = 0
        for j in range(WORD):
            along = (v[-j] - middle) / size
            along = along if word >> (WORD - 1 - j) & 1 else -along
            along = -1.0 if along < -1.0 else 1.5 if along > 1.5 else along
            total += 0.5 - along
            if total > most:
                most = total
                at = j + 1
        return at

    cdef void _word(self, int r, int64_t frame, int64_t g, const float* v) noexcept nogil:
        cdef int32_t word = slice(v - (WORD - 1), 0.7, 80.0)
        cdef uint32_t turned, error
        cdef int code, n, have, wrong = 0
        cdef double fit, size, middle, s
        if word < 0:
            return
        # data first, as the Golay tables have it
        turned = (<uint32_t>(word & 0xFFF) << 11) | <uint32_t>(word >> 12)
        error = self.errors[self.parity[turned >> 11] ^ (turned & 0x7FF)]
        turned ^= error
        code = self.classes[turned >> 11]
        if code < 0:
            return
        while error:
            error &= error - 1
            wrong += 1
        if wrong > 2:
            return
        word = <int32_t>((turned >> 11) | ((turned & 0x7FF) << 12))
        if code == self.lock[r]:
            fit = self._fit(v, word, WORD, &size, &middle)
            if fit >= 0.6:
                self.good[r] = g
                if fit >= 0.9:
                    self.amplitude[r] += 0.1 * (size - self.amplitude[r])
                    self.ended[r] = g
                else:
                    self.ended[r] = g - PHASES * self._after(v, word, size, middle)
            return
        have = <int>((g - self.since[r]) // PHASES)
        if have >= KEPT:
            have = KEPT - 1
        n = 0
        if have >= SHORT and self._fit(v, word, SHORT, &size, &middle) >= 0.86:
            n = SHORT
        elif have >= LONG and self._fit(v, word, LONG, &size, &middle) >= 0.78:
            n = LONG
        if n == 0:
            return
        if self.lock[r] >= 0:
            self._lose(r, frame, self._on_air(self.ended[r] * BIT / PHASES))
        have = have if have < n + BACK else n + BACK
        while n < have:
            s = 1.0 if word >> (WORD - 1 - n % WORD) & 1 else -1.0
            if not 0.3 * size < s * (v[-n] - middle) < 2.5 * size:
                break
            n += 1
        self._emit(0, r, frame, self._on_air((g - n * PHASES) * BIT / PHASES), code)
        self.lock[r] = code
        self.good[r] = self.ended[r] = g
        self.amplitude[r] = size

    cdef void _turn_off(self, int r, int64_t frame) noexcept nogil:
        """134.4 Hz holds most of the last 128 ms and of both halves, with a phase that stands still between them."""
        cdef int h, j, slot
        cdef double re, im, total, square, power, size, turn, was = 0, cr, ci, ur, ui, all_re = 0, all_im = 0, all_power = 0
        if self.frames[r] < 2 * HALF:
            return
        for h in range(2):
            re = im = total = square = ur = ui = 0
            for j in range(HALF):
                slot = <int>((frame - h * HALF - j) % (2 * HALF))
                re += self.tone_re[r, slot]
                im += self.tone_im[r, slot]
                total += self.tone_sum[r, slot]
                square += self.tone_square[r, slot]
                ur += self.dc_re[r, slot]
                ui += self.dc_im[r, slot]
            total /= HALF * FRAME
            cr, ci = re - total * ur, im - total * ui
            size = 2 * sqrt(cr * cr + ci * ci) / (HALF * FRAME)
            power = square / (HALF * FRAME) - total * total
            if size < 0.4 * self.amplitude[r] or size > 2.5 * self.amplitude[r] or size * size < 2 * HALF_PURE * power:
                return
            all_re += cr
            all_im += ci
            all_power += 0.5 * power
            turn = atan2(ci, cr)
            if h == 0:
                was = turn
        if (all_re * all_re + all_im * all_im) / (HALF * FRAME * HALF * FRAME) < 2 * PURE * all_power:
            return
        turn = was - turn
        turn -= 2 * M_PI * floor(turn / (2 * M_PI) + 0.5)
        # 0.44 rad between centres 64 ms apart is 1.1 Hz; 131.8 and 136.5 Hz lie 2.6 and 2.1 Hz away
        if fabs(turn) > 0.44:
            return
        self._emit(2, r, frame, self._on_air(<double>((frame + 1 - 2 * HALF) * FRAME)), self.lock[r])
        self.quiet[r] = QUIET_AFTER
        self._lose(r, frame, self._on_air(<double>((frame + 1 - 2 * HALF) * FRAME)))
