/*
 * pack: y0, y1, ... = x0, x1, ...: several arrays as the outputs of one op. Nothing is copied.
 *
 *   x0, x1, ...   1 to 64 of any shapes and element types          y0, y1, ...   the same
 *   dx_k = dy_k, zeros where none arrived. With it a composition returns several outputs, which
 *   ad_output(y, k) names.
 */
#include "op.h"

static bool shape(ad_infer *s)
{
	if (s->n_in > AD_MAX_OUTPUTS)
		return ad_refuse(s, "an op has at most %d outputs, not %d", AD_MAX_OUTPUTS,
		                 s->n_in);
	s->n_out = s->n_in;
	for (int k = 0; k < s->n_in; k++) {
		s->out[k] = s->in[k];
		s->out_type[k] = s->in_type[k];
	}
	return true;
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	for (int k = 0; k < ad_inputs(y); k++)
		if (ad_wants(y, k))
			dx[k] = dy[k] ? dy[k] : ad_full_like(ad_input_of(y, k), 0);
}

AD_OP(pack, .arity = 1, .optional = -1, .as_is = AD_AS_IS_ALL, .alias = true, .shape = shape,
      .grad = grad,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 3), AD_DIM0 },
                     .give = { AD_LIST(1, 2), AD_LIST(3, 4, 5), AD_LIST(6) },
                     .want = { AD_LIST(1, 2), AD_LIST(3, 4, 5), AD_LIST(6) },
                     .dwant = { AD_LIST(1, 1), { 0 }, AD_LIST(1) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "there is no 'axis'" } });

/* n arrays, 1 to 64, as the outputs of one op; ad_output(y, k) is x[k]. */
AD_API ad_node *ad_pack(size_t n, ad_node *const x[])
{
	return AD_CALL_N(pack, NULL, n, x);
}
