/*
 * run: a plan becomes values; and values are read.
 *
 * An element-wise op sees tiles: pieces of up to TILE elements, so that broadcasting and the
 * conversion of masks and indices cost one pass through the first-level cache.
 */
#include "graph.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#define TILE 512          /* elements: 2 KiB of f32 */
#define MAP_GRAIN 16384   /* elements that make a thread worth while */

bool is_current(const ad_node *x)
{
	const ad_graph *g = x->graph;

	return x->place == OWN && x->computed == g->clock && g->evaluated == g->clock;
}

/* ---- element-wise ops in tiles ------------------------------------------------------------------- */

/* How an operand is read for the elements of y, in order. */
struct operand {
	const char *data;
	ad_type type;
	bool straight;              /* one to one with y */
	bool same;                  /* a single element for all of y */
	int64_t steps[AD_MAX_RANK]; /* in elements, per axis of y; 0 where it is broadcast */
};

struct map {
	ad_node *y;        /* the op, or the backward node */
	const ad_node *of; /* the op whose map or dmap runs */
	const ad_op *kernels;
	bool f64;
	int n_in;
	struct operand *in, dy, out;
	ad_shape shape;
	size_t count;
	char *to;          /* forward: y's data */
	ad_type to_type;
	char **dx;         /* backward, by input; NULL: unwanted */
};

static void set_operand(struct operand *o, const ad_node *x, const ad_shape *y)
{
	int64_t step = 1;

	o->data = x->data;
	o->type = (ad_type)x->type;
	o->straight = ad_equal_shapes(&x->shape, y);
	o->same = x->count == 1;
	for (int i = 0; i < y->rank; i++)
		o->steps[i] = 0;
	for (int i = 1; i <= x->shape.rank; i++) {
		if (x->shape.dims[x->shape.rank - i] != 1)
			o->steps[y->rank - i] = step;
		step *= x->shape.dims[x->shape.rank - i];
	}
}

static double element(const struct operand *o, bool f64_data, size_t k)
{
	switch (o->type) {
	case AD_I32:
		return ((const int32_t *)(const void *)o->data)[k];
	case AD_BOOL:
		return ((const unsigned char *)o->data)[k];
	case AD_REAL:
		break;
	}
	return f64_data ? ((const double *)(const void *)o->data)[k] :
	                  (double)((const float *)(const void *)o->data)[k];
}

/* n elements from at on, as reals of the kernel's type, in tile or where they lie. */
static const void *load(const struct map *m, const struct operand *o, size_t from, size_t n,
                        void *tile, bool filled)
{
	bool data64 = m->y->graph->f64;
	size_t size = m->f64 ? 8 : 4;
	int64_t place[AD_MAX_RANK];
	int64_t at = 0;
	size_t rest = from;

	if (o->straight && o->type == AD_REAL && data64 == m->f64)
		return o->data + from * size;
	if (o->same) {
		double v = filled ? 0 : element(o, data64, 0);

		for (size_t k = 0; !filled && k < n; k++)
			if (m->f64)
				((double *)tile)[k] = v;
			else
				((float *)tile)[k] = (float)v;
		return tile;
	}
	if (o->straight) {
		for (size_t k = 0; k < n; k++)
			if (m->f64)
				((double *)tile)[k] = element(o, data64, from + k);
			else
				((float *)tile)[k] = (float)element(o, data64, from + k);
		return tile;
	}
	for (int i = m->shape.rank; i-- > 0;) {
		place[i] = (int64_t)(rest % (size_t)m->shape.dims[i]);
		rest /= (size_t)m->shape.dims[i];
		at += place[i] * o->steps[i];
	}
	for (size_t k = 0; k < n;) {
		int last = m->shape.rank - 1;
		int64_t step = o->steps[last], run = m->shape.dims[last] - place[last];

		if ((size_t)run > n - k)
			run = (int64_t)(n - k);
		if (o->type == AD_REAL && data64 == m->f64) {
			if (m->f64) {
				const double *x = (const double *)(const void *)o->data + at;

				for (int64_t j = 0; j < run; j++)
					((double *)tile)[k + (size_t)j] = x[j * step];
			} else {
				const float *x = (const float *)(const void *)o->data + at;

				for (int64_t j = 0; j < run; j++)
					((float *)tile)[k + (size_t)j] = x[j * step];
			}
		} else {
			for (int64_t j = 0; j < run; j++) {
				double v = element(o, data64, (size_t)(at + j * step));

				if (m->f64)
					((double *)tile)[k + (size_t)j] = v;
				else
					((float *)tile)[k + (size_t)j] = (float)v;
			}
		}
		k += (size_t)run;
		place[last] += run;
		at += run * step;
		for (int i = last; i > 0 && place[i] == m->shape.dims[i]; i--) {
			at -= place[i] * o->steps[i];
			place[i] = 0;
			place[i - 1]++;
			at += o->steps[i - 1];
		}
	}
	return tile;
}

static void save(const struct map *m, size_t from, size_t n, const void *tile)
{
	for (size_t k = 0; k < n; k++) {
		double v = m->f64 ? ((const double *)tile)[k] : (double)((const float *)tile)[k];

		if (m->to_type == AD_BOOL)
			((unsigned char *)m->to)[from + k] = v != 0;
		else if (m->to_type == AD_I32)
			((int32_t *)(void *)m->to)[from + k] = v >= INT32_MAX ? INT32_MAX :
			                                       v > INT32_MIN  ? (int32_t)v :
			                                                        INT32_MIN;
		else if (m->y->graph->f64)
			((double *)(void *)m->to)[from + k] = v;
		else
			((float *)(void *)m->to)[from + k] = (float)v;
	}
}

typedef void map_f32(size_t n, const float *const in[], float *y, const void *attrs);
typedef void map_f64(size_t n, const double *const in[], double *y, const void *attrs);
typedef void dmap_f32(size_t n, const float *const in[], const float *y, const float *dy,
                      float *const dx[], const void *attrs);
typedef void dmap_f64(size_t n, const double *const in[], const double *y, const double *dy,
                      double *const dx[], const void *attrs);

#define MAX_MAP_INPUTS 8

static void run_map(const struct map *m, size_t begin, size_t end)
{
	_Alignas(64) double tiles[MAX_MAP_INPUTS + 3][TILE];
	const void *in[MAX_MAP_INPUTS];
	void *dx[MAX_MAP_INPUTS];
	size_t size = m->f64 ? 8 : 4;
	bool converts = m->to && !(m->to_type == AD_REAL && m->y->graph->f64 == m->f64);
	bool straight = !converts;
	size_t tile = TILE;

	for (int i = 0; i < m->n_in; i++)
		straight &= !m->in[i].data ||
		            (m->in[i].straight && m->in[i].type == AD_REAL);
	if (straight && (!m->dy.data || m->dy.straight))
		tile = end - begin; /* nothing to convert: one call does */
	for (size_t k = begin; k < end; k += tile) {
		size_t n = end - k < tile ? end - k : tile;
		bool filled = k > begin;

		for (int i = 0; i < m->n_in; i++)
			in[i] = m->in[i].data ? load(m, &m->in[i], k, n, tiles[i], filled) : NULL;
		if (m->to) {
			void *y = converts ? tiles[MAX_MAP_INPUTS] : (void *)(m->to + k * size);

			if (m->f64)
				((map_f64 *)m->kernels->map)(n, (const double *const *)in, y,
				                             m->of->attrs);
			else
				((map_f32 *)m->kernels->map)(n, (const float *const *)in, y,
				                             m->of->attrs);
			if (converts)
				save(m, k, n, y);
		} else {
			const void *y = m->out.data ?
			                        load(m, &m->out, k, n, tiles[MAX_MAP_INPUTS], filled) :
			                        NULL;
			const void *dy = load(m, &m->dy, k, n, tiles[MAX_MAP_INPUTS + 1], filled);

			for (int i = 0; i < m->n_in; i++)
				dx[i] = m->dx[i] ? m->dx[i] + k * size : NULL;
			if (m->f64)
				((dmap_f64 *)m->kernels->dmap)(n, (const double *const *)in, y, dy,
				                               (double *const *)dx, m->of->attrs);
			else
				((dmap_f32 *)m->kernels->dmap)(n, (const float *const *)in, y, dy,
				                               (float *const *)dx, m->of->attrs);
		}
	}
}

/* Slices are whole tiles, and depend on the count alone. */
static void map_slice(void *context, size_t i)
{
	const struct map *m = context;
	size_t begin = i * MAP_GRAIN, end = begin + MAP_GRAIN;

	run_map(m, begin, end < m->count ? end : m->count);
}

static bool step_map(ad_node *y)
{
	struct operand in[MAX_MAP_INPUTS];
	char *dx[MAX_MAP_INPUTS] = { NULL };
	ad_graph *g = y->graph;
	bool backward = y->op == &backward_op;
	const ad_node *of = backward ? ((const struct backward *)y->attrs)->y : y;
	struct map m = { .y = y, .of = of, .n_in = of->n_in, .in = in, .shape = of->shape,
		         .count = of->count, .f64 = g->f64 };
	bool real = backward;

	if (of->n_in > MAX_MAP_INPUTS) {
		ad_fail(g, AD_ERROR_ARGUMENT, "%s: an element-wise op has at most %d inputs",
		        of->op->name, MAX_MAP_INPUTS);
		return false;
	}
	for (int i = 0; i < of->n_in; i++) {
		in[i].data = NULL;
		if (y->in[i])
			set_operand(&in[i], y->in[i], &of->shape);
		real |= !of->in[i] || of->in[i]->type == AD_REAL;
	}
	/* indices alone are computed in f64, which holds each of them */
	if (!real)
		m.f64 = true;
	m.kernels = kernels_of(g, of->op, m.f64);
	if (backward) {
		const struct backward *b = y->attrs;

		if (y->in[of->n_in])
			set_operand(&m.out, y->in[of->n_in], &of->shape);
		set_operand(&m.dy, y->in[of->n_in + 1], &of->shape);
		for (int k = 0; k < y->n_out; k++)
			dx[b->which[k]] = y[k].data;
		m.dx = dx;
	} else {
		m.to = y->data;
		m.to_type = (ad_type)y->type;
	}
	if (m.count > MAP_GRAIN)
		pool_run((m.count + MAP_GRAIN - 1) / MAP_GRAIN, map_slice, &m);
	else if (m.count > 0)
		run_map(&m, 0, m.count);
	return true;
}

/* ---- ops on whole arrays ------------------------------------------------------------------------- */

static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;

void ad_run_failed(const ad_run *r, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	pthread_mutex_lock(&failing);
	ad_fail(r->graph, AD_ERROR_VALUE, "%s: %s", r->op->name, text);
	pthread_mutex_unlock(&failing);
}

static void set_array(ad_array *a, const ad_node *x)
{
	a->data = NULL;
	a->count = 0;
	a->rank = 0;
	a->type = AD_REAL;
	if (!x)
		return;
	a->data = x->data;
	a->type = (ad_type)x->type;
	a->rank = x->shape.rank;
	memcpy(a->dims, x->shape.dims, sizeof a->dims);
	a->count = x->count;
}

static bool step_kernel(ad_node *y)
{
	ad_graph *g = y->graph;
	bool backward = y->op == &backward_op;
	const ad_node *of = backward ? ((const struct backward *)y->attrs)->y : y;
	size_t n = (size_t)of->n_in * 2 + (size_t)of->n_out * 2;
	ad_array few[16], *arrays = few, *dx;
	const ad_op *kernels = kernels_of(g, of->op, g->f64);
	ad_run r = { .op = of->op, .n_in = of->n_in, .n_out = of->n_out, .attrs = of->attrs,
		     .random = { g->seed, g->step, of->ordinal }, .graph = g };

	if (n > 16 && !(arrays = malloc(n * sizeof *arrays))) {
		out_of_memory(g, n * sizeof *arrays);
		return false;
	}
	r.in = arrays;
	r.out = arrays + of->n_in;
	r.dy = r.out + of->n_out;
	r.dx = dx = arrays + of->n_in + 2 * of->n_out;
	r.work = g->scratch.data;
	for (int i = 0; i < of->n_in; i++)
		set_array(&arrays[i], y->in[i]);
	for (int k = 0; k < of->n_out; k++) {
		ad_array *out = arrays + of->n_in + k, *dy = out + of->n_out;

		/* what is not read keeps its shape */
		set_array(out, of + k);
		set_array(dy, of + k);
		if (backward) {
			const ad_node *x = y->in[of->n_in + k], *d = y->in[of->n_in + of->n_out + k];

			out->data = x ? x->data : NULL;
			dy->data = d ? d->data : NULL;
		}
	}
	for (int i = 0; i < of->n_in; i++) {
		if (backward && of->in[i])
			set_array(&arrays[i], of->in[i]), arrays[i].data = y->in[i] ? y->in[i]->data : NULL;
		set_array(&dx[i], of->in[i]);
		dx[i].data = NULL;
	}
	if (backward) {
		const struct backward *b = y->attrs;

		for (int k = 0; k < y->n_out; k++)
			dx[b->which[k]].data = y[k].data;
		kernels->backward(&r);
	} else {
		kernels->forward(&r);
	}
	if (arrays != few)
		free(arrays);
	return g->status == AD_OK;
}

void ad_finish(const ad_run *r, int k, size_t begin, size_t n)
{
	(void)r, (void)k, (void)begin, (void)n;
}

struct parallel {
	const ad_run *r;
	size_t n, slices;
	void (*fn)(const ad_run *r, size_t begin, size_t end);
};

static void parallel_slice(void *context, size_t i)
{
	const struct parallel *p = context;
	size_t begin = p->n / p->slices * i + (p->n % p->slices) * i / p->slices;
	size_t end = p->n / p->slices * (i + 1) + (p->n % p->slices) * (i + 1) / p->slices;

	p->fn(p->r, begin, end);
}

void ad_parallel(const ad_run *r, size_t n, size_t grain,
                 void (*fn)(const ad_run *r, size_t begin, size_t end))
{
	struct parallel p = { r, n, n / (grain ? grain : 1), fn };

	if (n == 0)
		return;
	if (p.slices > 64)
		p.slices = 64;
	if (p.slices <= 1)
		fn(r, 0, n);
	else
		pool_run(p.slices, parallel_slice, &p);
}

/* ---- a whole plan ---------------------------------------------------------------------------------- */

static bool leaf_ready(ad_node *x)
{
	if (x->op || x->place == OWN)
		return true;
	if (x->lasting)
		return own_memory(x);
	ad_fail(x->graph, AD_ERROR_VALUE,
	        "evaluate: input %s has no values yet; set them by ad_set", called(x));
	return false;
}

/* Whether the limit lets the evaluation have what it takes. */
static bool within_limit(ad_graph *g, const struct plan *p)
{
	size_t need = p->workspace;
	bool fits = !__builtin_add_overflow(need, p->scratch, &need);

	for (size_t k = 0; k < p->n_fixed; k++) {
		const ad_node *x = p->fixed[k];
		size_t bytes = x->count * element_size(g, (ad_type)x->type);

		if (!x->own && bytes > sizeof x->small)
			fits &= !__builtin_add_overflow(need, bytes, &need);
	}
	if (fits && need <= g->memory_limit && g->memory_used <= g->memory_limit - need)
		return true;
	ad_fail(g, AD_ERROR_MEMORY,
	        "evaluate: %zu bytes are needed beside %zu in use; the limit is %zu",
	        fits ? need : SIZE_MAX, g->memory_used, g->memory_limit);
	return false;
}

static bool place_values(ad_graph *g, struct plan *p)
{
	if (g->memory_limit && !within_limit(g, p))
		return false;
	if (!block_reserve(&g->workspace, p->workspace) || !block_reserve(&g->scratch, p->scratch)) {
		out_of_memory(g, p->workspace + p->scratch);
		return false;
	}
	for (size_t k = 0; k < p->n_steps; k++)
		for (int i = 0; i < p->steps[k]->n_in; i++)
			if (p->steps[k]->in[i] && !leaf_ready(p->steps[k]->in[i]))
				return false;
	for (size_t k = 0; k < p->n_roots; k++)
		if (!leaf_ready(p->roots[k]))
			return false;
	for (size_t k = 0; k < p->n_assign; k++)
		if (!leaf_ready(p->assign[k]->assign) || !own_memory(p->assign[k]))
			return false;
	for (size_t k = 0; k < p->n_fixed; k++)
		if (!own_memory(p->fixed[k]))
			return false;
	for (size_t k = 0; k < p->n_spots; k++) {
		const struct spot *s = &p->spots[k];

		if (s->base) {
			s->node->data = s->base->data;
			s->node->place = s->base->op ? s->base->place : WORKSPACE;
		} else {
			s->node->data = (char *)g->workspace.data + s->offset;
			s->node->place = WORKSPACE;
		}
	}
	return true;
}

static bool step(ad_node *y)
{
	const ad_op *op = y->op;

	if (op == &backward_op) {
		op = ((const struct backward *)y->attrs)->y->op;
		return op->dmap ? step_map(y) : step_kernel(y);
	}
	if (op->alias) {
		for (int k = 0; k < y->n_out; k++)
			if (y[k].data != y->in[k]->data && y[k].count)
				memcpy(y[k].data, y->in[k]->data,
				       y[k].count * element_size(y->graph, (ad_type)y[k].type));
		return true;
	}
	return op->map ? step_map(y) : step_kernel(y);
}

/* Whether the new value of an assigned buffer is another buffer's own memory, assigned to as well. */
static bool needs_copy(const struct plan *p, const ad_node *x)
{
	bool assigned = false;

	for (size_t k = 0; !x->op && k < p->n_assign; k++)
		assigned |= p->assign[k] == x;
	return assigned;
}

/* Gives the buffers their new values. All are taken before any is given: two buffers can swap. */
static bool assign(ad_graph *g, struct plan *p)
{
	size_t bytes = 0, at = 0;
	char *held = NULL;

	for (size_t k = 0; k < p->n_assign; k++) {
		const ad_node *x = p->assign[k]->assign;

		if (needs_copy(p, x))
			bytes += x->count * element_size(g, (ad_type)x->type);
	}
	if (bytes && !(held = malloc(bytes))) {
		out_of_memory(g, bytes);
		return false;
	}
	for (int taken = 0; taken < 2; taken++) {
		at = 0;
		for (size_t k = 0; k < p->n_assign; k++) {
			ad_node *b = p->assign[k], *x = b->assign;
			size_t size = x->count * element_size(g, (ad_type)x->type);
			bool copied = held && needs_copy(p, x);

			if (copied && !taken)
				memcpy(held + at, x->data, size);
			else if (taken && size)
				memmove(b->data, copied ? held + at : x->data, size);
			at += copied ? size : 0;
			if (taken)
				b->changed = g->clock + 1;
		}
	}
	free(held);
	g->clock++;
	return true;
}

ad_status run_plan(ad_graph *g, struct plan *p, bool reading)
{
	bool ok = place_values(g, p);
	uint64_t clock = g->clock;

	for (size_t k = 0; ok && k < p->n_steps; k++) {
		ad_node *y = p->steps[k];

		ok = step(y) && (!g->watch || watch_step(y));
		for (int j = 0; j < y->n_out; j++)
			y[j].computed = clock;
	}
	if (!ok) {
		/* what came of a failed evaluation reads as never computed */
		for (size_t k = 0; k < p->n_steps; k++)
			for (int j = 0; j < p->steps[k]->n_out; j++)
				p->steps[k][j].computed = 0;
		return g->status;
	}
	g->evaluated = clock;
	return reading || p->n_assign == 0 || assign(g, p) ? AD_OK : g->status;
}

static ad_status evaluate(ad_graph *g, size_t n, ad_node *const roots[], bool share, bool reading)
{
	struct plan *p;
	uint64_t mode;
	ad_status status;

	if (g->status != AD_OK || n == 0)
		return g->status;
	for (size_t k = 0; k < n; k++)
		if (ad_is_error(roots[k]) || roots[k]->graph != g) {
			ad_fail(g, AD_ERROR_ARGUMENT,
			        "evaluate: root %zu is NULL, an error or of another graph", k);
			return g->status;
		}
	p = plan_for(g, n, roots, share && !g->watch);
	if (!p)
		return g->status;
	/* f32 alone flushes what is denormal: a diagram or a check wants to see it */
	mode = fp_enter(!g->f64 && !g->keep_all);
	status = run_plan(g, p, reading);
	fp_leave(mode);
	return status;
}

ad_status ad_evaluate(ad_graph *g, ad_node *const roots[], size_t n)
{
	return evaluate(g, n, roots, true, false);
}

ad_status ad_forward(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);

	if (is_stale_error(y, "forward"))
		return ad_status_of(g);
	return evaluate(g, 1, &y, !g->training, false);
}

/* ---- reading --------------------------------------------------------------------------------------- */

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
		return *never ? false : own_memory(x);
	}
	if (x->computed == 0) {
		*never = true;
		return false;
	}
	if (x->place == OWN)
		return true;
	if (last_change(x) > x->computed) {
		ad_fail(g, AD_ERROR_VALUE,
		        "value of %s was not kept, and what it depends on has changed since; "
		        "mark it by ad_keep before the evaluation",
		        called(x));
		return false;
	}
	return evaluate(g, 1, &x, true, true) == AD_OK;
}

const void *ad_data(ad_node *x)
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

double ad_item(ad_node *x)
{
	if (!ad_is_error(x) && x->count != 1) {
		char text[192];

		ad_fail(x->graph, AD_ERROR_SHAPE, "item: %s of shape %s is no single number",
		        called(x), ad_print_shape(text, sizeof text, x->shape));
		return (double)NAN;
	}
	return ad_at(x, 0);
}
