/*
 * fuse: which steps of a plan run together.
 *
 * Element-wise steps of one shape that follow each other, forward or backward, become a group: it passes
 * over memory once, and what only its own steps read is never stored. Views and reshapes in between do
 * nothing and separate nothing.
 */
#include "plan.h"

/* Whether nothing is to be done for the step: each of its outputs is a view of something. */
static bool is_view(const struct plan *p, const struct step *s)
{
	if (!s->node->op->alias)
		return false;
	for (uint32_t k = s->value; k < s->value + s->node->n_out; k++)
		if (p->values[k].base == k && !p->values[k].outer)
			return false;
	return true;
}

/* Whether what the step reads of the open group is one to one with what it makes. */
static bool reads_straight(const struct plan *p, const struct action *open, const struct step *s)
{
	const ad_shape *shape = &node_behind(s->node)->shape;

	for (int i = 0; i < s->node->n_in; i++) {
		uint32_t k = value_of(s->in[i]);
		const struct value *base = k == NO_VALUE ? NULL : &p->values[p->values[k].base];

		if (base && base->step >= open->first &&
		    (!ad_equal_shapes(&s->in[i]->shape, shape) || s->in[i]->type != base->node->type))
			return false;
	}
	return true;
}

/* The steps in order, as actions. */
static void group_steps(struct plan *p)
{
	struct action *open = NULL; /* a group that may go on */
	const ad_shape *shape = NULL;
	uint32_t joined = 0;
	bool f64 = false;

	for (uint32_t k = 0; k < p->n_steps; k++) {
		struct step *s = &p->steps[k];

		if (s->gone || is_view(p, s)) {
			s->gone = true;
			s->stage = open ? (uint32_t)(open - p->actions) : (uint32_t)p->n_actions;
			continue;
		}
		if (open && joined < MAX_GROUP && joins_group(s, shape, f64) &&
		    reads_straight(p, open, s)) {
			s->stage = (uint32_t)(open - p->actions);
			open->n = k + 1 - open->first;
			joined++;
			continue;
		}
		s->stage = (uint32_t)p->n_actions;
		p->actions[p->n_actions++] = (struct action){ .first = k, .n = 1 };
		open = NULL;
		if (is_map(s) && p->mode != SEPARATE && node_behind(s->node)->count > 0) {
			open = &p->actions[p->n_actions - 1];
			shape = &node_behind(s->node)->shape;
			f64 = computes_f64(s);
			joined = 1;
		}
	}
}

/* What is read by its own group alone needs no memory. */
static void find_tiles(struct plan *p)
{
	for (uint32_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];

		if (v->where == IN_SPACE && v->base == k && !v->outer && is_map(&p->steps[v->step]))
			v->where = IN_TILE;
	}
	for (uint32_t s = 0; s < p->n_steps; s++)
		for (int i = 0; i < p->steps[s].node->n_in; i++) {
			uint32_t k = value_of(p->steps[s].in[i]);
			struct value *base = k == NO_VALUE ? NULL : &p->values[p->values[k].base];

			if (base && base->where == IN_TILE &&
			    p->steps[base->step].stage != p->steps[s].stage)
				base->where = IN_SPACE;
		}
}

bool fuse(struct plan *p)
{
	p->actions = arena_take(&p->arena, (p->n_steps + 1) * sizeof *p->actions);
	if (!p->actions)
		return false;
	group_steps(p);
	find_tiles(p);
	for (size_t k = 0; k < p->n_actions; k++)
		if (!make_action(p, &p->actions[k]))
			return false;
	return true;
}
