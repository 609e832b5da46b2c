/*
 * index: x[...]: parts of tensors and elements of lists.
 */
#include "language.h"

/* A bound of a range: counted from the end if negative, cut to 0..size. */
static bool bound(struct recording *r, const struct scope *in, const struct expr *e, int64_t size,
                  int64_t otherwise, int64_t *to)
{
	*to = otherwise;
	if (!e)
		return true;
	struct value v = eval(r, in, e);
	if (v.kind == VALUE_NULL)
		return true;
	if (!whole_of(r, v, e->span, "an index", NULL, INT64_MIN, INT64_MAX, to))
		return false;
	if (*to < 0)
		*to = *to < -size ? 0 : *to + size;
	if (*to > size)
		*to = size;
	return true;
}

struct value index_eval(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value x = eval(r, in, e->args[0]), y = x;
	int64_t axes[AD_MAX_RANK], starts[AD_MAX_RANK], stops[AD_MAX_RANK], steps[AD_MAX_RANK];
	int64_t kept[AD_MAX_RANK];
	int n = 0, rank = 0;
	bool dropped = false;

	if (x.kind == VALUE_UNKNOWN)
		return unknown;
	if (x.kind == VALUE_LIST && e->n == 2 && e->args[1]->kind != EXPR_RANGE) {
		int64_t k;

		if (!whole_of(r, eval(r, in, e->args[1]), e->args[1]->span, "an index", NULL,
		              -(int64_t)x.n, (int64_t)x.n - 1, &k))
			return unknown;
		return x.items[k < 0 ? k + (int64_t)x.n : k];
	}
	if (x.kind != VALUE_NODE)
		return wrong(r, E_TYPE, e->args[0]->span, "%s has no elements", value_text(r, x));
	ad_shape shape = ad_shape_of(x.node);
	if (e->n - 1 > (size_t)shape.rank)
		return wrong(r, E_SHAPE, e->at, "%zu indices for %s, which has %d ax%s", e->n - 1,
		             shape_text(r, shape), shape.rank, shape.rank == 1 ? "is" : "es");
	for (int i = 0; i < shape.rank; i++) {
		const struct expr *a = (size_t)i + 1 < e->n ? e->args[i + 1] : NULL;
		int64_t size = shape.dims[i];

		if (!a) {
			kept[rank++] = size;
			continue;
		}
		axes[n] = i;
		steps[n] = 1;
		if (a->kind == EXPR_RANGE) {
			if (!bound(r, in, a->args[0], size, 0, &starts[n]) ||
			    !bound(r, in, a->args[1], size, size, &stops[n]))
				return unknown;
			if (a->args[2] && !whole_of(r, eval(r, in, a->args[2]), a->args[2]->span,
			                            "a step", NULL, 1, INT32_MAX, &steps[n]))
				return unknown;
			if (stops[n] < starts[n])
				stops[n] = starts[n];
			int64_t length = stops[n] - starts[n];
			kept[rank++] = length / steps[n] + (length % steps[n] != 0);
			if (starts[n] == 0 && stops[n] == size && steps[n] == 1)
				continue;
		} else {
			struct value v = eval(r, in, a);

			if (v.kind == VALUE_NODE)
				return wrong(r, E_LATER, a->span,
				             "an index that is a tensor is not supported yet in "
				             "this version");
			if (!whole_of(r, v, a->span, "an index", NULL, INT64_MIN, INT64_MAX,
			              &starts[n]))
				return unknown;
			if (starts[n] < -size || starts[n] >= size)
				return wrong(r, E_RANGE, a->span,
				             "index %s is out of range: axis %d of %s has %s",
				             dim_text(r, starts[n]), i, shape_text(r, shape),
				             dim_text(r, size));
			starts[n] += starts[n] < 0 ? size : 0;
			stops[n] = starts[n] + 1;
			dropped = true;
		}
		n++;
	}
	if (n > 0) {
		ad_setting s[] = { { .name = "axes", .type = AD_INTLIST, .ints = { n, axes } },
			           { .name = "starts", .type = AD_INTLIST, .ints = { n, starts } },
			           { .name = "stops", .type = AD_INTLIST, .ints = { n, stops } },
			           { .name = "steps", .type = AD_INTLIST, .ints = { n, steps } } };

		y = record(r, "slice", e->at, e->span, 1, &x, 4, s);
	}
	if (dropped && y.kind == VALUE_NODE) {
		ad_setting s = { .name = "shape", .type = AD_INTLIST, .ints = { rank, kept } };

		y = record(r, "reshape", e->at, e->span, 1, &y, 1, &s);
	}
	return y;
}
