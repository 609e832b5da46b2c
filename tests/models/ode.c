/*
 * ode: solutions against known ones, their orders, gradients by backpropagation and by the adjoint
 * equation against known and numeric ones.
 */
#include "ode.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* dx/dt = w x */
static ad_node *growth(void *w, ad_node *t, ad_node *x)
{
	return ad_mul(w, x);
}

/* dx/dt = cos(t), whatever x is: x moves by sin(t1) - sin(t0) */
static ad_node *wave(void *unused, ad_node *t, ad_node *x)
{
	return ad_add(ad_cos(t), ad_mul(x, ad_constant(ad_graph_of(x), 0)));
}

/* dx/dt = tanh(W x) and turning */
static ad_node *net(void *w, ad_node *t, ad_node *x)
{
	return ad_mul(ad_tanh(ad_linear(x, w, NULL)), ad_add(t, ad_constant(ad_graph_of(x), 1)));
}

static const struct ode methods[] = {
	{ .method = ODE_RK4, .steps = 40, .rtol = 1e-10, .atol = 1e-10 },
	{ .method = ODE_RK4, .steps = 40, .rtol = 1e-10, .atol = 1e-10, .adjoint = true },
	{ .method = ODE_DOPRI5, .steps = 60, .rtol = 1e-10, .atol = 1e-10 },
	{ .method = ODE_DOPRI5, .steps = 60, .rtol = 1e-10, .atol = 1e-10, .adjoint = true },
};

/* x(t) = x0 exp(w t): dx/dx0 = exp(w t), dx/dw = x0 t exp(w t); forwards and backwards in time. */
Test(ode, growth)
{
	static const double ends[][2] = { { 0, 1.5 }, { 1, -0.5 } };

	for (size_t k = 0; k < 4; k++) {
		for (size_t i = 0; i < 2; i++) {
			ad_graph *g = ad_open_f64();
			ad_node *w = ad_leaf(g, "w", 0.7), *x = ad_leaf(g, "x", 2), *y;
			struct ode o = methods[k];
			double t = ends[i][1] - ends[i][0];

			o.f = growth;
			o.data = w;
			y = ode_solve(&o, x, ends[i][0], ends[i][1]);
			cr_assert(ad_backward(y) == AD_OK, "%zu: %s", k, ad_errmsg(g));
			cr_expect_float_eq(ad_item(y), 2 * exp(0.7 * t), 1e-6, "%zu: %.12g", k,
			                   ad_item(y));
			cr_expect_float_eq(ad_item(ad_gradient(x)), exp(0.7 * t), 1e-6, "%zu", k);
			cr_expect_float_eq(ad_item(ad_gradient(w)), 2 * t * exp(0.7 * t), 2e-6,
			                   "%zu: %.12g", k, ad_item(ad_gradient(w)));
			ad_close(g);
		}
	}
}

Test(ode, time)
{
	for (size_t k = 0; k < 4; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *x = ad_leaf(g, "x", 5), *y;
		struct ode o = methods[k];

		o.f = wave;
		y = ode_solve(&o, x, 0.5, 3);
		cr_assert(ad_backward(y) == AD_OK, "%s", ad_errmsg(g));
		cr_expect_float_eq(ad_item(y), 5 + sin(3) - sin(0.5), 1e-6);
		cr_expect_float_eq(ad_item(ad_gradient(x)), 1, 1e-9);
		ad_close(g);
	}
}

/* Half the step: a 16th of the error. */
Test(ode, order_of_rk4)
{
	double error[2];

	for (int k = 0; k < 2; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_leaf(g, "w", 1), *y;
		struct ode o = { .f = growth, .data = w, .method = ODE_RK4, .steps = k ? 20 : 10 };

		y = ode_solve(&o, ad_leaf(g, "x", 1), 0, 1);
		cr_assert(ad_forward(y) == AD_OK);
		error[k] = fabs(ad_item(y) - exp(1));
		ad_close(g);
	}
	cr_expect(error[0] / error[1] > 14 && error[0] / error[1] < 18, "%g", error[0] / error[1]);
}

/* The steps of dopri5 adapt: a smaller tolerance, a smaller error; enough steps or not, it arrives.
 */
Test(ode, tolerance)
{
	static const double tolerances[] = { 1e-3, 1e-6, 1e-9 };
	double before = 1;

	for (int k = 0; k < 4; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_leaf(g, "w", 3), *y;
		struct ode o = {
			.f = growth, .data = w, .method = ODE_DOPRI5, .steps = k < 3 ? 100 : 2
		};

		o.rtol = o.atol = tolerances[k < 3 ? k : 2];
		y = ode_solve(&o, ad_leaf(g, "x", 1), 0, 1);
		cr_assert(ad_forward(y) == AD_OK);
		double error = fabs(ad_item(y) - exp(3)) / exp(3);
		if (k < 3)
			cr_expect(error < 10 * o.rtol && error < before, "%g: %g", o.rtol, error);
		else
			cr_expect(error < 0.1, "too few steps: %g", error);
		before = error;
		ad_close(g);
	}
}

/* Gradients of a small net in time, by differences. The adjoint equation agrees with the steps up
 * to the error of the method. */
Test(ode, gradients_of_a_net)
{
	static const double weights[] = { 0.3, -1.2, 0.8, 0.5, -0.4, 1.1, -0.7, 0.2, 0.6 };
	static const double points[] = { 0.5, -0.3, 0.8, -1, 0.1, 0.4 };

	for (size_t k = 0; k < 4; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_param(g, "w", AD_SHAPE(3, 3)),
			*x = ad_param(g, "x", AD_SHAPE(2, 3)), *y;
		struct ode o = methods[k];
		char text[1024];

		ad_set(w, weights, 9);
		ad_set(x, points, 6);
		o.f = net;
		o.data = w;
		y = ad_sum(ad_square(ode_solve(&o, x, 0, 1)), AD_ALL, false);
		cr_expect(ad_gradcheck(y, 2, (ad_node *[]){ w, x }, NULL, text, sizeof text),
		          "%zu: %s", k, text);
		ad_close(g);
	}
}

/* The steps have derivatives of any order; the adjoint equation says that it has only the first. */
Test(ode, second_derivatives)
{
	for (size_t k = 0; k < 2; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_leaf(g, "w", 0.7), *x = ad_leaf(g, "x", 2), *y, *second;
		struct ode o = methods[k];

		o.f = growth;
		o.data = w;
		y = ode_solve(&o, x, 0, 1);
		second = ad_grad(ad_grad(y, w), w);
		if (k == 0) {
			cr_assert(ad_forward(second) == AD_OK, "%s", ad_errmsg(g));
			cr_expect_float_eq(ad_item(second), 2 * exp(0.7), 1e-4);
		} else {
			cr_expect(ad_is_error(second) && ad_status_of(g) == AD_ERROR_GRADIENT, "%s",
			          ad_errmsg(g));
			cr_expect(strstr(ad_errmsg(g), "ode_adjoint_gradient"), "%s", ad_errmsg(g));
		}
		ad_close(g);
	}
}

static ad_node *widen(void *unused, ad_node *t, ad_node *x)
{
	return ad_concat(2, (ad_node *[]){ x, x }, 0);
}

Test(ode, mistakes)
{
	static const struct {
		struct ode o;
		const char *want;
	} wrong[] = {
		{ { .f = widen, .steps = 4 }, "the field makes (4,) of (2,)" },
		{ { .f = growth, .steps = 0 }, "'steps' is 0" },
		{ { .f = growth, .steps = 4, .method = ODE_DOPRI5 },
		  "'rtol' and 'atol' are 0 and 0" },
	};

	for (size_t k = 0; k < 3; k++) {
		ad_graph *g = ad_open_f64();
		ad_node *x = ad_param(g, "x", AD_SHAPE(2));

		cr_expect(ad_is_error(ode_solve(&wrong[k].o, x, 0, 1)));
		cr_expect(strstr(ad_errmsg(g), wrong[k].want), "%s", ad_errmsg(g));
		ad_close(g);
	}
}
