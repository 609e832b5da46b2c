/*
 * profile: where the time of evaluations goes, by op and scope.
 */
#include "scalars.h"

#include <stdio.h>
#include <time.h>

struct profile {
	ad_profile_row *rows;
	size_t n, cap;
	double total; /* seconds in evaluations, all together */
	double own;   /* of which the profile's own since the last addition to total */
	struct arena texts;
};

double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void free_profile(ad_graph *g)
{
	if (!g->profile)
		return;
	free(g->profile->rows);
	arena_free(&g->profile->texts);
	free(g->profile);
	g->profile = NULL;
}

void ad_profile(ad_graph *g, bool on)
{
	if (g->dead)
		return;
	free_profile(g);
	if (on && !(g->profile = calloc(1, sizeof *g->profile)))
		out_of_memory(g, sizeof *g->profile);
	for (struct plan *p = g->plans; p; p = p->next)
		for (size_t k = 0; k < p->n_actions; k++)
			p->actions[k].row = 0;
}

/* The ops of an action: "matmul", or "tanh + mul" of a group; behind a kernel that leads one "| relu". */
static void print_ops(const struct plan *p, const struct action *a, char *text, size_t n)
{
	const char *last = NULL;
	size_t used = 0, again = 0;

	for (uint32_t s = a->first; s < a->first + a->n && used < n; s++) {
		const char *op = node_behind(p->steps[s].node)->op->name;

		if (p->steps[s].gone)
			continue;
		if (last && strcmp(op, last) == 0) {
			again++;
			continue;
		}
		/* long programs are told by how many ops they have */
		if (used < n / 2)
			used += (size_t)snprintf(text + used, n - used, "%s%s", last ? " + " : "", op);
		else
			again++;
		last = op;
	}
	if (again && used < n)
		used += (size_t)snprintf(text + used, n - used, " (%zu more)", again);
	if (a->leads && used < n) {
		used += (size_t)snprintf(text + used, n - used, " | ");
		if (used < n)
			print_ops(p, a + 1, text + used, n - used);
	}
}

static uint64_t bytes_of(const ad_node *x)
{
	return x ? x->count * element_size(x->graph, (ad_type)x->type) : 0;
}

uint64_t traffic(const struct plan *p, const struct action *a)
{
	uint64_t bytes = 0;

	for (uint32_t s = a->first; s < a->first + a->n; s++) {
		const struct step *t = &p->steps[s];

		for (size_t i = 0; !t->gone && i < t->n_in; i++) {
			uint32_t k = value_of(t->in[i]);

			if (k == NO_VALUE || p->values[p->values[k].base].where != IN_TILE)
				bytes += bytes_of(t->in[i]);
		}
		for (uint32_t k = t->value; !t->gone && k < t->value + t->node->n_out; k++)
			if (p->values[k].where != IN_TILE)
				bytes += bytes_of(p->values[k].node);
	}
	return bytes + (a->leads ? traffic(p, a + 1) : 0);
}

/* The names of the scopes around a node, "block.linear_2"; the innermost that fit. */
static void print_scope(const ad_graph *g, int scope, char *text, size_t n)
{
	size_t at = n - 1;

	text[at] = '\0';
	for (; scope > 0; scope = ad_scope_parent(g, scope)) {
		const char *name = ad_scope_name(g, scope);
		size_t length = strlen(name), dot = text[at] != '\0';

		if (length + dot > at)
			break;
		if (dot)
			text[--at] = '.';
		memcpy(text + (at -= length), name, length);
	}
	memmove(text, text + at, n - at);
}

/* The number of the action's row, counted from 1; 0 without memory. */
static size_t row_of(ad_graph *g, const struct plan *p, const struct action *a)
{
	struct profile *f = g->profile;
	const ad_node *y = p->steps[a->first].node;
	ad_profile_row row = { .backward = y->order > 0 };
	char ops[128], scope[256];

	print_ops(p, a, ops, sizeof ops);
	print_scope(g, y->scope, scope, sizeof scope);
	for (size_t k = 0; k < f->n; k++)
		if (f->rows[k].backward == row.backward && strcmp(f->rows[k].scope, scope) == 0 &&
		    strcmp(f->rows[k].ops, ops) == 0)
			return k + 1;
	row.ops = arena_copy_text(&f->texts, ops);
	row.scope = arena_copy_text(&f->texts, scope);
	if (!row.ops || !row.scope || !grow(&f->rows, &f->cap, f->n + 1, sizeof *f->rows))
		return 0;
	f->rows[f->n++] = row;
	return f->n;
}

void profile_action(ad_graph *g, const struct plan *p, struct action *a, double seconds)
{
	double start = seconds_now();

	if (!a->row)
		a->row = row_of(g, p, a);
	if (a->row) {
		ad_profile_row *row = &g->profile->rows[a->row - 1];

		row->calls++;
		row->seconds += seconds;
		row->bytes += a->bytes;
	}
	g->profile->own += seconds_now() - start;
}

void profile_total(ad_graph *g, double seconds)
{
	g->profile->total += seconds - g->profile->own;
	g->profile->own = 0;
}

size_t ad_profile_rows(const ad_graph *g, const ad_profile_row **rows, double *seconds)
{
	*rows = g->profile ? g->profile->rows : NULL;
	*seconds = g->profile ? g->profile->total : 0;
	return g->profile ? g->profile->n : 0;
}
