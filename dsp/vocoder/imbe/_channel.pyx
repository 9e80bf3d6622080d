"""The 144 channel bits of a frame and the 88 bits of speech inside: codes, whitening, interleaving. See `channel`."""

from libc.math cimport fabs

from dsp.fec import golay, hamming
from dsp.vocoder.imbe import tables

# Larger than any log-likelihood that means something; keeps sums finite whatever comes in.
cdef double LIMIT = 1e9


cdef class Channel:
    cdef unsigned short[::1] golay_parity
    cdef unsigned int[::1] golay_errors
    cdef unsigned short[::1] hamming_parity
    cdef unsigned int[::1] hamming_errors
    cdef unsigned char[::1] place
    cdef int code_bits[8]
    cdef int data_bits[8]

    def __init__(self):
        self.golay_parity = golay.PARITY
        self.golay_errors = golay.ERRORS
        self.hamming_parity = hamming.PARITY
        self.hamming_errors = hamming.ERRORS
        self.place = tables.interleave()
        for i in range(8):
            self.code_bits[i] = tables.CODE_BITS[i]
            self.data_bits[i] = tables.VECTOR_BITS[i]

    cdef int codeword(self, int vector, int data) noexcept nogil:
        """Code word of one vector."""
        if vector < 4:
            return data << 11 | self.golay_parity[data]
        if vector < 7:
            return data << 4 | self.hamming_parity[data]
        return data

    cdef int corrected(self, int vector, int word) noexcept nogil:
        """Nearest code word in bits; both codes are perfect, so there is exactly one."""
        if vector < 4:
            return word ^ <int>self.golay_errors[self.golay_parity[word >> 11] ^ (word & 0x7FF)]
        if vector < 7:
            return word ^ <int>self.hamming_errors[self.hamming_parity[word >> 4] ^ (word & 0xF)]
        return word

    cdef int likeliest(self, int vector, int word, const double* cost) noexcept nogil:
        """The code word that costs least, where flipping bit i (0 = last) of `word` costs cost[i] ≥ 0.

        All data words are searched, those that cost more than the best found so far in their data bits alone are left out
        early; the nearest word in bits is the first guess.
        """
        cdef int best = self.corrected(vector, word)
        if best == word:
            return word
        cdef int parity_bits = 11 if vector < 4 else 4
        cdef int low_bits = 6
        cdef int high_bits = self.data_bits[vector] - low_bits
        cdef double parity_cost[2048]
        cdef double low_cost[64]
        cdef double high_cost[64]
        cdef double least = 0.0, total
        cdef int i, k, high, low, data, received, flipped, parity
        cdef unsigned short* table = &self.golay_parity[0] if vector < 4 else &self.hamming_parity[0]
        for i in range(parity_bits + low_bits + high_bits):
            if (best ^ word) >> i & 1:
                least += cost[i]
        parity_cost[0] = 0.0
        for i in range(parity_bits):
            for k in range(1 << i):
                parity_cost[1 << i | k] = parity_cost[k] + cost[i]
        low_cost[0] = high_cost[0] = 0.0
        for i in range(low_bits):
            for k in range(1 << i):
                low_cost[1 << i | k] = low_cost[k] + cost[parity_bits + i]
        for i in range(high_bits):
            for k in range(1 << i):
                high_cost[1 << i | k] = high_cost[k] + cost[parity_bits + low_bits + i]
        received = word >> parity_bits
        parity = word & ((1 << parity_bits) - 1)
        for high in range(1 << high_bits):
            if high_cost[high] >= least:
                continue
            for low in range(1 << low_bits):
                total = high_cost[high] + low_cost[low]
                if total >= least:
                    continue
                data = received ^ (high << low_bits | low)
                flipped = table[data] ^ parity
                total += parity_cost[flipped]
                if total < least:
                    least = total
                    best = data << parity_bits | table[data]
        return best

    cdef int mask(self, unsigned int* state, int bits) noexcept nogil:
        """The next bits of the whitening sequence (eq. 84 to 93)."""
        cdef int i, word = 0
        for i in range(bits):
            state[0] = (173 * state[0] + 13849) & 0xFFFF
            word = word << 1 | <int>(state[0] >> 15)
        return word

    cdef void protect(self, const unsigned char* speech, unsigned char* sent) noexcept nogil:
        cdef unsigned char code[144]
        cdef int vector, i, data, word, bits, read = 0, at = 0
        cdef unsigned int state = 0
        for vector in range(8):
            data = 0
            for i in range(self.data_bits[vector]):
                data = data << 1 | (speech[read >> 3] >> (7 - (read & 7)) & 1)
                read += 1
            word = self.codeword(vector, data)
            bits = self.code_bits[vector]
            if vector == 0:
                state = 16 * data
            elif vector < 7:
                word ^= self.mask(&state, bits)
            for i in range(bits):
                code[at] = word >> (bits - 1 - i) & 1
                at += 1
        for i in range(144):
            sent[i] = code[self.place[i]]

    cdef void unprotect(
        self, const unsigned char* hard, const double* cost, unsigned char* speech, int* errors
    ) noexcept nogil:
        """Bits in c₀ … c₇ order, and what a flip of each costs (NULL: all the same)."""
        cdef int vector, i, word, right, wrong, bits, at = 0, write = 0, doubtful
        cdef unsigned int state = 0
        cdef double flip[23]
        for i in range(11):
            speech[i] = 0
        for vector in range(8):
            bits = self.code_bits[vector]
            word = 0
            for i in range(bits):
                word = word << 1 | hard[at + i]
            if 0 < vector < 7:
                word ^= self.mask(&state, bits)
            if vector == 7:
                right = word
            elif cost == NULL:
                right = self.corrected(vector, word)
            else:
                for i in range(bits):
                    flip[i] = cost[at + bits - 1 - i]
                right = self.likeliest(vector, word, flip)
            wrong = doubtful = 0
            for i in range(bits):
                if cost != NULL and cost[at + bits - 1 - i] == 0.0:
                    doubtful += 1
                else:
                    wrong += (word ^ right) >> i & 1
            # A bit of which nothing is known is wrong half the time.
            if vector < 7:
                errors[vector] = wrong + doubtful // 2
            at += bits
            right >>= bits - self.data_bits[vector]
            if vector == 0:
                state = 16 * right
            for i in range(self.data_bits[vector]):
                speech[write >> 3] |= <unsigned char>((right >> (self.data_bits[vector] - 1 - i) & 1) << (7 - (write & 7)))
                write += 1


cdef Channel CHANNEL = Channel()


def protect(const unsigned char[::1] speech, unsigned char[::1] sent):
    """(11,) packed speech bits into (144,) channel bits."""
    with nogil:
        CHANNEL.protect(&speech[0], &sent[0])


def unprotect(const unsigned char[::1] received, unsigned char[::1] speech, int[::1] errors):
    """(144,) channel bits, each 0 or 1, into (11,) packed speech bits; errors corrected in c₀ … c₆ into (7,)."""
    cdef unsigned char code[144]
    cdef int i
    with nogil:
        for i in range(144):
            code[CHANNEL.place[i]] = received[i] & 1
        CHANNEL.unprotect(code, NULL, &speech[0], &errors[0])


def unprotect_soft(const float[::1] llr, unsigned char[::1] speech, int[::1] errors):
    """(144,) log-likelihood ratios, positive = bit 1, into (11,) packed speech bits; errors as above."""
    cdef unsigned char code[144]
    cdef double cost[144]
    cdef double x
    cdef int i
    with nogil:
        for i in range(144):
            x = llr[i]
            code[CHANNEL.place[i]] = x > 0
            # Not a number compares false with everything and counts as unknown.
            cost[CHANNEL.place[i]] = fabs(x) if fabs(x) < LIMIT else (LIMIT if fabs(x) >= LIMIT else 0.0)
        CHANNEL.unprotect(code, cost, &speech[0], &errors[0])
