/*
 * parts: arrays that are cut or joined without a copy.
 *
 * Parts of an array that is cut for groups alone, or joined of what a group makes, lie in that array: cutting
 * and joining do nothing, but they end a group.
 */
#include "plan.h"

/* How often each value is read or shares its memory, and how often by a step of a group that takes it one to
 * one. */
struct uses {
	uint32_t all, straight;
};

static void count_uses(const struct plan *p, struct uses *of)
{
	memset(of, 0, p->n_values * sizeof *of);
	for (uint32_t k = 0; k < p->n_values; k++)
		of[p->values[k].base].all += p->values[k].base != k;
	for (uint32_t s = 0; s < p->n_steps; s++) {
		const struct step *step = &p->steps[s];

		for (size_t i = 0; i < step->n_in; i++) {
			uint32_t k = value_of(step->in[i]);

			if (k == NO_VALUE)
				continue;
			of[k].all++;
			of[k].straight += !step->gone && is_map(step) && !is_single(p, step) &&
			                  ad_equal_shapes(&step->in[i]->shape, &node_behind(step->node)->shape);
		}
	}
}

/* Whether the value, a part of something, is not tied to a place of its own. */
static bool can_move(const struct plan *p, uint32_t k)
{
	const struct value *v = k == NO_VALUE ? NULL : &p->values[k];

	return v && v->base == k && !v->outer && !v->whole && v->where == IN_SPACE && v->node->count > 0 &&
	       v->node->type == AD_REAL;
}

/* Bytes from the beginning of a part to that of the next, in an array that is cut along an axis: a row of the part. */
static size_t row_of(const ad_node *part, const ad_node *whole)
{
	size_t bytes = element_size(part->graph, AD_REAL);

	for (int i = part->shape.rank; i-- > 0;) {
		bytes *= (size_t)part->shape.dims[i];
		if (part->shape.dims[i] != whole->shape.dims[i])
			break;
	}
	return bytes;
}

/* Parts that groups alone read are read in the array that is cut. */
static void read_parts(struct plan *p, const struct uses *of, struct step *s)
{
	const ad_node *y = s->node, *x = s->in[0];
	uint32_t whole = value_of(x);
	size_t at = 0;

	if (whole == NO_VALUE || p->values[whole].outer || p->values[whole].passing || y->n_out < 2)
		return;
	for (uint32_t k = s->value; k < s->value + y->n_out; k++)
		if (!can_move(p, k) || of[k].all != of[k].straight)
			return;
	for (uint32_t k = s->value; k < s->value + y->n_out; k++) {
		struct value *v = &p->values[k];

		v->base = p->values[whole].base;
		v->whole = x;
		v->at = at;
		at += row_of(v->node, x);
	}
	s->gone = true;
}

/* Parts that one group makes to be joined are written into the whole. */
static void write_parts(struct plan *p, const struct uses *of, struct step *s)
{
	const ad_node *y = s->node;
	uint32_t oldest = NO_VALUE, stage = s->stage;
	size_t at = 0;

	if (!can_move(p, s->value) || s->n_in < 2)
		return;
	for (size_t i = 0; i < s->n_in; i++) {
		uint32_t k = value_of(s->in[i]);
		const struct step *maker = can_move(p, k) ? &p->steps[p->values[k].step] : NULL;

		if (!maker || of[k].all != 1 || !is_map(maker) || is_single(p, maker) ||
		    (i > 0 && maker->stage != stage))
			return;
		stage = maker->stage;
		oldest = k < oldest ? k : oldest;
	}
	for (size_t i = 0; i < s->n_in; i++) {
		struct value *v = &p->values[value_of(s->in[i])];

		v->base = oldest;
		v->whole = y;
		v->at = at;
		at += row_of(v->node, y);
	}
	p->values[oldest].bytes = p->values[s->value].bytes;
	p->values[s->value].base = oldest;
	s->gone = true;
}

bool find_parts(struct plan *p)
{
	struct uses *of = NULL;

	for (uint32_t k = 0; p->mode == SHARED && k < p->n_steps; k++) {
		struct step *s = &p->steps[k];
		bool splits = engine_splits(s->node->op);

		if (s->gone || (!splits && !engine_joins(s->node->op)))
			continue;
		if (!of) {
			of = malloc((p->n_values + 1) * sizeof *of);
			if (!of)
				return false;
			count_uses(p, of);
		}
		if (splits)
			read_parts(p, of, s);
		else
			write_parts(p, of, s);
	}
	/* what shares memory with a whole; oldest first, as bases are older */
	for (size_t k = 0; of && k < p->n_values; k++)
		p->values[k].base = p->values[p->values[k].base].base;
	free(of);
	return true;
}
