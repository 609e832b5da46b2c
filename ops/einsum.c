/*
 * einsum: sums of products of arrays, with every axis named by a letter: "ij,jk->ik".
 *
 *   x0, x1, ...   one for each term before the arrow, an axis for each letter
 *   y             the axes named behind the arrow; letters that are not there are summed over
 *
 * A letter twice in a term takes the diagonal. "..." stands for leading axes, which broadcast; an
 * axis of size 1 broadcasts too. Without an arrow the axes of y are those of "..." and then the
 * letters that occur once, in the order of the alphabet, capitals first. Spaces count for nothing.
 *
 * Composed of products of two operands at a time, from the left, each a matrix product where axes
 * are summed over; axes of one operand alone are summed first.
 */
#include "op.h"

struct attrs {
	const char *equation;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, equation, AD_WORD, NULL, "the axes of each operand, and those of y",
	        NULL),
	{ 0 },
};

/* Labels: A..Z are 0..25, a..z are 26..51; the axes of "..." follow, the last of them the highest.
 */
#define LETTERS 52
#define LABELS (LETTERS + AD_MAX_RANK)

/* An operand whose axes have labels. */
struct operand {
	ad_node *x;
	int rank;
	int label[AD_MAX_RANK];
};

struct sum {
	ad_graph *g;
	const char *equation;
	int64_t size[LABELS];
	int left[LABELS]; /* occurrences in the terms that are still to come; in y: one more */
	int uses[LABELS]; /* in all terms, counting each axis */
	int ellipsis;     /* the most axes that "..." stands for */
	int n_out, out[AD_MAX_RANK];
};

static int label_of(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

static char letter_of(int label)
{
	return (char)(label < 26 ? 'A' + label : label < LETTERS ? 'a' + label - 26 : '.');
}

/* Reads the letters of one term up to a comma, the arrow or the end. Returns where it ends, or
 * NULL after a failure. ellipsis: how many axes "..." stands for here; -1: what is left of rank. */
static const char *read_term(struct sum *s, const char *at, int rank, int ellipsis, int label[],
                             int *n)
{
	int letters = 0, dots = 0;
	const char *end = at;

	for (; *end && *end != ',' && *end != '-'; end++) {
		if (strncmp(end, "...", 3) == 0 && dots == 0) {
			dots = 1;
			end += 2;
		} else if (label_of(*end) >= 0) {
			letters++;
		} else if (*end != ' ') {
			ad_fail(s->g, AD_ERROR_ARGUMENT,
			        "einsum: no letter, comma or arrow at '%s' in '%s'; terms are like "
			        "ij or ...ij",
			        end, s->equation);
			return NULL;
		}
	}
	if (*end == '-' && end[1] != '>') {
		ad_fail(s->g, AD_ERROR_ARGUMENT, "einsum: '-' in '%s' without '>'", s->equation);
		return NULL;
	}
	if (ellipsis < 0)
		ellipsis = dots && rank > letters ? rank - letters : 0;
	if (letters + (dots ? ellipsis : 0) > AD_MAX_RANK) {
		ad_fail(s->g, AD_ERROR_SHAPE, "einsum: a term of '%s' has more than %d axes",
		        s->equation, AD_MAX_RANK);
		return NULL;
	}
	*n = 0;
	for (; at < end; at++) {
		if (*at == '.') {
			for (int k = 0; k < ellipsis; k++)
				label[(*n)++] = LABELS - ellipsis + k;
			at += 2;
		} else if (*at != ' ') {
			label[(*n)++] = label_of(*at);
		}
	}
	return end;
}

/* Reads all terms: sizes, uses, and the labels of y. */
static bool read_equation(struct sum *s, ad_node *const in[], int n_in)
{
	const char *at = s->equation;
	int label[AD_MAX_RANK], n;
	char text[192];

	for (int i = 0; i < n_in; i++) {
		ad_shape x = ad_shape_of(in[i]);

		if (i > 0 && *at++ != ',') {
			ad_fail(s->g, AD_ERROR_ARGUMENT,
			        "einsum: '%s' has %d terms for %d operands", s->equation, i, n_in);
			return false;
		}
		at = read_term(s, at, x.rank, -1, label, &n);
		if (!at)
			return false;
		if (n != x.rank) {
			ad_fail(s->g, AD_ERROR_SHAPE,
			        "einsum: term %d of '%s' has %d axes, but operand %d is %s", i,
			        s->equation, n, i, ad_print_shape(text, sizeof text, x));
			return false;
		}
		for (int k = 0; k < n; k++) {
			int64_t *size = &s->size[label[k]];

			for (int j = 0; j < k; j++)
				if (label[j] == label[k] && x.dims[j] != x.dims[k]) {
					ad_fail(s->g, AD_ERROR_SHAPE,
					        "einsum: '%c' names axes of sizes %lld and %lld of "
					        "operand %d, %s",
					        letter_of(label[k]), (long long)x.dims[j],
					        (long long)x.dims[k], i,
					        ad_print_shape(text, sizeof text, x));
					return false;
				}
			if (s->uses[label[k]]++ == 0 || *size == 1)
				*size = x.dims[k];
			if (x.dims[k] != *size && x.dims[k] != 1) {
				ad_fail(s->g, AD_ERROR_SHAPE,
				        "einsum: '%c' has size %lld, but axis %d of operand %d, "
				        "%s, has %lld",
				        letter_of(label[k]), (long long)*size, k, i,
				        ad_print_shape(text, sizeof text, x), (long long)x.dims[k]);
				return false;
			}
			s->left[label[k]]++;
			if (label[k] >= LETTERS && LABELS - label[k] > s->ellipsis)
				s->ellipsis = LABELS - label[k];
		}
	}
	if (*at == ',') {
		ad_fail(s->g, AD_ERROR_ARGUMENT, "einsum: '%s' has more terms than the %d operands",
		        s->equation, n_in);
		return false;
	}
	if (*at == '-') {
		at = read_term(s, at + 2, 0, s->ellipsis, s->out, &s->n_out);
		if (at && *at) {
			ad_fail(s->g, AD_ERROR_ARGUMENT, "einsum: '%s' goes on after the axes of y",
			        s->equation);
			return false;
		}
		return at != NULL;
	}
	for (int k = 0; k < s->ellipsis; k++)
		s->out[s->n_out++] = LABELS - s->ellipsis + k;
	for (int k = 0; k < LETTERS; k++) {
		if (s->uses[k] != 1)
			continue;
		if (s->n_out == AD_MAX_RANK) {
			ad_fail(s->g, AD_ERROR_SHAPE,
			        "einsum: the result of '%s' has more than %d axes", s->equation,
			        AD_MAX_RANK);
			return false;
		}
		s->out[s->n_out++] = k;
	}
	return true;
}

static bool check_output(struct sum *s)
{
	for (int k = 0; k < s->n_out; k++) {
		if (s->uses[s->out[k]] == 0) {
			ad_fail(s->g, AD_ERROR_ARGUMENT,
			        "einsum: '%c' of the result is in no term of '%s'",
			        letter_of(s->out[k]), s->equation);
			return false;
		}
		for (int j = 0; j < k; j++)
			if (s->out[j] == s->out[k]) {
				ad_fail(
				    s->g, AD_ERROR_ARGUMENT,
				    "einsum: '%c' is twice among the axes of the result of '%s'",
				    letter_of(s->out[k]), s->equation);
				return false;
			}
		s->left[s->out[k]]++;
	}
	return true;
}

static int place_in(const struct operand *o, int label)
{
	for (int k = 0; k < o->rank; k++)
		if (o->label[k] == label)
			return k;
	return -1;
}

static void drop_label(struct operand *o, int k)
{
	memmove(o->label + k, o->label + k + 1, (size_t)(o->rank - k - 1) * sizeof *o->label);
	o->rank--;
}

/* Makes each label appear once, by diagonals; drops axes of size 1 that broadcast; sums over the
 * labels that nothing else has. */
static void simplify(struct sum *s, struct operand *o, const struct operand *other)
{
	ad_shape shape;
	int64_t gone[AD_MAX_RANK], n_gone = 0;
	int axes;

	for (int k = 1; k < o->rank; k++) {
		int j = place_in(o, o->label[k]), label = o->label[k];

		if (j == k)
			continue;
		/* the diagonal becomes the last axis */
		o->x = ad_diagonal(o->x, 0, j, k);
		drop_label(o, k);
		drop_label(o, j);
		o->label[o->rank++] = label;
		k = 0;
	}
	shape = ad_shape_of(o->x);
	axes = shape.rank;
	for (int k = 0; k < o->rank; k++)
		if (shape.dims[k] == 1 && s->size[o->label[k]] != 1) {
			memmove(shape.dims + k, shape.dims + k + 1,
			        (size_t)(shape.rank - k - 1) * sizeof *shape.dims);
			shape.rank--;
			drop_label(o, k--);
		}
	if (shape.rank < axes)
		o->x = ad_reshape(o->x, shape);
	for (int k = 0; k < o->rank; k++)
		if (s->left[o->label[k]] == 0 && place_in(other, o->label[k]) < 0)
			gone[n_gone++] = k;
	if (n_gone == 0)
		return;
	o->x = ad_sum(o->x, (ad_ints){ n_gone, gone }, false);
	while (n_gone > 0)
		drop_label(o, (int)gone[--n_gone]);
}

/* The labels of a product, in groups. */
struct group {
	int n, label[2 * AD_MAX_RANK];
	int64_t size;
};

static void put(const struct sum *s, struct group *to, int label)
{
	to->label[to->n++] = label;
	/* an overflow shows when the array is made */
	if (__builtin_mul_overflow(to->size, s->size[label], &to->size))
		to->size = INT64_MAX;
}

/* x with its axes in the order of the three groups, each made one axis. */
static ad_node *grouped(const struct operand *o, const struct group *a, const struct group *b,
                        const struct group *c)
{
	const struct group *groups[] = { a, b, c };
	int64_t order[AD_MAX_RANK];
	ad_node *x = o->x;
	bool moved = false;
	int n = 0;

	for (int k = 0; k < 3; k++)
		for (int j = 0; j < groups[k]->n; j++, n++) {
			order[n] = place_in(o, groups[k]->label[j]);
			moved |= order[n] != n;
		}
	if (moved)
		x = ad_permute(x, (ad_ints){ n, order });
	return ad_reshape(x, AD_SHAPE(a->size, b->size, c->size));
}

/* Whether the axes of o lie in the order of these groups. */
static bool lies_as(const struct operand *o, const struct group *a, const struct group *b,
                    const struct group *c)
{
	const struct group *groups[] = { a, b, c };
	int n = 0;

	for (int k = 0; k < 3; k++)
		for (int j = 0; j < groups[k]->n; j++, n++)
			if (o->label[n] != groups[k]->label[j])
				return false;
	return true;
}

/* The product of two operands, summed over the labels that nothing else has. */
static bool multiply(const struct sum *s, struct operand *a, const struct operand *b)
{
	struct group batch = { .size = 1 }, rows = { .size = 1 }, columns = { .size = 1 };
	struct group inner = { .size = 1 };
	ad_shape y = { 0 };
	int label[2 * AD_MAX_RANK], n = 0;
	ad_node *p;

	for (int k = 0; k < a->rank; k++) {
		bool shared = place_in(b, a->label[k]) >= 0;

		put(s, !shared ? &rows : s->left[a->label[k]] ? &batch : &inner, a->label[k]);
	}
	for (int k = 0; k < b->rank; k++)
		if (place_in(a, b->label[k]) < 0)
			put(s, &columns, b->label[k]);
	if (batch.n + rows.n + columns.n > AD_MAX_RANK) {
		ad_fail(s->g, AD_ERROR_SHAPE,
		        "einsum: a product on the way of '%s' has %d axes; there may be %d",
		        s->equation, batch.n + rows.n + columns.n, AD_MAX_RANK);
		return false;
	}
	if (inner.n == 0) {
		p = ad_mul(grouped(a, &batch, &rows, &inner), grouped(b, &batch, &inner, &columns));
	} else if (rows.n == 0 && columns.n == 0) {
		p = ad_sum(
		    ad_mul(grouped(a, &batch, &rows, &inner), grouped(b, &batch, &columns, &inner)),
		    AD_INTS(-1), false);
	} else {
		bool ta = !lies_as(a, &batch, &rows, &inner) && lies_as(a, &batch, &inner, &rows);
		bool tb =
		    !lies_as(b, &batch, &inner, &columns) && lies_as(b, &batch, &columns, &inner);

		p = ad_matmul_transposed(ta ? grouped(a, &batch, &inner, &rows)
		                            : grouped(a, &batch, &rows, &inner),
		                         tb ? grouped(b, &batch, &columns, &inner)
		                            : grouped(b, &batch, &inner, &columns),
		                         ta, tb);
	}
	for (int k = 0; k < batch.n; k++)
		label[n++] = batch.label[k];
	for (int k = 0; k < rows.n; k++)
		label[n++] = rows.label[k];
	for (int k = 0; k < columns.n; k++)
		label[n++] = columns.label[k];
	y.rank = a->rank = n;
	for (int k = 0; k < n; k++) {
		a->label[k] = label[k];
		y.dims[k] = s->size[label[k]];
	}
	a->x = ad_reshape(p, y);
	return true;
}

/* The product with the axes of y in their order. All are there: of each label the operand with its
 * full size has kept it. */
static ad_node *ordered(const struct sum *s, const struct operand *o)
{
	int64_t order[AD_MAX_RANK];
	bool moved = false;

	for (int k = 0; k < s->n_out; k++) {
		order[k] = place_in(o, s->out[k]);
		moved |= order[k] != k;
	}
	return moved ? ad_permute(o->x, (ad_ints){ s->n_out, order }) : o->x;
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	struct sum s = { .g = g, .equation = a->equation };
	struct operand product = { 0 }, next;
	const char *at = a->equation;

	if (!a->equation || !read_equation(&s, in, n_in) || !check_output(&s))
		return ad_fail(g, AD_ERROR_ARGUMENT, "einsum: '%s' cannot be read",
		               a->equation ? a->equation : "");
	for (int i = 0; i < n_in; i++) {
		next = (struct operand){ .x = ad_type_of(in[i]) == AD_REAL ? in[i]
			                                                   : ad_to_real(in[i]) };
		at = read_term(&s, at, ad_shape_of(in[i]).rank, -1, next.label, &next.rank) + 1;
		for (int k = 0; k < next.rank; k++)
			s.left[next.label[k]]--;
		simplify(&s, &next, &product);
		if (i == 0) {
			product = next;
			continue;
		}
		/* what the product so far has alone, now that this operand is known */
		simplify(&s, &product, &next);
		if (!multiply(&s, &product, &next))
			return ad_fail(g, AD_ERROR_SHAPE, "einsum: '%s' has too many axes",
			               a->equation);
	}
	return ordered(&s, &product);
}

AD_OP(einsum, .arity = 1, .optional = -1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3, 2) },
            .attrs = "equation=ij,jk->ki",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, -1, 0, 2, 3, 1) },
            .want = { AD_LIST(10, 22, 6, 12) },
            .dwant = { AD_LIST(0, 2, 4, 0, 2, 4), AD_LIST(5, 5, 7, 7, 9, 9) } },
	  { .in = { AD_DIMS(2, 2), AD_DIMS(2) },
            .attrs = "equation=ii,j",
            .give = { AD_LIST(1, 2, 3, 4), AD_LIST(10, 20) },
            .want = { AD_LIST(50, 100) },
            .dwant = { AD_LIST(30, 0, 0, 30), AD_LIST(5, 5) } },
	  { .in = { AD_DIMS(2, 3, 3) }, .attrs = "equation=bii->ib", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 4, 2, 1), AD_DIMS(4, 5, 3), AD_DIMS(3, 5) },
            .attrs = "equation=ij...,jk...,ik->...k",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4, 3, 2), AD_DIMS(2, 2) },
            .attrs = "equation=bi,oij,bj->bo",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 1), AD_DIMS(3, 2), AD_DIM0 },
            .attrs = "equation=abc,bc,",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 4) },
            .attrs = "equation=ij,jk->ik",
            .error = "'j' has size 3, but axis 0 of operand 1, (2, 4), has 2" },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "equation=ijk->i",
            .error = "term 0 of 'ijk->i' has 3 axes, but operand 0 is (2, 3)" },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "equation=ij->ik",
            .error = "'k' of the result is in no term of 'ij->ik'" },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "equation=ij,jk", .error = "more terms than the 1" },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "equation=i1->i", .error = "at '1->i' in 'i1->i'" },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "equation=ij->ii", .error = "'i' is twice" } });

/* The sum of products of n arrays that the equation describes: "ij,jk->ik". */
AD_API ad_node *ad_einsum(const char *equation, size_t n, ad_node *const x[])
{
	struct attrs a = { equation };

	return AD_CALL_N(einsum, &a, n, x);
}
