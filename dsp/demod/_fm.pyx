"""FM discriminator of a bank of channels, with an envelope-steered narrow filter below the threshold."""

from libc.string cimport memcpy

cdef extern from "demod/_fm.h" nogil:
    int FIR_LANES
    void fm_split(const float *x, float *re, float *im, float *p, long n)
    void fm_fir(const float *h, long taps, const float *re, const float *im, float *yre, float *yim, long n)
    void fm_power(const float *re, const float *im, float *p, long n)
    void fm_sums(const float *p, long n, float *sum, float *squares)
    void fm_blend(float *wre, float *wim, const float *nre, const float *nim, float start, float step, long first, long n)
    void fm_angle(const float *re, const float *im, float scale, float *out, long n)


def discriminate(
    const float[:, :, ::1] block,
    const float[:, ::1] taps,
    const float[::1] limits,
    long long[:, ::1] position,
    float[:, ::1] track,
    float[:, :, ::1] power,
    float[:, :, ::1] history,
    float[:, :, ::1] last,
    float[:, ::1] scratch,
    float scale,
    float[:, ::1] out,
):
    """One block of every row. Shapes and meaning as `dsp.demod.fm` allocates them; the GIL is released."""
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], row
    with nogil:
        for row in range(rows):
            _row(
                &block[row, 0, 0], n, &taps[row, 0], taps.shape[1], &limits[0], &position[row, 0], &track[row, 0],
                &power[row, 0, 0], power.shape[2], &history[row, 0, 0], &last[row, 0, 0], &scratch[0, 0],
                scratch.shape[1], scale, &out[row, 0],
            )


cdef void _row(
    const float *x, long n, const float *h, long taps, const float *limits, long long *position, float *track,
    float *power, long segment, float *history, float *last, float *scratch, long width, float scale, float *out,
) noexcept nogil:
    # scratch: seven lines of `width` floats: input re, im, power; wide re, im (one sample early); narrow re, im. The wide signal is
    # the input, half a filter later, until the first sample of the narrow one is mixed in; only then it gets lines of its own.
    cdef float *xre = scratch + 1
    cdef float *xim = xre + width
    cdef float *xp = xre + 2 * width
    cdef float *wre
    cdef float *wim
    cdef float *nre = scratch + 5 * width
    cdef float *nim = scratch + 6 * width
    cdef float *p
    cdef long past = taps - 1, half = (taps - 1) // 2, i = 0, m, j
    cdef float scale_of = 1.0 / segment
    cdef bint own
    memcpy(xre, history, past * sizeof(float))
    memcpy(xim, history + past, past * sizeof(float))
    memcpy(xp, history + 2 * past, past * sizeof(float))
    fm_split(x, xre + past, xim + past, xp + past, n)
    memcpy(history, xre + n, past * sizeof(float))
    memcpy(history + past, xim + n, past * sizeof(float))
    memcpy(history + 2 * past, xp + n, past * sizeof(float))
    wre, wim = xre + half - 1, xim + half - 1
    own = half == 0 or wre[0] != last[0] or wim[0] != last[1]
    if own:
        wre, wim = scratch + 3 * width, scratch + 4 * width
        _copy(xre + half, xim + half, last, wre, wim, n)
    if taps > 1:
        while i < n:
            j = position[0]
            m = min(segment - j, n - i)
            p = xp + half + i
            if m < segment:
                memcpy(power + j, p, m * sizeof(float))
                p = power
            if position[1]:
                fm_fir(h, taps, xre + i, xim + i, nre, nim, m)
                fm_power(nre, nim, power + segment + j, m)
                if track[4] != 0 or track[5] != 0:
                    if not own:
                        wre, wim, own = scratch + 3 * width, scratch + 4 * width, True
                        _copy(xre + half, xim + half, last, wre, wim, n)
                    fm_blend(wre + 1 + i, wim + 1 + i, nre, nim, track[4], track[5], j, m)
            i += m
            position[0] += m
            if position[0] == segment:
                position[0] = 0
                _steer(p, power + segment, segment, scale_of, limits, position, track)
    last[0] = wre[n]
    last[1] = wim[n]
    fm_angle(wre, wim, scale, out, n)


cdef inline void _copy(
    const float *re, const float *im, const float *last, float *wre, float *wim, long n
) noexcept nogil:
    wre[0], wim[0] = last[0], last[1]
    memcpy(wre + 1, re, n * sizeof(float))
    memcpy(wim + 1, im, n * sizeof(float))


cdef void _steer(
    const float *power, const float *narrow_power, long segment, float scale, const float *limits, long long *position,
    float *track
) noexcept nogil:
    # Smoothed mean and mean square of the power: track[0:2] wide, track[2:4] narrow; share of the narrow: track[4:6].
    cdef float a = limits[0], wide, narrow, gain, share = 0, sum, squares, narrow_sum, narrow_squares, begin
    fm_sums(power, segment, &sum, &squares)
    track[0] += a * (sum * scale - track[0])
    track[1] += a * (squares * scale - track[1])
    if position[1] == 0 and track[4] == 0 and track[5] == 0 and track[1] < (1 + limits[3]) * (track[0] * track[0]):
        return  # a strong signal: nothing to steer
    begin = track[4] + track[5] * segment
    wide = track[1] / (track[0] * track[0]) - 1 if track[0] > 1e-18 else 0
    if position[1]:
        fm_sums(narrow_power, segment, &narrow_sum, &narrow_squares)
        if position[1] == 1:
            # The same memory as the wide signal's, so that the rise of a carrier does not look steadier in the narrow.
            gain = narrow_sum / max(sum, 1e-18)
            track[2] = track[0] * gain
            track[3] = track[1] * gain * gain
            position[1] = 2
        else:
            track[2] += a * (narrow_sum * scale - track[2])
            track[3] += a * (narrow_squares * scale - track[3])
        narrow = track[3] / (track[2] * track[2]) - 1 if track[2] > 1e-18 else 1
        gain = min(max((limits[4] * wide - narrow) / (limits[5] * wide), 0), 1) if wide > 0 else 0
        share = gain * min(max((wide - limits[1]) / (limits[2] - limits[1]), 0), 1)
    elif wide > limits[3] and wide < limits[6]:
        position[1] = 1
    if position[1] and share == 0 and begin < 1e-6 and (wide < limits[3] or wide > limits[6]):
        position[1] = 0
    if begin < 1e-6:
        begin = 0
    track[4] = begin
    track[5] = (share - begin) * scale
