/*
 * optimizer: training loops in C: all optimizers in f32 and f64, on several threads, and what they refuse.
 */
#include "autograd_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 50000, SMALL = 7, STEPS = 5 };

static const struct {
	const char *name, *settings;
} kinds[] = {
	{ "sgd", "lr=0.1" },
	{ "sgd", "lr=0.1 momentum=0.9 dampening=0.1 weight_decay=0.01" },
	{ "sgd", "lr=0.1 momentum=0.9 nesterov=true" },
	{ "adam", "" },
	{ "adam", "lr=0.01 betas=[0.8, 0.9] amsgrad=true weight_decay=0.1" },
	{ "adamw", "lr=0.01" },
	{ "adamw", "amsgrad=true eps=1e-6" },
	{ "rmsprop", "" },
	{ "rmsprop", "momentum=0.5" },
	{ "rmsprop", "centered=true" },
	{ "rmsprop", "centered=true momentum=0.5 weight_decay=0.01" },
	{ "adagrad", "lr_decay=0.1" },
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

/* Some steps on two params with the loss sum of c (w^2 / 2 - w), where c is different for each element;
 * their elements after the last step. */
static void train(size_t kind, bool f64, double w[BIG + SMALL])
{
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	static const int64_t sizes[] = { BIG, SMALL };
	ad_node *loss = ad_constant(g, 0), *params[2];
	ad_optimizer *o;

	for (int j = 0; j < 2; j++) {
		ad_node *p = params[j] = ad_param(g, "w", AD_SHAPE(sizes[j]));
		ad_node *c = ad_input(g, "c", AD_REAL, AD_SHAPE(sizes[j]));
		ad_node *half = ad_mul(ad_constant(g, 0.5), ad_mul(p, p));
		double *values = malloc(BIG * sizeof *values);

		for (int k = 0; k < sizes[j]; k++)
			values[k] = k % 101 / 50.0 - 1;
		ad_set(p, values, (size_t)sizes[j]);
		for (int k = 0; k < sizes[j]; k++)
			values[k] = 1 + k % 7;
		ad_set(c, values, (size_t)sizes[j]);
		free(values);
		loss = ad_add(loss, ad_sum(ad_mul(c, ad_sub(half, p)), AD_ALL, false));
	}
	o = ad_optimizer_open(g, kinds[kind].name, kinds[kind].settings, 0, NULL);
	cr_assert(o, "%s", ad_errmsg(g));
	for (int t = 0; t < STEPS; t++) {
		cr_assert_eq(ad_backward(loss), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_optimizer_step(o), AD_OK, "%s", ad_errmsg(g));
	}
	ad_get(params[0], w, BIG);
	ad_get(params[1], w + BIG, SMALL);
	ad_optimizer_close(o);
	ad_close(g);
}

/* f32 follows f64, an element the same wherever it stands, whatever the instructions and the threads. */
Test(optimizer, all_variants_agree)
{
	static double exact[BIG + SMALL], w[BIG + SMALL], once[BIG + SMALL];

	for (size_t kind = 0; kind < N_KINDS; kind++) {
		const char *what = kinds[kind].name, *how = kinds[kind].settings;

		train(kind, true, exact);
		for (int level = 0; level <= 2; level++) {
			setenv("AUTOGRAD_LEVEL", (const char *[]){ "0", "1", "2" }[level], 1);
			ad_set_threads(1);
			train(kind, false, once);
			ad_set_threads(3);
			train(kind, false, w);
			cr_assert_arr_eq(w, once, sizeof w, "%s %s: 1 and 3 threads differ", what, how);
			for (int k = 0; k < BIG + SMALL; k++)
				cr_assert_float_eq(w[k], exact[k], 2e-6, "%s %s, level %d: w[%d] is %.9g, not %.9g",
				                   what, how, level, k, w[k], exact[k]);
			for (int k = 0; k < BIG; k++)
				cr_assert_float_eq(exact[k], exact[k % 707], 1e-15, "%s %s: %d", what, how, k);
		}
		unsetenv("AUTOGRAD_LEVEL");
		cr_assert(fabs(exact[0] + 1) > 1e-4, "%s %s does not move", what, how);
	}
}

Test(optimizer, moves_what_it_is_given)
{
	ad_graph *g = ad_open();
	ad_node *a = ad_param(g, "a", AD_SHAPE(3)), *b = ad_param(g, "b", AD_SHAPE(3));
	ad_node *y = ad_sum(ad_add(ad_mul(a, a), b), AD_ALL, false);
	ad_optimizer *o = ad_optimizer_open(g, "sgd", "lr=0.5", 1, &b);

	ad_set_item(a, 3);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_float_eq(ad_optimizer_norm(o), sqrt(3), 1e-15);
	cr_assert_eq(ad_optimizer_step(o), AD_OK);
	cr_assert_eq(ad_at(a, 2), 3);
	cr_assert_eq(ad_at(b, 2), -0.5);
	cr_assert_eq(ad_optimizer_rate(o), 0.5);
	cr_assert_eq(ad_optimizer_set_rate(o, 2), AD_OK);
	cr_assert_eq(ad_optimizer_step(o), AD_OK);
	cr_assert_eq(ad_at(b, 2), -2.5);
	ad_want_gradient(b, false);
	ad_optimizer_close(o);
	o = ad_optimizer_open(g, "sgd", "lr=0.5", 0, NULL);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_float_eq(ad_optimizer_norm(o), sqrt(108), 1e-14);
	ad_close(g);
	ad_optimizer_close(o);
}

/* Params with settings of their own move as those of an optimizer that was opened with them. */
Test(optimizer, settings_of_some)
{
	static const struct {
		const char *name, *all, *some, *as;
	} cases[] = {
		{ "adamw", "lr=0.1 weight_decay=0.5", "weight_decay=0", "lr=0.1 weight_decay=0" },
		{ "sgd", "lr=0.1", "momentum=0.9 lr=0.2", "lr=0.2 momentum=0.9" },
		{ "sgd", "lr=0.1 momentum=0.9", "momentum=0", "lr=0.1" },
		{ "rmsprop", "lr=0.1 centered=true", "centered=false", "lr=0.1" },
		{ "adam", "lr=0.1 betas=[0.9,0.99]", "betas=[0.5,0.6]", "lr=0.1 betas=[0.5,0.6]" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		ad_graph *g = ad_open();
		ad_node *w[4], *loss = NULL;
		ad_optimizer *o[3];

		for (int i = 0; i < 4; i++) {
			w[i] = ad_param(g, (const char *[]){ "a", "b", "c", "d" }[i], AD_SHAPE(3));
			ad_set(w[i], (const double[]){ 1, -2, 3 }, 3);
			loss = loss ? ad_add(loss, ad_sum(ad_exp(w[i]), AD_ALL, false))
			            : ad_sum(ad_exp(w[i]), AD_ALL, false);
		}
		o[0] = ad_optimizer_open(g, cases[k].name, cases[k].all, 2, w);
		o[1] = ad_optimizer_open(g, cases[k].name, cases[k].all, 1, w + 2);
		o[2] = ad_optimizer_open(g, cases[k].name, cases[k].as, 1, w + 3);
		cr_assert_eq(ad_optimizer_set(o[0], cases[k].some, 1, w + 1), AD_OK, "%s", ad_errmsg(g));
		for (int step = 0; step < 4; step++) {
			cr_assert_eq(ad_backward(loss), AD_OK);
			for (int i = 0; i < 3; i++) {
				if (step == 2)
					ad_optimizer_set_rate(o[i], i < 2 ? 0.05 : ad_optimizer_rate(o[2]) / 2);
				cr_assert_eq(ad_optimizer_step(o[i]), AD_OK, "%s", ad_errmsg(g));
			}
		}
		for (int i = 0; i < 2; i++)
			cr_expect_arr_eq(ad_data(w[i]), ad_data(w[i + 2]), 3 * sizeof(float), "%s, %d",
			                 cases[k].name, i);
		cr_assert(memcmp(ad_data(w[0]), ad_data(w[1]), 3 * sizeof(float)) != 0);
		for (int i = 0; i < 3; i++)
			ad_optimizer_close(o[i]);
		ad_close(g);
	}
}

Test(optimizer, clip)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(2)), *loss;
	ad_optimizer *o;

	ad_set(w, (const double[]){ 3, 4 }, 2);
	loss = ad_mul(ad_sum(ad_square(w), AD_ALL, false), ad_full(g, AD_SCALAR, 0.5));
	o = ad_optimizer_open(g, "sgd", "lr=1", 0, NULL);
	cr_assert_eq(ad_optimizer_set_clip(o, 1), AD_OK);
	cr_assert_eq(ad_backward(loss), AD_OK);
	cr_assert_eq(ad_optimizer_step(o), AD_OK);
	cr_assert_float_eq(((const double *)ad_data(w))[0], 3 - 0.6, 1e-15);
	cr_assert_float_eq(((const double *)ad_data(w))[1], 4 - 0.8, 1e-15);
	/* a norm that is smaller stays */
	cr_assert_eq(ad_optimizer_set_clip(o, 100), AD_OK);
	cr_assert_eq(ad_backward(loss), AD_OK);
	cr_assert_eq(ad_optimizer_step(o), AD_OK);
	cr_assert_float_eq(((const double *)ad_data(w))[0], 0, 1e-15);
	cr_assert_eq(ad_optimizer_set_clip(o, -1), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "sgd: the norm to clip to is -1; it is a number from 0, which does not clip");
	ad_optimizer_close(o);
	ad_close(g);
}

Test(optimizer, refusals)
{
	static const struct {
		const char *name, *settings, *error;
	} cases[] = {
		{ "adamm", "", "adamm: there is no optimizer of this name; there are adagrad, adam, adamw, "
		               "rmsprop, sgd" },
		{ "sgd", "", "sgd: 'lr'" },
		{ "sgd", "lr=-1", "sgd: lr is -1; it is a number from 0" },
		{ "adam", "lr", "adam: cannot read the settings at 'lr'" },
		{ "adam", "beta=1", "adam: " },
		{ "adam", "betas=[0.9]", "adam: betas is a list of two numbers, not of 1" },
	};
	ad_graph *g = ad_open(), *other = ad_open();
	ad_node *p = ad_param(g, "p", AD_SCALAR), *x = ad_param(other, "x", AD_SCALAR);
	ad_node *n = ad_input(g, "n", AD_I32, AD_SCALAR);
	ad_optimizer *o;

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		cr_assert_null(ad_optimizer_open(g, cases[k].name, cases[k].settings, 0, NULL));
		cr_assert_eq(ad_status_of(g), AD_ERROR_ARGUMENT);
		cr_assert_eq(strncmp(ad_errmsg(g), cases[k].error, strlen(cases[k].error)), 0, "%s",
		             ad_errmsg(g));
		ad_clear(g);
	}
	cr_assert_null(ad_optimizer_open(g, "sgd", "lr=1", 1, &x));
	cr_assert_str_eq(ad_errmsg(g), "sgd: param 0 is not a leaf of reals of this graph");
	ad_clear(g);
	cr_assert_null(ad_optimizer_open(g, "sgd", "lr=1", 2, (ad_node *[]){ p, n }));
	cr_assert_str_eq(ad_errmsg(g), "sgd: param 1 is not a leaf of reals of this graph");
	ad_clear(g);

	cr_assert_eq(ad_optimizer_step(NULL), AD_ERROR_ARGUMENT);
	cr_assert_eq(ad_optimizer_set_rate(NULL, 1), AD_ERROR_ARGUMENT);
	cr_assert(isnan(ad_optimizer_norm(NULL)) && isnan(ad_optimizer_rate(NULL)));
	ad_optimizer_close(NULL);

	cr_assert_eq(ad_optimizer_set(NULL, "", 0, NULL), AD_ERROR_ARGUMENT);
	cr_assert_eq(ad_optimizer_set_clip(NULL, 1), AD_ERROR_ARGUMENT);

	o = ad_optimizer_open(g, "sgd", "lr=1", 0, NULL);
	cr_assert_eq(ad_optimizer_set(o, "momentum=-1", 1, &p), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "sgd: momentum is -1; it is a number from 0");
	ad_clear(g);
	cr_assert_eq(ad_optimizer_set(o, "momentun=1", 1, &p), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "sgd: there is no 'momentun'");
	ad_clear(g);
	cr_assert_eq(ad_optimizer_set(o, "momentum=1", 2, (ad_node *[]){ p, n }), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "sgd: param 1 is none that this optimizer moves");
	ad_clear(g);
	cr_assert_eq(ad_optimizer_step(o), AD_ERROR_VALUE);
	cr_assert_str_eq(ad_errmsg(g), "sgd: no param has a gradient; call ad_backward before");
	cr_assert_eq(ad_optimizer_set_rate(o, -1), AD_ERROR_VALUE, "the first failure stays");
	ad_clear(g);
	cr_assert_eq(ad_optimizer_set_rate(o, (double)NAN), AD_ERROR_ARGUMENT);
	cr_assert_eq(ad_optimizer_rate(o), 1);
	ad_optimizer_close(o);
	ad_close(g);
	ad_close(other);
}
