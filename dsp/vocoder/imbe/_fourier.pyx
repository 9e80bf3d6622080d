"""The 256-point Fourier transform of real samples, by a complex one of 128 points. float64, the same bits everywhere."""

from dsp.vocoder.imbe._math cimport TWO_PI, sincos_of


cdef class Fourier:
    def __cinit__(self):
        cdef int i, bit, r
        for i in range(128):
            sincos_of(TWO_PI * i / 256, &self.cosine[i], &self.sine[i])
            r = 0
            for bit in range(7):
                r |= ((i >> bit) & 1) << (6 - bit)
            self.reversed[i] = <unsigned char>r

    cdef void transform(self, double* re, double* im) noexcept nogil:
        """128-point forward transform in place, input in bit-reversed order."""
        cdef int half = 1, step = 128, start, k
        cdef double c, s, a, b
        cdef double *ur
        cdef double *ui
        cdef double *vr
        cdef double *vi
        while half < 128:
            start = 0
            while start < 128:
                ur = re + start
                ui = im + start
                vr = ur + half
                vi = ui + half
                for k in range(half):
                    # e^(−2πj·k/(2·half)); the table has 256 steps to the turn.
                    c = self.cosine[k * step]
                    s = self.sine[k * step]
                    a = vr[k] * c + vi[k] * s
                    b = vi[k] * c - vr[k] * s
                    vr[k] = ur[k] - a
                    vi[k] = ui[k] - b
                    ur[k] = ur[k] + a
                    ui[k] = ui[k] + b
                start += 2 * half
            half *= 2
            step //= 2

    cdef void forward(self, const double* x, double* re, double* im) noexcept nogil:
        """X(m) = Σ x(n)·e^(−2πj·mn/256), n = 0 … 255, into m = 0 … 128."""
        cdef double zr[128]
        cdef double zi[128]
        cdef int i, m, r
        cdef double er, ei, orr, oi
        for i in range(128):
            r = self.reversed[i]
            zr[i] = x[2 * r]
            zi[i] = x[2 * r + 1]
        self.transform(zr, zi)
        for m in range(128):
            r = (128 - m) & 127
            er = 0.5 * (zr[m] + zr[r])
            ei = 0.5 * (zi[m] - zi[r])
            orr = 0.5 * (zi[m] + zi[r])
            oi = 0.5 * (zr[r] - zr[m])
            re[m] = er + self.cosine[m] * orr + self.sine[m] * oi
            im[m] = ei + self.cosine[m] * oi - self.sine[m] * orr
        re[128] = zr[0] - zi[0]
        im[128] = 0.0

    cdef void inverse(self, const double* re, const double* im, double* x) noexcept nogil:
        """The real x(n), n = 0 … 255, whose transform is given for m = 0 … 128."""
        cdef double zr[128]
        cdef double zi[128]
        cdef int i, m, r
        cdef double er, ei, dr, di, orr, oi
        for i in range(128):
            m = self.reversed[i]
            r = 128 - m
            er = re[m] + re[r]
            ei = im[m] - im[r]
            dr = re[m] - re[r]
            di = im[m] + im[r]
            orr = dr * self.cosine[m] - di * self.sine[m]
            oi = dr * self.sine[m] + di * self.cosine[m]
            # The inverse is the forward transform of the conjugate, conjugated.
            zr[i] = er - oi
            zi[i] = -(ei + orr)
        self.transform(zr, zi)
        for i in range(128):
            x[2 * i] = zr[i] / 256
            x[2 * i + 1] = -zi[i] / 256


def forward(const double[::1] x, double[::1] re, double[::1] im):
    """Forward transform of (256,) into (129,) and (129,)."""
    cdef Fourier fourier = Fourier()
    with nogil:
        fourier.forward(&x[0], &re[0], &im[0])


def inverse(const double[::1] re, const double[::1] im, double[::1] x):
    """Inverse transform of (129,) and (129,) into (256,)."""
    cdef Fourier fourier = Fourier()
    with nogil:
        fourier.inverse(&re[0], &im[0], &x[0])
