"""Speech filter of a bank of channels: decimating FIR, then recursive sections over eight rows at a time."""

from libc.string cimport memcpy

cdef extern from "_voice.h" nogil:
    int VOICE_ROWS
    void voice_scale(const float *x, float gain, float *y, long n)
    void voice_decimate(const float *x, const float *h, long taps, long d, float *lines, long width, float *y, long n)
    void voice_sections(double *x, long n, const double *sos, long sections, double *state)


def speech(
    const float[:, ::1] block,
    const float[::1] gain,
    const float[::1] taps,
    long decimation,
    long first,
    const double[:, ::1] sos,
    float[:, ::1] history,
    double[:, :, :, ::1] state,
    float[::1] line,
    float[:, ::1] lines,
    float[::1] decimated,
    double[:, ::1] group,
    float[:, ::1] out,
):
    """One block of every row. `first`: place of the first output's oldest sample in history + block."""
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], m = out.shape[1]
    cdef Py_ssize_t past = history.shape[1], begin, row, lane, i, count, g
    with nogil:
        for g in range(state.shape[0]):
            begin = g * VOICE_ROWS
            count = min(VOICE_ROWS, rows - begin)
            for lane in range(count):
                row = begin + lane
                memcpy(&line[0], &history[row, 0], past * sizeof(float))
                voice_scale(&block[row, 0], gain[row], &line[past], n)
                memcpy(&history[row, 0], &line[n], past * sizeof(float))
                if m:
                    voice_decimate(
                        &line[first], &taps[0], taps.shape[0], decimation, &lines[0, 0], lines.shape[1],
                        &decimated[0], m,
                    )
                    for i in range(m):
                        # 1e-30 of DC: after a long silence the sections would crawl through denormal numbers.
                        group[i, lane] = decimated[i] + 1e-30
            if m == 0:
                continue
            for lane in range(count, VOICE_ROWS):
                for i in range(m):
                    group[i, lane] = 0
            voice_sections(&group[0, 0], m, &sos[0, 0], sos.shape[0], &state[g, 0, 0, 0])
            for lane in range(count):
                for i in range(m):
                    out[begin + lane, i] = <float>group[i, lane]
