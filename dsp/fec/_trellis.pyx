"""List Viterbi decoder of the trellis codes. See `trellis`."""

cdef enum:
    STEPS = 49
    STATES = 8
    LONGEST = 32
    UNREACHED = -0x40000000


def decode(const int[::1] levels, const int[:, ::1] words, unsigned char[:, ::1] inputs, int[::1] agreement):
    """Best paths in order: levels (196,), words (states, states), inputs (paths, 49), agreement (paths,).

    words[state, input] has the four bits of that point. The input is the next state; a path starts and ends in state 0.
    """
    cdef int metric[2][STATES][LONGEST]
    # From which state and which of its paths a path came: state · LONGEST + rank.
    cdef unsigned char origin[STEPS][STATES][LONGEST]
    cdef int head[STATES]
    cdef int point[16]
    cdef int states = <int>words.shape[0], paths = <int>inputs.shape[0]
    cdef int step, state, previous, rank, i, word, best, value, most, last, this, where
    with nogil:
        for state in range(states):
            for rank in range(paths):
                metric[0][state][rank] = UNREACHED
        metric[0][0][0] = 0
        for step in range(STEPS):
            last = step & 1
            this = last ^ 1
            for word in range(16):
                point[word] = 0
                for i in range(4):
                    if word >> (3 - i) & 1:
                        point[word] += levels[4 * step + i]
                    else:
                        point[word] -= levels[4 * step + i]
            for state in range(states if step < STEPS - 1 else 1):
                # The paths of each state are in order already: merge the lists.
                for previous in range(states):
                    head[previous] = 0
                for rank in range(paths):
                    most = 2 * UNREACHED + 1
                    best = 0
                    for previous in range(states):
                        if head[previous] == paths:
                            continue
                        value = metric[last][previous][head[previous]]
                        if value > UNREACHED:
                            value += point[words[previous, state]]
                        if value > most:
                            most = value
                            best = previous
                    metric[this][state][rank] = most
                    origin[step][state][rank] = <unsigned char>(best * LONGEST + head[best])
                    head[best] += 1
        for rank in range(paths):
            agreement[rank] = metric[STEPS & 1][0][rank]
            state = 0
            i = rank
            for step in range(STEPS - 1, -1, -1):
                inputs[rank, step] = <unsigned char>state
                where = origin[step][state][i]
                state = where // LONGEST
                i = where % LONGEST
