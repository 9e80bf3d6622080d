"""Frame synchronisation of P25: the differential correlator of a bank, and the look at its candidates."""

cdef extern from "p25/_timing.h" nogil:
    enum:
        SYNC
        STEP
        REACHED
        LONGEST
    void acquire_prepare()
    void acquire_one(
        const float *x, const float *taps, int phases, int half, const signed char *signs, const double *nominal,
        double *out,
    )
    void correlate_row(
        const float *x, long n, const signed char *signs, long first, float *turn, long width, float *out
    )
    void low_pass_row(const float *x, const float *taps, int m, int step, long n, float *out)

cdef enum:
    BEHIND = REACHED + 6  # samples behind a candidate that the look at it needs
    BEFORE = STEP * SYNC + REACHED + 5  # and before it

acquire_prepare()


cdef inline bint in_rows(const float complex[:, :] x) noexcept:
    # The samples of each row stand side by side.
    return x.strides[1] == sizeof(float complex)


def correlate(
    const float complex[:, :] x,
    const signed char[::1] signs,
    Py_ssize_t first,
    float[:, :, ::1] turn,
    float[:, ::1] out,
):
    """Sync metric of the samples `first` … of every row. Shapes and meaning as `dsp.p25.timing` has them."""
    cdef Py_ssize_t rows = x.shape[0], n = x.shape[1], row
    if not in_rows(x) or not STEP * SYNC <= first <= n or turn.shape[0] < rows or turn.shape[2] < n:
        raise ValueError("rows of samples one beside the other, what the sync needs before the first, and room")
    with nogil:
        for row in range(rows):
            correlate_row(
                <const float *>&x[row, 0], n, &signs[0], first, &turn[row, 0, 0], turn.shape[2], &out[row, 0]
            )


def peaks(const float[:, ::1] shares, const float[::1] thresholds, int[:, ::1] places):
    """How many samples are above the threshold of their row and the largest of five around.

    places: (rows·n, 2), filled with row and sample of each, in order.
    """
    cdef Py_ssize_t rows = shares.shape[0], n = shares.shape[1], row, i
    cdef int found = 0
    cdef float threshold
    cdef const float *s
    if thresholds.shape[0] != rows or places.shape[0] < rows * n:
        raise ValueError("a threshold for each row, and room for every sample")
    if not rows or n < 5:
        return 0
    with nogil:
        for row in range(rows):
            s = &shares[row, 0]
            threshold = thresholds[row]
            for i in range(2, n - 2):
                if s[i] > threshold and s[i] > s[i - 1] and s[i] > s[i - 2] and s[i] >= s[i + 1] and s[i] >= s[i + 2]:
                    places[found, 0] = <int>row
                    places[found, 1] = <int>i
                    found += 1
    return found


def acquire(
    const float complex[:, :] x,
    const int[:, ::1] places,
    const float[:, :, ::1] taps,
    const signed char[::1] signs,
    const double[::1] nominal,
    double[:, :, ::1] out,
):
    """Look at each candidate (row, sample) with both pulses. out: (n, 3, 5) zeros; meaning as `dsp.p25.timing` has it."""
    cdef int half = <int>(taps.shape[2] - 1) // 2, phases = <int>taps.shape[1]
    cdef Py_ssize_t n = places.shape[0], i, trial, row, at
    if not in_rows(x) or half > REACHED or taps.shape[0] != 2 or signs.shape[0] != SYNC or out.shape[0] < n:
        raise ValueError("samples not in rows, filters too long, another sync, or no room")
    for i in range(n):
        if not (0 <= places[i, 0] < x.shape[0] and BEFORE <= places[i, 1] < x.shape[1] - BEHIND):
            raise ValueError("the surroundings of a candidate are not among the samples")
    with nogil:
        for i in range(n):
            row = places[i, 0]
            at = places[i, 1]
            acquire_one(<const float *>&x[row, at], &taps[0, 0, 0], phases, half, &signs[0], &nominal[0], &out[i, 0, 0])
            for trial in range(3):  # C4FM, LSM, C4FM of any deviation
                out[i, trial, 1] += at


def low_pass(const float complex[:, :] x, const float[::1] taps, Py_ssize_t step, float complex[:, :] out):
    """out (rows, n): x (rows, (n − 1)·step + taps or more) filtered, every step-th sample kept, 1 or 2."""
    cdef Py_ssize_t rows = x.shape[0], m = taps.shape[0], n = out.shape[1], row
    if x.shape[1] < (n - 1) * step + m or out.shape[0] != rows or not in_rows(x) or not in_rows(out):
        raise ValueError("not enough samples, or not in rows")
    if step not in (1, 2) or m > LONGEST:
        raise ValueError("another step than 1 or 2, or too many taps")
    if n > 0:
        with nogil:
            for row in range(rows):
                low_pass_row(<const float *>&x[row, 0], &taps[0], <int>m, <int>step, n, <float *>&out[row, 0])
