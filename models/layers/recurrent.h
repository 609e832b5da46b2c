/*
 * recurrent: what the recurrent layers share: their arguments and weights, directions, layers,
 * states.
 *
 *   x   [B, T, in]; the steps are axis 1
 *   h, c   the states before the first step, of shape S: [B, hidden], or for several layers or
 *          directions [layers * directions, B, hidden], the directions of a layer side by side;
 * zeros if left out. c is the lstm's. weight_ih_lK [gates hidden, in], weight_hh_lK [gates hidden,
 * hidden], bias_ih_lK and bias_hh_lK [gates hidden] of layer K, with _reverse at the end for the
 * way back; `in` of the layers above is directions * hidden y   [B, T, directions * hidden], the
 * outputs of the last layer; with outputs last [B, directions * hidden], each direction's own last
 * one. Further results: the states after the last step, of shape S.
 *
 * All weights begin uniform in +-1 / sqrt(hidden), as in PyTorch.
 */
#ifndef MODELS_LAYERS_RECURRENT_H
#define MODELS_LAYERS_RECURRENT_H

#include "model.h"
#include "op.h"

struct recurrent {
	int64_t hidden, layers;
	bool bidirectional, bias;
	double dropout;
	const char *outputs;
};

#define RECURRENT_ATTRS                                                                            \
	AD_ATTR(struct recurrent, hidden, AD_INT, NULL, "size of the state", NULL),                \
	    AD_ATTR(struct recurrent, layers, AD_INT, "1",                                         \
	            "how many, each over the outputs of the one below", NULL),                     \
	    AD_ATTR(struct recurrent, bidirectional, AD_FLAG, "false",                             \
	            "also from the last step to the first, the outputs side by side", NULL),       \
	    AD_ATTR(struct recurrent, dropout, AD_NUM, "0",                                        \
	            "between the layers, in training phase", NULL),                                \
	    AD_ATTR(struct recurrent, outputs, AD_WORD, "all",                                     \
	            "those of all steps, or of the last alone", "all last"),                       \
	    AD_ATTR(struct recurrent, bias, AD_FLAG, "true", "add biases", NULL)

/* One layer in one direction: weights, and the states before. c is NULL but for the lstm. */
struct pass {
	ad_node *w_ih, *w_hh, *b_ih, *b_hh, *h, *c;
};

/* What the kind of layer does: y (T, B, hidden) and the states after the last step, into p. */
typedef ad_node *run_pass(ad_node *x, struct pass *p, const void *attrs);

struct recurrence {
	const char *name;
	int gates, states;
	run_pass *run, *step; /* step: x (B, in) -> the new state, for the shapes alone */
};

static inline bool pass_weights(struct layer_site *site, const struct recurrence *kind,
                                const struct recurrent *a, int64_t in, int64_t layer, bool back,
                                struct pass *p)
{
	const double bound = 1 / sqrt((double)a->hidden);
	const struct init init = { .kind = INIT_UNIFORM, .lo = -bound, .hi = bound };
	const int64_t rows = kind->gates * a->hidden;
	const struct {
		const char *name;
		ad_shape shape;
		ad_node **to;
	} all[] = { { "weight_ih", AD_SHAPE(rows, in), &p->w_ih },
		    { "weight_hh", AD_SHAPE(rows, a->hidden), &p->w_hh },
		    { "bias_ih", AD_SHAPE(rows), &p->b_ih },
		    { "bias_hh", AD_SHAPE(rows), &p->b_hh } };

	for (int k = 0; k < (a->bias ? 4 : 2); k++) {
		char name[64];

		snprintf(name, sizeof name, "%s_l%lld%s", all[k].name, (long long)layer,
		         back ? "_reverse" : "");
		*all[k].to =
		    model_weight(site, name, all[k].shape, init, all[k].shape.dims[1], rows);
		if (!*all[k].to)
			return false;
	}
	return true;
}

/* State number k (0 h, 1 c) before the first step, of all layers and directions: (n, B, hidden). */
static inline ad_node *first_state(struct layer_site *site, const char *name, int k, int64_t n,
                                   int64_t B, int64_t hidden)
{
	ad_node *given = layer_input(site, 1 + (size_t)k);
	const ad_shape all = AD_SHAPE(n, B, hidden);
	char text[192], text_want[192];

	if (!given)
		return ad_full(ad_graph_of(layer_input(site, 0)), all, 0);
	ad_shape shape = ad_shape_of(given), want = n == 1 ? AD_SHAPE(B, hidden) : all;
	if (!ad_equal_shapes(&shape, &want))
		return ad_fail(ad_graph_of(given), AD_ERROR_SHAPE,
		               "%s: the first %s must be %s, not %s", name, k ? "c" : "h",
		               ad_print_shape(text_want, sizeof text_want, want),
		               ad_print_shape(text, sizeof text, shape));
	return n == 1 ? ad_reshape(given, all) : given;
}

/* One direction of one layer over x (T, B, in). */
static inline ad_node *run_direction(struct layer_site *site, const struct recurrence *kind,
                                     ad_node *x, struct pass *p, bool back, const void *attrs)
{
	const ad_shape shape = ad_shape_of(x);
	ad_node *y;

	if (layer_checked(site)) {
		y = kind->step(ad_select(x, 0, 0), p, attrs);
		if (ad_is_error(y))
			return y;
		const ad_shape one = ad_shape_of(y);
		return ad_expand(y, AD_SHAPE(shape.dims[0], one.dims[0], one.dims[1]));
	}
	if (!back)
		return kind->run(x, p, attrs);
	y = kind->run(ad_flip(x, AD_INTS(0)), p, attrs);
	return ad_is_error(y) ? y : ad_flip(y, AD_INTS(0));
}

/* Puts the states after the last step together, (n, B, hidden) or (B, hidden), into results[1...].
 */
static inline bool last_states(const struct recurrence *kind, struct pass passes[], int64_t n,
                               ad_node *results[3])
{
	ad_node **list = malloc((size_t)n * sizeof(*list));
	bool ok = list != NULL;

	for (int k = 0; ok && k < kind->states; k++) {
		for (int64_t i = 0; i < n; i++)
			list[i] = k ? passes[i].c : passes[i].h;
		results[1 + k] = n == 1 ? list[0] : ad_stack((size_t)n, list, 0);
		ok = !ad_is_error(results[1 + k]);
	}
	free(list);
	return ok;
}

/* The outputs of the last layer, y (T, B, directions * hidden), as the layer gives them. */
static inline ad_node *shown_outputs(ad_node *y, const struct pass top[], const struct recurrent *a)
{
	if (strcmp(a->outputs, "last") != 0)
		return ad_transpose(y, 0, 1);
	return a->bidirectional ? ad_concat(2, (ad_node *[]){ top[0].h, top[1].h }, -1) : top[0].h;
}

static inline ad_node *run_layers(struct layer_site *site, const struct recurrence *kind,
                                  ad_node *x, struct pass passes[], const struct recurrent *a,
                                  const void *attrs)
{
	const int directions = a->bidirectional ? 2 : 1;
	ad_node *y[2], *results[3];

	for (int64_t layer = 0; layer < a->layers; layer++) {
		struct pass *p = &passes[layer * directions];

		if (layer > 0 && a->dropout > 0)
			x = ad_dropout(x, a->dropout);
		for (int d = 0; d < directions; d++) {
			if (ad_is_error(x) ||
			    !pass_weights(site, kind, a, ad_shape_of(x).dims[2], layer, d, &p[d]))
				return NULL;
			y[d] = run_direction(site, kind, x, &p[d], d, attrs);
			if (ad_is_error(y[d]))
				return y[d];
		}
		x = directions == 2 ? ad_concat(2, y, -1) : y[0];
	}
	results[0] = shown_outputs(x, &passes[(a->layers - 1) * directions], a);
	if (!last_states(kind, passes, a->layers * directions, results))
		return ad_fail(ad_graph_of(x), AD_ERROR_MEMORY, "%s: out of memory", kind->name);
	return ad_pack(1 + (size_t)kind->states, results);
}

/* The layer: a is the part of attrs that all kinds have. */
static inline ad_node *recur(struct layer_site *site, const struct recurrence *kind, ad_node *x,
                             const struct recurrent *a, const void *attrs)
{
	const ad_shape shape = ad_shape_of(x);
	const int64_t n = a->layers * (a->bidirectional ? 2 : 1);
	ad_graph *g = ad_graph_of(x);
	ad_node *first[2] = { NULL, NULL }, *y;
	struct pass *passes;
	char text[192];

	if (shape.rank != 3)
		return ad_fail(g, AD_ERROR_SHAPE, "%s: x is [batch, steps, size], not %s",
		               kind->name, ad_print_shape(text, sizeof text, shape));
	if (shape.dims[1] > MOST_UNROLLED && !layer_open_size(site, shape.dims[1]))
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: %lld steps are more than %d, as many as can be unrolled",
		               kind->name, (long long)shape.dims[1], MOST_UNROLLED);
	if (a->layers < 1 || a->layers > 1000)
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: 'layers' is %lld, not in 1..1000",
		               kind->name, (long long)a->layers);
	if (!(a->dropout >= 0 && a->dropout < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "%s: 'dropout' is %g, not in [0, 1)",
		               kind->name, a->dropout);
	for (int k = 0; k < kind->states; k++) {
		first[k] = first_state(site, kind->name, k, n, shape.dims[0], a->hidden);
		if (ad_is_error(first[k]))
			return first[k];
	}
	passes = calloc((size_t)n, sizeof *passes);
	if (!passes)
		return ad_fail(g, AD_ERROR_MEMORY, "%s: out of memory", kind->name);
	for (int64_t i = 0; i < n; i++) {
		passes[i].h = ad_select(first[0], 0, i);
		passes[i].c = first[1] ? ad_select(first[1], 0, i) : NULL;
	}
	y = run_layers(site, kind, ad_transpose(x, 0, 1), passes, a, attrs);
	free(passes);
	return y;
}

#endif
