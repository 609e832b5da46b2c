/*
 * scalars: graphs of single numbers, which must not pay for arrays.
 *
 * Element-wise steps on single reals that follow each other become a program: records of 16 bytes over a
 * flat array of values. The reverse sweep of a graph of such steps is one node, a tape: the records on the
 * way from the leaves to y, run backwards over an array of adjoints, which a run leaves as it found it.
 * Arithmetic is done in place here; any other op by its own kernels, for one element.
 */
#include "scalars.h"

/* A call of an op's own kernels. */
struct call {
	const ad_op *kernels;
	const void *attrs;
	uint32_t in[MAX_MAP_INPUTS];
	uint8_t n_in;
	uint8_t wanted; /* of a tape: which inputs take a gradient, as bits */
};

/* What a record does; on a tape which of a and b take a gradient is added as 0, ONLY_A or ONLY_B. PAIR is
 * added where a product and the sum that reads it stand side by side, to the first of the two in the
 * order of running: they are done in one go. */
enum { CALL, ADD, SUB, MUL, DIV, NEG, SQUARE };
#define ONLY_A 8
#define ONLY_B 16
#define PAIR 32

/* An adjoint that nothing has been added to: what is added first stays as it is, -0 too. */
#define NOTHING (-0.0F)

struct record {
	uint32_t code, y, a, b; /* slots; of CALL a is the number of the call */
};

struct program {
	bool f64;
	size_t n_records, n_slots, n_outer, n_calls;
	struct record *records;
	struct call *calls;
	ad_node **nodes;      /* of the slots: first those that are computed, then those from outside */
	void *values;
	/* a tape */
	struct program *forward; /* whose values it reads; NULL: it gathers its own */
	void *adjoints;          /* NOTHING but for the length of a run */
	uint32_t top;            /* the slot of y */
	uint32_t *x;             /* the slots of the leaves, in the order of the node's outputs */
	ad_node *node;
};

static int code_of(const ad_op *op)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = { { "add", ADD }, { "sub", SUB }, { "mul", MUL },
		      { "div", DIV }, { "neg", NEG }, { "square", SQUARE } };
	static _Atomic(const ad_op *) ops[sizeof codes / sizeof *codes];

	for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
		if (!ops[k])
			ops[k] = ad_op_find(codes[k].name);
		if (op == ops[k])
			return codes[k].code;
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

/* Room for records of the nodes, and, unless slots are there, for slots of all that they read. */
static bool make_room(struct program *t, struct arena *arena, size_t n, ad_node *const nodes[])
{
	size_t slots = n, calls = 0;

	for (size_t k = 0; k < n; k++) {
		slots += nodes[k]->n_in;
		calls += code_of(nodes[k]->op) == CALL;
	}
	if (slots > UINT32_MAX)
		return false;
	t->records = arena_take(arena, n * sizeof *t->records);
	t->calls = arena_take(arena, calls * sizeof *t->calls);
	if (!t->nodes)
		t->nodes = arena_take(arena, slots * sizeof *t->nodes);
	return t->records && t->calls && t->nodes;
}

/* Where the number that x is lies: x may be a view of a number that the plan computes. */
static ad_node *number_behind(const struct plan *p, ad_node *x)
{
	uint32_t k = value_of(x);

	return k == NO_VALUE || p->values[k].outer ? x : p->values[p->values[k].base].node;
}

static struct record record_of(struct program *t, const struct plan *p, ad_node *y)
{
	struct record r = { (uint32_t)code_of(y->op), y->slot, 0, 0 };

	if (r.code != CALL) {
		r.a = slot_of(t, number_behind(p, y->in[0]));
		r.b = y->n_in > 1 ? slot_of(t, number_behind(p, y->in[1])) : 0;
		return r;
	}
	r.a = (uint32_t)t->n_calls++;
	t->calls[r.a] = (struct call){ .kernels = kernels_of(y->graph, y->op, t->f64),
		                       .attrs = y->attrs, .n_in = (uint8_t)y->n_in };
	for (int i = 0; i < y->n_in; i++)
		t->calls[r.a].in[i] = slot_of(t, number_behind(p, y->in[i]));
	return r;
}

/* Marks products that the sum behind them reads: of a program. */
static void pair_forward(struct program *t)
{
	for (size_t k = 0; k + 1 < t->n_records; k++) {
		struct record *product = &t->records[k], *sum = product + 1;

		if (product->code != MUL || sum->code != ADD ||
		    (sum->a != product->y) == (sum->b != product->y))
			continue;
		if (sum->a == product->y)
			sum->a = sum->b, sum->b = product->y;
		product->code += PAIR;
		k++;
	}
}

/* The same on a tape, where the sum comes first. */
static void pair_backward(struct program *t)
{
	for (size_t k = t->n_records; k-- > 1;) {
		struct record *sum = &t->records[k], *product = sum - 1;

		if (sum->code != ADD || (product->code & (ONLY_A - 1)) != MUL)
			continue;
		sum->code = PAIR + product->code;
		k--;
	}
}

struct program *make_program(struct plan *p, const struct action *a)
{
	struct program *t = arena_take(&p->arena, sizeof *t);
	ad_node **nodes = malloc(a->n * sizeof *nodes);
	size_t n = 0;

	for (uint32_t s = a->first; nodes && s < a->first + a->n; s++)
		if (!p->steps[s].gone)
			nodes[n++] = p->steps[s].node;
	if (!t || !nodes || !make_room(t, &p->arena, n, nodes)) {
		free(nodes);
		return NULL;
	}
	t->f64 = nodes[0]->graph->f64;
	for (size_t k = 0; k < n; k++) {
		t->nodes[k] = nodes[k];
		nodes[k]->slot = (uint32_t)k;
	}
	t->n_slots = n;
	for (size_t k = 0; k < n; k++)
		t->records[t->n_records++] = record_of(t, p, nodes[k]);
	free(nodes);
	pair_forward(t);
	return t;
}

size_t program_bytes(const struct program *t)
{
	return t->n_slots * size_of(t);
}

void bind_program(struct program *t, void *values)
{
	t->values = values;
}

/* ---- tapes -------------------------------------------------------------------------------------------- */

/* Adds what a tape's record needs to know beside the forward one: which inputs lead to a leaf. A view of what
 * does, by stop_gradient, does not. */
static void want(struct program *t, const struct plan *p, struct record *r, const ad_node *y, const bool on_tape[])
{
	bool a, b;

	if (r->code == CALL) {
		struct call *c = &t->calls[r->a];

		for (int i = 0; i < c->n_in; i++)
			c->wanted |= (uint8_t)((on_tape[c->in[i]] && number_behind(p, y->in[i]) == y->in[i]) << i);
		return;
	}
	a = on_tape[r->a] && number_behind(p, y->in[0]) == y->in[0];
	b = y->n_in > 1 && on_tape[r->b] && number_behind(p, y->in[1]) == y->in[1];
	if (y->n_in > 1)
		r->code += a && b ? 0 : a ? ONLY_A : ONLY_B;
}

/* The program of the plan that computes all that the tape reads; NULL if there is no such one. */
static struct program *find_forward(const struct plan *p, const struct tape *tape)
{
	for (size_t k = 0; k < p->n_actions; k++) {
		struct program *f = p->actions[k].program;
		bool all = f != NULL;

		for (size_t i = 0; all && i < tape->n; i++) {
			all = has_slot(f, tape->nodes[i]);
			for (int j = 0; all && j < tape->nodes[i]->n_in; j++)
				all = has_slot(f, number_behind(p, tape->nodes[i]->in[j]));
		}
		if (all)
			return f;
	}
	return NULL;
}

struct program *make_tape(struct plan *p, ad_node *node)
{
	const struct tape *tape = node->attrs;
	struct program *t = arena_take(&p->arena, sizeof *t);
	bool *on_tape = NULL;

	if (!t)
		return NULL;
	t->f64 = node->graph->f64;
	t->node = node;
	t->forward = find_forward(p, tape);
	if (t->forward) {
		t->nodes = t->forward->nodes;
		t->n_slots = t->forward->n_slots;
	}
	if (!make_room(t, &p->arena, tape->n, tape->nodes))
		return NULL;
	for (size_t k = 0; k < tape->n; k++)
		slot_of(t, tape->nodes[k]);
	t->x = arena_take(&p->arena, tape->n_x * sizeof *t->x);
	if (!t->x)
		return NULL;
	for (size_t k = 0; k < tape->n; k++)
		t->records[t->n_records++] = record_of(t, p, tape->nodes[k]);
	for (size_t k = 0; k < tape->n_x; k++)
		t->x[k] = slot_of(t, tape->x[k]);
	t->top = tape->nodes[tape->n - 1]->slot;
	on_tape = calloc(t->n_slots + 1, sizeof *on_tape);
	t->adjoints = arena_take(&p->arena, t->n_slots * size_of(t));
	if (!t->forward)
		t->values = arena_take(&p->arena, t->n_slots * size_of(t));
	if (!on_tape || !t->adjoints || (!t->forward && !t->values)) {
		free(on_tape);
		return NULL;
	}
	for (size_t k = 0; k < t->n_slots; k++)
		if (t->f64)
			((double *)t->adjoints)[k] = (double)NOTHING;
		else
			((float *)t->adjoints)[k] = NOTHING;
	for (size_t k = 0; k < tape->n_x; k++)
		on_tape[t->x[k]] = true;
	for (size_t k = 0; k < tape->n; k++) {
		want(t, p, &t->records[k], tape->nodes[k], on_tape);
		on_tape[tape->nodes[k]->slot] = true;
	}
	free(on_tape);
	pair_backward(t);
	return t;
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
