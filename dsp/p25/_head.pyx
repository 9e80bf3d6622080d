"""The head of a unit beside what came. See `head`."""

cdef extern from "p25/_head.h" nogil:
    enum:
        HEAD
        COMPARED
        SAMPLES
        WIDTH
        TURNS
        TRIED
        DEVIATIONS
    void head_compare(
        const float *x, const float *response, int by_phase, const unsigned char *dibits, double turn, double step,
        float *of, double *out,
    )
    void head_off(
        const float *of, const float *turned, int before, int behind, double turn, double step, int steps, float *out
    )


def compare(
    const float complex[::1] x, Py_ssize_t first, const float[:, ::1] response, bint by_phase,
    const unsigned char[::1] dibits, double turn, double step, float complex[::1] of,
):
    """(Share of the power explained, power, size of what was sent). x[first]: the first of 255 samples.

    response: (57, 256). by_phase: the symbols bring phase, else the points amplitude. dibits: (57,) 0 … 3. of: (51,).
    """
    cdef double out[3]
    cdef Py_ssize_t k
    if first < 0 or first + SAMPLES > x.shape[0]:
        raise ValueError("the head is not among the samples")
    if response.shape[0] != HEAD or response.shape[1] != WIDTH or dibits.shape[0] != HEAD or of.shape[0] != COMPARED:
        raise ValueError("57 dibits, responses (57, 256) and room for 51")
    for k in range(HEAD):
        if dibits[k] > 3:
            raise ValueError("dibits are 0 … 3")
    with nogil:
        head_compare(
            <const float *>&x[first], &response[0, 0], by_phase, &dibits[0], turn, step, <float *>&of[0], out
        )
    return out[0], out[1], out[2]


cdef double _vertex(double left, double middle, double right) noexcept nogil:
    # Of the parabola through three values, from the middle one.
    cdef double bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend < 0 else 0.0


def off(
    const float complex[::1] of, const float[::1] turned, int before, int behind, double certainty, double turn,
    double turn_before, double step, double step_before, bint deviates,
):
    """(turn, step) of greatest likelihood: certainty·|∑ of|² less half the squares of each by what was known before.

    turn, step: between two trials, of 25 and, where the deviation is not the nominal one, 13.
    """
    cdef float sums[DEVIATIONS * TRIED]
    cdef double likely[DEVIATIONS][TURNS]
    cdef double most, t, s
    cdef int steps = DEVIATIONS if deviates else 1, d, n, best = 0, at = 0
    if of.shape[0] != COMPARED or turned.shape[0] != COMPARED:
        raise ValueError("51 symbols are compared")
    with nogil:
        head_off(<const float *>&of[0], &turned[0], before, behind, turn, step, steps, sums)
        most = -1e300
        for d in range(steps):
            for n in range(TURNS):
                t = (n - TURNS // 2) * turn / turn_before
                s = (d - steps // 2) * step / step_before
                likely[d][n] = certainty * sums[d * TRIED + n] - (t * t + s * s) / 2
                if likely[d][n] > most:
                    most = likely[d][n]
                    best = d
                    at = n
        t = at - TURNS // 2
        s = best - steps // 2
        if 0 < at < TURNS - 1:
            t += _vertex(likely[best][at - 1], most, likely[best][at + 1])
        if 0 < best < steps - 1:
            s += _vertex(likely[best - 1][at], most, likely[best + 1][at])
    return t * turn, s * step
