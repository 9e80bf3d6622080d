/* FIR and sections of the speech filter for one register width; included by _voice.h once for each. */

#define vec WIDE(vec)
#define doubles WIDE(doubles)

typedef double doubles __attribute__((vector_size(4 * WIDTH), aligned(8), may_alias));

/* Vectors along the outputs, five at a time; samples that share a tap are added first. */
JOIN(TARGET, WIDTH)
static void WIDE(voice_decimate)(const float *h, long taps, long d, const float *lines, long width, float *y, long n)
{
    const long half = taps / 2;
    for (long i = 0; i < n; i += 5 * WIDTH) {
        const float *s = lines + (half % d) * width + half / d + i;
        vec a[5];
#pragma GCC unroll 5
        for (int j = 0; j < 5; j++)
            a[j] = h[half] * *(const vec *)(s + j * WIDTH);
        /* u follows tap k, v its twin taps - 1 - k; at the end of the lines each steps on by one sample. */
        const float *u = lines + i, *v = lines + ((taps - 1) % d) * width + (taps - 1) / d + i;
        long p = 0, q = (taps - 1) % d;
        for (long k = 0; k < half; k++) {
            const float tap = h[k];
#pragma GCC unroll 5
            for (int j = 0; j < 5; j++)
                a[j] += tap * (*(const vec *)(u + j * WIDTH) + *(const vec *)(v + j * WIDTH));
            u += ++p < d ? width : 1 - (d - 1) * width;
            p = p < d ? p : 0;
            v -= --q >= 0 ? width : 1 - (d - 1) * width;
            q = q >= 0 ? q : d - 1;
        }
#pragma GCC unroll 5
        for (int j = 0; j < 5; j++)
            *(vec *)(y + i + j * WIDTH) = a[j];
    }
}

/* In place on x[n][8]: y = in + pole·y[-1], then three sections 1 b1 1 a1 a2 (transposed direct form II), all of them for a
 * sample before the next one: each waits for itself only, so the processor works on several at once. state: [4][2][8]. */
JOIN(TARGET, WIDTH)
static void WIDE(voice_sections)(double *x, long n, double pole, const double *sections, double *state)
{
    for (int row = 0; row < VOICE_ROWS; row += WIDTH / 2) {
        double *held = state + row;
        doubles last = *(doubles *)held, u[VOICE_SECTIONS], v[VOICE_SECTIONS];
#pragma GCC unroll 3
        for (int s = 0; s < VOICE_SECTIONS; s++) {
            u[s] = *(doubles *)(held + 2 * VOICE_ROWS * (s + 1));
            v[s] = *(doubles *)(held + 2 * VOICE_ROWS * (s + 1) + VOICE_ROWS);
        }
        for (long i = 0; i < n; i++) {
            doubles in = *(doubles *)(x + VOICE_ROWS * i + row) + last;
            last = pole * in;
#pragma GCC unroll 3
            for (int s = 0; s < VOICE_SECTIONS; s++) {
                const double *c = sections + 3 * s;
                const doubles y = in + u[s];
                u[s] = (c[0] * in - c[1] * y) + v[s];
                v[s] = in - c[2] * y;
                in = y;
            }
            *(doubles *)(x + VOICE_ROWS * i + row) = in;
        }
        *(doubles *)held = last;
#pragma GCC unroll 3
        for (int s = 0; s < VOICE_SECTIONS; s++) {
            *(doubles *)(held + 2 * VOICE_ROWS * (s + 1)) = u[s];
            *(doubles *)(held + 2 * VOICE_ROWS * (s + 1) + VOICE_ROWS) = v[s];
        }
    }
}

#undef doubles
#undef vec
