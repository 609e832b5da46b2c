/*
 * probe: short trainings in memory, on a model's own data and with its own optimizer.
 */
#include "probe.h"

#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t element_size(const ad_node *x)
{
	switch (ad_type_of(x)) {
	case AD_I32:
		return sizeof(int32_t);
	case AD_BOOL:
		return 1;
	default:
		return ad_is_f64(ad_graph_of(x)) ? sizeof(double) : sizeof(float);
	}
}

double element_at(const ad_node *x, const void *data, size_t k)
{
	switch (ad_type_of(x)) {
	case AD_I32:
		return ((const int32_t *)data)[k];
	case AD_BOOL:
		return ((const unsigned char *)data)[k];
	default:
		return ad_is_f64(ad_graph_of(x)) ? ((const double *)data)[k]
		                                 : (double)((const float *)data)[k];
	}
}

/* ---- weights --------------------------------------------------------------------------------- */

void probe_free(const struct probe *p, void **saved)
{
	for (int k = 0; saved && k < p->m->n_weights; k++)
		free(saved[k]);
	free(saved);
}

void **probe_save(const struct probe *p)
{
	void **to = calloc((size_t)p->m->n_weights + 1, sizeof *to);

	for (int k = 0; to && k < p->m->n_weights; k++) {
		ad_node *w = p->m->weights[k].node;
		size_t bytes = ad_count(w) * element_size(w);
		const void *data = ad_data(w);

		to[k] = data ? malloc(bytes + 1) : NULL;
		if (!to[k]) {
			probe_free(p, to);
			return NULL;
		}
		memcpy(to[k], data, bytes);
	}
	return to;
}

bool probe_load(struct probe *p, void *const from[])
{
	for (int k = 0; k < p->m->n_weights; k++) {
		ad_node *w = p->m->weights[k].node;
		void *data = ad_write(w);

		if (!data)
			return false;
		memcpy(data, from[k], ad_count(w) * element_size(w));
	}
	return true;
}

/* ---- data ------------------------------------------------------------------------------------ */

bool probe_feed(struct probe *p, int64_t k, char *error, size_t n)
{
	const struct data_spec *d = &p->m->data;
	size_t samples = p->data ? p->data->n : 0;

	for (size_t i = 0; i < p->batch; i++) {
		size_t at = (size_t)k * p->batch + i;
		int64_t epoch = (int64_t)(at / samples);

		if (d->draw_random) {
			p->rows[i] = (size_t)data_random(p->m->train.seed, STREAM_DRAW, (uint64_t)k,
			                                 i, samples);
			continue;
		}
		/* the first epoch of a training is number 1 */
		if (epoch != p->epoch) {
			for (size_t j = 0; j < samples; j++)
				p->order[j] = j;
			if (d->shuffle || p->shuffled)
				data_shuffle(p->m->train.seed, STREAM_SHUFFLE, (uint64_t)epoch + 1,
				             p->order, samples);
			p->epoch = epoch;
		}
		p->rows[i] = p->order[at % samples];
	}
	ad_step(p->m->graph, (uint64_t)k);
	if (!p->data || (data_feed(p->m, p->in, p->data, p->rows, p->batch) &&
	                 data_augment(p->m, p->in, (uint64_t)k)))
		return true;
	snprintf(error, n, "%s", ad_errmsg(p->m->graph));
	return false;
}

static bool no_memory(char *error, size_t n)
{
	snprintf(error, n, "out of memory");
	return false;
}

/* The recording of a batch. */
static bool record(struct probe *p, int *status, char *error, size_t n)
{
	ad_model *m = p->m;
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);

	if (!dims)
		return no_memory(error, n);
	*status = EXIT_USAGE;
	if (!p->data || data_dims(m, p->data, p->batch, dims, error, n)) {
		*status = EXIT_FAILED;
		p->in = model_instance(m, dims, true);
		if (!p->in)
			snprintf(error, n, "%s", ad_errmsg(m->graph));
	}
	free(dims);
	if (p->in && p->data && !data_check_labels(m, p->in, 1, &p->data, error, n)) {
		*status = EXIT_USAGE;
		return false;
	}
	return p->in != NULL;
}

static bool read_data(struct probe *p, size_t most, int *status, char *error, size_t n)
{
	const ad_model *m = p->m;
	size_t batch;

	if (!data_read(p->m, &p->parts, error, n)) {
		*status = p->parts.unreadable ? EXIT_FAILED : EXIT_USAGE;
		return false;
	}
	p->data = p->parts.train.n > 0 ? &p->parts.train : &p->parts.test;
	if (p->data->n == 0) {
		snprintf(error, n, "the data has no samples");
		*status = EXIT_USAGE;
		return false;
	}
	batch = m->batch_dim < 0 ? 1 : m->data.batch > 0 ? (size_t)m->data.batch : p->data->n;
	if (most && batch > most)
		batch = most;
	p->batch = batch < p->data->n ? batch : p->data->n;
	p->order = calloc(p->data->n, sizeof *p->order);
	p->rows = calloc(p->batch, sizeof *p->rows);
	return (p->order && p->rows) || no_memory(error, n);
}

/* Inputs that are not numbers need data. */
static bool needs_data(const ad_model *m, int *status, char *error, size_t n)
{
	for (int k = 0; k < m->n_inputs; k++) {
		if (m->inputs[k].scalar_leaf)
			continue;
		snprintf(error, n, "input '%s' has no value: the file declares no data.train",
		         m->inputs[k].name);
		*status = EXIT_USAGE;
		return true;
	}
	return false;
}

bool probe_restart(struct probe *p, char *error, size_t n)
{
	ad_optimizer_close(p->optimizer);
	p->optimizer = NULL;
	p->step = 0;
	p->n_moved = 0;
	if (!p->m->train.optimizer)
		return true;
	p->optimizer = model_optimizer(p->m, p->moved, &p->n_moved, error, n);
	if (!p->optimizer)
		return false;
	p->peak = ad_optimizer_rate(p->optimizer);
	return true;
}

/* The optimizer's arrays, and the gradients of what it moves. */
static bool ready(struct probe *p, char *error, size_t n)
{
	size_t room = (size_t)p->m->n_weights + 1;

	p->moved = calloc(room, sizeof(ad_node *));
	p->gradients = calloc(room, sizeof(ad_node *));
	p->roots = calloc(room + 1, sizeof(ad_node *));
	p->before = calloc(room, sizeof *p->before);
	p->start = probe_save(p);
	if (!p->moved || !p->gradients || !p->roots || !p->before || !p->start)
		return no_memory(error, n);
	if (!p->in->loss)
		return true;
	if (ad_count(p->in->loss) != 1) {
		snprintf(error, n, "the loss is not a single number; take its mean");
		return false;
	}
	if (!model_gradients(p->m, p->in)) {
		snprintf(error, n, "%s", ad_errmsg(p->m->graph));
		return false;
	}
	if (!probe_restart(p, error, n))
		return false;
	for (size_t k = 0; k < p->n_moved; k++) {
		p->before[k] = malloc(ad_count(p->moved[k]) * element_size(p->moved[k]) + 1);
		if (!p->before[k])
			return no_memory(error, n);
	}
	return true;
}

bool probe_open(struct probe *p, ad_model *m, size_t most, int *status, char *error, size_t n)
{
	*p = (struct probe){ .m = m, .epoch = -1 };
	*status = EXIT_FAILED;
	/* weights are drawn at their first use, which a recording is */
	ad_seed(ad_model_graph(m), m->train.seed);
	if (m->data.has_train || m->data.has_test) {
		if (!read_data(p, most, status, error, n))
			return false;
	} else if (needs_data(m, status, error, n)) {
		return false;
	}
	return record(p, status, error, n) && ready(p, error, n);
}

void probe_close(struct probe *p)
{
	for (int k = 0; p->before && k < p->m->n_weights; k++)
		free(p->before[k]);
	probe_free(p, p->start);
	ad_optimizer_close(p->optimizer);
	free(p->moved);
	free(p->gradients);
	free(p->roots);
	free(p->before);
	free(p->order);
	free(p->rows);
	data_free(&p->parts);
	*p = (struct probe){ 0 };
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* How many steps the whole training has, and an epoch of it. */
static void plan(const struct probe *p, int64_t *total, int64_t *per_epoch)
{
	const struct train_spec *t = &p->m->train;
	size_t n = p->data ? p->data->n : 0,
	       batch = p->m->data.batch > 0 ? (size_t)p->m->data.batch : n;

	*per_epoch = n && batch ? (int64_t)((n + batch - 1) / batch) : 1;
	*per_epoch = (*per_epoch - 1) / t->accumulate + 1;
	*total = t->epochs < 0 || __builtin_mul_overflow(t->epochs, *per_epoch, total) ? INT64_MAX
	                                                                               : *total;
	if (t->steps >= 0 && t->steps < *total)
		*total = t->steps;
}

enum probe_result probe_step(struct probe *p, double lr, double *loss, char *error, size_t n)
{
	ad_model *m = p->m;
	int64_t total, per_epoch;
	size_t n_roots = 0;
	double norm;

	if (!probe_feed(p, p->step, error, n))
		return PROBE_FAILED;
	p->roots[n_roots++] = p->in->loss;
	for (size_t k = 0, j = 0; k < (size_t)m->n_weights; k++) {
		ad_node *gradient = p->in->gradients[k];

		if (j == p->n_moved || m->weights[k].node != p->moved[j])
			continue;
		if (gradient)
			p->roots[n_roots++] = gradient;
		p->gradients[j++] = gradient;
	}
	if (ad_evaluate(m->graph, p->roots, n_roots) != AD_OK ||
	    !optimizer_find(p->optimizer, p->gradients)) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return PROBE_FAILED;
	}
	*loss = ad_item(p->in->loss);
	norm = optimizer_norm(p->optimizer);
	if (!isfinite(*loss) || !isfinite(norm))
		return PROBE_NONFINITE;
	plan(p, &total, &per_epoch);
	if (lr >= 0)
		ad_optimizer_set_rate(p->optimizer, lr);
	else
		set_scheduled_rate(m, p->optimizer, p->step, total, per_epoch);
	if (!optimizer_move(p->optimizer, clip_scale(m, norm), p->before)) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return PROBE_FAILED;
	}
	p->step++;
	return PROBE_MOVED;
}
