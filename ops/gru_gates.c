/*
 * gru_gates: what a GRU cell does after its products: the new state y from the sums a of x, b of h.
 *
 *   a, b   (..., 3 H), for r, z, n in this order: w_ih x + b_ih and w_hh h + b_hh
 *   h      (..., H), the state
 *   y      (..., H): (1 - z) n + z h, where r, z are sigmoids of a + b and n = tanh(a + r b)
 *   gates  (..., 3 H), the values of r, z, n
 *   K. Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with r
 *   applied after the product.
 */
#include "op.h"
#include "kernels/recurrent.h"

static bool shape(ad_infer *s)
{
	const ad_shape *h = &s->in[2];
	ad_shape want = *h;

	if (h->rank == 0 ||
	    __builtin_mul_overflow(h->dims[h->rank - 1], 3, &want.dims[h->rank - 1]) ||
	    !ad_equal_shapes(&s->in[0], &want) || !ad_equal_shapes(&s->in[1], &want))
		return ad_refuse(s,
		                 "a and b must be (..., 3 H) beside h (..., H), not %s, %s and %s",
		                 ad_show(s, 0), ad_show(s, 1), ad_show(s, 2));
	s->n_out = 2;
	s->out[0] = *h;
	s->out[1] = want;
	return true;
}

static size_t width(const ad_run *r)
{
	return (size_t)r->in[2].dims[r->in[2].rank - 1];
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	size_t H = width(r);

	for (size_t k = begin; k < end; k++) {
		const ad_real *a = ad_reals_of(&r->in[0]) + k * 3 * H,
			      *b = ad_reals_of(&r->in[1]) + k * 3 * H;
		const ad_real *h = ad_reals_of(&r->in[2]) + k * H;
		ad_real *y = ad_reals_of(&r->out[0]) + k * H;
		ad_real *gates = ad_reals_of(&r->out[1]) + k * 3 * H;

#pragma omp simd
		for (size_t j = 0; j < 2 * H; j++)
			gates[j] = 1 / (1 + real_exp(-(a[j] + b[j])));
#pragma omp simd
		for (size_t j = 0; j < H; j++)
			gates[2 * H + j] = real_tanh(a[2 * H + j] + gates[j] * b[2 * H + j]);
#pragma omp simd
		for (size_t j = 0; j < H; j++)
			y[j] = (1 - gates[H + j]) * gates[2 * H + j] + gates[H + j] * h[j];
	}
}

static void forward(const ad_run *r)
{
	if (r->in[2].count > 0)
		ad_parallel(r, r->in[2].count / width(r), cell_grain(width(r)), rows);
}

static void back_rows(const ad_run *run, size_t begin, size_t end)
{
	const size_t H = width(run);

	for (size_t k = begin * H; k < end * H;) {
		size_t at = k / H * 3 * H + k % H, part = H - k % H < CELL_PART ? H - k % H : CELL_PART;
		const ad_real *r = ad_reals_of(&run->out[1]) + at, *z = r + H, *n = z + H;
		const ad_real *b = ad_reals_of(&run->in[1]) + at + 2 * H;
		const ad_real *h = ad_reals_of(&run->in[2]) + k;
		ad_real dy[CELL_PART], dr[CELL_PART], dz[CELL_PART], dn[CELL_PART];

		cell_part(dy, ad_reals_of(&run->dy[0]), k, part);
		cell_part(dr, ad_reals_of(&run->dy[1]), at, part);
		cell_part(dz, ad_reals_of(&run->dy[1]), at + H, part);
		cell_part(dn, ad_reals_of(&run->dy[1]), at + 2 * H, part);
#pragma omp simd
		for (size_t j = 0; j < part; j++) {
			dn[j] = (dy[j] * (1 - z[j]) + dn[j]) * (1 - n[j]) * (1 + n[j]);
			dr[j] = (dn[j] * b[j] + dr[j]) * r[j] * (1 - r[j]);
			dz[j] = (dy[j] * (h[j] - n[j]) + dz[j]) * z[j] * (1 - z[j]);
		}
		for (int i = 0; i < 2; i++)
			if (run->dx[i].data) {
				ad_real *d = ad_reals_of(&run->dx[i]) + at;

				memcpy(d, dr, part * sizeof *d);
				memcpy(d + H, dz, part * sizeof *d);
				for (size_t j = 0; j < part; j++)
					d[2 * H + j] = i ? dn[j] * r[j] : dn[j];
			}
		for (size_t j = 0; run->dx[2].data && j < part; j++)
			ad_reals_of(&run->dx[2])[k + j] = dy[j] * z[j];
		k += part;
	}
}

static void backward(const ad_run *r)
{
	if (r->in[2].count > 0)
		ad_parallel(r, r->in[2].count / width(r), cell_grain(width(r)), back_rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *b = ad_input_of(y, 1), *h = ad_input_of(y, 2),
		*one = ad_constant(ad_graph_of(y), 1);
	ad_shape shape = ad_shape_of(h);
	int64_t H = shape.dims[shape.rank - 1];
	ad_node *all = ad_split(ad_output(y, 1), AD_INTS(H, H, H), -1), *up = NULL, *r, *z, *n;
	ad_node *d = dy[0] ? dy[0] : ad_full_like(y, 0), *dr, *dz, *dn;

	if (dy[1])
		up = ad_split(dy[1], AD_INTS(H, H, H), -1);
	if (ad_is_error(all) || (up && ad_is_error(up)))
		return;
	r = all;
	z = ad_output(all, 1);
	n = ad_output(all, 2);
	dn = ad_mul(d, ad_sub(one, z));
	dn = ad_mul(up ? ad_add(dn, ad_output(up, 2)) : dn, ad_sub(one, ad_square(n)));
	dr = ad_mul(dn, ad_slice(b, AD_INTS(-1), AD_INTS(2 * H), AD_ALL, AD_ALL));
	dr = ad_mul(up ? ad_add(dr, up) : dr, ad_mul(r, ad_sub(one, r)));
	dz = ad_mul(d, ad_sub(h, n));
	dz = ad_mul(up ? ad_add(dz, ad_output(up, 1)) : dz, ad_mul(z, ad_sub(one, z)));
	if (ad_wants(y, 0))
		dx[0] = ad_concat(3, (ad_node *[]){ dr, dz, dn }, -1);
	if (ad_wants(y, 1))
		dx[1] = ad_concat(3, (ad_node *[]){ dr, dz, ad_mul(dn, r) }, -1);
	if (ad_wants(y, 2))
		dx[2] = ad_mul(d, z);
}

AD_OP(gru_gates, .arity = 3, .inputs = "a b h", .shape = shape, .forward = forward,
      .backward = backward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2, 1) },
                     .give = { AD_LIST(1, 0, 0.5, 1000, 1000, 1), AD_LIST(-1, 1, 2, 1, 1, 1),
                               AD_LIST(0.5, 7) },
                     .want = { AD_LIST(0.6089611472008216, 7),
                               AD_LIST(0.5, 0.7310585786300049, 0.9051482536448664, 1, 1,
                                       0.9640275800758169) },
                     .dwant = { AD_LIST(0.36465306962338456, 0.11695495184295442,
                                        0.22930613924676913, 0, 0, 0.07065082485316443),
                                AD_LIST(0.36465306962338456, 0.11695495184295442,
                                        0.11465306962338456, 0, 0, 0.07065082485316443),
                                AD_LIST(0.7310585786300049, 1) } },
                   { .in = { AD_DIMS(3, 6), AD_DIMS(3, 6), AD_DIMS(3, 2) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3), AD_DIMS(3), AD_DIMS(1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 0), AD_DIMS(2, 0), AD_DIMS(2, 0) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 6), AD_DIMS(2, 3), AD_DIMS(2, 2) },
                     .error = "not (2, 6), (2, 3) and (2, 2)" } });

/* The new state and the gates of a GRU cell from the sums a of its input and b of its state h. */
AD_API ad_node *ad_gru_gates(ad_node *a, ad_node *b, ad_node *h)
{
	return AD_CALL(gru_gates, a, b, h);
}
