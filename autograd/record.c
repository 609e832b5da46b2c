/*
 * record: calls become nodes; and a call that was made before becomes the node that it was.
 *
 * All recordings of a graph form a tree: what followed a node once, follows it in the tree. The
 * recording that stands now is one path, nodes[0..path.n-1]. ad_release goes back along it and leaves the
 * tree as it is; what is recorded next is compared with what followed there (op, inputs, attributes;
 * scope, origin, phase), and if it is the same, the node is taken as it stands: with its shape, and with
 * the plans that it is part of. So a step that repeats an earlier one costs a comparison a node. Leaves
 * are compared by kind, shape and name; their values are data.
 *
 * The tree is cut back to the path when it takes too much memory.
 */
#include "graph.h"

#include <stdio.h>

#define MOST_TEXTS 65536                    /* that are kept for good */
#define MOST_SIBLINGS 64                    /* that are looked at */
#define TREE_BYTES ((size_t)64 << 20)       /* that are always granted to the tree */
#define TREE_STREAMS 4                      /* beyond that: times the size of the path */

/* ---- texts and contexts ---------------------------------------------------------------------------- */

static size_t hash_text(const char *text)
{
	size_t h = 14695981039346656037u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return h;
}

const char *intern(ad_graph *g, const char *text)
{
	size_t k, mask;
	char *copy;

	if (g->cap_texts < 2 * (g->n_texts + 1)) {
		size_t cap = g->cap_texts ? g->cap_texts * 2 : 64;
		const char **wider = calloc(cap, sizeof *wider);

		if (!wider)
			return NULL;
		for (size_t i = 0; i < g->cap_texts; i++)
			if (g->texts[i]) {
				for (k = hash_text(g->texts[i]) & (cap - 1); wider[k];)
					k = (k + 1) & (cap - 1);
				wider[k] = g->texts[i];
			}
		free(g->texts);
		g->texts = wider;
		g->cap_texts = cap;
	}
	mask = g->cap_texts - 1;
	for (k = hash_text(text) & mask; g->texts[k]; k = (k + 1) & mask)
		if (strcmp(g->texts[k], text) == 0)
			return g->texts[k];
	copy = arena_copy_text(&g->lasting_arena, text);
	if (copy)
		g->texts[k] = copy, g->n_texts++;
	return copy;
}

/* Where the context stands among the slots, or the free one where it would. */
static size_t slot_of(const ad_graph *g, const struct context *c, size_t cap)
{
	uint64_t h = ((uint64_t)(uintptr_t)c->origin >> 4) * UINT64_C(0x9E3779B97F4A7C15) +
	             ((uint64_t)(uint32_t)c->scope << 9 | (uint64_t)c->order << 1 | c->training) *
	                     UINT64_C(0xBF58476D1CE4E5B9) +
	             ((uint64_t)c->region << 1 | c->bf16) * UINT64_C(0x94D049BB133111EB);
	size_t k;

	for (k = (size_t)(h >> 32) & (cap - 1); g->context_slots[k]; k = (k + 1) & (cap - 1)) {
		const struct context *d = &g->contexts[g->context_slots[k] - 1];

		if (d->origin == c->origin && d->scope == c->scope && d->region == c->region &&
		    d->order == c->order && d->training == c->training && d->bf16 == c->bf16)
			break;
	}
	return k;
}

static void set_context(ad_graph *g, uint32_t context)
{
	g->context = context;
	g->path.context = (uint64_t)context << 32;
}

void find_context(ad_graph *g)
{
	struct context c = { g->origin, g->scope, g->region, g->order, g->training, g->bf16 };
	size_t cap = g->cap_contexts * 2, at;

	if (g->n_contexts == g->cap_contexts) {
		uint32_t *slots;

		set_context(g, UNKNOWN_CONTEXT); /* until the failure is cleared */
		if (!grow(&g->contexts, &g->cap_contexts, g->n_contexts + 1, sizeof *g->contexts)) {
			out_of_memory(g, sizeof *g->contexts);
			return;
		}
		cap = g->cap_contexts * 2;
		slots = calloc(cap, sizeof *slots);
		if (!slots) {
			g->cap_contexts = g->n_contexts;
			out_of_memory(g, cap * sizeof *slots);
			return;
		}
		free(g->context_slots);
		g->context_slots = slots;
		for (size_t k = 0; k < g->n_contexts; k++)
			slots[slot_of(g, &g->contexts[k], cap)] = (uint32_t)k + 1;
	}
	at = slot_of(g, &c, cap);
	if (!g->context_slots[at]) {
		g->contexts[g->n_contexts++] = c;
		g->context_slots[at] = (uint32_t)g->n_contexts;
	}
	set_context(g, g->context_slots[at]);
}

/* ---- the path ---------------------------------------------------------------------------------------- */

static ad_node *last_entry(const ad_graph *g)
{
	return g->path.n ? g->nodes[g->path.n - 1]->owner : NULL;
}

static ad_node **children(ad_graph *g)
{
	ad_node *last = last_entry(g);

	return last ? &last->child : &g->root_child;
}

bool make_room(ad_graph *g, size_t n)
{
	bool first = !g->path.calls;

	/* one more call: none, behind the last */
	if (!grow(&g->nodes, &g->cap_nodes, g->path.n + n, sizeof *g->nodes) ||
	    !grow(&g->path.calls, &g->cap_calls, g->path.n + n + 1, sizeof *g->path.calls))
		return false;
	if (first)
		end_path(g, 0);
	return true;
}

void set_path(ad_graph *g, size_t at, ad_node *x)
{
	uint64_t context = (uint64_t)x->context << 32;
	bool constant = !x->op && x->kind == AD_IS_CONSTANT && x->single && x->shape.rank == 0;

	g->nodes[at] = x;
	g->path.calls[at] = x->plain ? (struct ad_path_call){ context | x->number, x->pair[0], x->pair[1], x } :
	                    constant ? (struct ad_path_call){ context | NUMBER_OF_CONSTANT, NULL, NULL, x } :
	                               (struct ad_path_call){ .what = 0 };
}

void end_path(ad_graph *g, size_t n)
{
	g->n_path = n;
	g->path.calls[n] = (struct ad_path_call){ .what = 0 };
}

/* Puts an entry, one node with its outputs, at the end of the path. */
static void enter(ad_graph *g, ad_node *x)
{
	if (g->path.n >= g->n_path || g->nodes[g->path.n] != x) {
		for (int k = 0; k < x->n_out; k++)
			set_path(g, g->path.n + (size_t)k, x + k);
		end_path(g, g->path.n + x->n_out);
	}
	g->path.n += x->n_out;
}

/* Makes x the first child of what stands last, and enters it. */
static void adopt(ad_graph *g, ad_node *x)
{
	ad_node **first = children(g);

	x->sibling = *first;
	*first = x;
	enter(g, x);
}

/* Makes the entry at *at the first child, and enters it. */
static void follow(ad_graph *g, ad_node **at)
{
	ad_node *x = *at;

	*at = x->sibling;
	adopt(g, x);
}

static bool same_inputs(const ad_node *x, size_t n_in, ad_node *const in[])
{
	return x->n_in == n_in && (n_in == 0 || memcmp(x->in, in, n_in * sizeof *in) == 0);
}

/* Whether x is what this call would record now, but for the attributes. */
static bool is_same(const ad_graph *g, const ad_node *x, const ad_op *op, size_t n_in, ad_node *const in[])
{
	return x->op == op && x->context == g->context && (!op->random || x->ordinal == g->ordinal) &&
	       same_inputs(x, n_in, in);
}

ad_node *replay(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                bool (*same)(const ad_op *op, const void *a, const void *b))
{
	int looked = 0;

	if (g->node_by_node)
		return NULL;
	if (g->path.n < g->n_path) {
		ad_node *x = g->nodes[g->path.n];

		if (is_same(g, x, op, n_in, in) && same(op, x->attrs, attrs)) {
			g->path.n += x->n_out;
			g->ordinal += op->random;
			return x;
		}
	}
	for (ad_node **at = children(g); *at && looked < MOST_SIBLINGS; at = &(*at)->sibling, looked++) {
		ad_node *x = *at;

		if (!is_same(g, x, op, n_in, in) || !same(op, x->attrs, attrs))
			continue;
		follow(g, at);
		g->ordinal += op->random;
		return x;
	}
	return NULL;
}

/* A random number for each leaf, so that a set of leaves is known by their sum (SplitMix64's mixing). */
static uint64_t number_of(const ad_node *x)
{
	uint64_t z = (uint64_t)x->index * 2 + x->lasting + UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

void count_wish(ad_node *x, bool wants)
{
	ad_graph *g = x->graph;
	uint64_t change = wants ? number_of(x) : -number_of(x);

	*(x->lasting ? &g->wanting_lasting : &g->wanting) += change;
	/* marks behind it return to what is wished now */
	for (size_t k = g->n_marks; !x->lasting && k-- > 0 && g->marks[k].n_nodes > x->index;)
		g->marks[k].wanting += change;
}

bool set_name(ad_node *x, const char *name)
{
	ad_graph *g = x->graph;
	bool outlives = x->lasting || (g->n_marks && x->index < g->marks[g->n_marks - 1].n_nodes);

	if (!name || (x->name && strcmp(x->name, name) == 0)) {
		x->name = name ? x->name : NULL;
		return true;
	}
	/* names mostly repeat from step to step; where they do not, they go with the tree */
	x->name = g->n_texts < MOST_TEXTS ? intern(g, name) :
	          arena_copy_text(outlives ? &g->lasting_arena : &g->arena, name);
	return x->name != NULL;
}

static bool is_such_leaf(const ad_node *x, ad_kind kind, ad_type type, const ad_shape *shape,
                         const struct fixed *fixed)
{
	return !x->op && x->kind == kind && x->type == type && x->context == x->graph->context &&
	       ad_equal_shapes(&x->shape, shape) && (!fixed || x->graph->order == 0 || holds_fixed(x, fixed));
}

/* The leaf that followed here before, on the path of the last time or another; NULL if there is none. */
static ad_node *replay_leaf(ad_graph *g, ad_kind kind, ad_type type, const ad_shape *shape,
                            const struct fixed *fixed)
{
	int looked = 0;

	if (g->path.n < g->n_path && is_such_leaf(g->nodes[g->path.n], kind, type, shape, fixed))
		return g->nodes[g->path.n++];
	for (ad_node **at = children(g); *at && looked < MOST_SIBLINGS; at = &(*at)->sibling, looked++)
		if (is_such_leaf(*at, kind, type, shape, fixed)) {
			ad_node *x = *at;

			follow(g, at);
			return x;
		}
	return NULL;
}

ad_node *append_leaf(ad_graph *g, ad_kind kind, const char *name, ad_type type, ad_shape shape,
                     const struct fixed *fixed)
{
	ad_node *x = g->node_by_node ? NULL : replay_leaf(g, kind, type, &shape, fixed);

	if (x) {
		x->place = NOWHERE; /* no values yet: no plan is bound to it as it is */
		x->data = NULL;
		g->moves++;
		return set_name(x, name) ? x : NULL;
	}
	if (!make_room(g, 1) || !(x = arena_take(&g->arena, sizeof *x)))
		return NULL;
	fill_node(g, x, shape, type);
	x->kind = (uint8_t)kind;
	x->index = (uint32_t)g->path.n;
	if (!set_name(x, name))
		return NULL;
	adopt(g, x);
	return x;
}

void fill_node(ad_graph *g, ad_node *x, ad_shape shape, ad_type type)
{
	x->graph = g;
	x->owner = x;
	x->n_out = 1;
	x->in = x->pair;
	x->shape = shape;
	x->type = (uint8_t)type;
	x->context = g->context;
	x->scope = g->scope;
	x->region = g->region;
	x->order = g->order;
	x->origin = g->origin;
	ad_count_of(&shape, &x->count);
	x->single = x->count == 1 && type == AD_REAL;
}

ad_node *new_node(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                  size_t n_out, const ad_shape shapes[], const ad_type types[])
{
	size_t links = n_in > 2 ? n_in * sizeof(ad_node *) : 0, count;
	ad_node *y;

	for (size_t k = 0; k < n_out; k++)
		if (!ad_count_of(&shapes[k], &count)) {
			char text[192];

			return ad_fail(g, AD_ERROR_SHAPE, "%s: a result of shape %s is too large",
			               op->name, ad_print_shape(text, sizeof text, shapes[k]));
		}
	if (n_in > UINT16_MAX || n_out > UINT16_MAX)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: %zu inputs are too many (at most %d)",
		               op->name, n_in, UINT16_MAX);
	if (g->path.n + n_out >= UINT32_MAX)
		return ad_fail(g, AD_ERROR_MEMORY, "%s: a graph cannot have more nodes", op->name);
	if (!make_room(g, n_out))
		return out_of_memory(g, (g->path.n + n_out) * sizeof *g->path.calls);
	y = arena_take(&g->arena, n_out * sizeof *y + links);
	if (!y)
		return out_of_memory(g, n_out * sizeof *y + links);
	for (size_t k = 0; k < n_out; k++) {
		fill_node(g, &y[k], shapes[k], types[k]);
		y[k].op = op;
		y[k].owner = y;
		y[k].out = (uint16_t)k;
		y[k].attrs = attrs;
		y[k].index = (uint32_t)(g->path.n + k);
	}
	y->n_out = (uint16_t)n_out;
	y->n_in = (uint16_t)n_in;
	if (links)
		y->in = (ad_node **)(void *)(y + n_out);
	if (n_in)
		memcpy(y->in, in, n_in * sizeof *in);
	adopt(g, y);
	return y;
}

/* ---- calls ------------------------------------------------------------------------------------------- */

/* The type of an element-wise result: a mask, an index if every input is one and the op allows
 * it, else real. */
static ad_type map_type(const ad_op *op, size_t n, const ad_type types[], const ad_shape shapes[])
{
	bool index = false;

	if (op->gives_mask)
		return AD_BOOL;
	if (!op->integral)
		return AD_REAL;
	for (size_t i = 0; i < n; i++) {
		if (shapes[i].rank < 0)
			continue;
		if (types[i] == AD_REAL)
			return AD_REAL;
		index |= types[i] == AD_I32;
	}
	return index ? AD_I32 : AD_REAL;
}

static bool arity_fits(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[])
{
	size_t most = op->optional < 0 ? UINT16_MAX : (size_t)op->arity + (size_t)op->optional;

	if (n < (size_t)op->arity || n > most) {
		ad_fail(g, AD_ERROR_ARGUMENT,
		        op->optional < 0 ? "%s: %zu inputs given, it takes %d or more" :
		        op->optional > 0 ? "%s: %zu inputs given, it takes %d to %zu" :
		                           "%s: %zu inputs given, it takes %d",
		        op->name, n, op->arity, most);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!in[i] && (i < (size_t)op->arity || op->optional < 0)) {
			ad_fail(g, AD_ERROR_ARGUMENT, "%s: input %zu is missing (NULL)", op->name, i);
			return false;
		}
	return true;
}

static bool inputs_fit(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[])
{
	for (size_t i = 0; i < n; i++) {
		if (!in[i])
			continue;
		if (in[i]->graph != g) {
			ad_fail(g, AD_ERROR_TYPE, "%s: its inputs belong to different graphs",
			        op->name);
			return false;
		}
		if (in[i]->is_error)
			return false;
		if (!is_recorded(in[i])) {
			ad_fail(g, AD_ERROR_ARGUMENT,
			        "%s: its input %zu, %s, was released by ad_release and not recorded "
			        "since",
			        op->name, i, called(in[i]));
			return false;
		}
	}
	return arity_fits(g, op, n, in);
}

/* Whether the shape rule has set a result that there can be; a failure of the graph if not. */
static bool rule_holds(ad_infer *s)
{
	const char *op = s->op->name;

	if (!s->op->shape(s)) {
		if (ad_status_of(s->graph) == AD_OK)
			ad_fail(s->graph, AD_ERROR_SHAPE,
			        "%s: its shape rule refuses this and does not say why: see ad_refuse", op);
		return false;
	}
	if (s->n_out < 1 || s->n_out > AD_MAX_OUTPUTS) {
		ad_fail(s->graph, AD_ERROR_SHAPE, "%s: its shape rule gives %d outputs, of 1 to %d", op, s->n_out,
		        AD_MAX_OUTPUTS);
		return false;
	}
	for (int k = 0; k < s->n_out; k++)
		if (s->out[k].rank < 0 || s->out[k].rank > AD_MAX_RANK) {
			ad_fail(s->graph, AD_ERROR_SHAPE, "%s: its shape rule gives output %d %d axes, of 0 to %d", op, k,
			        s->out[k].rank, AD_MAX_RANK);
			return false;
		}
	return true;
}

/* A call that did not follow here before: the shape rule, a new node. in: as the kernel takes them. */
static ad_node *record_new(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[],
                           const void *attrs)
{
	ad_shape few_shapes[8], *shapes = few_shapes;
	ad_type few_types[8], *types = few_types;
	ad_node *y = NULL;
	ad_infer s;

	if (op->attrs && !(attrs = copy_attrs(g, op, attrs)))
		return g->error;
	if (n > 8) {
		shapes = malloc(n * (sizeof *shapes + sizeof *types));
		if (!shapes)
			return out_of_memory(g, n * sizeof *shapes);
		types = (ad_type *)(void *)(shapes + n);
	}
	for (size_t i = 0; i < n; i++) {
		shapes[i] = in[i] ? in[i]->shape : (ad_shape){ -1, { 0 } };
		types[i] = in[i] ? (ad_type)in[i]->type : AD_REAL;
	}
	s.graph = g;
	s.op = op;
	s.n_in = (int)n;
	s.in = shapes;
	s.in_type = types;
	s.attrs = attrs;
	s.n_out = 1;
	s.work = 0;
	s.out[0] = AD_SCALAR;
	s.out_type[0] = op->map ? map_type(op, n, types, shapes) : AD_REAL;
	for (int k = 1; k < AD_MAX_OUTPUTS; k++)
		s.out_type[k] = AD_REAL;
	y = rule_holds(&s) ? new_node(g, op, n, in, attrs, (size_t)s.n_out, s.out, s.out_type) : g->error;
	if (!y->is_error) {
		y->work = s.work;
		y->plain = n > 0 && n <= 2 && s.n_out == 1 && !op->attrs && !op->random;
		y->number = y->plain ? number_of_op(op, n) : 0;
		set_path(g, y->index, y);
		if (op->random)
			y->ordinal = g->ordinal++;
	}
	if (shapes != few_shapes)
		free(shapes);
	return y;
}

/* Ops put together from ops that are put together, and so on: as many levels as nobody needs. */
#define MOST_LEVELS 64

static ad_node *compose(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	static _Thread_local int level;
	ad_node *y;

	if (!check_words(g, op, attrs))
		return g->error;
	if (level == MOST_LEVELS)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: its .compose comes back to the op itself", op->name);
	level++;
	y = op->compose(g, in, (int)n, attrs);
	level--;
	if (y && y->graph == g)
		return y;
	return ad_fail(g, AD_ERROR_ARGUMENT, "%s: its .compose returns %s", op->name,
	               y ? "a node of another graph" : "NULL, no node");
}

ad_node *ad_record_on(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	ad_node *few[8], **taken = few, *y = NULL;

	if (!g || g->dead)
		return &dead_node;
	if (!inputs_fit(g, op, n, in))
		return g->error;
	if (op->attrs && !attrs && !(attrs = default_attrs(g, op)))
		return g->error;
	if (op->compose)
		return compose(g, op, n, in, attrs);
	if (n > 8 && !(taken = malloc(n * sizeof *taken)))
		return out_of_memory(g, n * sizeof *taken);
	for (size_t i = 0; i < n; i++) {
		taken[i] = in[i];
		if (in[i] && in[i]->type != AD_REAL && !op->map && !(op->as_is >> (i < 31 ? i : 31) & 1))
			taken[i] = engine_to_real(in[i]);
		if (taken[i] && taken[i]->is_error)
			y = g->error;
	}
	if (!y)
		y = replay(g, op, n, taken, attrs, same_attrs);
	if (!y)
		y = record_new(g, op, n, taken, attrs);
	if (taken != few)
		free(taken);
	return y;
}

/* On the graph of the first input that there is. Apart, so that ad_record saves no registers for it. */
static __attribute__((noinline)) ad_node *record_somewhere(const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	for (size_t i = 0; i < n; i++)
		if (in[i])
			return ad_record_on(in[i]->graph, op, n, in, attrs);
	return &dead_node;
}

/* Whether the call, of the same inputs, is of that op and in that context. */
static inline bool is_call_of(const struct ad_path_call *c, uint64_t context, const ad_op *op, size_t n)
{
	uint32_t number = number_of_op(op, n);

	if (number && c->what == (context | number))
		return true;
	return c->what == context && c->y->op == op && c->y->n_in == n;
}

ad_node *ad_record(const ad_op *op, size_t n, ad_node *const in[], const void *attrs)
{
	ad_node *a = n ? in[0] : NULL;

	if (a && a != &dead_node) {
		/* a long step passes so many nodes that none of them is in the cache: a is not looked at */
		const struct ad_slab *slab = slab_of(a);
		struct ad_path *path = slab->self == slab ? slab->path : &a->graph->path;
		const struct ad_path_call *last = &path->calls[path->n];

		/* the same call as the last time, in most of the cases where speed counts */
		if (last->a == a && last->b == (n > 1 ? in[1] : NULL) && n <= 2 && is_call_of(last, path->context, op, n)) {
			path->n++;
			return last->y;
		}
	}
	return record_somewhere(op, n, in, attrs);
}

/* ---- marks ------------------------------------------------------------------------------------------- */

size_t ad_mark(ad_graph *g)
{
	struct position *last = g->n_marks ? &g->marks[g->n_marks - 1] : NULL;

	if (g->dead)
		return 0;
	if (last && last->n_nodes == g->path.n && last->n_scopes == g->n_scopes &&
	    last->scope == g->scope) {
		last->wanting = g->wanting;
		return g->n_marks - 1;
	}
	if (!grow(&g->marks, &g->cap_marks, g->n_marks + 1, sizeof *g->marks)) {
		out_of_memory(g, sizeof *g->marks);
		return SIZE_MAX;
	}
	g->marks[g->n_marks] = (struct position){ g->path.n, arena_mark(&g->arena), g->ordinal,
		                                  g->n_scopes, g->scope, g->n_regions, g->wanting };
	return g->n_marks++;
}

/* Whether the tree holds more than the path to p is worth. */
static bool tree_is_large(const ad_graph *g, const struct position *p, size_t path_nodes)
{
	size_t bytes = g->arena.bytes - p->arena.bytes + g->owned + g->plan_bytes;
	size_t grant = TREE_BYTES, path = path_nodes * (sizeof(ad_node) + 64);

	if (g->memory_limit && g->memory_limit / 4 < grant)
		grant = g->memory_limit / 4;
	if (bytes <= grant)
		return false;
	/* its own leaves are worth what they take */
	for (size_t k = 0; k < g->n_owners; k++) {
		const ad_node *x = g->owners[k];

		if (x->index >= p->n_nodes && x->index < p->n_nodes + path_nodes && g->nodes[x->index] == x)
			path += x->count * element_size(g, (ad_type)x->type);
	}
	return bytes > TREE_STREAMS * path;
}

/* Cuts the tree back to the path nodes[0..path.n-1] and gives the memory back. */
static void cut_tree(ad_graph *g, const struct position *p)
{
	size_t kept = 0;

	drop_plans(g, false);
	drop_sweeps(g);
	for (size_t k = 0; k < g->n_owners; k++) {
		ad_node *x = g->owners[k];

		if (is_recorded(x))
			g->owners[kept++] = x;
		else
			forget_memory(x);
	}
	g->n_owners = kept;
	for (size_t k = 0; k < g->path.n; k += g->nodes[k]->n_out) {
		ad_node *x = g->nodes[k], *next = k + x->n_out < g->path.n ? g->nodes[k + x->n_out] : NULL;

		x->child = next;
		x->sibling = NULL;
	}
	g->root_child = g->path.n ? g->nodes[0] : NULL;
	end_path(g, g->path.n);
	arena_release(&g->arena, p->arena);
}

static void note_release(ad_graph *g, size_t depth)
{
	while (g->n_released && g->released[g->n_released - 1].depth > depth)
		g->n_released--;
	if (g->n_released == 0 || g->released[g->n_released - 1].depth < depth) {
		if (!grow(&g->released, &g->cap_released, g->n_released + 1, sizeof *g->released)) {
			out_of_memory(g, sizeof *g->released);
			return;
		}
		g->n_released++;
	}
	g->released_at = ++g->clock;
	g->released[g->n_released - 1] = (struct released){ depth, g->clock };
}

void ad_release(ad_graph *g, size_t mark)
{
	struct position *p;
	size_t path_nodes;

	if (g->dead)
		return;
	if (mark >= g->n_marks) {
		ad_fail(g, AD_ERROR_ARGUMENT, "release: %zu is no mark of this graph", mark);
		return;
	}
	p = &g->marks[mark];
	g->n_marks = mark + 1;
	path_nodes = g->path.n - p->n_nodes;
	g->path.n = p->n_nodes;
	note_release(g, p->n_nodes);
	for (size_t k = 0; g->n_assigned && k < g->n_lasting; k++) {
		ad_node *next = g->lasting[k]->assign;

		if (next && !is_recorded(next))
			g->lasting[k]->assign = NULL, g->n_assigned--;
	}
	/* a param's scope ends here, and the scope's number will stand for another */
	for (size_t k = 0; g->n_scopes != p->n_scopes && k < g->n_lasting; k++)
		if (g->lasting[k]->scope >= p->n_scopes)
			g->lasting[k]->scope = p->scope;
	if (g->swept && g->swept_nodes > g->path.n)
		g->swept = NULL;
	g->ordinal = p->ordinal;
	g->wanting = p->wanting;
	g->n_scopes = p->n_scopes;
	g->n_regions = p->n_regions;
	if (g->scope != p->scope || g->origin || g->region) {
		g->origin = NULL;
		g->scope = p->scope;
		g->region = g->depth = 0;
		find_context(g);
	}
	let_go(g, p->n_nodes);
	if (g->node_by_node || tree_is_large(g, p, path_nodes))
		cut_tree(g, p);
}

/* ---- scopes and origins ------------------------------------------------------------------------------- */

void ad_set_origin(ad_graph *g, const char *where)
{
	if (g->dead)
		return;
	g->origin = where ? intern(g, where) : NULL;
	if (where && !g->origin)
		out_of_memory(g, strlen(where) + 1);
	find_context(g);
}

void ad_scope_begin(ad_graph *g, const char *name)
{
	size_t cap = (size_t)g->cap_scopes;
	const char *text;

	if (g->dead)
		return;
	text = intern(g, name ? name : "");
	if (!text || !grow(&g->scopes, &cap, (size_t)g->n_scopes + 2, sizeof *g->scopes)) {
		out_of_memory(g, sizeof *g->scopes);
		return;
	}
	g->cap_scopes = (int)cap;
	if (g->n_scopes == 0)
		g->scopes[g->n_scopes++] = (struct scope){ "", -1 };
	g->scopes[g->n_scopes] = (struct scope){ text, g->scope };
	g->scope = g->n_scopes++;
	find_context(g);
}

void ad_scope_end(ad_graph *g)
{
	if (g->scope <= 0)
		return;
	g->scope = g->scopes[g->scope].parent;
	find_context(g);
}

int ad_scopes(const ad_graph *g)
{
	return g->n_scopes ? g->n_scopes : 1;
}

const char *ad_scope_name(const ad_graph *g, int scope)
{
	return scope > 0 && scope < g->n_scopes ? g->scopes[scope].name : "";
}

int ad_scope_parent(const ad_graph *g, int scope)
{
	return scope > 0 && scope < g->n_scopes ? g->scopes[scope].parent : -1;
}

/* ---- checkpoints --------------------------------------------------------------------------------------- */

void ad_checkpoint_begin(ad_graph *g)
{
	if (g->dead || g->depth++ > 0)
		return;
	g->region = ++g->n_regions;
	find_context(g);
}

void ad_checkpoint_end(ad_graph *g)
{
	if (g->dead || g->depth == 0 || --g->depth > 0)
		return;
	g->region = 0;
	find_context(g);
}
