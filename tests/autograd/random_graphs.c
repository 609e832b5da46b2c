/*
 * random_graphs: some hundreds of graphs of random ops (broadcasts, views, reductions, masks, indices,
 * several outputs), the same ones in every run. Sharing buffers must not change a bit of any value, and
 * gradients of first and second order must agree with differences.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { PARAMS = 4, MOST = 96, LARGEST = 160, BIT_GRAPHS = 300, GRADIENT_GRAPHS = 250 };

struct net {
	ad_graph *g;
	uint64_t state; /* of the random choices */
	bool smooth;    /* only what differences can see: no stop_gradient */
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

static ad_node *product(struct net *t, ad_node *x)
{
	int64_t n = ad_shape_of(x).dims[ad_shape_of(x).rank - 1];
	ad_node *square = ad_matmul(ad_transpose(x, -1, -2), ad_tanh(x));

	return n <= 6 ? ad_matmul(ad_tanh(x), ad_sin(square)) : square;
}

static void build(struct net *t, ad_graph *g, uint64_t seed, bool smooth)
{
	static const ad_shape shapes[] = { { 2, { 2, 3 } }, { 1, { 3 } }, { 2, { 4, 1 } }, { 0, { 0 } },
		                           { 3, { 2, 1, 3 } }, { 2, { 4, 3 } }, { 1, { 1 } } };
	int steps;

	*t = (struct net){ .g = g, .state = seed, .smooth = smooth };
	for (int k = 0; k < PARAMS; k++) {
		ad_node *p = ad_param(g, "p", shapes[below(t, 7)]);
		double values[16];

		for (size_t j = 0; j < ad_count(p); j++)
			values[j] = number(&t->state);
		ad_set(p, values, ad_count(p));
		t->params[k] = t->nodes[t->n++] = p;
	}
	steps = 6 + below(t, 26);
	for (int k = 0; k < steps; k++) {
		ad_node *x = any(t), *y;
		int kind = below(t, 12), rank = ad_shape_of(x).rank;

		if (kind < 3)
			y = one_input(t, x);
		else if (kind < 7)
			y = two_inputs(t, x, partner(t, x));
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
	}
	t->loss = ad_constant(g, 0);
	for (int k = 0; k < t->n; k++)
		if (k + 3 > t->n || below(t, 4) == 0)
			t->loss = ad_add(t->loss, ad_mean(ad_tanh(t->nodes[k]), AD_ALL, false));
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
