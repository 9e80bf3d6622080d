"""Speech filter of a bank of channels: decimating FIR, then recursive sections over eight rows at a time."""

from libc.string cimport memcpy

cdef extern from "_voice.h" nogil:
    int VOICE_ROWS
    void voice_scale(const float *x, float gain, float *y, long n)
    void voice_sort(const float *x, long d, float *lines, long width, long need)
    void voice_decimate(const float *h, long taps, long d, const float *lines, long width, float *y, long n)
    void voice_together(const float *rows, long width, double *x, long n)
    void voice_apart(const double *x, float *rows, long width, long n)
    void voice_sections(double *x, long n, double pole, const double *sections, double *state)


def speech(
    const float[:, ::1] block,
    const float[::1] gain,
    const float[::1] taps,
    long decimation,
    long first,
    double pole,
    const double[:, ::1] sections,
    float[:, ::1] history,
    double[:, :, :, ::1] state,
    float[::1] line,
    float[:, ::1] lines,
    float[:, ::1] decimated,
    double[:, ::1] group,
    float[:, ::1] out,
):
    """One block of every row. `first`: place of the first output's oldest sample in history + block."""
    cdef Py_ssize_t rows = block.shape[0], n = block.shape[1], m = out.shape[1]
    cdef Py_ssize_t past = history.shape[1], begin, row, lane, count, g
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
                    # The last line may look one sample past what is needed; `line` has room for that.
                    voice_sort(&line[first], decimation, &lines[0, 0], lines.shape[1], m + (taps.shape[0] - 1) // decimation)
                    voice_decimate(
                        &taps[0], taps.shape[0], decimation, &lines[0, 0], lines.shape[1], &decimated[lane, 0], m
                    )
            if m == 0:
                continue
            voice_together(&decimated[0, 0], decimated.shape[1], &group[0, 0], m)
            voice_sections(&group[0, 0], m, pole, &sections[0, 0], &state[g, 0, 0, 0])
            voice_apart(&group[0, 0], &decimated[0, 0], decimated.shape[1], m)
            for lane in range(count):
                memcpy(&out[begin + lane, 0], &decimated[lane, 0], m * sizeof(float))
