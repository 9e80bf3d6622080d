cimport cython

@cython.final
cdef class Model:
    cdef int bits[57][64]
    cdef double step[57][64]
    cdef int length[57][6]
    cdef unsigned char place[57][88][2]
    cdef double gain[64]
    cdef double cosine[11][11][11]
    cdef int count(self, int pitch) noexcept nogil
    cdef int bands(self, int count) noexcept nogil
    cdef int pitch_of(self, const unsigned char* speech) noexcept nogil
    cdef void unpack(self, const unsigned char* speech, int count, int* b) noexcept nogil
    cdef void pack(self, const int* b, int count, unsigned char* speech) noexcept nogil
    cdef void prediction(self, const double* past, int past_count, int count, double* predicted) noexcept nogil
    cdef void residual(self, const int* b, int count, double* out) noexcept nogil
    cdef double level(self, int count, int m, int value) noexcept nogil
    cdef int nearest(self, int count, int m, double value) noexcept nogil
    cdef void quantise(self, const double* residual, int count, int* b) noexcept nogil

cdef Model MODEL
