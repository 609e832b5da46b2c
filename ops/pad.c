/*
 * pad: y = x with elements added before and after its last axes.
 *
 *   x   any shape   y   each axis larger by its two pads; a negative one crops (mode constant only)
 *   pads   [before, after] of the last axis, then of the one before it, and so on
 *   mode   constant: the new elements are value; reflect: x mirrored at its first and last element;
 *          replicate: these repeated; circular: x over again
 *   dx = dy, what falls to one element added up; x need not be kept
 */
#include "op.h"
#include "kernels/padding.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct pad_attrs, pads, AD_INTLIST, NULL,
	        "elements before and after the last axis, then the one before it, ...", NULL),
	PAD_MODE("constant reflect replicate circular"),
	AD_ATTR(struct pad_attrs, value, AD_NUM, "0", "the new elements in mode constant", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	return pad_shape(s, &s->in[0], &s->out[0]);
}

static struct padding padding_here(const ad_run *r)
{
	return padding_of(r->attrs, &r->in[0], &r->out[0]);
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	const struct pad_attrs *a = r->attrs;
	struct padding p = padding_here(r);
	int last = p.rank - 1;
	int64_t n = p.y[last], size = p.x[last], before = p.before[last];
	int64_t first = before > 0 ? before : 0, stop = before + size < n ? before + size : n;
	size_t per_outer = p.inner_y / (size_t)n;
	ad_real value = (ad_real)a->value;

	stop = stop > first ? stop : first;
	for (size_t row = begin; row < end; row++) {
		int64_t from = pad_row(&p, row % per_outer);
		ad_real *y = ad_reals_of(&r->out[0]) + row * (size_t)n;
		const ad_real *x =
		    ad_reals_of(&r->in[0]) + row / per_outer * p.inner_x + (from < 0 ? 0 : from);

		for (int64_t k = 0; k < n; k++) {
			int64_t at;

			if (from >= 0 && k == first && stop > first) {
				memcpy(y + first, x + (first - before),
				       (size_t)(stop - first) * sizeof *y);
				k = stop - 1;
				continue;
			}
			at = from < 0 ? -1 : pad_source(&p, last, k);
			y[k] = at < 0 ? value : x[at];
		}
	}
}

static void forward(const ad_run *r)
{
	const ad_array *y = &r->out[0];

	if (y->count == 0)
		return;
	if (y->rank == 0) {
		*ad_reals_of(y) = *ad_reals_of(&r->in[0]);
		return;
	}
	ad_parallel(r, y->count / (size_t)y->dims[y->rank - 1],
	            16384 / (size_t)y->dims[y->rank - 1] + 1, rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct pad_attrs *a = ad_attrs_of(y);
	int64_t back[2 * AD_MAX_RANK];

	if (strcmp(a->mode, "constant") != 0) {
		dx[0] = ad_pad_adjoint(dy[0], ad_shape_of(ad_input_of(y, 0)), a->pads, a->mode);
		return;
	}
	for (int64_t k = 0; k < a->pads.n; k++)
		back[k] = -a->pads.v[k];
	dx[0] = ad_pad(dy[0], (ad_ints){ a->pads.n, back }, "constant", 0);
}

AD_OP(pad, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct pad_attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "pads=[1,2]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
            .want = { AD_LIST(0, -4, 3, -1, 0, 0, 0, 6, 2, -2, 0, 0) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "pads=[0,1,2,1] value=1.5",
            .give = { AD_LIST(-4, 3, -1, 6) },
            .want = { AD_LIST(3. / 2, 3. / 2, 3. / 2, 3. / 2, 3. / 2, 3. / 2, -4, 3, 3. / 2, -1, 6,
                              3. / 2, 3. / 2, 3. / 2, 3. / 2) },
            .dwant = { AD_LIST(1, 1, 1, 1) } },
	  { .in = { AD_DIMS(3, 4) },
            .attrs = "pads=[-1,1,0,-2]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4) },
            .want = { AD_LIST(3, -1, 6, 0) },
            .dwant = { AD_LIST(0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0) } },
	  { .in = { AD_DIMS(2, 4) },
            .attrs = "pads=[3,2,1,0] mode=reflect",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1) },
            .want = { AD_LIST(1, 5, -2, 2, -2, 5, 1, 5, -2, 6, -1, 3, -4, 3, -1, 6, -1, 3, 1, 5, -2,
                              2, -2, 5, 1, 5, -2) },
            .dwant = { AD_LIST(1, 3, 3, 2, 2, 6, 6, 4) } },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "pads=[2,1,0,3] mode=replicate",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
            .want = { AD_LIST(-4, -4, -4, 3, -1, -1, 6, 6, 6, 2, -2, -2, 6, 6, 6, 2, -2, -2, 6, 6,
                              6, 2, -2, -2, 6, 6, 6, 2, -2, -2) },
            .dwant = { AD_LIST(3, 1, 2, 12, 4, 8) } },
	  { .in = { AD_DIMS(5) },
            .attrs = "pads=[2,1] mode=circular",
            .give = { AD_LIST(-4, 3, -1, 6, 2) },
            .want = { AD_LIST(6, 2, -4, 3, -1, 6, 2, -4) },
            .dwant = { AD_LIST(2, 1, 1, 2, 2) } },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "pads=[2,1,-1,2] value=0.5", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 2, 4, 5) },
            .attrs = "pads=[1,2,3,0] mode=reflect",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(3, 3) }, .attrs = "pads=[2,1,0,3] mode=replicate", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "pads=[3,0] mode=reflect",
            .error =
                "mode reflect takes pads below the size: 3 before and 0 after axis 1 of x (2, 3)" },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "pads=[1,1,1]",
            .error =
                "pads has 3 numbers: give two for each axis, at most 2 axes, the last axis first" },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "pads=[-2,-1]",
            .error = "leave nothing of axis 1 of x (2, 3)" } });

/* x with elements before and after its last axes: pads has two numbers for each, the last axis
 * first. mode constant (of that value), reflect, replicate or circular. */
AD_API ad_node *ad_pad(ad_node *x, ad_ints pads, const char *mode, double value)
{
	struct pad_attrs a = { pads, mode, value, { 0, NULL } };

	return AD_CALL_WITH(pad, &a, x);
}
