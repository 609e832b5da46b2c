/*
 * stop_gradient: y = x, and no gradient passes.
 *
 *   x   any shape, any element type          y   the same
 *   dx = 0: the path ends here. Nothing is copied.
 */
#include "op.h"

static bool shape(ad_infer *s)
{
	s->out_type[0] = s->in_type[0];
	return ad_same_shape(s);
}

AD_OP(stop_gradient, .arity = 1, .shape = shape, .as_is = 1, .alias = true, .flat = true,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1, 0, 2.5) },
                     .want = { AD_LIST(-1, 0, 2.5) },
                     .dwant = { AD_LIST(0, 0, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(7, -7) },
                     .want = { AD_LIST(7, -7) } },
                   { .in = { AD_DIMS_OF(AD_BOOL, 2) },
                     .give = { AD_LIST(0, 1) },
                     .want = { AD_LIST(0, 1) } } });

/* x as it is, but as if it were constant: its gradient is 0. */
AD_API ad_node *ad_stop_gradient(ad_node *x)
{
	return AD_CALL(stop_gradient, x);
}
