/* One long forward transform in four steps (Bailey 1990): N = rows x columns, sample = row * columns + column.
 *
 *   1  transforms of length `rows` down the columns, sixteen neighbouring columns at a time
 *   2  times W_N^(row' * column), fused with the last stage of 1
 *   3  sixteen by sixteen transposition into the tiles of step 4
 *   4  transforms of length `columns`, sixteen neighbouring row' at a time; bin = row' + rows * column'
 *
 * A tile stays in the first-level cache and every load and store is contiguous. Where 16 does not divide a side, the
 * last tile overlaps its neighbour and computes a few columns twice, to the same bits.
 */
#ifndef SDRBRIDGE_FFT_FORWARD_H
#define SDRBRIDGE_FFT_FORWARD_H

#include "_fft_lanes.h"

typedef struct {
    lane_plan down, across;
    const float *turn; /* [column tile][row'][16 cosines, 16 sines] of W_N^(row' * column) */
    vec *tile;         /* down.n points */
    vec *middle;       /* one tile of across.n points for each sixteen row' */
} forward_plan;

INLINE int tiles_of(int n) { return (n + LANES - 1) / LANES; }
INLINE int tile_start(int n, int tile) { return tile * LANES + LANES <= n ? tile * LANES : n - LANES; }

/* line[row]: `columns` complex samples. Result: bin k in re[k], im[k]. */
SIMD_CLONES
static void forward_transform(const forward_plan *plan, const float *const *line, float *re, float *im)
{
    const int rows = plan->down.n, columns = plan->across.n;
    const int32_t *across = plan->across.position;
    for (int c = 0; c < tiles_of(columns); c++) {
        const int column = tile_start(columns, c);
        vec *tile = plan->tile;
        lane_sink turned = {plan->turn + 2 * LANES * (int64_t)rows * c, 0, 0, 0};
        lane_transform_columns(&plan->down, line, column, tile, TO_TILE_TURNED, &turned);
        for (int t = 0; t < tiles_of(rows); t++) {
            const half_vec *from = (const half_vec *)(tile + 2 * tile_start(rows, t));
            vec *middle = plan->middle + 2 * (int64_t)columns * t;
            for (int half = 0; half < 2; half++) { /* of the columns */
                half_vec *to[8];
                for (int i = 0; i < 8; i++)
                    to[i] = (half_vec *)(middle + 2 * across[column + half * 8 + i]);
#pragma GCC unroll 4
                for (int h = 0; h < 4; h++) { /* real or imaginary parts h >> 1, half h & 1 of the rows */
                    half_vec v[8];
                    for (int i = 0; i < 8; i++)
                        v[i] = from[4 * ((h & 1) * 8 + i) + 2 * (h >> 1) + half];
                    transpose8(v);
                    for (int i = 0; i < 8; i++)
                        to[i][h] = v[i];
                }
            }
        }
    }
    for (int t = 0; t < tiles_of(rows); t++) {
        const int row = tile_start(rows, t);
        lane_sink out = {0, re + row, im + row, rows};
        lane_transform(&plan->across, plan->middle + 2 * (int64_t)columns * t, TO_SPLIT, &out);
    }
}

/* power[k] += |X[k]|^2 of the spectrum under a Hann window, which is X[k]/2 - (X[k-1] + X[k+1])/4 of the bare one. */
SIMD_CLONES
static void add_hann_power(const float *restrict re, const float *restrict im, float *restrict power, int n)
{
    for (int k = 0; k < n; k++) {
        float a = 0.5f * re[k] - 0.25f * (re[k - 1] + re[k + 1]);
        float b = 0.5f * im[k] - 0.25f * (im[k - 1] + im[k + 1]);
        power[k] += a * a + b * b;
    }
}

#endif
