/*
 * random_graphs: graphs of random ops (broadcasts, views, reductions, masks, indices, several outputs, layers with
 * shared weights), the same ones in every run. Sharing buffers must not change a bit of any value, gradients of
 * first and second order must agree with differences, and steps that follow each other on one graph in any order
 * must give what each gives alone, node by node.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS = 4, MOST = 96, LARGEST = 160, BIT_GRAPHS = 300, GRADIENT_GRAPHS = 250, POOL = 7, LAYERS = 6 };

struct net {
	ad_graph *g;
	uint64_t state; /* of the random choices */
	bool smooth;    /* only what differences can see: no stop_gradient */
	bool scalar;    /* single numbers alone */
	uint64_t *whim; /* state of further choices, which must not change any value; NULL: none */
	ad_node **layer; /* weights of layers, which many nodes share; NULL: no layers */
	int open;       /* scopes */
	bool checkpoints, checkpoint; /* whether there are some, and one is open */
	bool adds;      /* it has ops whose kernels may add to what is there */
	ad_node *params[PARAMS];
	ad_node *nodes[MOST];
	int n;
	ad_node *loss;
};

/* SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static int below(struct net *t, int n)
{
	return (int)(draw(&t->state) % (uint64_t)n);
}

static double number(uint64_t *state)
{
	return (double)(draw(state) >> 11) * 0x1p-52 - 1;
}

static ad_node *any(struct net *t)
{
	/* mostly a recent one, so that graphs grow deep; at times an old one, so that they branch */
	int recent = t->n < 6 ? t->n : 6;

	return t->nodes[below(t, 3) ? t->n - 1 - below(t, recent) : below(t, t->n)];
}

static bool broadcasts(ad_shape a, ad_shape b)
{
	size_t count = 1;
	int rank = a.rank > b.rank ? a.rank : b.rank;

	for (int i = 1; i <= rank; i++) {
		int64_t m = i <= a.rank ? a.dims[a.rank - i] : 1, n = i <= b.rank ? b.dims[b.rank - i] : 1;

		if (m != n && m != 1 && n != 1)
			return false;
		count *= (size_t)(m > n ? m : n);
	}
	return count <= LARGEST && rank <= 4;
}

/* A partner for x; x itself if none is found soon. */
static ad_node *partner(struct net *t, ad_node *x)
{
	for (int k = 0; k < 10; k++) {
		ad_node *y = any(t);

		if (broadcasts(ad_shape_of(x), ad_shape_of(y)))
			return y;
	}
	return x;
}

static ad_node *one_input(struct net *t, ad_node *x)
{
	switch (below(t, t->smooth ? 8 : 10)) {
	case 0: return ad_tanh(x);
	case 1: return ad_sigmoid(x);
	case 2: return ad_sin(x);
	case 3: return ad_softplus(x, 1, 20);
	case 4: return ad_exp(ad_tanh(x));
	case 5: return ad_square(ad_tanh(x));
	case 6: return ad_neg(x);
	case 7: return ad_sqrt(ad_add(ad_square(ad_sin(x)), ad_constant(t->g, 0.5)));
	case 8: return ad_dropout(x, 0.3);
	default: return ad_stop_gradient(x);
	}
}

static ad_node *two_inputs(struct net *t, ad_node *a, ad_node *b)
{
	switch (below(t, 8)) {
	case 0: return ad_add(a, b);
	case 1: return ad_sub(a, b);
	case 2: return ad_mul(a, ad_tanh(b));
	case 3: return ad_maximum(a, b);
	case 4: return ad_minimum(a, b);
	case 5: return ad_div(a, ad_exp(ad_sin(b)));
	case 6: return ad_where(ad_greater(a, b), ad_sin(a), b);
	default: return ad_add(a, ad_less_equal(a, b)); /* a mask in arithmetic */
	}
}

static ad_node *view(struct net *t, ad_node *x)
{
	ad_shape s = ad_shape_of(x), flat = AD_SHAPE((int64_t)ad_count(x));

	switch (below(t, 6)) {
	case 0: return ad_reshape(x, flat);
	case 1: return ad_reshape(ad_reshape(x, flat), s);
	case 2: return s.rank < 4 ? ad_unsqueeze(x, below(t, s.rank + 1)) : ad_reshape(x, flat);
	case 3: return s.rank > 1 ? ad_transpose(x, 0, -1) : x;
	case 4: return s.rank < 4 && ad_count(x) % 2 == 0 ?
		               ad_reshape(x, AD_SHAPE(2, (int64_t)ad_count(x) / 2)) : x;
	default: return s.rank > 0 ? ad_flip(x, AD_INTS(-1)) : x;
	}
}

static ad_node *along_axis(struct net *t, ad_node *x)
{
	int axis = below(t, ad_shape_of(x).rank);
	bool keep = below(t, 2);

	switch (below(t, 9)) {
	case 0: return ad_sum(x, AD_INTS(axis), keep);
	case 1: return ad_mean(x, AD_ALL, keep);
	case 2: return ad_amax(x, AD_INTS(axis), keep);
	case 3: return ad_logsumexp(x, AD_INTS(axis), keep);
	case 4: return ad_softmax(x, axis);
	case 5: return ad_log_softmax(x, axis);
	case 6: return ad_cumsum(ad_tanh(x), axis, keep);
	case 7: return ad_concat(2, (ad_node *[]){ x, ad_tanh(x) }, axis);
	default: return ad_slice(x, AD_INTS(axis), AD_INTS(0), AD_INTS(1), AD_INTS(1));
	}
}

/* Ops with several outputs, and ops that take indices: results go onto the list by themselves. */
static ad_node *outputs_and_indices(struct net *t, ad_node *x)
{
	int axis = below(t, ad_shape_of(x).rank);
	int64_t size = ad_shape_of(x).dims[axis];
	ad_node *y;

	switch (below(t, 5)) {
	case 0:
		if (size < 2)
			return x;
		y = ad_split(x, AD_INTS(1, size - 1), axis);
		t->nodes[t->n++] = ad_output(y, 1);
		return y;
	case 1:
		y = ad_max_dim(x, axis, true);
		return ad_add(y, ad_output(y, 1)); /* an index in arithmetic */
	case 2:
		y = ad_sort(x, axis, true);
		t->nodes[t->n++] = ad_gather(ad_sin(x), ad_output(y, 1), axis);
		return y;
	case 3:
		return ad_gather(x, ad_argmax(x, axis, true), axis);
	default:
		y = ad_chunk(ad_tanh(x), 2, axis);
		return ad_output(y, ad_outputs(y) - 1);
	}
}

/* Layers whose weights all of them share. */
static ad_node *layer(struct net *t, ad_node *x)
{
	ad_shape s = ad_shape_of(x);
	ad_node **w = t->layer;

	if (s.rank == 0)
		return x;
	t->adds = true;
	if (s.dims[s.rank - 1] == 3)
		switch (below(t, 3)) {
		case 0: return ad_linear(x, w[0], w[1]);
		case 1: return ad_layer_norm(x, w[1], w[2], AD_INTS(3), 1e-5);
		default: return ad_matmul(s.rank == 1 ? ad_reshape(x, AD_SHAPE(1, 3)) : x, w[0]);
		}
	if (ad_count(x) % 4 == 0 && below(t, 2))
		return ad_conv2d(ad_reshape(x, AD_SHAPE(1, 1, 2, (int64_t)ad_count(x) / 2)), w[3], NULL,
		                 AD_INTS(1, 1), AD_INTS(1, 0), AD_INTS(1, 1), 1);
	return ad_embedding(w[4], ad_argmax(ad_reshape(x, AD_SHAPE(-1, s.dims[s.rank - 1] == 4 ? 4 : 1)), -1, false));
}

static ad_node *product(struct net *t, ad_node *x)
{
	int64_t n = ad_shape_of(x).dims[ad_shape_of(x).rank - 1];
	ad_node *square = ad_matmul(ad_transpose(x, -1, -2), ad_tanh(x));

	t->adds = true;
	return n <= 6 ? ad_matmul(ad_tanh(x), ad_sin(square)) : square;
}

static void fill(ad_node *x, uint64_t *state)
{
	double values[64];

	for (size_t j = 0; j < ad_count(x); j++)
		values[j] = number(state);
	ad_set(x, values, ad_count(x));
}

/* What changes no value: scopes, checkpoints, values kept, nodes that lead nowhere, failures, releases. */
static void be_whimsical(struct net *t)
{
	ad_graph *g = t->g;
	ad_node *x = t->nodes[t->n - 1], *y;
	size_t mark;

	switch (draw(t->whim) % 24) {
	case 0:
		ad_scope_begin(g, draw(t->whim) % 2 ? "block" : "layer");
		t->open++;
		break;
	case 1:
		if (t->open > 0)
			ad_scope_end(g), t->open--;
		break;
	case 2:
	case 3:
		if (!t->checkpoints)
			break;
		t->checkpoint ? ad_checkpoint_end(g) : ad_checkpoint_begin(g);
		t->checkpoint = !t->checkpoint;
		break;
	case 4:
		ad_keep(x);
		ad_name(x, draw(t->whim) % 2 ? "x" : "y");
		break;
	case 5:
		ad_sin(ad_add(x, x));
		break;
	case 6:
		cr_assert(ad_is_error(ad_reshape(x, AD_SHAPE(1000))));
		ad_clear(g);
		break;
	case 7:
		cr_assert_neq(ad_forward(ad_tanh(ad_input(g, "unset", AD_REAL, AD_SHAPE(3)))), AD_OK);
		ad_clear(g);
		break;
	case 8:
		mark = ad_mark(g);
		y = ad_mean(ad_square(ad_sin(x)), AD_ALL, false);
		cr_assert_eq(draw(t->whim) % 2 ? ad_backward(y) : ad_forward(y), AD_OK, "%s", ad_errmsg(g));
		ad_release(g, mark);
		t->checkpoint = false; /* a release ends it */
		break;
	default:
		break;
	}
}

/* Random ops on what is there, and a loss. */
static void extend(struct net *t, uint64_t seed)
{
	ad_graph *g = t->g;
	int steps = 6 + below(t, 26);

	for (int k = 0; k < steps; k++) {
		ad_node *x = any(t), *y;
		int kind = below(t, t->scalar ? 7 : t->layer ? 15 : 12), rank = ad_shape_of(x).rank;

		if (kind < 3)
			y = one_input(t, x);
		else if (kind < 7)
			y = two_inputs(t, x, partner(t, x));
		else if (kind > 11)
			y = layer(t, x);
		else if (kind < 9 || rank == 0)
			y = view(t, x);
		else if (kind < 10)
			y = along_axis(t, x);
		else if (kind < 11 || rank < 2)
			y = outputs_and_indices(t, x);
		else
			y = product(t, x);
		cr_assert(!ad_is_error(y), "graph %llu: %s", (unsigned long long)seed, ad_errmsg(g));
		if (ad_count(y) <= LARGEST && ad_count(y) > 0)
			t->nodes[t->n++] = y;
		if (t->whim)
			be_whimsical(t);
	}
	if (t->checkpoint)
		ad_checkpoint_end(g);
	t->loss = ad_constant(g, 0);
	for (int k = 0; k < t->n; k++)
		if (k + 3 > t->n || below(t, 4) == 0)
			t->loss = ad_add(t->loss, t->scalar ? ad_tanh(t->nodes[k]) :
			                                      ad_mean(ad_tanh(t->nodes[k]), AD_ALL, false));
}

static const ad_shape shapes[POOL] = { { 2, { 2, 3 } }, { 1, { 3 } }, { 2, { 4, 1 } }, { 0, { 0 } },
	                               { 3, { 2, 1, 3 } }, { 2, { 4, 3 } }, { 1, { 1 } } };

static void build(struct net *t, ad_graph *g, uint64_t seed, bool smooth)
{
	*t = (struct net){ .g = g, .state = seed, .smooth = smooth };
	for (int k = 0; k < PARAMS; k++) {
		t->params[k] = t->nodes[t->n++] = ad_param(g, "p", shapes[below(t, POOL)]);
		fill(t->params[k], &t->state);
	}
	extend(t, seed);
}

/* The values of everything that a graph offers, in order. */
struct values {
	size_t n;
	double v[MOST * LARGEST * 2];
};

static void collect(struct values *all, ad_node *x, uint64_t seed)
{
	size_t n = ad_count(x);

	cr_assert(all->n + n <= sizeof all->v / sizeof *all->v);
	cr_assert_eq(ad_get(x, all->v + all->n, n), AD_OK, "graph %llu: %s", (unsigned long long)seed,
	             ad_errmsg(ad_graph_of(x)));
	all->n += n;
}

enum { KEEP_ALL, SHARED, FORWARD_FIRST, PARTS_FIRST, AGAIN, RECORDED_AGAIN, WAYS };

static void compute(struct values *all, uint64_t seed, int way)
{
	ad_graph *g = seed % 2 ? ad_open() : ad_open_f64();
	size_t mark = ad_mark(g);
	struct net t;

	all->n = 0;
	build(&t, g, seed, false);
	switch (way) {
	case KEEP_ALL:
		ad_keep_all(g);
		break;
	case FORWARD_FIRST:
		cr_assert_eq(ad_forward(t.loss), AD_OK);
		break;
	case PARTS_FIRST:
		for (int k = t.n; k > 0; k -= 3)
			cr_assert_eq(ad_evaluate(g, t.nodes + k / 2, (size_t)(k - k / 2)), AD_OK);
		break;
	case AGAIN: /* with other values in between */
		for (int k = 0; k < 2; k++) {
			double was[16];
			size_t n = ad_count(t.params[0]);

			ad_get(t.params[0], was, n);
			ad_set_item(t.params[0], 0.25);
			cr_assert_eq(ad_backward(t.loss), AD_OK);
			ad_set(t.params[0], was, n);
		}
		break;
	case RECORDED_AGAIN:
		cr_assert_eq(ad_backward(t.loss), AD_OK);
		ad_release(g, mark);
		build(&t, g, seed, false);
		break;
	default:
		break;
	}
	cr_assert_eq(ad_backward(t.loss), AD_OK, "graph %llu: %s", (unsigned long long)seed,
	             ad_errmsg(g));
	collect(all, t.loss, seed);
	for (int k = 0; k < PARAMS; k++)
		collect(all, ad_gradient(t.params[k]), seed);
	for (int k = 0; k < t.n; k++)
		if (ad_depends(t.loss, t.nodes[k]))
			collect(all, t.nodes[k], seed);
	ad_close(g);
}

Test(random_graphs, sharing_buffers_does_not_change_a_bit)
{
	static struct values kept, other;

	for (uint64_t seed = 1; seed <= BIT_GRAPHS; seed++) {
		compute(&kept, seed, KEEP_ALL);
		for (int way = SHARED; way < WAYS; way++) {
			compute(&other, seed, way);
			cr_assert_eq(kept.n, other.n);
			for (size_t k = 0; k < kept.n; k++)
				cr_assert(memcmp(&kept.v[k], &other.v[k], sizeof *kept.v) == 0,
				          "graph %llu, way %d: value %zu is %.17g, with all kept %.17g",
				          (unsigned long long)seed, way, k, other.v[k], kept.v[k]);
		}
	}
}

/* Moves every param from where it was by h along its direction. */
static void move(const struct net *t, double was[PARAMS][16], double along[PARAMS][16], double h)
{
	for (int p = 0; p < PARAMS; p++) {
		double values[16];

		for (size_t j = 0; j < ad_count(t->params[p]); j++)
			values[j] = was[p][j] + h * along[p][j];
		ad_set(t->params[p], values, ad_count(t->params[p]));
	}
}

/* The loss and all gradients, one after the other. */
static size_t read_all(const struct net *t, double to[1 + PARAMS * 16])
{
	size_t n = 1;

	cr_assert_eq(ad_backward(t->loss), AD_OK, "%s", ad_errmsg(t->g));
	to[0] = ad_item(t->loss);
	for (int p = 0; p < PARAMS; p++) {
		ad_get(ad_gradient(t->params[p]), to + n, ad_count(t->params[p]));
		n += ad_count(t->params[p]);
	}
	return n;
}

Test(random_graphs, gradients_agree_with_differences)
{
	for (uint64_t seed = 1001; seed <= 1000 + GRADIENT_GRAPHS; seed++) {
		ad_graph *g = ad_open_f64();
		double was[PARAMS][16], along[PARAMS][16], want[1 + PARAMS * 16] = { 0 };
		double slope[2] = { 0 }, forward, plus[1 + PARAMS * 16], minus[1 + PARAMS * 16];
		ad_node *v[PARAMS], *hv[PARAMS], *jvp;
		bool good = false;
		size_t n = 1;
		struct net t;

		build(&t, g, seed, true);
		for (int p = 0; p < PARAMS; p++) {
			v[p] = ad_input(g, "v", AD_REAL, ad_shape_of(t.params[p]));
			for (size_t j = 0; j < ad_count(v[p]); j++)
				along[p][j] = number(&t.state);
			ad_set(v[p], along[p], ad_count(v[p]));
			ad_get(t.params[p], was[p], ad_count(v[p]));
		}
		jvp = ad_jvp(t.loss, PARAMS, t.params, v);
		cr_assert(ad_hvp(t.loss, PARAMS, t.params, v, hv), "graph %llu: %s",
		          (unsigned long long)seed, ad_errmsg(g));
		cr_assert_eq(ad_evaluate(g, (ad_node *[]){ jvp, hv[0], hv[1], hv[2], hv[3] }, 5), AD_OK,
		             "%s", ad_errmsg(g));
		forward = ad_item(jvp);
		for (int p = 0; p < PARAMS; p++) {
			ad_get(hv[p], want + n, ad_count(v[p]));
			n += ad_count(v[p]);
		}
		read_all(&t, plus);
		n = 1;
		for (int p = 0; p < PARAMS; p++)
			for (size_t j = 0; j < ad_count(v[p]); j++)
				slope[0] += plus[n++] * along[p][j];
		cr_assert_float_eq(forward, slope[0], 1e-11 * (1 + fabs(slope[0])),
		                   "graph %llu: forward mode %.17g, reverse %.17g",
		                   (unsigned long long)seed, forward, slope[0]);
		/* the second try is for a kink within the first step */
		for (int try = 0; !good && try < 2; try++) {
			double h = try ? 1e-6 : 1e-5, worst = 0;

			move(&t, was, along, h);
			n = read_all(&t, plus);
			move(&t, was, along, -h);
			read_all(&t, minus);
			slope[1] = (plus[0] - minus[0]) / (2 * h);
			good = fabs(slope[1] - slope[0]) <= 1e-7 * (1 + fabs(slope[0]));
			for (size_t k = 1; k < n; k++) {
				double d = (plus[k] - minus[k]) / (2 * h);

				worst = fmax(worst, fabs(d - want[k]) / (1 + fabs(d)));
			}
			good = good && worst <= 1e-6;
			cr_expect(good || try == 0,
			          "graph %llu: slope %.12g, by differences %.12g; second order off by %g",
			          (unsigned long long)seed, slope[0], slope[1], worst);
		}
		ad_close(g);
	}
}

/* ---- steps on one graph --------------------------------------------------------------------------------- */

enum { STREAMS = 250, STEPS = 1500, BUFFERS = 2 };

/* A graph, with all that outlives its steps. */
struct home {
	ad_graph *g;
	ad_node *pool[POOL], *layer[LAYERS], *buffers[BUFFERS], *leaf;
	size_t mark;
};

static void settle(struct home *h, ad_graph *g)
{
	static const ad_shape layers[LAYERS] = { { 2, { 3, 3 } }, { 1, { 3 } }, { 1, { 3 } }, { 4, { 2, 1, 2, 2 } },
		                                 { 2, { 4, 3 } }, { 0, { 0 } } };

	h->g = g;
	for (int k = 0; k < POOL; k++)
		h->pool[k] = ad_param(g, "p", shapes[k]);
	for (int k = 0; k < LAYERS; k++)
		h->layer[k] = ad_param(g, "w", layers[k]);
	for (int k = 0; k < BUFFERS; k++)
		h->buffers[k] = ad_buffer(g, "b", AD_REAL, shapes[k]);
	h->leaf = ad_leaf(g, "leaf", 0); /* before the mark, but of the recording */
	h->mark = ad_mark(g);
}

/* What a step is: the same description gives the same values wherever it runs. */
struct step {
	uint64_t stream, values; /* seeds: of the ops, and of all leaves */
	uint64_t wishes;         /* for which leaves, as bits */
	bool training, scalar, layers, assigns, second_order;
	int way;
};

enum { FORWARD, BACKWARD, TWICE, FORWARD_BACKWARD, BACKWARD_FORWARD, SWEEP, SOME_FIRST, STEP_WAYS };

static void evaluate_step(const struct step *s, struct net *t)
{
	ad_graph *g = t->g;
	ad_node *roots[2] = { t->loss, t->nodes[t->n / 2] };
	ad_status status = AD_OK;

	switch (s->way) {
	case FORWARD:
		status = ad_forward(t->loss);
		break;
	case TWICE:
		status = ad_backward(t->loss);
		break;
	case FORWARD_BACKWARD:
		status = ad_forward(t->loss);
		break;
	case BACKWARD_FORWARD:
		status = ad_backward(t->loss);
		cr_assert_eq(status, AD_OK, "%s", ad_errmsg(g));
		status = ad_forward(t->loss);
		break;
	case SWEEP:
		status = ad_sweep(t->loss);
		cr_assert_eq(status, AD_OK, "%s", ad_errmsg(g));
		status = ad_evaluate(g, roots, 2);
		break;
	case SOME_FIRST:
		status = ad_evaluate(g, roots + 1, 1);
		break;
	default:
		break;
	}
	cr_assert_eq(status, AD_OK, "%s", ad_errmsg(g));
	if (s->way != FORWARD)
		cr_assert_eq(ad_backward(t->loss), AD_OK, "%s", ad_errmsg(g));
}

/* Takes it, and tells how far its values may lie from those of another way, for what is as large as 1: kernels that add
 * to what is there, and second derivatives through what a checkpoint computes twice, add up in another order. */
static double take_step(const struct step *s, struct home *h, uint64_t *whim, struct values *all)
{
	ad_graph *g = h->g;
	uint64_t values = s->values;
	struct net t = { .g = g, .state = s->stream, .scalar = s->scalar, .whim = whim,
		         .layer = s->layers && !s->scalar ? h->layer : NULL,
		         .checkpoints = !s->second_order || s->stream % 8 == 1 };
	ad_node *leaves[POOL + LAYERS + 1], *input;
	int n = 0;

	for (int k = 0; k < POOL; k++)
		leaves[n++] = h->pool[k];
	for (int k = 0; k < LAYERS; k++)
		leaves[n++] = h->layer[k];
	leaves[n++] = h->leaf;
	for (int k = 0; k < n; k++) {
		fill(leaves[k], &values);
		ad_want_gradient(leaves[k], s->wishes >> k & 1);
	}
	for (int k = 0; k < BUFFERS; k++) {
		ad_assign(h->buffers[k], NULL);
		fill(h->buffers[k], &values);
	}
	ad_training(g, s->training);
	ad_step(g, s->values);
	input = ad_input(g, "input", AD_REAL, s->scalar ? AD_SCALAR : AD_SHAPE(2, 3));
	fill(input, &values);
	for (int k = 0; k < PARAMS; k++)
		t.params[k] = t.nodes[t.n++] = s->scalar ? k == 0 ? h->pool[3] : k == 1 ? h->layer[5] : k == 2 ? h->leaf : input :
		                                           h->pool[below(&t, POOL)];
	t.nodes[t.n++] = input;
	t.nodes[t.n++] = ad_leaf(g, "own", number(&values));
	if (!s->scalar)
		for (int k = 0; k < BUFFERS; k++)
			t.nodes[t.n++] = h->buffers[k];
	extend(&t, s->stream);
	if (s->second_order) {
		ad_node *x[2] = { t.params[0], t.params[1] }, *dx[2];

		cr_assert(ad_grads(t.loss, ad_constant(g, 1), 2, x, dx), "%s", ad_errmsg(g));
		for (int k = 0; k < 2; k++)
			t.loss = ad_add(t.loss, ad_mean(ad_square(dx[k]), AD_ALL, false));
	}
	for (int k = 0; k < BUFFERS; k++) {
		ad_node *next = NULL;

		for (int j = 0; s->assigns && j < t.n && !next; j++)
			if (ad_op_of(t.nodes[j]) && ad_count(t.nodes[j]) == ad_count(h->buffers[k]) &&
			    ad_type_of(t.nodes[j]) == AD_REAL)
				next = ad_reshape(t.nodes[j], shapes[k]);
		ad_assign(h->buffers[k], next);
	}
	evaluate_step(s, &t);
	all->n = 0;
	collect(all, t.loss, s->stream);
	for (int k = 0; k < n && s->way != FORWARD; k++) {
		cr_assert_eq(ad_gradient(leaves[k]) != NULL, s->wishes >> k & 1);
		if (s->wishes >> k & 1)
			collect(all, ad_gradient(leaves[k]), s->stream);
	}
	for (int k = 0; k < BUFFERS; k++)
		collect(all, h->buffers[k], s->stream);
	for (int k = 0; k < t.n && !s->assigns && all->n < 3000; k++)
		if (ad_depends(t.loss, t.nodes[k]))
			collect(all, t.nodes[k], s->stream);
	return !t.adds && !(s->second_order && t.checkpoints) ? 0 : ad_is_f64(g) ? 1e-12 : 1e-4;
}

/* The step on a graph of its own, node by node. */
static void step_alone(const struct step *s, bool f64, struct values *all)
{
	struct home h;

	setenv("AUTOGRAD_PLAN", "off", 1);
	settle(&h, f64 ? ad_open_f64() : ad_open());
	unsetenv("AUTOGRAD_PLAN");
	take_step(s, &h, NULL, all);
	ad_close(h.g);
}

static void take_steps(bool f64, size_t limit, uint64_t from)
{
	static struct values one, alone;
	struct home h;
	uint64_t state = from, whim = from + 1;

	settle(&h, f64 ? ad_open_f64() : ad_open());
	for (int k = 0; k < STEPS; k++) {
		uint64_t stream = draw(&state) % STREAMS + from * STREAMS, bits = draw(&state);
		struct step s = { .stream = stream, .values = draw(&state) % 1000,
			          .wishes = bits % 4 ? UINT64_MAX : draw(&state),
			          .training = bits >> 2 & 7, .assigns = (bits >> 5 & 3) == 0,
			          .scalar = stream % 5 == 0, .layers = stream % 3 == 0,
			          .second_order = stream % 4 == 1, .way = (int)(bits >> 8 & 0xff) % STEP_WAYS };
		double tolerance;
		uint64_t again = stream + 1000; /* half of the times the same choices as the last time */

		if (limit)
			ad_limit_memory(h.g, limit);
		if (bits >> 16 & 3)
			ad_release(h.g, h.mark); /* else it goes on behind the last step, with other masks */
		else
			s.training = false;
		ad_watch_nonfinite(h.g, (bits >> 20 & 15) == 0);
		if ((bits >> 24 & 15) == 0)
			ad_profile(h.g, bits >> 28 & 1);
		tolerance = take_step(&s, &h, bits >> 29 & 1 ? &again : &whim, &one);
		step_alone(&s, f64, &alone);
		cr_assert_eq(one.n, alone.n);
		for (size_t j = 0; j < one.n; j++)
			cr_assert(memcmp(&one.v[j], &alone.v[j], sizeof *one.v) == 0 ||
			                  fabs(one.v[j] - alone.v[j]) <= tolerance * (1 + fabs(alone.v[j])),
			          "step %d of %llu (stream %d, way %d): value %zu is %.17g, alone %.17g", k,
			          (unsigned long long)from, (int)stream, s.way, j, one.v[j], alone.v[j]);
		ad_training(h.g, true);
	}
	ad_close(h.g);
}

Test(random_graphs, steps_in_any_order_give_what_they_give_alone)
{
	take_steps(false, 0, 1);
	take_steps(true, 0, 2);
}

Test(random_graphs, steps_give_the_same_where_the_tree_is_cut_all_the_time)
{
	take_steps(false, (size_t)4 << 20, 3);
	take_steps(true, (size_t)4 << 20, 4);
}
