/*
 * cost: what a recording of a model takes, item by item: multiply-adds of its products and
 * convolutions, bytes of its values.
 */
#include "cost.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Multiply-adds of one element of y: for a product the size summed over. */
static uint64_t summed_over(const ad_node *y)
{
	const ad_shape x = ad_shape_of(ad_input_of(y, 0)), w = ad_shape_of(ad_input_of(y, 1));
	char attrs[64];

	if (strcmp(ad_op_of(y), "linear") == 0)
		return (uint64_t)w.dims[1];
	if (strncmp(ad_op_of(y), "conv", 4) == 0)
		return (uint64_t)ad_count(ad_input_of(y, 1)) /
		       (uint64_t)(w.dims[0] > 0 ? w.dims[0] : 1);
	if (strcmp(ad_op_of(y), "addmm") == 0)
		return (uint64_t)w.dims[1];
	ad_print_attrs(attrs, sizeof attrs, y);
	return (uint64_t)(x.rank > 1 && strstr(attrs, "transpose_a=true") ? x.dims[x.rank - 2]
	                                                                  : x.dims[x.rank - 1]);
}

/* Of attention: of each pair of a query and a key that it may see, so many for the score as a head of q has
 * elements and so many for the sum as one of v has. A mask's pairs count, as its values are not known. */
static uint64_t attention_of(const ad_node *y)
{
	const ad_shape q = ad_shape_of(ad_input_of(y, 0)), out = ad_shape_of(y);
	const ad_node *k = ad_inputs(y) > 1 ? ad_input_of(y, 1) : NULL;
	const uint64_t T = (uint64_t)out.dims[out.rank - 2], E = (uint64_t)out.dims[out.rank - 1];
	const ad_shape keys = k ? ad_shape_of(k) : q;
	const uint64_t S = (uint64_t)keys.dims[keys.rank - 2];
	uint64_t pairs = T * S;
	char attrs[128];

	if (T == 0 || E == 0)
		return 0;
	ad_print_attrs(attrs, sizeof attrs, y);
	if (strstr(attrs, "causal=true"))
		pairs = T <= S ? T * (T + 1) / 2 : S * (S + 1) / 2 + (T - S) * S;
	/* q, k and v side by side have heads of one size */
	return ad_count(y) / (T * E) * pairs * (E + (k ? (uint64_t)q.dims[q.rank - 1] : E));
}

/* The products and convolutions among the ops; of the transposed ones x is what is gone through. */
static uint64_t products_of(const ad_node *y)
{
	static const char *const ops[] = {
		"linear", "matmul", "addmm", "conv1d", "conv2d", "conv3d"
	};
	const char *op = ad_op_of(y);

	if (!op)
		return 0;
	if (strcmp(op, "attention") == 0)
		return attention_of(y);
	for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
		if (strcmp(op, ops[k]) == 0)
			return ad_count(y) * summed_over(y);
	if (strncmp(op, "conv_transpose", 14) == 0)
		return ad_count(ad_input_of(y, 0)) * summed_over(y);
	return 0;
}

static uint64_t bytes_of(const ad_model *m, const ad_node *y)
{
	static const char *const views[] = { "reshape", "pack", "stop_gradient" };
	const char *op = ad_op_of(y);

	if (!op)
		return 0;
	for (size_t k = 0; k < sizeof views / sizeof *views; k++)
		if (strcmp(op, views[k]) == 0)
			return 0; /* the same memory */
	return ad_count(y) * (ad_type_of(y) == AD_BOOL             ? 1
	                      : ad_type_of(y) == AD_REAL && m->f64 ? 8
	                                                           : 4);
}

/* "T=128 H=32" into dims; the others are 1. */
static bool take_sizes(const ad_model *m, const struct texts *sizes, int64_t dims[], char *error,
                       size_t n)
{
	for (int d = 0; d < m->n_dims; d++)
		dims[d] = 1;
	for (size_t k = 0; k < sizes->n; k++) {
		const char *equal = strchr(sizes->v[k], '=');
		size_t length = equal ? (size_t)(equal - sizes->v[k]) : 0;
		char *end = NULL;
		int64_t size = equal ? strtoll(equal + 1, &end, 10) : 0;
		int d = 0;

		while (d < m->n_dims && (strlen(m->dims[d]) != length ||
		                         strncmp(m->dims[d], sizes->v[k], length) != 0))
			d++;
		if (!equal || !end || *end || end == equal + 1 || size < 1 || size > INT32_MAX) {
			snprintf(error, n, "'%s' is no size: write for instance T=128",
			         sizes->v[k]);
			return false;
		}
		if (d == m->n_dims) {
			snprintf(error, n, "the file has no free size '%.*s'", (int)length,
			         sizes->v[k]);
			return false;
		}
		dims[d] = size;
	}
	return true;
}

/* Row k or the next one with this path, from the front again after the last; m->n_rows: there is
 * none. */
static int find_row(const ad_model *m, int k, const char *path)
{
	for (int i = 0; i < m->n_rows; i++) {
		int at = (k + i) % m->n_rows;

		if (strcmp(m->rows[at].path, path) == 0)
			return at;
	}
	return m->n_rows;
}

struct cost *count_costs(ad_model *m, const struct texts *sizes, int64_t dims[], int *status,
                         char *error, size_t n)
{
	struct cost *costs = calloc((size_t)m->n_rows + 1, sizeof *costs);
	const struct instance *in;
	int row = 0;

	*status = EXIT_FAILED;
	if (!costs) {
		snprintf(error, n, "out of memory");
		return NULL;
	}
	if (!take_sizes(m, sizes, dims, error, n)) {
		*status = EXIT_USAGE;
		free(costs);
		return NULL;
	}
	in = model_instance(m, dims, false);
	if (!in) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		ad_clear(m->graph);
		free(costs);
		return NULL;
	}
	for (size_t k = 0, node = 0; k < in->n_marks; k++) {
		row = m->n_rows ? find_row(m, row, in->marks[k].path) : 0;
		for (; node < in->marks[k].nodes; node++) {
			const ad_node *y = ad_node_at(m->graph, node);

			costs[row].products += products_of(y);
			costs[row].bytes += bytes_of(m, y);
		}
		row = row == m->n_rows ? 0 : row;
	}
	*status = EXIT_DONE;
	return costs;
}
