"""From the 88 bits of a frame to 160 samples of speech. See `decoder` for the whole and its clauses."""

cimport cython
from libc.math cimport ceil, floor, sqrt

from dsp.vocoder.imbe import tables
from dsp.vocoder.imbe._fourier cimport Fourier
from dsp.vocoder.imbe._math cimport PI, TWO_PI, exp2_of, log2_of, sincos_of, wrapped
from dsp.vocoder.imbe._model cimport MODEL

cdef enum:
    REPEATED = 1
    MUTED = 2
    ERASED = 4

# Erased frames in a row that are bridged with the last good one; more would be a buzz, not speech. The full-rate clauses
# know no erasures; four frames is where clause 14.7 mutes the half-rate vocoder.
cdef int MAX_BRIDGED = 3


@cython.final
cdef class Decoder:
    cdef Fourier fourier
    cdef double window[320]
    cdef double fade_out[160]
    cdef double fade_in[160]
    cdef double noise_scale

    # The last frame, after enhancement and smoothing: ω₀(−1), L(−1), K(−1), v_l(−1), M_l(−1), and log₂ of the M_l(−1) that
    # the prediction starts from.
    cdef double pitch
    cdef int count
    cdef unsigned char voiced[58]
    cdef double amplitude[58]
    cdef double log_amplitude[58]
    cdef double energy
    # Phases ψ_l and φ_l, and cos and sin of φ_l.
    cdef double psi[58]
    cdef double phi[58]
    cdef double cos_phi[58]
    cdef double sin_phi[58]
    # Unvoiced samples of the last frame, −128 … 127, and the noise generator.
    cdef double unvoiced[256]
    cdef unsigned int noise
    # Error rate ε_R, local energy S_E, amplitude limit τ_M, erasures in a row.
    cdef readonly double error_rate
    cdef double local_energy
    cdef double limit
    cdef int erasures

    def __init__(self):
        cdef double sum_r = 0.0, sum_r2 = 0.0, sum_s2 = 0.0, w, v
        cdef int n
        self.fourier = Fourier()
        for n in range(320):
            # w_S(n − 160): the rising half serves the new frame, the falling half the last one.
            self.window[n] = tables.synthesis_window(n - 160)
        for n in range(-110, 111):
            w = tables.REFINEMENT_WINDOW[abs(n)]
            sum_r += w
            sum_r2 += w * w
        for n in range(-104, 105):
            w = tables.synthesis_window(n)
            sum_s2 += w * w
        self.noise_scale = sum_r * sqrt(sum_s2 / sum_r2)
        for n in range(160):
            w = self.window[160 + n]
            v = self.window[n]
            self.fade_out[n] = w / (w * w + v * v)
            self.fade_in[n] = v / (w * w + v * v)
        self.reset()

    def reset(self):
        """Back to the state of Annex A."""
        cdef int i
        self.pitch = 0.02985 * PI
        self.count = 30
        for i in range(58):
            self.voiced[i] = 0
            self.amplitude[i] = 0.0
            self.log_amplitude[i] = 0.0
            self.psi[i] = 0.0
            self.phi[i] = 0.0
            self.cos_phi[i] = 1.0
            self.sin_phi[i] = 0.0
        for i in range(256):
            self.unvoiced[i] = 0.0
        self.noise = 3147
        self.energy = 0.0
        self.error_rate = 0.0
        self.local_energy = 75000.0
        self.limit = 20480.0
        self.erasures = 0

    def decode(self, const unsigned char[::1] speech, const int[::1] errors, bint erased, float[::1] out):
        """One frame: (11,) packed bits and (7,) errors of c₀ … c₆ into (160,) samples, full scale ±1. Returns flags."""
        cdef int flags
        with nogil:
            flags = self.frame(&speech[0], &errors[0], erased, &out[0])
        return flags

    def model(self):
        """(ω₀, L, voiced (L,), amplitudes (L,)) of the last frame decoded, as synthesised; for tests and displays."""
        return (
            self.pitch,
            self.count,
            [self.voiced[l] for l in range(1, self.count + 1)],
            [self.amplitude[l] for l in range(1, self.count + 1)],
        )

    cdef int frame(self, const unsigned char* speech, const int* errors, bint erased, float* out) noexcept nogil:
        cdef int flags = 0, total = 0, i, pitch = 0, count = 0, l
        cdef double frequency
        cdef unsigned char voiced[58]
        cdef double amplitude[58]
        cdef double sound[160]
        if erased:
            # Nothing is known of the frame: it says nothing about the error rate, and the last one stands in for it.
            flags = ERASED | REPEATED
            self.erasures += 1
        else:
            self.erasures = 0
            for i in range(7):
                total += errors[i]
            # Eq. 96: 0.000365 = 0.05 / 137, the share of one of the 137 protected bits.
            self.error_rate = 0.95 * self.error_rate + 0.000365 * total
            pitch = MODEL.pitch_of(speech)
            if pitch >= 208 or (errors[0] >= 2 and total >= 10.0 + 40.0 * self.error_rate):
                flags = REPEATED
        if self.error_rate > 0.0875 or self.erasures > MAX_BRIDGED:
            flags |= REPEATED | MUTED

        if flags & REPEATED:
            # Eq. 99 to 104: all parameters stand, the phases go on.
            frequency = self.pitch
            count = self.count
            for l in range(1, 57):
                voiced[l] = self.voiced[l]
                amplitude[l] = self.amplitude[l]
        else:
            frequency = 2.0 * TWO_PI / (pitch + 39.5)
            count = MODEL.count(pitch)
            self.parameters(speech, count, frequency, voiced, amplitude)
        self.smooth(errors[4] if not erased else 0, total, count, voiced, amplitude)

        if flags & MUTED:
            self.murmur(out)
            for i in range(256):
                self.unvoiced[i] = 0.0
        else:
            for i in range(160):
                sound[i] = 0.0
            self.add_unvoiced(frequency, count, voiced, amplitude, sound)
            self.add_voiced(frequency, count, voiced, amplitude, sound)
            for i in range(160):
                if sound[i] > 32767.0:
                    sound[i] = 32767.0
                elif sound[i] < -32768.0:
                    sound[i] = -32768.0
                out[i] = <float>(sound[i] / 32768.0)
        self.pitch = frequency
        self.count = count
        for l in range(1, 57):
            self.voiced[l] = voiced[l]
            self.amplitude[l] = amplitude[l]
        for i in range(160):
            self.noise = (171 * self.noise + 11213) % 53125
        return flags

    cdef void parameters(
        self, const unsigned char* speech, int count, double frequency, unsigned char* voiced, double* amplitude
    ) noexcept nogil:
        """Voicing and enhanced amplitudes of a frame (clauses 6.2, 6.4 and 8)."""
        cdef int b[64]
        cdef double value[58]
        cdef double predicted[58]
        cdef int l, k, bands = MODEL.bands(count)
        cdef double sum0 = 0.0, sum1 = 0.0, sum2 = 0.0, square, weight, c, s, scale
        cdef double cosine[58]
        MODEL.unpack(speech, count, b)
        MODEL.residual(b, count, value)
        MODEL.prediction(self.log_amplitude, self.count, count, predicted)
        for l in range(1, 57):
            voiced[l] = 0
            amplitude[l] = 0.0
        for l in range(1, count + 1):
            self.log_amplitude[l] = value[l] + predicted[l]
            amplitude[l] = exp2_of(self.log_amplitude[l])
            k = (l + 2) // 3
            if k > bands:
                k = bands
            voiced[l] = b[1] >> (bands - k) & 1
        # Clause 8, eq. 105 to 110: sharpen the formants, keep the energy.
        for l in range(1, count + 1):
            sincos_of(frequency * l, &cosine[l], &s)
            square = amplitude[l] * amplitude[l]
            sum0 += square
            sum1 += square * cosine[l]
        scale = 0.96 * PI / (frequency * sum0 * (sum0 * sum0 - sum1 * sum1))
        for l in range(1, count + 1):
            if 8 * l > count:
                weight = scale * (sum0 * sum0 + sum1 * sum1 - 2.0 * sum0 * sum1 * cosine[l])
                weight = sqrt(amplitude[l]) * sqrt(sqrt(weight)) if weight > 0.0 else 0.0
                if weight > 1.2:
                    weight = 1.2
                elif weight < 0.5:
                    weight = 0.5
                amplitude[l] *= weight
            sum2 += amplitude[l] * amplitude[l]
        scale = sqrt(sum0 / sum2)
        for l in range(1, count + 1):
            amplitude[l] *= scale
        self.energy = sum0

    cdef void smooth(
        self, int hamming_errors, int total, int count, unsigned char* voiced, double* amplitude
    ) noexcept nogil:
        """Clause 9: when errors are about, loud harmonics become voiced and loud frames are held down."""
        cdef double sum0 = 0.0, threshold, root
        cdef int l
        # Eq. 111.
        self.local_energy = 0.95 * self.local_energy + 0.05 * self.energy
        if self.local_energy < 10000.0:
            self.local_energy = 10000.0
        if self.error_rate > 0.005 or total > 4:
            # Eq. 112 and 113, S_E^0.375 by square roots; exp(−277.26·ε) = 2^(−400·ε).
            root = sqrt(sqrt(self.local_energy))
            threshold = root * sqrt(root)
            if self.error_rate <= 0.0125 and hamming_errors == 0:
                threshold *= 45.255 * exp2_of(-400.0 * self.error_rate)
            else:
                threshold *= 1.414
            for l in range(1, count + 1):
                if amplitude[l] > threshold:
                    voiced[l] = 1
        # Eq. 114 to 116.
        for l in range(1, count + 1):
            sum0 += amplitude[l]
        if self.error_rate <= 0.005 and total <= 6:
            self.limit = 20480.0
        else:
            self.limit = 6000.0 - 300.0 * total + self.limit
        if sum0 > self.limit:
            for l in range(1, count + 1):
                amplitude[l] *= self.limit / sum0

    cdef void murmur(self, float* out) noexcept nogil:
        """Muted: noise of ±5 steps of the 16-bit sample, so that the listener hears the channel is there (clause 7.8)."""
        cdef unsigned int state = self.noise
        cdef int i
        for i in range(160):
            state = (171 * state + 11213) % 53125
            out[i] = <float>((state / 5312.5 - 5.0) / 32768.0)

    cdef void add_unvoiced(
        self, double frequency, int count, const unsigned char* voiced, const double* amplitude, double* sound
    ) noexcept nogil:
        """Eq. 117 to 126: noise, its spectrum set to the amplitude of each unvoiced harmonic, overlapped and added."""
        cdef double u[256]
        cdef double re[129]
        cdef double im[129]
        cdef double fresh[256]
        cdef unsigned int state = self.noise
        cdef double spacing = 256.0 * frequency / TWO_PI, power, scale
        cdef int n, l, m, low, high, unvoiced_harmonics = 0
        for l in range(1, count + 1):
            unvoiced_harmonics += not voiced[l]
        if unvoiced_harmonics > 0:
            # u(n) for n = −104 … 104, windowed; the transform sees n modulo 256.
            for n in range(256):
                u[n] = 0.0
            for n in range(-104, 105):
                state = (171 * state + 11213) % 53125
                u[n & 255] = state * self.window[160 - (n if n > 0 else -n)]
            self.fourier.forward(u, re, im)
            high = <int>ceil(0.5 * spacing)
            for m in range(high):
                re[m] = im[m] = 0.0
            for l in range(1, count + 1):
                low = high
                high = <int>ceil((l + 0.5) * spacing)
                if high > 128:
                    high = 128
                scale = 0.0
                if not voiced[l] and high > low:
                    power = 0.0
                    for m in range(low, high):
                        power += re[m] * re[m] + im[m] * im[m]
                    if power > 0.0:
                        scale = self.noise_scale * amplitude[l] / sqrt(power / (high - low))
                for m in range(low, high):
                    re[m] *= scale
                    im[m] *= scale
            for m in range(high, 129):
                re[m] = im[m] = 0.0
            self.fourier.inverse(re, im, fresh)
        else:
            for n in range(256):
                fresh[n] = 0.0
        # The last frame stands at 0, the new one at 160.
        for n in range(128):
            sound[n] += self.fade_out[n] * self.unvoiced[n]
        for n in range(32, 160):
            sound[n] += self.fade_in[n] * fresh[(n - 160) & 255]
        for n in range(256):
            self.unvoiced[n] = fresh[n]

    cdef void add_voiced(
        self, double frequency, int count, const unsigned char* voiced, const double* amplitude, double* sound
    ) noexcept nogil:
        """Eq. 127 to 141: one oscillator a harmonic, faded between frames, or bent from one to the next for the low ones."""
        cdef double last = self.pitch
        cdef int both = count if count > self.count else self.count
        cdef int l, unvoiced_harmonics = 0
        cdef unsigned int state = self.noise
        cdef double random, turn, bend, phi, c, s, old_c, old_s, change = frequency - last
        cdef double step_c, step_s, new_c = 1.0, new_s = 0.0, was_c = 1.0, was_s = 0.0, x
        cdef double now_c1, now_s1, was_c1, was_s1
        cdef bint before, now
        for l in range(1, count + 1):
            unvoiced_harmonics += not voiced[l]
        sincos_of(frequency, &now_c1, &now_s1)
        sincos_of(last, &was_c1, &was_s1)
        for l in range(1, 57):
            # cos and sin of l·ω₀ of both frames, one rotation further.
            x = new_c * now_c1 - new_s * now_s1
            new_s = new_s * now_c1 + new_c * now_s1
            new_c = x
            x = was_c * was_c1 - was_s * was_s1
            was_s = was_s * was_c1 + was_c * was_s1
            was_c = x
            # u(l) of this frame's noise; u(−104) is the first.
            state = (171 * state + 11213) % 53125
            self.psi[l] = wrapped(self.psi[l] + (last + frequency) * l * 80.0)
            if l > both:
                # No amplitude on either side.
                self.phi[l] = self.psi[l]
                continue
            phi = self.psi[l]
            if l > count // 4:
                random = TWO_PI * state / 53125.0 - PI
                phi = phi + unvoiced_harmonics * random / count
            old_c = self.cos_phi[l]
            old_s = self.sin_phi[l]
            sincos_of(phi, &c, &s)
            before = l <= self.count and self.voiced[l]
            now = l <= count and voiced[l]
            if before and now and l < 8 and -0.1 * frequency < change < 0.1 * frequency:
                # Eq. 134 to 138.
                turn = phi - self.phi[l] - (last + frequency) * l * 80.0
                bend = wrapped(turn) / 160.0
                self.glide(
                    sound, self.amplitude[l], amplitude[l], old_c, old_s, last * l + bend, change * l / 320.0
                )
            else:
                if before:
                    self.oscillate(sound, &self.window[160], 0, 2.0 * self.amplitude[l], old_c, old_s, was_c, was_s)
                if now:
                    # Phase at the centre of the new frame, 160; the run starts at 48, 112 = 7·16 samples before it.
                    x = wrapped(phi - 112.0 * frequency * l)
                    sincos_of(x, &old_c, &old_s)
                    self.oscillate(sound, &self.window[0], 48, 2.0 * amplitude[l], old_c, old_s, new_c, new_s)
            self.phi[l] = phi
            self.cos_phi[l] = c
            self.sin_phi[l] = s

    cdef void oscillate(
        self, double* sound, const double* window, int start, double size, double c, double s, double dc, double ds
    ) noexcept nogil:
        """112 samples from `start` of size·window·cos, starting at the angle (c, s) and turning by (dc, ds) a sample.

        Eight samples abreast, each turning by eight steps at a time.
        """
        cdef double a[8]
        cdef double b[8]
        cdef double x, ec = dc, es = ds
        cdef int i, n
        a[0] = size * c
        b[0] = size * s
        for i in range(1, 8):
            a[i] = a[i - 1] * dc - b[i - 1] * ds
            b[i] = b[i - 1] * dc + a[i - 1] * ds
        for i in range(3):
            x = ec * ec - es * es
            es = 2.0 * ec * es
            ec = x
        n = start
        while n < start + 112:
            for i in range(8):
                sound[n + i] += window[n + i] * a[i]
            for i in range(8):
                x = a[i] * ec - b[i] * es
                b[i] = b[i] * ec + a[i] * es
                a[i] = x
            n += 8

    cdef void glide(
        self, double* sound, double size0, double size1, double c, double s, double rate, double bend
    ) noexcept nogil:
        """160 samples of 2·a(n)·cos(φ + rate·n + bend·n²), a(n) from size0 to size1 (eq. 134 to 136)."""
        cdef double a[8]
        cdef double b[8]
        cdef double ta[8]
        cdef double tb[8]
        cdef double x, y, z, qc, qs
        cdef double slope = (size1 - size0) / 160.0
        cdef int i, n = 0
        for i in range(8):
            sincos_of(rate * i + bend * i * i, &x, &y)
            a[i] = 2.0 * (c * x - s * y)
            b[i] = 2.0 * (s * x + c * y)
            # From n to n + 8 the angle grows by 8·rate + bend·(16·n + 64).
            sincos_of(8.0 * rate + bend * (16.0 * i + 64.0), &ta[i], &tb[i])
        sincos_of(128.0 * bend, &qc, &qs)
        while n < 160:
            for i in range(8):
                sound[n + i] += (size0 + slope * (n + i)) * a[i]
            for i in range(8):
                x = a[i] * ta[i] - b[i] * tb[i]
                b[i] = b[i] * ta[i] + a[i] * tb[i]
                a[i] = x
                y = ta[i] * qc - tb[i] * qs
                tb[i] = tb[i] * qc + ta[i] * qs
                ta[i] = y
            n += 8
