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
 * reducing internal covariate shift" (2015). Statistics of parts of a channel
 * are put together as by Chan, Golub and LeVeque (1979), in double; so x is read twice, the second time to
 * write y or dx.
 */
#include "op.h"
#include "kernels/norms.h"
#include "kernels/rows.h"

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

/* N images of C channels of `inner` elements. Channels are worked on in blocks. Of small ones several lie
 * side by side in an image, as columns; of a large one the elements of an image are a run. */
#define COLUMNS 64
#define RUN 256 /* elements summed in the real type; of a column, ROWS */
#define ROWS 32

struct batch {
	size_t N, C, inner, block;
};

static struct batch batch_of(const ad_array *x)
{
	struct batch b = { (size_t)x->dims[0], (size_t)x->dims[1], norm_inner(x->rank, x->dims), 1 };

	if (b.inner > 0 && b.inner < COLUMNS)
		b.block = COLUMNS / b.inner;
	return b;
}

static void each_block(const ad_run *r, void (*fn)(const ad_run *r, size_t begin, size_t end))
{
	struct batch b = batch_of(&r->in[X]);
	size_t work = b.N * b.inner * b.block;

	ad_parallel(r, (b.C + b.block - 1) / b.block, 8192 / (work + 1) + 1, fn);
}

/* The block of channels c..c+n-1: its numbers, of which those of channel k count for its columns
 * k * inner..., a number each; of a run there is one. */
struct block {
	size_t c, n, columns;
};

static struct block block_of(const struct batch *b, size_t k)
{
	size_t c = k * b->block, n = b->C - c < b->block ? b->C - c : b->block;

	return (struct block){ c, n, b->inner < COLUMNS ? n * b->inner : 1 };
}

/* A number for each channel as one for each column. */
static void spread(const struct block *k, const ad_real *from, ad_real *to)
{
	for (size_t i = 0, each = k->n ? k->columns / k->n : 0; i < k->n; i++)
		for (size_t j = 0; j < each; j++)
			to[i * each + j] = from[i];
}

/* The mean of each channel of a block and the sum of squared distances from it, of n elements so far; n
 * more come, with means and squares of their own. */
static void join(const struct block *k, double *n, double *mean, double *squares, double more,
                 const double *more_mean, const double *more_squares)
{
	double all = *n + more, part = more / all, far = *n * part;

	for (size_t i = 0; i < k->n; i++) {
		double d = more_mean[i] - mean[i];

		mean[i] += d * part;
		squares[i] += more_squares[i] + d * d * far;
	}
	*n = all;
}

/* A number for each column added up for each channel. */
static void gather(const struct block *k, const ad_real *from, double *to)
{
	for (size_t i = 0, each = k->columns / k->n; i < k->n; i++) {
		to[i] = 0;
		for (size_t j = 0; j < each; j++)
			to[i] += (double)from[i * each + j];
	}
}

/* Of each channel of a block, the mean and the sum of squared distances from it. */
static void moments_of(const struct batch *b, const struct block *k, const ad_real *x, double *mean,
                       double *squares)
{
	size_t image = b->C * b->inner;
	double all = 0, m[COLUMNS], q[COLUMNS];

	memset(mean, 0, k->n * sizeof *mean);
	memset(squares, 0, k->n * sizeof *squares);
	x += k->c * b->inner;
	for (size_t i = 0; b->inner >= COLUMNS && i < b->N; i++)
		for (size_t j = 0; j < b->inner; j += RUN) {
			size_t n = b->inner - j < RUN ? b->inner - j : RUN;

			*m = (double)row_sum(x + i * image + j, n) / (double)n;
			*q = (double)row_squares(x + i * image + j, n, (ad_real)*m);
			join(k, &all, mean, squares, (double)n, m, q);
		}
	for (size_t i = 0, n; b->inner < COLUMNS && i < b->N; i += n) {
		ad_real sum[COLUMNS] = { 0 }, centre[COLUMNS], of_channel[COLUMNS];
		double count;

		n = b->N - i < ROWS ? b->N - i : ROWS;
		count = (double)n * (double)b->inner;
		for (size_t row = i; row < i + n; row++)
#pragma omp simd
			for (size_t j = 0; j < k->columns; j++)
				sum[j] += x[row * image + j];
		gather(k, sum, m);
		for (size_t c = 0; c < k->n; c++) {
			m[c] /= count;
			of_channel[c] = (ad_real)m[c];
		}
		spread(k, of_channel, centre);
		memset(sum, 0, sizeof sum);
		for (size_t row = i; row < i + n; row++)
#pragma omp simd
			for (size_t j = 0; j < k->columns; j++) {
				ad_real d = x[row * image + j] - centre[j];
				sum[j] += d * d;
			}
		gather(k, sum, q);
		join(k, &all, mean, squares, count, m, q);
	}
}

/* Of each channel of a block, the sums of dy and of dy (x - mean). */
static void products_of(const struct batch *b, const struct block *k, const ad_real *x,
                        const ad_real *dy, const ad_real *mean, double *sum, double *product)
{
	size_t image = b->C * b->inner;
	ad_real centre[COLUMNS];

	x += k->c * b->inner;
	dy += k->c * b->inner;
	for (size_t i = 0; b->inner >= COLUMNS && i < b->N; i++)
		for (size_t j = 0; j < b->inner; j += RUN) {
			size_t n = b->inner - j < RUN ? b->inner - j : RUN, at = i * image + j;

			*sum += (double)row_sum(dy + at, n);
			*product += (double)row_products(dy + at, x + at, n, *mean);
		}
	if (b->inner >= COLUMNS)
		return;
	spread(k, mean, centre);
	for (size_t i = 0, n; i < b->N; i += n) {
		ad_real s[COLUMNS] = { 0 }, p[COLUMNS] = { 0 };
		double to_sum[COLUMNS], to_product[COLUMNS];

		n = b->N - i < ROWS ? b->N - i : ROWS;
		for (size_t row = i; row < i + n; row++)
#pragma omp simd
			for (size_t j = 0; j < k->columns; j++) {
				ad_real d = dy[row * image + j];
				s[j] += d;
				p[j] += d * (x[row * image + j] - centre[j]);
			}
		gather(k, s, to_sum);
		gather(k, p, to_product);
		for (size_t c = 0; c < k->n; c++) {
			sum[c] += to_sum[c];
			product[c] += to_product[c];
		}
	}
}

/* to = (x - mean) factor + shift, and plus dy grow if dy is not NULL, with numbers for each channel. */
static void write_block(const struct batch *b, const struct block *k, const ad_real *x,
                        const ad_real *dy, ad_real *to, const ad_real *mean, const ad_real *factor,
                        const ad_real *shift, const ad_real *grow)
{
	bool run = b->inner >= COLUMNS;
	size_t n = run ? b->inner : k->columns;
	ad_real m[COLUMNS], f[COLUMNS], s[COLUMNS], g[COLUMNS];

	spread(k, mean, m);
	spread(k, factor, f);
	spread(k, shift, s);
	if (grow)
		spread(k, grow, g);
	for (size_t i = 0; i < b->N; i++) {
		size_t at = (i * b->C + k->c) * b->inner;
		const ad_real *from = x + at, *up = dy ? dy + at : NULL;
		ad_real *y = to + at;

		if (run && up)
#pragma omp simd
			for (size_t j = 0; j < n; j++)
				y[j] = (from[j] - *m) * *f + *s + up[j] * *g;
		else if (run)
#pragma omp simd
			for (size_t j = 0; j < n; j++)
				y[j] = (from[j] - *m) * *f + *s;
		else if (up)
#pragma omp simd
			for (size_t j = 0; j < n; j++)
				y[j] = (from[j] - m[j]) * f[j] + s[j] + up[j] * g[j];
		else
#pragma omp simd
			for (size_t j = 0; j < n; j++)
				y[j] = (from[j] - m[j]) * f[j] + s[j];
	}
}

/* Mean and 1 / sqrt(variance + eps) of the channels of a block, as y takes them; var: the variance. */
static void stats_of(const ad_run *r, const struct batch *b, const struct block *k, ad_real *mean,
                     ad_real *scale, double *var)
{
	const struct attrs *a = r->attrs;
	double m[COLUMNS], squares[COLUMNS], n = (double)b->N * (double)b->inner;

	if (a->training)
		moments_of(b, k, ad_reals_of(&r->in[X]), m, squares);
	for (size_t i = 0; i < k->n; i++) {
		mean[i] = a->training ? (ad_real)m[i] : ad_reals_of(&r->in[RUNNING_MEAN])[k->c + i];
		var[i] = a->training ? squares[i] / n
		                     : (double)ad_reals_of(&r->in[RUNNING_VAR])[k->c + i];
		scale[i] = (ad_real)(1 / sqrt(var[i] + a->eps));
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
	const ad_real *weight = norm_input(r, WEIGHT), *bias = norm_input(r, BIAS);
	double count = (double)b.N * (double)b.inner;

	for (size_t unit = begin; unit < end; unit++) {
		struct block k = block_of(&b, unit);
		ad_real mean[COLUMNS], scale[COLUMNS], shift[COLUMNS];
		double var[COLUMNS];

		stats_of(r, &b, &k, mean, scale, var);
		for (size_t i = 0, c = k.c; i < k.n; i++, c++) {
			ad_reals_of(&r->out[1])[c] = moved(r, RUNNING_MEAN, c, (double)mean[i]);
			ad_reals_of(&r->out[2])[c] =
			    moved(r, RUNNING_VAR, c, var[i] * count / (count - 1));
			scale[i] *= weight ? weight[c] : 1;
			shift[i] = bias ? bias[c] : 0;
		}
		write_block(&b, &k, ad_reals_of(&r->in[X]), NULL, ad_reals_of(&r->out[0]), mean, scale,
		            shift, NULL);
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

	for (size_t unit = begin; unit < end; unit++) {
		struct block k = block_of(&b, unit);
		ad_real mean[COLUMNS], scale[COLUMNS], grow[COLUMNS], slope[COLUMNS], start[COLUMNS];
		double var[COLUMNS], sum[COLUMNS] = { 0 }, product[COLUMNS] = { 0 };

		stats_of(r, &b, &k, mean, scale, var);
		if (dy)
			products_of(&b, &k, x, dy, mean, sum, product);
		/* dx = dy grow + (x - mean) slope + start */
		for (size_t i = 0, c = k.c; i < k.n; i++, c++) {
			double s = (double)scale[i], w = weight ? (double)weight[c] : 1;
			double to_mean = d_mean ? (double)d_mean[c] : 0;
			double to_var = d_var ? (double)d_var[c] : 0;

			grow[i] = (ad_real)(w * s);
			slope[i] = start[i] = 0;
			if (a->training) {
				slope[i] = (ad_real)(2 * a->momentum / (count - 1) * to_var -
				                     w * s * s * s * product[i] / count);
				start[i] = (ad_real)(a->momentum / count * to_mean -
				                     w * s * sum[i] / count);
			}
			put(r, WEIGHT, c, product[i] * s);
			put(r, BIAS, c, sum[i]);
			put(r, RUNNING_MEAN, c,
			    keep * to_mean - (a->training ? 0 : w * s * sum[i]));
			put(r, RUNNING_VAR, c,
			    keep * to_var - (a->training ? 0 : 0.5 * w * s * s * s * product[i]));
		}
		if (r->dx[X].data)
			write_block(&b, &k, x, dy, ad_reals_of(&r->dx[X]), mean, slope, start, grow);
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
