/*
 * full: an array in which every element is the same number.
 *
 *   y   of the shape and element type given
 *   no inputs, so no gradient
 */
#include "op.h"

struct attrs {
	ad_ints shape;
	double value;
	const char *type;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL,
	        "the sizes of the axes; [] for a single number", NULL),
	AD_ATTR(struct attrs, value, AD_NUM, "0", "the value of every element", NULL),
	AD_ATTR(struct attrs, type, AD_WORD, "real", "the type of the elements", "real i32 bool"),
	{ 0 },
};

static bool refuse(ad_infer *s, ad_status status, const char *what, double value)
{
	ad_fail(s->graph, status, "full: %s, not %.17g", what, value);
	return false;
}

static bool shape(ad_infer *s)
{
	const struct attrs *o = s->attrs;
	const char *type = o->type ? o->type : "real";
	size_t count;

	if (o->shape.n < 0 || o->shape.n > AD_MAX_RANK)
		return refuse(s, AD_ERROR_SHAPE, "a shape has 0 to 8 sizes", (double)o->shape.n);
	s->out[0].rank = (int)o->shape.n;
	for (int i = 0; i < s->out[0].rank; i++) {
		s->out[0].dims[i] = o->shape.v[i];
		if (o->shape.v[i] < 0)
			return refuse(s, AD_ERROR_SHAPE, "a size is 0 or more",
			              (double)o->shape.v[i]);
	}
	if (!ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "%s has more elements than can be counted",
		                 ad_show_shape(s, s->out[0]));
	s->out_type[0] = AD_REAL;
	if (!strcmp(type, "i32")) {
		if (!(o->value >= INT32_MIN && o->value <= INT32_MAX &&
		      o->value == floor(o->value)))
			return refuse(s, AD_ERROR_ARGUMENT,
			              "the value of an i32 array is a whole number of 32 bits",
			              o->value);
		s->out_type[0] = AD_I32;
	} else if (!strcmp(type, "bool")) {
		if (o->value != 0 && o->value != 1)
			return refuse(s, AD_ERROR_ARGUMENT, "the value of a mask is 0 or 1",
			              o->value);
		s->out_type[0] = AD_BOOL;
	}
	return true;
}

static void fill(const ad_run *r, size_t begin, size_t end)
{
	const double value = ((const struct attrs *)r->attrs)->value;

	if (r->out[0].type == AD_BOOL) {
		memset(ad_mask_of(&r->out[0]) + begin, value != 0, end - begin);
	} else if (r->out[0].type == AD_I32) {
		int32_t *y = ad_indices_of(&r->out[0]);

		for (size_t k = begin; k < end; k++)
			y[k] = (int32_t)value;
	} else {
		ad_real *y = ad_reals_of(&r->out[0]);

		for (size_t k = begin; k < end; k++)
			y[k] = (ad_real)value;
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, r->out[0].count, 65536, fill);
}

AD_OP(full, .arity = 0, .inputs = "", .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward,
      .samples = { { .attrs = "shape=[2,2] value=2.5", .want = { AD_LIST(2.5, 2.5, 2.5, 2.5) } },
                   { .attrs = "shape=[] value=-3", .want = { AD_LIST(-3) } },
                   { .attrs = "shape=[2] value=-7 type=i32", .want = { AD_LIST(-7, -7) } },
                   { .attrs = "shape=[3] value=1 type=bool", .want = { AD_LIST(1, 1, 1) } },
                   { .attrs = "shape=[2,-3]", .error = "a size is 0 or more, not -3" },
                   { .attrs = "shape=[2] value=0.5 type=i32", .error = "whole number" },
                   { .attrs = "shape=[2] value=2 type=bool", .error = "0 or 1" } });

/* An array of reals of that shape, every element equal to value. */
AD_API ad_node *ad_full(ad_graph *g, ad_shape shape, double value)
{
	struct attrs attrs = { .shape = { shape.rank, shape.dims },
		               .value = value,
		               .type = "real" };

	if (shape.rank < 0 || shape.rank > AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE, "full: a shape has 0 to %d sizes, not %d",
		               AD_MAX_RANK, shape.rank);
	return ad_record_on(g, &AD_VARIANT(ad_op_full), 0, NULL, &attrs);
}

/* An array of the shape and element type of x, every element equal to value; x is not read. */
AD_API ad_node *ad_full_like(ad_node *x, double value)
{
	ad_shape shape = ad_shape_of(x);
	ad_type type = ad_type_of(x);
	struct attrs attrs = { .shape = { shape.rank, shape.dims },
		               .value = value,
		               .type = type == AD_I32    ? "i32"
		                       : type == AD_BOOL ? "bool"
		                                         : "real" };

	if (ad_is_error(x))
		return x;
	return ad_record_on(ad_graph_of(x), &AD_VARIANT(ad_op_full), 0, NULL, &attrs);
}
