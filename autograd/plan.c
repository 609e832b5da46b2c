/*
 * plan: which ops compute the roots, in which order, and where each value lies.
 *
 * Nodes that the roots do not need are left out. The order of recording is the order of running. A
 * value that is kept (a root, ad_keep, everything in a bare forward) has memory of its own; any other
 * lives in the workspace from the step that makes it to the last that reads it, and its place is then
 * used again, the most recently freed first as it is still in the cache. An element-wise op takes the
 * place of an input that dies there.
 */
#include "graph.h"

#define MAX_PLANS 32
#define ALIGN 64

static void free_plan(struct plan *p)
{
	free(p->roots);
	free(p->given);
	free(p->steps);
	free(p->spots);
	free(p->fixed);
	free(p->assign);
	free(p->buffers);
	free(p);
}

void drop_plans(ad_graph *g, bool all)
{
	for (struct plan **at = &g->plans; *at;) {
		struct plan *p = *at;

		if (all || (p->newest && !is_recorded(p->newest))) {
			*at = p->next;
			free_plan(p);
		} else {
			at = &p->next;
		}
	}
}

size_t plans_bytes(const ad_graph *g)
{
	size_t bytes = 0;

	for (const struct plan *p = g->plans; p; p = p->next)
		bytes += sizeof *p + p->n_steps * 64;
	return bytes;
}

void let_go(ad_graph *g, size_t n_nodes)
{
	(void)g, (void)n_nodes;
}

/* ---- which steps --------------------------------------------------------------------------------- */

static bool add_node(ad_node ***list, size_t *n, size_t *cap, ad_node *x)
{
	if (!grow(list, cap, *n + 1, sizeof **list))
		return false;
	(*list)[(*n)++] = x;
	return true;
}

/* Marks what the roots need, down from the newest; collects steps (newest first) and the values that
 * are there already. */
static bool walk_down(ad_graph *g, struct plan *p)
{
	uint32_t walk = ++g->walk;
	size_t cap_steps = 0, cap_given = 0, cap_assign = 0, cap_buffers = 0;
	size_t from = 0;
	bool again = true;

	for (size_t k = 0; k < p->n_roots; k++)
		p->roots[k]->mark = walk;
	/* a buffer that is read may bring in the node assigned to it, which may lie anywhere */
	while (again) {
		again = false;
		p->n_steps = p->n_given = 0;
		for (size_t k = 0; k < p->n_roots; k++)
			if (!p->roots[k]->lasting && p->roots[k]->index >= from)
				from = p->roots[k]->index + 1;
		for (size_t k = 0; k < p->n_assign; k++)
			if (!p->assign[k]->assign->lasting && p->assign[k]->assign->index >= from)
				from = p->assign[k]->assign->index + 1;
		for (size_t k = from; k-- > 0;) {
			ad_node *z = g->nodes[k];
			bool current;

			if (z->mark != walk || !z->op)
				continue;
			current = is_current(z);
			/* an op runs again where any output that is needed is not there */
			for (int j = 1; z->owner == z && j < z->n_out; j++)
				current &= z[j].mark != walk || is_current(&z[j]);
			if (current) {
				if (!add_node(&p->given, &p->n_given, &cap_given, z))
					return false;
				continue;
			}
			if (z->owner != z) {
				z->owner->mark = walk;
				continue;
			}
			for (int i = 0; i < z->n_in; i++)
				if (z->in[i])
					z->in[i]->mark = walk;
			if (!add_node(&p->steps, &p->n_steps, &cap_steps, z))
				return false;
		}
		for (size_t k = 0; k < g->n_lasting; k++) {
			ad_node *b = g->lasting[k];
			bool listed = false;

			if (b->mark != walk || !b->assign)
				continue;
			for (size_t j = 0; j < p->n_assign; j++)
				listed |= p->assign[j] == b;
			if (listed)
				continue;
			if (!add_node(&p->assign, &p->n_assign, &cap_assign, b))
				return false;
			b->assign->mark = walk;
			again = true;
		}
	}
	for (size_t k = 0; k < g->n_lasting; k++)
		if (g->lasting[k]->mark == walk && g->lasting[k]->kind == AD_IS_BUFFER) {
			if (!grow(&p->buffers, &cap_buffers, p->n_buffers + 1, sizeof *p->buffers))
				return false;
			p->buffers[p->n_buffers++] =
			    (struct next_value){ g->lasting[k], g->lasting[k]->assign };
		}
	p->newest = from ? g->nodes[from - 1] : NULL;
	for (size_t a = 0, b = p->n_steps; a + 1 < b; a++) {
		ad_node *z = p->steps[a];

		p->steps[a] = p->steps[--b];
		p->steps[b] = z;
	}
	return true;
}

/* ---- where values lie ---------------------------------------------------------------------------- */

/* Free stretches of the workspace, most recently freed last. */
struct room {
	struct stretch {
		size_t offset, size;
	} *free;
	size_t n, cap, end;
};

static bool take(struct room *r, size_t size, size_t *offset)
{
	size_t best = SIZE_MAX;

	for (size_t k = r->n; k-- > 0;) {
		if (r->free[k].size < size)
			continue;
		/* a place that fits exactly; else the smallest that is large enough */
		if (best == SIZE_MAX || r->free[k].size < r->free[best].size)
			best = k;
		if (r->free[k].size == size) {
			best = k;
			break;
		}
	}
	if (best != SIZE_MAX) {
		*offset = r->free[best].offset;
		r->free[best].offset += size;
		r->free[best].size -= size;
		if (r->free[best].size == 0)
			memmove(&r->free[best], &r->free[best + 1],
			        (--r->n - best) * sizeof *r->free);
		return true;
	}
	*offset = r->end;
	return !__builtin_add_overflow(r->end, size, &r->end);
}

static bool give(struct room *r, size_t offset, size_t size)
{
	if (size == 0)
		return true;
	/* join with neighbours, so that large values find room again */
	for (size_t k = 0; k < r->n;) {
		struct stretch *f = &r->free[k];

		if (f->offset + f->size == offset)
			offset = f->offset, size += f->size;
		else if (offset + size == f->offset)
			size += f->size;
		else {
			k++;
			continue;
		}
		memmove(f, f + 1, (--r->n - k) * sizeof *f);
	}
	if (!grow(&r->free, &r->cap, r->n + 1, sizeof *r->free))
		return false;
	r->free[r->n++] = (struct stretch){ offset, size };
	return true;
}

/* What planning knows of one value made in the plan: an output of a step. */
struct value {
	ad_node *node;
	size_t base;   /* the value whose memory it has; its own number for most */
	ad_node *outer; /* or the older node whose memory it has */
	uint32_t last; /* the last step that reads it or an alias of it */
	bool own, live;
	size_t offset, bytes;
};

/* What output k of an alias op is another view of: input k. */
static ad_node *seen_by(const ad_node *y)
{
	return y->op->alias ? y->owner->in[y->out] : NULL;
}

/* Whether y can be another view of its input: not where the input may change under a kept value. */
static bool can_alias(const ad_node *y, bool own)
{
	const ad_node *x = seen_by(y);

	return x && x->type == y->type && !(own && !x->op);
}

static size_t bytes_of(const ad_node *x)
{
	size_t bytes = x->count * element_size(x->graph, x->type);

	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* An input whose place an element-wise op can take over: it dies here and is read one to one. */
static size_t dying_input(const ad_node *y, const struct value *values, uint32_t step)
{
	if (!y->op->map || y->op == &backward_op)
		return SIZE_MAX;
	for (int i = 0; i < y->n_in; i++) {
		const ad_node *x = y->in[i];
		const struct value *v;
		bool one_to_one = true;

		if (!x || !x->op || x->last == UINT32_MAX)
			continue;
		v = &values[values[x->last].base];
		if (v->own || v->outer || !v->live || v->last != step || v->bytes != bytes_of(y))
			continue;
		/* the same memory may be read as several inputs */
		for (int j = 0; j < y->n_in; j++) {
			const ad_node *z = y->in[j];

			if (z && z->op && z->last != UINT32_MAX &&
			    values[z->last].base == values[x->last].base)
				one_to_one &= z->type == y->type &&
				              ad_equal_shapes(&z->shape, &y->shape);
		}
		if (one_to_one)
			return values[x->last].base;
	}
	return SIZE_MAX;
}

/* Lays out all values. During planning a node's `last` is its value's number, or UINT32_MAX. */
static bool lay_out(ad_graph *g, struct plan *p, bool share)
{
	size_t n = 0, k = 0, cap_spots = 0, cap_fixed = 0;
	struct value *values;
	size_t *first, *next; /* values that die at a step, as lists */
	struct room room = { 0 };
	bool ok = true;

	for (size_t s = 0; s < p->n_steps; s++)
		n += p->steps[s]->n_out;
	if (n >= UINT32_MAX)
		return false;
	values = calloc(n ? n : 1, sizeof *values);
	first = malloc((p->n_steps + 1) * sizeof *first);
	next = malloc((n ? n : 1) * sizeof *next);
	if (!values || !first || !next) {
		ok = false;
		goto done;
	}
	for (size_t r = 0; r < p->n_roots; r++)
		p->roots[r]->last = UINT32_MAX;
	for (size_t a = 0; a < p->n_assign; a++)
		p->assign[a]->assign->last = UINT32_MAX;
	for (size_t s = 0; s < p->n_steps; s++) {
		ad_node *y = p->steps[s];

		first[s] = SIZE_MAX;
		for (int i = 0; i < y->n_in; i++)
			if (y->in[i])
				y->in[i]->last = UINT32_MAX;
		for (int j = 0; j < y->n_out; j++)
			y[j].last = UINT32_MAX;
	}
	for (size_t s = 0; s < p->n_steps; s++) {
		ad_node *y = p->steps[s];

		for (int j = 0; j < y->n_out; j++, k++) {
			values[k] = (struct value){ .node = y + j,
				                    .base = k,
				                    .last = (uint32_t)s,
				                    .bytes = bytes_of(y + j) };
			values[k].own = !share || y[j].keep || g->keep_all;
			y[j].last = (uint32_t)k;
		}
	}
	for (size_t r = 0; r < p->n_roots; r++)
		if (p->roots[r]->last != UINT32_MAX)
			values[p->roots[r]->last].own = true;
	for (size_t a = 0; a < p->n_assign; a++) {
		ad_node *x = p->assign[a]->assign;

		if (x->last != UINT32_MAX)
			values[x->last].own = true;
	}
	/* aliases: newest first, so that a kept alias makes its base kept */
	for (k = n; k-- > 0;) {
		ad_node *y = values[k].node;
		ad_node *x = seen_by(y);

		if (x && can_alias(y, values[k].own) && x->op &&
		    x->last != UINT32_MAX && values[k].own)
			values[x->last].own = true;
	}
	for (k = 0; k < n; k++) {
		ad_node *y = values[k].node, *x = seen_by(y);

		if (!x || !can_alias(y, values[k].own))
			continue;
		if (!x->op || x->last == UINT32_MAX)
			values[k].outer = x;
		else if (values[x->last].outer)
			values[k].outer = values[x->last].outer;
		else
			values[k].base = values[x->last].base;
	}
	for (size_t s = 0; s < p->n_steps; s++)
		for (int i = 0; i < p->steps[s]->n_in; i++) {
			ad_node *x = p->steps[s]->in[i];

			if (x && x->op && x->last != UINT32_MAX)
				values[values[x->last].base].last = (uint32_t)s;
		}
	for (k = 0; k < n; k++)
		if (values[k].base == k && !values[k].own && !values[k].outer) {
			next[k] = first[values[k].last];
			first[values[k].last] = k;
		}
	k = 0;
	for (size_t s = 0; ok && s < p->n_steps; s++) {
		ad_node *y = p->steps[s];

		for (int j = 0; ok && j < y->n_out; j++, k++) {
			struct value *v = &values[k];
			size_t heir;

			if (v->base != k || v->outer) {
				ok = grow(&p->spots, &cap_spots, p->n_spots + 1, sizeof *p->spots);
				if (ok)
					p->spots[p->n_spots++] = (struct spot){
						v->node, v->outer ? v->outer : values[v->base].node, 0
					};
				continue;
			}
			if (v->own) {
				ok = add_node(&p->fixed, &p->n_fixed, &cap_fixed, v->node);
				continue;
			}
			heir = y->n_out == 1 ? dying_input(y, values, (uint32_t)s) : SIZE_MAX;
			v->live = true;
			if (heir != SIZE_MAX) {
				v->offset = values[heir].offset;
				values[heir].live = false;
			} else {
				ok = take(&room, v->bytes, &v->offset);
			}
			ok = ok && grow(&p->spots, &cap_spots, p->n_spots + 1, sizeof *p->spots);
			if (ok)
				p->spots[p->n_spots++] = (struct spot){ v->node, NULL, v->offset };
		}
		for (size_t d = first[s]; ok && d != SIZE_MAX; d = next[d])
			if (values[d].live) {
				values[d].live = false;
				ok = give(&room, values[d].offset, values[d].bytes);
			}
		if (y->work > p->scratch)
			p->scratch = y->work;
	}
	p->workspace = room.end;
done:
	free(values);
	free(first);
	free(next);
	free(room.free);
	return ok;
}

/* ---- plans made and found --------------------------------------------------------------------------- */

static bool fits(const struct plan *p, const ad_graph *g, size_t n, ad_node *const roots[],
                 uint64_t wishes)
{
	if (p->wishes != wishes || p->n_roots != n ||
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
		if (is_current(p->steps[k]))
			return false;
	return true;
}

struct plan *plan_for(ad_graph *g, size_t n, ad_node *const roots[], bool share)
{
	/* what a plan keeps depends on these besides its roots */
	uint64_t wishes = g->wishes * 2 + share;
	struct plan *p;
	size_t count = 0;

	for (struct plan **at = &g->plans; (p = *at); at = &p->next)
		if (fits(p, g, n, roots, wishes)) {
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
	p->wishes = wishes;
	if (!walk_down(g, p) || !lay_out(g, p, share)) {
		free_plan(p);
		out_of_memory(g, g->n_nodes * sizeof(ad_node *));
		return NULL;
	}
	p->next = g->plans;
	g->plans = p;
	for (struct plan **at = &g->plans; *at; at = &(*at)->next)
		if (++count > MAX_PLANS) {
			struct plan *old = *at;

			*at = old->next;
			free_plan(old);
			break;
		}
	return p;
}
