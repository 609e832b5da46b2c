/*
 * fuse: which steps of a plan run together.
 *
 * Element-wise steps of one shape that follow each other, forward or backward, become a group: it passes
 * over memory once, and what only its own steps read is never stored. Views and reshapes in between do
 * nothing and separate nothing. A kernel that tells what it has finished runs the group behind it.
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

	for (size_t i = 0; i < s->n_in; i++) {
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
	struct action *open = NULL, *singles = NULL; /* a group, a program that may go on */
	const ad_shape *shape = NULL;
	struct opened group = { 0 };
	bool f64 = false;

	for (uint32_t k = 0; k < p->n_steps; k++) {
		struct step *s = &p->steps[k];

		if (s->gone || is_view(p, s)) {
			s->gone = true;
			s->stage = open || singles ? (uint32_t)p->n_actions - 1 : (uint32_t)p->n_actions;
			continue;
		}
		if (is_single(p, s)) {
			if (!singles)
				singles = &p->actions[p->n_actions++], singles->first = k;
			singles->n = k + 1 - singles->first;
			s->stage = (uint32_t)p->n_actions - 1;
			open = NULL;
			continue;
		}
		singles = NULL;
		if (open && reads_straight(p, open, s) && joins_group(s, shape, f64, &group)) {
			s->stage = (uint32_t)(open - p->actions);
			open->n = k + 1 - open->first;
			continue;
		}
		s->stage = (uint32_t)p->n_actions;
		p->actions[p->n_actions++] = (struct action){ .first = k, .n = 1 };
		open = NULL;
		if (is_map(s) && p->mode != SEPARATE && node_behind(s->node)->count > 0) {
			open = &p->actions[p->n_actions - 1];
			shape = &node_behind(s->node)->shape;
			f64 = computes_f64(s);
			group = (struct opened){ 0 };
			joins_group(s, shape, f64, &group);
		}
	}
}

/* The actions, of which there are far fewer than steps. */
static bool make_actions(struct plan *p)
{
	struct action *all = calloc(p->n_steps + 1, sizeof *all);

	if (!(p->actions = all))
		return false;
	group_steps(p);
	p->actions = arena_take(&p->arena, (p->n_actions + 1) * sizeof *p->actions);
	if (p->actions)
		memcpy(p->actions, all, p->n_actions * sizeof *all);
	free(all);
	return p->actions != NULL;
}

/* What is read by its own group alone needs no memory. */
static void find_tiles(struct plan *p)
{
	for (uint32_t k = 0; k < p->n_values; k++) {
		struct value *v = &p->values[k];

		if (v->where == IN_SPACE && v->base == k && !v->outer && !v->whole && is_map(&p->steps[v->step]) &&
		    !is_single(p, &p->steps[v->step]))
			v->where = IN_TILE;
	}
	for (uint32_t s = 0; s < p->n_steps; s++)
		for (size_t i = 0; i < p->steps[s].n_in; i++) {
			uint32_t k = value_of(p->steps[s].in[i]);
			struct value *base = k == NO_VALUE ? NULL : &p->values[p->values[k].base];

			if (base && base->where == IN_TILE &&
			    p->steps[base->step].stage != p->steps[s].stage)
				base->where = IN_SPACE;
		}
}

/* The result of a kernel that the group behind it can take piece by piece; -1 if there is none. */
static int leading_result(const struct plan *p, const struct action *a)
{
	const struct step *s = &p->steps[a->first];
	const struct action *group = a + 1;
	bool backward = s->node->op == &backward_op;
	int found = -1;

	if (!a->call || !group->group)
		return -1;
	for (uint32_t g = group->first; g < group->first + group->n; g++)
		for (size_t i = 0; i < p->steps[g].n_in; i++) {
			uint32_t k = value_of(p->steps[g].in[i]), made = NO_VALUE;
			const struct value *v = k == NO_VALUE || p->steps[g].gone ? NULL : &p->values[p->values[k].base];
			int result;

			/* what the kernel makes, or adds to */
			for (uint32_t c = s->value; v && c < s->value + s->node->n_out; c++)
				if (&p->values[p->values[c].base] == v)
					made = c;
			if (made == NO_VALUE)
				continue;
			result = result_number(s, made);
			if (found >= 0 && found != result)
				return -1; /* another result, which may not be there yet */
			found = result;
			/* bit 0 is output 0, the only one of its kind */
			if (!group_reads_straight(p, group, v->node) || (!backward && result > 0) ||
			    !(node_behind(s->node)->op->finishes >> (backward ? 1 + result : 0) & 1))
				return -1;
		}
	return found;
}

/* Groups that are run by the kernel before them, while what it makes is in the cache. */
static bool find_leads(struct plan *p)
{
	for (size_t k = 0; k + 1 < p->n_actions && p->mode != SEPARATE; k++) {
		struct action *a = &p->actions[k];
		int result = leading_result(p, a);
		struct finish *f;

		if (result < 0)
			continue;
		f = arena_take(&p->arena, sizeof *f);
		if (!f)
			return false;
		*f = (struct finish){ .result = result, .group = a[1].group };
		a->kernel.finish = f;
		a->leads = true;
		a[1].run = NULL;
	}
	return true;
}

bool fuse(struct plan *p)
{
	if (!fold_inputs(p) || !fold_additions(p) || !make_actions(p) || !find_parts(p))
		return false;
	find_tiles(p);
	for (size_t k = 0; k < p->n_actions; k++)
		if (!make_action(p, &p->actions[k]))
			return false;
	if (!find_leads(p))
		return false;
	for (size_t k = 0; k < p->n_actions; k++)
		p->actions[k].bytes = traffic(p, &p->actions[k]);
	return true;
}
