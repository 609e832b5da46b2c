/*
 * read: values of nodes, after an evaluation.
 */
#include "plan.h"

#include <stdio.h>

/* When a leaf or the random numbers that x, the result of an op, depends on last changed. */
static uint64_t last_change(const ad_node *x)
{
	ad_graph *g = x->graph;
	uint32_t walk = ++g->walk;
	uint64_t latest = 0;

	x->owner->mark = walk;
	for (size_t k = x->owner->index + (size_t)1; k-- > 0;) {
		ad_node *z = g->nodes[k];

		if (z->mark != walk)
			continue;
		z->owner->mark = walk;
		if (!z->op && z->changed > latest)
			latest = z->changed;
		if (z->op && z->op->random && g->stepped > latest)
			latest = g->stepped;
		for (int i = 0; z->owner == z && i < z->n_in; i++)
			if (z->in[i])
				z->in[i]->mark = walk;
	}
	for (size_t k = 0; k < g->n_lasting; k++)
		if (g->lasting[k]->mark == walk && g->lasting[k]->changed > latest)
			latest = g->lasting[k]->changed;
	return latest;
}

/* Makes x's value readable. False where there is none; never: it was never computed. */
static bool have_value(ad_node *x, bool *never)
{
	ad_graph *g = x->graph;

	*never = false;
	if (!x->op) {
		*never = x->place != OWN && !x->lasting;
		return x->place == OWN || (x->lasting && own_memory(x));
	}
	if (computed_at(x) == 0 || computed_at(x) < recorded_at(x)) {
		*never = true;
		return false;
	}
	if (x->place == OWN)
		return true;
	if (last_change(x) > computed_at(x)) {
		ad_fail(g, AD_ERROR_VALUE,
		        "value of %s was not kept, and what it depends on has changed since; "
		        "mark it by ad_keep before the evaluation",
		        called(x));
		return false;
	}
	return evaluate(g, 1, &x, true, true) == AD_OK;
}

/* Whether the value of x lies ready: set, or computed since the last release, as most of what is read. */
static inline bool lies_ready(const ad_node *x)
{
	return x->place == OWN &&
	       (x->lasting || (is_recorded(x) && (!x->op || (x->plan && x->plan->ran >= x->graph->released_at))));
}

static __attribute__((noinline)) const void *find_data(ad_node *x)
{
	bool never;

	if (is_stale_error(x, "data"))
		return NULL;
	if (have_value(x, &never))
		return x->data;
	if (never)
		ad_fail(x->graph, AD_ERROR_VALUE, "value of %s was never computed", called(x));
	return NULL;
}

const void *ad_data(ad_node *x)
{
	return x && lies_ready(x) ? x->data : find_data(x);
}

static double read_one(const ad_node *x, size_t k)
{
	switch ((ad_type)x->type) {
	case AD_I32:
		return ((const int32_t *)x->data)[k];
	case AD_BOOL:
		return ((const unsigned char *)x->data)[k];
	case AD_REAL:
		break;
	}
	return x->graph->f64 ? ((const double *)x->data)[k] : (double)((const float *)x->data)[k];
}

ad_status ad_get(ad_node *x, double *values, size_t n)
{
	bool never = false;
	ad_graph *g = ad_graph_of(x);
	bool ok = !is_stale_error(x, "get");

	if (ok && n != x->count) {
		ad_fail(g, AD_ERROR_ARGUMENT, "get: %s has %zu elements, not %zu", called(x),
		        x->count, n);
		ok = false;
	}
	ok = ok && have_value(x, &never);
	for (size_t k = 0; k < n; k++)
		values[k] = ok ? read_one(x, k) : (double)NAN;
	if (ok)
		return AD_OK;
	if (never && x->type != AD_REAL)
		ad_fail(g, AD_ERROR_VALUE, "value of %s was never computed", called(x));
	return never && x->type == AD_REAL ? AD_OK : ad_status_of(g);
}

double ad_at(ad_node *x, size_t k)
{
	bool never = false;

	if (is_stale_error(x, "at"))
		return (double)NAN;
	if (k >= x->count) {
		ad_fail(x->graph, AD_ERROR_ARGUMENT, "at: %s has %zu elements, there is no %zu",
		        called(x), x->count, k);
		return (double)NAN;
	}
	if (have_value(x, &never))
		return read_one(x, k);
	if (never && x->type != AD_REAL)
		ad_fail(x->graph, AD_ERROR_VALUE, "value of %s was never computed", called(x));
	return (double)NAN;
}


static __attribute__((noinline)) double read_item(ad_node *x)
{
	if (!ad_is_error(x) && x->count != 1) {
		char text[192];

		ad_fail(x->graph, AD_ERROR_SHAPE, "item: %s of shape %s is no single number",
		        called(x), ad_print_shape(text, sizeof text, x->shape));
		return (double)NAN;
	}
	return ad_at(x, 0);
}

double ad_item(ad_node *x)
{
	if (x && x->single && lies_ready(x))
		return x->graph->f64 ? *(const double *)x->data : (double)*(const float *)x->data;
	return read_item(x);
}
