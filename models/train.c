/*
 * train: from a model and its data to trained weights and a run folder.
 */
#include "data.h"
#include "engine.h"
#include "file.h"
#include "flow.h"
#include "folder.h"
#include "op.h"
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

/* Samples in one evaluation when only measuring: enough for the kernels, little memory. */
#define MEASURE_BATCH 256
#define SAVE_SECONDS 30 /* weights are saved so often, less often where that takes over 1/20 of the time */

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Now, where the training's times are taken. */
static double start_of_time(const ad_model *m)
{
	return m->timed ? seconds_now() : 0;
}

/* Adds the time since *since to one of the training's times, and begins anew. */
static void add_time(const ad_model *m, double *since, double *to)
{
	double now;

	if (!m->timed)
		return;
	now = seconds_now();
	*to += now - *since;
	*since = now;
}

/* ---- signals ---------------------------------------------------------------------------------- */

/* Of the whole process: the last signal that asks for an end, how many trainings listen, and what was set before
 * the first of them. */
static volatile sig_atomic_t caught;
static pthread_mutex_t listening = PTHREAD_MUTEX_INITIALIZER;
static int listeners;
static const struct {
	int number;
	ad_run_status status; /* of a training that it ends */
	const char *word, *name;
} signals[] = {
	{ SIGINT, AD_RUN_INTERRUPTED, "interrupted", "Ctrl-C" },
	{ SIGTERM, AD_RUN_TERMINATED, "terminated", "SIGTERM" },
	{ SIGUSR1, AD_RUN_STOPPED, "stopped", "SIGUSR1" },
};
#define N_SIGNALS (sizeof signals / sizeof *signals)
static struct sigaction before[N_SIGNALS];

static void on_signal(int number)
{
	caught = number;
}

static void listen(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&listening);
	if (listeners++ == 0) {
		caught = 0;
		for (size_t k = 0; k < N_SIGNALS; k++) {
			/* The second Ctrl-C or SIGTERM ends the process at once; schedulers send SIGUSR1 twice, to the
			 * process and to its group. */
			action.sa_flags = signals[k].number == SIGUSR1 ? 0 : (int)SA_RESETHAND;
			sigaction(signals[k].number, NULL, &before[k]);
			/* A training in the background that ignores Ctrl-C goes on doing so. */
			if (before[k].sa_handler != SIG_IGN)
				sigaction(signals[k].number, &action, NULL);
		}
	}
	pthread_mutex_unlock(&listening);
}

static void listen_no_more(void)
{
	pthread_mutex_lock(&listening);
	if (--listeners == 0) {
		for (size_t k = 0; k < N_SIGNALS; k++)
			sigaction(signals[k].number, &before[k], NULL);
		caught = 0;
	}
	pthread_mutex_unlock(&listening);
}

/* ---- measuring -------------------------------------------------------------------------------- */

static bool graph_failed(ad_model *m, char *error, size_t n)
{
	const char *reason = ad_errmsg(m->graph);

	if (ad_status_of(m->graph) == AD_ERROR_MEMORY && m->memory_limit)
		return failure(error, n, "%s: %s (of %zu for all, samples and optimizer too); make the batch "
		               "smaller or raise the limit, --max-memory", m->path, reason, m->memory_limit);
	return failure(error, n, "%s: %s", m->path, reason[0] ? reason : "the graph cannot be recorded");
}

/* The nodes whose values are wanted: the loss, if any, then the metrics. Refuses what is not a single
 * number. */
static bool value_roots(ad_model *m, const struct instance *in, ad_node *roots[], size_t *count,
                        char *error, size_t n)
{
	*count = 0;
	if (in->loss) {
		if (ad_count(in->loss) != 1)
			return failure(error, n, "%s: the loss is not a single number; take its mean", m->path);
		roots[(*count)++] = in->loss;
	}
	for (int k = 0; k < m->n_metrics; k++) {
		if (ad_count(in->metrics[k]) != 1)
			return failure(error, n, "%s: metric '%s' is not a single number; take its mean", m->path,
			               m->metrics[k]);
		roots[(*count)++] = in->metrics[k];
	}
	return true;
}

static void read_values(const ad_model *m, const struct instance *in, double values[])
{
	values[0] = in->loss ? ad_item(in->loss) : NAN;
	for (int k = 0; k < m->n_metrics; k++)
		values[1 + k] = ad_item(in->metrics[k]);
}

/* Adds a batch's values, weighted by its samples. */
static void accumulate(double sums[], const double values[], int n, size_t samples)
{
	for (int k = 0; k < n; k++)
		sums[k] += values[k] * (double)samples;
}

static bool measure_batch(ad_model *m, const struct dataset *d, const size_t rows[], size_t count,
                          int64_t dims[], ad_node *roots[], double values[], char *error, size_t n)
{
	double since = start_of_time(m);
	struct instance *in;
	size_t n_roots;

	if (!data_dims(m, d, count, dims, error, n))
		return false;
	in = model_instance(m, dims, false);
	add_time(m, &since, &m->times.recording);
	if (!in || (d && !data_feed(m, in, d, rows, count)))
		return graph_failed(m, error, n);
	add_time(m, &since, &m->times.data);
	if (!value_roots(m, in, roots, &n_roots, error, n))
		return false;
	if (n_roots > 0 && ad_evaluate(m->graph, roots, n_roots) != AD_OK)
		return graph_failed(m, error, n);
	read_values(m, in, values);
	return true;
}

bool model_measure(ad_model *m, const struct dataset *d, double values[], char *error, size_t n)
{
	int n_values = 1 + m->n_metrics;
	size_t total = d ? d->n : 0, batch = (size_t)m->data.batch;
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	ad_node **roots = calloc((size_t)n_values, sizeof(ad_node *));
	double *part = calloc((size_t)n_values, sizeof *part);
	size_t *rows;
	bool ok;

	batch = m->batch_dim < 0 ? 1 : batch > MEASURE_BATCH ? batch : MEASURE_BATCH;
	rows = calloc(batch, sizeof *rows);
	ok = (dims && roots && part && rows) || failure_memory(error, n, "an evaluation", 0);
	for (int k = 0; k < n_values; k++)
		values[k] = 0;
	if (ok && total == 0) {
		ok = measure_batch(m, NULL, NULL, 0, dims, roots, values, error, n);
	} else if (ok) {
		for (size_t at = 0; ok && at < total; at += batch) {
			size_t count = total - at < batch ? total - at : batch;

			for (size_t k = 0; k < count; k++)
				rows[k] = at + k;
			/* noise of its own for each batch, the same in every measurement */
			ad_step(m->graph, at / batch);
			ok = measure_batch(m, d, rows, count, dims, roots, part, error, n);
			accumulate(values, part, n_values, count);
		}
		for (int k = 0; k < n_values; k++)
			values[k] /= (double)total;
	}
	free(rows);
	free(part);
	free(roots);
	free(dims);
	return ok;
}

/* ---- the training ----------------------------------------------------------------------------- */

/* The best value so far of what is watched. */
struct record {
	double value;
	int64_t step;  /* where it was reached; 0: nowhere yet */
	int64_t since; /* looked at without a better one since */
};

/* How far a training has come. Together with its weights and its optimizer's state, and given its configuration
 * and data, this is all that what follows depends on: random numbers are a function of seed and step. A member
 * more needs a line in list_state. */
struct course {
	int64_t step, batches;     /* steps done; batches evaluated in steps */
	int64_t epoch, in_epoch;   /* from 1; steps of it done */
	int64_t followed;          /* whether what follows the last step, after_step, is done */
	int64_t logged, measured;  /* the step of the last line of the log; after which valid was; -1: none yet */
	int64_t seen, seen_total;  /* samples in this epoch, and since the start */
	int64_t n_checkpoints;
	int64_t *newest;           /* steps of the checkpoints that are kept, a ring */
	struct record best, stop;  /* of checkpoints and of early_stop */
	double *sums, *valid;      /* loss and metrics: of this epoch's steps, of the valid part */
	double norm_sum;           /* of this epoch's steps */
	double seconds, spent;     /* of the training, and of this epoch, until the state was saved */
	double measuring;          /* of this epoch's, those that went into measuring and saving */
	double rate;               /* the optimizer's */
	int64_t total;             /* steps that the training was to have */
	int64_t samples[3];        /* of train, valid and test */
	int64_t ends[FOLDER_LOGS]; /* of the logs, when the state was saved */
};

struct trainer {
	ad_model *m;
	const ad_train_options *o;
	ad_optimizer *optimizer;   /* of the n_moved weights that want a gradient */
	struct parts parts;
	size_t batch;              /* samples in a step; 0 without data */
	int64_t steps_per_epoch, total, epochs;
	size_t *order, *rows;      /* the samples in this epoch's order; those of the last batch */
	size_t count;              /* of these */
	int64_t *dims;
	ad_node **roots;
	size_t n_roots;            /* of the last evaluation */
	size_t n_moved;
	ad_node **moved, **gradients; /* these weights; their gradients in the recording of the step */
	void **before;             /* of each of these weights: where the optimizer puts it before it moves it */
	void **kept;               /* each weight as it was when loss and gradients were last finite */
	struct course c;
	int64_t kept_step;         /* after which the weights were as they are in `kept` */
	int64_t planned;           /* steps of the whole training, for the schedule */
	double *now, *mean;        /* loss and metrics: of this step, of this epoch so far */
	double *train, *test;
	double *part;              /* loss and metrics of a batch */
	double norm, started;
	double epoch_started;      /* in seconds_now's time, as started: earlier by what an interrupted training spent */
	double next_save;          /* when the state is saved again, in that time; without a folder above 0 */
	struct gradient_row *rows_of_gradients;
	struct flow *flow;         /* the copy whose edges are measured; NULL: not yet, or it has failed */
	bool flow_failed;
	uint64_t plain;            /* the floating point mode outside of steps */
	struct run_folder folder;
	bool has_folder;
	struct progress progress;
	char *error;
	size_t error_size;
};

/* The signal that asks this training to end, or 0. */
static int asked_to_end(const struct trainer *t)
{
	return t->o->leave_signals ? 0 : caught;
}

static size_t real_size(const ad_model *m)
{
	return m->f64 ? sizeof(double) : sizeof(float);
}

void train_memory(const ad_model *m, size_t *kept, size_t *state)
{
	const struct optimizer *o = m->train.optimizer;

	*kept = *state = 0;
	for (int k = 0; k < m->n_weights; k++) {
		ad_node *w = m->weights[k].node;
		size_t bytes = ad_type_of(w) == AD_REAL ? ad_count(w) * real_size(m) : 0;

		*kept += bytes;
		if (ad_wants_gradient(w)) {
			const struct train_group *g = group_of(&m->train, m->weights[k].path);
			const void *attrs = g && g->attrs ? g->attrs : m->train.optimizer_attrs;

			*state += bytes * (size_t)(__builtin_popcount(o->states(attrs)) +
			                           (m->train.accumulate > 1));
		}
	}
}

/* Leaves the graph what the limit on memory has left when samples, kept weights and optimizer have theirs. */
static bool share_memory(struct trainer *t)
{
	const ad_model *m = t->m;
	size_t samples = data_bytes(&t->parts), kept, state, need;

	train_memory(m, &kept, &state);
	if (m->memory_limit == 0)
		return true;
	if (__builtin_add_overflow(samples, kept, &need) || __builtin_add_overflow(need, state, &need) ||
	    need >= m->memory_limit)
		return failure(t->error, t->error_size,
		               "%s: the samples take %zu bytes of memory, a copy of the weights %zu and the "
		               "optimizer's state %zu; the limit is %zu", m->path, samples, kept, state,
		               m->memory_limit);
	ad_limit_memory(m->graph, m->memory_limit - need);
	return true;
}

ad_optimizer *model_optimizer(ad_model *m, ad_node *moved[], size_t *n_moved, char *error, size_t n)
{
	const struct train_spec *spec = &m->train;
	struct optimizer_manner *of = calloc((size_t)m->n_weights + 1, sizeof *of);
	ad_optimizer *o;

	*n_moved = 0;
	if (!of)
		return failure_memory(error, n, "the optimizer", 0), NULL;
	for (int k = 0; k < m->n_weights; k++) {
		const struct train_group *g = group_of(spec, m->weights[k].path);

		if (!ad_wants_gradient(m->weights[k].node))
			continue;
		of[*n_moved] = (struct optimizer_manner){
			.attrs = g ? g->attrs : NULL,
			.lr_scale = m->weights[k].lr_scale * (g ? g->lr_scale : 1)
		};
		moved[(*n_moved)++] = m->weights[k].node;
	}
	o = optimizer_open(m->graph, spec->optimizer, spec->optimizer_attrs, *n_moved, moved, of, error, n);
	free(of);
	return o;
}

void set_scheduled_rate(const ad_model *m, ad_optimizer *o, int64_t step, int64_t total, int64_t per_epoch)
{
	const struct train_spec *spec = &m->train;

	if (spec->schedule)
		ad_optimizer_set_rate(o, spec->schedule->rate(spec->schedule_attrs,
		                                              optimizer_lr(spec->optimizer,
		                                                           spec->optimizer_attrs),
		                                              step, total, per_epoch));
}

double clip_scale(const ad_model *m, double norm)
{
	return m->train.clip > 0 && norm > m->train.clip ? m->train.clip / norm : 1;
}

static bool allocate(struct trainer *t)
{
	const ad_model *m = t->m;
	size_t values = 1 + (size_t)m->n_metrics, weights = (size_t)m->n_weights;
	const struct train_spec *spec = &m->train;
	size_t n = 0;

	t->order = calloc(t->parts.train.n + 1, sizeof *t->order);
	t->rows = calloc(t->batch + 1, sizeof *t->rows);
	t->dims = calloc((size_t)m->n_dims + 1, sizeof *t->dims);
	t->roots = calloc(values + weights, sizeof(ad_node *));
	t->moved = calloc(weights + 1, sizeof(ad_node *));
	t->gradients = calloc(weights + 1, sizeof(ad_node *));
	t->before = calloc(weights + 1, sizeof(void *));
	t->kept = calloc(weights + 1, sizeof(void *));
	t->now = calloc(7 * values, sizeof *t->now);
	t->rows_of_gradients = calloc(weights + 1, sizeof *t->rows_of_gradients);
	t->c.newest = calloc((size_t)spec->checkpoint.keep + 1, sizeof *t->c.newest);
	if (!t->order || !t->rows || !t->dims || !t->roots || !t->moved || !t->gradients ||
	    !t->before || !t->kept || !t->now || !t->rows_of_gradients || !t->c.newest)
		return failure_memory(t->error, t->error_size, "the training", 0);
	t->c.sums = t->now + values;
	t->mean = t->c.sums + values;
	t->train = t->mean + values;
	t->c.valid = t->train + values;
	t->test = t->c.valid + values;
	t->part = t->test + values;
	for (size_t k = 0; k < t->parts.train.n; k++)
		t->order[k] = k;
	for (size_t k = 0; k < weights; k++) {
		size_t count = ad_count(m->weights[k].node);

		if (ad_type_of(m->weights[k].node) != AD_REAL)
			continue;
		t->kept[k] = malloc(count * real_size(m) + 1);
		if (!t->kept[k])
			return failure_memory(t->error, t->error_size, "weights", count * real_size(m));
		if (ad_wants_gradient(m->weights[k].node)) {
			t->rows_of_gradients[n].path = m->weights[k].path;
			t->before[n++] = t->kept[k];
		}
	}
	t->optimizer = model_optimizer(t->m, t->moved, &t->n_moved, t->error, t->error_size);
	return t->optimizer != NULL;
}

static void release(struct trainer *t)
{
	for (int k = 0; t->kept && k < t->m->n_weights; k++)
		free(t->kept[k]);
	free(t->order);
	free(t->rows);
	free(t->dims);
	free(t->roots);
	ad_optimizer_close(t->optimizer);
	free(t->moved);
	free(t->gradients);
	free(t->before);
	free(t->kept);
	free(t->now);
	free(t->c.newest);
	free(t->rows_of_gradients);
	ad_limit_memory(t->m->graph, t->m->memory_limit);
	data_free(&t->parts);
	flow_close(t->flow);
	folder_close(&t->folder);
}

/* Keeps all weights, or only running statistics, which an evaluation changes: what the optimizer moves it
 * keeps itself, in the pass that it makes anyway, and others stay as they are. */
static void keep_weights(struct trainer *t, bool all)
{
	for (int k = 0; k < t->m->n_weights; k++) {
		ad_node *w = t->m->weights[k].node;
		bool keep = t->kept[k] && (all || ad_kind_of(w) == AD_IS_BUFFER);
		const void *data = keep ? ad_data(w) : NULL;

		if (data)
			memcpy(t->kept[k], data, ad_count(w) * real_size(t->m));
	}
}

/* All of them, or only running statistics. */
static void restore_weights(struct trainer *t, bool all)
{
	for (int k = 0; k < t->m->n_weights; k++) {
		ad_node *w = t->m->weights[k].node;
		bool kept = t->kept[k] && (all || ad_kind_of(w) == AD_IS_BUFFER);
		void *data = kept ? ad_write(w) : NULL;

		if (data)
			memcpy(data, t->kept[k], ad_count(w) * real_size(t->m));
	}
}

static bool all_finite(const ad_model *m, const void *data, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!isfinite(m->f64 ? ((const double *)data)[k] : ((const float *)data)[k]))
			return false;
	return true;
}

/* The scopes around a node, "model.linear_2.". */
static void print_scopes(const ad_graph *g, int scope, char *text, size_t n)
{
	const char *names[16];
	int depth = 0;
	size_t length = 0;

	text[0] = '\0';
	for (; scope > 0 && depth < 16; scope = ad_scope_parent(g, scope))
		names[depth++] = ad_scope_name(g, scope);
	while (depth-- > 0 && length < n)
		length += (size_t)snprintf(text + length, n - length, "%s.", names[depth] ? names[depth] : "");
}

struct numbered {
	const ad_node *node;
	size_t number;
};

static int by_address(const void *a, const void *b)
{
	const ad_node *x = ((const struct numbered *)a)->node, *y = ((const struct numbered *)b)->node;

	return ((uintptr_t)x > (uintptr_t)y) - ((uintptr_t)x < (uintptr_t)y);
}

static void mark(const struct numbered *sorted, size_t n, const ad_node *x, bool used[])
{
	const struct numbered key = { .node = x };
	const struct numbered *found = x ? bsearch(&key, sorted, n, sizeof *sorted, by_address) : NULL;

	if (found)
		used[found->number] = true;
}

/* Which nodes the roots depend on, by number. A node's inputs were recorded before it, so one pass from
 * the back reaches them all. NULL: no memory. */
static bool *find_used(ad_graph *g, ad_node *const roots[], size_t n_roots)
{
	size_t n = ad_nodes(g);
	struct numbered *sorted = calloc(n + 1, sizeof *sorted);
	bool *used = calloc(n + 1, sizeof *used);

	if (!sorted || !used) {
		free(sorted);
		free(used);
		return NULL;
	}
	for (size_t k = 0; k < n; k++)
		sorted[k] = (struct numbered){ ad_node_at(g, k), k };
	qsort(sorted, n, sizeof *sorted, by_address);
	for (size_t k = 0; k < n_roots; k++)
		mark(sorted, n, roots[k], used);
	for (size_t k = n; k-- > 0;) {
		ad_node *x = ad_node_at(g, k), *owner;
		int output;

		if (!used[k])
			continue;
		owner = ad_owner_of(x, &output);
		if (owner != x)
			mark(sorted, n, owner, used);
		for (int i = 0; i < ad_inputs(owner); i++)
			mark(sorted, n, ad_input_of(owner, i), used);
	}
	free(sorted);
	return used;
}

/* Whether "stage[0].o." ends with the scope "o.": the result of an item with a name is called like its scope. */
static bool is_last_scope(const char *scopes, const char *name)
{
	const size_t n = strlen(scopes), k = strlen(name);

	return n > k && memcmp(scopes + n - 1 - k, name, k) == 0 && (n == k + 1 || scopes[n - k - 2] == '.');
}

static void describe(const ad_node *x, char *text, size_t n)
{
	const char *name = ad_name_of(x), *op = ad_op_of(x);
	char scopes[256];

	print_scopes(ad_graph_of(x), ad_scope_of(x), scopes, sizeof scopes);
	if (!op)
		snprintf(text, n, "'%s%s' itself is not finite", scopes, name ? name : "a leaf");
	else if (name && is_last_scope(scopes, name))
		snprintf(text, n, "it first appears in '%.*s', op %s", (int)strlen(scopes) - 1, scopes, op);
	else if (name)
		snprintf(text, n, "it first appears in '%s%s', op %s", scopes, name, op);
	else if (scopes[0])
		snprintf(text, n, "it first appears in an op %s of '%.*s'", op, (int)strlen(scopes) - 1, scopes);
	else
		snprintf(text, n, "it first appears in an op %s", op);
}

/* Whether x's gradient was computed by the last sweep and is finite: 1, is not: 0, is not known: -1. */
static int gradient_state(const struct trainer *t, ad_node *x)
{
	ad_node *gradient = x && ad_type_of(x) == AD_REAL ? ad_gradient(x) : NULL;
	const void *data = gradient ? ad_data(gradient) : NULL;

	return data ? all_finite(t->m, data, ad_count(gradient)) : -1;
}

/* Names the op that makes a gradient not finite out of one that is. After ad_keep_all the sweep is
 * recorded anew, with the gradients of all nodes. */
static bool name_backward(struct trainer *t, ad_node *loss, char *text, size_t n)
{
	ad_graph *g = t->m->graph;
	size_t recorded = ad_nodes(g);

	if (ad_backward(loss) != AD_OK)
		return false;
	for (size_t k = recorded; k-- > 0;) {
		ad_node *y = ad_node_at(g, k);

		if (!ad_op_of(y) || gradient_state(t, y) != 1)
			continue;
		for (int i = 0; i < ad_inputs(y); i++)
			if (gradient_state(t, ad_input_of(y, i)) == 0) {
				describe(y, text, n);
				return true;
			}
	}
	return false;
}

/* Names the first op whose value is not finite when the step is computed again with all values kept. */
static void name_culprit(struct trainer *t, size_t n_roots, ad_node *loss, char *text, size_t n)
{
	ad_graph *g = t->m->graph;
	bool *used;

	snprintf(text, n, "the op that made it could not be found");
	ad_keep_all(g);
	if (isfinite(t->now[0]) && name_backward(t, loss, text, n))
		return;
	if (ad_evaluate(g, t->roots, n_roots) != AD_OK)
		return;
	used = find_used(g, t->roots, n_roots);
	for (size_t k = 0; used && k < ad_nodes(g); k++) {
		ad_node *x = ad_node_at(g, k);
		const void *data = used[k] && ad_type_of(x) == AD_REAL ? ad_data(x) : NULL;

		if (data && !all_finite(t->m, data, ad_count(x))) {
			describe(x, text, n);
			break;
		}
	}
	free(used);
}

static bool refuse_value(struct trainer *t, size_t n_roots, ad_node *goal)
{
	char culprit[512], place[64];
	bool loss = !isfinite(t->now[0]);

	name_culprit(t, n_roots, goal, culprit, sizeof culprit);
	/* Kept are those with which the step before began, or this one after it went on. */
	if (t->kept_step == 0)
		snprintf(place, sizeof place, "the initial weights are kept");
	else
		snprintf(place, sizeof place, "the weights after step %lld are kept", (long long)t->kept_step);
	return failure(t->error, t->error_size,
	               "step %lld: the %s is %s: %s; %s; try a smaller lr", (long long)t->c.step + 1,
	               loss ? "loss" : "gradient",
	               loss ? (isnan(t->now[0]) ? "NaN" : "infinite") : "not finite", culprit, place);
}

static double square_sum(const ad_model *m, size_t n, const void *a, const void *b)
{
	double sum = 0;

	for (size_t k = 0; k < n; k++) {
		double x = m->f64 ? ((const double *)a)[k] - (b ? ((const double *)b)[k] : 0)
		                  : (double)((const float *)a)[k] - (b ? (double)((const float *)b)[k] : 0);

		sum += x * x;
	}
	return sum;
}

/* Of each weight its gradient; moved: it has moved since, from before[k]. */
static void measure_weights(struct trainer *t, bool moved)
{
	for (size_t k = 0; k < t->n_moved; k++) {
		struct gradient_row *row = &t->rows_of_gradients[k];
		const void *g = optimizer_gradient(t->optimizer, k), *w = ad_data(t->moved[k]);
		const void *old = moved ? t->before[k] : w;
		size_t n = ad_count(t->moved[k]);

		row->of = (struct measure){ 0 };
		row->value = row->update = 0;
		if (!g || !w || n == 0)
			continue;
		row->of = t->m->f64 ? measure_f64(g, n) : measure_f32(g, n);
		row->value = sqrt(square_sum(t->m, n, old, NULL) / (double)n);
		/* infinite where the weight was all 0 */
		row->update = moved ? sqrt(square_sum(t->m, n, w, old) / square_sum(t->m, n, old, NULL))
		                    : NAN;
	}
}

/* Bytes that the copy for edges may take: what the limit leaves; 0: there is no limit. */
static bool memory_of_flow(const struct trainer *t, size_t *bytes)
{
	ad_model *m = t->m;
	size_t samples = data_bytes(&t->parts), kept, state, need;
	ad_memory_use use;

	*bytes = 0;
	if (m->memory_limit == 0)
		return true;
	if (ad_memory(m->graph, t->roots, t->n_roots, &use) != AD_OK) {
		ad_clear(m->graph);
		return false;
	}
	train_memory(m, &kept, &state);
	need = samples + kept + state + use.kept + use.shared + use.scratch + use.params + use.leaves;
	*bytes = need < m->memory_limit ? m->memory_limit - need : 0;
	return *bytes > 0;
}

static void hand_over(void *context, ad_model *copy)
{
	struct trainer *t = context;

	t->o->draw(t->o->context, copy, t->folder.path, t->c.step);
}

/* Measures the edges in the step's last batch. A training does not fail for it: what stands in the way is
 * said once. */
static bool measure_flow(struct trainer *t, bool moved, struct flow_result *to)
{
	struct flow_batch batch = { .data = t->parts.train.n ? &t->parts.train : NULL,
		                    .rows = t->rows,
		                    .count = t->count,
		                    .number = (uint64_t)t->c.batches - 1,
		                    .weights = moved ? t->kept : NULL };
	char error[512] = "", text[640], *config;
	size_t memory = 0;
	bool good = false;

	if (t->flow_failed)
		return false;
	if (!t->flow && !memory_of_flow(t, &memory)) {
		failure(error, sizeof error, "the limit on memory leaves none for it, --max-memory");
	} else if (!t->flow && (config = path_in(t->folder.path, "config.yaml"))) {
		t->flow = flow_open(config, memory, error, sizeof error);
		free(config);
	}
	if (t->flow)
		good = flow_measure(t->flow, t->m, &batch, t->plain,
		                    moved && t->m->train.draw_gradients && t->o->draw ? hand_over : NULL, t,
		                    to, error, sizeof error);
	if (good)
		return true;
	t->flow_failed = true;
	snprintf(text, sizeof text, "the gradients of weights alone are recorded, not those of edges: %s",
	         error[0] ? error : "out of memory");
	progress_note(&t->progress, text);
	return false;
}

/* moved: after a step, of which it is the record; else of one that ends the training before it moves. */
static bool record_gradients(struct trainer *t, bool moved)
{
	double since = start_of_time(t->m);
	struct flow_result flow;
	struct gradient_record r = { .step = moved ? t->c.step : t->c.step + 1,
		                     .epoch = t->c.epoch,
		                     .loss = t->now[0],
		                     .rate = ad_optimizer_rate(t->optimizer),
		                     .n_rows = t->n_moved,
		                     .rows = t->rows_of_gradients };
	bool good;

	measure_weights(t, moved);
	if (measure_flow(t, moved, &flow))
		r.flow = &flow;
	good = folder_gradients(&t->folder, &r, t->error, t->error_size);
	add_time(t->m, &since, &t->m->times.files);
	return good;
}

/* Evaluates loss, metrics and gradients with the given samples, and checks them. */
static ad_run_status evaluate(struct trainer *t, size_t count)
{
	ad_model *m = t->m;
	const struct dataset *d = t->parts.train.n ? &t->parts.train : NULL;
	double since = start_of_time(m);
	struct instance *in;
	size_t n_roots;
	bool recorded;

	if (!data_dims(m, d, count, t->dims, t->error, t->error_size))
		return AD_RUN_FAILED;
	in = model_instance(m, t->dims, true);
	if (in && !in->loss) {
		failure(t->error, t->error_size, "%s has no 'loss' to make small", m->path);
		return AD_RUN_REFUSED;
	}
	recorded = in && (in->gradients || model_gradients(m, in));
	add_time(m, &since, &m->times.recording);
	if (!recorded || (d && (!data_feed(m, in, d, t->rows, count) ||
	                        !data_augment(m, in, (uint64_t)t->c.batches)))) {
		graph_failed(m, t->error, t->error_size);
		return AD_RUN_FAILED;
	}
	add_time(m, &since, &m->times.data);
	if (!value_roots(m, in, t->roots, &n_roots, t->error, t->error_size))
		return AD_RUN_REFUSED;
	for (int k = 0; k < m->n_weights; k++)
		if (in->gradients[k])
			t->roots[n_roots++] = in->gradients[k];
	t->n_roots = n_roots;
	t->count = count;
	ad_step(m->graph, (uint64_t)t->c.batches++);
	ad_watch_nonfinite(m->graph, t->o->anomaly);
	if (ad_evaluate(m->graph, t->roots, n_roots) != AD_OK) {
		if (ad_status_of(m->graph) == AD_ERROR_MEMORY) {
			graph_failed(m, t->error, t->error_size);
			return AD_RUN_FAILED;
		}
		failure(t->error, t->error_size, "%s: step %lld: %s", m->path, (long long)t->c.step + 1,
		        ad_errmsg(m->graph));
		if (ad_status_of(m->graph) != AD_ERROR_NONFINITE)
			return AD_RUN_FAILED;
		ad_clear(m->graph);
		ad_watch_nonfinite(m->graph, false);
		restore_weights(t, true);
		return AD_RUN_DIVERGED;
	}
	read_values(m, in, t->now);
	since = start_of_time(m);
	for (int k = 0, j = 0; k < m->n_weights; k++)
		if ((size_t)j < t->n_moved && m->weights[k].node == t->moved[j])
			t->gradients[j++] = in->gradients[k];
	if (!optimizer_find(t->optimizer, t->gradients)) {
		graph_failed(m, t->error, t->error_size);
		return AD_RUN_FAILED;
	}
	t->norm = optimizer_norm(t->optimizer);
	if (!isfinite(t->now[0]) || !isfinite(t->norm)) {
		if (t->has_folder && m->train.gradients.n > 0 && !record_gradients(t, false))
			return AD_RUN_FAILED;
		refuse_value(t, n_roots, in->loss);
		restore_weights(t, true);
		return AD_RUN_DIVERGED;
	}
	add_time(m, &since, &m->times.optimizer);
	return AD_RUN_DONE;
}

/* Fills t->rows with the samples of a batch of this epoch; returns how many: none after the last. */
static size_t choose(struct trainer *t, int64_t batch)
{
	uint64_t seed = t->m->train.seed;
	size_t n = t->parts.train.n, from = (size_t)batch * t->batch, count;

	if (n == 0)
		return 0;
	if (t->m->data.draw_random) {
		for (size_t k = 0; k < t->batch; k++)
			t->rows[k] = (size_t)data_random(seed, STREAM_DRAW, (uint64_t)t->c.batches, k, n);
		return t->batch;
	}
	count = from >= n ? 0 : n - from < t->batch ? n - from : t->batch;
	memcpy(t->rows, t->order + from, count * sizeof *t->rows);
	return count;
}

/* Several batches as one: loss, metrics and gradients are means over all of their samples.
 * AD_RUN_INTERRUPTED: a signal came between two of them. */
static ad_run_status evaluate_all(struct trainer *t, size_t *samples)
{
	const struct train_spec *spec = &t->m->train;
	size_t n = t->parts.train.n, each = n ? t->batch : 1, all = each * (size_t)spec->accumulate;
	size_t from = (size_t)t->c.in_epoch * all;
	int values = 1 + t->m->n_metrics;

	if (n && !t->m->data.draw_random && n - from < all)
		all = n - from;
	*samples = n ? all : 1;
	memset(t->part, 0, (size_t)values * sizeof *t->part);
	for (size_t done = 0, j = 0; done < all; j++) {
		double since = start_of_time(t->m), share;
		size_t count = choose(t, t->c.in_epoch * spec->accumulate + (int64_t)j);
		ad_run_status status;

		/* the batches of a step may be many: what is gathered is given up */
		if (j > 0 && asked_to_end(t))
			return AD_RUN_INTERRUPTED;

		add_time(t->m, &since, &t->m->times.data);
		status = evaluate(t, count);
		if (status != AD_RUN_DONE || spec->accumulate == 1)
			return status;
		since = start_of_time(t->m);
		count = count ? count : 1;
		share = (double)count / (double)all;
		if (!optimizer_add(t->optimizer, share, t->error, t->error_size))
			return AD_RUN_FAILED;
		for (int k = 0; k < values; k++)
			t->part[k] += share * t->now[k];
		add_time(t->m, &since, &t->m->times.optimizer);
		done += count;
	}
	optimizer_take_sums(t->optimizer);
	t->norm = optimizer_norm(t->optimizer);
	memcpy(t->now, t->part, (size_t)values * sizeof *t->now);
	return AD_RUN_DONE;
}

static void fill_moment(const struct trainer *t, bool valid, struct moment *now)
{
	const struct course *c = &t->c;

	for (int k = 0; k < 1 + t->m->n_metrics; k++)
		t->mean[k] = c->sums[k] / (double)c->seen;
	*now = (struct moment){ .epoch = c->epoch, .epochs = t->epochs, .step = c->in_epoch,
		                .steps = t->steps_per_epoch, .done = c->step, .total = t->total,
		                .samples = (size_t)c->seen_total, .seconds = seconds_now() - t->started,
		                .lr = ad_optimizer_rate(t->optimizer),
		                .norm = c->norm_sum / (double)c->in_epoch, .train = t->mean,
		                .valid = valid ? c->valid : NULL };
}

static bool epoch_ends(const struct trainer *t)
{
	return t->c.in_epoch == t->steps_per_epoch || t->c.step == t->total;
}

/* Whether something happens after the step just done. Whatever happens now and then happens after the last
 * step, too. */
static bool is_due(const struct trainer *t, struct period p)
{
	if (p.n == 0)
		return false;
	if (t->c.step == t->total)
		return true;
	return p.epochs ? t->c.in_epoch == t->steps_per_epoch && t->c.epoch % p.n == 0 : t->c.step % p.n == 0;
}

/* One step: evaluates its batches, moves the weights, records gradients. AD_RUN_INTERRUPTED: a signal came, and
 * it is as if the step had not begun. */
static ad_run_status step(struct trainer *t)
{
	ad_model *m = t->m;
	struct course *c = &t->c;
	int64_t batches = c->batches;
	double since;
	size_t samples;
	ad_run_status status = evaluate_all(t, &samples);

	if (status == AD_RUN_INTERRUPTED) {
		c->batches = batches;
		restore_weights(t, false);
	}
	if (status != AD_RUN_DONE)
		return status;
	since = start_of_time(m);
	set_scheduled_rate(m, t->optimizer, c->step, t->planned, t->steps_per_epoch);
	keep_weights(t, false);
	if (!optimizer_move(t->optimizer, clip_scale(m, t->norm), t->before)) {
		graph_failed(m, t->error, t->error_size);
		return AD_RUN_FAILED;
	}
	add_time(m, &since, &m->times.optimizer);
	t->kept_step = c->step++;
	c->in_epoch++;
	c->followed = 0;
	accumulate(c->sums, t->now, 1 + m->n_metrics, samples);
	c->seen += (int64_t)samples;
	c->seen_total += t->parts.train.n ? (int64_t)samples : 0;
	c->norm_sum += t->norm;
	/* not with what follows: the gradients are gone when a training goes on */
	if (t->has_folder && is_due(t, m->train.gradients) && !record_gradients(t, true))
		return AD_RUN_FAILED;
	return AD_RUN_DONE;
}

/* Looks at what is watched, where it is new; whether it is the best so far. */
static bool look(struct trainer *t, struct watched w, struct record *best)
{
	double value = w.valid ? t->c.valid[w.value] : t->c.sums[w.value] / (double)t->c.seen;
	bool better = isfinite(value) &&
	              (best->step == 0 || (w.most ? value > best->value : value < best->value));

	best->since = better ? 0 : best->since + 1;
	if (better) {
		best->value = value;
		best->step = t->c.step;
	}
	return better;
}

static bool save_checkpoint(struct trainer *t)
{
	const struct train_spec *spec = &t->m->train;
	int64_t keep = spec->checkpoint.keep;
	double since = start_of_time(t->m);
	char name[64];
	bool good;

	snprintf(name, sizeof name, "step-%lld.safetensors", (long long)t->c.step);
	good = folder_checkpoint(&t->folder, name, t->error, t->error_size);
	if (good && keep > 0) {
		int64_t *oldest = &t->c.newest[t->c.n_checkpoints++ % keep];

		snprintf(name, sizeof name, "step-%lld.safetensors", (long long)*oldest);
		if (*oldest > 0)
			folder_remove(&t->folder, name);
		*oldest = t->c.step;
	}
	if (good && spec->checkpoint.best.given && look(t, spec->checkpoint.best, &t->c.best))
		good = folder_checkpoint(&t->folder, "best.safetensors", t->error, t->error_size);
	add_time(t->m, &since, &t->m->times.files);
	return good;
}

/* Whether early_stop has seen enough. */
static bool has_done_its_best(const struct trainer *t)
{
	const struct record *r = &t->c.stop;

	return t->m->train.early_stop.watch.given && r->since > 0 && r->since >= t->m->train.early_stop.patience;
}

/* What follows a step: measurements, checkpoints, records; *ends: the training has done its best. */
static bool after_step(struct trainer *t, bool *ends)
{
	const struct train_spec *spec = &t->m->train;
	bool saves = t->has_folder && spec->checkpoint.given && is_due(t, spec->checkpoint.every);
	bool measures = t->parts.valid.n > 0 &&
	                (is_due(t, spec->eval) || (saves && spec->checkpoint.best.valid));

	if (measures) {
		double from = seconds_now();

		if (!model_measure(t->m, &t->parts.valid, t->c.valid, t->error, t->error_size))
			return false;
		t->c.measured = t->c.step;
		t->c.measuring += seconds_now() - from;
	}
	if (saves && !save_checkpoint(t))
		return false;
	if (spec->early_stop.watch.given && (spec->early_stop.watch.valid ? measures : epoch_ends(t))) {
		look(t, spec->early_stop.watch, &t->c.stop);
		*ends = has_done_its_best(t);
	}
	return true;
}

/* A line of the log, of this epoch so far. */
static bool log_epoch(struct trainer *t, const struct moment *now, bool passing, char *error, size_t n)
{
	double spent = seconds_now() - t->epoch_started - t->c.measuring;
	struct log_row row = { .step = t->c.step, .epoch = t->c.epoch, .lr = now->lr, .grad_norm = now->norm,
		               .ms = 1000 * spent / (double)t->c.in_epoch,
		               .train = t->mean, .valid = now->valid, .passing = passing };
	double since = start_of_time(t->m);
	bool logged = folder_log(&t->folder, &row, error, n);

	t->c.logged = t->c.step;
	if (logged && t->o->logged)
		t->o->logged(t->o->logged_of, t->folder.path);
	add_time(t->m, &since, &t->m->times.files);
	return logged;
}

/* ---- going on with a training that ended too early ---------------------------------------------- */

/* The arrays of a state, and those of their names that are made for it. */
struct state {
	size_t n, n_names;
	struct stored *arrays;
	char **names;
};

static void state_free(struct state *s)
{
	while (s->n_names > 0)
		free(s->names[--s->n_names]);
	free(s->names);
	free(s->arrays);
}

static void add_numbers(struct state *s, const char *name, const char *dtype, size_t n, void *numbers)
{
	if (n > 0)
		s->arrays[s->n++] = (struct stored){ .name = name, .dtype = dtype,
			                            .shape = { .rank = 1, .dims = { (int64_t)n } },
			                            .bytes = 8 * n, .data = numbers, .to = numbers };
}

/* All that a state consists of, to be saved or to be read into its place. False: no memory. */
static bool list_state(struct trainer *t, struct state *s, bool reads)
{
	ad_model *m = t->m;
	struct course *c = &t->c;
	size_t values = 1 + (size_t)m->n_metrics, weights = (size_t)m->n_weights;

	*s = (struct state){ .arrays = calloc(weights + OPTIMIZER_STATES * t->n_moved + 32, sizeof *s->arrays),
		             .names = calloc(OPTIMIZER_STATES * t->n_moved + 1, sizeof(char *)) };
	if (!s->arrays || !s->names || !model_ready(m))
		return false;
	add_numbers(s, "course/step", "I64", 1, &c->step);
	add_numbers(s, "course/batches", "I64", 1, &c->batches);
	add_numbers(s, "course/epoch", "I64", 1, &c->epoch);
	add_numbers(s, "course/in_epoch", "I64", 1, &c->in_epoch);
	add_numbers(s, "course/followed", "I64", 1, &c->followed);
	add_numbers(s, "course/logged", "I64", 1, &c->logged);
	add_numbers(s, "course/measured", "I64", 1, &c->measured);
	add_numbers(s, "course/seen", "I64", 1, &c->seen);
	add_numbers(s, "course/seen_total", "I64", 1, &c->seen_total);
	add_numbers(s, "course/checkpoints", "I64", 1, &c->n_checkpoints);
	add_numbers(s, "course/newest", "I64", (size_t)m->train.checkpoint.keep, c->newest);
	add_numbers(s, "course/best", "F64", 1, &c->best.value);
	add_numbers(s, "course/best_step", "I64", 1, &c->best.step);
	add_numbers(s, "course/best_since", "I64", 1, &c->best.since);
	add_numbers(s, "course/stop", "F64", 1, &c->stop.value);
	add_numbers(s, "course/stop_step", "I64", 1, &c->stop.step);
	add_numbers(s, "course/stop_since", "I64", 1, &c->stop.since);
	add_numbers(s, "course/sums", "F64", values, c->sums);
	add_numbers(s, "course/valid", "F64", values, c->valid);
	add_numbers(s, "course/norm_sum", "F64", 1, &c->norm_sum);
	add_numbers(s, "course/rate", "F64", 1, &c->rate);
	add_numbers(s, "course/seconds", "F64", 1, &c->seconds);
	add_numbers(s, "course/spent", "F64", 1, &c->spent);
	add_numbers(s, "course/measuring", "F64", 1, &c->measuring);
	add_numbers(s, "course/total", "I64", 1, &c->total);
	add_numbers(s, "course/samples", "I64", 3, c->samples);
	add_numbers(s, "course/ends", "I64", FOLDER_LOGS, c->ends);
	for (int k = 0; k < m->n_weights; k++) {
		struct stored a = stored_weight(m, k);

		a.data = ad_data(m->weights[k].node);
		a.to = reads ? ad_write(m->weights[k].node) : NULL;
		if (a.bytes > 0 && !(reads ? a.to : a.data))
			return false;
		if (a.bytes > 0)
			s->arrays[s->n++] = a;
	}
	for (size_t k = 0; k < t->n_moved; k++)
		for (int j = 0; j < OPTIMIZER_STATES; j++) {
			void *data = optimizer_state(t->optimizer, k, j);
			size_t count = ad_count(t->moved[k]);
			struct stored a = { .dtype = m->f64 ? "F64" : "F32", .shape = ad_shape_of(t->moved[k]),
				           .bytes = count * real_size(m), .data = data, .to = data };
			char **name = &s->names[s->n_names];

			if (!data || count == 0)
				continue;
			if (asprintf(name, "%s/%d", t->rows_of_gradients[k].path, j) < 0)
				return false;
			s->n_names++;
			a.name = *name;
			s->arrays[s->n++] = a;
		}
	return true;
}

static void count_samples(const struct trainer *t, int64_t n[3])
{
	n[0] = (int64_t)t->parts.train.n;
	n[1] = (int64_t)t->parts.valid.n;
	n[2] = (int64_t)t->parts.test.n;
}

/* Weights and state. */
static bool save(struct trainer *t, char *error, size_t n)
{
	struct course *c = &t->c;
	double now = seconds_now();
	struct state s;
	bool saved;

	c->seconds = now - t->started;
	c->spent = now - t->epoch_started;
	c->rate = ad_optimizer_rate(t->optimizer);
	c->total = t->total;
	count_samples(t, c->samples);
	memcpy(c->ends, t->folder.ends, sizeof c->ends);
	saved = list_state(t, &s, false) ? folder_save(&t->folder, s.n, s.arrays, error, n)
	                                 : failure_memory(error, n, "the list of the training's state", 0);
	state_free(&s);
	return saved;
}

/* Saves what a crash would cost, now and then. */
static bool save_sometimes(struct trainer *t)
{
	double since = t->has_folder ? seconds_now() : 0, spent;
	bool saved;

	if (since < t->next_save)
		return true;
	saved = save(t, t->error, t->error_size);
	spent = seconds_now() - since;
	t->next_save = since + spent +
	               (t->o->save_seconds > 0 ? t->o->save_seconds : fmax(SAVE_SECONDS, 20 * spent));
	t->c.measuring += spent;
	add_time(t->m, &since, &t->m->times.files);
	return saved;
}

/* A file with a correct checksum could still be made by hand: these numbers count, and are sizes and places. */
static bool is_possible(const struct trainer *t)
{
	const struct course *c = &t->c;
	const int64_t counts[] = { c->step, c->batches, c->epoch - 1, c->in_epoch, c->seen, c->seen_total,
		                   c->n_checkpoints, c->best.since, c->stop.since, c->ends[0], c->ends[1],
		                   c->ends[2], c->ends[3] };

	for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
		if (counts[k] < 0 || counts[k] > INT64_MAX / 2)
			return false;
	return c->in_epoch <= t->steps_per_epoch && c->rate >= 0 && c->seconds >= 0 && c->spent >= 0 &&
	       (c->followed == 1 || (c->followed == 0 && c->in_epoch > 0 && c->step > 0));
}

/* Refuses a training that cannot go on, or need not. */
static bool check_state(struct trainer *t, const char *run, const char *ended)
{
	const struct course *c = &t->c;
	int64_t samples[3];

	count_samples(t, samples);
	if (memcmp(samples, c->samples, sizeof samples) != 0)
		return failure(t->error, t->error_size, "%s: its data has changed: there were %lld, %lld and %lld samples "
		               "for train, valid and test, and there are %lld, %lld and %lld; begin anew", run,
		               (long long)c->samples[0], (long long)c->samples[1], (long long)c->samples[2],
		               (long long)samples[0], (long long)samples[1], (long long)samples[2]);
	if (!is_possible(t))
		return failure(t->error, t->error_size, "%s/state.safetensors: its numbers are none that a training "
		               "has; begin anew", run);
	if (ended && strcmp(ended, "done") == 0 && (t->total == c->total || t->total == c->step))
		return failure(t->error, t->error_size, "%s: is done, after step %lld; for more give it more epochs, as "
		               "--set train.epochs=N", run, (long long)c->step);
	return t->total >= c->step ||
	       failure(t->error, t->error_size, "%s: has done %lld steps already, more than the %lld that are asked "
	               "for", run, (long long)c->step, (long long)t->total);
}

/* Puts weights, optimizer and course where the training in the folder `run` has left them. */
static ad_run_status read_state(struct trainer *t)
{
	const char *run = t->o->run;
	char *path = path_in(run, "state.safetensors"), *ended = folder_status(run), id[20];
	struct state s = { 0 };
	struct stat info;
	bool refused = true, good = false;

	if (!path || !folder_id(t->m, id)) {
		refused = failure_memory(t->error, t->error_size, run, 0);
	} else if (ended && strcmp(ended, "diverged") == 0) {
		failure(t->error, t->error_size, "%s: has diverged, and would again; begin anew with a smaller lr", run);
	} else if (stat(path, &info) != 0 && errno == ENOENT) {
		failure(t->error, t->error_size, "%s: has no state.safetensors to go on from: it ended before the first "
		        "was saved, or was made by a version that saved none; begin anew, or from its weights, "
		        "train.from", run);
	} else if (!list_state(t, &s, true)) {
		refused = failure_memory(t->error, t->error_size, path, 0);
	} else if (arrays_read(path, s.n, s.arrays, id, &refused, t->error, t->error_size)) {
		good = check_state(t, run, ended);
		refused = !good;
	}
	state_free(&s);
	free(path);
	free(ended);
	optimizer_go_on(t->optimizer, t->c.step, t->c.rate);
	return good ? AD_RUN_DONE : refused ? AD_RUN_REFUSED : AD_RUN_FAILED;
}

/* ---- epochs ------------------------------------------------------------------------------------- */

/* Finishes a step that is done. */
static bool follow(struct trainer *t, bool *ends)
{
	struct moment now;

	if (!after_step(t, ends))
		return false;
	if (t->has_folder && (t->c.measured == t->c.step || epoch_ends(t) || *ends)) {
		fill_moment(t, t->c.measured == t->c.step, &now);
		if (!log_epoch(t, &now, false, t->error, t->error_size))
			return false;
	}
	t->c.followed = 1;
	return save_sometimes(t);
}

/* The epoch under way, or the next. */
static ad_run_status one_epoch(struct trainer *t, bool *ends)
{
	ad_run_status status = AD_RUN_DONE;
	const struct data_spec *d = &t->m->data;
	struct course *c = &t->c;
	double since = start_of_time(t->m);
	struct moment now;
	char text[512];
	uint64_t mode;

	if (c->followed && c->in_epoch == t->steps_per_epoch) {
		c->epoch++;
		c->in_epoch = 0;
	}
	if (c->in_epoch == 0) {
		memset(c->sums, 0, (1 + (size_t)t->m->n_metrics) * sizeof *c->sums);
		c->seen = 0;
		c->norm_sum = c->measuring = c->spent = 0;
	}
	t->epoch_started = seconds_now() - c->spent;
	if (d->shuffle && !d->draw_random && t->parts.train.n > 1) {
		for (size_t k = 0; k < t->parts.train.n; k++)
			t->order[k] = k;
		data_shuffle(t->m->train.seed, STREAM_SHUFFLE, (uint64_t)c->epoch, t->order, t->parts.train.n);
	}
	add_time(t->m, &since, &t->m->times.data);
	/* once here, not by each step's parts */
	t->plain = mode = fp_enter(!t->m->f64);
	while ((!c->followed || !epoch_ends(t)) && status == AD_RUN_DONE && !*ends && !asked_to_end(t)) {
		/* a step that was done when the training was stopped */
		if (c->followed)
			status = step(t);
		if (status == AD_RUN_INTERRUPTED) {
			status = AD_RUN_DONE;
			break;
		}
		if (status == AD_RUN_DONE && !asked_to_end(t) && !follow(t, ends))
			status = AD_RUN_FAILED;
		if (!t->progress.to || c->in_epoch == 0)
			continue;
		fill_moment(t, false, &now);
		progress_step(&t->progress, &now);
	}
	fp_leave(mode);
	if (c->in_epoch == 0)
		return status;
	fill_moment(t, c->measured == c->step, &now);
	progress_epoch(&t->progress, &now,
	               c->step == t->total || status != AD_RUN_DONE || *ends || asked_to_end(t));
	if (t->has_folder && c->logged != c->step && !log_epoch(t, &now, true, text, sizeof text) &&
	    status == AD_RUN_DONE) {
		failure(t->error, t->error_size, "%s", text);
		return AD_RUN_FAILED;
	}
	return status;
}

/* What the trained model reaches on every part. */
static bool measure_parts(struct trainer *t, struct run_result *r)
{
	struct dataset *const sets[] = { &t->parts.train, &t->parts.valid, &t->parts.test };
	double *const values[] = { t->train, t->c.valid, t->test };
	static const char *const names[] = { "train", "valid", "test" };

	for (int k = 0; k < 3; k++) {
		if (k > 0 && sets[k]->n == 0)
			continue;
		if (!model_measure(t->m, sets[k], values[k], t->error, t->error_size))
			return false;
		r->parts[r->n_parts++] = (struct run_part){ names[k], sets[k]->n, values[k] };
	}
	return true;
}

/* Weights and result, after whatever ended the training. */
static ad_run_status finish(struct trainer *t, ad_run_status status)
{
	struct run_result r = { .status = status == AD_RUN_DONE ? "done" : "diverged",
		                .steps = t->c.step, .epochs = t->c.epoch - (t->c.in_epoch == 0),
		                .best_step = t->c.best.step, .best = t->c.best.value };
	double since = start_of_time(t->m);
	char text[512];
	bool written;

	for (size_t k = 0; k < N_SIGNALS; k++)
		if (signals[k].status == status)
			r.status = signals[k].word;
	/* Weights first: what follows may fail, or take long. */
	if (!(status == AD_RUN_DIVERGED ? folder_weights(&t->folder, text, sizeof text)
	                                : save(t, text, sizeof text))) {
		failure(t->error, t->error_size, "%s", text);
		return AD_RUN_FAILED;
	}
	/* it would diverge again */
	if (status == AD_RUN_DIVERGED)
		folder_remove(&t->folder, "state.safetensors");
	add_time(t->m, &since, &t->m->times.files);
	if (status == AD_RUN_DONE && !measure_parts(t, &r))
		return AD_RUN_FAILED;
	r.seconds = seconds_now() - t->started;
	since = start_of_time(t->m);
	written = folder_result(&t->folder, &r, text, sizeof text);
	add_time(t->m, &since, &t->m->times.files);
	if (!written) {
		failure(t->error, t->error_size, "%s", text);
		return AD_RUN_FAILED;
	}
	return status;
}

static ad_run_status run(struct trainer *t)
{
	ad_run_status status = AD_RUN_DONE;
	struct course *c = &t->c;
	bool ends = c->followed && t->total == c->total && has_done_its_best(t);

	t->started = seconds_now() - c->seconds;
	t->epoch_started = seconds_now() - c->spent;
	t->next_save = seconds_now() + (t->o->save_seconds > 0 ? t->o->save_seconds : SAVE_SECONDS);
	while (status == AD_RUN_DONE && !asked_to_end(t) && (!c->followed || c->step < t->total) && !ends)
		status = one_epoch(t, &ends);
	progress_end(&t->progress);
	if (status == AD_RUN_DONE && ends && t->progress.to)
		fprintf(t->progress.to, "stopped early after step %lld: the best was %.6g after step %lld\n",
		        (long long)c->step, c->stop.value, (long long)c->stop.step);
	for (size_t k = 0; k < N_SIGNALS && status == AD_RUN_DONE; k++) {
		if (asked_to_end(t) != signals[k].number)
			continue;
		status = signals[k].status;
		failure(t->error, t->error_size, "stopped by %s after step %lld of %lld%s", signals[k].name,
		        (long long)c->step, (long long)t->total, t->has_folder ? "; the weights are saved" : "");
	}
	if (!t->has_folder)
		return status;
	if (status == AD_RUN_FAILED || status == AD_RUN_REFUSED) {
		/* What was learnt so far is worth a try; the sentence stays that of the failure. The state is that of
		 * the last time it was saved: this moment's may lack half of a step. */
		if (c->step > 0)
			folder_weights(&t->folder, NULL, 0);
		return status;
	}
	return finish(t, status);
}

/* ---- starting ---------------------------------------------------------------------------------- */

/* What must be there before any data is read. */
static bool check_model(struct trainer *t)
{
	const ad_model *m = t->m;
	char *error = t->error;
	size_t n = t->error_size;
	bool fed = false, learns = false;

	if (ad_model_errors(m) > 0 || !m->graph)
		return failure(error, n, "%s has errors", m->path);
	if (!m->train.given)
		return failure(error, n, "%s has no key 'train', which says how to train it", m->path);
	if (m->tree && !yaml_get(yaml_root(m->tree), "loss"))
		return failure(error, n, "%s has no 'loss', which the training makes small", m->path);
	if (!m->train.optimizer)
		return failure(error, n, "%s: 'train' needs an optimizer, such as optimizer: {sgd: {lr: 0.1}}",
		               m->path);
	if (m->train.epochs < 0 && m->train.steps < 0)
		return failure(error, n, "%s: 'train' needs 'epochs' or 'steps'", m->path);
	if (!m->train.optimizer->check(m->train.optimizer_attrs, error, n))
		return false;
	for (int k = 0; k < m->n_weights; k++)
		learns |= ad_wants_gradient(m->weights[k].node);
	if (!learns)
		return failure(error, n, "%s has no weights to train", m->path);
	for (int k = 0; k < m->n_inputs; k++)
		fed |= !m->inputs[k].scalar_leaf;
	if (fed && !m->data.has_train)
		return failure(error, n,
		               "%s has inputs, but no data for them: add 'data' with 'train', or --set "
		               "'data.train={format: ...}'", m->path);
	return model_take_precision(t->m, error, n);
}

static bool plan_steps(struct trainer *t)
{
	const ad_model *m = t->m;
	size_t n = t->parts.train.n, batch = (size_t)m->data.batch;
	int64_t by_epochs, samples;

	t->batch = n == 0 ? 0 : m->batch_dim < 0 ? 1 : batch == 0 || batch > n ? n : batch;
	if (__builtin_mul_overflow((int64_t)(n ? t->batch : 1), m->train.accumulate, &samples))
		return failure(t->error, t->error_size, "%s: 'train' accumulates too many batches, %lld", m->path,
		               (long long)m->train.accumulate);
	t->steps_per_epoch = n == 0 ? 1 : (int64_t)((n + t->batch - 1) / t->batch);
	t->steps_per_epoch = (t->steps_per_epoch - 1) / m->train.accumulate + 1;
	if (m->train.epochs < 0)
		by_epochs = INT64_MAX;
	else if (__builtin_mul_overflow(m->train.epochs, t->steps_per_epoch, &by_epochs))
		return failure(t->error, t->error_size, "%s: 'train' has too many epochs", m->path);
	t->total = m->train.steps >= 0 && m->train.steps < by_epochs ? m->train.steps : by_epochs;
	t->planned = t->total;
	t->epochs = t->total / t->steps_per_epoch + (t->total % t->steps_per_epoch != 0);
	return true;
}

/* Whether a gradient is more than the constant 0 that a weight gets which the loss does not reach. */
static bool is_reached(const ad_model *m, ad_node *gradient)
{
	const unsigned char *data;

	if (!gradient || ad_inputs(gradient) > 0)
		return gradient != NULL;
	data = ad_evaluate(m->graph, &gradient, 1) == AD_OK ? ad_data(gradient) : NULL;
	for (size_t k = 0; data && k < ad_count(gradient) * real_size(m); k++)
		if (data[k])
			return true;
	return !data;
}

/* The weights to begin with, `from`: a run folder's last ones, or a file. */
static ad_run_status read_from(struct trainer *t)
{
	struct stat info;
	const char *from = t->m->train.from;
	char *file = NULL;
	bool refused = false, good;

	if (!from)
		return AD_RUN_DONE;
	if (stat(from, &info) == 0 && S_ISDIR(info.st_mode)) {
		file = path_in(from, "last.safetensors");
		if (!file) {
			failure_memory(t->error, t->error_size, from, 0);
			return AD_RUN_FAILED;
		}
	}
	good = checkpoint_read(t->m, file ? file : from, &refused, t->error, t->error_size);
	free(file);
	return good ? AD_RUN_DONE : refused ? AD_RUN_REFUSED : AD_RUN_FAILED;
}

/* The new run folder, or that of the training that goes on. */
static ad_run_status open_folder(struct trainer *t)
{
	double since = start_of_time(t->m);
	bool taken, valid = t->parts.valid.n > 0;

	t->has_folder = t->o->resume
	                    ? folder_reopen(&t->folder, t->m, t->o->run, valid, &taken, t->error, t->error_size)
	                    : folder_open(&t->folder, t->m, t->o->run, valid, &taken, t->error, t->error_size);
	add_time(t->m, &since, &t->m->times.files);
	return t->has_folder ? AD_RUN_DONE : taken ? AD_RUN_REFUSED : AD_RUN_FAILED;
}

/* Where the training begins: at the initial weights, at those of another run, or where it was. */
static ad_run_status find_start(struct trainer *t)
{
	ad_run_status status;
	char text[128];

	t->c = (struct course){ .epoch = 1, .followed = 1, .logged = -1, .measured = -1, .newest = t->c.newest,
		                .sums = t->c.sums, .valid = t->c.valid };
	if (!t->o->resume) {
		status = read_from(t);
		return status == AD_RUN_DONE && !t->o->dry ? open_folder(t) : status;
	}
	status = t->o->dry ? AD_RUN_DONE : open_folder(t);
	if (status == AD_RUN_DONE)
		status = read_state(t);
	if (status != AD_RUN_DONE || t->o->dry)
		return status;
	if (!folder_cut(&t->folder, t->c.ends, t->error, t->error_size))
		return AD_RUN_FAILED;
	folder_remove(&t->folder, "result.json");
	snprintf(text, sizeof text, "goes on after step %lld of %lld", (long long)t->c.step, (long long)t->total);
	progress_note(&t->progress, text);
	return AD_RUN_DONE;
}

/* What the first step's recording shows, before there is a run folder. */
static ad_run_status check_recording(struct trainer *t)
{
	ad_model *m = t->m;
	const struct dataset *d = t->parts.train.n ? &t->parts.train : NULL;
	double since = start_of_time(m);
	struct instance *in;
	bool learns = false, recorded;
	size_t n_roots;

	if (!data_dims(m, d, t->batch, t->dims, t->error, t->error_size))
		return AD_RUN_REFUSED;
	in = model_instance(m, t->dims, true);
	recorded = in && (!in->loss || model_gradients(m, in));
	add_time(m, &since, &m->times.recording);
	if (!recorded) {
		graph_failed(m, t->error, t->error_size);
		return AD_RUN_FAILED;
	}
	if (!in->loss || !value_roots(m, in, t->roots, &n_roots, t->error, t->error_size))
		return in->loss ? AD_RUN_REFUSED : AD_RUN_DONE;
	for (int k = 0; k < m->n_weights && !learns; k++)
		learns = is_reached(m, in->gradients[k]);
	if (!learns) {
		failure(t->error, t->error_size,
		        "%s: no weight gets a gradient from the loss, so there is nothing to train; argmax "
		        "and comparisons have none", m->path);
		return AD_RUN_REFUSED;
	}
	return data_check_labels(m, in, 3,
	                         (const struct dataset *const[]){ &t->parts.train, &t->parts.valid,
	                                                          &t->parts.test },
	                         t->error, t->error_size) ? AD_RUN_DONE : AD_RUN_REFUSED;
}

static ad_run_status train(ad_model *m, const ad_train_options *o, char *error, size_t n)
{
	static const ad_train_options nothing = { 0 };
	struct trainer t = { .m = m, .o = o ? o : &nothing, .error = error, .error_size = n };
	ad_run_status status = AD_RUN_FAILED;
	double since;

	if (error && n)
		error[0] = '\0';
	if (t.o->folder && t.o->folder_size)
		t.o->folder[0] = '\0';
	if (t.o->resume && !t.o->run) {
		failure(error, n, "a training that goes on needs the folder of its run");
		return AD_RUN_REFUSED;
	}
	if (!check_model(&t))
		return AD_RUN_REFUSED;
	ad_seed(m->graph, m->train.seed);
	since = start_of_time(m);
	if (!data_read(m, &t.parts, error, n)) {
		status = t.parts.unreadable ? AD_RUN_FAILED : AD_RUN_REFUSED;
		release(&t);
		return status;
	}
	add_time(m, &since, &m->times.data);
	if (!plan_steps(&t)) {
		release(&t);
		return AD_RUN_REFUSED;
	}
	progress_begin(&t.progress, m, t.o, t.epochs);
	if (!share_memory(&t) || !allocate(&t)) {
		release(&t);
		return AD_RUN_FAILED;
	}
	status = check_recording(&t);
	if (status == AD_RUN_DONE)
		status = find_start(&t);
	if (t.folder.path && t.o->folder && t.o->folder_size)
		snprintf(t.o->folder, t.o->folder_size, "%s", t.folder.path);
	if (status == AD_RUN_DONE) {
		if (t.o->dry && t.total > t.c.step) {
			t.total = t.c.step + 1;
			t.epochs = t.c.epoch;
		}
		keep_weights(&t, true);
		t.kept_step = t.c.step;
		if (!t.o->leave_signals)
			listen();
		status = run(&t);
		if (!t.o->leave_signals)
			listen_no_more();
	}
	release(&t);
	return status;
}

ad_run_status ad_model_train(ad_model *m, const ad_train_options *o, char *error, size_t n)
{
	double since = seconds_now();
	ad_run_status status;

	if (!m) {
		failure(error, n, "no model is given");
		return AD_RUN_FAILED;
	}
	m->timed = o && o->times;
	m->times = (ad_train_times){ 0 };
	status = train(m, o, error, n);
	add_time(m, &since, &m->times.all);
	if (m->timed)
		*o->times = m->times;
	m->timed = false;
	return status;
}
