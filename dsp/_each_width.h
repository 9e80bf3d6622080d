/* Includes the header that EACH_WIDTH names once for each width of registers (see _width.h), in floats as WIDTH. It has no
 * guard: each header of loops is included through it. */
#define WIDTH 4
#include EACH_WIDTH
#undef WIDTH
#ifdef HAVE_WIDTHS
#define WIDTH 8
#include EACH_WIDTH
#undef WIDTH
#define WIDTH 16
#include EACH_WIDTH
#undef WIDTH
#endif
#undef EACH_WIDTH
