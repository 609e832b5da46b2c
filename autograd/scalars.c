/*
 * scalars: graphs of single numbers, which must not pay for arrays.
 *
 * Element-wise steps on single reals that follow each other become a program: records of 8 bytes over a
 * flat array of values, whose order is that of the records. The reverse sweep of a graph of such steps is one
 * node, a tape: the records on the way from y down to the leaves, run over an array of adjoints, which a run
 * leaves as it found it. Arithmetic is done in place here; any other op by its own kernels, for one element.
 */
#include "scalars.h"

/* The kernels of an op. */
struct call {
	const ad_op *kernels;
	const void *attrs;
};

/* Of more than one input, or on a tape with some that take no gradient. */
struct wide_call {
	struct call call;
	uint32_t in[MAX_MAP_INPUTS];
	uint8_t n_in;
	uint8_t wanted; /* of a tape: which inputs take a gradient, as bits */
};

/* What a record does, in its lowest byte; above it 28 bits each for a and b, most often the slots of the
 * inputs. What it computes goes to the next slot of a program, or comes from the next one down of a tape.
 *
 * CALL1: a is the input, b the number of the call. CALL: a is the number of the wide call. SUM: a sum of
 * products, each rounded and kept as if it stood alone; to a are added, one after the other, the products in
 * b records that follow.
 *
 * On a tape which of a and b take a gradient is added as 0, ONLY_A or ONLY_B; of a SUM, which of the
 * products' two. TO_A or TO_B says that this one is the next slot down, where nothing else arrives: it is
 * handed on without passing by memory. EXP and what follows stand for a CALL1 of an op whose gradient is arithmetic
 * of its result. START: a of a SUM takes a gradient as well. SKIP: the next a slots down
 * are not on the tape. */
enum { END, ADD, SUB, MUL, DIV, NEG, SQUARE, CALL1, CALL, SUM, SKIP, EXP, SIGMOID, TANH };
#define ONLY_A 16
#define ONLY_B 32
#define TO_A 64
#define TO_B 128
#define START 64

#define SLOT_BITS 28
#define MOST_SLOTS ((size_t)1 << SLOT_BITS)
#define A_OF(record) ((uint32_t)((record) >> 8) & (uint32_t)(MOST_SLOTS - 1))
#define B_OF(record) ((uint32_t)((record) >> (8 + SLOT_BITS)))

/* An adjoint that nothing has been added to: what is added first stays as it is, -0 too. */
#define NOTHING (-0.0F)

struct program {
	bool f64;
	size_t n_records, n_slots, n_outer, n_calls, n_wide;
	uint64_t *records;
	struct call *calls;
	struct wide_call *wide;
	ad_node **nodes;      /* of the slots: first those that are computed, then those from outside */
	const void **from;    /* where the numbers from outside lie, when bound */
	void *values;
	/* a tape */
	struct program *forward; /* whose values it reads; NULL: it gathers its own */
	void *adjoints;          /* NOTHING but for the length of a run; one before the first slot's */
	uint32_t top;            /* the slot of y */
	uint32_t *x;             /* the slots of the leaves, in the order of the node's outputs */
	ad_node *node;
};

/* A record while it is being made. */
struct draft {
	uint32_t code, y, a, b;
	bool to_a, to_b; /* of a tape: a, b take a gradient */
};

/* tape: as a record of a tape; else of a program. */
static int code_of(const ad_op *op, bool tape)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = { { "add", ADD }, { "sub", SUB }, { "mul", MUL },
		      { "div", DIV }, { "neg", NEG }, { "square", SQUARE },
		      { "exp", EXP }, { "sigmoid", SIGMOID }, { "tanh", TANH } };
	static _Atomic(const ad_op *) ops[sizeof codes / sizeof *codes];

	for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
		if (!ops[k])
			ops[k] = ad_op_find(codes[k].name);
		if (op == ops[k])
			return codes[k].code >= EXP && !tape ? CALL : codes[k].code;
	}
	return CALL;
}

bool is_scalar(const ad_node *y)
{
	if (!y->op || !y->op->map || y->count != 1 || y->type != AD_REAL || y->n_in == 0 ||
	    y->n_in > MAX_MAP_INPUTS)
		return false;
	for (int i = 0; i < y->n_in; i++)
		if (!y->in[i] || y->in[i]->count != 1 || y->in[i]->type != AD_REAL)
			return false;
	return true;
}

static size_t size_of(const struct program *t)
{
	return t->f64 ? sizeof(double) : sizeof(float);
}

/* ---- programs ----------------------------------------------------------------------------------------- */

static bool has_slot(const struct program *t, const ad_node *x)
{
	return x->slot < t->n_slots && t->nodes[x->slot] == x;
}

/* The slot of x, which becomes one from outside if it has none. There is room. */
static uint32_t slot_of(struct program *t, ad_node *x)
{
	if (!has_slot(t, x)) {
		t->nodes[t->n_slots] = x;
		x->slot = (uint32_t)t->n_slots++;
		t->n_outer++;
	}
	return x->slot;
}

/* Room for records of the nodes, and, unless slots are there, for slots of all that they read: as much as they
 * may take, until keep_records knows. */
static bool take_records(struct program *t, struct arena *arena, size_t n, ad_node *const nodes[])
{
	size_t slots = n, calls = 0, wide = 0;

	for (size_t k = 0; k < n; k++) {
		slots += nodes[k]->n_in;
		if (code_of(nodes[k]->op, t->node) == CALL)
			nodes[k]->n_in == 1 ? calls++ : wide++;
	}
	if (slots >= MOST_SLOTS)
		return false;
	/* a SUM takes one record more than its products, and a tape can have a SKIP for each */
	t->records = malloc((2 * n + 1) * sizeof *t->records);
	t->calls = arena_take(arena, calls * sizeof *t->calls);
	t->wide = arena_take(arena, wide * sizeof *t->wide);
	if (!t->forward)
		t->nodes = malloc(slots * sizeof *t->nodes);
	return t->records && t->calls && t->wide && t->nodes;
}

/* Makes the records and nodes, if they are there, part of the arena; false without memory. */
static bool keep_records(struct program *t, struct arena *arena, bool complete)
{
	uint64_t *records = t->records;
	ad_node **nodes = t->nodes;

	if (complete)
		t->records = arena_take(arena, t->n_records * sizeof *records);
	if (complete && t->records)
		memcpy(t->records, records, t->n_records * sizeof *records);
	free(records);
	if (t->forward)
		return complete && t->records;
	if (complete)
		t->nodes = arena_take(arena, t->n_slots * sizeof *nodes);
	if (complete && t->nodes)
		memcpy(t->nodes, nodes, t->n_slots * sizeof *nodes);
	free(nodes);
	return complete && t->records && t->nodes;
}

/* Where the number that x is lies: x may be a view of a number that the plan computes. */
static ad_node *number_behind(const struct plan *p, ad_node *x)
{
	uint32_t k = value_of(x);

	return k == NO_VALUE || p->values[k].outer ? x : p->values[p->values[k].base].node;
}

static struct draft draft_of(struct program *t, const struct plan *p, const ad_node *y)
{
	struct draft d = { .code = (uint32_t)code_of(y->op, t->node), .y = y->slot };

	if (d.code == CALL && y->n_in > 1) {
		struct wide_call *c = &t->wide[d.a = (uint32_t)t->n_wide++];

		c->call = (struct call){ kernels_of(y->graph, y->op, t->f64), y->attrs };
		c->n_in = (uint8_t)y->n_in;
		for (int i = 0; i < y->n_in; i++)
			c->in[i] = slot_of(t, number_behind(p, y->in[i]));
		return d;
	}
	d.a = slot_of(t, number_behind(p, y->in[0]));
	d.b = y->n_in > 1 ? slot_of(t, number_behind(p, y->in[1])) : 0;
	if (d.code == CALL) {
		const ad_op *kernels = kernels_of(y->graph, y->op, t->f64);
		const struct call *last = t->n_calls ? &t->calls[t->n_calls - 1] : NULL;

		if (!last || last->kernels != kernels || last->attrs != y->attrs)
			t->calls[t->n_calls++] = (struct call){ kernels, y->attrs };
		d.code = CALL1;
		d.b = (uint32_t)t->n_calls - 1;
	}
	return d;
}

/* Whether the draft at d is a sum that a product right before it leads to; that product is then b. */
static bool adds_product(const struct draft *first, struct draft *d)
{
	const struct draft *product = d - 1;

	if (d == first || d->code != ADD || product->code != MUL || product->y + 1 != d->y ||
	    (d->a == product->y) == (d->b == product->y))
		return false;
	if (d->a == product->y) {
		struct draft swapped = *d;

		swapped.a = d->b, swapped.b = d->a;
		swapped.to_a = d->to_b, swapped.to_b = d->to_a;
		*d = swapped;
	}
	return true;
}

static void emit(struct program *t, uint32_t code, uint32_t a, uint32_t b)
{
	t->records[t->n_records++] = code | (uint64_t)a << 8 | (uint64_t)b << (8 + SLOT_BITS);
}

static void emit_program(struct program *t, struct draft *d, size_t n)
{
	for (size_t k = 0; k < n;) {
		size_t products = 0;

		while (k + 2 * products + 1 < n && adds_product(d, &d[k + 2 * products + 1]) &&
		       (products == 0 || d[k + 2 * products + 1].a == d[k + 2 * products - 1].y))
			products++;
		if (products) {
			emit(t, SUM, d[k + 1].a, (uint32_t)products);
			for (size_t i = 0; i < products; i++)
				emit(t, END, d[k + 2 * i].a, d[k + 2 * i].b);
			k += 2 * products;
		} else {
			emit(t, d[k].code, d[k].a, d[k].b);
			k++;
		}
	}
	emit(t, END, 0, 0);
}

struct program *make_program(struct plan *p, const struct action *a)
{
	struct program *t = arena_take(&p->arena, sizeof *t);
	struct draft *drafts = malloc(a->n * sizeof *drafts);
	ad_node **nodes = calloc(a->n, sizeof *nodes);
	size_t n = 0;
	bool ok = t && drafts && nodes;

	for (uint32_t s = a->first; ok && s < a->first + a->n; s++)
		if (!p->steps[s].gone)
			nodes[n++] = p->steps[s].node;
	if (ok) {
		t->f64 = p->steps[a->first].node->graph->f64;
		ok = take_records(t, &p->arena, n, nodes);
	}
	for (size_t k = 0; ok && k < n; k++) {
		t->nodes[k] = nodes[k];
		nodes[k]->slot = (uint32_t)k;
	}
	if (ok)
		t->n_slots = n;
	for (size_t k = 0; ok && k < n; k++)
		drafts[k] = draft_of(t, p, nodes[k]);
	if (ok)
		emit_program(t, drafts, n);
	free(drafts);
	free(nodes);
	ok = t && keep_records(t, &p->arena, ok) && (t->from = arena_take(&p->arena, t->n_outer * sizeof *t->from));
	return ok ? t : NULL;
}

size_t program_bytes(const struct program *t)
{
	return (t->node ? t->node->n_out : t->n_slots) * size_of(t);
}

void bind_program(struct program *t, void *values)
{
	if (values)
		t->values = values;
	for (size_t k = 0; t->from && k < t->n_outer; k++)
		t->from[k] = t->nodes[t->n_slots - t->n_outer + k]->data;
}

/* ---- tapes -------------------------------------------------------------------------------------------- */

/* Adds what a tape needs to know of a record beside the forward one: which inputs lead to a leaf. A view of
 * what does, by stop_gradient, does not. */
static void want(struct program *t, const struct plan *p, struct draft *d, const ad_node *y, const uint32_t uses[])
{
	if (d->code == CALL) {
		struct wide_call *c = &t->wide[d->a];

		for (int i = 0; i < c->n_in; i++)
			c->wanted |= (uint8_t)((uses[c->in[i]] && number_behind(p, y->in[i]) == y->in[i]) << i);
		return;
	}
	d->to_a = uses[d->a] && number_behind(p, y->in[0]) == y->in[0];
	d->to_b = y->n_in > 1 && uses[d->b] && number_behind(p, y->in[1]) == y->in[1];
}

/* Counts what arrives at each slot. */
static void count_arrivals(const struct program *t, const struct draft *d, uint32_t uses[])
{
	if (d->code == CALL) {
		for (int i = 0; i < t->wide[d->a].n_in; i++)
			uses[t->wide[d->a].in[i]] += t->wide[d->a].wanted >> i & 1;
		return;
	}
	uses[d->a] += d->to_a;
	if (d->to_b)
		uses[d->b]++;
}

static uint32_t only(const struct draft *d)
{
	return d->to_a && d->to_b ? 0 : d->to_a ? ONLY_A : ONLY_B;
}

/* Whether the slot is the next down from that of d, and on the tape, where nothing else arrives. */
static bool is_next(const struct draft *first, const struct draft *d, uint32_t slot, const uint32_t uses[])
{
	return d > first && d[-1].y == slot && d->y == slot + 1 && uses[slot] == 1;
}

/* How many products the sum at d adds up, all alike, with nothing else arriving in between. */
static size_t products_of(const struct draft *first, struct draft *d, const uint32_t uses[])
{
	size_t n = 0;

	while (adds_product(first, d) && d->to_b && uses[d->b] == 1 && (n == 0 || only(d - 1) == only(d + 1))) {
		n++;
		if (!d->to_a || d < first + 2 || d[-2].y != d->a || d->y != d->a + 2 || uses[d->a] != 1)
			break;
		d -= 2;
	}
	return n;
}

static void emit_tape(struct program *t, struct draft *d, size_t n, const uint32_t uses[])
{
	for (size_t k = n; k-- > 0;) {
		size_t products = products_of(d, &d[k], uses);
		uint32_t code = d[k].code;

		if (k + 1 < n && d[k + 1].y != d[k].y + 1)
			emit(t, SKIP, d[k + 1].y - d[k].y - 1, 0);
		if (products) {
			const struct draft *last = &d[k - 2 * (products - 1)];

			emit(t, SUM + only(&d[k - 1]) + (last->to_a ? START : 0), last->a, (uint32_t)products);
			for (size_t i = 0; i < products; i++)
				emit(t, END, d[k - 2 * i - 1].a, d[k - 2 * i - 1].b);
			k -= 2 * products - 1;
			continue;
		}
		if (code != CALL) {
			if (code <= DIV)
				code += only(&d[k]);
			if (d[k].to_a && is_next(d, &d[k], d[k].a, uses))
				code += TO_A;
			else if (d[k].to_b && is_next(d, &d[k], d[k].b, uses))
				code += TO_B;
		}
		emit(t, code, d[k].a, d[k].b);
	}
	emit(t, END, 0, 0);
}

/* The program of the plan that computes all that the tape reads, in the order of the tape; NULL if there is no
 * such one. */
static struct program *find_forward(const struct plan *p, const struct tape *tape)
{
	for (size_t k = 0; k < p->n_actions; k++) {
		struct program *f = p->actions[k].program;
		bool all = f != NULL;

		for (size_t i = 0; all && i < tape->n; i++) {
			all = has_slot(f, tape->nodes[i]) &&
			      (i == 0 || tape->nodes[i]->slot > tape->nodes[i - 1]->slot);
			for (int j = 0; all && j < tape->nodes[i]->n_in; j++)
				all = has_slot(f, number_behind(p, tape->nodes[i]->in[j]));
		}
		if (all)
			return f;
	}
	return NULL;
}

/* The adjoints of a tape: NOTHING, also before the first slot, where a run ends. */
static bool take_adjoints(struct program *t, struct plan *p)
{
	char *adjoints = arena_take(&p->arena, (t->n_slots + 1) * size_of(t));

	for (size_t k = 0; adjoints && k < t->n_slots + 1; k++)
		if (t->f64)
			((double *)(void *)adjoints)[k] = (double)NOTHING;
		else
			((float *)(void *)adjoints)[k] = NOTHING;
	t->adjoints = adjoints ? adjoints + size_of(t) : NULL;
	return adjoints != NULL;
}

static bool write_tape(struct program *t, struct plan *p, const struct tape *tape)
{
	struct draft *drafts = malloc(tape->n * sizeof *drafts);
	uint32_t *uses = NULL;
	bool ok = drafts && take_records(t, &p->arena, tape->n, tape->nodes);

	t->x = arena_take(&p->arena, tape->n_x * sizeof *t->x);
	ok = ok && t->x;
	for (size_t k = 0; ok && k < tape->n; k++)
		slot_of(t, tape->nodes[k]);
	for (size_t k = 0; ok && k < tape->n; k++)
		drafts[k] = draft_of(t, p, tape->nodes[k]);
	for (size_t k = 0; ok && k < tape->n_x; k++)
		t->x[k] = slot_of(t, tape->x[k]);
	ok = ok && take_adjoints(t, p) && (uses = calloc(t->n_slots, sizeof *uses));
	/* first whether a slot leads to a leaf, then how much arrives there */
	for (size_t k = 0; ok && k < tape->n_x; k++)
		uses[t->x[k]] = 1;
	for (size_t k = 0; ok && k < tape->n; k++) {
		want(t, p, &drafts[k], tape->nodes[k], uses);
		uses[drafts[k].y] = 1;
	}
	if (ok)
		memset(uses, 0, t->n_slots * sizeof *uses);
	for (size_t k = 0; ok && k < tape->n; k++)
		count_arrivals(t, &drafts[k], uses);
	if (ok)
		emit_tape(t, drafts, tape->n, uses);
	free(drafts);
	free(uses);
	return keep_records(t, &p->arena, ok);
}

struct program *make_tape(struct plan *p, ad_node *node)
{
	const struct tape *tape = node->attrs;
	struct program *t = arena_take(&p->arena, sizeof *t);

	if (!t)
		return NULL;
	t->f64 = node->graph->f64;
	t->node = node;
	t->forward = find_forward(p, tape);
	if (t->forward) {
		t->nodes = t->forward->nodes;
		t->n_slots = t->forward->n_slots;
	}
	if (!write_tape(t, p, tape))
		return NULL;
	t->top = tape->nodes[tape->n - 1]->slot;
	if (t->forward)
		return t;
	/* all that it reads was computed elsewhere */
	t->n_outer = t->n_slots;
	t->values = arena_take(&p->arena, t->n_slots * size_of(t));
	t->from = arena_take(&p->arena, t->n_outer * sizeof *t->from);
	return t->values && t->from ? t : NULL;
}

/* ---- runs, in either type ------------------------------------------------------------------------------ */

#define REAL float
#define NAME(f) f##_f32
#include "scalars_run.h"
#undef REAL
#undef NAME
#define REAL double
#define NAME(f) f##_f64
#include "scalars_run.h"
#undef REAL
#undef NAME

bool run_program(ad_graph *g, struct action *a)
{
	(void)g;
	if (a->program->f64)
		forward_f64(a->program);
	else
		forward_f32(a->program);
	return true;
}

bool run_tape(ad_graph *g, struct action *a)
{
	(void)g;
	if (a->program->f64)
		backward_f64(a->program);
	else
		backward_f32(a->program);
	return true;
}
