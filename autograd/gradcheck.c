/*
 * gradcheck: derivatives by reverse mode against central differences.
 *
 * A Jacobian comes twice: row by row, from one recorded sweep whose seed is an input that is set to
 * each unit vector in turn; and column by column, (y(x + h) - y(x - h)) / 2h. The next order does
 * the same with the swept gradients in the place of y.
 */
#include "differences.h"

#include <stdarg.h>
#include <stdio.h>

#define MOST_ORDERS 8
#define TRAILER 40 /* bytes that the last line of a report may need */

/* ---- reports --------------------------------------------------------------------------------- */

void report_begin(struct report *r, char *text, size_t size)
{
	*r = (struct report){ .text = text, .size = text ? size : 0 };
	if (r->size)
		text[0] = '\0';
}

/* Adds a line, or none of it where it does not fit. */
static bool add_line(struct report *r, size_t reserve, const char *format, va_list args)
{
	size_t prefix = reserve ? strlen(r->prefix) : 0;
	size_t room = r->size > r->used + reserve ? r->size - r->used - reserve : 0;
	size_t before = (r->used > 0) + prefix;
	char *to = room ? r->text + r->used : NULL;
	int n = vsnprintf(room > before ? to + before : NULL, room > before ? room - before : 0,
	                  format, args);

	if (n < 0 || room <= before || (size_t)n >= room - before) {
		/* the first sentence is worth having even in part */
		if (r->used == 0 && reserve && room > before && n >= 0) {
			memcpy(to, r->prefix, prefix);
			r->used = room - 1;
			return true;
		}
		if (to)
			*to = '\0';
		return false;
	}
	if (r->used > 0)
		to[0] = '\n';
	memcpy(to + (r->used > 0), r->prefix, prefix);
	r->used += before + (size_t)n;
	return true;
}

void report_wrong(struct report *r, const char *format, ...)
{
	va_list args;

	r->wrong++;
	va_start(args, format);
	if (r->left_out || !add_line(r, TRAILER, format, args))
		r->left_out++;
	va_end(args);
}

void report_note(struct report *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(r, 0, format, args);
	va_end(args);
}

void report_end(struct report *r)
{
	if (r->left_out)
		report_note(r, "and %zu more", r->left_out);
}

/* ---- one Jacobian, twice --------------------------------------------------------------------- */

double next_between(uint64_t *state, double lo, double hi)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (double)(float)(lo + (hi - lo) * ((double)(z >> 11) * 0x1p-53));
}

/* The Jacobians of one order, all outputs by all leaves: n_rows x n_columns. */
struct jacobian {
	struct differences *d;
	int order;
	size_t n_out, n_leaf, n_rows, n_columns;
	const struct item *out, *leaf;
	ad_node **outputs;              /* n_out: the nodes, as roots */
	ad_node **seed;                 /* n_out: what arrives at each output */
	ad_node **dx;                   /* n_leaf: the sweep */
	double *swept;                  /* n_rows x n_columns */
	double *middle, *above, *below; /* n_rows: the outputs, one after the other */
};

/* "[1, 2]" for element k of a shape; nothing for a single number. */
static const char *place_of(char text[160], const ad_node *x, size_t k)
{
	int64_t at[AD_MAX_RANK];
	size_t used = 0;

	text[0] = '\0';
	for (int i = x->shape.rank; i-- > 0; k /= (size_t)x->shape.dims[i])
		at[i] = (int64_t)(k % (size_t)x->shape.dims[i]);
	for (int i = 0; i < x->shape.rank && used < 150; i++)
		used += (size_t)snprintf(text + used, 160 - used, "%s%lld", i ? ", " : "[",
		                         (long long)at[i]);
	if (used)
		snprintf(text + used, 160 - used, "]");
	return text;
}

static bool graph_failed(const struct jacobian *j)
{
	report_wrong(j->d->report, "order %d: %s", j->order, ad_errmsg(j->d->graph));
	return false;
}

static bool start(struct jacobian *j)
{
	size_t n = 0, cells, bytes, rows = 0, columns = 0;
	bool fits = true;

	for (size_t k = 0; k < j->n_out; k++)
		fits &= !__builtin_add_overflow(rows, j->out[k].node->count, &rows);
	for (size_t i = 0; i < j->n_leaf; i++)
		fits &= !__builtin_add_overflow(columns, j->leaf[i].node->count, &columns);
	fits = fits && !__builtin_mul_overflow(rows, columns, &cells) &&
	       !__builtin_mul_overflow(cells, sizeof(double), &bytes);
	if (!fits) {
		report_wrong(j->d->report,
		             "order %d: a Jacobian of %zu x %zu elements is too large", j->order,
		             rows, columns);
		return false;
	}
	j->n_rows = rows;
	j->n_columns = columns;
	j->outputs = calloc(j->n_out + 1, sizeof *j->outputs);
	j->seed = calloc(j->n_out + 1, sizeof *j->seed);
	j->dx = calloc(j->n_leaf + 1, sizeof *j->dx);
	j->swept = calloc(cells + 1, sizeof *j->swept);
	j->middle = calloc(rows + 1, sizeof *j->middle);
	j->above = calloc(rows + 1, sizeof *j->above);
	j->below = calloc(rows + 1, sizeof *j->below);
	if (!j->outputs || !j->seed || !j->dx || !j->swept || !j->middle || !j->above ||
	    !j->below) {
		report_wrong(j->d->report, "order %d: out of memory: the Jacobian needs %zu bytes",
		             j->order, bytes);
		return false;
	}
	for (; n < j->n_out; n++)
		j->outputs[n] = j->out[n].node;
	return true;
}

static void finish(struct jacobian *j)
{
	free(j->outputs);
	free(j->seed);
	free(j->dx);
	free(j->swept);
	free(j->middle);
	free(j->above);
	free(j->below);
}

/* Records dx[i]: the sum over all outputs of what each passes on from its seed. */
static bool record_sweep(struct jacobian *j)
{
	ad_graph *g = j->d->graph;
	ad_node **leaves = calloc(2 * j->n_leaf + 1, sizeof *leaves), **part = leaves + j->n_leaf;
	bool ok = leaves != NULL;

	if (!ok)
		out_of_memory(g, 2 * j->n_leaf * sizeof *leaves);
	for (size_t i = 0; ok && i < j->n_leaf; i++)
		leaves[i] = j->leaf[i].node;
	for (size_t k = 0; ok && k < j->n_out; k++) {
		char name[64];

		snprintf(name, sizeof name, "dy %zu of order %d", k, j->order);
		j->seed[k] = ad_input(g, name, AD_REAL, j->outputs[k]->shape);
		ok = ad_set_item(j->seed[k], 0) == AD_OK &&
		     ad_grads(j->outputs[k], j->seed[k], j->n_leaf, leaves, part);
		for (size_t i = 0; ok && i < j->n_leaf; i++) {
			j->dx[i] = j->dx[i] ? engine_add(j->dx[i], part[i]) : part[i];
			ok = !ad_is_error(j->dx[i]);
		}
	}
	free(leaves);
	return ok || graph_failed(j);
}

/* Evaluates the nodes and writes their elements one after the other. */
static bool read_all(struct jacobian *j, size_t n, ad_node *const nodes[], double *to)
{
	if (ad_evaluate(j->d->graph, nodes, n) != AD_OK)
		return graph_failed(j);
	for (size_t k = 0; k < n; k++) {
		if (ad_get(nodes[k], to, nodes[k]->count) != AD_OK)
			return graph_failed(j);
		to += nodes[k]->count;
	}
	return true;
}

static bool sweep_rows(struct jacobian *j)
{
	double *row = j->swept;

	for (size_t k = 0; k < j->n_out; k++)
		for (size_t r = 0; r < j->outputs[k]->count; r++, row += j->n_columns) {
			double *seed = ad_write(j->seed[k]);

			if (!seed)
				return graph_failed(j);
			seed[r] = 1;
			if (!read_all(j, j->n_leaf, j->dx, row))
				return false;
			seed = ad_write(j->seed[k]);
			seed[r] = 0;
		}
	return true;
}

/* What one output by one leaf has wrong so far. */
struct pair {
	size_t wrong, row, column;
	double swept, numeric, left, right, value;
};

static void judge(struct jacobian *j, struct pair *p, size_t row, size_t column, double swept,
                  double up, double down, const double values[3])
{
	const double numeric = (values[2] - values[0]) / (up + down);
	const double error = fabs(swept - numeric);

	j->d->compared++;
	if (error > j->d->largest)
		j->d->largest = error;
	if (isfinite(values[1]) && error <= j->d->atol + j->d->rtol * fabs(numeric))
		return;
	if (p->wrong++ > 0)
		return;
	p->value = values[1];
	p->row = row;
	p->column = column;
	p->swept = swept;
	p->numeric = numeric;
	p->left = (values[1] - values[0]) / down;
	p->right = (values[2] - values[1]) / up;
}

static const char *not_finite(double v)
{
	return isnan(v) ? "undefined (NaN)" : v > 0 ? "infinite" : "-infinite";
}

static void tell(const struct jacobian *j, const struct pair *p, const struct item *out,
                 const struct item *leaf)
{
	struct report *r = j->d->report;
	char to[160], by[160], more[64] = "", kink[120] = "";
	size_t all = out->node->count * leaf->node->count;
	double slope = fmax(fabs(p->left), fabs(p->right));

	place_of(to, out->node, p->row);
	place_of(by, leaf->node, p->column);
	if (p->wrong > 1)
		snprintf(more, sizeof more, " (and %zu more of %zu)", p->wrong - 1, all);
	if (fabs(p->right - p->left) > 10 * (j->d->atol + j->d->rtol * slope))
		snprintf(
		    kink, sizeof kink,
		    "; from below they give %.10g, from above %.10g, so there is a kink or a jump",
		    p->left, p->right);
	if (!isfinite(p->value))
		report_wrong(r,
		             "order %d: %s%s is %s and has no derivative: check at another point%s",
		             j->order, out->label, to, not_finite(p->value), more);
	else if (isnan(p->swept))
		report_wrong(r,
		             "order %d: the derivative of %s%s by %s%s is undefined (NaN); "
		             "differences give %.10g%s%s",
		             j->order, out->label, to, leaf->label, by, p->numeric, kink, more);
	else if (!isfinite(p->numeric))
		report_wrong(r,
		             "order %d: the derivative of %s%s by %s%s is %.10g, but the "
		             "difference is %s: check where the value is finite on both sides%s",
		             j->order, out->label, to, leaf->label, by, p->swept,
		             not_finite(p->numeric), more);
	else
		report_wrong(r,
		             "order %d: the derivative of %s%s by %s%s is %.10g; differences give "
		             "%.10g%s%s",
		             j->order, out->label, to, leaf->label, by, p->swept, p->numeric, kink,
		             more);
}

/* Moves one element and compares its column. */
static bool check_column(struct jacobian *j, size_t leaf, size_t element, size_t column,
                         struct pair pairs[])
{
	ad_node *x = j->leaf[leaf].node;
	double *v = ad_write(x), middle = v ? v[element] : 0;
	/* what x + h and x - h come to: their difference is not quite 2h */
	const double up = middle + j->d->step, down = middle - j->d->step;
	size_t row = 0;
	bool ok;

	if (!v)
		return graph_failed(j);
	if (!(up > middle && down < middle)) {
		char by[160];

		report_wrong(j->d->report,
		             "order %d: %s%s is %g, where a step of %g does not move it", j->order,
		             j->leaf[leaf].label, place_of(by, x, element), middle, j->d->step);
		return false;
	}
	v[element] = up;
	ok = read_all(j, j->n_out, j->outputs, j->above);
	ad_write(x);
	v[element] = down;
	ok = ok && read_all(j, j->n_out, j->outputs, j->below);
	ad_write(x);
	v[element] = middle;
	for (size_t k = 0; ok && k < j->n_out; k++)
		for (size_t r = 0; r < j->outputs[k]->count; r++, row++)
			judge(j, &pairs[k], r, element, j->swept[row * j->n_columns + column],
			      up - middle, middle - down,
			      (double[]){ j->below[row], j->middle[row], j->above[row] });
	return ok;
}

static bool check_columns(struct jacobian *j)
{
	struct pair *pairs = calloc(j->n_out + 1, sizeof *pairs);
	size_t column = 0, before = j->d->report->wrong;
	bool ok = pairs != NULL;

	if (!ok)
		report_wrong(j->d->report, "order %d: out of memory", j->order);
	ok = ok && read_all(j, j->n_out, j->outputs, j->middle);
	for (size_t i = 0; ok && i < j->n_leaf; i++) {
		memset(pairs, 0, j->n_out * sizeof *pairs);
		for (size_t c = 0; ok && c < j->leaf[i].node->count; c++, column++)
			ok = check_column(j, i, c, column, pairs);
		for (size_t k = 0; ok && k < j->n_out; k++)
			if (pairs[k].wrong)
				tell(j, &pairs[k], &j->out[k], &j->leaf[i]);
	}
	free(pairs);
	return ok && j->d->report->wrong == before;
}

/* What the next order derives, and by what. False without memory. */
static bool next_order(const struct jacobian *j, struct item **out, struct item **leaf)
{
	struct item *o = calloc(j->n_leaf + 1, sizeof *o);
	struct item *l = calloc(j->n_leaf + j->n_out + 1, sizeof *l);
	uint64_t state = (uint64_t)j->order;

	for (size_t i = 0; o && l && i < j->n_leaf; i++) {
		o[i].node = j->dx[i];
		snprintf(o[i].label, sizeof o[i].label, "the gradient for %.40s", j->leaf[i].label);
		l[i] = j->leaf[i];
	}
	for (size_t k = 0; o && l && k < j->n_out; k++) {
		struct item *seed = &l[j->n_leaf + k];
		double *v = ad_write(j->seed[k]);

		seed->node = j->seed[k];
		snprintf(seed->label, sizeof seed->label, "%s", j->seed[k]->name);
		for (size_t r = 0; v && r < j->seed[k]->count; r++)
			v[r] = next_between(&state, 0.25, 1.25);
	}
	*out = o;
	*leaf = l;
	return o && l;
}

bool compare_with_differences(struct differences *d, size_t n_out, const struct item out[],
                              size_t n_leaf, const struct item leaf[])
{
	struct item *next_out = NULL, *next_leaf = NULL;
	bool ok = true;

	for (int order = 1; ok && order <= d->order; order++) {
		struct jacobian j = { .d = d,
			              .order = order,
			              .n_out = n_out,
			              .n_leaf = n_leaf,
			              .out = next_out ? next_out : out,
			              .leaf = next_leaf ? next_leaf : leaf };
		struct item *o = NULL, *l = NULL;

		ok = start(&j) && record_sweep(&j) && sweep_rows(&j) && check_columns(&j);
		if (ok && order < d->order && !next_order(&j, &o, &l)) {
			report_wrong(d->report, "order %d: out of memory", order + 1);
			ok = false;
		}
		free(next_out);
		free(next_leaf);
		next_out = o;
		next_leaf = l;
		n_leaf += n_out;
		n_out = n_leaf - n_out;
		finish(&j);
	}
	free(next_out);
	free(next_leaf);
	return ok;
}

/* ---- the check that users call --------------------------------------------------------------- */

static bool refuse(struct report *r, const char *name, const char *why)
{
	report_wrong(r, "%s %s", name, why);
	return false;
}

static bool fit_for_check(struct report *r, ad_node *y, size_t n, ad_node *const x[])
{
	ad_graph *g = ad_graph_of(y);

	if (!y)
		return refuse(r, "y", "is NULL");
	if (ad_status_of(g) != AD_OK)
		return refuse(r, "the graph has failed before:", ad_errmsg(g));
	if (ad_is_error(y))
		return refuse(r, "y",
		              "is an error node, from a failure that was cleared; record it again");
	if (!g->f64)
		return refuse(r, "the graph",
		              "is f32, too coarse for differences; open it by ad_open_f64");
	if (y->type != AD_REAL)
		return refuse(r, called(y), "holds no reals, so it has no derivative");
	if (n == 0)
		return refuse(r, "no leaf", "is given to derive by");
	for (size_t i = 0; i < n; i++) {
		if (ad_is_error(x[i]) || x[i]->graph != g)
			return refuse(r, "a leaf", "is NULL, an error node or of another graph");
		if (x[i]->op || x[i]->kind == AD_IS_CONSTANT)
			return refuse(r, called(x[i]), "is no leaf that can be set");
		if (x[i]->type != AD_REAL)
			return refuse(r, called(x[i]),
			              "holds no reals, so nothing has a derivative by it");
		if (x[i]->place != OWN && !x[i]->lasting)
			return refuse(r, called(x[i]), "has no values yet; set them by ad_set");
	}
	return true;
}

/* Buffers keep their values while the check evaluates: takes away the nodes assigned to them, or
 * gives them back. */
static void swap_assigned(ad_graph *g, ad_node *held[])
{
	for (size_t k = 0; k < g->n_lasting; k++) {
		ad_node *next = g->lasting[k]->assign;

		g->lasting[k]->assign = held[k];
		held[k] = next;
	}
}

/* With the marks, assignments and clocks of the graph put aside. */
static void check_aside(struct differences *d, ad_node *y, size_t n, ad_node *const x[])
{
	ad_graph *g = d->graph;
	size_t marks = g->n_marks, mark = ad_mark(g);
	ad_node **held = calloc(g->n_lasting + 1, sizeof *held);
	struct item *leaf = calloc(n, sizeof *leaf), out = { .node = y };
	uint64_t *changed = calloc(n, sizeof *changed);

	if (g->status != AD_OK || !held || !leaf || !changed) {
		report_wrong(d->report, "out of memory");
	} else {
		swap_assigned(g, held);
		snprintf(out.label, sizeof out.label, "%.60s", called(y));
		for (size_t i = 0; i < n; i++) {
			leaf[i].node = x[i];
			changed[i] = x[i]->changed;
			if (x[i]->name)
				snprintf(leaf[i].label, sizeof leaf[i].label, "%.60s",
				         called(x[i]));
			else
				snprintf(leaf[i].label, sizeof leaf[i].label, "leaf %zu", i);
		}
		compare_with_differences(d, 1, &out, n, leaf);
		ad_clear(g);
		/* kept values are those of the point again, and what is not kept can be read as
		 * before */
		ad_evaluate(g, &y, 1);
		for (size_t i = 0; i < n; i++)
			x[i]->changed = changed[i];
		swap_assigned(g, held);
		g->clock++; /* so that the next evaluation assigns */
		ad_release(g, mark);
	}
	g->n_marks = marks;
	ad_clear(g);
	free(held);
	free(leaf);
	free(changed);
}

bool ad_gradcheck(ad_node *y, size_t n, ad_node *const x[], const ad_gradcheck_options *options,
                  char *text, size_t size)
{
	const ad_gradcheck_options o = options ? *options : (ad_gradcheck_options){ 0 };
	struct report r;
	struct differences d = { .graph = ad_graph_of(y),
		                 .report = &r,
		                 .order = o.order ? o.order : 1,
		                 .step = o.step != 0 ? o.step : DIFFERENCES_STEP,
		                 .atol = o.atol != 0 ? o.atol : DIFFERENCES_ATOL,
		                 .rtol = o.rtol != 0 ? o.rtol : DIFFERENCES_RTOL };

	report_begin(&r, text, size);
	snprintf(r.prefix, sizeof r.prefix, "gradcheck: ");
	if (d.order < 1 || d.order > MOST_ORDERS)
		report_wrong(&r, "order %d is out of range 1 to %d", d.order, MOST_ORDERS);
	else if (!(d.step > 0 && d.step < INFINITY && d.atol > 0 && d.rtol > 0))
		report_wrong(&r, "step, atol and rtol must be above 0");
	else if (fit_for_check(&r, y, n, x))
		check_aside(&d, y, n, x);
	report_end(&r);
	if (r.wrong == 0) {
		report_note(&r,
		            "%zu derivatives%s agree with differences; the largest error is %.3g",
		            d.compared, d.order > 1 ? " of all orders" : "", d.largest);
		for (size_t i = 0; i < n; i++)
			if (!ad_depends(y, x[i]))
				report_note(&r, "%s does not depend on %s: that derivative is 0",
				            called(y), called(x[i]));
	}
	return r.wrong == 0;
}
