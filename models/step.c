/*
 * step: runs and training steps of a model with data of the caller.
 */
#include "file.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct stepper {
	ad_optimizer *optimizer;
	size_t n_moved;
	ad_node **moved, **gradients, **roots; /* of n_moved, n_moved and one more */
	int64_t steps;
};

void stepper_free(struct stepper *s)
{
	if (!s)
		return;
	ad_optimizer_close(s->optimizer);
	free(s->moved);
	free(s->gradients);
	free(s->roots);
	free(s);
}

ad_node *ad_model_param(ad_model *m, const char *path)
{
	model_ready(m);
	for (int k = 0; k < m->n_weights; k++)
		if (strcmp(m->weights[k].path, path) == 0)
			return m->weights[k].node;
	return NULL;
}

bool ad_model_load(ad_model *m, const char *path, char *error, size_t n)
{
	if (!m->graph)
		return failure(error, n, "%s has errors", m->path);
	return checkpoint_read(m, path, NULL, error, n);
}

bool ad_model_save(ad_model *m, const char *path, char *error, size_t n)
{
	if (!m->graph)
		return failure(error, n, "%s has errors", m->path);
	return checkpoint_write(m, path, error, n);
}

/* ---- inputs ------------------------------------------------------------------------------------------ */

static int find_input(const ad_model *m, const char *name)
{
	for (int k = 0; k < m->n_inputs; k++)
		if (strcmp(m->inputs[k].name, name) == 0)
			return k;
	ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s has no input '%s'", m->path, name);
	return -1;
}

/* The sizes of the free dims by the shapes of the inputs. */
static bool find_dims(ad_model *m, size_t n, const ad_model_input inputs[], int64_t dims[])
{
	for (int d = 0; d < m->n_dims; d++)
		dims[d] = -1;
	for (size_t i = 0; i < n; i++) {
		int k = find_input(m, inputs[i].name);
		ad_shape shape = inputs[i].shape;

		if (k < 0)
			return false;
		if (shape.rank != m->inputs[k].rank) {
			ad_fail(m->graph, AD_ERROR_SHAPE, "input '%s' has %d axes, not %d", inputs[i].name,
			        m->inputs[k].rank, shape.rank);
			return false;
		}
		for (int a = 0; a < shape.rank; a++) {
			int64_t *dim = m->inputs[k].dims[a] < 0 ? &dims[-1 - m->inputs[k].dims[a]]
			                                        : &m->inputs[k].dims[a];

			if (*dim < 0)
				*dim = shape.dims[a];
			if (*dim == shape.dims[a] && *dim >= 0)
				continue;
			ad_fail(m->graph, AD_ERROR_SHAPE, "axis %d of input '%s' is %lld, not %lld", a,
			        inputs[i].name, (long long)*dim, (long long)shape.dims[a]);
			return false;
		}
	}
	for (int d = 0; d < m->n_dims; d++)
		if (dims[d] < 0) {
			ad_fail(m->graph, AD_ERROR_SHAPE, "no input given tells the size of '%s'", m->dims[d]);
			return false;
		}
	return true;
}

/* The recording for these inputs, fed. NULL after a failure. */
static struct instance *feed(ad_model *m, size_t n, const ad_model_input inputs[], bool training)
{
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	struct instance *in;

	if (!dims) {
		ad_fail(m->graph, AD_ERROR_MEMORY, "out of memory");
		return NULL;
	}
	in = find_dims(m, n, inputs, dims) ? model_instance(m, dims, training) : NULL;
	free(dims);
	for (size_t i = 0; in && i < n; i++) {
		ad_node *x = in->inputs[find_input(m, inputs[i].name)];

		/* NULL: nothing reads it */
		if (x && ad_set(x, inputs[i].values, ad_count(x)) != AD_OK)
			return NULL;
	}
	return in;
}

ad_node *ad_model_run(ad_model *m, size_t n, const ad_model_input inputs[])
{
	struct instance *in = m->graph ? feed(m, n, inputs, false) : NULL;

	return in && in->output && ad_evaluate(m->graph, &in->output, 1) == AD_OK ? in->output : NULL;
}

ad_node *ad_model_value(ad_model *m, const char *name)
{
	const struct instance *in = m->active;

	for (int k = 0; in && k < in->n_named; k++)
		if (strcmp(in->named[k].name, name) == 0)
			return in->named[k].node;
	return in && strcmp(name, "loss") == 0 ? in->loss : NULL;
}

/* ---- steps ------------------------------------------------------------------------------------------- */

static bool open_stepper(ad_model *m)
{
	struct stepper *s;
	char error[1024] = "out of memory";

	if (m->stepper)
		return true;
	if (!m->train.optimizer) {
		ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s: 'train' needs an optimizer, such as optimizer: "
		        "{sgd: {lr: 0.1}}", m->path);
		return false;
	}
	if (!model_take_precision(m, error, sizeof error)) {
		ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s", error);
		return false;
	}
	s = calloc(1, sizeof *s);
	if (s) {
		size_t room = (size_t)m->n_weights + 1;

		s->moved = calloc(room, sizeof(ad_node *));
		s->gradients = calloc(room, sizeof(ad_node *));
		s->roots = calloc(room, sizeof(ad_node *));
	}
	if (s && s->moved && s->gradients && s->roots)
		s->optimizer = model_optimizer(m, s->moved, &s->n_moved, error, sizeof error);
	if (!s || !s->optimizer) {
		stepper_free(s);
		ad_fail(m->graph, AD_ERROR_MEMORY, "%s", error);
		return false;
	}
	m->stepper = s;
	return true;
}

double ad_model_step(ad_model *m, size_t n, const ad_model_input inputs[])
{
	struct instance *in;
	struct stepper *s;
	size_t n_roots = 0;
	double loss, norm;
	int64_t total;

	if (!m->graph || !open_stepper(m))
		return NAN;
	in = feed(m, n, inputs, true);
	if (in && !in->loss)
		ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s has no 'loss' to make small", m->path);
	if (!in || !in->loss || (!in->gradients && !model_gradients(m, in)))
		return NAN;
	s = m->stepper;
	s->roots[n_roots++] = in->loss;
	for (int k = 0, j = 0; k < m->n_weights; k++) {
		if ((size_t)j >= s->n_moved || m->weights[k].node != s->moved[j])
			continue;
		if (in->gradients[k])
			s->roots[n_roots++] = in->gradients[k];
		s->gradients[j++] = in->gradients[k];
	}
	ad_step(m->graph, (uint64_t)s->steps);
	if (ad_evaluate(m->graph, s->roots, n_roots) != AD_OK || !optimizer_find(s->optimizer, s->gradients))
		return NAN;
	loss = ad_item(in->loss);
	norm = optimizer_norm(s->optimizer);
	if (!isfinite(loss) || !isfinite(norm)) {
		ad_fail(m->graph, AD_ERROR_NONFINITE, "step %lld: the %s is not finite",
		        (long long)s->steps + 1, isfinite(loss) ? "gradient" : "loss");
		return NAN;
	}
	total = m->train.steps > 0 ? m->train.steps : m->train.epochs > 0 ? m->train.epochs : 0;
	set_scheduled_rate(m, s->optimizer, s->steps, total, 1);
	if (!optimizer_move(s->optimizer, clip_scale(m, norm), NULL))
		return NAN;
	s->steps++;
	return loss;
}
