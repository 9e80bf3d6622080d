"""Likeliest code word of the (63,16,23) code with P. See `bch`."""

cimport cython
from libc.string cimport memset

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define ONES(x) __builtin_popcountll(x)
    #else
    static int ONES(unsigned long long x) { int n = 0; while (x) { x &= x - 1; n++; } return n; }
    #endif
    """
    int ONES(unsigned long long x) nogil

cdef enum:
    LENGTH = 64
    DISTANCE = 23  # between two code words, at least
    CORRECTS = 11
    # High halves of the data word that are transformed side by side: one vector register of 16-bit sums.
    LANES = 16
    # Levels are whole numbers of at most ±96; more counts as this.
    LIMIT = 127

ctypedef unsigned long long Word

cdef Word CYCLE = 0x7FFFFFFFFFFFFFFF


cdef inline int odd(int x) noexcept nogil:
    x ^= x >> 4
    x ^= x >> 2
    x ^= x >> 1
    return x & 1


cdef Word taken(const float* given, short* levels) noexcept nogil:
    """The levels as small whole numbers, and the bits they say, an erasure 0."""
    cdef Word word = 0
    cdef float x
    cdef int i
    for i in range(LENGTH):
        x = given[i]
        x = x if x < LIMIT else LIMIT
        levels[i] = <short>(x if x > -LIMIT else -LIMIT)
        word = word << 1 | (levels[i] > 0)
    return word


cdef inline int agreement(const short* levels, Word word) noexcept nogil:
    """Sum of the levels, each with the sign the code word gives it."""
    cdef int i, total = 0
    for i in range(LENGTH):
        total += levels[i] if word >> (LENGTH - 1 - i) & 1 else -levels[i]
    return total


cdef bint unrivalled(const short* levels, Word word) noexcept nogil:
    """No other code word agrees as well.

    Another differs in 23 places or more. Even where those are the ones that speak against this word, and those that
    speak least for it, it loses what they say twice over.
    """
    cdef unsigned char count[2 * LIMIT + 1]
    cdef int i, value, total = 0, left = DISTANCE
    memset(count, 0, sizeof(count))
    for i in range(LENGTH):
        count[LIMIT + (levels[i] if word >> (LENGTH - 1 - i) & 1 else -levels[i])] += 1
    for value in range(-LIMIT, LIMIT + 1):
        if count[LIMIT + value] >= left:
            return total + left * value > 0
        total += count[LIMIT + value] * value
        left -= count[LIMIT + value]
    return False


@cython.final
cdef class Codec:
    """`rows`: (16,) uint64, the code word of each data bit, lowest first."""

    cdef Word high[256]
    cdef Word low[256]
    cdef unsigned short columns[LENGTH]

    def __init__(self, const Word[::1] rows):
        cdef int i, bit
        for i in range(256):
            self.high[i] = self.low[i] = 0
            for bit in range(8):
                if i >> bit & 1:
                    self.low[i] ^= rows[bit]
                    self.high[i] ^= rows[bit + 8]
        for i in range(LENGTH):
            self.columns[i] = 0
            for bit in range(16):
                self.columns[i] |= (rows[bit] >> (LENGTH - 1 - i) & 1) << bit

    cdef inline Word word(self, int data) noexcept nogil:
        return self.high[data >> 8] ^ self.low[data & 0xFF]

    cdef int near(self, Word came) noexcept nogil:
        """Data of the nearest word that has 16 bits in a row, the last of 63 followed by the first, as they came.

        Turned round by any number of places, the first 63 bits of a code word are those of another.
        """
        cdef Word turned = came >> 1, candidate
        cdef int i, distance, nearest = LENGTH, data = 0
        for i in range(LENGTH - 1):
            candidate = self.word(<int>(turned >> 47)) >> 1
            distance = ONES(candidate ^ turned)
            if distance < nearest:
                nearest = distance
                # Back to its place.
                data = <int>(((candidate >> i | candidate << (LENGTH - 1 - i)) & CYCLE) >> 47)
                if distance <= CORRECTS:
                    break
            turned = (turned << 1 | turned >> 62) & CYCLE
        return data

    cdef int transformed(self, const short* levels, const unsigned char* allowed) noexcept nogil:
        """Data of the likeliest word of all that are allowed, by a Walsh-Hadamard transform."""
        cdef short total[256][LANES]
        cdef short sign[256]
        cdef int high, lane, low, place, step, start, i, data = -1
        cdef short a, b
        cdef int best = -0x40000000
        for i in range(256):
            sign[i] = 1 if odd(i) else -1
        for high in range(0, 256, 16):
            # Bits whose sum of low data bits is the same share a bin; the transform gives all 256 low halves at once.
            memset(total, 0, sizeof(total))
            for place in range(LENGTH):
                low = self.columns[place] & 0xFF
                for lane in range(LANES):
                    total[low][lane] += levels[place] * sign[self.columns[place] >> 8 & (high | lane)]
            step = 1
            while step < 256:
                start = 0
                while start < 256:
                    for i in range(start, start + step):
                        for lane in range(LANES):
                            a = total[i][lane]
                            b = total[i + step][lane]
                            total[i][lane] = a + b
                            total[i + step][lane] = a - b
                    start += 2 * step
                step *= 2
            for low in range(256):
                if not allowed[low & 0xF]:
                    continue
                for lane in range(LANES):
                    if total[low][lane] > best:
                        best = total[low][lane]
                        data = (high | lane) << 8 | low
        return data

    def encode(self, int data):
        """The word of 64 bits, data first."""
        return self.word(data)

    def likeliest(self, const float[::1] levels, const unsigned char[::1] allowed):
        """(data, agreement, errors) of the likeliest word; levels (64,) of at most ±127, allowed (16,)."""
        cdef short level[LENGTH]
        cdef int data, total, errors
        cdef Word came
        with nogil:
            came = taken(&levels[0], level)
            data = self.near(came)
            if not allowed[data & 0xF] or not unrivalled(level, self.word(data)):
                data = self.transformed(level, &allowed[0])
            total = agreement(level, self.word(data))
            errors = ONES(self.word(data) ^ came)
        return data, total, errors

    def among(self, const float[::1] levels, const unsigned short[::1] candidates):
        """As `likeliest`, of the given data words alone."""
        cdef short level[LENGTH]
        cdef int i, data = -1, total, best = -0x40000000, errors
        cdef Word came
        with nogil:
            came = taken(&levels[0], level)
            for i in range(<int>candidates.shape[0]):
                total = agreement(level, self.word(candidates[i]))
                if total > best:
                    best = total
                    data = candidates[i]
            errors = ONES(self.word(data) ^ came)
        return data, best, errors
