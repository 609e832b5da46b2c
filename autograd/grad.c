/*
 * grad: the reverse sweep. Gradients are nodes, recorded like any others.
 *
 * The sweep goes down the nodes in reverse order of recording, which is a topological order. Each op
 * on a path from y to a wanted x passes on what has arrived at its outputs: by its grad function, or,
 * where it has a backward kernel, by one node that stands for that kernel. Sweeping over such a node
 * (a second derivative) first expands it through grad. Contributions of several uses are added, and
 * summed over broadcast axes, here and nowhere else.
 */
#include "graph.h"

#include <stdio.h>

const ad_op backward_op = { .name = "backward" };

bool ad_wants(const ad_node *y, int i)
{
	const bool *wants = y->graph->wants;

	return wants ? wants[i] : y->owner->in[i] != NULL;
}

static bool has_kernel(const ad_op *op)
{
	return op->dmap || op->backward;
}

/* y's gradient kernel as a node; its outputs go to dx[i] where wants[i]. */
static bool record_backward(ad_node *y, ad_node *const dy[], const bool wants[], ad_node *dx[])
{
	ad_graph *g = y->graph;
	size_t n_in = y->n_in, n_out = y->n_out, n_dx = 0, k = 0;
	int reads = y->op->reads ? y->op->reads : AD_READS_INPUTS | AD_READS_OUTPUTS;
	struct backward *b = arena_take(&g->arena, sizeof *b);
	ad_node *few_in[16] = { NULL }, **in = few_in, *node = NULL;
	ad_shape few_shapes[8], *shapes = few_shapes;
	ad_type few_types[8], *types = few_types;

	if (n_in + 2 * n_out > 16)
		in = calloc(n_in + 2 * n_out, sizeof *in);
	if (n_in > 8) {
		shapes = malloc(n_in * sizeof *shapes);
		types = malloc(n_in * sizeof *types);
	}
	for (size_t i = 0; i < n_in; i++)
		n_dx += wants[i];
	if (b)
		b->which = arena_take(&g->arena, n_dx * sizeof *b->which);
	if (!b || !b->which || !in || !shapes || !types) {
		out_of_memory(g, n_in * sizeof *shapes);
	} else {
		b->y = y;
		for (size_t i = 0; i < n_in; i++) {
			if (reads & AD_READS_INPUTS)
				in[i] = y->in[i];
			if (!wants[i])
				continue;
			b->which[k] = (int)i;
			shapes[k] = y->op->dmap ? y->shape : y->in[i]->shape;
			types[k++] = AD_REAL;
		}
		for (size_t j = 0; j < n_out; j++) {
			if (reads & AD_READS_OUTPUTS)
				in[n_in + j] = y + j;
			in[n_in + n_out + j] = dy[j];
		}
		node = new_node(g, &backward_op, n_in + 2 * n_out, in, b, n_dx, shapes, types);
		for (k = 0; !node->is_error && k < n_dx; k++) {
			node->work = y->work;
			node->ordinal = y->ordinal;
			node[k].scope = y->scope;
			dx[b->which[k]] = node + k;
		}
	}
	if (in != few_in)
		free(in);
	if (shapes != few_shapes)
		free(shapes);
	if (types != few_types)
		free(types);
	return node && !node->is_error;
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
	y->op->grad(y, dy, dx);
	g->scope = scope;
	g->origin = origin;
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

/* One op of the sweep that is no backward node. */
static bool step_down(ad_node *y, struct lists *l, bool keep)
{
	size_t n = (size_t)y->n_in + y->n_out;

	if (!lists_hold(l, n)) {
		out_of_memory(y->graph, n * sizeof(ad_node *));
		return false;
	}
	if (!ready(y, l))
		return true;
	if (has_kernel(y->op) ? !record_backward(y, l->dy, l->wants, l->dx) :
	                        !call_grad(y, l->dy, l->wants, l->dx))
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

/* A backward node: records what it stands for in terms of ops, and sweeps over those. They depend on
 * older nodes and on each other only, so one range takes them all. */
static bool expand(ad_node *node, struct lists *l, struct lists *inner)
{
	const struct backward *b = node->attrs;
	ad_graph *g = node->graph;
	ad_node *y = b->y, **dy = node->in + y->n_in + y->n_out;
	size_t from = g->n_nodes, to, n = (size_t)y->n_in + y->n_out;

	if (!lists_hold(l, (size_t)node->n_in + node->n_out) || !lists_hold(inner, n)) {
		out_of_memory(g, n * sizeof(ad_node *));
		return false;
	}
	if (!ready(node, l))
		return true;
	for (int i = 0; i < y->n_in; i++) {
		inner->wants[i] = false;
		inner->dx[i] = NULL;
	}
	for (int k = 0; k < node->n_out; k++)
		inner->wants[b->which[k]] = true;
	if (!call_grad(y, dy, inner->wants, inner->dx))
		return false;
	for (int k = 0; k < node->n_out; k++) {
		ad_node *e = inner->dx[b->which[k]];

		if (!ad_equal_shapes(&e->shape, &node[k].shape))
			e = inner->dx[b->which[k]] = engine_sum_to(e, node[k].shape);
		if (e->is_error)
			return false;
	}
	to = g->n_nodes;
	/* grad may read what the kernel did not, so the sweep must come by there too */
	for (size_t k = from; k < to; k++) {
		const ad_node *z = g->nodes[k];

		put_on_path(g->nodes[k]);
		for (int i = 0; z->owner == z && i < z->n_in; i++)
			if (z->in[i])
				z->in[i]->mark = node->mark;
	}
	for (int k = 0; k < node->n_out; k++) {
		ad_node *e = inner->dx[b->which[k]];

		e->mark = node->mark;
		if (node[k].sum && e->on_path && !arrive(e, node[k].sum, NULL))
			return false;
	}
	for (size_t k = to; k-- > from;)
		if (g->nodes[k]->owner == g->nodes[k] && g->nodes[k]->op &&
		    !step_down(g->nodes[k], l, false))
			return false;
	return true;
}

/* Records the sweep; what arrives at a node is left in its sum. The caller resets the sums. */
static bool sweep(ad_graph *g, ad_node *y, ad_node *dy, size_t n, ad_node *const x[], bool keep)
{
	struct lists l = { 0 }, inner = { 0 };
	bool ok = true;
	uint32_t walk = ++g->walk;
	uint8_t order = g->order;
	size_t top = y->lasting ? 0 : y->index + 1;

	for (size_t k = 0; k < g->n_lasting; k++)
		g->lasting[k]->on_path = false;
	for (size_t k = 0; k < g->n_nodes; k++)
		g->nodes[k]->on_path = false;
	for (size_t k = 0; k < n; k++)
		x[k]->on_path = x[k]->type == AD_REAL;
	for (size_t k = 0; k < top; k++)
		put_on_path(g->nodes[k]);
	if (!y->on_path)
		return true;
	y->mark = walk;
	y->sum = dy;
	g->order = (uint8_t)(y->order < 255 ? y->order + 1 : 255);
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
		if (z->op)
			ok = z->op == &backward_op ? expand(z, &l, &inner) : step_down(z, &l, keep);
	}
	g->order = order;
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
	for (size_t k = 0; k < g->n_nodes; k++)
		g->nodes[k]->sum = NULL;
}

/* A sweep inside an op's grad, so inside another sweep: what that one has noted at the nodes. */
struct outer {
	const bool *wants;
	size_t n;
	struct noted {
		ad_node *sum;
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

		o->noted[k] = (struct noted){ z->sum, z->mark, z->on_path };
	}
	reset_sums(g);
	return true;
}

static void outer_end(ad_graph *g, struct outer *o)
{
	for (size_t k = 0; o->noted && k < o->n; k++) {
		ad_node *z = ad_node_at(g, k);

		z->sum = o->noted[k].sum;
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

void drop_sweep(ad_graph *g, size_t n_nodes)
{
	if (g->swept && g->swept_nodes > n_nodes)
		g->swept = NULL;
	for (size_t k = 0; k < g->n_lasting; k++) {
		ad_node *dx = g->lasting[k]->grad;

		if (dx && dx->index >= n_nodes)
			g->lasting[k]->grad = NULL;
	}
	for (size_t k = 0; k < n_nodes; k++) {
		ad_node *x = g->nodes[k];

		if (x->grad && x->grad->index >= n_nodes)
			x->grad = NULL;
		for (int i = 0; x->use_grad && i < x->n_in; i++)
			if (x->use_grad[i] && x->use_grad[i]->index >= n_nodes) {
				x->use_grad = NULL;
				break;
			}
	}
}

static bool wants_gradient(const ad_node *x)
{
	return !x->op && x->wants;
}

ad_status ad_sweep(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);
	ad_node **x;
	size_t n = 0, total;
	bool ok;

	if (is_stale_error(y, "backward"))
		return ad_status_of(g);
	if (g->status != AD_OK)
		return g->status;
	if (y->count != 1 || y->type != AD_REAL) {
		char text[192];

		ad_fail(g, AD_ERROR_SHAPE, "backward: %s of shape %s is no single real number",
		        called(y), ad_print_shape(text, sizeof text, y->shape));
		return g->status;
	}
	if (g->swept == y && g->swept_nodes == g->n_nodes)
		return AD_OK;
	total = g->n_lasting + g->n_nodes;
	x = malloc((total ? total : 1) * sizeof *x);
	if (!x) {
		out_of_memory(g, total * sizeof *x);
		return g->status;
	}
	g->swept = NULL;
	for (size_t k = 0; k < total; k++) {
		ad_node *z = ad_node_at(g, k);

		z->grad = NULL;
		z->use_grad = NULL;
		if (wants_gradient(z))
			x[n++] = z;
	}
	ok = sweep(g, y, engine_full(g, y->shape, 1), n, x, g->keep_all);
	total = g->n_lasting + g->n_nodes;
	for (size_t k = 0; ok && k < total; k++) {
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
	free(x);
	for (size_t k = 0; !ok && k < total; k++)
		ad_node_at(g, k)->grad = NULL, ad_node_at(g, k)->use_grad = NULL;
	if (!ok)
		return g->status ? g->status : AD_ERROR_GRADIENT;
	g->swept = y;
	g->swept_nodes = g->n_nodes;
	return AD_OK;
}

ad_status ad_backward(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);
	ad_status status = ad_sweep(y);
	size_t n = 0, total, cap = 0;
	ad_node **roots = NULL;

	if (status != AD_OK)
		return status;
	total = g->n_lasting + g->n_nodes;
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
		else if (z->grad)
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
	return x ? x->grad : NULL;
}

ad_node *ad_use_gradient(ad_node *y, int i)
{
	y = y ? y->owner : NULL;
	return y && y->use_grad && i >= 0 && i < y->n_in ? y->use_grad[i] : NULL;
}
