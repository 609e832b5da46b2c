/*
 * op_check: whether an op is right on the samples of its table.
 *
 * Of each sample:
 * - what its backward kernel reads: what .reads leaves out is replaced by NaN, and must not show;
 * - known values and gradients, in f32 and f64, with the kernels of every instruction set here;
 * - errors: the call, or else the evaluation, fails with the op's name and the sample's text;
 * - random samples, in f64: Jacobians of first and second order against differences; the gradient
 *   for all inputs and outputs at once, one by one, by the grad function, and inside a larger
 *   graph; every other variant of the kernels against these;
 * - of an op that sets .adds or .finishes: its kernels, called by themselves: results that are added
 *   to, and every element finished once, when it has its value;
 * - everything is computed twice, the second time over memory full of NaN: a kernel that adds where
 *   it should write, or leaves elements out, gives other bits; and no kernel may write to inputs.
 */
#include "differences.h"
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>

/* A sample recorded in a graph of its own. */
struct trial {
	struct report *report;
	const ad_op *op;
	const ad_sample *sample;
	int number;
	ad_graph *g;
	int n_in, n_out;
	ad_node *in[AD_MAX_SAMPLE_INPUTS];
	ad_node *y, *out[AD_MAX_OUTPUTS];
	ad_node
	    *weight[AD_MAX_OUTPUTS]; /* what arrives at the outputs; NULL for masks and indices */
};

/* Known values, relative to the larger of 1 and the largest magnitude. */
static double known_tolerance(bool f64)
{
	return f64 ? 1e-12 : 2e-6;
}

/* Of a random sample's values by other kernels than the reference, likewise. */
static double variant_tolerance(bool f64)
{
	return f64 ? 1e-11 : 2e-5;
}

static uint64_t seed_of(const struct trial *t, unsigned purpose)
{
	uint64_t seed = 1469598103934665603u; /* FNV-1a of the name */

	for (const char *c = t->op->name; *c; c++)
		seed = (seed ^ (unsigned char)*c) * 1099511628211u;
	return seed + (uint64_t)t->number * 1000 + purpose;
}

static bool is_used(const ad_sample *s)
{
	return s->in[0].given || s->attrs || s->error || s->want[0].n;
}

static bool is_random(const ad_sample *s)
{
	if (s->error)
		return false;
	return s->smooth || (s->in[0].given && !s->give[0].n && (s->lo != 0 || s->hi != 0));
}

static bool is_real(const ad_node *x)
{
	return x && ad_type_of(x) == AD_REAL;
}

/* Where a sentence about this trial begins. */
static void name_trial(struct trial *t)
{
	snprintf(t->report->prefix, sizeof t->report->prefix,
	         "%s, sample %d%s%s%s, %s, %s: ", t->op->name, t->number,
	         t->sample->attrs ? " (" : "", t->sample->attrs ? t->sample->attrs : "",
	         t->sample->attrs ? ")" : "", ad_is_f64(t->g) ? "f64" : "f32",
	         ad_instructions(t->g));
}

static bool graph_failed(struct trial *t, const char *what)
{
	report_wrong(t->report, "%s: %s", what, ad_errmsg(t->g));
	return false;
}

/* Room for n doubles; NULL with a sentence without memory. */
static double *allocate(struct trial *t, size_t n)
{
	double *v = n < SIZE_MAX / sizeof *v ? calloc(n + 1, sizeof *v) : NULL;

	if (!v)
		report_wrong(t->report, "out of memory: %zu numbers find no room", n);
	return v;
}

/* ---- recording a sample ---------------------------------------------------------------------- */

/* The values of input i, from malloc. NULL with a sentence. */
static double *values_of_input(struct trial *t, int i, size_t n)
{
	const ad_sample_values *give = &t->sample->give[i];
	ad_type type = t->sample->in[i].type;
	uint64_t state = seed_of(t, (unsigned)i);
	double *v;

	if (give->n && give->n != n) {
		report_wrong(t->report, "input %d has %zu elements, but %zu are given", i, n,
		             give->n);
		return NULL;
	}
	v = allocate(t, n);
	for (size_t k = 0; v && k < n; k++) {
		v[k] = give->n ? give->v[k] : next_between(&state, t->sample->lo, t->sample->hi);
		if (!give->n && type == AD_I32)
			v[k] = floor(v[k]);
		if (!give->n && type == AD_BOOL)
			v[k] = v[k] >= (t->sample->lo + t->sample->hi) / 2;
	}
	return v;
}

/* The leaf of input i with its values. */
static bool make_input(struct trial *t, int i)
{
	const ad_sample_input *shape = &t->sample->in[i];
	ad_shape dims = { .rank = shape->rank };
	char name[32];
	double *v;
	bool ok;

	snprintf(name, sizeof name, "input %d", i);
	memcpy(dims.dims, shape->dims, sizeof dims.dims);
	t->in[i] = ad_input(t->g, name, shape->type, dims);
	if (ad_is_error(t->in[i]))
		return graph_failed(t, name);
	v = values_of_input(t, i, ad_count(t->in[i]));
	if (!v)
		return false;
	if (shape->type == AD_REAL)
		ad_want_gradient(t->in[i], true);
	ok = ad_set(t->in[i], v, ad_count(t->in[i])) == AD_OK || graph_failed(t, name);
	free(v);
	return ok;
}

/* Opens a graph and records the sample in it. False, with a sentence, if the inputs cannot be made;
 * close_trial is due in any case. */
static bool open_trial(struct trial *t, struct report *r, const ad_op *op, int number, bool f64,
                       int level)
{
	*t = (struct trial){
		.report = r, .op = op, .number = number, .sample = &op->samples[number]
	};
	t->g = f64 ? ad_open_f64() : ad_open();
	if (t->g->dead) {
		name_trial(t);
		return graph_failed(t, "a graph");
	}
	if (level >= 0 && level < t->g->level)
		t->g->level = level;
	name_trial(t);
	for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++) {
		if (!t->sample->in[i].given)
			continue;
		if (!make_input(t, i))
			return false;
		t->n_in = i + 1;
	}
	t->y = call_op_text(t->g, op, (size_t)t->n_in, t->in, t->sample->attrs);
	t->n_out = ad_is_error(t->y) ? 0 : ad_outputs(t->y);
	for (int k = 0; k < t->n_out && k < AD_MAX_OUTPUTS; k++)
		t->out[k] = ad_output(t->y, k);
	return true;
}

/* Like open_trial, for samples that must not fail. */
static bool open_good_trial(struct trial *t, struct report *r, const ad_op *op, int number,
                            bool f64, int level)
{
	if (!open_trial(t, r, op, number, f64, level))
		return false;
	return !ad_is_error(t->y) || graph_failed(t, "the call fails");
}

/* Frees the trial, when it has been seen that no kernel wrote to its inputs. */
static void close_trial(struct trial *t)
{
	for (int i = 0; t->n_out && i < t->n_in; i++) {
		size_t n = t->in[i] ? ad_count(t->in[i]) : 0;
		double *had = n ? values_of_input(t, i, n) : NULL, *has = n ? allocate(t, n) : NULL;

		for (size_t k = 0; had && has && k < n; k++)
			if (!t->g->f64 && t->in[i]->type == AD_REAL)
				had[k] = (double)(float)had[k];
		if (had && has && ad_get(t->in[i], has, n) == AD_OK &&
		    memcmp(had, has, n * sizeof *had) != 0)
			report_wrong(t->report, "a kernel writes to input %d", i);
		free(had);
		free(has);
	}
	ad_close(t->g);
	t->g = NULL;
}

/* The real inputs, one after the other. */
static size_t real_inputs(const struct trial *t, ad_node *real[])
{
	size_t n = 0;

	for (int i = 0; i < t->n_in; i++)
		if (is_real(t->in[i]))
			real[n++] = t->in[i];
	return n;
}

/* A leaf of the shape of x with numbers at random. The error node on failure. */
static ad_node *random_like(struct trial *t, const char *name, const ad_node *x, unsigned purpose)
{
	uint64_t state = seed_of(t, purpose);
	ad_node *leaf = ad_input(t->g, name, AD_REAL, ad_shape_of(x));
	size_t n = ad_is_error(leaf) ? 0 : ad_count(leaf);
	double *v = allocate(t, n);

	if (!v)
		return t->g->error;
	for (size_t k = 0; k < n; k++)
		v[k] = next_between(&state, 0.25, 1.25);
	if (!ad_is_error(leaf))
		ad_set(leaf, v, n);
	free(v);
	return leaf;
}

static ad_node *engine_mul(ad_node *a, ad_node *b)
{
	return ad_record(ad_op_find("mul"), 2, (ad_node *[]){ a, b }, NULL);
}

/* The sum of all elements of all real outputs, each element weighted at random if asked for. NULL
 * where no output is real. */
static ad_node *total(struct trial *t, ad_node *const out[], bool weighted)
{
	ad_node *sum = NULL;

	for (int k = 0; k < t->n_out; k++) {
		ad_node *part = out[k];

		if (!is_real(part))
			continue;
		if (weighted && !t->weight[k])
			t->weight[k] = random_like(t, "dy", part, 100 + (unsigned)k);
		if (weighted)
			part = engine_mul(part, t->weight[k]);
		part = engine_sum_to(part, AD_SCALAR);
		sum = sum ? engine_add(sum, part) : part;
	}
	return sum;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Compares n numbers with those wanted: NaN must meet NaN, an infinity itself. */
static bool compare(struct trial *t, const char *what, const double *have, const double *want,
                    size_t n, double tolerance)
{
	double scale = 1;
	size_t wrong = 0, first = 0;
	char more[64] = "";

	for (size_t k = 0; k < n; k++)
		if (isfinite(want[k]) && fabs(want[k]) > scale)
			scale = fabs(want[k]);
	for (size_t k = 0; k < n; k++) {
		if (isnan(want[k])   ? isnan(have[k])
		    : isinf(want[k]) ? have[k] == want[k]
		                     : fabs(have[k] - want[k]) <= tolerance * scale)
			continue;
		if (wrong++ == 0)
			first = k;
	}
	if (wrong == 0)
		return true;
	if (wrong > 1)
		snprintf(more, sizeof more, " (and %zu more of %zu)", wrong - 1, n);
	if (isnan(have[first]))
		report_wrong(t->report, "element %zu of %s is undefined (NaN), not %.17g%s", first,
		             what, want[first], more);
	else
		report_wrong(t->report, "element %zu of %s is %.17g, not %.17g%s", first, what,
		             have[first], want[first], more);
	return false;
}

/* The value of x, which has been evaluated, against want. */
static bool compare_node(struct trial *t, const char *what, ad_node *x, const double *want,
                         size_t n, double tolerance)
{
	double *have;
	bool ok;

	if (ad_is_error(x) || ad_count(x) != n) {
		report_wrong(t->report, "%s has %zu elements, not %zu", what,
		             ad_is_error(x) ? 0 : ad_count(x), n);
		return false;
	}
	have = allocate(t, n);
	ok = have && (ad_get(x, have, n) == AD_OK || graph_failed(t, what)) &&
	     compare(t, what, have, want, n, tolerance);
	free(have);
	return ok;
}

/* Two nodes evaluated together. */
static bool compare_nodes(struct trial *t, const char *what, ad_node *x, ad_node *want,
                          double tolerance)
{
	size_t n = ad_count(want);
	double *v;
	bool ok;

	if (ad_evaluate(t->g, (ad_node *[]){ x, want }, 2) != AD_OK)
		return graph_failed(t, what);
	v = allocate(t, n);
	ok = v && (ad_get(want, v, n) == AD_OK || graph_failed(t, what)) &&
	     compare_node(t, what, x, v, n, tolerance);
	free(v);
	return ok;
}

/* The elements of n evaluated nodes, one after the other; NULL with a sentence. */
static double *read_nodes(struct trial *t, ad_node *const nodes[], size_t n, const char *what)
{
	size_t all = 0, at = 0;
	double *v;

	for (size_t k = 0; k < n; k++)
		all += ad_count(nodes[k]);
	v = allocate(t, all);
	for (size_t k = 0; v && k < n; at += ad_count(nodes[k++]))
		if (ad_get(nodes[k], v + at, ad_count(nodes[k])) != AD_OK) {
			graph_failed(t, what);
			free(v);
			return NULL;
		}
	return v;
}

/* Evaluates the nodes twice, the second time over memory full of NaN. */
static bool evaluate_twice(struct trial *t, ad_node *const nodes[], size_t n, const char *what)
{
	double *first, *second = NULL;
	size_t at = 0;
	bool ok;

	if (ad_evaluate(t->g, nodes, n) != AD_OK)
		return graph_failed(t, what);
	first = read_nodes(t, nodes, n, what);
	if (!first)
		return false;
	spoil_memory(t->g);
	t->g->clock++; /* nothing is current any more */
	ok = ad_evaluate(t->g, nodes, n) == AD_OK || graph_failed(t, what);
	if (ok)
		second = read_nodes(t, nodes, n, what);
	ok = second != NULL;
	for (size_t k = 0; ok && k < n; at += ad_count(nodes[k++]))
		for (size_t j = at; ok && j < at + ad_count(nodes[k]); j++) {
			ok = memcmp(&first[j], &second[j], sizeof first[j]) == 0;
			if (!ok)
				report_wrong(
				    t->report,
				    "element %zu of %s %zu is %.10g, and %.10g when computed "
				    "again over other memory: a kernel must write every element, "
				    "not add to what is there",
				    j - at, what, k, first[j], second[j]);
		}
	free(first);
	free(second);
	return ok;
}

/* ---- what backward kernels read -------------------------------------------------------------- */

/* Something of the type and shape of x that must not matter. */
static ad_node *decoy(struct trial *t, const ad_node *x)
{
	ad_node *leaf = ad_input(t->g, "decoy", ad_type_of(x), ad_shape_of(x));

	if (!ad_is_error(leaf))
		ad_set_item(leaf, ad_type_of(x) == AD_REAL ? (double)NAN : 0);
	return leaf;
}

/* The backward kernel of y as the sweep would record it, but with all that it might read: as it is,
 * or decoys where .reads says that it does not. dx[] gets the gradients; returns how many, 0 on
 * failure. */
static size_t record_kernel(struct trial *t, bool decoys, ad_node *dx[])
{
	ad_graph *g = t->g;
	ad_node *y = t->y, *in[AD_MAX_SAMPLE_INPUTS + 2 * AD_MAX_OUTPUTS] = { NULL }, *node;
	ad_shape shapes[AD_MAX_SAMPLE_INPUTS];
	ad_type types[AD_MAX_SAMPLE_INPUTS];
	struct backward *b = arena_take(&g->arena, sizeof *b);
	size_t n = 0, n_in = y->n_in, n_out = y->n_out;

	if (b)
		b->which = arena_take(&g->arena, AD_MAX_SAMPLE_INPUTS * sizeof *b->which);
	if (!b || !b->which) {
		out_of_memory(g, sizeof *b);
		return 0;
	}
	b->y = y;
	for (size_t i = 0; i < n_in; i++) {
		if (y->in[i])
			in[i] = decoys && !(y->op->reads & AD_READS_INPUTS) ? decoy(t, y->in[i])
			                                                    : y->in[i];
		if (!is_real(t->in[i]))
			continue;
		b->which[n] = (int)i;
		shapes[n] = y->op->dmap ? y->shape : y->in[i]->shape;
		types[n++] = AD_REAL;
	}
	for (size_t k = 0; k < n_out; k++) {
		in[n_in + k] =
		    decoys && !(y->op->reads & AD_READS_OUTPUTS) ? decoy(t, y + k) : y + k;
		in[n_in + n_out + k] = t->weight[k];
	}
	for (size_t k = 0; k < n_in + 2 * n_out; k++)
		if (in[k] && ad_is_error(in[k]))
			return 0;
	if (n == 0)
		return 0;
	b->n = n;
	node = new_node(g, &backward_op, n_in + 2 * n_out, in, b, n, shapes, types);
	if (ad_is_error(node))
		return 0;
	node->work = y->work;
	node->ordinal = y->ordinal;
	for (size_t k = 0; k < n; k++)
		dx[k] = node + k;
	return n;
}

/* False, with a sentence, if the backward kernel needs what it will not be given: it must not run.
 */
static bool check_reads(struct report *r, const ad_op *op, int number)
{
	ad_node *right[AD_MAX_SAMPLE_INPUTS], *dx[AD_MAX_SAMPLE_INPUTS];
	struct trial t;
	bool ok = true;
	size_t n = 0;

	if (!op->reads || (!op->dmap && !op->backward))
		return true;
	if (open_trial(&t, r, op, number, true, -1) && !ad_is_error(t.y) && t.y->op == op &&
	    total(&t, t.out, true))
		n = record_kernel(&t, false, right);
	if (n)
		ok = evaluate_twice(&t, right, n, "gradient");
	if (n && ok && record_kernel(&t, true, dx) == n)
		for (size_t k = 0; ok && k < n; k++) {
			ok = compare_nodes(&t, "the gradient, with NaN for what .reads leaves out,",
			                   dx[k], right[k], 0);
			if (!ok)
				report_wrong(
				    r, "the backward kernel reads %s, but .reads says it does not",
				    op->reads & AD_READS_INPUTS    ? "an output"
				    : op->reads & AD_READS_OUTPUTS ? "an input"
								   : "an input or an output");
		}
	if (ok && t.n_out && ad_status_of(t.g) != AD_OK)
		ok = graph_failed(&t, "the gradient");
	close_trial(&t);
	return ok;
}

/* ---- known values ---------------------------------------------------------------------------- */

static bool has_known_gradient(const ad_sample *s)
{
	for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++)
		if (s->dwant[i].n)
			return true;
	return false;
}

static void check_known_gradient(struct trial *t)
{
	ad_node *real[AD_MAX_SAMPLE_INPUTS], *dx[AD_MAX_SAMPLE_INPUTS], *sum;
	size_t n = real_inputs(t, real), k = 0;
	char what[32];

	for (int i = 0; i < t->n_in; i++)
		if (t->sample->dwant[i].n && !is_real(t->in[i]))
			report_wrong(t->report, "input %d is no array of reals: it has no gradient",
			             i);
	sum = total(t, t->out, false);
	/* a mask has no gradient, so zeros are right where they are wanted at all */
	for (int i = 0; !sum && i < t->n_in; i++)
		for (size_t j = 0; j < t->sample->dwant[i].n; j++)
			if (t->sample->dwant[i].v[j] != 0) {
				report_wrong(t->report, "no output is real: there is no gradient");
				return;
			}
	if (!sum || n == 0)
		return;
	if (!ad_grads(sum, engine_full(t->g, AD_SCALAR, 1), n, real, dx)) {
		graph_failed(t, "the gradient");
		return;
	}
	if (!evaluate_twice(t, dx, n, "gradient"))
		return;
	for (int i = 0; i < t->n_in; i++) {
		const ad_sample_values *want = &t->sample->dwant[i];

		if (!is_real(t->in[i]))
			continue;
		snprintf(what, sizeof what, "gradient %d", i);
		if (want->n)
			compare_node(t, what, dx[k], want->v, want->n, known_tolerance(t->g->f64));
		k++;
	}
}

static void check_known(struct report *r, const ad_op *op, int number, bool f64, int level,
                        bool gradients)
{
	struct trial t;
	char what[32];

	if (open_good_trial(&t, r, op, number, f64, level) &&
	    evaluate_twice(&t, t.out, (size_t)t.n_out, "output")) {
		for (int k = 0; k < 4; k++) {
			const ad_sample_values *want = &t.sample->want[k];

			snprintf(what, sizeof what, "output %d", k);
			if (want->n && k >= t.n_out)
				report_wrong(r, "there is no %s", what);
			else if (want->n)
				compare_node(&t, what, t.out[k], want->v, want->n,
				             known_tolerance(f64));
		}
		if (gradients && has_known_gradient(t.sample))
			check_known_gradient(&t);
	}
	close_trial(&t);
}

/* ---- what kernels may be asked for --------------------------------------------------------- */

/* A kernel called by itself, on arrays of its own. */
struct direct {
	struct trial *t;
	bool backward;
	ad_array in[AD_MAX_SAMPLE_INPUTS], dx[AD_MAX_SAMPLE_INPUTS];
	ad_array out[AD_MAX_OUTPUTS], dy[AD_MAX_OUTPUTS];
	void *work;
	/* of the result that finishes: how often each element was, and what it was then */
	struct finish finish;
	const ad_array *result;
	unsigned char *times;
	double *seen;
};

static double real_of(const struct trial *t, const ad_array *a, size_t k)
{
	return t->g->f64 ? ((const double *)a->data)[k] : (double)((const float *)a->data)[k];
}

static void set_element(const struct trial *t, const ad_array *a, size_t k, double v)
{
	if (a->type == AD_I32)
		((int32_t *)a->data)[k] = (int32_t)v;
	else if (a->type == AD_BOOL)
		((unsigned char *)a->data)[k] = v != 0;
	else if (t->g->f64)
		((double *)a->data)[k] = v;
	else
		((float *)a->data)[k] = (float)v;
}

/* The array of a node, with its value if that is asked for. */
static bool make_array(struct trial *t, ad_array *a, ad_node *x, bool valued)
{
	ad_shape shape;
	double *v;
	bool ok;

	*a = (ad_array){ 0 };
	if (!x)
		return true;
	shape = ad_shape_of(x);
	a->type = ad_type_of(x);
	a->rank = shape.rank;
	memcpy(a->dims, shape.dims, sizeof a->dims);
	a->count = ad_count(x);
	v = allocate(t, a->count);
	a->data = calloc(a->count + 1, sizeof(double));
	ok = v && a->data;
	if (ok && valued)
		ok = ad_get(x, v, a->count) == AD_OK || graph_failed(t, "an array of a kernel");
	for (size_t k = 0; ok && valued && k < a->count; k++)
		set_element(t, a, k, v[k]);
	free(v);
	return ok;
}

static void count_finished(const struct finish *f, size_t begin, size_t n)
{
	const struct direct *d = (const struct direct *)(const void *)((const char *)f -
	                                                               offsetof(struct direct, finish));

	for (size_t k = begin; k < begin + n && k < d->result->count; k++) {
		__atomic_fetch_add(&d->times[k], 1, __ATOMIC_RELAXED);
		d->seen[k] = real_of(d->t, d->result, k);
	}
}

/* Runs the kernel over results that hold `before`, or NaN where that is NULL. */
static void run_direct(struct direct *d, ad_kernel *kernel, unsigned adds,
                       const struct finish *finish, double *const before[])
{
	const struct trial *t = d->t;
	const ad_node *y = t->y;
	int n = d->backward ? y->n_in : y->n_out;
	ad_array *results = d->backward ? d->dx : d->out;
	ad_run r = { .op = y->op, .n_in = y->n_in, .n_out = y->n_out, .in = d->in, .out = d->out,
		     .dy = d->backward ? d->dy : NULL, .dx = d->backward ? d->dx : NULL,
		     .attrs = y->attrs, .work = d->work,
		     .random = { t->g->seed, t->g->step, y->ordinal }, .graph = t->g,
		     .adds = adds, .finish = finish };

	for (int i = 0; i < n; i++)
		for (size_t k = 0; results[i].data && k < results[i].count; k++)
			set_element(t, &results[i], k, before ? before[i][k] : (double)NAN);
	kernel(&r);
}

static bool check_adds(struct direct *d, ad_kernel *kernel, int n, const ad_array *results,
                       double *const plain[])
{
	struct trial *t = d->t;
	double *before[AD_MAX_OUTPUTS] = { NULL }, *have = NULL;
	uint64_t state = seed_of(t, 500);
	bool ok = true;
	char what[64];

	for (int i = 0; ok && i < n; i++) {
		ok = (before[i] = allocate(t, results[i].count)) != NULL;
		for (size_t k = 0; ok && k < results[i].count; k++)
			before[i][k] = next_between(&state, -1, 1);
	}
	if (ok)
		run_direct(d, kernel, ~0u, NULL, before);
	for (int i = 0; ok && i < n; i++) {
		free(have);
		ok = (have = allocate(t, results[i].count)) != NULL;
		for (size_t k = 0; ok && k < results[i].count; k++) {
			before[i][k] = (t->g->f64 ? before[i][k] : (double)(float)before[i][k]) +
			               plain[i][k];
			have[k] = results[i].data ? real_of(t, &results[i], k) : before[i][k];
		}
		snprintf(what, sizeof what, "%s %d, added to what was there,",
		         d->backward ? "gradient" : "output", i);
		ok = ok && compare(t, what, have, before[i], results[i].count,
		                   variant_tolerance(t->g->f64));
	}
	free(have);
	for (int i = 0; i < n; i++)
		free(before[i]);
	return ok;
}

static bool check_finishes(struct direct *d, ad_kernel *kernel, int i, const ad_array *results)
{
	struct trial *t = d->t;
	const char *what = d->backward ? "gradient" : "output";
	size_t n = results[i].count;
	bool ok;

	d->result = &results[i];
	d->times = calloc(n + 1, 1);
	d->seen = allocate(t, n);
	d->finish = (struct finish){ .result = i, .told = count_finished };
	ok = d->times && d->seen;
	if (ok)
		run_direct(d, kernel, 0, &d->finish, NULL);
	for (size_t k = 0; ok && k < n; k++) {
		double is = real_of(t, &results[i], k);

		ok = d->times[k] == 1 && memcmp(&d->seen[k], &is, sizeof is) == 0;
		if (d->times[k] != 1)
			report_wrong(t->report, "element %zu of %s %d is finished %d times, not once", k,
			             what, i, d->times[k]);
		else if (!ok)
			report_wrong(t->report, "element %zu of %s %d is %.17g when it is finished, "
			             "and %.17g afterwards", k, what, i, d->seen[k], is);
	}
	free(d->times);
	free(d->seen);
	return ok;
}

/* One pass of an op that sets .adds or .finishes. */
static bool check_direct(struct trial *t, bool backward)
{
	struct direct d = { .t = t, .backward = backward };
	const ad_op *op = kernels_of(t->g, t->y->op, t->g->f64);
	ad_kernel *kernel = backward ? op->backward : op->forward;
	int n = backward ? t->y->n_in : t->y->n_out;
	const ad_array *results = backward ? d.dx : d.out;
	double *plain[AD_MAX_OUTPUTS] = { NULL };
	bool ok = true;

	d.work = aligned_alloc(64, (t->y->work + 64) / 64 * 64);
	for (int i = 0; ok && i < t->y->n_in; i++)
		ok = make_array(t, &d.in[i], t->y->in[i], true) &&
		     make_array(t, &d.dx[i], is_real(t->y->in[i]) ? t->y->in[i] : NULL, false);
	for (int k = 0; ok && k < t->n_out; k++)
		ok = make_array(t, &d.out[k], t->out[k], backward) &&
		     make_array(t, &d.dy[k], backward ? t->weight[k] : NULL, true);
	ok = ok && d.work;
	if (ok)
		run_direct(&d, kernel, 0, NULL, NULL);
	for (int i = 0; ok && i < n; i++) {
		ok = (plain[i] = allocate(t, results[i].count)) != NULL;
		for (size_t k = 0; ok && results[i].data && k < results[i].count; k++)
			plain[i][k] = real_of(t, &results[i], k);
	}
	if (ok && op->adds)
		ok = check_adds(&d, kernel, n, results, plain);
	for (int i = 0; ok && i < n; i++)
		if (results[i].data && op->finishes >> (backward ? i + 1 : i) & 1 && (backward || i == 0))
			ok = check_finishes(&d, kernel, i, results);
	for (int i = 0; i < n; i++)
		free(plain[i]);
	for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++) {
		free(d.in[i].data);
		free(d.dx[i].data);
	}
	for (int k = 0; k < AD_MAX_OUTPUTS; k++) {
		free(d.out[k].data);
		free(d.dy[k].data);
	}
	free(d.work);
	return ok;
}

static void check_requests(struct report *r, const ad_op *op, int number, bool f64, int level)
{
	ad_node *all[AD_MAX_OUTPUTS + AD_MAX_SAMPLE_INPUTS];
	size_t n = 0;
	struct trial t;

	if ((!op->adds && !op->finishes) || op->compose)
		return;
	if (open_good_trial(&t, r, op, number, f64, level) && t.y->n_in <= AD_MAX_SAMPLE_INPUTS) {
		for (int i = 0; i < t.y->n_in; i++)
			if (t.y->in[i])
				all[n++] = t.y->in[i];
		for (int k = 0; k < t.n_out; k++)
			all[n++] = t.out[k];
		total(&t, t.out, true);
		for (size_t k = 0; k < n; k++)
			ad_keep(all[k]);
		if (ad_evaluate(t.g, all, n) != AD_OK)
			graph_failed(&t, "the op");
		else if (check_direct(&t, false) && op->backward)
			check_direct(&t, true);
	}
	close_trial(&t);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void check_error(struct report *r, const ad_op *op, int number, bool f64)
{
	size_t length = strlen(op->name);
	const char *message;
	struct trial t;

	if (open_trial(&t, r, op, number, f64, -1)) {
		if (!ad_is_error(t.y))
			ad_evaluate(t.g, t.out, (size_t)t.n_out);
		message = ad_errmsg(t.g);
		if (ad_status_of(t.g) == AD_OK)
			report_wrong(r, "it must fail with '%s'", t.sample->error);
		else if (!strstr(message, t.sample->error))
			report_wrong(r, "it fails with '%s', which lacks '%s'", message,
			             t.sample->error);
		else if (strncmp(message, op->name, length) != 0 || message[length] != ':')
			report_wrong(r, "'%s' does not begin with the op's name", message);
		ad_clear(t.g);
	}
	close_trial(&t);
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* First and second order against differences. */
static bool check_differences(struct trial *t)
{
	struct differences d = { .graph = t->g,
		                 .report = t->report,
		                 .step = DIFFERENCES_STEP,
		                 .atol = DIFFERENCES_ATOL,
		                 .rtol = DIFFERENCES_RTOL,
		                 .order = 2 };
	struct item out[AD_MAX_OUTPUTS], leaf[AD_MAX_SAMPLE_INPUTS];
	size_t n_out = 0, n_leaf = 0;

	for (int k = 0; k < t->n_out; k++)
		if (is_real(t->out[k])) {
			out[n_out].node = t->out[k];
			snprintf(out[n_out].label, sizeof out[n_out].label, "output %d", k);
			n_out++;
		}
	for (int i = 0; i < t->n_in; i++)
		if (is_real(t->in[i])) {
			leaf[n_leaf].node = t->in[i];
			snprintf(leaf[n_leaf].label, sizeof leaf[n_leaf].label, "input %d", i);
			n_leaf++;
		}
	return compare_with_differences(&d, n_out, out, n_leaf, leaf);
}

/* The gradient as the op's grad function gives it, against dx as the sweep gave it. */
static void check_grad_function(struct trial *t, ad_node *const dx[])
{
	ad_node *pure[AD_MAX_SAMPLE_INPUTS] = { NULL };
	bool wants[AD_MAX_SAMPLE_INPUTS] = { false };
	char what[64];

	if (t->y->op != t->op || !t->op->grad || t->op->flat)
		return;
	for (int i = 0; i < t->n_in; i++)
		wants[i] = dx[i] != NULL;
	t->g->wants = wants;
	t->op->grad(t->y, t->weight, pure);
	t->g->wants = NULL;
	for (int i = 0; i < t->n_in; i++) {
		if (!wants[i])
			continue;
		snprintf(what, sizeof what, "the gradient by grad for input %d", i);
		if (!pure[i] || ad_is_error(pure[i])) {
			report_wrong(t->report, "grad gives nothing for input %d: %s", i,
			             ad_errmsg(t->g));
			return;
		}
		if (!ad_equal_shapes(&pure[i]->shape, &t->in[i]->shape))
			pure[i] = engine_sum_to(pure[i], t->in[i]->shape);
		if (!compare_nodes(t, what, pure[i], dx[i], 1e-11) && ad_status_of(t->g) != AD_OK)
			return;
	}
}

/* The gradient asked for one input alone must be the one asked for all. */
static void check_alone(struct trial *t, ad_node *sum, ad_node *const dx[])
{
	char what[64];

	for (int i = 0; i < t->n_in; i++) {
		if (!dx[i])
			continue;
		snprintf(what, sizeof what, "the gradient for input %d when asked for alone", i);
		if (!compare_nodes(t, what, ad_grad(sum, t->in[i]), dx[i], 1e-12) &&
		    ad_status_of(t->g) != AD_OK)
			return;
	}
}

/* The sum of what each output alone passes on, against the sweep where all arrive at once. */
static void check_separately(struct trial *t, size_t n, ad_node *const real[], ad_node *const d[])
{
	ad_node *one[AD_MAX_SAMPLE_INPUTS], *all[AD_MAX_SAMPLE_INPUTS] = { NULL };

	for (int k = 0; k < t->n_out; k++) {
		if (!t->weight[k])
			continue;
		if (!ad_grads(t->out[k], t->weight[k], n, real, one)) {
			graph_failed(t, "the gradient from one output alone");
			return;
		}
		for (size_t i = 0; i < n; i++)
			all[i] = all[i] ? engine_add(all[i], one[i]) : one[i];
	}
	for (size_t i = 0; i < n; i++)
		if (!compare_nodes(t, "the gradient, added up output by output,", all[i], d[i],
		                   1e-12))
			return;
}

/* Records the op once more, on inputs that are results: those whose bit is set. Its first output.
 */
static ad_node *call_inside(struct trial *t, ad_node *one, unsigned which)
{
	ad_node *in[AD_MAX_SAMPLE_INPUTS], *y;
	uint32_t ordinal = t->g->ordinal;

	for (int i = 0; i < t->n_in; i++)
		in[i] = is_real(t->in[i]) && which >> i & 1 ? engine_mul(t->in[i], one) : t->in[i];
	t->g->ordinal = 0; /* the same random numbers as the first call's */
	y = call_op_text(t->g, t->op, (size_t)t->n_in, in, t->sample->attrs);
	t->g->ordinal = ordinal;
	if (!ad_is_error(y) && ad_outputs(y) == t->n_out)
		return y;
	graph_failed(t, "the call inside a larger graph");
	return NULL;
}

/* The op between other ops, where values share memory and element-wise ops work in place (in that
 * of any input), must give the same as alone. */
static void check_inside(struct trial *t, ad_node *const dx[])
{
	ad_node *one = ad_constant(t->g, 1), *out[AD_MAX_OUTPUTS], *sum, *y = NULL, *inner;
	char what[64];

	for (int i = 0; i <= t->n_in; i++) {
		/* each input alone, then all */
		y = call_inside(t, one, i < t->n_in ? 1u << i : ~0u);
		if (!y)
			return;
		for (int k = 0; k < t->n_out; k++) {
			out[k] = ad_output(y, k);
			if (!is_real(out[k]))
				continue;
			snprintf(what, sizeof what, "output %d inside a larger graph", k);
			if (!compare_nodes(t, what, engine_mul(out[k], one), t->out[k], 1e-12))
				return;
		}
	}
	sum = total(t, out, true);
	for (int i = 0; sum && i < t->n_in; i++) {
		if (!dx[i])
			continue;
		snprintf(what, sizeof what, "the gradient for input %d inside a larger graph", i);
		inner = ad_grad(sum, t->in[i]);
		if (ad_is_error(inner)) {
			graph_failed(t, what);
			return;
		}
		if (!compare_nodes(t, what, engine_mul(inner, one), dx[i], 1e-12))
			return;
	}
}

/* The outputs and gradients of the trial, which have been evaluated, against those by the kernels
 * of another variant. */
static void check_variant(struct trial *t, ad_node *const dx[], bool f64, int level)
{
	ad_node *sum = NULL;
	struct trial other;
	char what[32];
	bool ok = open_good_trial(&other, t->report, t->op, t->number, f64, level);

	if (ok)
		sum = total(&other, other.out, true);
	for (int k = 0; ok && k < t->n_out + t->n_in; k++) {
		bool output = k < t->n_out;
		int i = output ? k : k - t->n_out;
		ad_node *want = output ? t->out[i] : dx[i], *have;
		size_t n = want ? ad_count(want) : 0;
		double *v;

		if (!want)
			continue;
		snprintf(what, sizeof what, "%s %d", output ? "output" : "gradient", i);
		have = output ? other.out[i] : ad_grad(sum, other.in[i]);
		v = allocate(&other, n);
		ok = v && (ad_get(want, v, n) == AD_OK || graph_failed(t, what)) &&
		     (ad_evaluate(other.g, &have, 1) == AD_OK || graph_failed(&other, what)) &&
		     compare_node(&other, what, have, v, n, variant_tolerance(f64));
		free(v);
	}
	close_trial(&other);
	name_trial(t);
}

static void check_random(struct report *r, const ad_op *op, int number, int highest)
{
	ad_node *dx[AD_MAX_SAMPLE_INPUTS] = { NULL }, *real[AD_MAX_SAMPLE_INPUTS];
	ad_node *d[AD_MAX_SAMPLE_INPUTS], *sum = NULL;
	struct trial t;
	size_t n = 0;

	if (!open_good_trial(&t, r, op, number, true, -1) ||
	    !evaluate_twice(&t, t.out, (size_t)t.n_out, "output")) {
		close_trial(&t);
		return;
	}
	n = real_inputs(&t, real);
	sum = n ? total(&t, t.out, true) : NULL;
	if (sum && (!ad_grads(sum, engine_full(t.g, AD_SCALAR, 1), n, real, d))) {
		graph_failed(&t, "the gradient");
	} else if (sum && evaluate_twice(&t, d, n, "gradient")) {
		size_t before = r->wrong;

		n = 0;
		for (int i = 0; i < t.n_in; i++)
			if (is_real(t.in[i]))
				dx[i] = d[n++];
		if (!check_differences(&t) && ad_status_of(t.g) != AD_OK) {
			close_trial(&t);
			return;
		}
		check_grad_function(&t, dx);
		/* the rest asks whether the same comes out otherwise, and needs what is right */
		if (r->wrong == before && ad_status_of(t.g) == AD_OK)
			check_alone(&t, sum, dx);
		if (r->wrong == before && ad_status_of(t.g) == AD_OK)
			check_separately(&t, n, real, d);
		if (r->wrong == before && ad_status_of(t.g) == AD_OK)
			check_inside(&t, dx);
	}
	for (int level = 0; level <= highest; level++)
		for (int f64 = 0; f64 < 2; f64++)
			if (ad_status_of(t.g) == AD_OK && (level < highest || !f64))
				check_variant(&t, dx, f64 != 0, level);
	close_trial(&t);
}

/* ---- the op as a whole ----------------------------------------------------------------------- */

/* Whether the table has what every evaluation needs. Otherwise nothing of it can run. */
static bool check_table(struct report *r, const ad_op *op, int highest)
{
	size_t before = r->wrong;

	if (op->compose)
		return true;
	if (!op->shape)
		report_wrong(r, "its table has no .shape");
	if (!op->map && !op->forward && !op->alias)
		report_wrong(r, "its table has none of .map, .forward, .compose, .alias");
	if ((op->dmap && !op->map) || (op->backward && !op->forward))
		report_wrong(r, "its table has .dmap without .map, or .backward without .forward");
	if (op->attrs && !op->attrs_size)
		report_wrong(r, "its table has .attrs without .attrs_size");
	for (int k = 0; k < 2 * (highest + 1); k++) {
		const ad_op *v = op->variants ? op->variants[k] : NULL;

		if (!v || !v->map != !op->map || !v->dmap != !op->dmap ||
		    !v->forward != !op->forward || !v->backward != !op->backward) {
			report_wrong(r, "its table lacks the kernels for %s, level %d: use AD_OP",
			             k % 2 ? "f64" : "f32", k / 2);
			break;
		}
	}
	return r->wrong == before;
}

/* Of the instruction sets that kernels run with here; -1 without memory. */
static int highest_level(void)
{
	ad_graph *g = ad_open();
	int level = g->dead ? -1 : g->level;

	ad_close(g);
	return level;
}

bool ad_op_check(const ad_op *op, char *text, size_t size)
{
	int n = 0, highest = highest_level();
	bool known = false, gradients = true;
	struct report r;

	report_begin(&r, text, size);
	if (!op) {
		report_wrong(&r, "there is no op (NULL)");
		return false;
	}
	snprintf(r.prefix, sizeof r.prefix, "%s: ", op->name);
	if (highest < 0) {
		report_wrong(&r, "out of memory: no graph can be opened");
		return false;
	}
	for (; n < AD_MAX_SAMPLES && is_used(&op->samples[n]); n++)
		known |= !op->samples[n].error && op->samples[n].want[0].n != 0;
	if (!known)
		report_wrong(&r,
		             "no sample has known values, and differences cannot see a result that "
		             "is wrong together with its gradient; add .want to one");
	if (check_table(&r, op, highest)) {
		for (int k = 0; gradients && k < n; k++)
			gradients = op->samples[k].error || check_reads(&r, op, k);
		for (int k = 0; k < n; k++) {
			if (op->samples[k].error) {
				check_error(&r, op, k, false);
				check_error(&r, op, k, true);
				continue;
			}
			for (int level = 0; level <= highest; level++) {
				check_known(&r, op, k, false, level, gradients);
				check_known(&r, op, k, true, level, gradients);
				check_requests(&r, op, k, false, level);
				check_requests(&r, op, k, true, level);
			}
			if (gradients && is_random(&op->samples[k]))
				check_random(&r, op, k, highest);
		}
	}
	report_end(&r);
	if (r.wrong == 0)
		report_note(&r, "%s: %d sample%s, all right", op->name, n, n == 1 ? "" : "s");
	return r.wrong == 0;
}
