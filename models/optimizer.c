/*
 * optimizer: the steps of an optimizer over all params, on several threads.
 */
#include "engine.h"
#include "file.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A piece is so many elements of one param: the arrays of a step fit into the cache of a core. Fewer in all
 * are not worth a second thread. Both are fixed, so that results are. */
#define PIECE ((size_t)1 << 14)
#define WORTH (2 * PIECE)
#define BLOCK ((size_t)1 << 11) /* elements that are copied just before they are moved */

struct moved {
	ad_node *param;
	size_t count, first; /* elements; the number of its first piece */
	void *w;
	const void *g;       /* NULL: it has none */
	void *state[OPTIMIZER_STATES], *before;
};

struct ad_optimizer {
	ad_graph *graph;
	const struct optimizer *kind, *kernels;
	void *attrs;
	double lr;
	int64_t t; /* steps done */
	bool f64;
	size_t size, n, n_pieces, total; /* bytes of a real; params; pieces and elements of all */
	struct moved *params;
	double *sums; /* of each piece's squares */
	double rates[OPTIMIZER_RATES];
	struct settings *settings; /* the lists of attrs, where they were read from text */
};

static double *rate_of(const struct optimizer *kind, void *attrs)
{
	for (const ad_attr *a = kind->attrs; a->name; a++)
		if (strcmp(a->name, "lr") == 0)
			return (double *)(void *)((char *)attrs + a->offset);
	return NULL;
}

static bool make_states(ad_optimizer *o, size_t n, ad_node *const params[], char *error, size_t size)
{
	unsigned states = o->kind->states(o->attrs);

	for (size_t k = 0; k < n; k++) {
		struct moved *p = &o->params[k];
		size_t bytes;

		*p = (struct moved){ .param = params[k], .count = ad_count(params[k]), .first = o->n_pieces };
		o->n = k + 1;
		o->n_pieces += (p->count + PIECE - 1) / PIECE;
		o->total += p->count;
		bytes = p->count * o->size;
		for (int j = 0; j < OPTIMIZER_STATES; j++) {
			if (!(states >> j & 1))
				continue;
			/* as much as a line of the cache more: a new state begins with one */
			p->state[j] = aligned_alloc(64, (bytes + 127) / 64 * 64);
			if (!p->state[j])
				return failure_memory(error, size, "the optimizer's state", bytes);
			memset(p->state[j], 0, bytes);
		}
	}
	o->sums = calloc(o->n_pieces + 1, sizeof *o->sums);
	return o->sums || failure_memory(error, size, "the optimizer", 0);
}

ad_optimizer *optimizer_open(ad_graph *g, const struct optimizer *kind, const void *attrs, size_t n,
                             ad_node *const params[], char *error, size_t size)
{
	ad_optimizer *o = calloc(1, sizeof *o);

	if (o) {
		o->graph = g;
		o->kind = kind;
		o->f64 = ad_is_f64(g);
		o->size = o->f64 ? sizeof(double) : sizeof(float);
		o->kernels = kind->variants[2 * instruction_level(g) + o->f64];
		o->attrs = malloc(kind->attrs_size);
		o->params = calloc(n + 1, sizeof *o->params);
	}
	if (!o || !o->attrs || !o->params) {
		failure_memory(error, size, "the optimizer", 0);
		ad_optimizer_close(o);
		return NULL;
	}
	memcpy(o->attrs, attrs, kind->attrs_size);
	o->lr = *rate_of(kind, o->attrs);
	if (make_states(o, n, params, error, size))
		return o;
	ad_optimizer_close(o);
	return NULL;
}

void ad_optimizer_close(ad_optimizer *o)
{
	if (!o)
		return;
	for (size_t k = 0; k < o->n; k++)
		for (int j = 0; j < OPTIMIZER_STATES; j++)
			free(o->params[k].state[j]);
	free(o->params);
	free(o->attrs);
	free(o->sums);
	free(o->settings);
	free(o);
}

/* ---- steps ---------------------------------------------------------------------------------------- */

bool optimizer_find(ad_optimizer *o, ad_node *const gradients[])
{
	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];

		p->g = NULL;
		if (gradients[k] && p->count > 0 && !(p->g = ad_data(gradients[k])))
			return false;
	}
	return true;
}

/* The param of a piece, and which of its elements it is. */
static const struct moved *find_piece(const ad_optimizer *o, size_t piece, size_t *begin, size_t *n)
{
	size_t low = 0, high = o->n;
	const struct moved *p;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (o->params[middle].first <= piece)
			low = middle;
		else
			high = middle;
	}
	p = &o->params[low];
	*begin = (piece - p->first) * PIECE;
	*n = p->count - *begin < PIECE ? p->count - *begin : PIECE;
	return p;
}

static double square(const ad_optimizer *o, const struct moved *p, size_t begin, size_t n)
{
	return p->g ? o->kernels->squares(n, (const char *)p->g + begin * o->size) : 0;
}

static void move(const ad_optimizer *o, const struct moved *p, size_t begin, size_t n)
{
	if (!p->g)
		return;
	for (size_t at = begin, end = begin + n; at < end; at += BLOCK) {
		size_t now = end - at < BLOCK ? end - at : BLOCK, offset = at * o->size;
		void *state[OPTIMIZER_STATES];

		for (int j = 0; j < OPTIMIZER_STATES; j++)
			state[j] = p->state[j] ? (char *)p->state[j] + offset : NULL;
		if (p->before)
			memcpy((char *)p->before + offset, (char *)p->w + offset, now * o->size);
		o->kernels->step(o->rates, now, (char *)p->w + offset, (const char *)p->g + offset, state);
	}
}

static void square_piece(void *context, size_t piece)
{
	ad_optimizer *o = context;
	size_t begin, n;
	const struct moved *p = find_piece(o, piece, &begin, &n);

	o->sums[piece] = square(o, p, begin, n);
}

static void move_piece(void *context, size_t piece)
{
	ad_optimizer *o = context;
	size_t begin, n;
	const struct moved *p = find_piece(o, piece, &begin, &n);

	move(o, p, begin, n);
}

double optimizer_norm(ad_optimizer *o)
{
	uint64_t mode = fp_enter(!o->f64);
	double sum = 0;

	if (o->total < WORTH) {
		for (size_t k = 0; k < o->n; k++)
			sum += square(o, &o->params[k], 0, o->params[k].count);
	} else {
		pool_run(o->n_pieces, square_piece, o);
		for (size_t k = 0; k < o->n_pieces; k++)
			sum += o->sums[k];
	}
	fp_leave(mode);
	return sqrt(sum);
}

bool optimizer_move(ad_optimizer *o, void *const before[])
{
	uint64_t mode;

	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];

		p->before = before ? before[k] : NULL;
		if (p->g && !(p->w = ad_write(p->param)))
			return false;
	}
	o->kind->prepare(o->attrs, o->lr, ++o->t, o->rates);
	mode = fp_enter(!o->f64);
	if (o->total < WORTH)
		for (size_t k = 0; k < o->n; k++)
			move(o, &o->params[k], 0, o->params[k].count);
	else
		pool_run(o->n_pieces, move_piece, o);
	fp_leave(mode);
	return true;
}

/* ---- for training loops of one's own -------------------------------------------------------------- */

static const struct optimizer *find_kind(const char *name, char *names, size_t n)
{
	size_t used = 0;

	for (int k = 0; optimizers[k]; k++) {
		if (strcmp(optimizers[k]->name, name) == 0)
			return optimizers[k];
		if (used < n)
			used += (size_t)snprintf(names + used, n - used, "%s%s", k ? ", " : "",
			                         optimizers[k]->name);
	}
	return NULL;
}

/* The params given, or those of the graph; NULL without memory. */
static ad_node **find_params(ad_graph *g, size_t *n, ad_node *const given[])
{
	size_t all = given ? *n : ad_nodes(g), found = 0;
	ad_node **params = calloc(all + 1, sizeof(ad_node *));

	for (size_t k = 0; params && k < all; k++) {
		ad_node *x = given ? given[k] : ad_node_at(g, k);

		if (given || (ad_kind_of(x) == AD_IS_PARAM && ad_wants_gradient(x)))
			params[found++] = x;
	}
	*n = found;
	return params;
}

/* Fills attrs from the text and checks them and the params; all but memory is at fault here. */
static bool check_request(ad_graph *g, const struct optimizer *kind, const char *text,
                          struct settings *settings, void *attrs, size_t n, ad_node *const params[],
                          char *error, size_t size)
{
	if (!read_settings(text, settings, error, size) ||
	    !ad_fill_attrs(kind->attrs, attrs, settings->n, settings->of, error, size) ||
	    !kind->check(attrs, error, size))
		return false;
	for (size_t k = 0; k < n; k++)
		if (ad_is_error(params[k]) || ad_graph_of(params[k]) != g || ad_op_of(params[k]) ||
		    ad_type_of(params[k]) != AD_REAL)
			return failure(error, size, "param %zu is not a leaf of reals of this graph", k);
	return true;
}

ad_optimizer *ad_optimizer_open(ad_graph *g, const char *name, const char *settings, size_t n,
                                ad_node *const params[])
{
	char error[512] = "out of memory", names[256] = "";
	const struct optimizer *kind = find_kind(name, names, sizeof names);
	struct settings *read = kind ? malloc(sizeof *read) : NULL;
	void *attrs = read ? calloc(1, kind->attrs_size) : NULL;
	ad_node **moved = attrs ? find_params(g, &n, params) : NULL;
	bool good = moved && check_request(g, kind, settings, read, attrs, n, moved, error, sizeof error);
	ad_optimizer *o = good ? optimizer_open(g, kind, attrs, n, moved, error, sizeof error) : NULL;

	if (o) {
		o->settings = read;
		read = NULL;
	} else if (!kind) {
		ad_fail(g, AD_ERROR_ARGUMENT, "%s: there is no optimizer of this name; there are %s", name,
		        names);
	} else {
		/* a check begins with the optimizer's name of itself */
		size_t length = strlen(name);
		bool named = strncmp(error, name, length) == 0 && error[length] == ':';

		ad_fail(g, moved && !good ? AD_ERROR_ARGUMENT : AD_ERROR_MEMORY, "%s%s%s",
		        named ? "" : name, named ? "" : ": ", error);
	}
	free(moved);
	free(attrs);
	free(read);
	return o;
}

/* Finds the gradients of the last sweep. */
static bool find_swept(ad_optimizer *o)
{
	bool any = false;

	if (ad_status_of(o->graph) != AD_OK)
		return false;
	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];
		ad_node *gradient = ad_gradient(p->param);

		any |= gradient != NULL;
		p->g = NULL;
		if (gradient && p->count > 0 && !(p->g = ad_data(gradient)))
			return false;
	}
	if (!any)
		ad_fail(o->graph, AD_ERROR_VALUE, "%s: no param has a gradient; call ad_backward before",
		        o->kind->name);
	return any;
}

ad_status ad_optimizer_step(ad_optimizer *o)
{
	if (!o)
		return AD_ERROR_ARGUMENT;
	return find_swept(o) && optimizer_move(o, NULL) ? AD_OK : ad_status_of(o->graph);
}

double ad_optimizer_norm(ad_optimizer *o)
{
	return o && find_swept(o) ? optimizer_norm(o) : (double)NAN;
}

double ad_optimizer_rate(const ad_optimizer *o)
{
	return o ? o->lr : (double)NAN;
}

ad_status ad_optimizer_set_rate(ad_optimizer *o, double lr)
{
	if (!o)
		return AD_ERROR_ARGUMENT;
	if (!(isfinite(lr) && lr >= 0)) {
		ad_fail(o->graph, AD_ERROR_ARGUMENT, "%s: lr is %g; it is a number from 0", o->kind->name, lr);
		return ad_status_of(o->graph);
	}
	o->lr = lr;
	return AD_OK;
}
