/*
 * lanes: four elements at a distance as a vector, for windows side by side.
 */
#ifndef OPS_KERNELS_LANES_H
#define OPS_KERNELS_LANES_H

#include "op.h"

#define LANES_N 4
typedef ad_real lanes
    __attribute__((vector_size(LANES_N * sizeof(ad_real)), aligned(sizeof(ad_real)), may_alias));

/* Every stride-th element from x on. Of a stride of 2 two vectors are read, of which `odd` takes the odd
 * ones, beginning one before x: with odd set for all elements of a window but the first, nothing is read
 * outside of windows of two elements or more. */
static inline __attribute__((always_inline)) void lanes_load(lanes *v, const ad_real *x,
                                                             int64_t stride, bool odd)
{
	if (stride == 1) {
		*v = *(const lanes *)x;
	} else if (stride == 2) {
		const ad_real *from = odd ? x - 1 : x;
		lanes a = *(const lanes *)from, b = *(const lanes *)(from + LANES_N);

		*v = odd ? __builtin_shufflevector(a, b, 1, 3, 5, 7)
		         : __builtin_shufflevector(a, b, 0, 2, 4, 6);
	} else {
		*v = (lanes){ x[0], x[stride], x[2 * stride], x[3 * stride] };
	}
}

#endif
