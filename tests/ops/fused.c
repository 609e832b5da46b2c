/*
 * fused: kernels that do several steps in one pass, at sizes beyond their tiles and vectors, against the
 * same in terms of simple ops or loops: values, gradients, and the same bits with one thread and two.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

static uint64_t state = 88172645463325252u;

static double next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / 4503599627370496.0 - 1;
}

static void fill(ad_node *x)
{
	size_t n = ad_count(x);
	double *v = malloc((n + 1) * sizeof *v);

	cr_assert(v);
	for (size_t k = 0; k < n; k++)
		v[k] = next();
	cr_assert(ad_set(x, v, n) == AD_OK);
	free(v);
}

static ad_node *some(ad_graph *g, const char *name, ad_shape shape)
{
	ad_node *x = ad_param(g, name, shape);

	fill(x);
	return x;
}

/* y and the gradients of a weighted sum of it, one after another. */
static double *results(ad_graph *g, ad_node *y, ad_node *w, size_t n, ad_node *const x[], size_t *count)
{
	ad_node *loss = ad_sum(ad_mul(y, w), AD_ALL, false);
	double *all;
	size_t at = 0;

	ad_keep(y);
	cr_assert(ad_backward(loss) == AD_OK, "%s", ad_errmsg(g));
	*count = ad_count(y);
	for (size_t i = 0; i < n; i++)
		*count += ad_count(x[i]);
	all = malloc(*count * sizeof *all);
	cr_assert(all);
	cr_assert(ad_get(y, all, ad_count(y)) == AD_OK);
	at = ad_count(y);
	for (size_t i = 0; i < n; at += ad_count(x[i++]))
		cr_assert(ad_get(ad_gradient(x[i]), all + at, ad_count(x[i])) == AD_OK);
	return all;
}

static void compare(const char *what, ad_graph *g, ad_node *y, ad_node *plain, size_t n,
                    ad_node *const x[])
{
	ad_node *w;
	double *one, *two, *want, most = 0, bound = ad_is_f64(g) ? 1e-12 : 1e-5;
	size_t count, same;

	cr_assert(ad_status_of(g) == AD_OK, "%s: %s", what, ad_errmsg(g));
	w = ad_input(g, "w", AD_REAL, ad_shape_of(y));
	fill(w);
	ad_set_threads(1);
	one = results(g, y, w, n, x, &count);
	ad_set_threads(2);
	two = results(g, y, w, n, x, &same);
	want = results(g, plain, w, n, x, &same);
	cr_assert(same == count);
	for (size_t k = 0; k < count; k++) {
		double far = fabs(one[k] - want[k]) / (1 + fabs(want[k]));

		most = far <= most ? most : far;
	}
	cr_expect(most < bound, "%s: off by %g", what, most);
	cr_expect(memcmp(one, two, count * sizeof *one) == 0, "%s: differs with two threads", what);
	free(one);
	free(two);
	free(want);
}

static ad_node *plain_softmax(ad_node *x, int64_t axis)
{
	ad_node *e = ad_exp(x);

	return ad_div(e, ad_sum(e, AD_INTS(axis), true));
}

/* (B, T, n D) as (B, n, T, D). */
static ad_node *heads_of(ad_node *x, int64_t n)
{
	ad_shape s = ad_shape_of(x);

	return ad_permute(ad_reshape(x, AD_SHAPE(s.dims[0], s.dims[1], n, s.dims[2] / n)),
	                  AD_INTS(0, 2, 1, 3));
}

static ad_node *plain_attention(ad_node *q, ad_node *k, ad_node *v, ad_node *mask, bool causal)
{
	ad_graph *g = ad_graph_of(q);
	ad_shape s = ad_shape_of(q);
	ad_node *p = ad_matmul_transposed(q, k, false, true);

	p = ad_mul(p, ad_constant(g, 1 / sqrt((double)s.dims[s.rank - 1])));
	if (mask)
		p = ad_type_of(mask) == AD_REAL ? ad_add(p, mask)
		                                : ad_where(mask, p, ad_constant(g, -1000));
	if (causal) {
		ad_shape full = ad_shape_of(p);
		int64_t T = full.dims[full.rank - 2], S = full.dims[full.rank - 1];
		ad_node *before = ad_less_equal(ad_arange(g, 0, S, 1),
		                                ad_reshape(ad_arange(g, 0, T, 1), AD_SHAPE(T, 1)));

		p = ad_where(before, p, ad_constant(g, -1000));
	}
	return ad_matmul(plain_softmax(p, -1), v);
}

static ad_node *joined(ad_node *y)
{
	ad_shape s = ad_shape_of(y);

	return ad_reshape(ad_permute(y, AD_INTS(0, 2, 1, 3)),
	                  AD_SHAPE(s.dims[0], s.dims[2], s.dims[1] * s.dims[3]));
}

static void attentions(ad_graph *g)
{
	/* more keys than a tile holds, and more or fewer than queries */
	static const int64_t size[][2] = { { 33, 1100 }, { 600, 530 }, { 40, 70 }, { 1, 1 } };

	for (size_t i = 0; i < sizeof size / sizeof *size; i++)
		for (int causal = 0; causal < 2; causal++) {
			int64_t T = size[i][0], S = size[i][1];
			ad_node *q = some(g, "q", AD_SHAPE(2, T, 7)), *k = some(g, "k", AD_SHAPE(2, S, 7));
			ad_node *v = some(g, "v", AD_SHAPE(2, S, 5)), *m = some(g, "m", AD_SHAPE(T, S));

			compare("attention", g, ad_attention(q, k, v, NULL, causal, (double)NAN),
			        plain_attention(q, k, v, NULL, causal), 3, (ad_node *[]){ q, k, v });
			compare("attention, mask", g, ad_attention(q, k, v, m, causal, (double)NAN),
			        plain_attention(q, k, v, m, causal), 4, (ad_node *[]){ q, k, v, m });
		}
	for (int causal = 0; causal < 2; causal++) {
		ad_node *x = some(g, "x", AD_SHAPE(3, 70, 2 * 24)), *k = some(g, "k1", AD_SHAPE(3, 50, 12));
		ad_node *v = some(g, "v1", AD_SHAPE(3, 50, 20)), *m = some(g, "m1", AD_SHAPE(4, 70, 1));
		ad_node *parts = ad_split(x, AD_INTS(24, 12, 12), -1), *two, *y;
		ad_node *part[3] = { parts, ad_output(parts, 1), ad_output(parts, 2) };

		/* packed: four heads of queries, two of keys and values */
		y = ad_attention_heads(x, NULL, NULL, m, 4, 2, causal, (double)NAN);
		for (int i = 0; i < 3; i++)
			part[i] = heads_of(part[i], i == 0 ? 4 : 2);
		for (int i = 1; i < 3; i++)
			part[i] = ad_repeat_interleave(part[i], AD_INTS(2), 1);
		two = joined(plain_attention(part[0], part[1], part[2], m, causal));
		compare("attention of one array", g, y, two, 2, (ad_node *[]){ x, m });
		/* each by itself */
		y = ad_attention_heads(part[0] = ad_slice(x, AD_INTS(2), AD_INTS(0), AD_INTS(24), AD_ALL), k,
		                       v, NULL, 4, 2, causal, (double)NAN);
		two = joined(plain_attention(heads_of(part[0], 4),
		                             ad_repeat_interleave(heads_of(k, 2), AD_INTS(2), 1),
		                             ad_repeat_interleave(heads_of(v, 2), AD_INTS(2), 1), NULL, causal));
		compare("attention of heads", g, y, two, 3, (ad_node *[]){ x, k, v });
	}
}

static ad_node *centred(ad_node *x, ad_ints axes, double eps)
{
	ad_node *z = ad_sub(x, ad_mean(x, axes, true));

	return ad_div(z, ad_sqrt(ad_add(ad_mean(ad_square(z), axes, true),
	                                ad_constant(ad_graph_of(x), eps))));
}

static void norms(ad_graph *g)
{
	static const int64_t rows[][2] = { { 100, 300 }, { 67, 16 }, { 3, 2 }, { 2, 3000 } };
	static const int64_t images[][3] = { { 40, 5, 9 }, { 3, 4, 700 }, { 70, 130, 1 }, { 2, 6, 63 } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t n = rows[i][1];
		ad_node *x = some(g, "x", AD_SHAPE(rows[i][0], n)), *w = some(g, "a", AD_SHAPE(n));
		ad_node *b = some(g, "b", AD_SHAPE(n)), *scale;

		compare("layer_norm", g, ad_layer_norm(x, w, b, AD_INTS(n), 1e-3),
		        ad_add(ad_mul(centred(x, AD_INTS(1), 1e-3), w), b), 3, (ad_node *[]){ x, w, b });
		scale = ad_sqrt(ad_add(ad_mean(ad_square(x), AD_INTS(1), true), ad_constant(g, 1e-3)));
		compare("rms_norm", g, ad_rms_norm(x, w, 1e-3), ad_mul(ad_div(x, scale), w), 2,
		        (ad_node *[]){ x, w });
	}
	for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
		int64_t N = images[i][0], C = images[i][1], D = images[i][2];
		ad_node *x = some(g, "x", AD_SHAPE(N, C, D)), *w = some(g, "a", AD_SHAPE(C));
		ad_node *b = some(g, "b", AD_SHAPE(C)), *m = some(g, "c", AD_SHAPE(C)), *y;
		ad_node *wide = ad_reshape(w, AD_SHAPE(C, 1)), *shift = ad_reshape(b, AD_SHAPE(C, 1));
		int64_t groups = C % 2 ? C : C / 2;

		compare("batch_norm", g, ad_batch_norm(x, m, ad_full_like(m, 1), w, b, true, 0.1, 1e-3),
		        ad_add(ad_mul(centred(x, AD_INTS(0, 2), 1e-3), wide), shift), 3,
		        (ad_node *[]){ x, w, b });
		if (D * (C / groups) < 2)
			continue;
		y = centred(ad_reshape(x, AD_SHAPE(N, groups, -1)), AD_INTS(2), 1e-3);
		compare("group_norm", g, ad_group_norm(x, w, b, groups, 1e-3),
		        ad_add(ad_mul(ad_reshape(y, AD_SHAPE(N, C, D)), wide), shift), 3,
		        (ad_node *[]){ x, w, b });
	}
}

static void exponentials(ad_graph *g)
{
	static const int64_t size[][3] = { { 3, 70, 131 }, { 5, 3000, 1 }, { 300, 10, 1 }, { 2, 3, 2 } };

	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		int64_t n = size[i][1], rest = size[i][0] * size[i][2];
		ad_shape shape = size[i][2] == 1 ? AD_SHAPE(size[i][0], n)
		                                 : AD_SHAPE(size[i][0], n, size[i][2]);
		ad_node *x = some(g, "x", shape), *w = some(g, "a", AD_SHAPE(n)), *hot, *loss, *wide = w;
		ad_node *target = ad_input(g, "t", AD_I32,
		                           size[i][2] == 1 ? AD_SHAPE(size[i][0])
		                                           : AD_SHAPE(size[i][0], size[i][2]));
		int32_t *index = malloc((size_t)rest * sizeof *index);

		cr_assert(index);
		for (int64_t k = 0; k < rest; k++)
			index[k] = k % 5 == 4 ? -100 : (int32_t)(k * 7919 % n);
		cr_assert(ad_set_i32(target, index, (size_t)rest) == AD_OK);
		free(index);
		compare("softmax", g, ad_softmax(x, 1), plain_softmax(x, 1), 1, &x);
		compare("log_softmax", g, ad_log_softmax(x, 1), ad_log(plain_softmax(x, 1)), 1, &x);
		compare("logsumexp", g, ad_logsumexp(x, AD_INTS(1), false),
		        ad_log(ad_sum(ad_exp(x), AD_INTS(1), false)), 1, &x);
		if (size[i][2] > 1)
			wide = ad_reshape(w, AD_SHAPE(n, 1));
		hot = ad_one_hot(target, n, 1, -100);
		loss = ad_add(ad_mul(hot, ad_constant(g, 0.8)),
		              ad_mul(ad_sum(hot, AD_INTS(1), true), ad_constant(g, 0.2 / (double)n)));
		loss = ad_neg(ad_sum(ad_mul(ad_mul(loss, wide), ad_log(plain_softmax(x, 1))), AD_ALL, false));
		loss = ad_div(loss, ad_sum(ad_mul(hot, wide), AD_ALL, false));
		compare("cross_entropy", g,
		        ad_call_text(g, "cross_entropy", 3, (ad_node *[]){ x, target, w },
		                     "axis=1 label_smoothing=0.2"),
		        loss, 2, (ad_node *[]){ x, w });
	}
}

static void in_both(void (*test)(ad_graph *g))
{
	for (int f64 = 0; f64 < 2; f64++) {
		ad_graph *g = f64 ? ad_open_f64() : ad_open();

		test(g);
		ad_close(g);
	}
}

Test(fused, attention)
{
	in_both(attentions);
}

Test(fused, norms)
{
	in_both(norms);
}

Test(fused, exponentials)
{
	in_both(exponentials);
}

/* Against a loop over each window. */
Test(fused, max_pool)
{
	static const int64_t pools[][6] = { /* height, width, kernel, stride, padding, dilation */
		{ 6, 10, 2, 2, 0, 1 },  { 28, 28, 2, 2, 0, 1 }, { 9, 33, 3, 2, 1, 1 }, { 7, 21, 3, 1, 1, 1 },
		{ 11, 40, 3, 3, 1, 2 }, { 5, 9, 1, 2, 0, 1 },   { 8, 19, 4, 2, 2, 2 }, { 4, 8, 2, 2, 0, 1 }
	};

	for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
		const int64_t *p = pools[i], H = p[0], W = p[1], reach = (p[2] - 1) * p[5];
		ad_graph *g = ad_open();
		ad_node *x = some(g, "x", AD_SHAPE(3, H, W));
		ad_node *y = ad_max_pool2d(x, AD_INTS(p[2]), AD_INTS(p[3]), AD_INTS(p[4]), AD_INTS(p[5]), false);
		ad_shape s = ad_shape_of(y);
		const float *in, *out;
		const int32_t *index;
		size_t wrong = 0, at = 0;

		cr_assert(ad_evaluate(g, (ad_node *[]){ y, ad_output(y, 1) }, 2) == AD_OK);
		in = ad_data(x);
		out = ad_data(y);
		index = ad_data(ad_output(y, 1));
		for (int64_t n = 0; n < 3; n++)
			for (int64_t a = -p[4]; a + reach < H + p[4]; a += p[3])
				for (int64_t b = -p[4]; b + reach < W + p[4]; b += p[3], at++) {
					float best = -INFINITY;
					int64_t place = -1;

					for (int64_t r = a; r <= a + reach; r += p[5])
						for (int64_t c = b; c <= b + reach; c += p[5])
							if (r >= 0 && r < H && c >= 0 && c < W &&
							    in[(n * H + r) * W + c] > best) {
								place = r * W + c;
								best = in[n * H * W + place];
							}
					wrong += at >= ad_count(y) || out[at] != best || index[at] != place;
				}
		cr_expect(wrong == 0 && at == ad_count(y), "pool %zu: %zu of %zu wrong, %d axes", i, wrong, at,
		          s.rank);
		ad_close(g);
	}
}

/* A kernel that is asked to add to its results does, and to no others. */
Test(fused, adds)
{
	enum { ROWS = 70, WIDTH = 300 };
	static float x[ROWS * WIDTH], w[WIDTH], b[WIDTH], y[2][ROWS * WIDTH], dx[2][3][ROWS * WIDTH];
	static float dy[ROWS * WIDTH], work[1 << 16];
	ad_shape shape[] = { AD_SHAPE(ROWS, WIDTH), AD_SHAPE(WIDTH), AD_SHAPE(WIDTH) };
	struct {
		double eps;
		ad_ints normalized_shape;
		int64_t groups;
	} attrs = { 1e-5, AD_INTS(WIDTH), 0 };
	const ad_op *op = ad_op_find("layer_norm");
	ad_array in[3], out, d[3], up;
	size_t wrong = 0;

	for (size_t k = 0; k < ROWS * WIDTH; k++) {
		x[k] = (float)next();
		dy[k] = (float)next();
	}
	for (size_t k = 0; k < WIDTH; k++) {
		w[k] = (float)next();
		b[k] = (float)next();
	}
	for (int add = 0; add < 2; add++) {
		ad_run r = { .op = op, .n_in = 3, .n_out = 1, .in = in, .out = &out, .dy = &up, .dx = d,
			     .attrs = &attrs, .work = work };
		float *values[] = { x, w, b };

		for (int i = 0; i < 3; i++) {
			in[i] = (ad_array){ values[i], AD_REAL, shape[i].rank, { 0 }, i ? WIDTH : ROWS * WIDTH };
			memcpy(in[i].dims, shape[i].dims, sizeof in[i].dims);
			d[i] = in[i];
			d[i].data = dx[add][i];
		}
		out = up = in[0];
		out.data = y[add];
		up.data = dy;
		for (size_t k = 0; k < ROWS * WIDTH; k++) {
			y[add][k] = 2;
			for (int i = 0; i < 3; i++)
				dx[add][i][k] = 3;
		}
		r.adds = add ? 1u : 0;
		op->forward(&r);
		r.adds = add ? 5u : 0; /* x and b, not w */
		op->backward(&r);
	}
	for (size_t k = 0; k < ROWS * WIDTH; k++)
		wrong += fabsf(y[1][k] - y[0][k] - 2) > 1e-5f || fabsf(dx[1][0][k] - dx[0][0][k] - 3) > 1e-5f;
	for (size_t k = 0; k < WIDTH; k++)
		wrong += dx[1][1][k] != dx[0][1][k] || fabsf(dx[1][2][k] - dx[0][2][k] - 3) > 1e-5f;
	cr_expect(wrong == 0, "%zu wrong", wrong);
}
