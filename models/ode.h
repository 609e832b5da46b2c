/*
 * ode: the solution of dx/dt = f(t, x) as nodes of a graph.
 */
#ifndef AUTOGRAD_ODE_H
#define AUTOGRAD_ODE_H

#include "autograd.h"

/* f(t, x): t a single number, the result of x's shape. The same at every call, with the same
 * params. The error node after a failure. data lives as long as the graph. */
typedef ad_node *ode_field(void *data, ad_node *t, ad_node *x);

enum ode_method {
	ODE_RK4,   /* the classical method of Runge and Kutta, `steps` steps of one size */
	ODE_DOPRI5 /* Dormand and Prince, order 5 with an error estimate of order 4; at most `steps`
	            * steps, each as long as the tolerances allow; the last one takes what is left
	            */
};

struct ode {
	ode_field *f;
	void *data;
	enum ode_method method;
	int64_t steps;     /* 1 or more */
	double rtol, atol; /* dopri5: the error of a step is at most atol + rtol |x|, as a root mean
	                      square */
	bool adjoint;      /* gradients by the adjoint equation, see below */
};

/* x at t1, from x at t0; t1 may be below t0. Recorded on x's graph.
 *
 * Without adjoint the gradient is that of the steps that were made, their sizes taken as constants;
 * the values of all steps are kept. With adjoint it is the solution of the adjoint equation, which
 * runs back from t1 to t0 together with x itself (Chen et al., "Neural ordinary differential
 * equations", 2018, algorithm 1): nothing of the steps is kept; it is exact only as far as the
 * method is, and has no second derivative. */
ad_node *ode_solve(const struct ode *o, ad_node *x, double t0, double t1);

#endif
