/*
 * plan: which ops compute the roots, and in which order; and the plans made so far.
 *
 * Nodes that the roots do not need are left out. The order of recording is the order of running. What
 * runs together is decided by fuse.c, where values lie by layout.c.
 */
#include "plan.h"

#define MAX_PLANS 256

/* Values in the block of a plan that has to go get memory of their own, if they can be read still: they
 * were kept for that. Without memory they are as those that were not. */
static void rescue_values(ad_graph *g, struct plan *p)
{
	bool failed = g->status != AD_OK;

	for (size_t k = 0; k < p->n_values; k++) {
		ad_node *x = p->values[k].node;
		const void *data = x->data;
		size_t bytes = x->count * element_size(g, (ad_type)x->type);

		if (x->plan != p || x->place != OWN || !x->keep || !is_recorded(x) || p->ran < recorded_at(x) ||
		    p->ran == 0)
			continue;
		x->plan = NULL;
		x->computed = p->ran;
		x->place = WORKSPACE;
		if (!own_memory(x)) {
			if (!failed)
				ad_clear(g);
		} else if (bytes) {
			memcpy(x->data, data, bytes);
		}
	}
}

static void free_plan(ad_graph *g, struct plan *p)
{
	/* its nodes can be recorded again, or are still: they read as before, but for values in its block */
	for (size_t k = 0; k < p->n_values; k++) {
		ad_node *x = p->values[k].node;

		if (x->plan != p)
			continue;
		x->plan = NULL;
		x->computed = p->ran;
		x->place = WORKSPACE;
	}
	g->memory_used -= p->block.size;
	g->plan_bytes -= p->bytes;
	block_free(&p->block);
	arena_free(&p->arena);
	free(p->roots);
	free(p);
}

void drop_plans(ad_graph *g, bool all)
{
	for (struct plan **at = &g->plans; *at;) {
		struct plan *p = *at;

		if (all || (p->newest && !is_recorded(p->newest))) {
			*at = p->next;
			if (!all)
				rescue_values(g, p);
			free_plan(g, p);
		} else {
			at = &p->next;
		}
	}
}

void unbind_plans(ad_graph *g)
{
	for (struct plan *p = g->plans; p; p = p->next)
		p->bound = false;
}

void let_go(ad_graph *g, size_t n_nodes)
{
	for (struct plan *p = g->plans; p; p = p->next)
		if (p->block_from >= n_nodes)
			p->holding = false;
}

bool holds_values(struct plan *p)
{
	if (!p->holding)
		return false;
	for (size_t k = 0; k < p->n_values; k++) {
		const ad_node *x = p->values[k].node;

		if (x->plan == p && x->place == OWN && is_recorded(x) && p->ran >= recorded_at(x))
			return true;
	}
	return p->holding = false;
}

void spoil_memory(ad_graph *g)
{
	for (struct plan *p = g->plans; p; p = p->next)
		if (p->block.size)
			memset(p->block.data, 0xff, p->block.size);
	if (g->workspace.size)
		memset(g->workspace.data, 0xff, g->workspace.size);
	if (g->scratch.size)
		memset(g->scratch.data, 0xff, g->scratch.size);
}

/* ---- which steps --------------------------------------------------------------------------------- */

struct list {
	ad_node **node;
	size_t n, cap;
};

static bool add_node(struct list *l, ad_node *x)
{
	if (!grow(&l->node, &l->cap, l->n + 1, sizeof *l->node))
		return false;
	l->node[l->n++] = x;
	return true;
}

struct lists {
	struct list steps, given, leaves, assign, buffers;
};

static void mark_inputs(const ad_node *z, uint32_t walk)
{
	for (int i = 0; i < z->n_in; i++)
		if (z->in[i])
			z->in[i]->mark = walk;
}

/* Marks what z, which has to be computed, reads. */
static bool descend(ad_node *z, uint32_t walk, struct lists *l)
{
	bool current;

	if (!z->op)
		return add_node(&l->leaves, z);
	current = is_current(z);
	/* an op runs again where any output that is needed is not there */
	for (int j = 1; z->owner == z && j < z->n_out; j++)
		current &= z[j].mark != walk || is_current(&z[j]);
	if (current)
		return add_node(&l->given, z);
	if (z->owner != z) {
		z->owner->mark = walk;
		return true;
	}
	mark_inputs(z, walk);
	if (z->op == &tape_op) {
		const struct tape *t = z->attrs;

		for (size_t k = 0; k < t->n; k++) {
			t->nodes[k]->mark = walk;
			mark_inputs(t->nodes[k], walk);
		}
	}
	return add_node(&l->steps, z);
}

/* Marks what the roots need, down from the newest; collects steps (newest first), the values that are
 * there already, and leaves. */
static bool walk_down(ad_graph *g, struct plan *p, struct lists *l)
{
	uint32_t walk = ++g->walk;
	size_t from = 0;
	bool again = true;

	for (size_t k = 0; k < p->n_roots; k++)
		p->roots[k]->mark = walk;
	/* a buffer that is read may bring in the node assigned to it, which may lie anywhere */
	while (again) {
		again = false;
		l->steps.n = l->given.n = l->leaves.n = 0;
		for (size_t k = 0; k < p->n_roots; k++)
			if (!p->roots[k]->lasting && p->roots[k]->index >= from)
				from = p->roots[k]->index + (size_t)1;
		for (size_t k = 0; k < l->assign.n; k++) {
			const ad_node *next = l->assign.node[k]->assign;

			if (!next->lasting && next->index >= from)
				from = next->index + (size_t)1;
		}
		for (size_t k = from; k-- > 0;)
			if (g->nodes[k]->mark == walk && !descend(g->nodes[k], walk, l))
				return false;
		for (size_t k = 0; k < g->n_lasting; k++) {
			ad_node *b = g->lasting[k];
			bool listed = false;

			if (b->mark != walk || !b->assign)
				continue;
			for (size_t j = 0; j < l->assign.n; j++)
				listed |= l->assign.node[j] == b;
			if (listed)
				continue;
			if (!add_node(&l->assign, b))
				return false;
			b->assign->mark = walk;
			again = true;
		}
	}
	for (size_t k = 0; k < g->n_lasting; k++) {
		ad_node *x = g->lasting[k];

		if (x->mark == walk && (!add_node(&l->leaves, x) ||
		                        (x->kind == AD_IS_BUFFER && !add_node(&l->buffers, x))))
			return false;
	}
	p->newest = from ? g->nodes[from - 1] : NULL;
	return true;
}

static ad_node **copy_list(struct plan *p, const struct list *l, size_t *n)
{
	ad_node **copy = arena_take(&p->arena, l->n * sizeof *copy);

	*n = l->n;
	if (copy && l->n)
		memcpy(copy, l->node, l->n * sizeof *copy);
	return copy;
}

/* What a step reads; false without memory. */
static bool list_inputs(struct plan *p, struct step *s)
{
	const struct tape *t = s->node->attrs;
	size_t n = 0;
	ad_node **in;

	s->in = s->node->in;
	s->n_in = s->node->n_in;
	if (s->node->op != &tape_op)
		return true;
	for (size_t k = 0; k < t->n; k++)
		n += 1 + (size_t)t->nodes[k]->n_in;
	if (!(in = arena_take(&p->arena, n * sizeof *in)))
		return false;
	s->in = in;
	s->n_in = n;
	for (size_t k = 0; k < t->n; k++) {
		*in++ = t->nodes[k];
		for (int i = 0; i < t->nodes[k]->n_in; i++)
			*in++ = t->nodes[k]->in[i];
	}
	return true;
}

/* Fills in steps and values. During planning a node's `last` is its value's number, or NO_VALUE. */
static bool list_steps(struct plan *p, const struct lists *l)
{
	size_t n = 0;

	p->n_steps = l->steps.n;
	for (size_t k = 0; k < l->steps.n; k++)
		n += l->steps.node[k]->n_out;
	if (n >= NO_VALUE)
		return false;
	p->n_values = n;
	p->steps = arena_take(&p->arena, p->n_steps * sizeof *p->steps);
	p->values = arena_take(&p->arena, n * sizeof *p->values);
	if (!p->steps || !p->values) {
		p->n_values = 0;
		return false;
	}
	for (size_t k = 0; k < p->n_roots; k++)
		p->roots[k]->last = NO_VALUE;
	for (size_t k = 0; k < p->n_leaves; k++)
		p->leaves[k]->last = NO_VALUE;
	for (size_t k = 0; k < p->n_given; k++)
		p->given[k]->last = NO_VALUE;
	for (size_t k = 0; k < p->n_assign; k++)
		p->assign[k]->assign->last = NO_VALUE;
	n = 0;
	for (size_t s = 0; s < p->n_steps; s++) {
		ad_node *y = l->steps.node[p->n_steps - 1 - s];

		p->steps[s] = (struct step){ .node = y, .value = (uint32_t)n,
			                     .attrs = node_behind(y)->attrs };
		if (!list_inputs(p, &p->steps[s])) {
			p->n_values = n;
			return false;
		}
		for (int j = 0; j < y->n_out; j++, n++) {
			p->values[n] = (struct value){ .node = y + j, .base = (uint32_t)n,
				                       .step = (uint32_t)s };
			y[j].last = (uint32_t)n;
		}
	}
	return true;
}

static bool find_steps(ad_graph *g, struct plan *p)
{
	struct lists l = { 0 };
	bool ok = walk_down(g, p, &l);

	if (ok) {
		p->given = copy_list(p, &l.given, &p->n_given);
		p->leaves = copy_list(p, &l.leaves, &p->n_leaves);
		p->assign = copy_list(p, &l.assign, &p->n_assign);
		p->given_data = arena_take(&p->arena, p->n_given * sizeof *p->given_data);
		p->leaf_data = arena_take(&p->arena, p->n_leaves * sizeof *p->leaf_data);
		p->n_buffers = l.buffers.n;
		p->buffers = arena_take(&p->arena, p->n_buffers * sizeof *p->buffers);
		ok = p->given && p->leaves && p->assign && p->given_data && p->leaf_data && p->buffers;
	}
	for (size_t k = 0; ok && k < p->n_buffers; k++)
		p->buffers[k] = (struct next_value){ l.buffers.node[k], l.buffers.node[k]->assign };
	ok = ok && list_steps(p, &l);
	free(l.steps.node);
	free(l.given.node);
	free(l.leaves.node);
	free(l.assign.node);
	free(l.buffers.node);
	return ok;
}

/* ---- plans made and found --------------------------------------------------------------------------- */

static bool fits(const struct plan *p, const ad_graph *g, size_t n, ad_node *const roots[],
                 uint64_t wishes, enum mode mode)
{
	if (p->n_roots != n || p->wishes != wishes || p->mode != mode ||
	    memcmp(p->roots, roots, n * sizeof *roots) != 0)
		return false;
	for (size_t k = 0; k < p->n_buffers; k++)
		if (p->buffers[k].buffer->assign != p->buffers[k].node)
			return false;
	for (size_t k = 0; k < p->n_given; k++)
		if (!is_current(p->given[k]))
			return false;
	/* nor may it compute again what is there */
	for (size_t k = 0; g->clock == g->evaluated && k < p->n_steps; k++)
		if (is_current(p->steps[k].node))
			return false;
	return true;
}

/* Drops the plan used longest ago that holds nothing to be read. */
static void drop_oldest(ad_graph *g)
{
	struct plan **at, **oldest = NULL, *p;
	size_t count = 0;

	for (at = &g->plans; *at; at = &(*at)->next, count++)
		if (count >= MAX_PLANS && !holds_values(*at))
			oldest = at;
	if (!oldest)
		return;
	p = *oldest;
	*oldest = p->next;
	free_plan(g, p);
}

struct plan *plan_for(ad_graph *g, size_t n, ad_node *const roots[], enum mode mode)
{
	struct plan *p;

	for (struct plan **at = &g->plans; (p = *at); at = &p->next)
		if (fits(p, g, n, roots, g->wishes, mode)) {
			*at = p->next;
			p->next = g->plans;
			return g->plans = p;
		}
	p = calloc(1, sizeof *p);
	if (p)
		p->roots = malloc((n ? n : 1) * sizeof *roots);
	if (!p || !p->roots) {
		free(p);
		out_of_memory(g, n * sizeof *roots);
		return NULL;
	}
	memcpy(p->roots, roots, n * sizeof *roots);
	p->n_roots = n;
	p->wishes = g->wishes;
	p->mode = mode;
	p->block_from = UINT32_MAX;
	if (!find_steps(g, p) || (find_views(p), !fuse(p)) || !lay_out(p)) {
		free_plan(g, p);
		out_of_memory(g, g->path.n * sizeof(ad_node *));
		return NULL;
	}
	p->next = g->plans;
	g->plans = p;
	g->plan_bytes += p->bytes = p->arena.bytes;
	drop_oldest(g);
	return p;
}
