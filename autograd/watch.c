/*
 * watch: the first op, in the order of running, that makes a NaN or an infinity.
 */
#include "graph.h"

#include <stdio.h>

/* What the elements of a value are like. */
struct statistics {
	size_t bad; /* the first element that is not finite; SIZE_MAX: none */
	bool nan;   /* whether that is a NaN */
	double least, most, mean; /* of the finite ones; NaN if there is none */
};

static struct statistics look_at(const ad_node *x)
{
	struct statistics s = { SIZE_MAX, false, (double)NAN, (double)NAN, 0 };
	const double *f64 = x->data;
	const float *f32 = x->data;
	size_t finite = 0;

	for (size_t k = 0; k < x->count; k++) {
		double v = x->graph->f64 ? f64[k] : (double)f32[k];

		if (!isfinite(v)) {
			if (s.bad == SIZE_MAX)
				s.bad = k, s.nan = isnan(v);
			continue;
		}
		s.least = v < s.least || finite == 0 ? v : s.least;
		s.most = v > s.most || finite == 0 ? v : s.most;
		s.mean += (v - s.mean) / (double)++finite;
	}
	return s;
}

/* Whether all elements are finite, quickly: a sum of x - x is 0 only then. */
static bool all_finite(const ad_node *x)
{
	if (x->graph->f64) {
		const double *v = x->data;
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (size_t k = 0; k < x->count; k++)
			sum += v[k] - v[k];
		return sum == 0;
	}
	const float *v = x->data;
	float sum = 0;

#pragma omp simd reduction(+ : sum)
	for (size_t k = 0; k < x->count; k++)
		sum += v[k] - v[k];
	return sum == 0;
}

static bool is_bad(const ad_node *x)
{
	return x && x->type == AD_REAL && x->data && x->count && !all_finite(x);
}

/* "linear_2 of block[1]" would read backwards; scopes are written as paths: block[1].linear_2. */
static void print_place(const ad_node *x, char *text, size_t n)
{
	const ad_graph *g = x->graph;
	int scopes[16], depth = 0;
	size_t used = 0;

	text[0] = '\0';
	for (int s = x->scope; s > 0 && depth < 16; s = ad_scope_parent(g, s))
		scopes[depth++] = s;
	while (depth > 0 && used < n) {
		used += (size_t)snprintf(text + used, n - used, "%s%.60s", used ? "." : ", in ",
		                         ad_scope_name(g, scopes[depth - 1]));
		depth--;
	}
	if (x->origin && used < n)
		snprintf(text + used, n - used, "%s%.200s", used ? " at " : ", at ", x->origin);
}

bool watch_step(ad_node *y)
{
	ad_graph *g = y->graph;
	bool backward = y->op == &backward_op;
	const ad_node *of = backward ? ((const struct backward *)y->attrs)->y : y;
	char place[320], shape[96], inputs[512];
	size_t used = 0;

	inputs[0] = '\0';
	for (int i = 0; i < y->n_in; i++)
		if (y->in[i] && !y->in[i]->op && is_bad(y->in[i])) {
			struct statistics s = look_at(y->in[i]);

			ad_fail(g, AD_ERROR_NONFINITE, "%s: its input %s holds %s at element %zu of %s",
			        of->op->name, called(y->in[i]), s.nan ? "a NaN" : "an infinity", s.bad,
			        ad_print_shape(shape, sizeof shape, y->in[i]->shape));
			return false;
		}
	for (int k = 0; k < y->n_out; k++) {
		struct statistics s;

		if (!is_bad(&y[k]))
			continue;
		s = look_at(&y[k]);
		for (int i = 0; i < y->n_in && used < sizeof inputs; i++) {
			const ad_node *x = y->in[i];
			struct statistics in;

			if (!x || x->type != AD_REAL || !x->data)
				continue;
			in = look_at(x);
			used += (size_t)snprintf(inputs + used, sizeof inputs - used,
			                         "; input %d, %s: %.4g to %.4g, mean %.4g", i,
			                         called(x), in.least, in.most, in.mean);
		}
		print_place(of, place, sizeof place);
		ad_fail(g, AD_ERROR_NONFINITE, "%s%s: the first %s, at element %zu of %s, shape %s%s%s",
		        backward ? "backward of " : "", of->op->name, s.nan ? "NaN" : "infinity", s.bad,
		        backward ? "the gradient that it sends back" : called(&y[k]),
		        ad_print_shape(shape, sizeof shape, y[k].shape), place, inputs);
		return false;
	}
	return true;
}
