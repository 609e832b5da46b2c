/*
 * slice: y = x[start:stop:step] on each of the listed axes.
 *
 *   x   any shape          y   the listed axes cut, the others whole
 *   dx = dy put back among zeros; x need not be kept. Masks and indices stay what they are.
 *
 * Python's rules: a negative start or stop counts from the end, beyond the end is the end, null
 * means from the start, to the end, by 1. Steps are positive.
 */
#include "op.h"
#include "kernels/slicing.h"

struct attrs {
	ad_ints axes, starts, stops, steps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axes, AD_INTLIST, NULL, "the axes that are cut", NULL),
	AD_ATTR(struct attrs, starts, AD_INTLIST, "null", "the first index on each; null: 0", NULL),
	AD_ATTR(struct attrs, stops, AD_INTLIST, "null", "the index to stop before; null: the end",
	        NULL),
	AD_ATTR(struct attrs, steps, AD_INTLIST, "null", "how far apart; null: 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	struct view v;

	if (!slicing_check(s, x->rank, a->axes, a->starts, a->stops, a->steps))
		return false;
	v = slicing_view(x->rank, x->dims, a->axes, a->starts, a->stops, a->steps);
	s->out[0] = *x;
	memcpy(s->out[0].dims, v.dims, sizeof v.dims);
	s->out_type[0] = s->in_type[0];
	return true;
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct view v =
	    slicing_view(r->in[0].rank, r->in[0].dims, a->axes, a->starts, a->stops, a->steps);
	view_simplify(&v);
	return v;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	struct view v = view_here(r);
	view_read(&v, bytes_of(&r->in[0]), r->out[0].data, r->in[0].data, begin, end);
}

static void forward(const ad_run *r)
{
	struct view v = view_here(r);
	if (r->out[0].count > 0)
		ad_parallel(r, view_rows(&v), view_grain(&v), rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	dx[0] = ad_unslice(dy[0], ad_shape_of(ad_input_of(y, 0)), a->axes, a->starts, a->stops,
	                   a->steps);
}

AD_OP(slice, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(5) },
            .attrs = "axes=0 starts=1 stops=null steps=2",
            .give = { AD_LIST(0, 1, 2, 3, 4) },
            .want = { AD_LIST(1, 3) },
            .dwant = { AD_LIST(0, 1, 0, 1, 0) } },
	  { .in = { AD_DIMS(3, 4) },
            .attrs = "axes=[0,1] starts=[-2,1] stops=[-1,100]",
            .give = { AD_LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) },
            .want = { AD_LIST(5, 6, 7) } },
	  { .in = { AD_DIMS_OF(AD_I32, 4) },
            .attrs = "axes=0 starts=-100 stops=-2",
            .give = { AD_LIST(1, 2, 3, 4) },
            .want = { AD_LIST(1, 2) } },
	  { .in = { AD_DIMS(5, 6, 2) },
            .attrs = "axes=[0,1] starts=[1,0] stops=[-1,6] steps=[2,3]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(3, 2) }, .attrs = "axes=-1 starts=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4, 2) }, .attrs = "axes=0 starts=3 stops=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) }, .attrs = "axes=0 steps=9223372036854775807", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) }, .attrs = "axes=0 steps=-1", .error = "step -1 of axis 0" },
	  { .in = { AD_DIMS(4) }, .attrs = "axes=1", .error = "axis 1" },
	  { .in = { AD_DIMS(4, 3) },
            .attrs = "axes=[0,1] starts=1",
            .error = "2 axes, but 1 starts" } });

/* x[start:stop:step] on each of axes; AD_NONE in a list, or AD_ALL for one, stands for its default.
 */
AD_API ad_node *ad_slice(ad_node *x, ad_ints axes, ad_ints starts, ad_ints stops, ad_ints steps)
{
	struct attrs a = { axes, starts, stops, steps };

	return AD_CALL_WITH(slice, &a, x);
}
