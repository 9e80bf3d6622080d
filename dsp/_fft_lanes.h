/* Sixteen Fourier transforms side by side: each lane of a vector belongs to another transform, so no butterfly ever
 * mixes lanes, every length runs at full width and the results do not depend on the vector width of the machine.
 *
 * A tile holds `n` points of 16 transforms: for each point 16 real parts, then 16 imaginary parts. The transform is
 * decimation in time, in place, mixed radix: the points are put into the tile in digit-reversed order (`position`), the
 * stages combine sub-transforms of growing length, and the result stands in natural order. The first stage can read
 * and the last stage write something other than the tile, which saves a trip through memory at each end.
 *
 * Cooley & Tukey 1965; the 5- and 3-point kernels are those of Winograd's identities written without reordering.
 */
#ifndef SDRBRIDGE_FFT_LANES_H
#define SDRBRIDGE_FFT_LANES_H

#include <stdint.h>
#include <string.h>

#include "_simd.h"
#include "_transpose.h"
#include "_width.h"

#define LANES 16
#define MAX_STAGES 12
#define MAX_RADIX 13

typedef float vec __attribute__((vector_size(64), may_alias));

typedef struct {
    int n;
    int stages;
    int radix[MAX_STAGES];
    const float *twiddle[MAX_STAGES]; /* [k][q - 1]{cos, sin}, k < m: W^(q k) of length m r */
    const float *root[MAX_STAGES];    /* {cos, sin} of W_r^j, j < r, for the radices without a kernel of their own */
    const int32_t *position;          /* where in the tile point i goes */
    const int32_t *source;            /* and which point a place in the tile takes */
} lane_plan;

/* ---- stages, by register width ---------------------------------------------------------------------------------- */

enum { TO_TILE, TO_TILE_TURNED, TO_SPLIT };
/* TO_TILE         back to where it came from
   TO_TILE_TURNED  the same, times turn[point] (a vector of cosines, a vector of sines)
   TO_SPLIT        to re[point * stride], im[point * stride], 16 floats each; the tile is not written */
typedef struct {
    const float *turn;
    float *re, *im;
    int64_t stride;
} lane_sink;

#define EACH_WIDTH "_fft_stages.h"
#include "_each_width.h"

/* All stages of one tile; only the last one looks at `to`. */
static void lane_transform(const lane_plan *plan, vec *tile, int to, const lane_sink *sink)
{
    CALL_WIDEST(lane_transform, plan, (float *)tile, 0, 0, to, sink);
}

/* The same of sixteen neighbouring columns: point i is line[i][column … column + 15], complex. The first stage reads them. */
static inline void lane_transform_columns(const lane_plan *plan, const float *const *line, int column, vec *tile, int to,
                                   const lane_sink *sink)
{
    CALL_WIDEST(lane_transform, plan, (float *)tile, line, column, to, sink);
}

/* ---- interleaving ------------------------------------------------------------------------------------------ */

/* 8 real and 8 imaginary parts to 8 complex numbers. */
INLINE void join8(const half_vec *a, const half_vec *b, float *z)
{
    half_vec re = *a, im = *b;
    half_vec lo = SHUFFLE(re, im, 0, 8, 1, 9, 4, 12, 5, 13), hi = SHUFFLE(re, im, 2, 10, 3, 11, 6, 14, 7, 15);
    *(loose_half *)z = SHUFFLE(lo, hi, 0, 1, 2, 3, 8, 9, 10, 11);
    *(loose_half *)(z + 8) = SHUFFLE(lo, hi, 4, 5, 6, 7, 12, 13, 14, 15);
}

#endif
