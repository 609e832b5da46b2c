/*
 * tiles: groups of element-wise steps, run tile by tile.
 *
 * A tile is a piece of up to TILE elements, so that what one step makes is still in the first-level cache
 * when the next one reads it, and broadcasting and the conversion of masks and indices cost one pass
 * through that cache. What every step reads and writes are slots: memory of the same elements, or a tile.
 */
#include "plan.h"

#define TILE 512        /* elements: 2 KiB of f32 */
#define GRAIN 8192      /* elements times steps that make a thread worth while */
#define NO_SLOT 0xff
#define MAX_GROUP 32    /* steps */
#define MAX_SLOTS 192   /* of a group; below NO_SLOT */
#define MAX_TILES 40    /* likewise */

/* Something that steps of a group read or write, element k for element k of the group. */
struct slot {
	enum {
		STRAIGHT, /* memory, one to one */
		STRETCHED, /* memory that is broadcast or converted, or part of an array: loaded into a tile */
		SINGLE,   /* one element for all: fills its tile once */
		PASSING,  /* a tile only */
		SAVED,    /* a tile, which is converted and stored */
	} kind;
	const ad_node *node;
	char *data;
	uint8_t tile;               /* its number, but for STRAIGHT */
	bool part;                  /* STRETCHED or SAVED: its rows lie apart, in a larger array */
	const int64_t *steps; /* of these two: in elements, per axis of the group; 0 where it is broadcast */
};

/* One kernel call. */
struct call {
	const ad_op *kernels;
	const void *attrs;
	bool backward;
	uint8_t n_in;
	uint8_t in[MAX_MAP_INPUTS], y, dy, dx[MAX_MAP_INPUTS]; /* slots */
};

struct group {
	bool f64, f64_data; /* what the kernels compute in; what reals are stored as */
	ad_shape shape;
	size_t count, grain;
	size_t n_slots, n_tiles, n_calls;
	struct slot *slots;
	struct call *calls;
};

bool is_map(const struct step *s)
{
	const ad_op *op = s->node->op;

	return op == &backward_op ? node_behind(s->node)->op->dmap != NULL : op->map != NULL;
}

bool computes_f64(const struct step *s)
{
	const ad_node *of = node_behind(s->node);
	bool real = s->node->op == &backward_op || of->n_in == 0;

	for (int i = 0; i < of->n_in; i++)
		real |= !of->in[i] || of->in[i]->type == AD_REAL;
	/* indices alone are computed in f64, which holds each of them */
	return of->graph->f64 || !real;
}

bool joins_group(const struct step *s, const ad_shape *shape, bool f64, struct opened *group)
{
	size_t slots = group->slots + s->n_in + s->node->n_out, tiles = group->tiles + s->node->n_out;

	if (!is_map(s) || !ad_equal_shapes(&node_behind(s->node)->shape, shape) || computes_f64(s) != f64)
		return false;
	for (size_t i = 0; i < s->n_in; i++)
		tiles += s->in[i] && (s->in[i]->type != AD_REAL || f64 != s->node->graph->f64 ||
		                      !ad_equal_shapes(&s->in[i]->shape, shape) ||
		                      (s->in[i]->op && engine_splits(s->in[i]->op)));
	if (group->steps == MAX_GROUP || (group->steps > 0 && (slots > MAX_SLOTS || tiles > MAX_TILES)))
		return false;
	*group = (struct opened){ group->steps + 1, slots, tiles };
	return true;
}

/* ---- the group ---------------------------------------------------------------------------------------- */

struct making {
	struct plan *p;
	const struct action *a;
	struct group *t;
	struct slot slots[MAX_SLOTS];
	int64_t steps[MAX_SLOTS + 1][AD_MAX_RANK]; /* of each slot, or of one that there is no room for */
	uint32_t last_read[MAX_SLOTS]; /* the call that reads a tile last */
	size_t n;
	bool full;
};

static uint8_t add_slot(struct making *m, struct slot s)
{
	if (m->n == MAX_SLOTS) {
		m->full = true;
		return 0;
	}
	m->slots[m->n] = s;
	return (uint8_t)m->n++;
}

static bool is_plain(const struct making *m, const ad_node *x)
{
	return x->type == AD_REAL && m->t->f64 == m->t->f64_data;
}

/* How far apart the elements of x lie along each axis of the group; of a part as they do in the whole. */
static void set_steps(struct making *m, struct slot *s, const ad_node *x)
{
	const ad_node *whole = value_of(x) == NO_VALUE ? NULL : m->p->values[value_of(x)].whole;
	const ad_shape *lies = whole ? &whole->shape : &x->shape;
	int64_t step = 1, *steps = m->steps[m->n];

	s->part = whole != NULL;
	s->steps = steps;
	for (int i = 1; i <= x->shape.rank; i++) {
		if (x->shape.dims[x->shape.rank - i] != 1)
			steps[m->t->shape.rank - i] = step;
		step *= lies->dims[x->shape.rank - i];
	}
}

/* The slot of a value that the group makes. */
static uint8_t result_slot(struct making *m, const ad_node *x)
{
	const struct value *v = &m->p->values[value_of(x)];
	struct slot s = { .kind = v->where == IN_TILE              ? PASSING :
		                  is_plain(m, x) && !v->whole ? STRAIGHT :
		                                                SAVED,
		          .node = x };

	set_steps(m, &s, x);
	return add_slot(m, s);
}

/* The slot of what a step reads: made by the group (then where its memory is the same), or read before
 * in the same way, or a new one. */
static uint8_t operand_slot(struct making *m, const ad_node *x)
{
	uint32_t k = value_of(x);
	struct slot s = { .node = x };

	if (!x)
		return NO_SLOT;
	if (k != NO_VALUE && m->p->values[m->p->values[k].base].step >= m->a->first &&
	    !m->p->values[k].outer)
		x = s.node = m->p->values[m->p->values[k].base].node;
	for (size_t i = 0; i < m->n; i++)
		if (m->slots[i].node == x)
			return (uint8_t)i;
	set_steps(m, &s, x);
	if (ad_equal_shapes(&x->shape, &m->t->shape) && is_plain(m, x) && !s.part)
		s.kind = STRAIGHT;
	else
		s.kind = x->count == 1 ? SINGLE : STRETCHED;
	return add_slot(m, s);
}

static void make_call(struct making *m, const struct step *s, struct call *c)
{
	const ad_node *y = s->node, *of = node_behind(y);

	memset(c, NO_SLOT, sizeof *c);
	c->kernels = kernels_of(of->graph, of->op, m->t->f64);
	c->attrs = s->attrs;
	c->backward = y->op == &backward_op;
	c->n_in = (uint8_t)of->n_in;
	for (int i = 0; i < of->n_in; i++)
		c->in[i] = operand_slot(m, s->in[i]);
	if (c->backward) {
		const struct backward *b = y->attrs;

		c->y = operand_slot(m, s->in[of->n_in]);
		c->dy = operand_slot(m, s->in[of->n_in + 1]);
		for (size_t k = 0; k < b->n; k++)
			c->dx[b->which[k]] = result_slot(m, y + k);
	} else {
		c->y = result_slot(m, y);
	}
}

static void note_read(struct making *m, uint8_t slot, uint32_t call)
{
	if (slot != NO_SLOT)
		m->last_read[slot] = call;
}

static bool is_made(const uint8_t made[], uint8_t n, size_t slot)
{
	for (uint8_t i = 0; i < n; i++)
		if (made[i] == slot)
			return true;
	return false;
}

/* Gives tiles their numbers: one that is read for the last time makes room for later ones. */
static bool number_tiles(struct making *m)
{
	struct group *t = m->t;
	uint8_t free[MAX_TILES];
	size_t n_free = 0;

	for (uint32_t k = 0; k < t->n_calls; k++) {
		const struct call *c = &t->calls[k];

		for (int i = 0; i < c->n_in; i++) {
			note_read(m, c->in[i], k);
			note_read(m, c->dx[i], k);
		}
		note_read(m, c->y, k);
		note_read(m, c->dy, k);
	}
	/* what is loaded is so before the first call */
	for (size_t i = 0; i < m->n; i++)
		if (m->slots[i].kind == STRETCHED || m->slots[i].kind == SINGLE) {
			if (t->n_tiles == MAX_TILES)
				return false;
			m->slots[i].tile = (uint8_t)t->n_tiles++;
		}
	for (uint32_t k = 0; k < t->n_calls; k++) {
		const struct call *c = &t->calls[k];
		uint8_t made[MAX_MAP_INPUTS], n_made = 0;
		/* a kernel with several results may read again what it has written over */
		bool in_place = !c->backward || c->n_in == 1;

		for (int i = 0; c->backward && i < c->n_in; i++)
			if (c->dx[i] != NO_SLOT)
				made[n_made++] = c->dx[i];
		if (!c->backward)
			made[n_made++] = c->y;
		for (int after = 0; after < 2; after++) {
			for (int i = 0; after == in_place && i < n_made; i++) {
				struct slot *s = &m->slots[made[i]];

				if (s->kind == STRAIGHT)
					continue;
				if (n_free == 0 && t->n_tiles == MAX_TILES)
					return false;
				s->tile = n_free ? free[--n_free] : (uint8_t)t->n_tiles++;
			}
			for (size_t i = 0; i < m->n; i++)
				if (m->slots[i].kind != STRAIGHT && m->slots[i].kind != SINGLE &&
				    m->last_read[i] == k && is_made(made, n_made, i) == (after == 1) &&
				    n_free < MAX_TILES)
					free[n_free++] = m->slots[i].tile;
		}
	}
	return true;
}

/* Slices of one size, as whole tiles. */
static size_t slice_of(const struct group *t)
{
	size_t tiles = (t->count + TILE - 1) / TILE, n = tiles * TILE / (GRAIN / t->n_calls);

	return n <= 1 ? t->count : n >= tiles ? TILE : (tiles + n - 1) / n * TILE;
}

/* The slots in the plan's arena, with the steps of those that have any; false without memory. */
static bool keep_slots(struct making *m)
{
	struct group *t = m->t;
	size_t rank = (size_t)t->shape.rank, bytes = rank * sizeof **m->steps;

	t->slots = arena_take(&m->p->arena, (m->n + 1) * sizeof *t->slots);
	if (!t->slots)
		return false;
	memcpy(t->slots, m->slots, m->n * sizeof *t->slots);
	t->n_slots = m->n;
	for (size_t i = 0; i < m->n; i++) {
		struct slot *s = &t->slots[i];
		int64_t *steps = NULL;

		if (s->kind == STRETCHED || s->kind == SAVED) {
			steps = arena_take(&m->p->arena, bytes);
			if (!steps)
				return false;
			memcpy(steps, s->steps, bytes);
		}
		s->steps = steps;
	}
	return true;
}

struct group *make_group(struct plan *p, const struct action *a)
{
	const ad_node *of = node_behind(p->steps[a->first].node);
	struct making *m = calloc(1, sizeof *m);
	struct group *t = arena_take(&p->arena, sizeof *t);
	bool ok = m && t;

	if (ok) {
		*t = (struct group){ .f64 = computes_f64(&p->steps[a->first]),
			             .f64_data = of->graph->f64,
			             .shape = of->shape,
			             .count = of->count };
		m->p = p;
		m->a = a;
		m->t = t;
		t->calls = arena_take(&p->arena, a->n * sizeof *t->calls);
		ok = t->calls != NULL;
	}
	for (uint32_t s = a->first; ok && s < a->first + a->n; s++)
		if (!p->steps[s].gone)
			make_call(m, &p->steps[s], &t->calls[t->n_calls++]);
	ok = ok && !m->full && number_tiles(m) && keep_slots(m);
	if (ok)
		t->grain = slice_of(t);
	free(m);
	return ok ? t : NULL;
}

void bind_group(struct group *t)
{
	for (size_t i = 0; i < t->n_slots; i++)
		t->slots[i].data = t->slots[i].kind == PASSING ? NULL : t->slots[i].node->data;
}

/* ---- tiles --------------------------------------------------------------------------------------------- */

static double element(const struct slot *o, bool f64_data, size_t k)
{
	switch ((ad_type)o->node->type) {
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

static void store(bool f64, void *tile, size_t k, double v)
{
	if (f64)
		((double *)tile)[k] = v;
	else
		((float *)tile)[k] = (float)v;
}

static void fill_single(const struct group *t, const struct slot *o, size_t n, void *tile)
{
	double v = element(o, t->f64_data, 0);

	for (size_t k = 0; k < n && k < TILE; k++)
		store(t->f64, tile, k, v);
}

/* n elements from element `at` of memory on, each `step` further, as reals of the kernels' type. */
static void load_run(const struct group *t, const struct slot *o, int64_t at, int64_t step, size_t n,
                     void *tile, size_t to)
{
	if (o->node->type != AD_REAL || t->f64 != t->f64_data) {
		for (size_t j = 0; j < n; j++)
			store(t->f64, tile, to + j, element(o, t->f64_data, (size_t)(at + (int64_t)j * step)));
	} else if (t->f64) {
		const double *x = (const double *)(const void *)o->data + at;
		double *y = (double *)tile + to;

		if (step == 1)
			memcpy(y, x, n * sizeof *y);
		else
			for (size_t j = 0; j < n; j++)
				y[j] = x[(int64_t)j * step];
	} else {
		const float *x = (const float *)(const void *)o->data + at;
		float *y = (float *)tile + to;

		if (step == 1)
			memcpy(y, x, n * sizeof *y);
		else
			for (size_t j = 0; j < n; j++)
				y[j] = x[(int64_t)j * step];
	}
}

/* Calls run for n elements from element `from` of the group on, as they lie in o: at and step as of load_run. */
static void in_runs(const struct group *t, const struct slot *o, size_t from, size_t n, void *tile,
                    void (*run)(const struct group *t, const struct slot *o, int64_t at, int64_t step,
                                size_t n, void *tile, size_t to))
{
	int64_t place[AD_MAX_RANK], at = 0;
	int last = t->shape.rank - 1;
	size_t rest = from;

	if (ad_equal_shapes(&o->node->shape, &t->shape) && !o->part) {
		run(t, o, (int64_t)from, 1, n, tile, 0);
		return;
	}
	for (int i = t->shape.rank; i-- > 0;) {
		place[i] = (int64_t)(rest % (size_t)t->shape.dims[i]);
		rest /= (size_t)t->shape.dims[i];
		at += place[i] * o->steps[i];
	}
	for (size_t k = 0; k < n;) {
		size_t length = (size_t)(t->shape.dims[last] - place[last]);

		if (length > n - k)
			length = n - k;
		run(t, o, at, o->steps[last], length, tile, k);
		k += length;
		place[last] += (int64_t)length;
		at += (int64_t)length * o->steps[last];
		for (int i = last; i > 0 && place[i] == t->shape.dims[i]; i--) {
			at -= place[i] * o->steps[i];
			place[i] = 0;
			place[i - 1]++;
			at += o->steps[i - 1];
		}
	}
}

/* The index that a number becomes: beyond the range its end. */
static int32_t as_index(double v)
{
	return v >= INT32_MAX ? INT32_MAX : v > INT32_MIN ? (int32_t)v : INT32_MIN;
}

/* A tile of indices holds what would be stored. */
static void make_indices(const struct group *t, size_t n, void *tile)
{
	for (size_t k = 0; k < n; k++) {
		double v = t->f64 ? ((const double *)tile)[k] : (double)((const float *)tile)[k];

		store(t->f64, tile, k, as_index(v));
	}
}

/* n numbers of a tile, from its number `to` on, into memory: load_run the other way round. */
static void save_run(const struct group *t, const struct slot *o, int64_t at, int64_t step, size_t n, void *tile,
                     size_t to)
{
	size_t size = t->f64 ? sizeof(double) : sizeof(float);
	const char *from = (const char *)tile + to * size;

	if (step == 1 && t->f64 == t->f64_data) {
		memcpy(o->data + (size_t)at * size, from, n * size);
		return;
	}
	for (size_t j = 0; j < n; j++)
		store(t->f64_data, o->data, (size_t)(at + (int64_t)j * step),
		      t->f64 ? ((const double *)(const void *)from)[j] : (double)((const float *)(const void *)from)[j]);
}

static void save(const struct group *t, const struct slot *o, size_t from, size_t n, void *tile)
{
	if (o->part) {
		in_runs(t, o, from, n, tile, save_run);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		double v = t->f64 ? ((const double *)tile)[k] : (double)((const float *)tile)[k];

		switch ((ad_type)o->node->type) {
		case AD_BOOL:
			((unsigned char *)o->data)[from + k] = v != 0;
			break;
		case AD_I32:
			((int32_t *)(void *)o->data)[from + k] = as_index(v);
			break;
		case AD_REAL:
			store(t->f64_data, o->data, from + k, v);
			break;
		}
	}
}

typedef void map_f32(size_t n, const float *const in[], float *y, const void *attrs);
typedef void map_f64(size_t n, const double *const in[], double *y, const void *attrs);
typedef void dmap_f32(size_t n, const float *const in[], const float *y, const float *dy,
                      float *const dx[], const void *attrs);
typedef void dmap_f64(size_t n, const double *const in[], const double *y, const double *dy,
                      double *const dx[], const void *attrs);

static void run_call(const struct group *t, const struct call *c, void *const at[], size_t n)
{
	const void *in[MAX_MAP_INPUTS];
	void *dx[MAX_MAP_INPUTS];

	for (int i = 0; i < c->n_in; i++)
		in[i] = c->in[i] == NO_SLOT ? NULL : at[c->in[i]];
	if (!c->backward) {
		if (t->f64)
			((map_f64 *)c->kernels->map)(n, (const double *const *)in, at[c->y], c->attrs);
		else
			((map_f32 *)c->kernels->map)(n, (const float *const *)in, at[c->y], c->attrs);
		return;
	}
	for (int i = 0; i < c->n_in; i++)
		dx[i] = c->dx[i] == NO_SLOT ? NULL : at[c->dx[i]];
	if (t->f64)
		((dmap_f64 *)c->kernels->dmap)(n, (const double *const *)in,
		                               c->y == NO_SLOT ? NULL : at[c->y], at[c->dy],
		                               (double *const *)dx, c->attrs);
	else
		((dmap_f32 *)c->kernels->dmap)(n, (const float *const *)in,
		                               c->y == NO_SLOT ? NULL : at[c->y], at[c->dy],
		                               (float *const *)dx, c->attrs);
}

/* The elements from begin to end, all steps. */
static void run_range(const struct group *t, size_t begin, size_t end)
{
	_Alignas(64) unsigned char tiles[MAX_TILES][TILE * sizeof(double)];
	size_t size = t->f64_data ? sizeof(double) : sizeof(float);
	void *at[MAX_SLOTS];

	for (size_t i = 0; i < t->n_slots; i++) {
		const struct slot *o = &t->slots[i];

		at[i] = o->kind == STRAIGHT ? o->data + begin * size : (char *)tiles[o->tile];
		if (o->kind == SINGLE)
			fill_single(t, o, end - begin, at[i]);
	}
	for (size_t k = begin; k < end; k += TILE) {
		size_t n = end - k < TILE ? end - k : TILE;

		for (size_t i = 0; i < t->n_slots; i++)
			if (t->slots[i].kind == STRETCHED)
				in_runs(t, &t->slots[i], k, n, at[i], load_run);
		for (size_t c = 0; c < t->n_calls; c++) {
			const struct call *call = &t->calls[c];

			run_call(t, call, at, n);
			if (!call->backward) {
				if (t->slots[call->y].node->type == AD_I32)
					make_indices(t, n, at[call->y]);
				if (t->slots[call->y].kind == SAVED)
					save(t, &t->slots[call->y], k, n, at[call->y]);
				continue;
			}
			for (int i = 0; i < call->n_in; i++)
				if (call->dx[i] != NO_SLOT && t->slots[call->dx[i]].kind == SAVED)
					save(t, &t->slots[call->dx[i]], k, n, at[call->dx[i]]);
		}
		for (size_t i = 0; i < t->n_slots; i++)
			if (t->slots[i].kind == STRAIGHT)
				at[i] = (char *)at[i] + TILE * size;
	}
}

/* Slices are whole tiles, and depend on the group alone. */
static void run_slice(void *context, size_t i)
{
	const struct group *t = context;
	size_t begin = i * t->grain, end = begin + t->grain;

	run_range(t, begin, end < t->count ? end : t->count);
}

bool group_reads_straight(const struct plan *p, const struct action *a, const ad_node *x)
{
	const ad_node *of = node_behind(p->steps[a->first].node);
	uint32_t b = p->values[value_of(x)].base;

	if (x->type != AD_REAL || a->group->f64 != a->group->f64_data)
		return false;
	for (uint32_t s = a->first; s < a->first + a->n; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			const ad_node *z = p->steps[s].in[i];
			uint32_t k = value_of(z);

			if (k != NO_VALUE && p->values[k].base == b && !p->steps[s].gone &&
			    (z->type != AD_REAL || p->values[k].whole || !ad_equal_shapes(&z->shape, &of->shape)))
				return false;
		}
	return true;
}

void ad_finish(const ad_run *r, int k, size_t begin, size_t n)
{
	const struct finish *f = r->finish;

	if (!f || f->result != k)
		return;
	if (f->told)
		f->told(f, begin, n);
	else
		run_range(f->group, begin, begin + n);
}

bool run_group(ad_graph *g, struct action *a)
{
	struct group *t = a->group;

	(void)g;
	if (t->count > t->grain)
		pool_run((t->count + t->grain - 1) / t->grain, run_slice, t);
	else if (t->count > 0)
		run_range(t, 0, t->count);
	return true;
}
