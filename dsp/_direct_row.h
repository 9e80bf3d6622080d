/* One row of one channel by direct conversion: mix and decimate with complex taps, turn, filter with real taps.
 *
 * All sums run in a fixed order over vectors of eight complex samples, so nothing depends on the machine.
 */
#ifndef SDRBRIDGE_DIRECT_ROW_H
#define SDRBRIDGE_DIRECT_ROW_H

#include <math.h>
#include <stdint.h>

#include "_width.h"

typedef struct {
    int first_length;    /* taps of the first filter, a multiple of 8 */
    int first_step;      /* its decimation */
    const float *first;  /* [first_length / 8]{8 cosine parts, each twice; 8 sine parts, each twice} */
    int middle;          /* samples between the filters in one row */
    int turns;           /* middle, filled up to a multiple of 8 */
    const float *turn;   /* the mixing frequency at the middle rate: [turns] cosine twice; [turns] −sine, sine */
    int second_length;   /* taps of the second filter, a multiple of 8 */
    int second_step;
    const float *second; /* [second_length], each twice */
    int hop;             /* samples out, a multiple of 8 */
    float *mixed;        /* middle + 8 complex, zeros after middle: behind the first filter, not turned yet */
    float *between;      /* middle + 8 complex, zeros after middle */
    float *joint;        /* 2 first_length complex */
} direct_plan;

#define EACH_WIDTH "_direct_sums.h"
#include "_each_width.h"

static void direct_row(const direct_plan *p, const float *head, int64_t filled, const float *body, int64_t start,
                       int follows, float c, float s, float *out)
{
    CALL_WIDEST(direct_row, p, head, filled, body, start, follows, c, s, out);
}

#endif
