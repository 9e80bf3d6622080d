"""Speech leveler and limiter of a bank of rows, sample by sample; decisions once a frame."""

from libc.math cimport fabsf, log10, pow


def level(
    const float[:, ::1] block,
    const unsigned char[::1] adapt,
    double[:, ::1] state,
    long long[:, ::1] position,
    float[:, :, ::1] ring,
    double[:, ::1] meter,
    const double[::1] law,
    long frame,
    float[:, ::1] out,
):
    """One block of every row.

    state: speech level dB, frames heard, noise floor, gain, gain step a sample, sum of squares, limiter, sum of its ring,
    loudest frame dB.
    position: place in the frame, place in the ring, samples until the limiter rests.
    ring: delayed audio, limit wanted, limit smoothed. meter: sum of squares, peak, count. law: see `dsp.level`.
    """
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], row, i, k
    cdef Py_ssize_t window = ring.shape[2]
    cdef float x, y, wanted, ceiling = <float>law[0]
    cdef double release = law[1], smooth, limit
    cdef long long at
    cdef double *s
    cdef long long *p
    with nogil:
        for row in range(rows):
            s = &state[row, 0]
            p = &position[row, 0]
            for i in range(n):
                x = block[row, i]
                if not fabsf(x) < 1e9:
                    x = 0
                s[5] += <double>x * x
                s[3] += s[4]
                x = <float>(x * s[3])
                # Limiter: what this sample needs, the least of the window, let go slowly, averaged over the window.
                at = p[1]
                wanted = ceiling / fabsf(x) if fabsf(x) > ceiling else 1
                ring[row, 0, at] = x
                ring[row, 1, at] = wanted
                smooth = 1
                if wanted < 1:
                    p[2] = window
                if p[2] > 0:
                    p[2] -= 1
                    for k in range(window):
                        smooth = min(smooth, <double>ring[row, 1, k])
                s[6] = smooth if smooth < s[6] else s[6] + release * (smooth - s[6])
                if s[6] > 0.999999:
                    s[6] = 1
                s[7] += s[6] - ring[row, 2, at]
                ring[row, 2, at] = <float>s[6]
                # The ring holds the rounded value; take the same out as went in.
                s[7] += <double>ring[row, 2, at] - s[6]
                at += 1
                if at == window:
                    at = 0
                    s[7] = 0
                    for k in range(window):
                        s[7] += ring[row, 2, k]
                p[1] = at
                limit = s[7] / window
                y = <float>(ring[row, 0, at] * limit)
                y = min(max(y, -ceiling), ceiling)
                out[row, i] = y
                meter[row, 0] += <double>y * y
                meter[row, 1] = max(meter[row, 1], <double>fabsf(y))
                meter[row, 2] += 1
                p[0] += 1
                if p[0] == frame:
                    p[0] = 0
                    _decide(s, adapt[row], law, frame)


cdef void _decide(double *s, unsigned char adapt, const double[::1] law, long frame) noexcept nogil:
    cdef double power = max(s[5] / frame, law[2]), heard, gain
    s[5] = 0
    if adapt:
        if s[2] < 0:
            s[2] = power / 2
        s[2] = min(s[2] * law[3], power)
        heard = 10 * log10(power)
        s[8] = max(s[8] - law[12], heard)
        if heard > s[0] + law[6]:
            s[0] += law[7] * (heard - law[6] - s[0])
        elif power > law[4] and power > law[5] * s[2] and heard > s[8] - law[13]:
            s[1] = min(s[1] + 1, law[8])
            s[0] += (heard - s[0]) / s[1]
    gain = pow(10, min(max(law[9] - s[0], law[10]), law[11]) / 20)
    s[4] = (gain - s[3]) / frame
