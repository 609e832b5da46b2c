/*
 * lstm_gates: what an LSTM cell does after its products: h and c from the sums a.
 *
 *   a       (..., 4 H), for the gates i, f, g, o in this order          c   (..., H), the state
 *   h       (..., H), the new output: o tanh(c')
 *   c'      (..., H), the new state: f c + i g, where i, f, o are sigmoids of a and g is its tanh
 *   gates   (..., 4 H), the values of i, f, g, o
 *   All is kept but h. S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997; with the
 *   forget gate of F. Gers et al., 2000.
 */
#include "op.h"
#include "kernels/recurrent.h"

static bool shape(ad_infer *s)
{
	const ad_shape *a = &s->in[0], *c = &s->in[1];
	ad_shape want = *c;

	if (c->rank == 0 ||
	    __builtin_mul_overflow(c->dims[c->rank - 1], 4, &want.dims[c->rank - 1]) ||
	    !ad_equal_shapes(a, &want))
		return ad_refuse(s, "a must be (..., 4 H) beside c (..., H), not %s and %s",
		                 ad_show(s, 0), ad_show(s, 1));
	s->n_out = 3;
	s->out[0] = s->out[1] = *c;
	s->out[2] = *a;
	return true;
}

static size_t width(const ad_run *r)
{
	return (size_t)r->in[1].dims[r->in[1].rank - 1];
}

/* n sigmoids of a. */
static void logistic(const ad_real *a, ad_real *y, size_t n)
{
#pragma omp simd
	for (size_t j = 0; j < n; j++)
		y[j] = 1 / (1 + real_exp(-a[j]));
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	size_t H = width(r);

	for (size_t k = begin; k < end; k++) {
		const ad_real *a = ad_reals_of(&r->in[0]) + k * 4 * H,
			      *c = ad_reals_of(&r->in[1]) + k * H;
		ad_real *h = ad_reals_of(&r->out[0]) + k * H,
			*next = ad_reals_of(&r->out[1]) + k * H;
		ad_real *gates = ad_reals_of(&r->out[2]) + k * 4 * H;

		logistic(a, gates, 2 * H);
		logistic(a + 3 * H, gates + 3 * H, H);
#pragma omp simd
		for (size_t j = 2 * H; j < 3 * H; j++)
			gates[j] = real_tanh(a[j]);
#pragma omp simd
		for (size_t j = 0; j < H; j++)
			next[j] = gates[H + j] * c[j] + gates[j] * gates[2 * H + j];
#pragma omp simd
		for (size_t j = 0; j < H; j++)
			h[j] = gates[3 * H + j] * real_tanh(next[j]);
	}
}

static void forward(const ad_run *r)
{
	if (r->in[1].count > 0)
		ad_parallel(r, r->in[1].count / width(r), cell_grain(width(r)), rows);
}

static void back_rows(const ad_run *r, size_t begin, size_t end)
{
	const size_t H = width(r);
	ad_real *dc_out = ad_reals_of(&r->dx[1]), *da_out = ad_reals_of(&r->dx[0]);

	for (size_t k = begin * H; k < end * H;) {
		size_t at = k / H * 4 * H + k % H, n = H - k % H < CELL_PART ? H - k % H : CELL_PART;
		const ad_real *i = ad_reals_of(&r->out[2]) + at, *f = i + H, *g = f + H, *o = g + H;
		const ad_real *c = ad_reals_of(&r->in[1]) + k, *next = ad_reals_of(&r->out[1]) + k;
		ad_real dh[CELL_PART], dc[CELL_PART], up[4][CELL_PART], t[CELL_PART];

		cell_part(dh, ad_reals_of(&r->dy[0]), k, n);
		cell_part(dc, ad_reals_of(&r->dy[1]), k, n);
		for (size_t gate = 0; gate < 4; gate++)
			cell_part(up[gate], ad_reals_of(&r->dy[2]), at + gate * H, n);
#pragma omp simd
		for (size_t j = 0; j < n; j++) {
			t[j] = real_tanh(next[j]);
			dc[j] += dh[j] * o[j] * (1 - t[j]) * (1 + t[j]);
		}
		if (dc_out)
#pragma omp simd
			for (size_t j = 0; j < n; j++)
				dc_out[k + j] = dc[j] * f[j];
		if (da_out) {
			ad_real *da = da_out + at;
#pragma omp simd
			for (size_t j = 0; j < n; j++) {
				da[j] = (dc[j] * g[j] + up[0][j]) * i[j] * (1 - i[j]);
				da[H + j] = (dc[j] * c[j] + up[1][j]) * f[j] * (1 - f[j]);
				da[2 * H + j] = (dc[j] * i[j] + up[2][j]) * (1 - g[j]) * (1 + g[j]);
				da[3 * H + j] = (dh[j] * t[j] + up[3][j]) * o[j] * (1 - o[j]);
			}
		}
		k += n;
	}
}

static void backward(const ad_run *r)
{
	if (r->in[1].count > 0)
		ad_parallel(r, r->in[1].count / width(r), cell_grain(width(r)), back_rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *c = ad_input_of(y, 1), *one = ad_constant(ad_graph_of(y), 1);
	ad_shape shape = ad_shape_of(c);
	int64_t H = shape.dims[shape.rank - 1];
	ad_node *all = ad_split(ad_output(y, 2), AD_INTS(H, H, H, H), -1), *gate[4], *d[4], *slope;
	ad_node *t = ad_tanh(ad_output(y, 1)), *dh = dy[0] ? dy[0] : ad_full_like(y, 0), *dc;

	for (int k = 0; k < 4; k++)
		gate[k] = ad_is_error(all) ? all : ad_output(all, k);
	dc = ad_mul(ad_mul(dh, gate[3]), ad_sub(one, ad_square(t)));
	if (dy[1])
		dc = ad_add(dy[1], dc);
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dc, gate[1]);
	if (!ad_wants(y, 0))
		return;
	d[0] = ad_mul(dc, gate[2]);
	d[1] = ad_mul(dc, c);
	d[2] = ad_mul(dc, gate[0]);
	d[3] = ad_mul(dh, t);
	for (int k = 0; k < 4; k++) {
		if (dy[2])
			d[k] = ad_add(d[k], ad_slice(dy[2], AD_INTS(-1), AD_INTS(k * H),
			                             AD_INTS((k + 1) * H), AD_ALL));
		slope = k == 2 ? ad_sub(one, ad_square(gate[k]))
		               : ad_mul(gate[k], ad_sub(one, gate[k]));
		d[k] = ad_mul(d[k], slope);
	}
	dx[0] = ad_concat(4, d, -1);
}

AD_OP(lstm_gates, .arity = 2, .inputs = "a c", .shape = shape, .forward = forward,
      .backward = backward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 4), AD_DIMS(2, 1) },
                     .give = { AD_LIST(0, 1, -1, 2, 1000, -1000, 1000, 1000), AD_LIST(0.5, 3) },
                     .want = { AD_LIST(-0.013446778818898436, 0.7615941559557649),
                               AD_LIST(-0.015267788662879977, 1),
                               AD_LIST(0.5, 0.7310585786300049, -0.7615941559557649,
                                       0.8807970779778823, 1, 0, 1, 1) },
                     .dwant = { AD_LIST(-0.10806192950793458, 0.3814853271093286,
                                        0.8148744913228347, 0.1033906900765088, 0, 0, 0, 0),
                                AD_LIST(1.374822761968733, 0) } },
                   { .in = { AD_DIMS(3, 8), AD_DIMS(3, 2) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(4), AD_DIMS(1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 0), AD_DIMS(2, 0) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 8), AD_DIMS(2, 3) },
                     .error = "a must be (..., 4 H) beside c (..., H), not (2, 8) and (2, 3)" } });

/* The new output, the new state and the gates of an LSTM cell from the sums a (..., 4 H) and the
 * state c (..., H). */
AD_API ad_node *ad_lstm_gates(ad_node *a, ad_node *c)
{
	return AD_CALL(lstm_gates, a, c);
}
