"""Encoder and decoders of the Reed-Solomon codes over GF(2⁶). See `reed_solomon`."""

cimport cython
from libc.string cimport memcpy, memset


@cython.final
cdef class Codec:
    cdef int length, data, parity
    cdef unsigned char exp[126]
    cdef unsigned char log[64]
    cdef unsigned char generator[64]

    def __init__(self, int length, int data, const unsigned char[::1] exp, const unsigned char[::1] log):
        cdef int i, j
        self.length = length
        self.data = data
        self.parity = length - data
        for i in range(126):
            self.exp[i] = exp[i]
        for i in range(64):
            self.log[i] = log[i]
        # generator[i]: coefficient of x^i; one factor (x + α^j) after another.
        memset(self.generator, 0, 64)
        self.generator[0] = 1
        for j in range(1, self.parity + 1):
            for i in range(j, 0, -1):
                self.generator[i] = self.generator[i - 1] ^ self.multiply(self.generator[i], self.exp[j])
            self.generator[0] = self.multiply(self.generator[0], self.exp[j])

    cdef inline unsigned char multiply(self, unsigned char a, unsigned char b) noexcept nogil:
        if a == 0 or b == 0:
            return 0
        return self.exp[self.log[a] + self.log[b]]

    cdef inline unsigned char divide(self, unsigned char a, unsigned char b) noexcept nogil:
        if a == 0:
            return 0
        return self.exp[self.log[a] + 63 - self.log[b]]

    cdef void _encode(self, unsigned char* word) noexcept nogil:
        """Parity by long division, the data stand in front."""
        cdef unsigned char rest[64]
        cdef unsigned char factor
        cdef int i, j
        memset(rest, 0, 64)
        for i in range(self.data):
            factor = word[i] ^ rest[self.parity - 1]
            for j in range(self.parity - 1, 0, -1):
                rest[j] = rest[j - 1] ^ self.multiply(factor, self.generator[j])
            rest[0] = self.multiply(factor, self.generator[0])
        for j in range(self.parity):
            word[self.data + j] = rest[self.parity - 1 - j]

    cdef bint _syndromes(self, const unsigned char* word, unsigned char* syndromes) noexcept nogil:
        """Value of the word at α¹ … α^parity; true if any is not zero."""
        cdef int i, j
        cdef unsigned char value
        cdef bint wrong = False
        for j in range(self.parity):
            value = 0
            for i in range(self.length):
                value = self.multiply(value, self.exp[j + 1]) ^ word[i]
            syndromes[j] = value
            wrong = wrong or value != 0
        return wrong

    cdef int _correct(self, unsigned char* word, const unsigned char* erased) noexcept nogil:
        """Errors and erasures corrected in place, as a number of changed symbols; −1 and no change if out of reach.

        Berlekamp and Massey's algorithm started from the locator of the erasures, then Chien's search and Forney's rule
        (R. E. Blahut, Theory and Practice of Error Control Codes, 1983, clause 7.4 and 9.2).
        """
        cdef unsigned char syndromes[64]
        cdef unsigned char locator[65]
        cdef unsigned char previous[65]
        cdef unsigned char next_locator[65]
        cdef unsigned char evaluator[65]
        cdef unsigned char values[64]
        cdef int places[64]
        cdef unsigned char discrepancy, x, inverse, top, bottom
        cdef int i, j, r, length, erasures = 0, found = 0, degree = 0, changed = 0
        if not self._syndromes(word, syndromes):
            return 0
        memset(locator, 0, 65)
        locator[0] = 1
        for i in range(self.length):
            if not erased[i]:
                continue
            erasures += 1
            if erasures > self.parity:
                return -1
            x = self.exp[self.length - 1 - i]
            for j in range(erasures, 0, -1):
                locator[j] ^= self.multiply(locator[j - 1], x)
        memcpy(previous, locator, 65)
        length = erasures
        for r in range(erasures + 1, self.parity + 1):
            discrepancy = 0
            for j in range(length + 1):
                if r - 1 - j >= 0:
                    discrepancy ^= self.multiply(locator[j], syndromes[r - 1 - j])
            # previous ← x · previous
            for j in range(self.parity, 0, -1):
                previous[j] = previous[j - 1]
            previous[0] = 0
            if discrepancy == 0:
                continue
            for j in range(self.parity + 1):
                next_locator[j] = locator[j] ^ self.multiply(discrepancy, previous[j])
            if 2 * length <= r - 1 + erasures:
                length = r - length + erasures
                for j in range(self.parity + 1):
                    previous[j] = self.divide(locator[j], discrepancy)
            memcpy(locator, next_locator, 65)
        for j in range(self.parity + 1):
            if locator[j]:
                degree = j
        if degree != length or 2 * degree - erasures > self.parity:
            return -1
        # Evaluator: syndromes times locator, below x^parity.
        for i in range(self.parity):
            evaluator[i] = 0
            for j in range(min(i, degree) + 1):
                evaluator[i] ^= self.multiply(locator[j], syndromes[i - j])
        for i in range(self.length):
            inverse = self.exp[(63 - (self.length - 1 - i)) % 63]
            top = 0
            for j in range(degree, -1, -1):
                top = self.multiply(top, inverse) ^ locator[j]
            if top:
                continue
            top = 0
            for j in range(self.parity - 1, -1, -1):
                top = self.multiply(top, inverse) ^ evaluator[j]
            # Derivative of the locator: only odd powers are left.
            bottom = 0
            x = 1
            for j in range(1, degree + 1, 2):
                bottom ^= self.multiply(locator[j], x)
                x = self.multiply(x, self.multiply(inverse, inverse))
            if bottom == 0:
                return -1
            places[found] = i
            values[found] = self.divide(top, bottom)
            found += 1
        if found != degree:
            return -1
        for i in range(found):
            word[places[i]] ^= values[i]
            changed += values[i] != 0
        return changed

    def encode(self, unsigned char[::1] word):
        """Fills in the parity of a word whose data stand in front."""
        with nogil:
            self._encode(&word[0])

    def correct(self, unsigned char[::1] word, const unsigned char[::1] erased):
        """Symbols corrected, in place; −1 and no change where no code word is near enough."""
        cdef int changed
        with nogil:
            changed = self._correct(&word[0], &erased[0])
        return changed

    def likeliest(self, const float[:, ::1] agreement, unsigned char[::1] word):
        """Code word of the best agreement found by erasing the least certain symbols one by one; its agreement."""
        cdef unsigned char best[64]
        cdef unsigned char erased[64]
        cdef unsigned char attempt[64]
        cdef float margin[64]
        cdef float first, second, total, most = -1e30
        cdef int i, value, erasures, weakest, changed
        with nogil:
            for i in range(self.length):
                first = second = -1e30
                best[i] = 0
                for value in range(64):
                    if agreement[i, value] > first:
                        second = first
                        first = agreement[i, value]
                        best[i] = value
                    elif agreement[i, value] > second:
                        second = agreement[i, value]
                margin[i] = first - second
            memset(erased, 0, 64)
            for erasures in range(self.parity + 1):
                memcpy(attempt, best, 64)
                changed = self._correct(attempt, erased)
                if changed >= 0:
                    total = 0
                    for i in range(self.length):
                        total += agreement[i, attempt[i]]
                    if total > most:
                        most = total
                        for i in range(self.length):
                            word[i] = attempt[i]
                if erasures == 0 and changed == 0:
                    # The best value of every symbol is a code word already: nothing can agree better.
                    break
                weakest = -1
                for i in range(self.length):
                    if not erased[i] and (weakest < 0 or margin[i] < margin[weakest]):
                        weakest = i
                erased[weakest] = 1
        return int(most)
