"""The symbols of a stream that may still be asked for. See `stream`."""

cimport cython
from libc.string cimport memmove

from dsp.p25._sync cimport find

cdef enum:
    PIECE = 1024
    SYNC_DIBITS = 24
    STATUS_PERIOD = 36
    SYMBOL_RATE = 4800


@cython.final
cdef class Stream:
    """`rate`: samples per second of the index. Sync and its limits as `_sync.search`. Room: (n, 2) and (n,)."""

    cdef readonly long long base
    cdef readonly long long count
    cdef float[:, ::1] llr
    cdef long long[::1] index
    cdef long long rate
    cdef unsigned long long sync
    cdef int most_errors
    cdef float least_agreement
    cdef long long places[PIECE]
    cdef unsigned char inverted[PIECE]
    cdef float scores[PIECE]

    def __init__(
        self,
        long long rate,
        unsigned long long sync,
        int most_errors,
        float least_agreement,
        float[:, ::1] llr,
        long long[::1] index,
    ):
        self.rate = rate
        self.sync = sync
        self.most_errors = most_errors
        self.least_agreement = least_agreement
        self.llr = llr
        self.index = index
        self.base = self.count = 0

    cdef bint plain(self, const long long[::1] index) noexcept nogil:
        """The symbols follow those before, with no gap between or within, and there is room."""
        cdef Py_ssize_t n = index.shape[0], held = <Py_ssize_t>(self.count - self.base)
        if n > PIECE or held + n > self.index.shape[0]:
            return False
        if held and 2 * SYMBOL_RATE * (index[0] - self.index[held - 1]) >= 3 * self.rate:
            return False
        return 2 * SYMBOL_RATE * (index[n - 1] - index[0]) <= (2 * n - 1) * self.rate

    def append(self, const float[:, ::1] llr, const long long[::1] index, bint anyway):
        """Takes 1 … 1024 symbols, and says in how many places a sync may begin now; −1 where they do not simply follow.

        anyway: they are not asked whether they do; then there must be room.
        """
        cdef Py_ssize_t i, n = llr.shape[0], held = <Py_ssize_t>(self.count - self.base), first
        cdef int found = -1
        if index.shape[0] != n or n == 0 or (anyway and (n > PIECE or held + n > self.index.shape[0])):
            raise ValueError("symbols: none, too many, or not as many as index")
        with nogil:
            if anyway or self.plain(index):
                for i in range(n):
                    self.llr[held + i, 0] = llr[i, 0]
                    self.llr[held + i, 1] = llr[i, 1]
                    self.index[held + i] = index[i]
                first = max(0, held - SYNC_DIBITS + 1)
                found = <int>find(
                    &self.llr[first, 0],
                    held + n - first,
                    self.sync,
                    self.most_errors,
                    self.least_agreement,
                    self.places,
                    self.inverted,
                    self.scores,
                )
                for i in range(found):
                    self.places[i] += self.base + first
                self.count += n
        return found

    def proposal(self, int number):
        """(place, inverted, score) of those `append` found."""
        if not 0 <= number < PIECE:
            raise IndexError("proposal")
        return self.places[number], bool(self.inverted[number]), self.scores[number]

    def when(self, long long place):
        """On-air sample of a symbol."""
        if not self.base <= place < self.count:
            raise IndexError("symbol is not kept")
        return self.index[place - self.base]

    def gather(self, long long start, const int[::1] places, bint inverted, float[::1] out):
        """Soft bits of the symbols `places` (n,), rising, from `start` on, into `out` (2 n,)."""
        cdef Py_ssize_t i, at, n = places.shape[0]
        if out.shape[0] != 2 * n or n == 0 or start + places[0] < self.base or start + places[n - 1] >= self.count:
            raise IndexError("symbols are not kept")
        with nogil:
            for i in range(n):
                at = <Py_ssize_t>(start - self.base) + places[i]
                out[2 * i] = -self.llr[at, 0] if inverted else self.llr[at, 0]
                out[2 * i + 1] = self.llr[at, 1]

    def status(self, long long start, int symbols, bint inverted, unsigned char[::1] out):
        """How many status symbols, 0 … 3 each, are among the first `symbols` of a unit; they are put into `out`."""
        cdef Py_ssize_t at
        cdef int i, n = symbols // STATUS_PERIOD
        cdef bint high
        if n > out.shape[0] or start < self.base or start + symbols > self.count:
            raise IndexError("symbols are not kept")
        with nogil:
            for i in range(n):
                at = <Py_ssize_t>(start - self.base) + STATUS_PERIOD * (i + 1) - 1
                high = self.llr[at, 0] < 0 if inverted else self.llr[at, 0] > 0
                out[i] = high << 1 | (self.llr[at, 1] > 0)
        return n

    def discard(self, long long place):
        """Forgets the symbols before that one."""
        cdef Py_ssize_t gone = <Py_ssize_t>(place - self.base)
        if not self.base <= place <= self.count:
            raise IndexError("symbol is not kept")
        if gone and place < self.count:
            memmove(&self.llr[0, 0], &self.llr[gone, 0], <size_t>(self.count - place) * 2 * sizeof(float))
            memmove(&self.index[0], &self.index[gone], <size_t>(self.count - place) * sizeof(long long))
        self.base = place

    def move(self, float[:, ::1] llr, long long[::1] index):
        """Goes on in other room, with what is kept."""
        cdef Py_ssize_t held = <Py_ssize_t>(self.count - self.base)
        if llr.shape[0] < held or index.shape[0] != llr.shape[0]:
            raise ValueError("room is too small")
        llr[:held] = self.llr[:held]
        index[:held] = self.index[:held]
        self.llr = llr
        self.index = index
