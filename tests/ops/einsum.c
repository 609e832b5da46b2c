/*
 * einsum: random equations, with diagonals, axes that broadcast and orders of every kind, against a
 * plain sum over all indices; and equations that cannot be read.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MOST_LABELS 6
#define MOST_OPERANDS 4
#define MOST_AXES 4

static uint32_t state = 1;

static int below(int n)
{
	state = state * 1664525u + 1013904223u;
	return (int)((state >> 16) % (unsigned)n);
}

struct equation {
	char text[96];
	int n, labels, n_out;
	int rank[MOST_OPERANDS], label[MOST_OPERANDS][MOST_AXES], out[MOST_LABELS];
	int64_t dims[MOST_OPERANDS][MOST_AXES];
	int64_t size[MOST_LABELS]; /* 1 for labels that occur nowhere */
	int uses[MOST_LABELS];
	double v[MOST_OPERANDS][256];
};

static const char letters[] = "aBcDeF", order[] = { 1, 3, 5, 0, 2, 4 }; /* of the alphabet */

static void add_letter(struct equation *e, int label)
{
	strncat(e->text, &letters[label], 1);
}

static void add_operand(struct equation *e, const int size[])
{
	int o = e->n++;

	if (o > 0)
		strcat(e->text, ",");
	e->rank[o] = below(MOST_AXES + 1);
	for (int k = 0; k < e->rank[o]; k++) {
		int label = e->label[o][k] = below(e->labels);

		e->dims[o][k] = below(6) == 0 ? 1 : size[label];
		for (int j = 0; j < k; j++)
			if (e->label[o][j] == label)
				e->dims[o][k] = e->dims[o][j];
		if (e->dims[o][k] > e->size[label])
			e->size[label] = e->dims[o][k];
		e->uses[label]++;
		add_letter(e, label);
	}
	for (int k = 0; k < 256; k++)
		e->v[o][k] = (below(33) - 16) / 8.0;
}

static void make(struct equation *e)
{
	int size[MOST_LABELS], n = 1 + below(MOST_OPERANDS), from = below(MOST_LABELS);

	memset(e, 0, sizeof *e);
	e->labels = 1 + below(MOST_LABELS);
	for (int k = 0; k < MOST_LABELS; k++) {
		size[k] = 1 + below(3);
		e->size[k] = 1;
	}
	while (e->n < n)
		add_operand(e, size);
	if (below(3) == 0) {
		for (int k = 0; k < MOST_LABELS; k++)
			if (e->uses[(int)order[k]] == 1)
				e->out[e->n_out++] = order[k];
		return;
	}
	strcat(e->text, "->");
	for (int k = 0; k < MOST_LABELS; k++) {
		int label = (from + 5 * k) % MOST_LABELS;

		if (e->uses[label] == 0 || below(2))
			continue;
		e->out[e->n_out++] = label;
		add_letter(e, label);
	}
}

static size_t place(const struct equation *e, const int at[], int rank, const int label[],
                    const int64_t dims[])
{
	size_t k = 0;

	for (int i = 0; i < rank; i++) {
		size_t size = (size_t)(dims ? dims[i] : e->size[label[i]]);

		k = k * size + (size == 1 ? 0 : (size_t)at[label[i]]);
	}
	return k;
}

static size_t sum(const struct equation *e, double want[])
{
	size_t total = 1, n = 1;
	int at[MOST_LABELS];

	for (int i = 0; i < MOST_LABELS; i++)
		total *= (size_t)e->size[i];
	for (int i = 0; i < e->n_out; i++)
		n *= (size_t)e->size[e->out[i]];
	memset(want, 0, n * sizeof *want);
	for (size_t k = 0; k < total; k++) {
		size_t rest = k;
		double product = 1;

		for (int i = 0; i < MOST_LABELS; i++) {
			at[i] = (int)(rest % (size_t)e->size[i]);
			rest /= (size_t)e->size[i];
		}
		for (int o = 0; o < e->n; o++)
			product *= e->v[o][place(e, at, e->rank[o], e->label[o], e->dims[o])];
		want[place(e, at, e->n_out, e->out, NULL)] += product;
	}
	return n;
}

Test(einsum, random_equations)
{
	for (int trial = 0; trial < 2000; trial++) {
		static struct equation e;
		static double want[1024], have[1024];
		ad_graph *g = ad_open_f64();
		ad_node *x[MOST_OPERANDS], *y;
		size_t n;

		make(&e);
		n = sum(&e, want);
		for (int o = 0; o < e.n; o++) {
			ad_shape shape = { .rank = e.rank[o] };

			memcpy(shape.dims, e.dims[o], sizeof e.dims[o]);
			x[o] = ad_input(g, "x", AD_REAL, shape);
			ad_set(x[o], e.v[o], ad_count(x[o]));
		}
		y = ad_einsum(e.text, (size_t)e.n, x);
		cr_assert(ad_forward(y) == AD_OK, "%s: %s", e.text, ad_errmsg(g));
		cr_assert(ad_count(y) == n && ad_shape_of(y).rank == e.n_out, "%s: shape", e.text);
		ad_get(y, have, n);
		for (size_t k = 0; k < n; k++)
			cr_assert(fabs(have[k] - want[k]) <= 1e-9, "%s: element %zu is %g, not %g",
			          e.text, k, have[k], want[k]);
		ad_close(g);
	}
}

Test(einsum, ellipsis)
{
	static const struct {
		const char *equation, *shape;
	} cases[] = {
		{ "...ij,...jk->...ik", "(5, 2, 3, 4)" },
		{ "...ij,...jk", "(5, 2, 3, 4)" },
		{ "...ij,...jk->ki...", "(4, 3, 5, 2)" },
		{ "... i j , ... j k -> k", "(4,)" },
		{ "...,...jk->...", NULL },
	};
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		ad_graph *g = ad_open();
		ad_node *x[] = { ad_input(g, "a", AD_REAL, AD_SHAPE(5, 1, 3, 6)),
			         ad_input(g, "b", AD_REAL, AD_SHAPE(2, 6, 4)) };
		ad_node *y = ad_einsum(cases[k].equation, 2, x);
		char text[192];

		if (cases[k].shape)
			cr_expect_str_eq(ad_print_shape(text, sizeof text, ad_shape_of(y)),
			                 cases[k].shape, "%s: %s", cases[k].equation, ad_errmsg(g));
		else
			cr_expect(ad_is_error(y), "%s", cases[k].equation);
		ad_close(g);
	}
}

Test(einsum, unreadable)
{
	static const char *const equations[] = {
		"",
		"->",
		",",
		"a",
		"a-",
		"a->",
		"......",
		"..",
		".ab",
		"ab->a->b",
		"aaaaaaaaa",
		"ab->...b...",
		"ab,bc",
		"ab->ac",
		"ab->aa",
		"ab->a,",
		"ab->abcdefghi",
		"a1",
		"\xc3\xa9",
		"ab,",
		",ab",
		"ab>a",
		"abc",
		"-",
	};
	for (size_t k = 0; k < sizeof equations / sizeof *equations; k++) {
		ad_graph *g = ad_open();
		ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 2));

		cr_expect(ad_is_error(ad_einsum(equations[k], 1, &x)), "'%s' is taken",
		          equations[k]);
		cr_expect(strncmp(ad_errmsg(g), "einsum: ", 8) == 0, "'%s': %s", equations[k],
		          ad_errmsg(g));
		ad_close(g);
	}
}
