/*
 * batch: the inputs of one evaluation: the first training samples, or numbers in the file.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

static struct instance *record(ad_model *m, const int64_t *dims, bool training, char *error,
                               size_t n)
{
	struct instance *in = model_instance(m, dims, training);

	if (!in)
		snprintf(error, n, "%s", ad_errmsg(m->graph));
	return in;
}

static struct instance *without_data(ad_model *m, bool training, int *status, char *error, size_t n)
{
	int64_t none = 0;

	*status = EXIT_USAGE;

	for (int k = 0; k < m->n_inputs; k++) {
		if (!m->inputs[k].scalar_leaf) {
			snprintf(error, n,
			         "input '%s' has no value: the file declares no data.train",
			         m->inputs[k].name);
			return NULL;
		}
	}
	if (m->n_dims > 0) {
		snprintf(error, n, "the dim '%s' has no size: the file declares no data.train",
		         m->dims[0]);
		return NULL;
	}
	*status = EXIT_FAILED;
	return record(m, &none, training, error, n);
}

static struct instance *with_data(ad_model *m, const struct dataset *d, size_t batch, bool training,
                                  int *status, char *error, size_t n)
{
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	size_t *rows = calloc(batch, sizeof *rows);
	struct instance *in = NULL;

	for (size_t k = 0; rows && k < batch; k++)
		rows[k] = k;
	if (!dims || !rows)
		snprintf(error, n, "out of memory");
	else if (!data_dims(m, d, batch, dims, error, n))
		*status = EXIT_USAGE;
	else
		in = record(m, dims, training, error, n);
	if (in && !data_check_labels(m, in, 1, &d, error, n)) {
		*status = EXIT_USAGE;
		in = NULL;
	}
	if (in && !data_feed(m, in, d, rows, batch)) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		in = NULL;
	}
	free(dims);
	free(rows);
	return in;
}

struct instance *first_batch(ad_model *m, size_t most, bool training, int *status, char *error,
                             size_t n)
{
	struct parts parts;
	const struct dataset *from;
	struct instance *in;
	size_t batch;

	*status = EXIT_FAILED;
	if (!m->data.has_train && !m->data.has_test)
		return without_data(m, training, status, error, n);
	if (!data_read(m, &parts, error, n)) {
		*status = parts.unreadable ? EXIT_FAILED : EXIT_USAGE;
		return NULL;
	}
	from = parts.train.n > 0 ? &parts.train : &parts.test;
	/* a model without a batch takes one sample at a time */
	batch = most ? most : m->data.batch > 0 ? (size_t)m->data.batch : from->n;
	batch = m->batch_dim < 0 ? 1 : batch < from->n ? batch : from->n;
	in = with_data(m, from, batch, training, status, error, n);
	data_free(&parts);
	return in;
}

struct instance *any_batch(ad_model *m, bool training, char *error, size_t n)
{
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	struct instance *in;

	if (!dims) {
		snprintf(error, n, "out of memory");
		return NULL;
	}
	for (int k = 0; k < m->n_dims; k++)
		dims[k] = k == m->batch_dim && m->data.batch > 0 ? m->data.batch : 1;
	in = record(m, dims, training, error, n);
	free(dims);
	return in;
}

ad_node *start_of_gradients(const struct instance *in)
{
	if (in->loss)
		return in->loss;
	return in->output && ad_count(in->output) == 1 ? in->output : NULL;
}
