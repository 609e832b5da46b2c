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
	int64_t steps, batches;
	int64_t gathered; /* batches whose gradients wait for the step, `accumulate` */
	double samples;   /* in these */
	size_t n_kept, kept_room;
	struct kept { /* what buffers were before the batch */
		ad_node *buffer;
		void *data;
		size_t room;
	} *kept;
};

void stepper_free(struct stepper *s)
{
	if (!s)
		return;
	ad_optimizer_close(s->optimizer);
	for (size_t k = 0; k < s->kept_room; k++)
		free(s->kept[k].data);
	free(s->kept);
	free(s->moved);
	free(s->gradients);
	free(s->roots);
	free(s);
}

ad_node *ad_model_param(ad_model *m, const char *path)
{
	if (!m || !path)
		return NULL;
	model_ready(m);
	for (int k = 0; k < m->n_weights; k++)
		if (strcmp(m->weights[k].path, path) == 0)
			return m->weights[k].node;
	return NULL;
}

static bool usable(const ad_model *m, const char *path, char *error, size_t n)
{
	if (!m || !path)
		return failure(error, n, "no %s is given", m ? "path" : "model");
	return m->graph || failure(error, n, "%s has errors", m->path);
}

bool ad_model_load(ad_model *m, const char *path, char *error, size_t n)
{
	if (!usable(m, path, error, n))
		return false;
	return checkpoint_read(m, path, NULL, error, n);
}

bool ad_model_save(ad_model *m, const char *path, char *error, size_t n)
{
	if (!usable(m, path, error, n))
		return false;
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

static bool has_values(ad_model *m, const ad_model_input inputs[], size_t i)
{
	if (inputs && inputs[i].name && inputs[i].values)
		return true;
	ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s: input %zu of the list has no %s", m->path, i,
	        inputs && inputs[i].name ? "values" : "name");
	return false;
}

/* The sizes of the free dims by the shapes of the inputs. */
static bool find_dims(ad_model *m, size_t n, const ad_model_input inputs[], int64_t dims[])
{
	for (int d = 0; d < m->n_dims; d++)
		dims[d] = -1;
	for (size_t i = 0; i < n; i++) {
		int k = has_values(m, inputs, i) ? find_input(m, inputs[i].name) : -1;

		if (k < 0)
			return false;
		ad_shape shape = inputs[i].shape;
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
			if (shape.dims[a] < 0)
				ad_fail(m->graph, AD_ERROR_SHAPE, "axis %d of input '%s' cannot be %lld", a,
				        inputs[i].name, (long long)shape.dims[a]);
			else
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
	struct instance *in = m && m->graph ? feed(m, n, inputs, false) : NULL;

	return in && in->output && ad_evaluate(m->graph, &in->output, 1) == AD_OK ? in->output : NULL;
}

ad_node *ad_model_value(ad_model *m, const char *name)
{
	const struct instance *in = m && name ? m->active : NULL;

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

static size_t bytes_of(const ad_model *m, ad_node *buffer)
{
	size_t each = ad_type_of(buffer) == AD_REAL ? m->f64 ? sizeof(double) : sizeof(float)
	            : ad_type_of(buffer) == AD_I32  ? sizeof(int32_t) : 1;

	return ad_count(buffer) * each;
}

/* Copies the buffers that the batch will assign to. */
static bool keep_buffers(ad_model *m, const struct instance *in)
{
	struct stepper *s = m->stepper;

	if (in->n_assigned > s->kept_room) {
		struct kept *more = realloc(s->kept, in->n_assigned * sizeof *more);

		if (!more)
			return false;
		memset(more + s->kept_room, 0, (in->n_assigned - s->kept_room) * sizeof *more);
		s->kept = more;
		s->kept_room = in->n_assigned;
	}
	s->n_kept = in->n_assigned;
	for (size_t k = 0; k < s->n_kept; k++) {
		struct kept *kept = &s->kept[k];
		size_t bytes = bytes_of(m, in->assigned[k].buffer);
		const void *data = ad_data(in->assigned[k].buffer);

		if (bytes > kept->room) {
			void *more = realloc(kept->data, bytes);

			if (!more)
				return false;
			kept->data = more;
			kept->room = bytes;
		}
		kept->buffer = data ? in->assigned[k].buffer : NULL;
		if (data)
			memcpy(kept->data, data, bytes);
	}
	return true;
}

/* After a batch that failed: NAN. */
static double restore_buffers(ad_model *m)
{
	struct stepper *s = m->stepper;

	for (size_t k = 0; k < s->n_kept; k++) {
		void *data = s->kept[k].buffer ? ad_write(s->kept[k].buffer) : NULL;

		if (data)
			memcpy(data, s->kept[k].data, bytes_of(m, s->kept[k].buffer));
	}
	return NAN;
}

/* Moves the weights by the mean gradient of what was gathered. */
static bool move(ad_model *m, double norm)
{
	struct stepper *s = m->stepper;
	int64_t total = m->train.steps > 0 ? m->train.steps : m->train.epochs > 0 ? m->train.epochs : 0;
	double share = 1;

	if (m->train.accumulate > 1) {
		optimizer_take_sums(s->optimizer);
		share = 1 / s->samples;
		norm = optimizer_norm(s->optimizer) * share;
		s->gathered = 0;
		s->samples = 0;
	}
	set_scheduled_rate(m, s->optimizer, s->steps, total, 1);
	if (!optimizer_move(s->optimizer, clip_scale(m, norm) * share, NULL))
		return false;
	s->steps++;
	return true;
}

double ad_model_step(ad_model *m, size_t n, const ad_model_input inputs[])
{
	struct instance *in;
	struct stepper *s;
	size_t n_roots = 0;
	double loss, norm, samples;
	char error[256];

	if (!m || !m->graph || !open_stepper(m))
		return NAN;
	in = feed(m, n, inputs, true);
	if (in && !in->loss)
		ad_fail(m->graph, AD_ERROR_ARGUMENT, "%s has no 'loss' to make small", m->path);
	if (!in || !in->loss || (!in->gradients && !model_gradients(m, in)))
		return NAN;
	s = m->stepper;
	if (!keep_buffers(m, in)) {
		ad_fail(m->graph, AD_ERROR_MEMORY, "out of memory");
		return NAN;
	}
	s->roots[n_roots++] = in->loss;
	for (int k = 0, j = 0; k < m->n_weights; k++) {
		if ((size_t)j >= s->n_moved || m->weights[k].node != s->moved[j])
			continue;
		if (in->gradients[k])
			s->roots[n_roots++] = in->gradients[k];
		s->gradients[j++] = in->gradients[k];
	}
	ad_step(m->graph, (uint64_t)s->batches);
	if (ad_evaluate(m->graph, s->roots, n_roots) != AD_OK || !optimizer_find(s->optimizer, s->gradients))
		return restore_buffers(m);
	loss = ad_item(in->loss);
	norm = optimizer_norm(s->optimizer);
	if (!isfinite(loss) || !isfinite(norm)) {
		ad_fail(m->graph, AD_ERROR_NONFINITE, "step %lld: the %s is not finite",
		        (long long)s->steps + 1, isfinite(loss) ? "gradient" : "loss");
		return restore_buffers(m);
	}
	if (m->train.accumulate > 1) {
		samples = m->batch_dim >= 0 ? (double)in->dims[m->batch_dim] : 1;
		if (!optimizer_add(s->optimizer, samples, error, sizeof error)) {
			ad_fail(m->graph, AD_ERROR_MEMORY, "%s", error);
			return restore_buffers(m);
		}
		s->samples += samples;
		s->gathered++;
	}
	s->batches++;
	if (m->train.accumulate > 1 && s->gathered < m->train.accumulate)
		return loss;
	return move(m, norm) ? loss : NAN;
}
