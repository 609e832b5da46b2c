/*
 * attention: y = softmax(scale q k^T + mask) v, scaled dot-product attention.
 *
 *   q (..., T, D)   k (..., S, D)   v (..., S, E); the leading axes broadcast   y (..., T, E)
 *   heads   n: the last axes hold n heads side by side, q (..., T, n D), k (..., S, n D),
 *           v (..., S, n E), y (..., T, n E), and each head attends by itself; null: one
 *   kv_heads   m: k (..., S, m D) and v (..., S, m E) have so many, each for the next n / m of the
 *           heads of q (Ainslie et al., "GQA", 2023); null: n
 *   k, v    both left out: q (..., T, (n + 2 m) D) holds q, k, v side by side, as one product gives
 *           them
 *   mask    broadcasts to (..., T, S), of heads to (..., n, T, S); may be left out: true where a
 *           query may attend to a key, or reals that are added to the scores
 *   causal  leaves out every key behind its query: key j for query i where j > i
 *   scale   null: 1 / sqrt(D)
 *   dv = p^T dy, dscores = p (dy v^T - sum of dy y), dq = scale dscores k, dk = scale dscores^T q,
 *   with p the softmax, computed anew; inputs and y are kept
 *
 * A query that may attend to nothing gets zeros, and gives gradient 0; softmax alone would give
 * NaN. Vaswani et al., "Attention is all you need" (2017). Scores are held for a tile of queries
 * and keys at a time (Dao et al., "FlashAttention", 2022), tiles behind the queries are passed over.
 */
#include "op.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/strided.h"

struct attrs {
	int64_t heads, kv_heads;
	bool causal;
	double scale;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, heads, AD_INT, "null",
	        "how many heads lie side by side on the last axes; null: one", NULL),
	AD_ATTR(struct attrs, kv_heads, AD_INT, "null",
	        "how many of keys and values, a divisor of heads; null: as many", NULL),
	AD_ATTR(struct attrs, causal, AD_FLAG, "false", "leave out keys behind the query", NULL),
	AD_ATTR(struct attrs, scale, AD_NUM, "null",
	        "what the scores are multiplied by; null: 1 / sqrt(D)", NULL),
	{ 0 },
};

enum { Q, K, V, MASK };

/* A tile of scores: so many queries by so many keys. */
#define QUERIES 32
#define KEYS 512

/* One of q, k, v, y and their gradients as heads: where a head lies for each of the leading axes, the
 * last two being those of the heads: kv_heads, and the heads of q for each. A stride of 0 repeats.
 * row: from one row of a head to the next; column: of the mask, from one key to the next. */
struct part {
	size_t stride[AD_MAX_RANK], row, column;
	bool given;
};

struct heads {
	int rank; /* leading axes, with those of the heads */
	size_t dims[AD_MAX_RANK], n;
	size_t T, S, D, E;
	bool one;         /* q, k, v are in one array, */
	size_t offset[3]; /* where they begin */
	struct part q, k, v, mask, y;
	bool causal, bf16;
	ad_real scale;
};

static bool packed(const struct ad_infer *s)
{
	return (s->n_in <= K || s->in[K].rank < 0) && (s->n_in <= V || s->in[V].rank < 0);
}

/* ---- shapes -------------------------------------------------------------------------------------- */

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *q = &s->in[Q], *k = &s->in[K], *v = &s->in[V];
	int64_t n = a->heads == AD_NONE ? 1 : a->heads, m = a->kv_heads == AD_NONE ? n : a->kv_heads;
	ad_shape lead = *q, scores;
	size_t count;

	if (n < 1 || n > INT32_MAX || m < 1 || n % m != 0)
		return ad_refuse(s, "there cannot be %lld heads with %lld of keys and values",
		                 (long long)n, (long long)m);
	if (a->heads != AD_NONE && q->rank > AD_MAX_RANK - 2)
		return ad_refuse(s, "of heads, q has %d axes at most, not %s", AD_MAX_RANK - 2,
		                 ad_show(s, Q));
	if (packed(s)) {
		if (q->rank < 2 || q->dims[q->rank - 1] % (n + 2 * m) != 0)
			return ad_refuse(s,
			                 "without k and v, q must be (..., T, %lld D), side by side %lld "
			                 "heads of queries and %lld of keys and of values, not %s",
			                 (long long)(n + 2 * m), (long long)n, (long long)m,
			                 ad_show(s, Q));
		k = v = q;
	} else if (s->n_in <= V || k->rank < 0 || v->rank < 0) {
		return ad_refuse(s, "give k and v, or neither");
	} else if (q->rank < 2 || k->rank < 2 || v->rank < 2 || q->dims[q->rank - 1] % n != 0 ||
	           k->dims[k->rank - 1] % m != 0 || v->dims[v->rank - 1] % m != 0 ||
	           q->dims[q->rank - 1] / n != k->dims[k->rank - 1] / m ||
	           k->dims[k->rank - 2] != v->dims[v->rank - 2]) {
		return ad_refuse(s,
		                 a->heads == AD_NONE
		                     ? "q, k, v must be (..., T, D), (..., S, D), (..., S, E), not %s, "
		                       "%s, %s"
		                     : "q, k, v must be (..., T, n D), (..., S, m D), (..., S, m E) "
		                       "with n heads, m kv_heads, not %s, %s, %s",
		                 ad_show(s, Q), ad_show(s, K), ad_show(s, V));
	}
	lead.rank -= 2;
	for (int i = K; i <= V; i++) {
		ad_shape other = i == K ? *k : *v;

		other.rank -= 2;
		if (!ad_broadcast(&lead, &other))
			return ad_refuse(s,
			                 "the leading axes of q %s, k %s and v %s do not broadcast",
			                 ad_show(s, Q), ad_show(s, K), ad_show(s, V));
	}
	s->out[0] = scores = lead;
	s->out[0].dims[s->out[0].rank++] = q->dims[q->rank - 2];
	s->out[0].dims[s->out[0].rank++] =
	    packed(s) ? q->dims[q->rank - 1] / (n + 2 * m) * n : v->dims[v->rank - 1] / m * n;
	if (!ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, s->out[0]));
	if (s->n_in <= MASK || s->in[MASK].rank < 0)
		return true;
	if (s->in_type[MASK] == AD_I32)
		return ad_refuse(s, "mask must be a mask or reals, not indices");
	if (a->heads != AD_NONE)
		scores.dims[scores.rank++] = n;
	scores.dims[scores.rank++] = q->dims[q->rank - 2];
	scores.dims[scores.rank++] = k->dims[k->rank - 2];
	lead = scores;
	if (!ad_broadcast(&lead, &s->in[MASK]) || !ad_equal_shapes(&lead, &scores))
		return ad_refuse(s, "mask %s does not broadcast to the scores, %s",
		                 ad_show(s, MASK), ad_show_shape(s, scores));
	return true;
}

/* An array (..., rows, m each columns) as heads; each 0: the m are repeated. */
static struct part part_of(const struct heads *h, const ad_array *x, size_t each, size_t columns)
{
	struct part p = { .row = (size_t)x->dims[x->rank - 1], .column = 1, .given = true };
	size_t step = p.row * (size_t)x->dims[x->rank - 2];
	int at = h->rank - 1;

	p.stride[at--] = each > 0 ? columns : 0;
	p.stride[at--] = each > 0 ? each * columns : columns;
	for (int i = x->rank - 3; i >= 0; i--, at--) {
		p.stride[at] = x->dims[i] == 1 ? 0 : step;
		step *= (size_t)x->dims[i];
	}
	return p;
}

/* Aligned to (..., n, T, S), or without heads to (..., T, S); each: the heads for one of k and v. */
static struct part mask_part(const struct heads *h, const ad_array *m, bool cut, size_t each)
{
	struct part p = { .given = true };
	size_t stride[AD_MAX_RANK + 2] = { 0 }, step = 1;
	int at = h->rank + 1;

	for (int i = m->rank - 1; i >= 0; i--) {
		size_t here = m->dims[i] == 1 ? 0 : step;

		if (at == h->rank - 1 && !cut)
			at -= 2;
		stride[at--] = here;
		if (at == h->rank - 2 && cut)
			stride[at--] = here * each;
		step *= (size_t)m->dims[i];
	}
	memcpy(p.stride, stride, (size_t)h->rank * sizeof *stride);
	p.row = stride[h->rank];
	p.column = stride[h->rank + 1];
	return p;
}

static struct heads heads_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	bool cut = a->heads != AD_NONE, one = r->n_in <= K || r->in[K].rank == 0;
	const ad_array *q = &r->in[Q], *k = one ? q : &r->in[K], *v = one ? q : &r->in[V];
	const ad_array *y = &r->out[0];
	size_t n = cut ? (size_t)a->heads : 1, m = a->kv_heads == AD_NONE ? n : (size_t)a->kv_heads;
	struct heads h = { .rank = y->rank, .n = 1, .one = one, .causal = a->causal,
	                   .bf16 = r->bf16 };

	for (int i = 0; i < h.rank; i++) {
		h.dims[i] = i == h.rank - 1 ? n / m : i == h.rank - 2 ? m : (size_t)y->dims[i];
		h.n *= h.dims[i];
	}
	h.T = (size_t)q->dims[q->rank - 2];
	h.S = (size_t)k->dims[k->rank - 2];
	h.D = (size_t)q->dims[q->rank - 1] / (one ? n + 2 * m : n);
	h.E = (size_t)y->dims[y->rank - 1] / n;
	h.q = part_of(&h, q, n / m, h.D);
	h.k = part_of(&h, k, 0, h.D);
	h.v = part_of(&h, v, 0, h.E);
	h.y = part_of(&h, y, n / m, h.E);
	h.offset[K] = one ? n * h.D : 0;
	h.offset[V] = one ? (n + m) * h.D : 0;
	if (r->n_in > MASK && r->in[MASK].data)
		h.mask = mask_part(&h, &r->in[MASK], cut, n / m);
	h.scale = (ad_real)(isnan(a->scale) ? 1 / sqrt((double)h.D) : a->scale);
	return h;
}

/* Where head k lies in that part. */
static size_t head_at(const struct heads *h, const struct part *p, size_t k)
{
	size_t at = 0;

	for (int i = h->rank - 1; i >= 0; i--) {
		at += k % h->dims[i] * p->stride[i];
		k /= h->dims[i];
	}
	return at;
}

/* ---- scores of a tile ---------------------------------------------------------------------------- */

/* One head. */
struct head {
	const struct heads *h;
	const ad_real *q, *k, *v, *y;
	const void *mask;
	ad_type mask_type;
};

static struct head head_of(const ad_run *r, const struct heads *h, size_t n)
{
	const ad_real *q = ad_reals_of(&r->in[Q]), *k = h->one ? q : ad_reals_of(&r->in[K]);
	const ad_real *v = h->one ? q : ad_reals_of(&r->in[V]);
	struct head head = { .h = h,
		             .q = q + head_at(h, &h->q, n),
		             .k = k + h->offset[K] + head_at(h, &h->k, n),
		             .v = v + h->offset[V] + head_at(h, &h->v, n),
		             .y = ad_reals_of(&r->out[0]) + head_at(h, &h->y, n) };
	size_t at = head_at(h, &h->mask, n);

	if (h->mask.given) {
		head.mask_type = r->in[MASK].type;
		head.mask = head.mask_type == AD_BOOL ? (void *)(ad_mask_of(&r->in[MASK]) + at)
		                                      : (void *)(ad_reals_of(&r->in[MASK]) + at);
	}
	return head;
}

/* How many keys the queries before `stop` may attend to. */
static inline size_t keys_before(const struct heads *h, size_t stop)
{
	return h->causal && stop < h->S ? stop : h->S;
}

/* How many of the keys j..j+n-1 query i may attend to. */
static inline size_t open_keys(const struct heads *h, size_t i, size_t j, size_t n)
{
	size_t seen = keys_before(h, i + 1);

	return seen <= j ? 0 : seen - j < n ? seen - j : n;
}

/* From one row of a tile to the next, and up to where a row is computed of which `open` scores are not
 * left out: whole vectors, so that no loop has a rest. */
static inline size_t whole(size_t open)
{
	return (open + 15) / 16 * 16;
}

/* Scores times the scale up to whole(open), with -inf from `open` on. The largest of them. */
static inline ad_real scale_row(ad_real *s, size_t open, ad_real scale)
{
	const ad_real none = -(ad_real)INFINITY;
	const int n = (int)open, stop = (int)whole(open);

#pragma omp simd
	for (int c = 0; c < stop; c++)
		s[c] = c < n ? s[c] * scale : none;
	return row_max(s, whole(open));
}

/* The scores of queries i..i+rows-1 by keys j..j+n-1 to s, in rows of whole(n): scaled, masked, -inf
 * where left out. max: the largest of each row so far. */
static void scores(const struct head *a, size_t i, size_t rows, size_t j, size_t n, ad_real *s,
                   ad_real *max)
{
	const struct heads *h = a->h;
	const ad_real scale = h->scale, none = -(ad_real)INFINITY;
	size_t step = h->mask.column;

	AD_VARIANT(gemm)
	(h->bf16, false, true, rows, n, h->D, a->q + i * h->q.row, h->q.row, a->k + j * h->k.row,
	 h->k.row, s, whole(n), false);
	for (size_t row = 0; row < rows; row++, s += whole(n)) {
		size_t open = open_keys(h, i + row, j, n), at = (i + row) * h->mask.row + j * step;
		ad_real most;

		if (a->mask && a->mask_type == AD_BOOL) {
			const unsigned char *m = (const unsigned char *)a->mask + at;
			for (size_t c = 0; c < open; c++)
				s[c] = m[c * step] ? s[c] * scale : none;
		} else if (a->mask) {
			const ad_real *m = (const ad_real *)a->mask + at;
			for (size_t c = 0; c < open; c++)
				s[c] = s[c] * scale + m[c * step];
		}
		most = scale_row(s, open, a->mask ? 1 : scale);
		max[row] = most > max[row] ? most : max[row];
	}
}

/* What is taken off before exp; a row of nothing but -inf has none. */
static inline ad_real base_of(ad_real max)
{
	return max == -(ad_real)INFINITY ? 0 : max;
}

/* A row of n scores, of which all from `open` on are left out, to exp(s - base); their sum. */
static inline ad_real exponentials(ad_real *s, size_t open, size_t n, ad_real base)
{
	const size_t stop = whole(open);

#pragma omp simd
	for (size_t c = 0; c < stop; c++)
		s[c] = real_exp(s[c] - base);
	for (size_t c = stop; c < n; c++)
		s[c] = 0;
	return row_sum(s, stop);
}

static void start_rows(size_t rows, ad_real *max, ad_real *sum)
{
	for (size_t row = 0; row < rows; row++) {
		max[row] = -(ad_real)INFINITY;
		sum[row] = 0;
	}
}

/* Tile after tile: the exponentials of the scores to s, and of each row so far the largest score and
 * the sum. shrink, which may be NULL: what sums from before must be multiplied by, since a larger
 * score has come. */
static void next_tile(const struct head *a, size_t i, size_t rows, size_t j, size_t n, ad_real *s,
                      ad_real *max, ad_real *sum, ad_real *shrink)
{
	ad_real before[QUERIES];

	memcpy(before, max, rows * sizeof *max);
	scores(a, i, rows, j, n, s, max);
	for (size_t row = 0; row < rows; row++) {
		ad_real base = base_of(max[row]);
		ad_real less = j == 0 ? 0 : before[row] == max[row] ? 1 : real_exp(before[row] - base);

		sum[row] = sum[row] * less +
		           exponentials(s + row * whole(n), open_keys(a->h, i + row, j, n), n, base);
		if (shrink)
			shrink[row] = less;
	}
}

/* ---- forward ------------------------------------------------------------------------------------- */

static size_t blocks_of(const struct heads *h)
{
	return (h->T + QUERIES - 1) / QUERIES;
}

/* y for queries i..i+rows-1. */
static void forward_block(const struct head *a, ad_real *y, size_t i, size_t rows)
{
	_Alignas(64) ad_real s[QUERIES * KEYS];
	const struct heads *h = a->h;
	size_t all = keys_before(h, i + rows), ld = h->y.row, n;
	ad_real max[QUERIES], sum[QUERIES], shrink[QUERIES];

	start_rows(rows, max, sum);
	for (size_t j = 0; j < all; j += n) {
		n = all - j < KEYS ? all - j : KEYS;
		next_tile(a, i, rows, j, n, s, max, sum, shrink);
		for (size_t row = 0; j > 0 && row < rows; row++)
			for (size_t c = 0; shrink[row] != 1 && c < h->E; c++)
				y[row * ld + c] *= shrink[row];
		AD_VARIANT(gemm)
		(h->bf16, false, false, rows, h->E, n, s, whole(n), a->v + j * h->v.row, h->v.row, y,
		 ld, j > 0);
	}
	for (size_t row = 0; row < rows; row++) {
		ad_real factor = sum[row] == 0 ? 0 : 1 / sum[row];

#pragma omp simd
		for (size_t c = 0; c < h->E; c++)
			y[row * ld + c] = all == 0 ? 0 : y[row * ld + c] * factor;
	}
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct heads h = heads_here(r);
	size_t blocks = blocks_of(&h);

	for (size_t unit = begin; unit < end; unit++) {
		struct head a = head_of(r, &h, unit / blocks);
		size_t i = unit % blocks * QUERIES, rows = h.T - i < QUERIES ? h.T - i : QUERIES;

		forward_block(&a,
		              ad_reals_of(&r->out[0]) + head_at(&h, &h.y, unit / blocks) +
		                  i * h.y.row,
		              i, rows);
	}
}

/* How many times that many multiplications are worth a thread. */
static size_t worth(double each)
{
	return each >= 1 << 19 ? 1 : (size_t)((1 << 19) / (each + 1)) + 1;
}

static void forward(const ad_run *r)
{
	struct heads h = heads_here(r);

	if (r->out[0].count > 0)
		ad_parallel(r, h.n * blocks_of(&h),
		            worth((double)QUERIES * (double)h.S * (double)(h.D + h.E)), units);
}

/* ---- backward ------------------------------------------------------------------------------------ */

/* Where the gradients of one head go; NULL: unwanted. add: to what is there; else k and v are
 * written by the last queries, which see all keys that any do, and the others add to that. */
struct head_gradient {
	ad_real *q, *k, *v, *mask;
	bool add_q, add_k, add_v;
};

/* p, the softmax of a tile of scores, from the largest score of each row and the sum of their
 * exponentials. Of one tile that is all keys the sums are found on the way. */
static void softmax_tile(const struct head *a, size_t i, size_t rows, size_t j, size_t n, bool all,
                         ad_real *p, ad_real *max, const ad_real *sums)
{
	scores(a, i, rows, j, n, p, max);
	for (size_t row = 0; row < rows; row++, p += whole(n)) {
		size_t open = open_keys(a->h, i + row, j, n);
		ad_real sum = exponentials(p, open, n, base_of(max[row]));

		sum = all ? sum : sums[row];
		sum = sum == 0 ? 0 : 1 / sum;
		open = whole(open);
#pragma omp simd
		for (size_t c = 0; c < open; c++)
			p[c] *= sum;
	}
}

/* dscores = p (dp - due), the gradient of the mask; times the scale in the place of dp. */
static void scores_back(const struct head *a, size_t i, size_t rows, size_t j, size_t n,
                        const ad_real *p, ad_real *dp, const ad_real *due, ad_real *mask)
{
	const struct heads *h = a->h;
	const ad_real scale = h->scale;

	for (size_t row = 0; row < rows; row++, p += whole(n), dp += whole(n)) {
		size_t open = open_keys(h, i + row, j, n), stop = whole(open);
		const ad_real less = due[row];

		if (mask) {
			ad_real *to = mask + (i + row) * h->mask.row + j * h->mask.column;

			for (size_t c = 0; c < open; c++)
				to[c * h->mask.column] += p[c] * (dp[c] - less);
		}
#pragma omp simd
		for (size_t c = 0; c < stop; c++)
			dp[c] = p[c] * (dp[c] - less) * scale;
		for (size_t c = stop; c < n; c++)
			dp[c] = 0;
	}
}

/* The gradients by queries i..i+rows-1. */
static void backward_block(const struct head *a, const ad_real *dy, const struct head_gradient *d,
                           size_t i, size_t rows)
{
	_Alignas(64) ad_real p[QUERIES * KEYS], dp[QUERIES * KEYS];
	const struct heads *h = a->h;
	size_t all = keys_before(h, i + rows), n;
	ad_real max[QUERIES], sum[QUERIES], due[QUERIES];
	bool last = i + rows == h->T;

	dy += i * h->y.row;
	for (size_t row = 0; row < rows; row++)
		due[row] = row_dot(a->y + (i + row) * h->y.row, dy + row * h->y.row, h->E);
	start_rows(rows, max, sum);
	for (size_t j = 0; all > KEYS && j < all; j += n) {
		n = all - j < KEYS ? all - j : KEYS;
		next_tile(a, i, rows, j, n, p, max, sum, NULL);
	}
	for (size_t j = 0; j < all; j += n) {
		const ad_real *k = a->k + j * h->k.row, *v = a->v + j * h->v.row;

		n = all - j < KEYS ? all - j : KEYS;
		softmax_tile(a, i, rows, j, n, n == all, p, max, sum);
		if (d->v)
			AD_VARIANT(gemm)
		(h->bf16, true, false, n, h->E, rows, p, whole(n), dy, h->y.row, d->v + j * h->v.row,
		 h->v.row, d->add_v || !last);
		if (!d->q && !d->k && !d->mask)
			continue;
		AD_VARIANT(gemm)
		(h->bf16, false, true, rows, n, h->E, dy, h->y.row, v, h->v.row, dp, whole(n), false);
		scores_back(a, i, rows, j, n, p, dp, due, d->mask);
		if (d->q)
			AD_VARIANT(gemm)
		(h->bf16, false, false, rows, h->D, n, dp, whole(n), k, h->k.row, d->q + i * h->q.row,
		 h->q.row, d->add_q || j > 0);
		if (d->k)
			AD_VARIANT(gemm)
		(h->bf16, true, false, n, h->D, rows, dp, whole(n), a->q + i * h->q.row, h->q.row,
		 d->k + j * h->k.row, h->k.row, d->add_k || !last);
	}
}

/* All gradients of one head. */
static void backward_head(const struct head *a, const ad_real *dy, const struct head_gradient *d)
{
	const struct heads *h = a->h;
	size_t i = (h->T - 1) / QUERIES * QUERIES;

	for (;; i -= QUERIES) {
		backward_block(a, dy, d, i, h->T - i < QUERIES ? h->T - i : QUERIES);
		if (i == 0)
			break;
	}
	/* keys that no query sees */
	for (size_t j = keys_before(h, h->T); j < h->S; j++) {
		if (d->k && !d->add_k)
			memset(d->k + j * h->k.row, 0, h->D * sizeof *d->k);
		if (d->v && !d->add_v)
			memset(d->v + j * h->v.row, 0, h->E * sizeof *d->v);
	}
}

/* Heads that share a wanted gradient are worked on one after another: those that differ only on
 * axes along which it repeats. The other axes: which, and how many heads there are on them. */
static size_t free_axes(const ad_run *r, const struct heads *h, bool free[AD_MAX_RANK])
{
	const struct part *const part[] = { &h->q, &h->k, &h->v, &h->mask };
	size_t n = 1;

	for (int i = 0; i < h->rank; i++) {
		free[i] = true;
		for (int k = 0; k < 4; k++) {
			int of = h->one && k < MASK ? Q : k;

			free[i] &= of >= r->n_in || !r->dx[of].data || part[k]->stride[i] != 0;
		}
		n *= free[i] ? h->dims[i] : 1;
	}
	return n;
}

/* Whether an earlier head shares the part of head k. */
static bool shared(const struct heads *h, const struct part *p, size_t k)
{
	for (int i = h->rank - 1; i >= 0; i--) {
		if (p->stride[i] == 0 && k % h->dims[i] != 0)
			return true;
		k /= h->dims[i];
	}
	return false;
}

static void groups_back(const ad_run *r, size_t begin, size_t end)
{
	struct heads h = heads_here(r);
	bool free[AD_MAX_RANK];
	size_t groups = free_axes(r, &h, free), each = h.n / groups;
	ad_real *dx[4] = { NULL };

	for (int i = 0; i < r->n_in; i++)
		dx[i] = ad_reals_of(&r->dx[i]);
	for (int i = K; h.one && i <= V; i++)
		dx[i] = dx[Q] ? dx[Q] + h.offset[i] : NULL;
	for (size_t unit = begin * each; unit < end * each; unit++) {
		size_t n = 0, outer = unit / each, inner = unit % each, step = 1;
		struct head_gradient d;
		struct head a;

		for (int i = h.rank - 1; i >= 0; step *= h.dims[i--]) {
			size_t *at = free[i] ? &outer : &inner;

			n += *at % h.dims[i] * step;
			*at /= h.dims[i];
		}
		a = head_of(r, &h, n);
		d = (struct head_gradient){ dx[Q] ? dx[Q] + head_at(&h, &h.q, n) : NULL,
			                    dx[K] ? dx[K] + head_at(&h, &h.k, n) : NULL,
			                    dx[V] ? dx[V] + head_at(&h, &h.v, n) : NULL,
			                    dx[MASK] ? dx[MASK] + head_at(&h, &h.mask, n) : NULL,
			                    shared(&h, &h.q, n),
			                    shared(&h, &h.k, n),
			                    shared(&h, &h.v, n) };
		backward_head(&a, ad_reals_of(&r->dy[0]) + head_at(&h, &h.y, n), &d);
	}
}

static void backward(const ad_run *r)
{
	struct heads h = heads_here(r);
	bool none = r->out[0].count == 0 || h.S == 0, free[AD_MAX_RANK];
	size_t groups = free_axes(r, &h, free);

	for (int i = 0; i < r->n_in; i++)
		if (r->dx[i].data && r->dx[i].count > 0 && (none || i == MASK))
			memset(r->dx[i].data, 0, r->dx[i].count * sizeof(ad_real));
	if (!none)
		ad_parallel(r, groups,
		            worth((double)(h.n / groups) * (double)h.T * (double)h.S *
		                  (double)(h.D + h.E) * 2.5),
		            groups_back);
}

/* ---- gradient ------------------------------------------------------------------------------------ */

/* The score of what is left out. Finite, so that no NaN arises where nothing is left; far below any
 * score, so that its exponential is 0 beside any other. */
#define LEFT_OUT (-1e30)

/* (..., T, m each D) as (..., m, each, T, D). */
static ad_node *to_heads(ad_node *x, int64_t m, int64_t each)
{
	ad_shape cut = ad_shape_of(x);
	int64_t last = cut.dims[cut.rank - 1] / (m * each);

	cut.rank += 2;
	cut.dims[cut.rank - 3] = m;
	cut.dims[cut.rank - 2] = each;
	cut.dims[cut.rank - 1] = last;
	return ad_transpose(ad_transpose(ad_reshape(x, cut), -4, -3), -3, -2);
}

/* And back, summed over what was repeated. */
static ad_node *from_heads(ad_node *x, ad_shape to, int64_t m, int64_t each)
{
	ad_shape cut = to;

	cut.rank += 2;
	cut.dims[cut.rank - 1] = to.dims[to.rank - 1] / (m * each);
	cut.dims[cut.rank - 2] = to.dims[to.rank - 2];
	cut.dims[cut.rank - 3] = each;
	cut.dims[cut.rank - 4] = m;
	return ad_reshape(ad_transpose(ad_transpose(ad_sum_to(x, cut), -3, -2), -4, -3), to);
}

/* A mask (..., n, T, S) as (..., m, each, T, S). */
static ad_node *mask_to_heads(ad_node *mask, int64_t m, int64_t each)
{
	ad_shape from = ad_shape_of(mask), to = { .rank = from.rank + 1 };
	int at = from.rank - 3;

	if (at < 0)
		return mask;
	memcpy(to.dims, from.dims, (size_t)at * sizeof *to.dims);
	to.dims[at] = from.dims[at] == 1 ? 1 : m;
	to.dims[at + 1] = from.dims[at] == 1 ? 1 : each;
	memcpy(to.dims + at + 2, from.dims + at + 1, 2 * sizeof *to.dims);
	return ad_reshape(mask, to);
}

/* True where key j is not behind query i, (T, S). */
static ad_node *causal_mask(ad_graph *g, int64_t T, int64_t S)
{
	return ad_less_equal(ad_arange(g, 0, S, 1),
	                     ad_reshape(ad_arange(g, 0, T, 1), AD_SHAPE(T, 1)));
}

/* The softmax of the scores, 0 where left out. */
static ad_node *softmax_of(const struct attrs *a, ad_node *q, ad_node *k, ad_node *mask,
                           double scale)
{
	ad_graph *g = ad_graph_of(q);
	ad_node *p = ad_mul(ad_matmul_transposed(q, k, false, true), ad_constant(g, scale));
	ad_node *none = ad_constant(g, LEFT_OUT), *left = NULL;
	ad_shape s = ad_shape_of(p);

	if (mask && ad_type_of(mask) == AD_REAL)
		p = ad_add(p, mask);
	else if (mask)
		p = ad_where(mask, p, none);
	if (a->causal)
		p = ad_where(causal_mask(g, s.dims[s.rank - 2], s.dims[s.rank - 1]), p, none);
	if (mask || a->causal) {
		left = ad_logical_not(ad_less_equal(p, none));
		p = ad_where(left, p, none);
	}
	p = ad_softmax(p, -1);
	/* where a mask leaves nothing, softmax has spread itself over what is left out */
	return left ? ad_where(left, p, ad_constant(g, 0)) : p;
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *in[4] = { NULL }, *part[3], *d[3], *p, *up = dy[0], *down = y, *ds, *mask;
	int64_t n = a->heads == AD_NONE ? 1 : a->heads, m = a->kv_heads == AD_NONE ? n : a->kv_heads;
	bool cut = a->heads != AD_NONE, one;
	ad_shape shape[3];
	double scale;

	for (int i = 0; i < ad_inputs(y); i++)
		in[i] = ad_input_of(y, i);
	one = !in[K];
	if (one) {
		ad_shape all = ad_shape_of(in[Q]);
		int64_t width = all.dims[all.rank - 1] / (n + 2 * m);
		ad_node *parts = ad_split(in[Q], AD_INTS(width * n, width * m, width * m), -1);

		if (ad_is_error(parts))
			return;
		for (int i = 0; i < 3; i++)
			in[i] = ad_output(parts, i);
	}
	for (int i = 0; i < 3; i++) {
		shape[i] = ad_shape_of(in[i]);
		part[i] = cut ? to_heads(in[i], m, i == Q ? n / m : 1) : in[i];
	}
	if (cut) {
		up = to_heads(up, m, n / m);
		down = to_heads(down, m, n / m);
	}
	mask = in[MASK] && cut ? mask_to_heads(in[MASK], m, n / m) : in[MASK];
	scale = isnan(a->scale) ? 1 / sqrt((double)(shape[Q].dims[shape[Q].rank - 1] / n)) : a->scale;
	p = softmax_of(a, part[Q], part[K], mask, scale);
	ds = ad_matmul_transposed(up, part[V], false, true);
	ds = ad_mul(p, ad_sub(ds, ad_sum(ad_mul(up, down), AD_INTS(-1), true)));
	if (mask && ad_wants(y, MASK))
		dx[MASK] = ad_reshape(ad_sum_to(ds, ad_shape_of(mask)), ad_shape_of(in[MASK]));
	ds = ad_mul(ds, ad_constant(ad_graph_of(y), scale));
	d[Q] = ad_matmul(ds, part[K]);
	d[K] = ad_matmul_transposed(ds, part[Q], true, false);
	d[V] = ad_matmul_transposed(p, up, true, false);
	for (int i = 0; i < 3; i++)
		d[i] = cut ? from_heads(d[i], shape[i], m, i == Q ? n / m : 1)
		           : ad_sum_to(d[i], shape[i]);
	if (one && ad_wants(y, Q))
		dx[Q] = ad_concat(3, d, -1);
	for (int i = 0; !one && i < 3; i++)
		if (ad_wants(y, i))
			dx[i] = d[i];
}

AD_OP(attention, .arity = 1, .optional = 3, .inputs = "q k v mask", .as_is = 1u << MASK,
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 1), AD_DIMS(2, 1), AD_DIMS(2, 2) },
            .give = { AD_LIST(2), AD_LIST(1, 0.5), AD_LIST(1, 10, 3, 20) },
            .want = { AD_LIST(1.5378828427399902, 12.689414213699952) } },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1) },
            .attrs = "causal=true scale=1",
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7) },
            .want = { AD_LIST(5, 5.53788284273999) } },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS_OF(AD_BOOL, 2, 2) },
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7), AD_LIST(0, 0, 0, 1) },
            .want = { AD_LIST(0, 7) },
            .dwant = { AD_LIST(0, 0), AD_LIST(0, 0), AD_LIST(0, 1) } },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(2, 5, 4), AD_DIMS(2, 5, 2) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(2, 3, 4), AD_DIMS(2, 3, 2) },
            .attrs = "causal=true",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 2, 3), AD_DIMS(3, 3), AD_DIMS(2, 3, 2), AD_DIMS(2, 3) },
            .attrs = "scale=0.5",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(3, 2), AD_DIMS(3, 2), AD_DIMS(3, 2), AD_DIMS_OF(AD_BOOL, 3, 3) },
            .attrs = "causal=true",
            .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2), AD_LIST(0.9, 1.1, 0, -1, 0.4, 0.2),
                      AD_LIST(0.3, -0.2, 1, 2, -1, 0.5), AD_LIST(0, 1, 1, 1, 1, 0, 1, 0, 1) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 3, 24), { 0 }, { 0 }, AD_DIMS(4, 1, 3) },
            .attrs = "heads=4 kv_heads=2 causal=true",
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 4), AD_DIMS(2, 4) },
            .error = "not (2, 3), (2, 4), (2, 4)" },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 2) },
            .attrs = "causal=true",
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7), AD_LIST(-INFINITY, 0, 0, 0) },
            .want = { AD_LIST(0, 5.53788284273999) } },
	  { .in = { AD_DIMS(2, 2, 3), AD_DIMS(3, 2, 3), AD_DIMS(2, 3) },
            .error = "leading axes of q (2, 2, 3), k (3, 2, 3) and v (2, 3) do not broadcast" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4, 3), AD_DIMS(4, 1), AD_DIMS(2, 3) },
            .error = "mask (2, 3) does not broadcast to the scores, (2, 4)" } });

/* softmax(scale q k^T + mask) v; mask may be NULL, scale NAN for 1 / sqrt(D). */
AD_API ad_node *ad_attention(ad_node *q, ad_node *k, ad_node *v, ad_node *mask, bool causal,
                             double scale)
{
	struct attrs a = { AD_NONE, AD_NONE, causal, scale };

	return AD_CALL_WITH(attention, &a, q, k, v, mask);
}

/* The same of `heads` heads side by side on the last axes, kv_heads (AD_NONE: as many) of k and v; k
 * and v both NULL: q holds all three. */
AD_API ad_node *ad_attention_heads(ad_node *q, ad_node *k, ad_node *v, ad_node *mask, int64_t heads,
                                   int64_t kv_heads, bool causal, double scale)
{
	struct attrs a = { heads, kv_heads, causal, scale };

	return AD_CALL_WITH(attention, &a, q, k, v, mask);
}
