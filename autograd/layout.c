/*
 * layout: where the values of a plan lie.
 *
 * A value that may be read after the evaluation (a root, ad_keep, everything in a bare forward) lies in
 * the plan's block. Any other lives in the workspace from the stage that makes it to the last that reads
 * it, and its place is then used again, the most recently freed first as it is still in the cache. An
 * element-wise op takes the place of an input that dies there. What only ever exists as a tile of a group
 * lies nowhere.
 */
#include "scalars.h"

#define ALIGN 64

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

/* What output k of an alias op is another view of: input k. */
static ad_node *seen_by(const ad_node *y)
{
	return y->op->alias ? y->owner->in[y->out] : NULL;
}

/* Whether y can be another view of its input: where y is kept only if the plan computes that, too. A leaf can
 * change, and a value of another plan go, under it. */
static bool can_alias(const ad_node *y, bool kept)
{
	const ad_node *x = seen_by(y);

	return x && x->type == y->type && !(kept && value_of(x) == NO_VALUE);
}

static size_t bytes_of(const ad_node *x)
{
	size_t bytes = x->count * element_size(x->graph, (ad_type)x->type);

	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void keep_value(struct plan *p, const ad_node *x)
{
	uint32_t k = value_of(x);

	if (k != NO_VALUE)
		p->values[k].where = IN_BLOCK;
}

void find_views(struct plan *p)
{
	ad_graph *g = p->n_values ? p->values[0].node->graph : NULL;

	for (size_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];

		v->bytes = bytes_of(v->node);
		/* single numbers are too small to share memory */
		if (p->mode != SHARED || v->node->keep || g->keep_all || is_scalar(v->node) ||
		    v->node->op == &tape_op)
			v->where = IN_BLOCK;
	}
	for (size_t k = 0; k < p->n_roots; k++)
		keep_value(p, p->roots[k]);
	for (size_t k = 0; k < p->n_assign; k++)
		keep_value(p, p->assign[k]->assign);
	/* newest first, so that a kept view makes what it is of kept */
	for (size_t k = p->n_values; k-- > 0;) {
		const struct value *v = &p->values[k];

		if (v->where == IN_BLOCK && can_alias(v->node, true))
			keep_value(p, seen_by(v->node));
	}
	for (size_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];
		ad_node *x = seen_by(v->node);
		uint32_t of = value_of(x);

		if (!x || !can_alias(v->node, v->where == IN_BLOCK))
			continue;
		if (of == NO_VALUE)
			v->outer = x;
		else if (p->values[of].outer)
			v->outer = p->values[of].outer;
		else
			v->base = p->values[of].base;
	}
	/* what shares memory is kept together */
	for (size_t k = 0; k < p->n_values; k++)
		if (p->values[k].where == IN_BLOCK && p->values[p->values[k].base].where == IN_SPACE)
			p->values[p->values[k].base].where = IN_BLOCK;
}

/* When each value is read last, in stages. */
static void find_lives(struct plan *p)
{
	for (size_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];

		v->last = p->steps[v->step].stage;
		/* a kernel that leads a group is still at work when that runs: its results that nobody reads
		 * are in its hands, too */
		if (v->last < p->n_actions && p->actions[v->last].leads)
			v->last++;
	}
	for (size_t k = 0; k < p->n_values; k++) {
		struct value *base = &p->values[p->values[k].base];

		if (p->values[k].last > base->last)
			base->last = p->values[k].last;
	}
	for (size_t s = 0; s < p->n_steps; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			uint32_t x = value_of(p->steps[s].in[i]);
			struct value *base = x == NO_VALUE ? NULL : &p->values[p->values[x].base];

			uint32_t stage = p->steps[s].stage;

			if (stage < p->n_actions && p->actions[stage].leads)
				stage++;
			if (base && stage > base->last)
				base->last = stage;
		}
}

/* Whether every reading of the memory of value b in the stage is one to one with y, at y's step or
 * before it. */
static bool read_straight(const struct plan *p, const struct step *step, uint32_t b)
{
	const struct action *a = &p->actions[step->stage];
	const ad_node *y = step->node;

	for (uint32_t s = a->first; s < a->first + a->n; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			const ad_node *x = p->steps[s].in[i];
			uint32_t of = value_of(x);

			if (of == NO_VALUE || p->values[of].base != b || p->steps[s].gone)
				continue;
			if (&p->steps[s] > step || p->values[of].whole)
				return false;
			if (x->type != y->type || !ad_equal_shapes(&x->shape, &y->shape))
				return false;
		}
	return true;
}

/* Whether the kernel that leads the step's group reads the memory of value b. */
static bool led_by_reader(const struct plan *p, const struct step *s, uint32_t b)
{
	const struct action *a = s->stage > 0 ? &p->actions[s->stage - 1] : NULL;
	const struct step *leader = a && a->leads ? &p->steps[a->first] : NULL;

	for (size_t i = 0; leader && i < leader->n_in; i++) {
		uint32_t x = value_of(leader->in[i]);

		if (x != NO_VALUE && p->values[x].base == b)
			return true;
	}
	return false;
}

/* A value whose place y, made by an element-wise step, can take over: it dies here and is read one to
 * one. */
static uint32_t dying_input(const struct plan *p, const struct step *s)
{
	const ad_node *y = s->node;

	/* a kernel with several results may read again what it has written over */
	if (!is_map(s) || y->n_out > 1 || p->values[s->value].whole || (y->op == &backward_op && node_behind(y)->n_in > 1))
		return NO_VALUE;
	for (size_t i = 0; i < s->n_in; i++) {
		uint32_t x = value_of(s->in[i]), b = x == NO_VALUE ? NO_VALUE : p->values[x].base;
		const struct value *v = b == NO_VALUE ? NULL : &p->values[b];

		if (v && led_by_reader(p, s, b))
			continue;
		if (v && !v->outer && v->live && v->where == IN_SPACE && v->last == s->stage &&
		    v->bytes == bytes_of(y) && read_straight(p, s, b))
			return b;
	}
	return NO_VALUE;
}

static size_t take_kept(size_t *end, size_t bytes)
{
	size_t at = *end;

	*end += bytes;
	return at;
}

/* Gives the values of one stage their places. */
static bool place_stage(struct plan *p, const struct action *a, struct room *room, const uint32_t first[],
                        const uint32_t next[])
{
	bool ok = true;
	size_t program = 0;

	/* a program's values, or the gradients of a tape, lie one after the other */
	if (a->program)
		program = take_kept(&p->kept, (program_bytes(a->program) + ALIGN - 1) / ALIGN * ALIGN);
	for (uint32_t s = a->first; s < a->first + a->n; s++) {
		const struct step *step = &p->steps[s];

		for (uint32_t k = step->value; ok && k < step->value + step->node->n_out; k++) {
			struct value *v = &p->values[k];
			uint32_t heir;

			if (v->base != k || v->outer || v->where == IN_TILE)
				continue;
			if (v->where == IN_BLOCK) {
				if (a->program) {
					v->offset = program;
					program += element_size(v->node->graph, AD_REAL);
				} else {
					v->offset = take_kept(&p->kept, v->bytes);
				}
				if (v->node->index < p->block_from)
					p->block_from = v->node->index;
				continue;
			}
			heir = dying_input(p, step);
			v->live = true;
			if (heir != NO_VALUE) {
				v->offset = p->values[heir].offset;
				p->values[heir].live = false;
			} else {
				ok = take(room, v->bytes, &v->offset);
			}
		}
		if (step->node->work > p->scratch)
			p->scratch = step->node->work;
	}
	for (uint32_t d = first[a - p->actions]; ok && d != NO_VALUE; d = next[d])
		if (p->values[d].live) {
			p->values[d].live = false;
			ok = give(room, p->values[d].offset, p->values[d].bytes);
		}
	return ok;
}

bool lay_out(struct plan *p)
{
	struct room room = { 0 };
	uint32_t *first = malloc((p->n_actions + 1) * sizeof *first); /* values that die at a stage, */
	uint32_t *next = malloc((p->n_values + 1) * sizeof *next);    /* as lists */
	bool ok = first && next;

	if (ok) {
		find_lives(p);
		for (size_t k = 0; k < p->n_actions; k++)
			first[k] = NO_VALUE;
		for (uint32_t k = 0; k < p->n_values; k++) {
			const struct value *v = &p->values[k];

			if (v->base == k && v->where == IN_SPACE && !v->outer) {
				next[k] = first[v->last];
				first[v->last] = k;
			}
		}
	}
	for (size_t k = 0; ok && k < p->n_actions; k++)
		ok = place_stage(p, &p->actions[k], &room, first, next);
	p->workspace = room.end;
	free(first);
	free(next);
	free(room.free);
	return ok;
}
