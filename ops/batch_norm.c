/*
 * batch_norm: y = (x - mean) / sqrt(variance + eps) weight + bias, channel by channel.
 *
 *   x   (N, C, ...)
 *   running_mean, running_var   (C)
 *   weight, bias   (C), each may be left out
 *   y   shape of x
 *   new_running_mean, new_running_var   (C)
 *   dx = (g - mean of g - z mean of g z) / sqrt(variance + eps), with g = dy weight and z what
 *        weight is multiplied by; without training g / sqrt(variance + eps)
 *   dweight = dy z, dbias = dy, summed over all but the channels; inputs are kept
 *
 * training: mean and variance (by n, not n - 1) are those of the channel, and the new running ones
 * are (1 - momentum) running + momentum times those, the variance by n - 1. Otherwise mean and
 * variance are the running ones, which stay. All outputs have gradients by all inputs, also the
 * running ones. Ioffe and Szegedy, "Batch normalization: accelerating deep network training by
 * reducing internal covariate shift" (2015). Two passes over each channel, sums in double.
 */
#include "op.h"
#include "kernels/norms.h"

enum { X, RUNNING_MEAN, RUNNING_VAR, WEIGHT, BIAS };

struct attrs {
	bool training;
	double momentum, eps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, training, AD_FLAG, "true", "take the statistics of x", NULL),
	AD_ATTR(struct attrs, momentum, AD_NUM, "0.1", "how far the running ones move", NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-5", "added to the variance, against a division by 0",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	static const char *const names[] = { "x", "running_mean", "running_var", "weight", "bias" };
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[X];
	ad_shape c;
	size_t count;

	if (x->rank < 2)
		return ad_refuse(s, "x is (batch, channels, ...), not %s", ad_show(s, X));
	c = AD_SHAPE(x->dims[1]);
	for (int i = 1; i < s->n_in; i++)
		if (s->in[i].rank >= 0 && !ad_equal_shapes(&s->in[i], &c))
			return ad_refuse(s, "%s must be %s, one for each channel of x %s, not %s",
			                 names[i], ad_show_shape(s, c), ad_show(s, X),
			                 ad_show(s, i));
	if (!norm_eps(s, a->eps))
		return false;
	if (!(a->momentum >= 0 && a->momentum <= 1))
		return ad_refuse(s, "momentum is %g, not in 0..1", a->momentum);
	ad_count_of(x, &count);
	if (a->training && x->dims[1] > 0 && count / (size_t)x->dims[1] < 2)
		return ad_refuse(s, "training needs two values or more for each channel: x is %s",
		                 ad_show(s, X));
	s->n_out = 3;
	s->out[0] = *x;
	s->out[1] = s->out[2] = c;
	return true;
}

/* N images of C channels of `inner` elements. Channels are worked on in blocks, side by side where
 * inner is small. */
#define BLOCK 64

struct batch {
	size_t N, C, inner, block;
};

static struct batch batch_of(const ad_array *x)
{
	struct batch b = { (size_t)x->dims[0], (size_t)x->dims[1], 1, 1 };

	for (int i = 2; i < x->rank; i++)
		b.inner *= (size_t)x->dims[i];
	if (b.inner < 16)
		b.block = BLOCK;
	return b;
}

static void each_block(const ad_run *r, void (*fn)(const ad_run *r, size_t begin, size_t end))
{
	struct batch b = batch_of(&r->in[X]);
	size_t work = b.N * b.inner * b.block;

	ad_parallel(r, (b.C + b.block - 1) / b.block, 8192 / (work + 1) + 1, fn);
}

/* For each channel of a block, the sums over all images of x - centre, or of its square, or of its
 * product with dy. */
enum sum { SUM, SQUARES, PRODUCT };

static void sums(const struct batch *b, size_t c, size_t n, const ad_real *x, const ad_real *dy,
                 const ad_real *centre, enum sum what, double *to)
{
	for (size_t k = 0; k < n; k++)
		to[k] = 0;
	for (size_t i = 0; i < b->N; i++)
		for (size_t k = 0; k < n; k++) {
			size_t at = (i * b->C + c + k) * b->inner;
			const ad_real *v = x + at;
			ad_real mid = centre ? centre[k] : 0;

			if (b->inner > 1 && what == SUM)
				to[k] += AD_VARIANT(norm_sum)(v, b->inner);
			else if (b->inner > 1 && what == SQUARES)
				to[k] += AD_VARIANT(norm_squares)(v, b->inner, mid);
			else if (b->inner > 1)
				to[k] += AD_VARIANT(norm_products)(dy + at, v, b->inner, mid);
			else if (what == SUM)
				to[k] += (double)*v;
			else
				to[k] += (double)(*v - mid) *
				         (double)(what == SQUARES ? *v - mid : dy[at]);
		}
}

/* Mean and 1 / sqrt(variance + eps) of the channels of a block, as y takes them; var: the variance.
 */
static void stats_of(const ad_run *r, const struct batch *b, size_t c, size_t n, ad_real *mean,
                     ad_real *scale, double *var)
{
	const struct attrs *a = r->attrs;
	const ad_real *x = ad_reals_of(&r->in[X]);
	double count = (double)b->N * (double)b->inner;

	if (a->training) {
		sums(b, c, n, x, NULL, NULL, SUM, var);
		for (size_t k = 0; k < n; k++)
			mean[k] = (ad_real)(var[k] / count);
		sums(b, c, n, x, NULL, mean, SQUARES, var);
	}
	for (size_t k = 0; k < n; k++) {
		if (a->training) {
			var[k] /= count;
		} else {
			mean[k] = ad_reals_of(&r->in[RUNNING_MEAN])[c + k];
			var[k] = (double)ad_reals_of(&r->in[RUNNING_VAR])[c + k];
		}
		scale[k] = (ad_real)(1 / sqrt(var[k] + a->eps));
	}
}

static ad_real moved(const ad_run *r, int input, size_t c, double now)
{
	const struct attrs *a = r->attrs;
	ad_real before = ad_reals_of(&r->in[input])[c];

	return a->training ? (ad_real)((1 - a->momentum) * (double)before + a->momentum * now)
	                   : before;
}

static void blocks(const ad_run *r, size_t begin, size_t end)
{
	struct batch b = batch_of(&r->in[X]);
	const ad_real *x = ad_reals_of(&r->in[X]);
	const ad_real *weight = norm_input(r, WEIGHT), *bias = norm_input(r, BIAS);
	double count = (double)b.N * (double)b.inner;

	for (size_t c = begin * b.block; c < end * b.block && c < b.C; c += b.block) {
		ad_real mean[BLOCK], scale[BLOCK], shift[BLOCK];
		size_t n = b.C - c < b.block ? b.C - c : b.block;
		double var[BLOCK];

		stats_of(r, &b, c, n, mean, scale, var);
		for (size_t k = 0; k < n; k++) {
			ad_reals_of(&r->out[1])[c + k] =
			    moved(r, RUNNING_MEAN, c + k, (double)mean[k]);
			ad_reals_of(&r->out[2])[c + k] =
			    moved(r, RUNNING_VAR, c + k, var[k] * count / (count - 1));
			scale[k] *= weight ? weight[c + k] : 1;
			shift[k] = bias ? bias[c + k] : 0;
		}
		for (size_t i = 0; i < b.N; i++)
			for (size_t k = 0; k < n; k++) {
				size_t at = (i * b.C + c + k) * b.inner;
				ad_real *y = ad_reals_of(&r->out[0]) + at;

				for (size_t j = 0; j < b.inner; j++)
					y[j] = (x[at + j] - mean[k]) * scale[k] + shift[k];
			}
	}
}

static void forward(const ad_run *r)
{
	each_block(r, blocks);
}

static void put(const ad_run *r, int input, size_t c, double value)
{
	if (r->n_in > input && r->dx[input].data)
		ad_reals_of(&r->dx[input])[c] = (ad_real)value;
}

static void blocks_back(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct batch b = batch_of(&r->in[X]);
	const ad_real *x = ad_reals_of(&r->in[X]), *dy = ad_reals_of(&r->dy[0]);
	const ad_real *d_mean = ad_reals_of(&r->dy[1]), *d_var = ad_reals_of(&r->dy[2]);
	const ad_real *weight = norm_input(r, WEIGHT);
	double count = (double)b.N * (double)b.inner;
	double keep = a->training ? 1 - a->momentum : 1;

	for (size_t c = begin * b.block; c < end * b.block && c < b.C; c += b.block) {
		ad_real mean[BLOCK], scale[BLOCK], grow[BLOCK], slope[BLOCK], start[BLOCK];
		double var[BLOCK], sum[BLOCK] = { 0 }, product[BLOCK] = { 0 };
		size_t n = b.C - c < b.block ? b.C - c : b.block;

		stats_of(r, &b, c, n, mean, scale, var);
		if (dy) {
			sums(&b, c, n, dy, NULL, NULL, SUM, sum);
			sums(&b, c, n, x, dy, mean, PRODUCT, product);
		}
		/* dx = dy grow + (x - mean) slope + start */
		for (size_t k = 0; k < n; k++) {
			double s = (double)scale[k], w = weight ? (double)weight[c + k] : 1;
			double to_mean = d_mean ? (double)d_mean[c + k] : 0;
			double to_var = d_var ? (double)d_var[c + k] : 0;

			grow[k] = (ad_real)(w * s);
			slope[k] = start[k] = 0;
			if (a->training) {
				slope[k] = (ad_real)(2 * a->momentum / (count - 1) * to_var -
				                     w * s * s * s * product[k] / count);
				start[k] = (ad_real)(a->momentum / count * to_mean -
				                     w * s * sum[k] / count);
			}
			put(r, WEIGHT, c + k, product[k] * s);
			put(r, BIAS, c + k, sum[k]);
			put(r, RUNNING_MEAN, c + k,
			    keep * to_mean - (a->training ? 0 : w * s * sum[k]));
			put(r, RUNNING_VAR, c + k,
			    keep * to_var - (a->training ? 0 : 0.5 * w * s * s * s * product[k]));
		}
		for (size_t i = 0; r->dx[X].data && i < b.N; i++)
			for (size_t k = 0; k < n; k++) {
				size_t at = (i * b.C + c + k) * b.inner;
				ad_real *dx = ad_reals_of(&r->dx[X]) + at;

				for (size_t j = 0; j < b.inner; j++)
					dx[j] = (x[at + j] - mean[k]) * slope[k] + start[k];
				for (size_t j = 0; dy && j < b.inner; j++)
					dx[j] += dy[at + j] * grow[k];
			}
	}
}

static void backward(const ad_run *r)
{
	each_block(r, blocks_back);
}

static ad_node *times(ad_node *x, double factor)
{
	return ad_mul(x, ad_full(ad_graph_of(x), AD_SCALAR, factor));
}

/* The sum of both; either may be NULL. */
static ad_node *both(ad_node *a, ad_node *b)
{
	return a && b ? ad_add(a, b) : a ? a : b;
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *in[5] = { NULL }, *centred, *scale, *z, *due = NULL, *mean, *var;
	ad_shape x = ad_shape_of(ad_input_of(y, X)), line = { .rank = x.rank };
	ad_ints axes = { x.rank - 1, (const int64_t[]){ 0, 2, 3, 4, 5, 6, 7 } };
	double n = 1;

	for (int i = 0; i < ad_inputs(y); i++)
		in[i] = ad_input_of(y, i);
	for (int i = 0; i < x.rank; i++) {
		line.dims[i] = i == 1 ? x.dims[1] : 1;
		n *= i == 1 ? 1 : (double)x.dims[i];
	}
	mean = a->training ? ad_mean(in[X], axes, true) : ad_reshape(in[RUNNING_MEAN], line);
	centred = ad_sub(in[X], mean);
	var = a->training ? ad_mean(ad_square(centred), axes, true)
	                  : ad_reshape(in[RUNNING_VAR], line);
	scale = ad_rsqrt(ad_add(var, ad_full(g, AD_SCALAR, a->eps)));
	z = ad_mul(centred, scale);
	if (dy[0])
		due = in[WEIGHT] ? ad_mul(dy[0], ad_reshape(in[WEIGHT], line)) : dy[0];
	if (ad_wants(y, X)) {
		if (due && a->training) {
			dx[X] = ad_sub(due, ad_mul(z, ad_mean(ad_mul(due, z), axes, true)));
			dx[X] = ad_mul(scale, ad_sub(dx[X], ad_mean(due, axes, true)));
		} else if (due) {
			dx[X] = ad_mul(scale, due);
		}
		if (dy[1] && a->training)
			dx[X] = both(dx[X], times(ad_reshape(dy[1], line), a->momentum / n));
		if (dy[2] && a->training)
			dx[X] = both(dx[X], ad_mul(centred, times(ad_reshape(dy[2], line),
			                                          2 * a->momentum / (n - 1))));
		/* Also of the right shape where only the running ones pass something on. */
		dx[X] = dx[X] ? ad_expand(dx[X], x) : ad_full(g, x, 0);
	}
	for (int i = RUNNING_MEAN; i <= RUNNING_VAR; i++) {
		ad_node *up = dy[i], *direct = NULL;

		if (!ad_wants(y, i))
			continue;
		if (up && a->training)
			up = times(up, 1 - a->momentum);
		if (due && !a->training) {
			direct = i == RUNNING_MEAN
			             ? times(ad_mul(due, scale), -1)
			             : times(ad_mul(ad_mul(due, z), ad_square(scale)), -0.5);
			direct = ad_sum(direct, axes, false);
		}
		dx[i] = both(up, direct);
		if (!dx[i])
			dx[i] = ad_full_like(in[i], 0);
	}
	if (in[WEIGHT] && ad_wants(y, WEIGHT))
		dx[WEIGHT] =
		    dy[0] ? ad_sum(ad_mul(dy[0], z), axes, false) : ad_full_like(in[WEIGHT], 0);
	if (in[BIAS] && ad_wants(y, BIAS))
		dx[BIAS] = dy[0] ? ad_sum(dy[0], axes, false) : ad_full_like(in[BIAS], 0);
}

AD_OP(batch_norm, .arity = 3, .optional = 2, .inputs = "x running_mean running_var weight bias",
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4, 2), AD_DIMS(2), AD_DIMS(2), AD_DIMS(2), AD_DIMS(2) },
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5), AD_LIST(-0.25, 0.25),
                      AD_LIST(1, 1.5), AD_LIST(0.5, 0.75), AD_LIST(1, 0.5) },
            .want = { AD_LIST(0.26662735285313877, 0.791385538793648, 0.8683690120505634,
                              1.5198493857777682, 1.2444575490489538, -0.5198493857777682,
                              1.6205460860473442, 0.20861446120635196),
                      AD_LIST(-0.1375, 0.475), AD_LIST(2.372916666666667, 2.2333333333333334) },
            .dwant = { AD_LIST(-0.3, 0.09166666666666666, -0.03333333333333334, 0.25833333333333336,
                               0.13333333333333333, -0.20833333333333334, 0.3,
                               -0.04166666666666666),
                       AD_LIST(0.9, 0.9), AD_LIST(0.9, 0.9),
                       AD_LIST(2.220446049250313e-16, 1.1102230246251565e-16), AD_LIST(4, 4) } },
	  { .in = { AD_DIMS(2, 2, 2), AD_DIMS(2), AD_DIMS(2) },
            .attrs = "eps=0.5 momentum=0.25",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5), AD_LIST(-0.25, 0.25),
                      AD_LIST(1, 1.5) },
            .want = { AD_LIST(-1.392694264882369, 1.0650014966747527, -1.2213299218650786,
                              1.1236235281158724, 0.7373087284671365, -0.4096159602595203,
                              0.7327979531190473, -0.635091559369841),
                      AD_LIST(-0.125, 0.96875), AD_LIST(3.6875, 3.140625) },
            .dwant = { AD_LIST(-0.6458333333333334, 0.6041666666666666, -0.45833333333333337,
                               0.5416666666666666, 0.4375, -0.14583333333333334, 0.375,
                               -0.20833333333333331),
                       AD_LIST(0.75, 0.75), AD_LIST(0.75, 0.75) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS(2), AD_DIMS(2), AD_DIMS(2), AD_DIMS(2) },
            .attrs = "training=false",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1), AD_LIST(-0.25, 0.25), AD_LIST(1, 1.5),
                      AD_LIST(0.5, 0.75), AD_LIST(1, 0.5) },
            .want = { AD_LIST(-0.8749906250703121, 2.490203782009782, 1.1249993750046874,
                              4.021129768171153, 2.374993125051562, -0.2654629930806853),
                      AD_LIST(-0.25, 0.25), AD_LIST(1, 1.5) },
            .dwant = { AD_LIST(0.4999975000187499, 0.6123703944645483, 0.4999975000187499,
                               0.6123703944645483, 0.4999975000187499, 0.6123703944645483),
                       AD_LIST(-0.4999925000562495, -0.8371111833936449),
                       AD_LIST(1.1874971875351559, -0.5819463060580425),
                       AD_LIST(-0.7499962500281252, 6.327827409466999), AD_LIST(3, 3) } },
	  { .in = { AD_DIMS(5, 3), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
            .lo = 0.5,
            .hi = 3 },
	  { .in = { AD_DIMS(2, 3, 2, 2), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
            .attrs = "momentum=0.5",
            .lo = 0.5,
            .hi = 3 },
	  { .in = { AD_DIMS(2, 3, 2), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
            .attrs = "training=false",
            .lo = 0.5,
            .hi = 3 },
	  { .in = { AD_DIMS(2, 3, 2), AD_DIMS(3), AD_DIMS(3), { 0 }, AD_DIMS(3) },
            .attrs = "eps=0.1",
            .lo = 0.5,
            .hi = 3 },
	  { .in = { AD_DIMS(0, 3), AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
            .attrs = "training=false",
            .lo = 0.5,
            .hi = 3 },
	  { .in = { AD_DIMS(4), AD_DIMS(3), AD_DIMS(3) },
            .error = "x is (batch, channels, ...), not (4,)" },
	  { .in = { AD_DIMS(4, 3), AD_DIMS(3), AD_DIMS(2) },
            .error = "running_var must be (3,), one for each channel of x (4, 3), not (2,)" },
	  { .in = { AD_DIMS(1, 3), AD_DIMS(3), AD_DIMS(3) },
            .error = "training needs two values or more for each channel: x is (1, 3)" },
	  { .in = { AD_DIMS(4, 3), AD_DIMS(3), AD_DIMS(3) },
            .attrs = "momentum=2",
            .error = "momentum is 2, not in 0..1" } });

/* x (N, C, ...) with mean 0 and variance 1 in each channel, by the statistics of x if training is
 * set, else by the running ones, times weight, plus bias; either may be NULL. Outputs 1 and 2 are
 * the new running ones, for ad_assign. */
AD_API ad_node *ad_batch_norm(ad_node *x, ad_node *running_mean, ad_node *running_var,
                              ad_node *weight, ad_node *bias, bool training, double momentum,
                              double eps)
{
	struct attrs a = { training, momentum, eps };

	return AD_CALL_WITH(batch_norm, &a, x, running_mean, running_var, weight, bias);
}
