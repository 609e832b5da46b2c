/*
 * samples: every sample of every op, against known values, differences and each other.
 *
 * One parameterised test, an op at a time, so that an op that crashes fails alone. Of each sample:
 * - known values and gradients, in f32 and f64, with the kernels of every instruction set here;
 * - errors: the call, or else the evaluation, fails with the op's name and the sample's text;
 * - random samples, in f64: the gradient by the backward kernel (for all inputs at once and one by
 *   one) and by the grad function against central differences, and likewise the second order, with
 *   respect to the inputs and to dy; f32 against f64.
 */
#include "graph.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdarg.h>
#include <stdio.h>

#define STEP 1e-6
#define ATOL 1e-5
#define RTOL 1e-3

/* Known values, relative to the larger of 1 and the largest magnitude. */
static double known_tolerance(bool f64)
{
	return f64 ? 1e-12 : 2e-6;
}

/* A sample recorded in a graph of its own. */
struct trial {
	const ad_op *op;
	const ad_sample *sample;
	int number;
	ad_graph *g;
	int n_in, n_out;
	ad_node *in[AD_MAX_SAMPLE_INPUTS];
	ad_node *y, *out[AD_MAX_OUTPUTS];
	ad_node *weight[AD_MAX_OUTPUTS]; /* of the outputs in the sum; NULL for masks and indices */
};

__attribute__((format(printf, 2, 3))) static void complain(const struct trial *t,
                                                           const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	cr_expect(false, "%s, sample %d%s%s%s, %s, level %d: %s", t->op->name, t->number,
	          t->sample->attrs ? " (" : "", t->sample->attrs ? t->sample->attrs : "",
	          t->sample->attrs ? ")" : "", ad_is_f64(t->g) ? "f64" : "f32", t->g->level, text);
}

/* splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* A float in [lo, hi], so that f32 and f64 start from the same numbers. */
static double random_between(uint64_t *state, double lo, double hi)
{
	return (double)(float)(lo + (hi - lo) * ((double)(next_random(state) >> 11) * 0x1p-53));
}

static uint64_t seed_of(const struct trial *t, unsigned purpose)
{
	uint64_t seed = 1469598103934665603u; /* FNV-1a of the name */

	for (const char *c = t->op->name; *c; c++)
		seed = (seed ^ (unsigned char)*c) * 1099511628211u;
	return seed + (uint64_t)t->number * 1000 + purpose;
}

static double *allocate(size_t n)
{
	double *v = calloc(n ? n : 1, sizeof *v);

	cr_assert(v != NULL, "out of memory");
	return v;
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

/* The leaf of input i with its values. */
static bool make_input(struct trial *t, int i)
{
	const ad_sample_input *shape = &t->sample->in[i];
	const ad_sample_values *give = &t->sample->give[i];
	uint64_t state = seed_of(t, (unsigned)i);
	ad_shape dims = { .rank = shape->rank };
	char name[] = "input 0";
	double *v;
	size_t n;
	bool ok;

	name[6] = (char)('0' + i);
	memcpy(dims.dims, shape->dims, sizeof dims.dims);
	t->in[i] = ad_input(t->g, name, shape->type, dims);
	n = ad_count(t->in[i]);
	if (give->n && give->n != n) {
		complain(t, "input %d has %zu elements, but %zu are given", i, n, give->n);
		return false;
	}
	v = allocate(n);
	for (size_t k = 0; k < n; k++) {
		v[k] = give->n ? give->v[k] : random_between(&state, t->sample->lo, t->sample->hi);
		if (!give->n && shape->type == AD_I32)
			v[k] = floor(v[k]);
		if (!give->n && shape->type == AD_BOOL)
			v[k] = next_random(&state) >> 63;
	}
	if (shape->type == AD_REAL)
		ad_want_gradient(t->in[i], true);
	ok = ad_set(t->in[i], v, n) == AD_OK;
	if (!ok)
		complain(t, "%s", ad_errmsg(t->g));
	free(v);
	return ok;
}

/* Opens a graph and records the sample in it. False if the inputs cannot be made. */
static bool open_trial(struct trial *t, const ad_op *op, int number, bool f64, int level)
{
	memset(t, 0, sizeof *t);
	t->op = op;
	t->number = number;
	t->sample = &op->samples[number];
	t->g = f64 ? ad_open_f64() : ad_open();
	if (level >= 0 && level < t->g->level)
		t->g->level = level;
	for (int i = 0; i < AD_MAX_SAMPLE_INPUTS; i++) {
		if (!t->sample->in[i].given)
			continue;
		if (!make_input(t, i))
			return false;
		t->n_in = i + 1;
	}
	t->y = ad_call_text(t->g, op->name, (size_t)t->n_in, t->in, t->sample->attrs);
	t->n_out = ad_is_error(t->y) ? 0 : ad_outputs(t->y);
	for (int k = 0; k < t->n_out; k++)
		t->out[k] = ad_output(t->y, k);
	return true;
}

/* Like open_trial, for samples that must not fail. */
static bool open_good_trial(struct trial *t, const ad_op *op, int number, bool f64, int level)
{
	if (!open_trial(t, op, number, f64, level))
		return false;
	if (ad_is_error(t->y))
		complain(t, "%s", ad_errmsg(t->g));
	return !ad_is_error(t->y);
}

/* The sum of all elements of all real outputs, each element weighted at random if asked for. NULL
 * where no output is real. */
static ad_node *total(struct trial *t, bool weighted)
{
	ad_node *sum = NULL;

	for (int k = 0; k < t->n_out; k++) {
		ad_node *part = t->out[k];
		uint64_t state = seed_of(t, 100 + (unsigned)k);

		if (!is_real(part))
			continue;
		if (weighted) {
			size_t n = ad_count(part);
			double *v = allocate(n);

			for (size_t j = 0; j < n; j++)
				v[j] = random_between(&state, 0.25, 1.25);
			t->weight[k] = ad_input(t->g, "weight", AD_REAL, ad_shape_of(part));
			ad_want_gradient(t->weight[k], true);
			if (ad_set(t->weight[k], v, n) != AD_OK)
				complain(t, "%s", ad_errmsg(t->g));
			free(v);
			part = ad_mul(part, t->weight[k]);
		}
		part = ad_call_text(t->g, "sum_to", 1, &part, "shape=[]");
		sum = sum ? ad_add(sum, part) : part;
	}
	return sum;
}

/* Compares the value of x with want: NaN must meet NaN, an infinity itself. */
static void compare(const struct trial *t, const char *what, int number, ad_node *x,
                    const double *want, size_t n, double tolerance)
{
	double *have = allocate(n), scale = 1;

	if (ad_is_error(x) || ad_count(x) != n) {
		complain(t, "%s %d has %zu elements, not %zu", what, number,
		         ad_is_error(x) ? 0 : ad_count(x), n);
	} else if (ad_get(x, have, n) != AD_OK) {
		complain(t, "%s %d: %s", what, number, ad_errmsg(t->g));
	} else {
		for (size_t k = 0; k < n; k++)
			if (isfinite(want[k]) && fabs(want[k]) > scale)
				scale = fabs(want[k]);
		for (size_t k = 0; k < n; k++) {
			if (isnan(want[k])   ? isnan(have[k])
			    : isinf(want[k]) ? have[k] == want[k]
			                     : fabs(have[k] - want[k]) <= tolerance * scale)
				continue;
			complain(t, "element %zu of %s %d is %.17g, not %.17g", k, what, number,
			         have[k], want[k]);
			break;
		}
	}
	free(have);
}

/* ---- known values ------------------------------------------------------------------------------
 */

static void check_known(const ad_op *op, int number, bool f64, int level)
{
	ad_node *real[AD_MAX_SAMPLE_INPUTS], *dx[AD_MAX_SAMPLE_INPUTS], *sum;
	size_t n_real = 0, with_gradient = 0;
	struct trial t;

	if (!open_good_trial(&t, op, number, f64, level)) {
		ad_close(t.g);
		return;
	}
	if (ad_evaluate(t.g, t.out, (size_t)t.n_out) != AD_OK)
		complain(&t, "%s", ad_errmsg(t.g));
	for (int k = 0; k < 4; k++) {
		const ad_sample_values *want = &t.sample->want[k];

		if (want->n && k >= t.n_out)
			complain(&t, "there is no output %d", k);
		else if (want->n)
			compare(&t, "output", k, t.out[k], want->v, want->n, known_tolerance(f64));
	}
	for (int i = 0; i < t.n_in; i++) {
		with_gradient += t.sample->dwant[i].n != 0;
		if (is_real(t.in[i]))
			real[n_real++] = t.in[i];
		else if (t.sample->dwant[i].n)
			complain(&t, "input %d is no array of reals: it has no gradient", i);
	}
	sum = with_gradient ? total(&t, false) : NULL;
	if (sum && (!ad_grads(sum, ad_full_like(sum, 1), n_real, real, dx) ||
	            ad_evaluate(t.g, dx, n_real) != AD_OK)) {
		complain(&t, "%s", ad_errmsg(t.g));
		sum = NULL;
	}
	n_real = 0;
	for (int i = 0; sum && i < t.n_in; i++) {
		const ad_sample_values *want = &t.sample->dwant[i];

		if (!is_real(t.in[i]))
			continue;
		if (want->n)
			compare(&t, "gradient", i, dx[n_real], want->v, want->n,
			        known_tolerance(f64));
		n_real++;
	}
	/* A mask has no gradient, so zeros are right where they are wanted at all. */
	if (with_gradient && !total(&t, false))
		for (int i = 0; i < t.n_in; i++)
			for (size_t k = 0; k < t.sample->dwant[i].n; k++)
				if (t.sample->dwant[i].v[k] != 0)
					complain(&t, "no output is real: there is no gradient");
	ad_close(t.g);
}

/* ---- errors ------------------------------------------------------------------------------------
 */

static void check_error(const ad_op *op, int number, bool f64)
{
	const char *message;
	size_t length = strlen(op->name);
	struct trial t;

	if (open_trial(&t, op, number, f64, -1)) {
		if (!ad_is_error(t.y))
			ad_evaluate(t.g, t.out, (size_t)t.n_out);
		message = ad_errmsg(t.g);
		if (ad_status_of(t.g) == AD_OK)
			complain(&t, "it must fail with '%s'", t.sample->error);
		else if (!strstr(message, t.sample->error))
			complain(&t, "it fails with '%s', which lacks '%s'", message,
			         t.sample->error);
		else if (strncmp(message, op->name, length) != 0 || message[length] != ':')
			complain(&t, "'%s' does not begin with the op's name", message);
	}
	ad_close(t.g);
}

/* ---- differences -------------------------------------------------------------------------------
 */

/* The central difference of the single number z by element k of leaf x, whose values are v. */
static double difference(struct trial *t, ad_node *z, ad_node *x, double *v, size_t n, size_t k)
{
	const double middle = v[k];
	double above, below;

	v[k] = middle + STEP;
	ad_set(x, v, n);
	ad_forward(z);
	above = ad_item(z);
	v[k] = middle - STEP;
	ad_set(x, v, n);
	ad_forward(z);
	below = ad_item(z);
	v[k] = middle;
	ad_set(x, v, n);
	if (ad_status_of(t->g) != AD_OK)
		return NAN;
	return (above - below) / (2 * STEP);
}

/* dz, the gradient of the single number z by the leaf x, against differences. */
static void compare_differences(struct trial *t, const char *what, int number, ad_node *z,
                                ad_node *x, ad_node *dz)
{
	size_t n = ad_count(x);
	double *v = allocate(n), *analytic = allocate(n);

	if (ad_get(x, v, n) != AD_OK || ad_forward(dz) != AD_OK ||
	    ad_get(dz, analytic, n) != AD_OK) {
		complain(t, "%s %d: %s", what, number, ad_errmsg(t->g));
		n = 0;
	}
	for (size_t k = 0; k < n; k++) {
		const double numeric = difference(t, z, x, v, n, k);

		if (fabs(analytic[k] - numeric) <= ATOL + RTOL * fabs(numeric))
			continue;
		complain(t, "element %zu of %s %d is %.10g; differences give %.10g%s%s", k, what,
		         number, analytic[k], numeric, ad_status_of(t->g) ? ": " : "",
		         ad_errmsg(t->g));
		break;
	}
	free(v);
	free(analytic);
}

/* The gradient as the op's grad function gives it, against dx as the sweep gave it. */
static void check_grad_function(struct trial *t, ad_node *const dx[])
{
	ad_node *pure[AD_MAX_SAMPLE_INPUTS] = { NULL };
	bool wants[AD_MAX_SAMPLE_INPUTS] = { false };

	if (t->y->op != t->op || !t->op->grad || t->op->flat)
		return;
	for (int i = 0; i < t->n_in; i++)
		wants[i] = dx[i] != NULL;
	t->g->wants = wants;
	t->op->grad(t->y, t->weight, pure);
	t->g->wants = NULL;
	for (int i = 0; i < t->n_in; i++) {
		size_t n = ad_count(t->in[i]);
		double *by_sweep;

		if (!wants[i])
			continue;
		if (!pure[i] || ad_is_error(pure[i])) {
			complain(t, "grad gives nothing for input %d: %s", i, ad_errmsg(t->g));
			continue;
		}
		if (ad_shape_of(pure[i]).rank != ad_shape_of(t->in[i]).rank ||
		    ad_count(pure[i]) != n)
			pure[i] = engine_sum_to(pure[i], ad_shape_of(t->in[i]));
		if (ad_evaluate(t->g, (ad_node *[]){ dx[i], pure[i] }, 2) != AD_OK) {
			complain(t, "grad for input %d: %s", i, ad_errmsg(t->g));
			continue;
		}
		by_sweep = allocate(n);
		ad_get(dx[i], by_sweep, n);
		compare(t, "grad for input", i, pure[i], by_sweep, n, 1e-11);
		free(by_sweep);
	}
}

/* The gradient asked for one input alone must be the one asked for all. */
static void check_alone(struct trial *t, ad_node *sum, ad_node *const dx[])
{
	for (int i = 0; i < t->n_in; i++) {
		ad_node *alone;
		double *v;
		size_t n;

		if (!dx[i])
			continue;
		n = ad_count(dx[i]);
		v = allocate(n);
		alone = ad_grad(sum, t->in[i]);
		if (ad_evaluate(t->g, (ad_node *[]){ dx[i], alone }, 2) != AD_OK) {
			complain(t, "gradient %d alone: %s", i, ad_errmsg(t->g));
		} else {
			ad_get(dx[i], v, n);
			compare(t, "gradient alone of input", i, alone, v, n, 1e-12);
		}
		free(v);
	}
}

/* The gradients again, with the weights as dy: nothing but the op and its gradient reads the
 * outputs, so that a path which the engine forgets between them shows. */
static bool direct_gradients(struct trial *t, ad_node *dx[])
{
	ad_node *real[AD_MAX_SAMPLE_INPUTS], *d[AD_MAX_SAMPLE_INPUTS];
	size_t n = 0;

	for (int i = 0; i < t->n_in; i++)
		if (is_real(t->in[i]))
			real[n++] = t->in[i];
	for (int k = 0; k < t->n_out; k++) {
		if (!t->weight[k])
			continue;
		if (!ad_grads(t->out[k], t->weight[k], n, real, d)) {
			complain(t, "second order: %s", ad_errmsg(t->g));
			return false;
		}
		n = 0;
		for (int i = 0; i < t->n_in; i++)
			if (is_real(t->in[i])) {
				dx[i] = dx[i] ? ad_add(dx[i], d[n]) : d[n];
				n++;
			}
	}
	return true;
}

/* Second order: the sum of all gradients, weighted, by each input and each weight of an output. */
static void check_second_order(struct trial *t)
{
	ad_node *x[AD_MAX_SAMPLE_INPUTS + AD_MAX_OUTPUTS];
	ad_node *dz[AD_MAX_SAMPLE_INPUTS + AD_MAX_OUTPUTS];
	ad_node *dx[AD_MAX_SAMPLE_INPUTS] = { NULL }, *z = NULL;
	size_t n = 0;

	if (!direct_gradients(t, dx))
		return;
	for (int i = 0; i < t->n_in; i++) {
		uint64_t state = seed_of(t, 200 + (unsigned)i);
		ad_node *part, *weight;
		size_t count;
		double *v;

		if (!dx[i])
			continue;
		count = ad_count(dx[i]);
		v = allocate(count);
		for (size_t k = 0; k < count; k++)
			v[k] = random_between(&state, 0.25, 1.25);
		weight = ad_input(t->g, "weight of a gradient", AD_REAL, ad_shape_of(dx[i]));
		ad_set(weight, v, count);
		free(v);
		part = ad_mul(dx[i], weight);
		part = ad_call_text(t->g, "sum_to", 1, &part, "shape=[]");
		z = z ? ad_add(z, part) : part;
		x[n++] = t->in[i];
	}
	for (int k = 0; k < t->n_out; k++)
		if (t->weight[k])
			x[n++] = t->weight[k];
	if (!z)
		return;
	if (!ad_grads(z, ad_full_like(z, 1), n, x, dz)) {
		complain(t, "second order: %s", ad_errmsg(t->g));
		return;
	}
	for (size_t k = 0; k < n; k++)
		compare_differences(t, "second derivative", (int)k, z, x[k], dz[k]);
}

/* The f64 trial's outputs and gradients against those of an f32 trial. */
static void check_f32(struct trial *t, ad_node *const dx[])
{
	ad_node *dx32[AD_MAX_SAMPLE_INPUTS] = { NULL }, *sum;
	struct trial f32;

	if (!open_good_trial(&f32, t->op, t->number, false, -1)) {
		ad_close(f32.g);
		return;
	}
	sum = total(&f32, true);
	for (int k = 0; k < t->n_out + t->n_in; k++) {
		bool output = k < t->n_out;
		int i = output ? k : k - t->n_out;
		ad_node *wide = output ? t->out[i] : dx[i], *narrow;
		double *v;

		if (!wide)
			continue;
		narrow = output ? f32.out[i] : (dx32[i] = ad_grad(sum, f32.in[i]));
		v = allocate(ad_count(wide));
		if (ad_forward(wide) != AD_OK || ad_get(wide, v, ad_count(wide)) != AD_OK)
			complain(t, "%s", ad_errmsg(t->g));
		else if (ad_forward(narrow) != AD_OK)
			complain(&f32, "%s", ad_errmsg(f32.g));
		else
			compare(&f32, output ? "output" : "gradient", i, narrow, v, ad_count(wide),
			        2e-5);
		free(v);
	}
	ad_close(f32.g);
}

static void check_derivatives(const ad_op *op, int number)
{
	ad_node *dx[AD_MAX_SAMPLE_INPUTS] = { NULL }, *real[AD_MAX_SAMPLE_INPUTS];
	ad_node *d[AD_MAX_SAMPLE_INPUTS], *sum;
	struct trial t;
	size_t n = 0;

	if (!open_good_trial(&t, op, number, true, -1)) {
		ad_close(t.g);
		return;
	}
	sum = total(&t, true);
	for (int i = 0; i < t.n_in; i++)
		if (is_real(t.in[i]))
			real[n++] = t.in[i];
	if (sum && n && !ad_grads(sum, ad_full_like(sum, 1), n, real, d)) {
		complain(&t, "%s", ad_errmsg(t.g));
	} else if (sum && n) {
		n = 0;
		for (int i = 0; i < t.n_in; i++)
			if (is_real(t.in[i]))
				dx[i] = d[n++];
		for (int i = 0; i < t.n_in; i++)
			if (dx[i])
				compare_differences(&t, "gradient", i, sum, t.in[i], dx[i]);
		check_grad_function(&t, dx);
		check_alone(&t, sum, dx);
		check_second_order(&t);
		check_f32(&t, dx);
	}
	ad_close(t.g);
}

/* ---- the tests
 * ----------------------------------------------------------------------------------- */

static void free_numbers(struct criterion_test_params *params)
{
	cr_free(params->params);
}

ParameterizedTestParameters(samples, op)
{
	size_t n = ad_ops(), *number = cr_malloc(n * sizeof *number);

	for (size_t k = 0; k < n; k++)
		number[k] = k;
	return cr_make_param_array(size_t, number, n, free_numbers);
}

ParameterizedTest(const size_t *number, samples, op)
{
	const ad_op *op = ad_op_at(*number);
	ad_graph *g = ad_open();
	int highest = g->level;
	bool known = false;

	ad_close(g);
	for (int k = 0; k < AD_MAX_SAMPLES && is_used(&op->samples[k]); k++) {
		if (op->samples[k].error) {
			check_error(op, k, false);
			check_error(op, k, true);
			continue;
		}
		known |= op->samples[k].want[0].n != 0;
		for (int level = 0; level <= highest; level++) {
			check_known(op, k, false, level);
			check_known(op, k, true, level);
		}
		if (is_random(&op->samples[k]))
			check_derivatives(op, k);
	}
	cr_expect(known, "%s: no sample has known values", op->name);
}

Test(samples, table)
{
	cr_assert(ad_ops() > 0);
	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		cr_expect(ad_op_find(op->name) == op, "%s: not found by its name", op->name);
		cr_expect(ad_op_doc(op)[0] != '\0', "%s: no documentation", op->name);
		if (k > 0)
			cr_expect(strcmp(ad_op_at(k - 1)->name, op->name) < 0,
			          "%s: not in the order of names", op->name);
	}
}
