"""What encoder and decoder share: bits ↔ quantiser values ↔ logarithms of the spectral amplitudes.

TIA-102.BABA-A clauses 6.1 to 6.5 and 7.1. Arrays of harmonics are counted from 1, as in the standard; log amplitudes are
to the base 2, of amplitudes in units of the 16-bit sample. Quantiser values b₀ … b_(L+2) stand in b[0 … L+2].
"""

from libc.math cimport floor

from dsp.vocoder.imbe import priority, tables
from dsp.vocoder.imbe._math cimport PI, sincos_of


cdef class Model:
    def __cinit__(self):
        cdef int count, m, i, j, k
        cdef double s
        place = priority.placements()
        for count in range(tables.MIN_HARMONICS, tables.MAX_HARMONICS + 1):
            for m, bits in enumerate(tables.allocation(count)):
                self.bits[count][m] = bits
            for m, step in enumerate(tables.steps(count)):
                self.step[count][m + 3] = step
            for i, length in enumerate(tables.block_lengths(count)):
                self.length[count][i] = length
            for i in range(88):
                self.place[count][i][0] = place[count - tables.MIN_HARMONICS, i, 0]
                self.place[count][i][1] = place[count - tables.MIN_HARMONICS, i, 1]
        for i in range(64):
            self.gain[i] = tables.GAIN_LEVELS[i]
        # cos(π·(k − 1)·(j − ½)/J) of eq. 61, 69 and 73, by J, k − 1 and j − 1.
        for j in range(1, 11):
            for k in range(j):
                for i in range(j):
                    sincos_of(PI * k * (i + 0.5) / j, &self.cosine[j][k][i], &s)

    cdef int count(self, int pitch) noexcept nogil:
        """L of a pitch index (eq. 47; see `tables.harmonics`)."""
        return 9254 * ((2 * pitch + 81) // 8) // 10000

    cdef int bands(self, int count) noexcept nogil:
        """K of a number of harmonics (eq. 48)."""
        return (count + 2) // 3 if count <= 36 else 12

    cdef int pitch_of(self, const unsigned char* speech) noexcept nogil:
        """b₀, the one value whose place does not depend on another: the first six bits and two near the end."""
        return (speech[0] & 0xFC) | (speech[10] >> 1 & 3)

    cdef void unpack(self, const unsigned char* speech, int count, int* b) noexcept nogil:
        cdef int i
        for i in range(count + 3):
            b[i] = 0
        for i in range(88):
            b[self.place[count][i][0]] |= (speech[i >> 3] >> (7 - (i & 7)) & 1) << self.place[count][i][1]

    cdef void pack(self, const int* b, int count, unsigned char* speech) noexcept nogil:
        cdef int i
        for i in range(11):
            speech[i] = 0
        for i in range(88):
            speech[i >> 3] |= <unsigned char>(
                (b[self.place[count][i][0]] >> self.place[count][i][1] & 1) << (7 - (i & 7))
            )

    cdef void prediction(self, const double* past, int past_count, int count, double* predicted) noexcept nogil:
        """What the last frame says of this one: ρ times its log amplitudes on this frame's harmonics, without their mean.

        Eq. 52 to 57, the same as eq. 75 to 79. past[1 … past_count]; predicted[1 … count].
        """
        cdef double rho = 0.4 if count <= 15 else (0.03 * count - 0.05 if count <= 24 else 0.7)
        cdef double place, part, low, high, mean = 0.0
        cdef int l, k
        for l in range(1, count + 1):
            place = <double>past_count * l / count
            k = <int>place
            part = place - k
            # M₀ = 1 (eq. 78), and beyond its last harmonic a frame goes on level (eq. 79).
            low = past[k] if k > 0 else 0.0
            high = past[k + 1] if k < past_count else past[past_count]
            predicted[l] = (1.0 - part) * low + part * high
            mean += predicted[l]
        mean /= count
        for l in range(1, count + 1):
            predicted[l] = rho * (predicted[l] - mean)

    cdef void residual(self, const int* b, int count, double* out) noexcept nogil:
        """The prediction residuals T₁ … T_L of quantiser values (eq. 68 to 74), in out[1 … count].

        The inverse transform of the gains is of six points; the standard prints J_i in eq. 69, which would not undo eq. 61.
        """
        cdef double gain[6]
        cdef double block[10]
        cdef double value
        cdef int i, j, k, m, length, l = 1
        gain[0] = self.gain[b[2]]
        for m in range(3, 8):
            gain[m - 2] = self.level(count, m, b[m])
        m = 8
        for i in range(6):
            length = self.length[count][i]
            value = gain[0]
            for k in range(1, 6):
                value += 2.0 * gain[k] * self.cosine[6][k][i]
            block[0] = value
            for k in range(1, length):
                block[k] = self.level(count, m, b[m])
                m += 1
            for j in range(length):
                value = block[0]
                for k in range(1, length):
                    value += 2.0 * block[k] * self.cosine[length][k][j]
                out[l] = value
                l += 1

    cdef double level(self, int count, int m, int value) noexcept nogil:
        """Level of a uniform quantiser (eq. 68 and 71)."""
        cdef int bits = self.bits[count][m]
        return self.step[count][m] * (value - (1 << (bits - 1)) + 0.5) if bits > 0 else 0.0

    cdef int nearest(self, int count, int m, double value) noexcept nogil:
        """Number of the level nearest to a value (eq. 62 and 64)."""
        cdef int bits = self.bits[count][m]
        if bits == 0:
            return 0
        cdef double number = floor(value / self.step[count][m]) + (1 << (bits - 1))
        cdef double top = (1 << bits) - 1
        return <int>(0.0 if number < 0.0 else (top if number > top else number))

    cdef void quantise(self, const double* residual, int count, int* b) noexcept nogil:
        """Quantiser values b₂ … b_(L+1) of residuals (eq. 58 to 64)."""
        cdef double mean[6]
        cdef double value
        cdef int i, j, k, m = 8, length, l = 1
        for i in range(6):
            length = self.length[count][i]
            mean[i] = 0.0
            for k in range(length):
                value = 0.0
                for j in range(length):
                    value += residual[l + j] * self.cosine[length][k][j]
                value /= length
                if k == 0:
                    mean[i] = value
                else:
                    b[m] = self.nearest(count, m, value)
                    m += 1
            l += length
        for k in range(6):
            value = 0.0
            for i in range(6):
                value += mean[i] * self.cosine[6][k][i]
            value /= 6
            if k == 0:
                b[2] = 0
                while b[2] < 63 and value > 0.5 * (self.gain[b[2]] + self.gain[b[2] + 1]):
                    b[2] += 1
            else:
                b[k + 2] = self.nearest(count, k + 2, value)


MODEL = Model()


def unpack(const unsigned char[::1] speech, int[::1] b):
    """Quantiser values b₀ … b_(L+2) of 88 packed bits into b (59,); returns L, or 0 for a reserved pitch."""
    cdef int pitch, count
    with nogil:
        pitch = MODEL.pitch_of(&speech[0])
        count = MODEL.count(pitch) if pitch < 208 else 0
        if count > 0:
            MODEL.unpack(&speech[0], count, &b[0])
    return count


def pack(const int[::1] b, unsigned char[::1] speech):
    """The other way: b₀ … b_(L+2) into (11,) packed bits."""
    with nogil:
        MODEL.pack(&b[0], MODEL.count(b[0]), &speech[0])


def residual(const int[::1] b, double[::1] out):
    """Prediction residuals of quantiser values into out[1 … L], (57,) or longer."""
    with nogil:
        MODEL.residual(&b[0], MODEL.count(b[0]), &out[0])


def quantise(const double[::1] residual, int[::1] b):
    """Quantiser values b₂ … b_(L+1) of residuals [1 … L]; b[0] gives the pitch."""
    with nogil:
        MODEL.quantise(&residual[0], MODEL.count(b[0]), &b[0])


def prediction(const double[::1] past, int past_count, int count, double[::1] predicted):
    """Predicted log amplitudes [1 … count] of past[1 … past_count]."""
    with nogil:
        MODEL.prediction(&past[0], past_count, count, &predicted[0])
