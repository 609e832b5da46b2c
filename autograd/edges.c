/*
 * edges: lists the edges of a graph with their keys, measures arrays.
 *
 * A key is the path of scopes, the op or the leaf's name, its number among the nodes of the same such text
 * where it is not the first, and the number of the input. Sizes are no part of it.
 */
#include "edges.h"
#include "graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NAMES 16       /* of the scopes around a node, the innermost ones */
#define MOST_LETTERS 64     /* bytes of a name */
#define NOWHERE UINT32_MAX

/* ---- keys ------------------------------------------------------------------------------------- */

/* Texts seen so far with how often, by their hash. */
struct counts {
	size_t n_slots;
	struct count {
		const char *text;
		uint32_t times;
	} *slots;
};

static uint32_t count_text(struct counts *c, const char *text)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	size_t k;

	for (const char *p = text; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3u;
	for (k = (size_t)h & (c->n_slots - 1); c->slots[k].text; k = (k + 1) & (c->n_slots - 1))
		if (!strcmp(c->slots[k].text, text))
			return c->slots[k].times++;
	c->slots[k] = (struct count){ text, 1 };
	return 0;
}

/* A name without controls, cut between characters. */
static void write_name(FILE *to, const char *name)
{
	size_t n = strlen(name);

	if (n > MOST_LETTERS)
		for (n = MOST_LETTERS; n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80;)
			n--;
	for (size_t k = 0; k < n; k++)
		putc((unsigned char)name[k] < 0x20 || name[k] == 0x7f ? '_' : name[k], to);
}

static void write_base(FILE *to, const ad_node *x)
{
	const ad_graph *g = ad_graph_of(x);
	const char *names[MOST_NAMES], *op = ad_op_of(x);
	int n = 0;

	for (int s = op ? ad_scope_of(x) : 0; s > 0 && n < MOST_NAMES; s = ad_scope_parent(g, s))
		names[n++] = ad_scope_name(g, s);
	while (n > 0) {
		write_name(to, names[--n]);
		putc('.', to);
	}
	write_name(to, op ? op : ad_name_of(x) ? ad_name_of(x) : "leaf");
	if (x->out > 0)
		fprintf(to, "/%u", x->out);
}

/* ---- edges ------------------------------------------------------------------------------------ */

static size_t number_of(const ad_node *x)
{
	return x->lasting ? x->index : x->graph->n_lasting + x->index;
}

static uint32_t scope_depth(const ad_graph *g, int scope)
{
	uint32_t depth = 0;

	for (; scope > 0; scope = ad_scope_parent(g, scope))
		depth++;
	return depth;
}

static uint32_t common_depth(const ad_graph *g, int a, int b)
{
	uint32_t depth_a = scope_depth(g, a), depth_b = scope_depth(g, b);

	for (; depth_a > depth_b; depth_a--)
		a = ad_scope_parent(g, a);
	for (; depth_b > depth_a; depth_b--)
		b = ad_scope_parent(g, b);
	for (; a != b; depth_a--) {
		a = ad_scope_parent(g, a);
		b = ad_scope_parent(g, b);
	}
	return depth_a;
}

/* How often each node below y is used there, from 1, as y itself counts one. NULL: no memory. */
static uint32_t *count_uses(ad_node *y)
{
	ad_graph *g = ad_graph_of(y);
	size_t top = number_of(y);
	uint32_t *uses = calloc(ad_nodes(g) + 1, sizeof *uses);

	if (!uses)
		return NULL;
	uses[top] = 1;
	for (size_t k = top + 1; k-- > 0;) {
		ad_node *x = ad_node_at(g, k), *owner;
		int out;

		if (!uses[k] || !ad_op_of(x))
			continue;
		owner = ad_owner_of(x, &out);
		if (owner != x) {
			/* The first output stands for the op; that is no use of its value. */
			if (!uses[number_of(owner)])
				uses[number_of(owner)] = 1;
			continue;
		}
		for (int i = 0; i < ad_inputs(x); i++) {
			ad_node *in = ad_input_of(x, i);

			if (in)
				uses[number_of(in)] += uses[number_of(in)] ? 1 : 2;
		}
	}
	return uses;
}

static size_t count_edges(ad_graph *g, const uint32_t *uses, size_t total)
{
	size_t n = 0;

	for (size_t k = 0; k < total; k++) {
		ad_node *x = ad_node_at(g, k);

		if (uses[k])
			n += 1 + (ad_op_of(x) && x->owner == x ? (size_t)ad_inputs(x) : 0);
	}
	return n;
}

static struct edge *add_edge(struct edges *to, ad_node *x, int input, uint32_t depth)
{
	to->of[to->n] = (struct edge){ .node = x, .input = input, .depth = depth };
	return &to->of[to->n++];
}

/* Lists without keys. first[k]: where node k's are, or NOWHERE. */
static void list(ad_node *y, const uint32_t *uses, struct edges *to, uint32_t *first)
{
	ad_graph *g = ad_graph_of(y);
	size_t total = number_of(y) + 1;

	for (size_t k = 0; k < total; k++) {
		ad_node *x = ad_node_at(g, k);

		first[k] = NOWHERE;
		if (!uses[k])
			continue;
		first[k] = (uint32_t)to->n;
		if (uses[k] != 2)
			add_edge(to, x, -1, scope_depth(g, ad_scope_of(x)));
		if (!ad_op_of(x) || x->owner != x)
			continue;
		for (int i = 0; i < ad_inputs(x); i++) {
			ad_node *in = ad_input_of(x, i);

			if (in)
				add_edge(to, x, i,
				         common_depth(g, ad_scope_of(x),
				                      ad_scope_of(ad_op_of(in) ? in : x)));
		}
	}
}

/* The texts of the nodes, one after another with a NUL behind each, by node. */
static char *write_bases(ad_node *y, const uint32_t *uses)
{
	ad_graph *g = ad_graph_of(y);
	char *text = NULL;
	size_t size, total = number_of(y) + 1;
	FILE *to = open_memstream(&text, &size);
	bool good = to != NULL;

	for (size_t k = 0; good && k < total; k++)
		if (uses[k]) {
			write_base(to, ad_node_at(g, k));
			putc('\0', to);
		}
	if (to && fclose(to) != 0)
		good = false;
	if (good)
		return text;
	free(text);
	return NULL;
}

static bool write_keys(ad_node *y, const uint32_t *uses, const char *bases, struct edges *e,
                       const uint32_t *first)
{
	struct counts counts = { .n_slots = 16 };
	size_t total = number_of(y) + 1, size, at = 0;
	FILE *to = open_memstream(&e->text, &size);
	bool good;

	while (counts.n_slots < 2 * total)
		counts.n_slots *= 2;
	counts.slots = calloc(counts.n_slots, sizeof *counts.slots);
	good = to && counts.slots;
	for (size_t k = 0; good && k < total; k++) {
		uint32_t times;

		if (!uses[k])
			continue;
		times = count_text(&counts, bases);
		for (size_t j = first[k]; j < e->n && number_of(e->of[j].node) == k; j++) {
			fputs(bases, to);
			if (times > 0)
				fprintf(to, "#%u", times);
			if (e->of[j].input >= 0)
				fprintf(to, ":%d", e->of[j].input);
			putc('\0', to);
		}
		bases += strlen(bases) + 1;
	}
	if (to && fclose(to) != 0)
		good = false;
	free(counts.slots);
	for (size_t j = 0; good && j < e->n; j++) {
		e->of[j].key = e->text + at;
		at += strlen(e->of[j].key) + 1;
	}
	return good;
}

bool edges_list(ad_node *y, struct edges *to)
{
	uint32_t *uses = count_uses(y), *first;
	size_t total = number_of(y) + 1;
	char *bases = uses ? write_bases(y, uses) : NULL;
	bool good = false;

	*to = (struct edges){ 0 };
	first = malloc(total * sizeof *first);
	if (bases && first)
		to->of = calloc(count_edges(ad_graph_of(y), uses, total) + 1, sizeof *to->of);
	if (to->of) {
		list(y, uses, to, first);
		good = write_keys(y, uses, bases, to, first);
	}
	free(uses);
	free(first);
	free(bases);
	if (!good)
		edges_free(to);
	return good;
}

void edges_free(struct edges *e)
{
	free(e->of);
	free(e->text);
	*e = (struct edges){ 0 };
}

/* ---- arrays ----------------------------------------------------------------------------------- */

#define MEASURE(v, n)                                                                              \
	do {                                                                                       \
		for (size_t k = 0; k < (n); k++) {                                                 \
			double a = fabs((double)(v)[k]);                                           \
                                                                                                   \
			zeros += a == 0;                                                           \
			nan |= isnan(a);                                                           \
			total += (double)(v)[k];                                                   \
			if (a > most)                                                              \
				most = a;                                                          \
		}                                                                                  \
		/* Divided by the largest, so that squares neither overflow nor vanish. */         \
		for (size_t k = 0; k < (n) && most > 0 && isfinite(most); k++) {                   \
			double a = (double)(v)[k] / most;                                          \
                                                                                                   \
			squares += a * a;                                                          \
		}                                                                                  \
	} while (0)

/* ulp: the rounding of one element. A mean below that of the root mean square is what rounding has left of
 * elements that cancel: 0. */
static struct measure measured(size_t n, size_t zeros, bool nan, double total, double most, double squares,
                               double ulp)
{
	double count = n ? (double)n : 1;
	struct measure m = { .rms = most * sqrt(squares / count), .mean = total / count, .max = most,
		             .zeros = (double)zeros / count };

	if (fabs(m.mean) < ulp * m.rms)
		m.mean = 0;
	if (nan)
		m.rms = m.mean = m.max = NAN;
	else if (isinf(most))
		m.rms = m.mean = m.max = INFINITY;
	return m;
}

struct measure measure_f32(const float *v, size_t n)
{
	double total = 0, most = 0, squares = 0;
	size_t zeros = 0;
	bool nan = false;

	MEASURE(v, n);
	return measured(n, zeros, nan, total, most, squares, 0x1p-24);
}

struct measure measure_f64(const double *v, size_t n)
{
	double total = 0, most = 0, squares = 0;
	size_t zeros = 0;
	bool nan = false;

	MEASURE(v, n);
	return measured(n, zeros, nan, total, most, squares, 0x1p-53);
}

bool measure_node(ad_node *x, struct measure *to)
{
	const void *data = ad_type_of(x) == AD_REAL ? ad_data(x) : NULL;

	*to = (struct measure){ NAN, NAN, NAN, NAN };
	if (!data)
		return false;
	*to = ad_is_f64(ad_graph_of(x)) ? measure_f64(data, ad_count(x)) : measure_f32(data, ad_count(x));
	return true;
}
