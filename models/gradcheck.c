/*
 * gradcheck: compares gradients with differences of the loss.
 *
 * The numeric derivative is central, (f(w + h) - f(w - h)) / 2h. Where the one-sided derivatives disagree
 * by more than the tolerance, the step is made smaller by ten: at a bend of a smooth function the
 * disagreement shrinks likewise, at a kink (relu at 0, a tie of max) it stays, and the element is left out.
 */
#include "gradcheck.h"
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP 1e-6
#define SAMPLE 200

/* What is moved: a leaf with its gradient at the start. */
struct moved {
	const char *path;
	ad_node *leaf;
	double *gradient, *value;
	size_t count;
};

struct check {
	ad_model *m;
	ad_node *loss;
	struct moved *moved;
	int n;
	double middle;  /* the loss at the start */
	bool refused;   /* as in struct gradcheck */
	char *error;
	size_t error_size;
};

/* One-sided and central derivatives at a step. */
struct slopes {
	double left, right, central;
};

static bool failed(struct check *c)
{
	return failure(c->error, c->error_size, "%s: %s", c->m->path, ad_errmsg(c->m->graph));
}

static bool evaluate(struct check *c, double *loss)
{
	if (ad_evaluate(c->m->graph, &c->loss, 1) != AD_OK)
		return failed(c);
	*loss = ad_item(c->loss);
	return isfinite(*loss) ||
	       failure(c->error, c->error_size, "%s: the loss is not finite at the point of the check",
	               c->m->path);
}

/* ---- moving one element, or all along a direction -------------------------------------------------- */

/* Where to move: element k of leaf i, or, with i < 0, all along the directions. */
struct line {
	int i;
	size_t k;
	double **directions;
};

static bool go(struct check *c, const struct line *line, double h)
{
	for (int i = line->i < 0 ? 0 : line->i; i < (line->i < 0 ? c->n : line->i + 1); i++) {
		struct moved *m = &c->moved[i];
		double *w = ad_write(m->leaf);

		if (!w)
			return failed(c);
		if (line->i >= 0)
			w[line->k] = m->value[line->k] + h;
		for (size_t k = 0; line->i < 0 && k < m->count; k++)
			w[k] = m->value[k] + h * line->directions[i][k];
	}
	return true;
}

static bool measure(struct check *c, const struct line *line, double h, struct slopes *s)
{
	double up, down;

	if (!go(c, line, h) || !evaluate(c, &up) || !go(c, line, -h) || !evaluate(c, &down) ||
	    !go(c, line, 0))
		return false;
	s->right = (up - c->middle) / h;
	s->left = (c->middle - down) / h;
	s->central = (up - down) / (2 * h);
	return true;
}

/* The numeric derivative; sets *kink where there is none. */
static bool refine(struct check *c, const struct line *line, const struct slopes *first,
                   double tolerance, double *numeric, bool *kink)
{
	double before = fabs(first->right - first->left), after;
	struct slopes second;

	*numeric = first->central;
	*kink = false;
	if (before <= tolerance)
		return true;
	if (!measure(c, line, STEP / 10, &second))
		return false;
	after = fabs(second.right - second.left);
	if (after <= tolerance)
		*numeric = second.central; /* the kink, if there was one, is out of reach now */
	else if (after > 0.3 * before)
		*kink = true;
	return true;
}

static void compare(struct gradcheck_row *row, size_t k, double analytic, double numeric)
{
	double error = fabs(analytic - numeric);

	row->checked++;
	/* A NaN counts as the largest. */
	if (row->checked == 1 || (!isnan(row->error) && !(error <= row->error))) {
		row->error = error;
		row->worst = k;
		row->analytic = analytic;
		row->numeric = numeric;
	}
}

static void judge(struct gradcheck_row *row)
{
	row->ok = row->count == 0 || (row->checked > 0 && row->error <= row->tolerance);
}

/* ---- one param --------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Which elements of a leaf are checked, in order. */
static size_t *choose(size_t count, bool all, uint64_t seed, uint64_t stream, size_t *chosen)
{
	size_t *list = malloc((count + 1) * sizeof *list);

	if (!list)
		return NULL;
	for (size_t k = 0; k < count; k++)
		list[k] = k;
	*chosen = count;
	if (!all && count > SAMPLE) {
		data_shuffle(seed, STREAM_CHECK, stream, list, count);
		qsort(list, SAMPLE, sizeof *list, by_number);
		*chosen = SAMPLE;
	}
	return list;
}

static bool check_elements(struct check *c, int i, const size_t chosen[], size_t n,
                           struct slopes slopes[], struct gradcheck_row *row)
{
	for (size_t j = 0; j < n; j++) {
		if (!measure(c, &(struct line){ .i = i, .k = chosen[j] }, STEP, &slopes[j]))
			return false;
		row->largest = fmax(row->largest, fabs(slopes[j].central));
	}
	row->tolerance = 1e-5 * row->largest + 1e-8;
	for (size_t j = 0; j < n; j++) {
		struct line line = { .i = i, .k = chosen[j] };
		double numeric;
		bool kink;

		if (!refine(c, &line, &slopes[j], row->tolerance, &numeric, &kink))
			return false;
		if (kink)
			row->kinks++;
		else
			compare(row, chosen[j], c->moved[i].gradient[chosen[j]], numeric);
	}
	judge(row);
	return true;
}

static bool check_leaf(struct check *c, int i, bool all, uint64_t seed, struct gradcheck_row *row)
{
	struct moved *m = &c->moved[i];
	size_t n = 0, *chosen = choose(m->count, all, seed, (uint64_t)i, &n);
	struct slopes *slopes = chosen ? malloc((n + 1) * sizeof *slopes) : NULL;
	bool ok;

	*row = (struct gradcheck_row){ .path = m->path, .count = m->count };
	ok = slopes ? check_elements(c, i, chosen, n, slopes, row)
	            : failure_memory(c->error, c->error_size, "the check", 0);
	free(slopes);
	free(chosen);
	return ok;
}

/* ---- all at once --------------------------------------------------------------------------------------- */

static bool check_direction(struct check *c, uint64_t seed, struct gradcheck_row *row)
{
	struct line line = { .i = -1, .directions = calloc((size_t)c->n + 1, sizeof(double *)) };
	double analytic = 0, length = 0, numeric;
	struct slopes slopes;
	bool ok = line.directions != NULL, kink;

	*row = (struct gradcheck_row){ .path = "a direction through all", .count = 1 };
	for (int i = 0; ok && i < c->n; i++) {
		line.directions[i] = malloc((c->moved[i].count + 1) * sizeof(double));
		ok = line.directions[i] != NULL;
		for (size_t k = 0; ok && k < c->moved[i].count; k++) {
			line.directions[i][k] =
				2 * data_uniform(seed, STREAM_CHECK, UINT64_MAX - (uint64_t)i, k) - 1;
			length += line.directions[i][k] * line.directions[i][k];
		}
	}
	if (!ok)
		failure_memory(c->error, c->error_size, "the check", 0);
	for (int i = 0; ok && i < c->n; i++)
		for (size_t k = 0; k < c->moved[i].count; k++) {
			if (length > 0)
				line.directions[i][k] /= sqrt(length);
			analytic += c->moved[i].gradient[k] * line.directions[i][k];
		}
	if (ok && (ok = measure(c, &line, STEP, &slopes))) {
		row->largest = fabs(slopes.central);
		row->tolerance = 1e-5 * row->largest + 1e-8;
		ok = refine(c, &line, &slopes, row->tolerance, &numeric, &kink);
		if (ok && kink)
			row->kinks = 1;
		else if (ok)
			compare(row, 0, analytic, numeric);
		/* With many params some kink is always near: the params alone decide then. */
		row->ok = ok && (kink || row->error <= row->tolerance);
	}
	for (int i = 0; line.directions && i < c->n; i++)
		free(line.directions[i]);
	free(line.directions);
	return ok;
}

/* ---- the point of the check ------------------------------------------------------------------------------ */

/* Random values for inputs without data: reals in [-1, 1), indices 0, masks 0 or 1. */
static bool feed_random(struct check *c, const struct instance *in, uint64_t seed)
{
	for (int i = 0; i < c->m->n_inputs; i++) {
		ad_node *x = in->inputs[i];
		size_t count = x ? ad_count(x) : 0;
		void *to;

		if (!x || c->m->inputs[i].scalar_leaf || count == 0)
			continue;
		to = ad_write(x);
		if (!to)
			return failed(c);
		for (size_t k = 0; k < count; k++) {
			double u = data_uniform(seed, STREAM_CHECK, UINT64_MAX / 2 + (uint64_t)i, k);

			if (ad_type_of(x) == AD_REAL)
				((double *)to)[k] = 2 * u - 1;
			else if (ad_type_of(x) == AD_I32)
				((int32_t *)to)[k] = 0;
			else
				((unsigned char *)to)[k] = u < 0.5;
		}
	}
	return true;
}

/* The instance that is checked, fed. */
static struct instance *prepare(struct check *c, uint64_t seed)
{
	ad_model *m = c->m;
	struct parts parts = { 0 };
	const struct dataset *d = NULL;
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	size_t count = 2, *rows = NULL;
	struct instance *in = NULL;
	bool ok = dims || failure_memory(c->error, c->error_size, "the check", 0);

	if (ok && (m->data.has_train || m->data.has_test)) {
		ok = data_read(m, &parts, c->error, c->error_size);
		c->refused = !ok && !parts.unreadable;
		d = m->data.has_train ? &parts.train : &parts.test;
	}
	if (ok && d) {
		count = m->batch_dim < 0 ? 1 : m->data.batch > 0 ? (size_t)m->data.batch : d->n;
		count = count < d->n ? count : d->n;
		ok = data_dims(m, d, count, dims, c->error, c->error_size);
		c->refused = !ok;
	} else if (ok) {
		for (int k = 0; k < m->n_dims; k++)
			dims[k] = (int64_t)count;
	}
	if (ok) {
		in = model_instance(m, dims, true);
		ok = (in && model_gradients(m, in)) || failed(c);
	}
	if (ok && d) {
		ok = data_check_labels(m, in, 1, &d, c->error, c->error_size);
		c->refused = !ok;
	}
	if (ok && d) {
		rows = malloc((count + 1) * sizeof *rows);
		for (size_t k = 0; rows && k < count; k++)
			rows[k] = k;
		ok = rows ? data_feed(m, in, d, rows, count) || failed(c)
		          : failure_memory(c->error, c->error_size, "the check", 0);
	} else if (ok) {
		ok = feed_random(c, in, seed);
	}
	free(rows);
	free(dims);
	data_free(&parts);
	return ok ? in : NULL;
}

static bool add_moved(struct check *c, const char *path, ad_node *leaf, ad_node *gradient,
                      ad_node *roots[], size_t *n_roots)
{
	struct moved *m = &c->moved[c->n];

	m->path = path;
	m->leaf = leaf;
	m->count = ad_count(leaf);
	m->gradient = calloc(m->count + 1, sizeof(double));
	m->value = calloc(m->count + 1, sizeof(double));
	c->n++;
	if (!m->gradient || !m->value)
		return failure_memory(c->error, c->error_size, "the check", m->count * sizeof(double));
	roots[(*n_roots)++] = gradient;
	return ad_get(leaf, m->value, m->count) == AD_OK || failed(c);
}

/* Finds what is checked and evaluates its gradients. */
static bool start(struct check *c, struct instance *in)
{
	ad_model *m = c->m;
	size_t most = (size_t)m->n_weights + (size_t)m->n_inputs, n_roots = 1;
	ad_node **roots = calloc(most + 1, sizeof(ad_node *));
	bool ok;

	c->moved = calloc(most + 1, sizeof *c->moved);
	ok = (roots && c->moved) || failure_memory(c->error, c->error_size, "the check", 0);
	if (ok)
		roots[0] = c->loss;
	for (int k = 0; ok && k < m->n_weights; k++)
		if (in->gradients[k])
			ok = add_moved(c, m->weights[k].path, m->weights[k].node, in->gradients[k], roots,
			               &n_roots);
	for (int k = 0; ok && k < m->n_inputs; k++) {
		ad_node *gradient = m->inputs[k].scalar_leaf && in->inputs[k] ? ad_gradient(in->inputs[k])
		                                                              : NULL;

		if (gradient)
			ok = add_moved(c, m->inputs[k].name, in->inputs[k], gradient, roots, &n_roots);
	}
	ad_step(m->graph, 0);
	if (ok && ad_evaluate(m->graph, roots, n_roots) != AD_OK)
		ok = failed(c);
	for (int i = 0; ok && i < c->n; i++)
		ok = ad_get(roots[1 + i], c->moved[i].gradient, c->moved[i].count) == AD_OK || failed(c);
	free(roots);
	return ok && evaluate(c, &c->middle);
}

bool gradcheck_run(ad_model *m, bool all, uint64_t seed, struct gradcheck *to, char *error, size_t n)
{
	struct check c = { .m = m, .error = error, .error_size = n };
	struct instance *in;
	bool ok;

	*to = (struct gradcheck){ 0 };
	if (ad_model_errors(m) > 0 || !m->graph)
		return failure(error, n, "%s has errors", m->path);
	if (!m->f64)
		return failure(error, n, "%s: gradients are checked in f64: set train.precision=f64", m->path);
	ad_seed(m->graph, m->train.seed);
	in = prepare(&c, seed);
	to->refused = c.refused;
	if (!in)
		return false;
	c.loss = in->loss ? in->loss : in->output;
	if ((to->refused = !c.loss || ad_count(c.loss) != 1))
		return failure(error, n, "%s has neither a loss nor an output that is a single number", m->path);
	ok = start(&c, in);
	if (ok && c.n == 0) {
		c.refused = true;
		ok = failure(error, n, "%s has nothing that wants a gradient", m->path);
	}
	to->rows = ok ? calloc((size_t)c.n + 1, sizeof *to->rows) : NULL;
	if (ok && !to->rows)
		ok = failure_memory(error, n, "the check", 0);
	for (int i = 0; ok && i < c.n; i++)
		ok = check_leaf(&c, i, all, seed, &to->rows[to->n++]);
	ok = ok && check_direction(&c, seed, &to->rows[to->n++]);
	to->ok = ok;
	for (int i = 0; i < to->n; i++)
		to->ok &= to->rows[i].ok;
	for (int i = 0; i < c.n; i++) {
		if (c.moved[i].value)
			ad_set(c.moved[i].leaf, c.moved[i].value, c.moved[i].count);
		free(c.moved[i].gradient);
		free(c.moved[i].value);
	}
	free(c.moved);
	if (!ok) {
		gradcheck_free(to);
		to->refused = c.refused;
	}
	return ok;
}

void gradcheck_free(struct gradcheck *g)
{
	free(g->rows);
	*g = (struct gradcheck){ 0 };
}
