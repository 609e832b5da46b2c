/*
 * flow: evaluates a batch again in a copy of the model and measures the gradients of its edges.
 */
#include "flow.h"
#include "engine.h"
#include "file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct flow {
	ad_model *copy;
	int64_t *dims;
	size_t mark; /* behind the recordings so far */
	int n_marked;
	size_t room;
	const char **keys;
	struct measure *measures;
	struct edges edges; /* of the last evaluation */
};

struct flow *flow_open(const char *config, size_t memory, char *error, size_t n)
{
	struct flow *f = calloc(1, sizeof *f);

	if (f)
		f->copy = ad_model_open(config, 0, NULL);
	if (f && f->copy)
		f->dims = calloc((size_t)f->copy->n_dims + 1, sizeof *f->dims);
	if (!f || !f->dims) {
		flow_close(f);
		return failure_memory(error, n, "the gradients of edges", 0), NULL;
	}
	if (ad_model_errors(f->copy) > 0 || !f->copy->graph) {
		failure(error, n, "%s cannot be opened again", config);
		flow_close(f);
		return NULL;
	}
	/* or the gradients would be those of f32 beside weights trained in bf16 */
	if (!model_take_precision(f->copy, error, n)) {
		flow_close(f);
		return NULL;
	}
	ad_model_limit_memory(f->copy, memory);
	ad_keep_all(f->copy->graph);
	return f;
}

void flow_close(struct flow *f)
{
	if (!f)
		return;
	edges_free(&f->edges);
	ad_model_close(f->copy);
	free(f->dims);
	free(f->keys);
	free(f->measures);
	free(f);
}

/* Records in the copy what m has recorded, in the same order: a random op's numbers depend on how many were
 * recorded before it. */
static bool record_alike(struct flow *f, const ad_model *m)
{
	for (int k = f->copy->n_instances; k < m->n_instances; k++)
		if (!model_instance(f->copy, m->instances[k]->dims, m->instances[k]->training))
			return false;
	return true;
}

static bool copy_weights(ad_model *to, const ad_model *m, void *const weights[])
{
	size_t element = m->f64 ? sizeof(double) : sizeof(float);

	for (int k = 0; k < m->n_weights; k++) {
		ad_node *w = m->weights[k].node;
		const void *from = weights && weights[k] ? weights[k] : ad_data(w);
		void *data = ad_write(to->weights[k].node);
		size_t size = ad_type_of(w) == AD_REAL  ? element
		              : ad_type_of(w) == AD_I32 ? sizeof(int32_t)
		                                        : 1;

		if (!from || !data)
			return false;
		memcpy(data, from, ad_count(w) * size);
	}
	return true;
}

static bool is_copy(const ad_model *a, const ad_model *b)
{
	bool same = a->n_weights == b->n_weights && a->n_dims == b->n_dims && a->f64 == b->f64;

	for (int k = 0; same && k < a->n_weights; k++)
		same = strcmp(a->weights[k].path, b->weights[k].path) == 0 &&
		       ad_count(a->weights[k].node) == ad_count(b->weights[k].node);
	return same;
}

static struct instance *evaluate_again(struct flow *f, const ad_model *m, const struct flow_batch *b,
                                       char *error, size_t n)
{
	ad_model *c = f->copy;
	struct instance *in;

	if (!data_dims(c, b->data, b->count, f->dims, error, n))
		return NULL;
	error[0] = '\0';
	ad_seed(c->graph, m->train.seed);
	if (!record_alike(f, m) || !(in = model_instance(c, f->dims, true)) || !in->loss)
		return NULL;
	if (!is_copy(c, m)) {
		failure(error, n, "%s has changed while the training ran", c->path);
		return NULL;
	}
	if (!copy_weights(c, m, b->weights) ||
	    (b->data && (!data_feed(c, in, b->data, b->rows, b->count) ||
	                 !data_augment(c, in, b->number))))
		return NULL;
	ad_step(c->graph, b->number);
	return ad_backward(in->loss) == AD_OK ? in : NULL;
}

/* The depth up to which all edges fit; -1: not even those of the outermost level do. */
static int64_t depth_that_fits(const struct edges *e)
{
	size_t at[65] = { 0 }, n = 0;
	int depth = 0;

	for (size_t k = 0; k < e->n; k++)
		if (e->of[k].node && (e->of[k].input < 0 ? ad_gradient(e->of[k].node)
		                                         : ad_use_gradient(e->of[k].node, e->of[k].input)))
			at[e->of[k].depth < 64 ? e->of[k].depth : 64]++;
	for (depth = 0; depth <= 64 && n + at[depth] <= MOST_EDGES; depth++)
		n += at[depth];
	return depth > 64 ? (int64_t)UINT32_MAX : depth - 1;
}

static bool measure_edges(struct flow *f, struct flow_result *to)
{
	const struct edges *e = &f->edges;
	int64_t depth = depth_that_fits(e);

	if (f->room < e->n) {
		const char **keys = realloc(f->keys, e->n * sizeof *keys);
		struct measure *measures = realloc(f->measures, e->n * sizeof *measures);

		f->keys = keys ? keys : f->keys;
		f->measures = measures ? measures : f->measures;
		if (!keys || !measures)
			return false;
		f->room = e->n;
	}
	for (size_t k = 0; k < e->n; k++) {
		const struct edge *of = &e->of[k];
		ad_node *gradient = of->input < 0 ? ad_gradient(of->node)
		                                  : ad_use_gradient(of->node, of->input);

		if (!gradient)
			continue;
		if ((int64_t)of->depth > depth) {
			to->left_out++;
			continue;
		}
		if (!measure_node(gradient, &f->measures[to->n]))
			return false;
		f->keys[to->n++] = of->key;
	}
	to->keys = f->keys;
	to->of = f->measures;
	return true;
}

/* The first node, in order of computation, that holds a NaN, or an infinity that no input of it holds; else
 * the first op on the way back that makes a gradient so of one that is finite. */
static const char *find_first_nan(const struct edges *e)
{
	struct measure m, in;
	bool read_infinity;

	for (size_t k = 0; k < e->n; k++) {
		ad_node *x = e->of[k].node;

		if (!measure_node(x, &m) || isfinite(m.max))
			continue;
		read_infinity = false;
		for (int i = 0; i < ad_inputs(x) && isinf(m.max); i++)
			read_infinity |= ad_input_of(x, i) && measure_node(ad_input_of(x, i), &in) &&
			                 isinf(in.max);
		if (!read_infinity)
			return e->of[k].key;
	}
	for (size_t k = e->n; k-- > 0;) {
		const struct edge *of = &e->of[k];
		ad_node *use = of->input < 0 ? NULL : ad_use_gradient(of->node, of->input);
		ad_node *own = ad_gradient(of->node);

		if (use && own && measure_node(use, &m) && !isfinite(m.max) && measure_node(own, &in) &&
		    isfinite(in.max))
			return of->key;
	}
	return NULL;
}

static bool measure_all(struct flow *f, struct instance *in, struct flow_result *to)
{
	ad_node *reference = in->output && in->output != in->loss ? ad_gradient(in->output) : NULL;
	ad_shape shape = ad_shape_of(in->output ? in->output : in->loss);
	struct measure m;
	bool bad;

	to->loss = ad_item(in->loss);
	to->reference = NAN;
	to->rows = 1;
	if (reference && measure_node(reference, &m))
		to->reference = m.rms;
	for (int i = 0; i + 1 < shape.rank; i++)
		to->rows *= (double)shape.dims[i];
	edges_free(&f->edges);
	if (!edges_list(in->loss, &f->edges) || !measure_edges(f, to))
		return false;
	bad = !isfinite(to->loss);
	for (size_t k = 0; k < to->n && !bad; k++)
		bad = !isfinite(to->of[k].max);
	if (bad)
		to->first_nan = find_first_nan(&f->edges);
	return true;
}

bool flow_measure(struct flow *f, const ad_model *m, const struct flow_batch *b, uint64_t plain,
                  void (*drawn)(void *context, ad_model *copy), void *context,
                  struct flow_result *to, char *error, size_t n)
{
	ad_graph *g = f->copy->graph;
	uint64_t mode = fp_enter(false);
	struct instance *in;
	bool good;

	*to = (struct flow_result){ 0 };
	fp_leave(plain);
	error[0] = '\0';
	good = record_alike(f, m);
	if (good && f->n_marked != f->copy->n_instances) {
		f->mark = ad_mark(g);
		f->n_marked = f->copy->n_instances;
	}
	in = good ? evaluate_again(f, m, b, error, n) : NULL;
	good = in && measure_all(f, in, to);
	if (good && drawn)
		drawn(context, f->copy);
	if (!good && !error[0])
		failure(error, n, "%s", ad_status_of(g) != AD_OK ? ad_errmsg(g) : "out of memory");
	ad_clear(g);
	/* The sweep: the next one of this kind takes it up again. */
	if (f->n_marked > 0)
		ad_release(g, f->mark);
	fp_leave(mode);
	return good;
}
