/*
 * arange: y = start, start + step, start + 2 step, ... up to but without stop, as indices.
 *
 *   no inputs          y   (n,), indices; empty where stop does not lie ahead. No gradient.
 */
#include "op.h"

struct attrs {
	int64_t start, stop, step;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, stop, AD_INT, NULL, "the number to stop before", NULL),
	AD_ATTR(struct attrs, start, AD_INT, "0", "the first number", NULL),
	AD_ATTR(struct attrs, step, AD_INT, "1", "from one to the next; not 0", NULL),
	{ 0 },
};

static bool is_index(int64_t i)
{
	return i >= INT32_MIN && i <= INT32_MAX;
}

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	int64_t ahead;

	if (a->step == 0)
		return ad_refuse(s, "step is 0; it must lead somewhere");
	if (!is_index(a->start) || !is_index(a->stop) || !is_index(a->step))
		return ad_refuse(
		    s, "start, stop and step must be 32-bit indices, not %lld, %lld, %lld",
		    (long long)a->start, (long long)a->stop, (long long)a->step);
	ahead = a->step > 0 ? a->stop - a->start : a->start - a->stop;
	s->out[0] = AD_SHAPE(ahead > 0 ? (ahead - 1) / llabs(a->step) + 1 : 0);
	s->out_type[0] = AD_I32;
	return true;
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	int32_t *y = ad_indices_of(&r->out[0]);

	for (size_t k = 0; k < r->out[0].count; k++)
		y[k] = (int32_t)(a->start + (int64_t)k * a->step);
}

AD_OP(arange, .arity = 0, .inputs = "", .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .flat = true,
      .samples = { { .attrs = "stop=3", .want = { AD_LIST(0, 1, 2) } },
                   { .attrs = "start=5 stop=0 step=-2", .want = { AD_LIST(5, 3, 1) } },
                   { .attrs = "start=1 stop=1" },
                   { .attrs = "stop=1 step=0", .error = "step is 0" },
                   { .attrs = "stop=3000000000", .error = "32-bit indices" } });

/* The whole numbers from start up to but without stop, step apart, as indices. */
AD_API ad_node *ad_arange(ad_graph *g, int64_t start, int64_t stop, int64_t step)
{
	struct attrs a = { start, stop, step };

	return ad_record_on(g, &AD_VARIANT(ad_op_arange), 0, NULL, &a);
}
