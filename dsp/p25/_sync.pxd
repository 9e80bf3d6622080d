cdef Py_ssize_t find(
    const float* llr,
    Py_ssize_t count,
    unsigned long long sync,
    int most_errors,
    float least_agreement,
    long long* places,
    unsigned char* inverted,
    float* scores,
) noexcept nogil
