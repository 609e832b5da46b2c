/*
 * stats: a graph in numbers, and as lines for a debugger.
 */
#include "drawing.h"
#include "graph.h"

#include <math.h>
#include <stdlib.h>

#define MOST_LINES 400
#define NAME_LETTERS 48

bool ad_graph_stats(ad_node *y, const ad_draw_options *o, ad_graph_statistics *s, char *error,
                    size_t n)
{
	static const ad_draw_options usual = { .step = -1 };
	struct drawing d;
	uint32_t *depth = NULL;
	bool good = drawing_read(&d, y, o ? o : &usual, error, n) && drawing_make_uses(&d);

	*s = (ad_graph_statistics){ .reference = good ? d.reference : 0 };
	if (good) {
		depth = calloc((size_t)d.n_parts + 1, sizeof *depth);
		good = depth || drawing_no_memory(&d);
	}
	for (uint32_t k = 0; good && k < d.n_parts; k++) {
		const struct part *p = &d.parts[k];
		size_t bytes = p->node->count * element_size(d.graph, (ad_type)p->node->type);

		s->bytes += bytes;
		if (p->offender)
			s->first_nan = p->node;
		switch (ad_kind_of(p->node)) {
		case AD_IS_OP:
			s->ops += p->owner == k;
			break;
		case AD_IS_PARAM:
			s->params++;
			s->frozen += p->frozen;
			s->elements += p->node->count;
			s->param_bytes += bytes;
			if (d.gradients)
				s->param_classes[p->class]++;
			break;
		case AD_IS_BUFFER:
			s->buffers++;
			break;
		case AD_IS_CONSTANT:
			s->constants++;
			break;
		default:
			s->inputs++;
		}
	}
	/* Uses stand in the order of computation. */
	for (size_t k = 0; good && k < d.n_uses; k++) {
		const struct use *u = &d.uses[k];

		if (depth[u->to] < depth[u->from] + 1)
			depth[u->to] = depth[u->from] + 1;
		if (depth[u->to] > s->depth)
			s->depth = depth[u->to];
		if (d.gradients)
			s->use_classes[u->class]++;
	}
	free(depth);
	drawing_free(&d);
	return good;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static size_t number_in(const ad_node *x)
{
	return x->lasting ? x->index : x->graph->n_lasting + x->index;
}

static void print_words(const char *words)
{
	const unsigned char *s = (const unsigned char *)words;
	size_t bytes;

	for (int k = 0; *s && k < NAME_LETTERS; k++, s += bytes) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (c == 0xfffd || drawing_is_unprintable(c))
			fputs("\xef\xbf\xbd", stderr);
		else
			fwrite(s, 1, bytes, stderr);
	}
}

/* The elements, if they are there without any computation. */
static const void *elements_at_hand(const ad_node *x)
{
	if (x->place != OWN || !x->data || ad_type_of(x) != AD_REAL || x->count == 0)
		return NULL;
	return (x->op ? is_current(x) : x->changed > 0 || x->kind != AD_IS_INPUT) ? x->data : NULL;
}

static void print_size(const char *what, const ad_node *x)
{
	const void *data = elements_at_hand(x);
	double sum = 0;

	if (!data)
		return;
	for (size_t k = 0; k < x->count; k++) {
		double v = x->graph->f64 ? ((const double *)data)[k] : ((const float *)data)[k];

		if (x->count == 1) {
			fprintf(stderr, "  %s %g", what, v);
			return;
		}
		sum += v * v;
	}
	fprintf(stderr, "  %s rms %.3g", what, sqrt(sum / (double)x->count));
}

static void print_node(const ad_node *x)
{
	static const char *const kinds[] = {
		[AD_IS_LEAF] = "leaf",     [AD_IS_INPUT] = "input",       [AD_IS_PARAM] = "param",
		[AD_IS_BUFFER] = "buffer", [AD_IS_CONSTANT] = "constant", [AD_IS_OP] = "op"
	};
	char shape[128];
	int scope = ad_scope_of(x);

	fprintf(stderr, "n%zu = ", number_in(x));
	if (!x->op) {
		fputs(kinds[ad_kind_of(x)], stderr);
	} else {
		fprintf(stderr, "%s(", ad_op_of(x));
		for (int i = 0; i < ad_inputs(x); i++) {
			const ad_node *in = ad_input_of(x, i);

			fputs(i ? ", " : "", stderr);
			if (in)
				fprintf(stderr, "n%zu", number_in(in));
			else
				fputc('-', stderr);
		}
		fputc(')', stderr);
		if (x->out)
			fprintf(stderr, "[%d]", x->out);
	}
	fprintf(stderr, "  %s", ad_print_shape(shape, sizeof shape, x->shape));
	if (x->name) {
		fputs("  '", stderr);
		print_words(x->name);
		fputc('\'', stderr);
	}
	if (scope > 0) {
		fputs("  in ", stderr);
		print_words(ad_scope_name(x->graph, scope));
	}
	print_size("=", x);
	if (x->grad && is_recorded(x->grad))
		print_size("gradient", x->grad);
	fputc('\n', stderr);
}

void ad_print_graph(const ad_node *y)
{
	const ad_graph *g = y ? y->graph : NULL;
	size_t n = g ? ad_nodes(g) : 0, marked = 0, skipped = 0;
	bool *marks;

	if (!y || y->is_error || g->dead) {
		fprintf(stderr, "ad_print_graph: %s%s\n",
		        !y            ? "no node"
		        : y->is_error ? "an error node: "
		                      : "a graph without memory",
		        y && y->is_error && g ? ad_errmsg(g) : "");
		return;
	}
	marks = calloc(n + 1, sizeof *marks);
	if (!marks || !is_recorded(y)) {
		fprintf(stderr, "ad_print_graph: %s\n",
		        marks ? "the node was released" : "out of memory");
		free(marks);
		return;
	}
	if (ad_status_of(g) != AD_OK)
		fprintf(stderr, "the graph has failed: %s\n", ad_errmsg(g));
	marks[number_in(y)] = true;
	for (size_t k = n; k-- > 0;) {
		const ad_node *x = ad_node_at(g, k);

		if (!marks[k])
			continue;
		marked++;
		for (int i = 0; i < ad_inputs(x); i++)
			if (ad_input_of(x, i) && number_in(ad_input_of(x, i)) < n)
				marks[number_in(ad_input_of(x, i))] = true;
	}
	/* The last ones, which lead to y. */
	for (size_t k = 0; k < n; k++) {
		if (!marks[k])
			continue;
		if (marked-- > MOST_LINES)
			skipped++;
		else
			print_node(ad_node_at(g, k));
	}
	if (skipped)
		fprintf(stderr, "(%zu nodes before them)\n", skipped);
	free(marks);
}
