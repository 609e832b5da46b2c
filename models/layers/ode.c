/*
 * ode: x moves along dx/dt = f(x) from t[0] to the last time of t, f being a block, a layer or an
 * op that keeps the shape.
 *
 *   x   any shape     y   shape of x: the state at t[1]; with more than two times [B, times, ...],
 * the states at all of them, the first being x
 *
 * The field's weights are made once: "ode.field.linear.weight". Chen et al., "Neural ordinary
 * differential equations" (2018); the methods are in ode.h. backprop goes through all steps and
 * keeps their values; adjoint solves the adjoint equation back in time and keeps nothing, with the
 * error of the method and without second derivatives.
 */
#include "model.h"
#include "ode.h"
#include "op.h"

struct attrs {
	const char *field, *method, *gradient;
	ad_reals t;
	int64_t steps;
	double rtol, atol;
	bool time;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, field, AD_WORD, NULL, "the block, layer or op that gives dx/dt of x",
	        NULL),
	AD_ATTR(struct attrs, t, AD_NUMLIST, "[0, 1]", "the time before and after, or more times",
	        NULL),
	AD_ATTR(struct attrs, method, AD_WORD, "rk4",
	        "steps of one size, or of sizes that the tolerances allow", "rk4 dopri5"),
	AD_ATTR(struct attrs, steps, AD_INT, "8",
	        "rk4: steps from each time to the next; dopri5: at most so many", NULL),
	AD_ATTR(struct attrs, gradient, AD_WORD, "backprop",
	        "through the steps, or by the adjoint equation", "backprop adjoint"),
	AD_ATTR(struct attrs, rtol, AD_NUM, "1e-3", "dopri5: the error of a step relative to x",
	        NULL),
	AD_ATTR(struct attrs, atol, AD_NUM, "1e-6", "dopri5: and absolute", NULL),
	AD_ATTR(struct attrs, time, AD_FLAG, "false",
	        "the field takes the time as its second input", NULL),
	{ 0 },
};

struct field {
	struct layer_site *site;
	bool time;
};

static ad_node *field_at(void *data, ad_node *t, ad_node *x)
{
	const struct field *f = data;

	return layer_apply(f->site, "field", f->time ? 2 : 1, (ad_node *[]){ x, t });
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	ad_graph *g = ad_graph_of(x);
	ad_node *states[64], *y = x;
	struct field *f;

	if (a->t.n < 2 || a->t.n > 64)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "ode: 't' has 2 to 64 times, [0, 1] for instance, not %lld",
		               (long long)a->t.n);
	f = layer_room(site, sizeof *f);
	*f = (struct field){ layer_keep(site), a->time };
	const struct ode o = { .f = field_at,
		               .data = f,
		               .method = strcmp(a->method, "rk4") == 0 ? ODE_RK4 : ODE_DOPRI5,
		               .steps = a->steps,
		               .rtol = a->rtol,
		               .atol = a->atol,
		               .adjoint = strcmp(a->gradient, "adjoint") == 0 };
	states[0] = x;
	for (int64_t k = 1; k < a->t.n; k++) {
		y = ode_solve(&o, y, a->t.v[k - 1], a->t.v[k]);
		if (!y || ad_is_error(y))
			return y;
		states[k] = y;
	}
	return a->t.n == 2 ? y : ad_stack((size_t)a->t.n, states, ad_shape_of(x).rank > 0 ? 1 : 0);
}

const struct layer layer_ode = {
	.name = "ode",
	.doc = "x moves along dx/dt = field(x): a neural ordinary differential equation",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
	.blocks = "field",
};
