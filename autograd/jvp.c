/*
 * jvp: forward mode, Hessian-vector products and Jacobians, from sweeps alone.
 *
 * The sweep of y with respect to x, seeded with u, is v = J^T u: linear in u. Its own sweep with
 * respect to u, seeded with t, is J t: forward mode by two reverse sweeps (J. Townsend, "A new trick
 * for calculating Jacobian vector products", 2017). The value of u plays no part.
 */
#include "graph.h"

#include <stdlib.h>

ad_node *ad_jvp(ad_node *y, size_t n, ad_node *const x[], ad_node *const dx[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node **back, *u, *jt = NULL;

	if (ad_is_error(y))
		return g->error;
	for (size_t k = 0; k < n; k++) {
		if (ad_is_error(x[k]) || ad_is_error(dx[k]))
			return g->error;
		if (!ad_equal_shapes(&x[k]->shape, &dx[k]->shape) || dx[k]->type != AD_REAL)
			return ad_fail(g, AD_ERROR_SHAPE,
			               "jvp: direction %zu must be real and of the shape of %s", k,
			               called(x[k]));
	}
	back = malloc((n ? n : 1) * sizeof *back);
	if (!back)
		return out_of_memory(g, n * sizeof *back);
	u = new_constant(g, y->shape, 0, SIZE_MAX);
	if (ad_grads(y, u, n, x, back))
		for (size_t k = 0; k < n; k++) {
			ad_node *part;

			if (!ad_depends(back[k], u))
				continue;
			if (!ad_grads(back[k], dx[k], 1, &u, &part))
				break;
			jt = jt ? engine_add(jt, part) : part;
		}
	free(back);
	if (g->status != AD_OK)
		return g->error;
	return jt ? jt : engine_full(g, y->shape, 0);
}

bool ad_hvp(ad_node *y, size_t n, ad_node *const x[], ad_node *const v[], ad_node *hv[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node **dx, **part;
	bool ok;

	for (size_t k = 0; k < n; k++)
		hv[k] = g->error;
	if (ad_is_error(y))
		return false;
	if (y->count != 1) {
		ad_fail(g, AD_ERROR_SHAPE, "hvp: %s is no single number", called(y));
		return false;
	}
	dx = malloc((2 * n + 1) * sizeof *dx);
	if (!dx) {
		out_of_memory(g, n * sizeof *dx);
		return false;
	}
	part = dx + n;
	ok = ad_grads(y, engine_full(g, y->shape, 1), n, x, dx);
	/* the gradient of sum over j of <dx[j], v[j]>, one j after the other */
	for (size_t j = 0; ok && j < n; j++) {
		ok = ad_grads(dx[j], v[j], n, x, part);
		for (size_t k = 0; ok && k < n; k++)
			hv[k] = j == 0 ? part[k] : engine_add(hv[k], part[k]);
	}
	free(dx);
	ok = ok && g->status == AD_OK;
	for (size_t k = 0; !ok && k < n; k++)
		hv[k] = g->error;
	return ok;
}

ad_node *ad_jacobian(ad_node *y, ad_node *x)
{
	ad_graph *g = ad_graph_of(y);
	ad_shape shape, line = { 2, { 0 } };
	ad_node **lines, *j;
	bool rows;
	size_t n;

	if (ad_is_error(y) || ad_is_error(x))
		return g->error;
	if (y->shape.rank + x->shape.rank > AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE, "jacobian: %d and %d axes together are more than %d",
		               y->shape.rank, x->shape.rank, AD_MAX_RANK);
	shape = y->shape;
	for (int i = 0; i < x->shape.rank; i++)
		shape.dims[shape.rank++] = x->shape.dims[i];
	rows = y->count <= x->count;
	n = rows ? y->count : x->count;
	if (n == 0)
		return engine_full(g, shape, 0);
	line.dims[0] = rows ? 1 : (int64_t)y->count;
	line.dims[1] = rows ? (int64_t)x->count : 1;
	lines = malloc(n * sizeof *lines);
	if (!lines)
		return out_of_memory(g, n * sizeof *lines);
	for (size_t k = 0; k < n && g->status == AD_OK; k++) {
		ad_node *seed = new_constant(g, rows ? y->shape : x->shape, 0, k);

		if (rows)
			ad_grads(y, seed, 1, &x, &lines[k]);
		else
			lines[k] = ad_jvp(y, 1, &x, &seed);
		if (!ad_is_error(lines[k]))
			lines[k] = engine_reshape(lines[k], line);
	}
	j = g->status != AD_OK ? g->error :
	                         engine_reshape(engine_concat(g, n, lines, rows ? 0 : 1), shape);
	free(lines);
	return j;
}
