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

/* Params with the same settings. */
struct manner {
	void *attrs;      /* a copy */
	const void *from; /* what it is a copy of */
	struct settings *settings; /* the lists of attrs, where they were read from text; or NULL */
	double lr;        /* its own over the optimizer's */
	double rates[OPTIMIZER_RATES];
};

struct moved {
	ad_node *param;
	size_t count, first; /* elements; the number of its first piece */
	size_t manner;
	void *w;
	const void *g;       /* NULL: it has none */
	void *state[OPTIMIZER_STATES], *before;
	void *sum;           /* of gradients, weighted; NULL before the first */
	bool summed;         /* since the last step */
};

struct ad_optimizer {
	ad_graph *graph;
	const struct optimizer *kind, *kernels;
	struct manner *manners;
	size_t n_manners;
	double lr;
	int64_t t; /* steps done */
	double scale; /* of the gradients in the step */
	double share; /* of a gradient in the sum */
	bool f64;
	size_t size, n, n_pieces, total; /* bytes of a real; params; pieces and elements of all */
	struct moved *params;
	double *sums; /* of each piece's squares */
	struct settings *settings; /* what it was opened with, where that was text */
	double clip;  /* the norm that ad_optimizer_step shortens gradients to; 0: none */
};

double optimizer_lr(const struct optimizer *kind, const void *attrs)
{
	double lr = 0;

	for (const ad_attr *a = kind->attrs; a->name; a++)
		if (strcmp(a->name, "lr") == 0)
			memcpy(&lr, (const char *)attrs + a->offset, sizeof lr);
	return lr;
}

/* The number of the manner with these settings, which is made where there is none; n_manners: no memory. */
static size_t find_manner(ad_optimizer *o, const void *attrs, double lr)
{
	struct manner *more;

	for (size_t k = 0; k < o->n_manners; k++)
		if (o->manners[k].from == attrs && o->manners[k].lr == lr)
			return k;
	more = realloc(o->manners, (o->n_manners + 1) * sizeof *more);
	if (!more)
		return o->n_manners;
	o->manners = more;
	more += o->n_manners;
	*more = (struct manner){ .attrs = malloc(o->kind->attrs_size), .from = attrs, .lr = lr };
	if (!more->attrs)
		return o->n_manners;
	memcpy(more->attrs, attrs, o->kind->attrs_size);
	return o->n_manners++;
}

/* The states that these settings need and that the param has not. */
static bool make_state(const ad_optimizer *o, struct moved *p, unsigned states, char *error, size_t size)
{
	size_t bytes = p->count * o->size;

	for (int j = 0; j < OPTIMIZER_STATES; j++) {
		if (!(states >> j & 1) || p->state[j])
			continue;
		/* as much as a line of the cache more: a new state begins with one */
		p->state[j] = aligned_alloc(64, (bytes + 127) / 64 * 64);
		if (!p->state[j])
			return failure_memory(error, size, "the optimizer's state", bytes);
		memset(p->state[j], 0, bytes);
	}
	return true;
}

/* All but these. */
static void drop_state(struct moved *p, unsigned states)
{
	for (int j = 0; j < OPTIMIZER_STATES; j++)
		if (!(states >> j & 1)) {
			free(p->state[j]);
			p->state[j] = NULL;
		}
}

static bool make_states(ad_optimizer *o, const void *attrs, size_t n, ad_node *const params[],
                        const struct optimizer_manner of[], char *error, size_t size)
{
	double lr = optimizer_lr(o->kind, attrs);

	for (size_t k = 0; k < n; k++) {
		struct moved *p = &o->params[k];
		const void *own = of && of[k].attrs ? of[k].attrs : attrs;
		double ratio = own == attrs ? 1 : lr > 0 ? optimizer_lr(o->kind, own) / lr : 0;

		*p = (struct moved){ .param = params[k], .count = ad_count(params[k]), .first = o->n_pieces,
			             .manner = find_manner(o, own, ratio * (of ? of[k].lr_scale : 1)) };
		o->n = k + 1;
		if (p->manner == o->n_manners)
			return failure_memory(error, size, "the optimizer", 0);
		o->n_pieces += (p->count + PIECE - 1) / PIECE;
		o->total += p->count;
		if (!make_state(o, p, o->kind->states(own), error, size))
			return false;
	}
	o->sums = calloc(o->n_pieces + 1, sizeof *o->sums);
	return o->sums || failure_memory(error, size, "the optimizer", 0);
}

ad_optimizer *optimizer_open(ad_graph *g, const struct optimizer *kind, const void *attrs, size_t n,
                             ad_node *const params[], const struct optimizer_manner of[], char *error,
                             size_t size)
{
	ad_optimizer *o = calloc(1, sizeof *o);

	if (o) {
		o->graph = g;
		o->kind = kind;
		o->f64 = ad_is_f64(g);
		o->size = o->f64 ? sizeof(double) : sizeof(float);
		o->kernels = kind->variants[2 * instruction_level(g) + o->f64];
		o->params = calloc(n + 1, sizeof *o->params);
	}
	if (!o || !o->params) {
		failure_memory(error, size, "the optimizer", 0);
		ad_optimizer_close(o);
		return NULL;
	}
	o->lr = optimizer_lr(kind, attrs);
	if (make_states(o, attrs, n, params, of, error, size))
		return o;
	ad_optimizer_close(o);
	return NULL;
}

void ad_optimizer_close(ad_optimizer *o)
{
	if (!o)
		return;
	for (size_t k = 0; k < o->n; k++) {
		drop_state(&o->params[k], 0);
		free(o->params[k].sum);
	}
	for (size_t k = 0; k < o->n_manners; k++) {
		free(o->manners[k].attrs);
		free(o->manners[k].settings);
	}
	free(o->manners);
	free(o->params);
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

/* to = g * scale (g * scale + to with add), n elements; g may be to. */
static void multiply(bool f64, size_t n, const void *g, double scale, bool add, void *to)
{
	if (f64) {
		const double *x = g;
		double *y = to;

#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = (add ? y[k] : 0) + x[k] * scale;
	} else {
		const float *x = g, factor = (float)scale;
		float *y = to;

#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = (add ? y[k] : 0) + x[k] * factor;
	}
}

static void move(const ad_optimizer *o, const struct moved *p, size_t begin, size_t n)
{
	const double *rates = o->manners[p->manner].rates;

	if (!p->g)
		return;
	for (size_t at = begin, end = begin + n; at < end; at += BLOCK) {
		size_t now = end - at < BLOCK ? end - at : BLOCK, offset = at * o->size;
		const char *g = (const char *)p->g + offset;
		void *state[OPTIMIZER_STATES];
		double scaled[BLOCK];

		for (int j = 0; j < OPTIMIZER_STATES; j++)
			state[j] = p->state[j] ? (char *)p->state[j] + offset : NULL;
		if (p->before)
			memcpy((char *)p->before + offset, (char *)p->w + offset, now * o->size);
		if (o->scale != 1) {
			multiply(o->f64, now, g, o->scale, false, scaled);
			g = (const char *)scaled;
		}
		o->kernels->step(rates, now, (char *)p->w + offset, g, state);
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

static void sum_piece(void *context, size_t piece)
{
	ad_optimizer *o = context;
	size_t begin, n;
	const struct moved *p = find_piece(o, piece, &begin, &n);

	if (p->g)
		multiply(o->f64, n, (const char *)p->g + begin * o->size, o->share, p->summed,
		         (char *)p->sum + begin * o->size);
}

bool optimizer_add(ad_optimizer *o, double share, char *error, size_t size)
{
	uint64_t mode;

	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];

		if (p->g && !p->sum && !(p->sum = malloc(p->count * o->size)))
			return failure_memory(error, size, "sums of gradients", p->count * o->size);
	}
	o->share = share;
	mode = fp_enter(!o->f64);
	pool_run(o->n_pieces, sum_piece, o);
	fp_leave(mode);
	for (size_t k = 0; k < o->n; k++)
		o->params[k].summed |= o->params[k].g != NULL;
	return true;
}

void optimizer_take_sums(ad_optimizer *o)
{
	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];

		p->g = p->summed ? p->sum : NULL;
		p->summed = false;
	}
}

const void *optimizer_gradient(const ad_optimizer *o, size_t k)
{
	return o->params[k].g;
}

void *optimizer_state(const ad_optimizer *o, size_t k, int j)
{
	return o->params[k].state[j];
}

void optimizer_go_on(ad_optimizer *o, int64_t steps, double rate)
{
	o->t = steps;
	o->lr = rate;
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

bool optimizer_move(ad_optimizer *o, double scale, void *const before[])
{
	uint64_t mode;

	for (size_t k = 0; k < o->n; k++) {
		struct moved *p = &o->params[k];

		p->before = before ? before[k] : NULL;
		if (p->g && !(p->w = ad_write(p->param)))
			return false;
	}
	o->t++;
	o->scale = scale;
	for (size_t k = 0; k < o->n_manners; k++)
		o->kind->prepare(o->manners[k].attrs, o->lr * o->manners[k].lr, o->t, o->manners[k].rates);
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

/* A failure of that optimizer; a check begins with its name of itself. */
static void fail_named(ad_graph *g, ad_status status, const char *name, const char *error)
{
	size_t length = strlen(name);
	bool named = strncmp(error, name, length) == 0 && error[length] == ':';

	ad_fail(g, status, "%s%s%s", named ? "" : name, named ? "" : ": ", error);
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
	ad_optimizer *o = good ? optimizer_open(g, kind, attrs, n, moved, NULL, error, sizeof error) : NULL;

	if (o) {
		o->settings = read;
		read = NULL;
	} else if (!kind) {
		ad_fail(g, AD_ERROR_ARGUMENT, "%s: there is no optimizer of this name; there are %s", name,
		        names);
	} else {
		fail_named(g, moved && !good ? AD_ERROR_ARGUMENT : AD_ERROR_MEMORY, name, error);
	}
	free(moved);
	free(attrs);
	free(read);
	return o;
}

/* What the optimizer was opened with, with other settings on top. */
static bool merge_settings(const ad_optimizer *o, const struct settings *over, void *attrs, char *error,
                           size_t size)
{
	ad_setting all[2 * sizeof over->of / sizeof over->of[0]];
	size_t n = 0;

	for (size_t k = 0; k < over->n; k++)
		all[n++] = over->of[k];
	for (size_t k = 0; k < o->settings->n; k++) {
		size_t j = 0;

		while (j < over->n && strcmp(over->of[j].name, o->settings->of[k].name) != 0)
			j++;
		if (j == over->n)
			all[n++] = o->settings->of[k];
	}
	return ad_fill_attrs(o->kind->attrs, attrs, n, all, error, size) &&
	       o->kind->check(attrs, error, size);
}

/* The number of a param among those it moves, sought from `from` on and round; o->n: it moves it not. */
static size_t find_moved(const ad_optimizer *o, const ad_node *param, size_t from)
{
	for (size_t k = 0; k < o->n; k++)
		if (o->params[(from + k) % o->n].param == param)
			return (from + k) % o->n;
	return o->n;
}

/* The manner of these settings, made or not, with its states in all these params. */
static bool make_manner(ad_optimizer *o, struct manner *m, const char *text, size_t n, ad_node *const params[],
                        ad_status *status, char *error, size_t size)
{
	double lr = optimizer_lr(o->kind, o->manners[0].attrs), own;
	struct manner *more = realloc(o->manners, (o->n_manners + 1) * sizeof *more);

	*status = AD_ERROR_MEMORY;
	if (more)
		o->manners = more;
	if (!more || !(m->settings = malloc(sizeof *m->settings)) ||
	    !(m->attrs = calloc(1, o->kind->attrs_size)))
		return failure_memory(error, size, "the optimizer", 0);
	*status = AD_ERROR_ARGUMENT;
	if (!read_settings(text, m->settings, error, size) ||
	    !merge_settings(o, m->settings, m->attrs, error, size))
		return false;
	own = optimizer_lr(o->kind, m->attrs);
	if (lr == 0 && own != 0)
		return failure(error, size, "the lr of some params is a part of the optimizer's, which is 0");
	m->lr = lr == 0 ? 0 : own / lr;
	for (size_t k = 0, at = 0; k < n; k++)
		if ((at = find_moved(o, params[k], at)) == o->n)
			return failure(error, size, "param %zu is none that this optimizer moves", k);
	*status = AD_ERROR_MEMORY;
	for (size_t k = 0, at = 0; k < n; k++) {
		at = find_moved(o, params[k], at);
		if (!make_state(o, &o->params[at], o->kind->states(m->attrs), error, size))
			return false;
	}
	return true;
}

ad_status ad_optimizer_set(ad_optimizer *o, const char *settings, size_t n, ad_node *const params[])
{
	struct manner m = { 0 };
	char error[512];
	ad_status status;

	if (!o)
		return AD_ERROR_ARGUMENT;
	if (ad_status_of(o->graph) != AD_OK || n == 0 || o->n == 0)
		return ad_status_of(o->graph);
	if (!make_manner(o, &m, settings, n, params, &status, error, sizeof error)) {
		for (size_t k = 0; k < o->n; k++)
			drop_state(&o->params[k], o->kind->states(o->manners[o->params[k].manner].attrs));
		free(m.attrs);
		free(m.settings);
		fail_named(o->graph, status, o->kind->name, error);
		return ad_status_of(o->graph);
	}
	for (size_t k = 0, at = 0; k < n; k++) {
		at = find_moved(o, params[k], at);
		o->params[at].manner = o->n_manners;
		drop_state(&o->params[at], o->kind->states(m.attrs));
	}
	o->manners[o->n_manners++] = m;
	return AD_OK;
}

ad_status ad_optimizer_set_clip(ad_optimizer *o, double norm)
{
	if (!o)
		return AD_ERROR_ARGUMENT;
	if (!(isfinite(norm) && norm >= 0)) {
		ad_fail(o->graph, AD_ERROR_ARGUMENT, "%s: the norm to clip to is %g; it is a number from 0, which "
		        "does not clip", o->kind->name, norm);
		return ad_status_of(o->graph);
	}
	o->clip = norm;
	return AD_OK;
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
	double norm, scale = 1;

	if (!o)
		return AD_ERROR_ARGUMENT;
	if (!find_swept(o))
		return ad_status_of(o->graph);
	if (o->clip > 0 && (norm = optimizer_norm(o)) > o->clip)
		scale = o->clip / norm;
	return optimizer_move(o, scale, NULL) ? AD_OK : ad_status_of(o->graph);
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
