cimport cython

@cython.final
cdef class Fourier:
    cdef double cosine[128]
    cdef double sine[128]
    cdef unsigned char reversed[128]
    cdef void transform(self, double* re, double* im) noexcept nogil
    cdef void forward(self, const double* x, double* re, double* im) noexcept nogil
    cdef void inverse(self, const double* re, const double* im, double* x) noexcept nogil
