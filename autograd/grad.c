/*
 * grad: the reverse sweep. Gradients are nodes, recorded like any others.
 *
 * The sweep goes down the nodes in reverse order of recording, which is a topological order. Each op
 * on a path from y to a wanted x passes on what has arrived at its outputs: by its grad function, or,
 * where it has a backward kernel, by one node that stands for that kernel. A sweep through single numbers
 * alone is one node, a tape. Sweeping over such a node (a second derivative) first expands it through
 * grad. Contributions of several uses are added, and summed over broadcast axes, here and nowhere else.
 */
#include "graph.h"

#include <stdio.h>

const ad_op backward_op = { .name = "backward" };
const ad_op tape_op = { .name = "sweep" };

bool ad_wants(const ad_node *y, int i)
{
	const bool *wants = y->graph->wants;

	return wants ? wants[i] : y->owner->in[i] != NULL;
}

static bool has_kernel(const ad_op *op)
{
	return op->dmap || op->backward;
}

static bool same_backward(const ad_op *op, const void *a, const void *b)
{
	const struct backward *x = a, *y = b;

	(void)op;
	return x->y == y->y && x->n == y->n && memcmp(x->which, y->which, x->n * sizeof *x->which) == 0;
}

/* The backward node of y for the inputs b->which[0..b->n-1]; in as they stand before the struct. */
static ad_node *new_backward(ad_node *y, size_t n_in, ad_node *const in[], const struct backward *b)
{
	ad_graph *g = y->graph;
	struct backward *copy = arena_take(&g->arena, sizeof *copy);
	ad_shape few_shapes[8], *shapes = few_shapes;
	ad_type few_types[8], *types = few_types;
	ad_node *node;

	if (b->n > 8)
		shapes = malloc(b->n * (sizeof *shapes + sizeof *types));
	if (!copy || !shapes || !(copy->which = arena_take(&g->arena, b->n * sizeof *b->which))) {
		if (shapes != few_shapes)
			free(shapes);
		return out_of_memory(g, b->n * sizeof *shapes);
	}
	if (b->n > 8)
		types = (ad_type *)(void *)(shapes + b->n);
	copy->y = y;
	copy->n = b->n;
	memcpy(copy->which, b->which, b->n * sizeof *b->which);
	for (size_t k = 0; k < b->n; k++) {
		shapes[k] = y->op->dmap ? y->shape : y->in[b->which[k]]->shape;
		types[k] = AD_REAL;
	}
	node = new_node(g, &backward_op, n_in, in, copy, b->n, shapes, types);
	for (size_t k = 0; !node->is_error && k < b->n; k++) {
		node->work = y->work;
		node->ordinal = y->ordinal;
		node[k].scope = y->scope;
	}
	if (shapes != few_shapes)
		free(shapes);
	return node;
}

/* y's gradient kernel as a node; its outputs go to dx[i] where wants[i]. */
static bool record_backward(ad_node *y, ad_node *const dy[], const bool wants[], ad_node *dx[])
{
	ad_graph *g = y->graph;
	size_t n_in = y->n_in, n_out = y->n_out, n = n_in + 2 * n_out;
	int reads = y->op->reads ? y->op->reads : AD_READS_INPUTS | AD_READS_OUTPUTS;
	ad_node *few_in[16] = { NULL }, **in = few_in, *node;
	int few_which[16];
	struct backward b = { y, 0, few_which };

	if (n > 16 && !(in = calloc(n, sizeof *in + sizeof *b.which))) {
		out_of_memory(g, n * sizeof *in);
		return false;
	}
	if (n > 16)
		b.which = (int *)(void *)(in + n);
	for (size_t i = 0; i < n_in; i++) {
		if (reads & AD_READS_INPUTS)
			in[i] = y->in[i];
		if (wants[i])
			b.which[b.n++] = (int)i;
	}
	for (size_t j = 0; j < n_out; j++) {
		if (reads & AD_READS_OUTPUTS)
			in[n_in + j] = y + j;
		in[n_in + n_out + j] = dy[j];
	}
	node = replay(g, &backward_op, n, in, &b, same_backward);
	if (!node)
		node = new_backward(y, n, in, &b);
	for (size_t k = 0; !node->is_error && k < b.n; k++)
		dx[b.which[k]] = node + k;
	if (in != few_in)
		free(in);
	return !node->is_error;
}

/* Calls the op's own grad, with the scope of the op, and checks what it left. */
static bool call_grad(ad_node *y, ad_node *const dy[], const bool wants[], ad_node *dx[])
{
	ad_graph *g = y->graph;
	const char *origin = g->origin;
	int scope = g->scope;

	if (!y->op->grad) {
		static const char *const th[] = { "th", "st", "nd", "rd" };

		ad_fail(g, AD_ERROR_GRADIENT, "%s: it has no derivative of %d%s order", y->op->name,
		        g->order, th[g->order < 4 ? g->order : 0]);
		return false;
	}
	g->wants = wants;
	g->scope = y->scope;
	g->origin = y->origin;
	find_context(g);
	y->op->grad(y, dy, dx);
	g->scope = scope;
	g->origin = origin;
	find_context(g);
	g->wants = NULL;
	for (int i = 0; i < y->n_in; i++)
		if (wants[i] && !dx[i]) {
			ad_fail(g, AD_ERROR_GRADIENT, "%s: it has no derivative for input %d",
			        y->op->name, i);
			return false;
		}
	return g->status == AD_OK;
}

/* Adds c to what has arrived at x. */
static bool arrive(ad_node *x, ad_node *c, ad_node **use)
{
	if (ad_is_error(c))
		return false;
	if (!ad_equal_shapes(&c->shape, &x->shape))
		c = engine_sum_to(c, x->shape);
	if (use)
		*use = c;
	x->sum = x->sum ? engine_add(x->sum, c) : c;
	return !x->sum->is_error;
}

struct lists {
	size_t cap;
	bool *wants;
	ad_node **dy, **dx;
};

static bool lists_hold(struct lists *l, size_t n)
{
	if (n <= l->cap)
		return true;
	free(l->wants);
	free(l->dy);
	free(l->dx);
	l->cap = n < 16 ? 16 : n * 2;
	l->wants = calloc(l->cap, sizeof *l->wants);
	l->dy = calloc(l->cap, sizeof(ad_node *));
	l->dx = calloc(l->cap, sizeof(ad_node *));
	return l->wants && l->dy && l->dx;
}

/* Whether anything has arrived at an output of y, and y leads on to a wanted leaf. Fills the lists. */
static bool ready(ad_node *y, struct lists *l)
{
	bool arrived = false, wanted = false;

	for (int k = 0; k < y->n_out; k++) {
		l->dy[k] = y[k].on_path ? y[k].sum : NULL;
		arrived |= l->dy[k] != NULL;
	}
	if (!arrived || y->op->flat)
		return false;
	for (int i = 0; i < y->n_in; i++) {
		l->wants[i] = y->in[i] && y->in[i]->on_path;
		wanted |= l->wants[i];
		l->dx[i] = NULL;
	}
	return wanted;
}

static bool pass_on(ad_node *y, struct lists *l, bool keep)
{
	ad_graph *g = y->graph;

	if (keep && !y->use_grad) {
		y->use_grad = arena_take(&g->arena, y->n_in * sizeof *y->use_grad);
		if (!y->use_grad) {
			out_of_memory(g, y->n_in * sizeof *y->use_grad);
			return false;
		}
	}
	for (int i = 0; i < y->n_in; i++)
		if (l->wants[i] &&
		    !arrive(y->in[i], l->dx[i], keep ? &y->use_grad[i] : NULL))
			return false;
	return true;
}

/* What is recorded now computes in the precision of x. */
static void take_precision(ad_graph *g, const ad_node *x)
{
	if (g->bf16 != in_bf16(g, x)) {
		g->bf16 = !g->bf16;
		find_context(g);
	}
}

/* Records a node again, of what has been recorded again: the same values, computed a second time. */
static bool record_twin(ad_node *y)
{
	ad_graph *g = y->graph;
	ad_node *few[8], **in = few, *twin;
	ad_shape few_shapes[8], *shapes = few_shapes;
	ad_type few_types[8], *types = few_types;
	uint32_t ordinal = g->ordinal;

	g->ordinal = y->ordinal; /* the same random numbers, not new ones */
	take_precision(g, y);
	if (y->n_in > 8)
		in = malloc(y->n_in * sizeof *in);
	if (y->n_out > 8) {
		shapes = malloc(y->n_out * sizeof *shapes);
		types = malloc(y->n_out * sizeof *types);
	}
	if (in && shapes && types) {
		for (int i = 0; i < y->n_in; i++)
			in[i] = y->in[i] && y->in[i]->twin ? y->in[i]->twin : y->in[i];
		for (int k = 0; k < y->n_out; k++)
			shapes[k] = y[k].shape, types[k] = (ad_type)y[k].type;
		twin = replay(g, y->op, y->n_in, in, y->attrs, same_attrs);
		if (!twin)
			twin = new_node(g, y->op, y->n_in, in, y->attrs, y->n_out, shapes, types);
	} else {
		twin = out_of_memory(g, y->n_out * sizeof *shapes);
	}
	g->ordinal = ordinal;
	for (int k = 0; !twin->is_error && k < y->n_out; k++) {
		twin[k].work = y[k].work;
		twin[k].ordinal = y[k].ordinal;
		twin[k].scope = y[k].scope;
		y[k].twin = &twin[k];
	}
	if (in != few)
		free(in);
	if (shapes != few_shapes)
		free(shapes);
	if (types != few_types)
		free(types);
	return !twin->is_error;
}

/* The sweep comes into a checkpoint, at its last node y: its nodes are recorded again. */
static bool enter_region(ad_node *y)
{
	ad_graph *g = y->graph;
	size_t from = y->index, to = y->index + (size_t)1;

	while (from > 0 && g->nodes[from - 1]->region == y->region)
		from--;
	for (size_t k = from; k < to; k++) {
		ad_node *z = g->nodes[k];

		if (z->op && z->op != &backward_op && z->owner == z && !record_twin(z))
			return false;
	}
	take_precision(g, y);
	return true;
}

/* One op of the sweep that is no backward node. */
static bool step_down(ad_node *y, struct lists *l, bool keep)
{
	size_t n = (size_t)y->n_in + y->n_out;
	ad_node *of;

	if (!lists_hold(l, n)) {
		out_of_memory(y->graph, n * sizeof(ad_node *));
		return false;
	}
	if (!ready(y, l))
		return true;
	if (y->region && !y->twin && !enter_region(y))
		return false;
	of = y->region ? y->twin : y;
	/* what arrives at a sum goes on as it is: a kernel would copy it */
	if (has_kernel(y->op) && y->op != engine_add_op() ? !record_backward(of, l->dy, l->wants, l->dx) :
	                        !call_grad(of, l->dy, l->wants, l->dx))
		return false;
	return pass_on(y, l, keep);
}

/* Whether gradients flow through an op: from any of its inputs to its real outputs. */
static void put_on_path(ad_node *y)
{
	bool path = false;

	if (!y->op || y->owner != y || y->op->flat)
		return;
	for (int i = 0; i < y->n_in; i++)
		path |= y->in[i] && y->in[i]->on_path;
	if (path)
		for (int k = 0; k < y->n_out; k++)
			y[k].on_path |= y[k].type == AD_REAL;
}

/* The gradients that a backward node stands for, in terms of ops: e[k] for its output k. */
static bool unfold_backward(ad_node *node, struct lists *inner, ad_node *e[])
{
	const struct backward *b = node->attrs;
	ad_graph *g = node->graph;
	ad_node *y = b->y, **dy = node->in + y->n_in + y->n_out;
	size_t n = (size_t)y->n_in + y->n_out;

	if (!lists_hold(inner, n)) {
		out_of_memory(g, n * sizeof(ad_node *));
		return false;
	}
	for (int i = 0; i < y->n_in; i++) {
		inner->wants[i] = false;
		inner->dx[i] = NULL;
	}
	for (int k = 0; k < node->n_out; k++)
		inner->wants[b->which[k]] = true;
	if (!call_grad(y, dy, inner->wants, inner->dx))
		return false;
	for (int k = 0; k < node->n_out; k++)
		e[k] = inner->dx[b->which[k]];
	return true;
}

/* What a sweep keeps in the nodes that a tape passes, put aside while another sweep passes them. */
struct aside {
	ad_node *node, *sum;
	bool on_path;
};

static void put_aside(struct aside *a, ad_node *x, bool on_path)
{
	*a = (struct aside){ x, x->sum, x->on_path };
	x->sum = NULL;
	x->on_path = on_path;
}

/* The same for a tape: its sweep, recorded op by op. */
static bool unfold_tape(ad_node *node, struct lists *inner, ad_node *e[])
{
	const struct tape *t = node->attrs;
	ad_graph *g = node->graph;
	ad_node *y = t->nodes[t->n - 1];
	struct aside *aside;
	size_t n = t->n + t->n_x;
	bool ok = true;

	for (size_t k = 0; k < t->n; k++)
		n += t->nodes[k]->n_in;
	aside = malloc(n * sizeof *aside);
	if (!aside) {
		out_of_memory(g, n * sizeof *aside);
		return false;
	}
	n = 0;
	/* what leads nowhere first: the same node may be an input and on the way */
	for (size_t k = 0; k < t->n; k++)
		for (int i = 0; i < t->nodes[k]->n_in; i++)
			put_aside(&aside[n++], t->nodes[k]->in[i], false);
	for (size_t k = 0; k < t->n; k++)
		put_aside(&aside[n++], t->nodes[k], true);
	for (size_t k = 0; k < t->n_x; k++)
		put_aside(&aside[n++], t->x[k], true);
	y->sum = engine_full(g, y->shape, 1);
	ok = !y->sum->is_error;
	for (size_t k = t->n; ok && k-- > 0;)
		ok = step_down(t->nodes[k], inner, false);
	for (size_t k = 0; k < t->n_x; k++)
		e[k] = t->x[k]->sum;
	while (n-- > 0) {
		aside[n].node->sum = aside[n].sum;
		aside[n].node->on_path = aside[n].on_path;
	}
	free(aside);
	return ok;
}

/* A node that stands for others: records them in terms of ops, and sweeps over those. They depend on
 * older nodes and on each other only, so one range takes them all. */
static bool expand(ad_node *node, struct lists *l, struct lists *inner)
{
	ad_graph *g = node->graph;
	size_t from = g->path.n, to;
	ad_node **e;
	bool ok;

	if (!lists_hold(l, (size_t)node->n_in + node->n_out)) {
		out_of_memory(g, node->n_in * sizeof(ad_node *));
		return false;
	}
	if (!ready(node, l))
		return true;
	e = calloc(node->n_out, sizeof *e);
	if (!e) {
		out_of_memory(g, node->n_out * sizeof *e);
		return false;
	}
	ok = node->op == &tape_op ? unfold_tape(node, inner, e) : unfold_backward(node, inner, e);
	for (int k = 0; ok && k < node->n_out; k++) {
		if (!ad_equal_shapes(&e[k]->shape, &node[k].shape))
			e[k] = engine_sum_to(e[k], node[k].shape);
		ok = !e[k]->is_error;
	}
	to = g->path.n;
	/* grad may read what the kernel did not, so the sweep must come by there too */
	for (size_t k = from; ok && k < to; k++) {
		const ad_node *z = g->nodes[k];

		put_on_path(g->nodes[k]);
		for (int i = 0; z->owner == z && i < z->n_in; i++)
			if (z->in[i])
				z->in[i]->mark = node->mark;
	}
	for (int k = 0; ok && k < node->n_out; k++) {
		e[k]->mark = node->mark;
		if (node[k].sum && e[k]->on_path)
			ok = arrive(e[k], node[k].sum, NULL);
	}
	free(e);
	for (size_t k = to; ok && k-- > from;) {
		ad_node *z = g->nodes[k];

		/* what a tape stands for are backward nodes in their turn */
		if (z->owner == z && z->op)
			ok = z->op == &backward_op ? expand(z, l, inner) : step_down(z, l, false);
	}
	return ok;
}

/* Which nodes lie on a way from a wanted x to y, or beyond it. */
static void find_paths(ad_graph *g, const ad_node *y, size_t n, ad_node *const x[])
{
	for (size_t k = 0; k < g->n_lasting; k++)
		g->lasting[k]->on_path = false;
	for (size_t k = 0; k < g->path.n; k++)
		g->nodes[k]->on_path = false;
	for (size_t k = 0; k < n; k++)
		x[k]->on_path = x[k]->type == AD_REAL;
	for (size_t k = 0; !y->lasting && k <= y->index; k++)
		put_on_path(g->nodes[k]);
}

/* Records the sweep; what arrives at a node is left in its sum. The caller resets the sums. */
static bool sweep(ad_graph *g, ad_node *y, ad_node *dy, size_t n, ad_node *const x[], bool keep)
{
	struct lists l = { 0 }, inner = { 0 };
	bool ok = true;
	uint32_t walk = ++g->walk;
	uint8_t order = g->order;
	uint32_t region = g->region;
	bool bf16 = g->bf16;
	size_t top = y->lasting ? 0 : y->index + (size_t)1;

	find_paths(g, y, n, x);
	if (!y->on_path)
		return true;
	y->mark = walk;
	y->sum = dy;
	g->order = (uint8_t)(y->order < 255 ? y->order + 1 : 255);
	g->region = 0;
	find_context(g);
	for (size_t k = top; ok && k-- > 0;) {
		ad_node *z = g->nodes[k];

		if (z->mark != walk)
			continue;
		if (z->owner != z) {
			z->owner->mark = walk;
			continue;
		}
		for (int i = 0; i < z->n_in; i++)
			if (z->in[i])
				z->in[i]->mark = walk;
		take_precision(g, z);
		if (z->op)
			ok = z->op == &backward_op || z->op == &tape_op ? expand(z, &l, &inner) :
			                                                  step_down(z, &l, keep);
	}
	g->order = order;
	g->region = region;
	g->bf16 = bf16;
	find_context(g);
	free(l.wants);
	free(l.dy);
	free(l.dx);
	free(inner.wants);
	free(inner.dy);
	free(inner.dx);
	return ok;
}

static void reset_sums(ad_graph *g)
{
	for (size_t k = 0; k < g->n_lasting; k++)
		g->lasting[k]->sum = NULL;
	for (size_t k = 0; k < g->path.n; k++)
		g->nodes[k]->sum = g->nodes[k]->twin = NULL;
}

/* A sweep inside an op's grad, so inside another sweep: what that one has noted at the nodes. */
struct outer {
	const bool *wants;
	size_t n;
	struct noted {
		ad_node *sum, *twin;
		uint32_t mark;
		bool on_path;
	} *noted;
};

static bool outer_begin(ad_graph *g, struct outer *o)
{
	o->wants = g->wants;
	o->noted = NULL;
	o->n = ad_nodes(g);
	if (!g->wants)
		return true;
	o->noted = malloc((o->n + 1) * sizeof *o->noted);
	if (!o->noted) {
		out_of_memory(g, o->n * sizeof *o->noted);
		return false;
	}
	for (size_t k = 0; k < o->n; k++) {
		const ad_node *z = ad_node_at(g, k);

		o->noted[k] = (struct noted){ z->sum, z->twin, z->mark, z->on_path };
	}
	reset_sums(g);
	return true;
}

static void outer_end(ad_graph *g, struct outer *o)
{
	for (size_t k = 0; o->noted && k < o->n; k++) {
		ad_node *z = ad_node_at(g, k);

		z->sum = o->noted[k].sum;
		z->twin = o->noted[k].twin;
		z->mark = o->noted[k].mark;
		z->on_path = o->noted[k].on_path;
	}
	g->wants = o->wants;
	free(o->noted);
}

bool ad_grads(ad_node *y, ad_node *dy, size_t n, ad_node *const x[], ad_node *dx[])
{
	ad_graph *g = ad_graph_of(y);
	bool ok = !ad_is_error(y) && !ad_is_error(dy);
	struct outer outer;

	for (size_t k = 0; k < n; k++) {
		ok = ok && !ad_is_error(x[k]);
		dx[k] = g->error;
	}
	if (!ok)
		return false;
	for (size_t k = 0; k < n; k++)
		if (x[k]->graph != g || dy->graph != g) {
			ad_fail(g, AD_ERROR_TYPE, "grads: its nodes belong to different graphs");
			return false;
		} else if (x[k]->type != AD_REAL) {
			ad_fail(g, AD_ERROR_TYPE,
			        "grads: %s holds no reals, so it has no gradient", called(x[k]));
			return false;
		}
	if (y->type != AD_REAL || !ad_equal_shapes(&y->shape, &dy->shape)) {
		ad_fail(g, AD_ERROR_SHAPE, "grads: dy must be real and have the shape of y");
		return false;
	}
	if (!outer_begin(g, &outer))
		return false;
	ok = sweep(g, y, dy, n, x, false);
	for (size_t k = 0; ok && k < n; k++) {
		dx[k] = x[k]->sum ? x[k]->sum : engine_full(g, x[k]->shape, 0);
		ok = !dx[k]->is_error;
	}
	reset_sums(g);
	outer_end(g, &outer);
	for (size_t k = 0; !ok && k < n; k++)
		dx[k] = g->error;
	return ok;
}

ad_node *ad_grad(ad_node *y, ad_node *x)
{
	ad_graph *g = ad_graph_of(y);
	ad_node *dx;

	if (ad_is_error(y) || ad_is_error(x))
		return g->error;
	if (y->count != 1) {
		char text[192];

		return ad_fail(g, AD_ERROR_SHAPE,
		               "grad: %s of shape %s is no single number; see ad_grads", called(y),
		               ad_print_shape(text, sizeof text, y->shape));
	}
	ad_grads(y, engine_full(g, y->shape, 1), 1, &x, &dx);
	return dx;
}

/* ---- the sweep that users see ---------------------------------------------------------------------- */

void drop_sweeps(ad_graph *g)
{
	for (size_t k = 0; k < g->n_lasting + g->path.n; k++) {
		ad_node *x = k < g->n_lasting ? g->lasting[k] : g->nodes[k - g->n_lasting];

		if (x->grad && !is_recorded(x->grad))
			x->grad = NULL;
		for (struct sweep **at = &x->sweeps; *at;)
			if (is_recorded((*at)->nodes[(*at)->to - (*at)->from - 1]))
				at = &(*at)->next;
			else
				*at = (*at)->next;
		for (int i = 0; x->use_grad && i < x->n_in; i++)
			if (x->use_grad[i] && !is_recorded(x->use_grad[i])) {
				x->use_grad = NULL;
				break;
			}
	}
}

static bool wants_gradient(const ad_node *x)
{
	return !x->op && x->wants;
}

/* Whether the sweep from y passes element-wise ops on single numbers alone; if so it is recorded as one
 * node, which gives the gradients of those x that it reaches. NULL if not, or on failure. */
static ad_node *record_tape(ad_node *y, size_t n, ad_node *const x[])
{
	ad_graph *g = y->graph;
	uint32_t walk = ++g->walk;
	struct arena_mark mark = arena_mark(&g->arena);
	struct tape *t = NULL;
	ad_node *node = NULL;
	ad_shape *shapes;
	ad_type *types;
	size_t passed = 0;

	if (y->lasting || !y->op)
		return NULL;
	find_paths(g, y, n, x);
	y->mark = walk;
	for (size_t k = y->index + (size_t)1; k-- > 0;) {
		ad_node *z = g->nodes[k];

		if (z->mark != walk || !z->op || !z->on_path)
			continue;
		if (!is_scalar(z) || !z->op->dmap)
			return NULL;
		for (int i = 0; i < z->n_in; i++)
			z->in[i]->mark = walk;
		passed++;
	}
	if (passed == 0 || !(t = arena_take(&g->arena, sizeof *t)) ||
	    !(t->nodes = arena_take(&g->arena, (passed + n) * sizeof *t->nodes)))
		return NULL;
	t->x = t->nodes + passed;
	for (size_t k = 0; k <= y->index; k++)
		if (g->nodes[k]->mark == walk && g->nodes[k]->op && g->nodes[k]->on_path)
			t->nodes[t->n++] = g->nodes[k];
	for (size_t k = 0; k < n; k++)
		if (x[k]->mark == walk)
			t->x[t->n_x++] = x[k];
	shapes = malloc((t->n_x + 1) * (sizeof *shapes + sizeof *types));
	if (shapes && t->n_x > 0 && t->n_x < UINT16_MAX) {
		types = (ad_type *)(void *)(shapes + t->n_x);
		for (size_t k = 0; k < t->n_x; k++)
			shapes[k] = t->x[k]->shape, types[k] = AD_REAL;
		node = new_node(g, &tape_op, 1, &y, t, t->n_x, shapes, types);
		for (size_t k = 0; !node->is_error && k < t->n_x; k++) {
			node[k].order = (uint8_t)(y->order < 255 ? y->order + 1 : 255);
			node[k].region = 0;
			t->x[k]->grad = node + k;
		}
	}
	free(shapes);
	if (!node)
		arena_release(&g->arena, mark);
	return node;
}

/* The sweep from y that was recorded here before, for the same leaves. */
static struct sweep *find_sweep(const ad_graph *g, const ad_node *y)
{
	if (g->keep_all || g->node_by_node)
		return NULL;
	for (struct sweep *s = y->sweeps; s; s = s->next)
		if (s->from == g->path.n && s->before == (g->path.n ? g->nodes[g->path.n - 1] : NULL) &&
		    s->ordinal_before == g->ordinal && s->context == g->context && s->watch == g->watch &&
		    s->wanting == g->wanting && s->wanting_lasting == g->wanting_lasting)
			return s;
	return NULL;
}

/* Takes up a sweep: its nodes are recorded again, its gradients are those of the leaves. */
static void take_up(ad_graph *g, const struct sweep *s)
{
	bool there = g->n_path >= s->to;

	/* the path beyond is the one of the last time, or another */
	for (size_t k = s->to; there && k > s->from; k = s->from)
		there = g->nodes[k - 1] == s->nodes[k - 1 - s->from];
	if (!there) {
		for (size_t k = s->from; k < s->to; k++)
			set_path(g, k, s->nodes[k - s->from]);
		end_path(g, s->to);
	}
	g->path.n = s->to;
	g->ordinal = s->ordinal;
	for (size_t k = 0; k < s->n; k++)
		s->x[k]->grad = s->dx[k];
}

/* Notes the sweep that has been recorded from y since from, for the leaves x. */
static void note_sweep(ad_node *y, size_t from, uint32_t ordinal, size_t n, ad_node *const x[])
{
	ad_graph *g = y->graph;
	size_t nodes = g->path.n - from;
	struct sweep *s;

	if (g->keep_all || g->node_by_node)
		return;
	/* without memory it is recorded again the next time */
	s = arena_take(&g->arena, sizeof *s + (nodes + 3 * n + 1) * sizeof(ad_node *));
	if (!s)
		return;
	*s = (struct sweep){ .next = y->sweeps, .from = from, .to = g->path.n, .n = n,
		             .before = from ? g->nodes[from - 1] : NULL,
		             .context = g->context, .watch = g->watch,
		             .wanting = g->wanting, .wanting_lasting = g->wanting_lasting,
		             .ordinal_before = ordinal, .ordinal = g->ordinal };
	s->nodes = (ad_node **)(void *)(s + 1);
	s->x = s->nodes + nodes;
	s->dx = s->x + n;
	s->roots = s->dx + n;
	memcpy(s->nodes, g->nodes + from, nodes * sizeof *s->nodes);
	s->roots[s->n_roots++] = y;
	for (size_t k = 0; k < n; k++) {
		s->x[k] = x[k];
		s->dx[k] = s->roots[s->n_roots++] = x[k]->grad;
	}
	y->sweeps = s;
}

/* Forgets the gradients of an earlier sweep. */
static void forget_gradients(ad_graph *g)
{
	for (size_t k = 0; k < g->n_lasting + g->path.n; k++) {
		ad_node *z = ad_node_at(g, k);

		z->grad = NULL;
		z->use_grad = NULL;
	}
}

static ad_status record_sweep(ad_node *y)
{
	ad_graph *g = y->graph;
	size_t n = 0, total = g->n_lasting + g->path.n, from = g->path.n;
	ad_node **x = malloc((total ? total : 1) * sizeof *x), *tape;
	uint32_t ordinal = g->ordinal;
	bool ok;

	if (!x) {
		out_of_memory(g, total * sizeof *x);
		return g->status;
	}
	forget_gradients(g);
	for (size_t k = 0; k < total; k++)
		if (wants_gradient(ad_node_at(g, k)))
			x[n++] = ad_node_at(g, k);
	/* where every node is looked at, the nodes must be there */
	tape = g->keep_all || g->watch || g->node_by_node ? NULL : record_tape(y, n, x);
	ok = tape ? !tape->is_error : sweep(g, y, engine_full(g, y->shape, 1), n, x, g->keep_all);
	total = g->n_lasting + g->path.n;
	for (size_t k = 0; ok && !tape && k < total; k++) {
		ad_node *z = ad_node_at(g, k);

		if (g->keep_all || wants_gradient(z))
			z->grad = z->sum;
	}
	for (size_t k = 0; ok && k < n; k++)
		if (!x[k]->grad) {
			x[k]->grad = engine_full(g, x[k]->shape, 0);
			ok = !x[k]->grad->is_error;
		}
	reset_sums(g);
	if (ok)
		note_sweep(y, from, ordinal, n, x);
	else
		forget_gradients(g);
	free(x);
	return ok ? AD_OK : g->status ? g->status : AD_ERROR_GRADIENT;
}

/* Records the sweep from y, unless it is there; *found gets it where it was noted. */
static ad_status sweep_from(ad_node *y, struct sweep **found)
{
	ad_graph *g = ad_graph_of(y);
	ad_status status;

	*found = NULL;
	if ((!y || y->is_error || !is_recorded(y)) && is_stale_error(y, "backward"))
		return ad_status_of(g);
	if (g->status != AD_OK)
		return g->status;
	if (!y->single) {
		char text[192];

		ad_fail(g, AD_ERROR_SHAPE, "backward: %s of shape %s is no single real number",
		        called(y), ad_print_shape(text, sizeof text, y->shape));
		return g->status;
	}
	if (g->swept == y && g->swept_nodes == g->path.n) {
		*found = g->swept_sweep;
		return AD_OK;
	}
	g->swept = NULL;
	*found = find_sweep(g, y);
	if (*found) {
		take_up(g, *found);
	} else {
		size_t from = g->path.n;

		status = record_sweep(y);
		if (status != AD_OK)
			return status;
		if (y->sweeps && y->sweeps->from == from && !g->keep_all)
			*found = y->sweeps;
	}
	g->swept = y;
	g->swept_nodes = g->path.n;
	g->swept_sweep = *found;
	return AD_OK;
}

ad_status ad_sweep(ad_node *y)
{
	struct sweep *found;

	return sweep_from(y, &found);
}

ad_status ad_backward(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);
	size_t n = 0, total, cap = 0;
	ad_node **roots = NULL;
	struct sweep *found;
	ad_status status = sweep_from(y, &found);

	if (status != AD_OK)
		return status;
	if (found)
		return evaluate(g, found->n_roots, found->roots, true, false);
	total = g->n_lasting + g->path.n;
	for (size_t k = 0; k <= total; k++) {
		ad_node *z = k < total ? ad_node_at(g, k) : NULL;
		size_t uses = z && z->use_grad ? z->n_in : 0;

		if (!grow(&roots, &cap, n + 2 + uses, sizeof *roots)) {
			free(roots);
			out_of_memory(g, n * sizeof *roots);
			return g->status;
		}
		if (!z)
			roots[n++] = y;
		else if (z->grad && is_recorded(z->grad))
			roots[n++] = z->grad;
		for (size_t i = 0; i < uses; i++)
			if (z->use_grad[i])
				roots[n++] = z->use_grad[i];
	}
	status = ad_evaluate(g, roots, n);
	free(roots);
	return status;
}

ad_node *ad_gradient(ad_node *x)
{
	return x && x->grad && is_recorded(x->grad) ? x->grad : NULL;
}

ad_node *ad_use_gradient(ad_node *y, int i)
{
	y = y ? y->owner : NULL;
	return y && y->use_grad && i >= 0 && i < y->n_in && y->use_grad[i] &&
	                       is_recorded(y->use_grad[i]) ?
	               y->use_grad[i] :
	               NULL;
}
