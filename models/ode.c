/*
 * ode: Runge-Kutta methods on a graph, and the adjoint equation as the gradient of their result.
 *
 * A state is several nodes that change together: x alone on the way forward; x, the adjoint a and
 * the gradients of the params on the way back. A graph is recorded before its values are known, so
 * that steps of dopri5 that need not be made are made with size 0.
 */
#include "ode.h"

#include "op.h"

enum { MOST_STAGES = 7 };

/* dy[i] = the change of y[i] with time. */
struct flow {
	ad_graph *g;
	size_t n;       /* parts of the state */
	size_t watched; /* the first so many count for the error of a step */
	bool (*at)(const struct flow *f, ad_node *t, ad_node *const y[], ad_node *dy[]);
	const struct ode *o;
	size_t n_params; /* on the way back */
	ad_node *const *params;
};

/* Weights of the stages and of the result; e: those of the error. */
struct tableau {
	int stages;
	double c[MOST_STAGES], a[MOST_STAGES][MOST_STAGES], b[MOST_STAGES], e[MOST_STAGES];
};

static const struct tableau rk4 = {
	.stages = 4,
	.c = { 0, 0.5, 0.5, 1 },
	.a = { { 0 }, { 0.5 }, { 0, 0.5 }, { 0, 0, 1 } },
	.b = { 1. / 6, 1. / 3, 1. / 3, 1. / 6 },
};

/* Dormand and Prince, "A family of embedded Runge-Kutta formulae" (1980), table 2, RK5(4)7M. */
static const struct tableau dopri5 = {
	.stages = 7,
	.c = { 0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1 },
	.a = { { 0 },
	       { 1. / 5 },
	       { 3. / 40, 9. / 40 },
	       { 44. / 45, -56. / 15, 32. / 9 },
	       { 19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729 },
	       { 9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656 },
	       { 35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84 } },
	.b = { 35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0 },
	.e = { 71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40 },
};

static ad_node *times(ad_node *x, double k)
{
	return k == 1 ? x : ad_mul(x, ad_constant(ad_graph_of(x), k));
}

/* The sum of w[j] k[j][i], NULL if all are 0. */
static ad_node *weighted(const double w[], int n, ad_node **const k[], size_t i)
{
	ad_node *sum = NULL;

	for (int j = 0; j < n; j++)
		if (w[j] != 0)
			sum = sum ? ad_add(sum, times(k[j][i], w[j])) : times(k[j][i], w[j]);
	return sum;
}

/* The stages of a step from (t, y) of size h, both single numbers as nodes, into k[j][i]. */
static bool run_stages(const struct flow *f, const struct tableau *table, ad_node *t, ad_node *h,
                       ad_node *const y[], ad_node **k[], ad_node *at[])
{
	for (int j = 0; j < table->stages; j++) {
		ad_node *time = table->c[j] == 0 ? t : ad_add(t, times(h, table->c[j]));

		for (size_t i = 0; i < f->n; i++) {
			ad_node *sum = weighted(table->a[j], j, k, i);

			at[i] = sum ? ad_add(y[i], ad_mul(h, sum)) : y[i];
		}
		if (!f->at(f, time, at, k[j]))
			return false;
	}
	return true;
}

/* The root mean square of the error over what is tolerated, of the watched parts. */
static ad_node *error_of(const struct flow *f, ad_node *h, ad_node *const y[],
                         ad_node *const next[], ad_node **const k[])
{
	ad_node *sum = NULL;
	double count = 0;

	for (size_t i = 0; i < f->watched; i++) {
		ad_node *e = ad_mul(h, weighted(dopri5.e, dopri5.stages, k, i));
		ad_node *size = ad_maximum(ad_abs(y[i]), ad_abs(next[i]));
		ad_node *allowed = ad_add(times(size, f->o->rtol), ad_constant(f->g, f->o->atol));
		ad_node *part = ad_sum(ad_square(ad_div(e, allowed)), AD_ALL, false);

		sum = sum ? ad_add(sum, part) : part;
		count += (double)ad_count(y[i]);
	}
	return ad_sqrt(times(sum, 1 / (count > 0 ? count : 1)));
}

/* One step of dopri5 from (*t, y) that tries the size *h; all are changed. last: it takes what is
 * left. */
static bool adaptive_step(const struct flow *f, ad_node **t, ad_node **h, double t1, bool last,
                          ad_node *y[], ad_node **k[], ad_node *at[])
{
	ad_graph *g = f->g;
	ad_node *left = ad_sub(ad_constant(g, t1), *t);
	/* as long as is tried, but no longer than what is left; it has the sign of the way */
	ad_node *size = last ? left : ad_mul(ad_sign(left), ad_minimum(*h, ad_abs(left)));

	if (!run_stages(f, &dopri5, *t, size, y, k, at))
		return false;
	for (size_t i = 0; i < f->n; i++)
		at[i] = ad_add(y[i], ad_mul(size, weighted(dopri5.b, dopri5.stages, k, i)));
	if (last) {
		memcpy(y, at, f->n * sizeof(*at));
		return true;
	}
	/* The sizes of steps are constants to the gradient. 0.9 (1 / error)^(1/5) of the size, but
	 * within a fifth and five times: Hairer, Norsett and Wanner, "Solving ordinary differential
	 * equations I", II.4. An error of 0 gives the most. */
	ad_node *error =
	    ad_maximum(ad_stop_gradient(error_of(f, size, y, at, k)), ad_constant(g, 1e-10));
	ad_node *accept = ad_less_equal(error, ad_constant(g, 1));
	ad_node *factor = ad_clamp(times(ad_pow_scalar(error, -0.2), 0.9), 0.2, 5);

	for (size_t i = 0; i < f->n; i++)
		y[i] = ad_where(accept, at[i], y[i]);
	*t = ad_stop_gradient(ad_where(accept, ad_add(*t, size), *t));
	/* where it has arrived the size stays: a step of 0 would make it 0 for good */
	*h = ad_stop_gradient(
	    ad_where(ad_equal(size, ad_constant(g, 0)), *h, ad_mul(ad_abs(size), factor)));
	return !ad_is_error(*h);
}

static bool integrate_with(const struct flow *f, double t0, double t1, ad_node *y[], ad_node **k[],
                           ad_node *at[])
{
	const struct ode *o = f->o;
	ad_node *t, *h;

	if (o->method == ODE_DOPRI5) {
		t = ad_constant(f->g, t0);
		h = ad_constant(f->g, fabs(t1 - t0) / 8);
		for (int64_t s = 0; s < o->steps; s++)
			if (!adaptive_step(f, &t, &h, t1, s == o->steps - 1, y, k, at))
				return false;
		return true;
	}
	h = ad_constant(f->g, (t1 - t0) / (double)o->steps);
	for (int64_t s = 0; s < o->steps; s++) {
		t = ad_constant(f->g, t0 + (t1 - t0) * (double)s / (double)o->steps);
		if (!run_stages(f, &rk4, t, h, y, k, at))
			return false;
		for (size_t i = 0; i < f->n; i++)
			y[i] = ad_add(y[i], ad_mul(h, weighted(rk4.b, rk4.stages, k, i)));
	}
	return true;
}

/* Takes the state y from t0 to t1. False: the graph has failed. */
static bool integrate(const struct flow *f, double t0, double t1, ad_node *y[])
{
	ad_node **room = calloc(f->n * (MOST_STAGES + 1), sizeof(*room)), **k[MOST_STAGES];
	bool ok;

	if (!room) {
		ad_fail(f->g, AD_ERROR_MEMORY, "ode: out of memory");
		return false;
	}
	for (int j = 0; j < MOST_STAGES; j++)
		k[j] = room + (size_t)j * f->n;
	ok = integrate_with(f, t0, t1, y, k, room + MOST_STAGES * f->n);
	free(room);
	for (size_t i = 0; ok && i < f->n; i++)
		ok = !ad_is_error(y[i]);
	return ok;
}

/* ---- forward  /
 * ------------------------------------------------------------------------------------ */

/* f(t, x), which must have x's shape. NULL or an error node: the graph has failed. */
static ad_node *apply(const struct ode *o, ad_node *t, ad_node *x)
{
	ad_node *y = ad_is_error(x) ? x : o->f(o->data, t, x);

	if (!y || ad_is_error(y))
		return y;
	const ad_shape a = ad_shape_of(x), b = ad_shape_of(y);
	char text_a[192], text_b[192];
	if (ad_equal_shapes(&a, &b))
		return y;
	return ad_fail(
	    ad_graph_of(x), AD_ERROR_SHAPE, "ode: the field makes %s of %s; the shape must stay",
	    ad_print_shape(text_b, sizeof text_b, b), ad_print_shape(text_a, sizeof text_a, a));
}

static bool forward_at(const struct flow *f, ad_node *t, ad_node *const y[], ad_node *dy[])
{
	dy[0] = apply(f->o, t, y[0]);
	return dy[0] && !ad_is_error(dy[0]);
}

/* ---- the adjoint equation
 * ---------------------------------------------------------------------------- */

struct adjoint_attrs {
	struct ode o;
	double t0, t1;
};

static const ad_attr adjoint_attrs[] = {
	AD_ATTR(struct adjoint_attrs, t0, AD_NUM, NULL, "the time before", NULL),
	AD_ATTR(struct adjoint_attrs, t1, AD_NUM, NULL, "the time after", NULL),
	{ 0 },
};

/* State x, a, then a gradient of each param: dx/dt = f, da/dt = -a df/dx, dg/dt = -a df/dparam. */
static bool adjoint_at(const struct flow *f, ad_node *t, ad_node *const y[], ad_node *dy[])
{
	const size_t n = f->n_params;
	/* x as it is, not as a function of params that led to it */
	ad_node *x = ad_stop_gradient(y[0]), *value = apply(f->o, t, x), **by, **d;
	bool ok;

	if (!value || ad_is_error(value))
		return false;
	by = calloc(2 * (n + 1), sizeof(*by));
	if (!by) {
		ad_fail(f->g, AD_ERROR_MEMORY, "ode: out of memory");
		return false;
	}
	d = by + n + 1;
	by[0] = x;
	memcpy(by + 1, f->params, n * sizeof(*by));
	ok = ad_grads(value, y[1], n + 1, by, d);
	dy[0] = value;
	for (size_t i = 0; ok && i <= n; i++)
		dy[1 + i] = ad_neg(d[i]);
	free(by);
	return ok;
}

static bool same_shapes(ad_infer *s)
{
	s->out[0] = s->in[0];
	return true;
}

/* y = x, without a derivative: what is computed from the adjoint equation has only first ones. */
static const ad_op first_order;
static const ad_op *const first_order_variants[] = { &first_order, &first_order, &first_order,
	                                             &first_order, &first_order, &first_order };
static const ad_op first_order = { .name = "ode_adjoint_gradient",
	                           .variants = first_order_variants,
	                           .arity = 1,
	                           .shape = same_shapes,
	                           .alias = true };

static void adjoint_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct adjoint_attrs *a = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	const size_t n = (size_t)ad_inputs(y) - 2;
	ad_node **state = calloc(2 * n + 3, sizeof(*state)), **params;

	if (!state) {
		ad_fail(g, AD_ERROR_MEMORY, "ode: out of memory");
		return;
	}
	params = state + n + 2;
	state[0] = y;
	state[1] = dy[0];
	for (size_t i = 0; i < n; i++) {
		params[i] = ad_input_of(y, (int)i + 2);
		state[2 + i] = ad_full_like(params[i], 0);
	}
	const struct flow back = { .g = g,
		                   .n = n + 2,
		                   .watched = 2,
		                   .at = adjoint_at,
		                   .o = &a->o,
		                   .n_params = n,
		                   .params = params };
	if (integrate(&back, a->t1, a->t0, state))
		for (size_t i = 1; i < n + 2; i++)
			if (ad_wants(y, (int)i))
				dx[i] = ad_record(&first_order, 1, &state[i], NULL);
	free(state);
}

/* y = input 0, the solution; inputs 1 x at t0, 2 ... the params of the field: what it is a function
 * of. */
static const ad_op solution;
static const ad_op *const solution_variants[] = { &solution, &solution, &solution,
	                                          &solution, &solution, &solution };
static const ad_op solution = { .name = "ode_solution",
	                        .variants = solution_variants,
	                        .arity = 2,
	                        .optional = -1,
	                        .attrs = adjoint_attrs,
	                        .attrs_size = sizeof(struct adjoint_attrs),
	                        .shape = same_shapes,
	                        .grad = adjoint_grad,
	                        .alias = true };

/* The params that f reads, into a list from malloc; *n of them. f is applied once for that. */
static ad_node **params_of(const struct ode *o, ad_node *x, double t0, size_t *n)
{
	ad_graph *g = ad_graph_of(x);
	ad_node *value = apply(o, ad_constant(g, t0), ad_stop_gradient(x)), **list;
	const size_t nodes = ad_nodes(g);

	*n = 0;
	if (!value || ad_is_error(value))
		return NULL;
	list = calloc(nodes + 1, sizeof(*list));
	if (!list) {
		ad_fail(g, AD_ERROR_MEMORY, "ode: out of memory");
		return NULL;
	}
	for (size_t k = 0; k < nodes; k++) {
		ad_node *w = ad_node_at(g, k);

		if (!ad_op_of(w) && ad_wants_gradient(w) && ad_depends(value, w))
			list[(*n)++] = w;
	}
	return list;
}

static ad_node *with_adjoint(const struct ode *o, ad_node *x, ad_node *solved, double t0, double t1)
{
	const struct adjoint_attrs attrs = { *o, t0, t1 };
	size_t n;
	ad_node **params = params_of(o, x, t0, &n),
		**in = params ? calloc(n + 2, sizeof(*in)) : NULL, *y = NULL;

	if (in) {
		in[0] = ad_stop_gradient(solved);
		in[1] = x;
		memcpy(in + 2, params, n * sizeof(*in));
		y = ad_record(&solution, n + 2, in, &attrs);
	} else if (params) {
		y = ad_fail(ad_graph_of(x), AD_ERROR_MEMORY, "ode: out of memory");
	}
	free(params);
	free(in);
	return y;
}

/* ---- solving
 * ------------------------------------------------------------------------------------------- */

ad_node *ode_solve(const struct ode *o, ad_node *x, double t0, double t1)
{
	const struct flow forward = {
		.g = ad_graph_of(x), .n = 1, .watched = 1, .at = forward_at, .o = o
	};
	ad_node *y[1] = { x };

	if (ad_is_error(x))
		return x;
	if (o->steps < 1 || o->steps > 100000)
		return ad_fail(forward.g, AD_ERROR_ARGUMENT,
		               "ode: 'steps' is %lld, not in 1..100000", (long long)o->steps);
	if (o->method == ODE_DOPRI5 && !(o->rtol > 0 && o->atol > 0))
		return ad_fail(forward.g, AD_ERROR_ARGUMENT,
		               "ode: 'rtol' and 'atol' are %g and %g; they must be above 0",
		               o->rtol, o->atol);
	if (t0 == t1)
		return x;
	if (o->adjoint)
		y[0] = ad_stop_gradient(x);
	/* a field that gives nothing has said why */
	if (!integrate(&forward, t0, t1, y))
		return ad_status_of(forward.g) == AD_OK
		           ? NULL
		           : ad_fail(forward.g, AD_ERROR_SHAPE, "ode: the field failed");
	return o->adjoint ? with_adjoint(o, x, y[0], t0, t1) : y[0];
}
