/*
 * planned: how the last evaluation of a graph was carried out, for pictures of it.
 */
#include "planned.h"

#include "plan.h"

/* Its number among all nodes of the graph. */
static size_t number_of(const ad_node *x)
{
	return x->lasting ? x->index : x->graph->n_lasting + x->index;
}

/* Where value k lies: with those whose memory it shares. */
static void place(const struct plan *p, uint32_t k, struct planned *to)
{
	const struct value *v = &p->values[p->values[k].base];

	to->tile = v->where == IN_TILE;
	to->kept = v->where == IN_BLOCK || p->values[k].outer != NULL;
	to->offset = v->offset;
	to->bytes = v->bytes;
}

bool planned_nodes(const ad_graph *g, struct planned *nodes)
{
	const struct plan *p = g->plans;
	const ad_profile_row *rows;
	double all;
	size_t n_rows = ad_profile_rows(g, &rows, &all);
	uint32_t number = 0;
	double seconds = 0;

	/* One without actions found that all was computed already. */
	while (p && (p->ran == 0 || p->n_actions == 0))
		p = p->next;
	if (!p)
		return false;
	memset(nodes, 0, ad_nodes(g) * sizeof *nodes);
	for (size_t k = 0; k < p->n_actions; k++) {
		const struct action *a = &p->actions[k];

		/* One that the action before leads is part of that. */
		if (k == 0 || !p->actions[k - 1].leads) {
			number++;
			seconds = 0;
			if (a->row > 0 && a->row <= n_rows && rows[a->row - 1].calls > 0)
				seconds = rows[a->row - 1].seconds / (double)rows[a->row - 1].calls;
		}
		for (uint32_t s = a->first; s < a->first + a->n; s++) {
			const struct step *t = &p->steps[s];

			for (uint32_t i = 0; i < t->node->n_out; i++) {
				const ad_node *x = &t->node[i];
				struct planned *to = &nodes[number_of(x)];

				to->action = number;
				to->nothing = t->gone;
				to->seconds = seconds;
				place(p, t->value + i, to);
			}
		}
	}
	return true;
}

bool swept_node(const ad_node *x, const char **op, bool *kernel)
{
	const ad_node *y = x->owner ? x->owner : x;

	*kernel = y->op == &backward_op;
	*op = y->op ? node_behind(y)->op->name : NULL;
	return y->order > 0;
}
