/*
 * memory: what a step of a training takes, and an evaluation of the same batch, before either runs.
 */
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The batch and the other free dims that a training on this data has, but those that are given. False: a
 * sentence in error. */
static bool find_dims(const ad_model *m, const struct parts *p, const struct texts *given, int64_t dims[],
                      char *error, size_t n)
{
	size_t samples = p->train.n, batch = (size_t)m->data.batch;

	for (int d = 0; d < m->n_dims; d++)
		dims[d] = d == m->batch_dim && batch > 0 ? (int64_t)batch : 1;
	if (batch == 0 || batch > samples)
		batch = samples;
	if (samples > 0 && !data_dims(m, &p->train, batch, dims, error, n))
		return false;
	for (size_t k = 0; k < given->n; k++) {
		const char *equal = strchr(given->v[k], '=');

		for (int d = 0; equal && d < m->n_dims; d++)
			if (strlen(m->dims[d]) == (size_t)(equal - given->v[k]) &&
			    strncmp(m->dims[d], given->v[k], strlen(m->dims[d])) == 0)
				dims[d] = strtoll(equal + 1, NULL, 10);
	}
	return true;
}

/* Bytes of the leaves that were recorded since the graph had `from` nodes: those of one recording. */
static size_t leaf_bytes(const ad_model *m, size_t from)
{
	size_t bytes = 0;

	for (size_t k = from; k < ad_nodes(m->graph); k++) {
		const ad_node *x = ad_node_at(m->graph, k);

		if (!ad_op_of(x))
			bytes += ad_count(x) * (ad_type_of(x) == AD_BOOL ? 1
			                        : ad_type_of(x) == AD_I32 ? 4
			                        : m->f64                  ? 8
			                                                  : 4);
	}
	return bytes;
}

/* What the step, or the evaluation without gradients, takes in the graph. */
static bool measure(ad_model *m, const int64_t dims[], bool training, ad_memory_use *use)
{
	size_t from = ad_nodes(m->graph), n = 0;
	struct instance *in = model_instance(m, dims, training);
	ad_node **roots = calloc((size_t)(m->n_metrics + m->n_weights) + 1, sizeof *roots);
	bool done = false;

	if (!roots)
		ad_fail(m->graph, AD_ERROR_MEMORY, "out of memory");
	if (in && roots && (!training || model_gradients(m, in))) {
		if (in->loss || in->output)
			roots[n++] = in->loss ? in->loss : in->output;
		for (int k = 0; k < m->n_metrics; k++)
			roots[n++] = in->metrics[k];
		for (int k = 0; training && k < m->n_weights; k++)
			if (in->gradients[k])
				roots[n++] = in->gradients[k];
		done = ad_memory(m->graph, roots, n, use) == AD_OK;
		/* a recording that was there already is the only one of the graph */
		if (ad_nodes(m->graph) > from)
			use->leaves = leaf_bytes(m, from);
	}
	free(roots);
	return done;
}

struct memory {
	bool trains;      /* the file says how */
	const char *lack; /* why the samples could not be read; NULL: they are counted, if there are any */
	size_t samples, copy, state;
	ad_memory_use step, evaluation;
};

static bool find_memory(ad_model *m, const struct parts *p, const int64_t dims[], struct memory *to)
{
	if (!measure(m, dims, false, &to->evaluation))
		return false;
	to->trains = m->train.given && m->train.optimizer;
	if (!to->trains)
		return true;
	to->samples = data_bytes(p);
	train_memory(m, &to->copy, &to->state);
	return measure(m, dims, true, &to->step);
}

static size_t sum(const ad_memory_use *u)
{
	return u->params + u->leaves + u->kept + u->shared + u->scratch;
}

struct row {
	const char *key, *text;
	size_t bytes;
};

static void print_rows(const struct row *rows, size_t n, bool json)
{
	char number[32];

	for (size_t k = 0; k < n; k++) {
		if (json)
			printf("%s\"%s\":%zu", k ? "," : "", rows[k].key, rows[k].bytes);
		else
			printf("  %-48s  %16s\n", rows[k].text, print_thousands(number, rows[k].bytes));
	}
}

static void print_memory(const ad_model *m, const struct memory *a, const int64_t dims[], bool json)
{
	const ad_memory_use *step = &a->step, *e = &a->evaluation;
	const struct row training[] = {
		{ "params", "params and buffers", step->params },
		{ "gradients", "gradients, loss, metrics", step->kept },
		{ "optimizer", "state of the optimizer", a->state },
		{ "copy", "copy of the weights, for a step that diverges", a->copy },
		{ "activations", "activations kept for the sweep, their gradients", step->shared },
		{ "workspace", "workspace of ops", step->scratch },
		{ "batch", "samples of the batch", step->leaves },
		{ "samples", a->lack ? "all samples: not read, not counted" : "all samples",
		  a->samples },
		{ "total", "total", sum(step) + a->state + a->copy + a->samples },
	}, evaluation[] = { { "params", "", e->params },
		            { "values", "", e->kept + e->shared },
		            { "workspace", "", e->scratch },
		            { "batch", "", e->leaves },
		            { "total", "an evaluation of such a batch", sum(e) } };

	if (json) {
		printf(",\"memory\":{\"sizes\":{");
		for (int d = 0; d < m->n_dims; d++) {
			printf(d ? "," : "");
			json_text(stdout, m->dims[d]);
			printf(":%" PRId64, dims[d]);
		}
		printf("}");
		if (a->trains) {
			printf(",\"training\":{");
			print_rows(training, sizeof training / sizeof *training, true);
			printf("}");
		}
		printf(",\"evaluation\":{");
		print_rows(evaluation, sizeof evaluation / sizeof *evaluation, true);
		printf("}}");
		return;
	}
	printf("\nbytes of memory");
	for (int d = 0; d < m->n_dims; d++)
		printf("%s%s = %" PRId64, d ? ", " : " for ", m->dims[d], dims[d]);
	printf("\n");
	if (a->trains)
		print_rows(training, sizeof training / sizeof *training, false);
	print_rows(evaluation + 4, 1, false);
}

void show_memory(ad_model *m, const struct texts *sizes, bool json)
{
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	char lack[1024] = "", error[1024] = "out of memory";
	struct memory memory = { 0 };
	/* freed in the end; empty after a failure */
	struct parts parts = { 0 };

	if (m->data.has_train && !data_read(m, &parts, lack, sizeof lack)) {
		parts = (struct parts){ 0 };
		memory.lack = lack;
		fprintf(stderr, "autograd show: memory is told without the samples: %s\n", lack);
	}
	if (dims && find_dims(m, &parts, sizes, dims, error, sizeof error)) {
		if (find_memory(m, &parts, dims, &memory)) {
			print_memory(m, &memory, dims, json);
			*error = '\0';
		} else {
			snprintf(error, sizeof error, "%s", ad_errmsg(m->graph));
			ad_clear(m->graph);
		}
	}
	if (*error)
		fprintf(stderr, "autograd show: memory is not known: %s\n", error);
	data_free(&parts);
	free(dims);
}
