"""Band energies of speech, and where one stretch of them is found in another. See `dsp.echo`."""

from libc.math cimport fabsf, log2f
from libc.stdlib cimport free, malloc

cdef extern from "_echo.h" nogil:
    int ECHO_BANDS
    int ECHO_LANES
    int ECHO_HOP
    float ECHO_QUIET
    void echo_bands(const float *x, Py_ssize_t n, const float *sections, float *state, float *energy)
    void echo_take(const float *ring, Py_ssize_t size, Py_ssize_t first, Py_ssize_t count, Py_ssize_t step,
                   Py_ssize_t begin, Py_ssize_t end, float silence, float depth, float *out)
    void echo_sums(const float *y, int frames, float *sum, float *square)
    void echo_slide(const float *y, int frames, float *sum, float *square)
    float echo_like(const float *x, const float *vx, const float *y, int frames, const float *sum, const float *square)


def bands(const float[::1] x, Py_ssize_t phase, const float[:, ::1] sections, float[::1] state, float[::1] energy,
          float[:, ::1] ring, Py_ssize_t hop):
    """Filter x, whose first sample is the `phase`th of hop `hop`, and write the levels of every hop that ends in it."""
    cdef Py_ssize_t at = 0, n = x.shape[0], size = ring.shape[0], part, k
    cdef Py_ssize_t place = hop % size
    if place < 0:
        place += size
    with nogil:
        while at < n:
            part = min(n - at, ECHO_HOP - phase)
            echo_bands(&x[at], part, &sections[0, 0], &state[0], &energy[0])
            at += part
            phase += part
            if phase == ECHO_HOP:
                for k in range(ECHO_BANDS):
                    # Over two hops; what the one before had stands behind what this one has.
                    ring[place, k] = log2f((energy[k] + energy[ECHO_BANDS + k]) / (2 * ECHO_HOP) + ECHO_QUIET)
                    energy[ECHO_BANDS + k] = energy[k]
                    energy[k] = 0
                for k in range(3 * ECHO_BANDS):
                    # What rings on below anything heard would become denormal, and slow.
                    if fabsf(state[k]) < 1e-15:
                        state[k] = 0
                place = place + 1 if place + 1 < size else 0
                phase = 0


cdef void take(const float[:, ::1] ring, Py_ssize_t first, Py_ssize_t count, Py_ssize_t step, Py_ssize_t begin,
               Py_ssize_t end, float depth, float *out) noexcept nogil:
    echo_take(&ring[0, 0], ring.shape[0], first, count, step, begin, end, log2f(ECHO_QUIET), depth, out)


cdef float look(const float *x, Py_ssize_t frames, float depth, float active_depth, Py_ssize_t *active) noexcept nogil:
    """The mean change from one sounding frame of x to the next, and how many sound. x: (frames, 16) as `take` gives."""
    cdef Py_ssize_t t, k
    cdef float loud, previous = 0, changes = 0, change, step
    active[0] = 0
    for t in range(frames):
        loud = -depth
        for k in range(ECHO_BANDS):
            loud = max(loud, x[t * ECHO_LANES + k])
        if loud > -active_depth:
            active[0] += 1
            if previous > -active_depth and t:
                change = 0
                for k in range(ECHO_BANDS, ECHO_LANES):
                    step = x[t * ECHO_LANES + k] - x[(t - 1) * ECHO_LANES + k]
                    change += step * step
                # One step between two tones is not much of a change, however wide it is.
                changes += min(change / ECHO_BANDS, 1)
        previous = loud
    return changes / max(active[0], 1)


def activity(const float[:, ::1] said, Py_ssize_t last, Py_ssize_t said_begin, Py_ssize_t said_end, int frames,
             float depth, float active_depth):
    """Of the `frames` frames up to hop `last`: how many sound, and their mean change."""
    cdef Py_ssize_t active
    cdef float changes
    cdef float *x = <float *>malloc(sizeof(float) * frames * ECHO_LANES)
    if x == NULL:
        raise MemoryError
    with nogil:
        take(said, last - 2 * (frames - 1), frames, 2, said_begin, said_end, depth, x)
        changes = look(x, frames, depth, active_depth, &active)
        free(x)
    return active, changes


def find(const float[:, ::1] said, Py_ssize_t last, Py_ssize_t said_begin, Py_ssize_t said_end,
         const float[:, ::1] sent, Py_ssize_t sent_begin, Py_ssize_t sent_end,
         int frames, Py_ssize_t low, Py_ssize_t high, Py_ssize_t apart, float depth, float active_depth,
         Py_ssize_t least_active, float least_changes):
    """Where the `frames` frames up to hop `last` of `said` lie in `sent`, `low` … `high` hops before.

    Returns (likeness, lag, likeness elsewhere, active frames, mean change). Where too few frames sound or they change
    too little nothing is looked for: likeness 0.
    """
    cdef Py_ssize_t places = (high - low) // 2 + 1, span = high - low + 2 * frames, i, k, t, best = 0, active = 0
    cdef Py_ssize_t first = last - 2 * (frames - 1), lag
    cdef float *x = <float *>malloc(sizeof(float) * (frames * ECHO_LANES + span * ECHO_LANES + places))
    cdef float *y
    cdef float *found
    cdef float vx[2]
    cdef float sum[16]
    cdef float square[16]
    cdef float mean, changes, score, fine, second = 0
    if x == NULL:
        raise MemoryError
    y = x + frames * ECHO_LANES
    found = y + span * ECHO_LANES
    with nogil:
        take(said, first, frames, 2, said_begin, said_end, depth, x)
        changes = look(x, frames, depth, active_depth, &active)
    if active < least_active or changes < least_changes:
        free(x)
        return 0.0, 0, 0.0, active, changes
    with nogil:
        # Place p of y is hop first - high + p, so lag k begins at place high - k.
        take(sent, first - high, span, 1, sent_begin, sent_end, depth, y)
        vx[0] = vx[1] = 0
        for k in range(ECHO_LANES):
            mean = 0
            for t in range(frames):
                mean += x[t * ECHO_LANES + k]
            mean /= frames
            for t in range(frames):
                x[t * ECHO_LANES + k] -= mean
                vx[k // ECHO_BANDS] += x[t * ECHO_LANES + k] * x[t * ECHO_LANES + k]
        for i in range(places):
            k = high - low - 2 * i
            if i == 0:
                echo_sums(y + k * ECHO_LANES, frames, sum, square)
            else:
                echo_slide(y + k * ECHO_LANES, frames, sum, square)
            found[i] = echo_like(x, vx, y + k * ECHO_LANES, frames, sum, square)
            if found[i] > found[best]:
                best = i
        score = found[best]
        lag = low + 2 * best
        # Between two places lies another: frames are two hops apart, and so far only even delays were looked at.
        for i in range(-1, 2, 2):
            k = high - low - 2 * best - i
            if 0 <= k <= high - low:
                echo_sums(y + k * ECHO_LANES, frames, sum, square)
                fine = echo_like(x, vx, y + k * ECHO_LANES, frames, sum, square)
                if fine > score:
                    score = fine
                    lag = low + 2 * best + i
        for i in range(places):
            if low + 2 * i - lag > apart or lag - low - 2 * i > apart:
                second = max(second, found[i])
        free(x)
    return score, lag, second, active, changes
