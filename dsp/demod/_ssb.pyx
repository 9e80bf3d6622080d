"""Single sideband of a bank of channels: back to the carrier, real part, gain control."""

from libc.math cimport fabsf, sqrt


def receive(
    const float[:, :, ::1] block,
    const float[:, ::1] carrier,
    long long phase,
    const float[::1] sign,
    double[:, ::1] state,
    float[:, :, ::1] ring,
    long long[:, ::1] position,
    long hang,
    double attack,
    double decay,
    double target,
    double weakest,
    float[:, ::1] out,
):
    """One block of every row. carrier: cos, sin of one period. state: level held. position: place in the ring, hang.

    The ring holds audio and magnitude of the last samples; its oldest is the one put out.
    """
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], row, i, p
    cdef Py_ssize_t length = ring.shape[2], period = carrier.shape[1]
    cdef float a, b, s
    cdef double level, newest, audio
    cdef long long at, left
    with nogil:
        for row in range(rows):
            level = state[row, 0]
            at = position[row, 0]
            left = position[row, 1]
            s = sign[row]
            p = phase
            for i in range(n):
                a = block[row, i, 0]
                b = block[row, i, 1]
                if not (fabsf(a) < 1e8 and fabsf(b) < 1e8):
                    a = 0
                    b = 0
                newest = sqrt(<double>a * a + <double>b * b)
                audio = ring[row, 0, at]
                ring[row, 0, at] = a * carrier[0, p] - s * b * carrier[1, p]
                at += 1
                if at == length:
                    at = 0
                p += 1
                if p == period:
                    p = 0
                if newest > level:
                    level += attack * (newest - level)
                    left = hang
                elif left > 0:
                    left -= 1
                else:
                    level -= decay * level
                out[row, i] = <float>(audio * target / max(level, weakest))
            state[row, 0] = level
            position[row, 0] = at
            position[row, 1] = left
