/*
 * record: reads gradients.jsonl and gradients-edges.jsonl of a run, draws its steps.
 *
 * A step is drawn in a recording of the model that is never evaluated: edges are found in the record by
 * their keys (edges.h), which do not depend on the sizes of the recording.
 */
#include "record.h"
#include "command.h"
#include "edges.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES 256 /* of the recording, whose structure alone counts */
#define NO_LIST SIZE_MAX

/* A line of gradients-edges.jsonl: its keys, and in the order of the alphabet. */
struct list {
	size_t n;
	char **keys;
	struct numbered {
		const char *key;
		size_t number;
	} *sorted;
};

struct step {
	struct record_step about;
	size_t line;           /* in the file: of two about one step the later holds */
	size_t list;           /* NO_LIST: no edges */
	struct measure *edges; /* as many as the list has */
	size_t n_weights;
	struct record_weight *weights; /* by number of the path; gradient NaN and value NaN: none */
	bool *has;
	char *first_nan;
};

/* Where the gradient of a node's use, or of the node, is found: an edge of the graph drawn. */
struct spot {
	const ad_node *node;
	int input;
	const char *key;
};

struct record {
	char *run;
	size_t n_lists;
	struct list *lists;
	size_t n_steps;
	struct step *steps;
	size_t n_weights;
	char **weights;
	size_t edgeless; /* steps whose edges fit no list */
	char note[256];

	/* the graph drawn last */
	ad_model *m;
	struct instance *in;
	struct edges edges;
	size_t n_spots;
	struct spot *spots; /* by node and input */
};

static bool say(char *error, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool say(char *error, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (n > 0)
		vsnprintf(error, n, format, args);
	va_end(args);
	return false;
}

/* Room for element n of a list that holds n, in powers of two. */
static bool room(void *list, size_t n, size_t size)
{
	void *old, *larger;

	if (n & (n - 1))
		return true;
	memcpy(&old, list, sizeof old);
	larger = realloc(old, (n ? 2 * n : 1) * size);
	if (!larger)
		return false;
	memcpy(list, &larger, sizeof larger);
	return true;
}

static void add_note(char *note, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add_note(char *note, size_t n, const char *format, ...)
{
	size_t at = strlen(note);
	va_list args;

	if (at > 0 && at + 4 < n) {
		memcpy(note + at, "; ", 3);
		at += 2;
	}
	va_start(args, format);
	vsnprintf(note + at, n - at, format, args);
	va_end(args);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static double number_of(const cJSON *value)
{
	if (cJSON_IsNumber(value))
		return value->valuedouble;
	if (cJSON_IsString(value) && strcmp(value->valuestring, "Infinity") == 0)
		return INFINITY;
	if (cJSON_IsString(value) && strcmp(value->valuestring, "-Infinity") == 0)
		return -INFINITY;
	return NAN;
}

static double member(const cJSON *object, const char *name)
{
	return number_of(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* A size, which has no sign; NaN: it is none. */
static double size_member(const cJSON *object, const char *name)
{
	double x = member(object, name);

	return x >= 0 ? x : NAN;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct numbered *)a)->key, ((const struct numbered *)b)->key);
}

/* Takes a line of gradients-edges.jsonl; a bad one is an empty list, as lines are counted. */
static bool take_list(struct record *r, const cJSON *line)
{
	const cJSON *keys = cJSON_GetObjectItemCaseSensitive(line, "edges"), *key;
	struct list *l;
	size_t n = cJSON_IsArray(keys) ? (size_t)cJSON_GetArraySize(keys) : 0;

	if (!room(&r->lists, r->n_lists, sizeof *r->lists))
		return false;
	l = &r->lists[r->n_lists++];
	*l = (struct list){ .keys = calloc(n + 1, sizeof *l->keys), .sorted = calloc(n + 1, sizeof *l->sorted) };
	if (!l->keys || !l->sorted)
		return false;
	for (key = n ? keys->child : NULL; key; key = key->next, l->n++) {
		if (!(l->keys[l->n] = strdup(cJSON_IsString(key) ? key->valuestring : "")))
			return false;
		l->sorted[l->n] = (struct numbered){ l->keys[l->n], l->n };
	}
	qsort(l->sorted, l->n, sizeof *l->sorted, by_key);
	return true;
}

/* The number of a key in a list; SIZE_MAX: it is none of them. */
static size_t find_key(const struct list *l, const char *key)
{
	const struct numbered wanted = { .key = key }, *found;

	found = l->n ? bsearch(&wanted, l->sorted, l->n, sizeof wanted, by_key) : NULL;
	return found ? found->number : SIZE_MAX;
}

/* The number of a weight's path. The paths stand in the order of the file, so the next one is tried first. */
static size_t weight_number(struct record *r, const char *path, size_t next)
{
	if (next < r->n_weights && strcmp(r->weights[next], path) == 0)
		return next;
	for (size_t k = 0; k < r->n_weights; k++)
		if (strcmp(r->weights[k], path) == 0)
			return k;
	if (!room(&r->weights, r->n_weights, sizeof *r->weights) || !(r->weights[r->n_weights] = strdup(path)))
		return SIZE_MAX;
	return r->n_weights++;
}

static bool take_weights(struct record *r, struct step *s, const cJSON *weights)
{
	const cJSON *row;
	size_t at = 0, all = r->n_weights;

	cJSON_ArrayForEach(row, weights)
		all++;
	s->weights = calloc(all + 1, sizeof *s->weights);
	s->has = calloc(all + 1, sizeof *s->has);
	if (!s->weights || !s->has)
		return false;
	s->n_weights = all;
	cJSON_ArrayForEach(row, weights) {
		if (!row->string || !cJSON_IsObject(row))
			continue;
		at = weight_number(r, row->string, at);
		if (at == SIZE_MAX)
			return false;
		s->has[at] = true;
		s->weights[at] = (struct record_weight){ .gradient = size_member(row, "gradient"),
			                                 .mean = member(row, "mean"),
			                                 .max = size_member(row, "max"),
			                                 .zeros = size_member(row, "zeros"),
			                                 .value = size_member(row, "value"),
			                                 .update = size_member(row, "update") };
		at++;
	}
	return true;
}

/* The four arrays; *fits: they are as long as their list. */
static bool take_edges(const struct record *r, struct step *s, const cJSON *edges, bool *fits)
{
	static const char *const names[] = { "rms", "mean", "max", "zeros" };
	static const size_t offsets[] = { offsetof(struct measure, rms), offsetof(struct measure, mean),
		                          offsetof(struct measure, max), offsetof(struct measure, zeros) };
	double of = member(edges, "of");

	*fits = false;
	if (!(of >= 0 && of < (double)r->n_lists))
		return true;
	s->list = (size_t)of;
	s->edges = calloc(r->lists[s->list].n + 1, sizeof *s->edges);
	if (!s->edges)
		return false;
	*fits = true;
	for (size_t j = 0; j < 4; j++) {
		const cJSON *column = cJSON_GetObjectItemCaseSensitive(edges, names[j]), *value;
		size_t k = 0;

		cJSON_ArrayForEach(value, column) {
			double x = number_of(value);

			if (x < 0 && offsets[j] != offsetof(struct measure, mean))
				x = NAN;
			if (k < r->lists[s->list].n)
				memcpy((char *)&s->edges[k] + offsets[j], &x, sizeof x);
			k++;
		}
		*fits &= k == r->lists[s->list].n;
	}
	if (!*fits)
		s->list = NO_LIST;
	return true;
}

static void free_step(struct step *s)
{
	free(s->edges);
	free(s->weights);
	free(s->has);
	free(s->first_nan);
}

/* Takes a line of gradients.jsonl; *good: it is one. Of one whose edges fit no list the weights are kept. */
static bool take_step(struct record *r, const cJSON *line, size_t number, bool *good)
{
	const cJSON *weights = cJSON_GetObjectItemCaseSensitive(line, "weights"),
	            *edges = cJSON_GetObjectItemCaseSensitive(line, "edges"),
	            *nan = cJSON_GetObjectItemCaseSensitive(line, "first_nan");
	struct step s = { .list = NO_LIST, .line = number };
	double step = member(line, "step"), epoch = member(line, "epoch");
	bool fits = true;

	*good = step >= 0 && step < 1e15 && cJSON_IsObject(weights);
	if (!*good)
		return true;
	s.about = (struct record_step){ .step = (int64_t)step,
		                        .epoch = epoch >= 0 && epoch < 1e15 ? (int64_t)epoch : 0,
		                        .loss = member(line, "loss"),
		                        .rate = member(line, "rate"),
		                        .reference = size_member(line, "reference"),
		                        .rows = member(line, "rows") };
	if (cJSON_IsString(nan) && !(s.first_nan = strdup(nan->valuestring)))
		return false;
	if (!room(&r->steps, r->n_steps, sizeof *r->steps) || !take_weights(r, &s, weights) ||
	    (edges && !take_edges(r, &s, edges, &fits))) {
		free_step(&s);
		return false;
	}
	s.about.edges = s.list != NO_LIST;
	r->edgeless += !fits;
	r->steps[r->n_steps++] = s;
	return true;
}

/* Calls take for each line; a line that is no JSON is taken as NULL. False: *reason is an errno, or 0 for
 * want of memory. */
static bool read_lines(struct record *r, const char *name,
                       bool (*take)(struct record *r, const cJSON *line, size_t number, bool *good),
                       int *reason)
{
	char *path = join_path(r->run, name), *line = NULL;
	FILE *file = path ? fopen(path, "re") : NULL;
	size_t size = 0, number = 0, bad = 0, first = 0;
	bool kept = true, cut = false;
	ssize_t length;

	*reason = path && !file ? errno : 0;
	free(path);
	if (!file)
		return false;
	while (kept && (length = getline(&line, &size, file)) > 0) {
		cJSON *tree = cJSON_ParseWithLength(line, (size_t)length);
		bool good = tree != NULL;

		number++;
		kept = take(r, tree, number, &good);
		cJSON_Delete(tree);
		if (good)
			continue;
		bad++;
		cut = line[length - 1] != '\n';
		if (first == 0)
			first = number;
	}
	if (kept && ferror(file)) {
		*reason = errno ? errno : EIO;
		kept = false;
	}
	free(line);
	fclose(file);
	if (bad == 1)
		snprintf(r->note, sizeof r->note, "%s:%zu: the line is %s and left out", name, first,
		         cut ? "cut off" : "no record");
	else if (bad > 1)
		snprintf(r->note, sizeof r->note, "%s: %zu lines, the first of them %zu, are no records and left out",
		         name, bad, first);
	return kept;
}

static bool take_list_line(struct record *r, const cJSON *line, size_t number, bool *good)
{
	*good = *good && cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(line, "edges"));
	return take_list(r, line);
}

static bool take_step_line(struct record *r, const cJSON *line, size_t number, bool *good)
{
	return !*good || take_step(r, line, number, good);
}

static int by_step(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->about.step != y->about.step)
		return x->about.step < y->about.step ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

/* In order, each once: the last line about a step. */
static void sort_steps(struct record *r)
{
	size_t n = 0;

	qsort(r->steps, r->n_steps, sizeof *r->steps, by_step);
	for (size_t k = 0; k < r->n_steps; k++)
		if (k + 1 < r->n_steps && r->steps[k + 1].about.step == r->steps[k].about.step)
			free_step(&r->steps[k]);
		else
			r->steps[n++] = r->steps[k];
	r->n_steps = n;
}

static void forget_graph(struct record *r)
{
	edges_free(&r->edges);
	free(r->spots);
	r->spots = NULL;
	r->n_spots = 0;
	r->m = NULL;
	r->in = NULL;
}

void record_close(struct record *r)
{
	if (!r)
		return;
	forget_graph(r);
	for (size_t k = 0; k < r->n_steps; k++)
		free_step(&r->steps[k]);
	for (size_t k = 0; k < r->n_lists; k++) {
		for (size_t j = 0; r->lists[k].keys && j < r->lists[k].n; j++)
			free(r->lists[k].keys[j]);
		free(r->lists[k].keys);
		free(r->lists[k].sorted);
	}
	for (size_t k = 0; k < r->n_weights; k++)
		free(r->weights[k]);
	free(r->steps);
	free(r->lists);
	free(r->weights);
	free(r->run);
	free(r);
}

struct record *record_open(const char *run, char *error, size_t n)
{
	static const char remedy[] = "train it with 'gradients' in 'train': "
	                             "--set 'train.gradients={every: 200 steps}'";
	struct record *r = calloc(1, sizeof *r);
	int reason = 0;
	bool good;

	if (!r || !(r->run = strdup(run))) {
		record_close(r);
		say(error, n, "out of memory");
		return NULL;
	}
	good = read_lines(r, "gradients-edges.jsonl", take_list_line, &reason) || reason == ENOENT;
	if (good)
		good = read_lines(r, "gradients.jsonl", take_step_line, &reason);
	if (!good && reason == ENOENT && is_folder(run))
		say(error, n, "'%s' has no record of gradients: %s", run, remedy);
	else if (!good)
		say(error, n, "the record of gradients of '%s' cannot be read: %s", run,
		    reason ? strerror(reason) : "out of memory");
	else if (r->n_steps == 0)
		good = say(error, n, "the record of gradients of '%s' is empty: %s", run,
		           r->note[0] ? r->note : remedy);
	if (!good) {
		record_close(r);
		return NULL;
	}
	if (r->edgeless > 0)
		add_note(r->note, sizeof r->note,
		         "gradients.jsonl: the edges of %zu of %zu records fit no line of gradients-edges.jsonl: only "
		         "their weights are shown",
		         r->edgeless, r->n_steps);
	sort_steps(r);
	return r;
}

const char *record_note(const struct record *r)
{
	return r->note;
}

size_t record_steps(const struct record *r)
{
	return r->n_steps;
}

struct record_step record_step(const struct record *r, size_t k)
{
	return r->steps[k].about;
}

size_t record_at(const struct record *r, int64_t step)
{
	size_t k = 0;

	while (k + 1 < r->n_steps && r->steps[k + 1].about.step <= step)
		k++;
	return k;
}

size_t record_weights(const struct record *r)
{
	return r->n_weights;
}

const char *record_weight_path(const struct record *r, size_t i)
{
	return r->weights[i];
}

bool record_weight(const struct record *r, size_t k, size_t i, struct record_weight *to)
{
	const struct step *s = &r->steps[k];

	if (i >= s->n_weights || !s->has[i])
		return false;
	*to = s->weights[i];
	return true;
}

/* ---- drawing ---------------------------------------------------------------------------------- */

static int by_spot(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->node != y->node)
		return (uintptr_t)x->node < (uintptr_t)y->node ? -1 : 1;
	return (x->input > y->input) - (x->input < y->input);
}

/* Each edge, and each node that is used once, whose gradient is that of its use. */
static bool make_spots(struct record *r)
{
	struct spot *to = malloc((2 * r->edges.n + 1) * sizeof *to);
	size_t n = 0, own;

	if (!to)
		return false;
	r->spots = to;
	for (size_t k = 0; k < r->edges.n; k++)
		to[n++] = (struct spot){ r->edges.of[k].node, r->edges.of[k].input, r->edges.of[k].key };
	own = n;
	qsort(to, own, sizeof *to, by_spot);
	for (size_t k = 0; k < r->edges.n; k++) {
		const struct edge *e = &r->edges.of[k];
		struct spot p = { e->input < 0 ? NULL : ad_input_of(e->node, e->input), -1, e->key };

		if (p.node && !bsearch(&p, to, own, sizeof *to, by_spot))
			to[n++] = p;
	}
	r->n_spots = n;
	qsort(to, n, sizeof *to, by_spot);
	return true;
}

static bool take_graph(struct record *r, ad_model *m, char *error, size_t n)
{
	size_t batch = m->data.batch > 0 && m->data.batch < MOST_SAMPLES ? (size_t)m->data.batch
	                                                                 : MOST_SAMPLES;
	ad_node *y;
	int status;

	if (r->m == m && r->in)
		return true;
	forget_graph(r);
	/* Of the sizes that the data has, as layers may unroll over one; without data, of any. */
	r->in = first_batch(m, batch, true, &status, error, n);
	if (!r->in) {
		ad_clear(m->graph);
		r->in = any_batch(m, true, error, n);
	}
	if (!r->in)
		return false;
	r->m = m;
	y = r->in->loss ? r->in->loss : r->in->output;
	if (edges_list(y, &r->edges) && make_spots(r))
		return true;
	forget_graph(r);
	return say(error, n, "out of memory");
}

ad_node *record_node(struct record *r, ad_model *m, char *error, size_t n)
{
	if (!take_graph(r, m, error, n))
		return NULL;
	return r->in->loss ? r->in->loss : r->in->output;
}

/* A step of a record in the graph of another, or of its own. */
struct shown {
	const struct record *graph, *from;
	const struct step *step;
};

static const struct record_weight *weight_of(const struct shown *s, const ad_node *x)
{
	const ad_model *m = s->graph->m;

	for (int k = 0; ad_kind_of(x) == AD_IS_PARAM && k < m->n_weights; k++)
		for (size_t i = 0; m->weights[k].node == x && i < s->step->n_weights; i++)
			if (s->step->has[i] && strcmp(s->from->weights[i], m->weights[k].path) == 0)
				return &s->step->weights[i];
	return NULL;
}

static bool find_gradient(void *context, ad_node *x, int input, ad_draw_statistic *to)
{
	const struct shown *s = context;
	const struct spot key = { .node = x, .input = input }, *found;
	const struct record_weight *w;
	size_t at = SIZE_MAX;

	found = bsearch(&key, s->graph->spots, s->graph->n_spots, sizeof *s->graph->spots, by_spot);
	if (found && s->step->list != NO_LIST)
		at = find_key(&s->from->lists[s->step->list], found->key);
	if (at != SIZE_MAX) {
		const struct measure *m = &s->step->edges[at];

		*to = (ad_draw_statistic){ m->rms, m->mean, m->max, m->zeros };
		return true;
	}
	/* Weights are recorded even where their edges are not. */
	w = input < 0 ? weight_of(s, x) : NULL;
	if (w)
		*to = (ad_draw_statistic){ w->gradient, w->mean, w->max, w->zeros };
	return w != NULL;
}

static bool find_value(void *context, ad_node *x, ad_draw_statistic *to)
{
	const struct record_weight *w = weight_of(context, x);

	if (!w || isnan(w->value))
		return false;
	*to = (ad_draw_statistic){ .rms = w->value, .mean = NAN, .max = NAN, .zeros = NAN };
	return true;
}

static bool find_update(void *context, ad_node *x, double *ratio)
{
	const struct record_weight *w = weight_of(context, x);

	if (!w || isnan(w->update))
		return false;
	*ratio = w->update;
	return true;
}

static ad_node *find_nan(const struct record *graph, const struct step *s)
{
	for (size_t k = 0; s->first_nan && k < graph->edges.n; k++)
		if (strcmp(graph->edges.of[k].key, s->first_nan) == 0)
			return graph->edges.of[k].node;
	return NULL;
}

static ad_draw_record record_of(struct shown *s)
{
	return (ad_draw_record){ .context = s,
		                 .gradient = find_gradient,
		                 .value = find_value,
		                 .update = find_update,
		                 .loss = s->step->about.loss,
		                 .reference = s->step->about.reference,
		                 .rows = s->step->about.rows,
		                 .first_nan = find_nan(s->graph, s->step) };
}

/* Whether the records of two runs are of the same edges. */
static bool is_alike(const struct record *a, const struct step *s, const struct record *b,
                     const struct step *t, char *error, size_t n)
{
	const struct list *x, *y;

	if (s->list == NO_LIST || t->list == NO_LIST)
		return true;
	x = &a->lists[s->list];
	y = &b->lists[t->list];
	for (size_t k = 0; k < x->n; k++)
		if (find_key(y, x->keys[k]) == SIZE_MAX)
			return say(error, n,
			           "'%s' and '%s' differ in structure: '%s' is in the first alone; compare "
			           "runs of the same model",
			           a->run, b->run, x->keys[k]);
	for (size_t k = 0; k < y->n; k++)
		if (find_key(x, y->keys[k]) == SIZE_MAX)
			return say(error, n,
			           "'%s' and '%s' differ in structure: '%s' is in the second alone; compare "
			           "runs of the same model",
			           a->run, b->run, y->keys[k]);
	return true;
}

/* How many of the recorded edges the graph has. */
static size_t edges_in_graph(const struct record *r, const struct step *s)
{
	size_t n = 0;

	for (size_t k = 0; k < r->edges.n; k++)
		n += find_key(&r->lists[s->list], r->edges.of[k].key) != SIZE_MAX;
	return n;
}

/* What stands under the title beside what `how` has. */
static void write_note(char *note, size_t n, const struct record *r, const struct step *s,
                       const struct record *before, const struct step *t, const char *more)
{
	note[0] = '\0';
	if (before == r)
		add_note(note, n, "from step %lld to step %lld", (long long)t->about.step,
		         (long long)s->about.step);
	else if (before)
		add_note(note, n, "from %s, step %lld, to %s, step %lld", before->run, (long long)t->about.step,
		         r->run, (long long)s->about.step);
	if (before && t->about.rows != s->about.rows && s->about.rows > 0 && t->about.rows > 0)
		add_note(note, n, "of %.0f and %.0f rows: gradients that a mean shares out are compared times that",
		         t->about.rows, s->about.rows);
	if (s->list == NO_LIST || (before && t->list == NO_LIST))
		add_note(note, n, "weights alone were recorded");
	else if (edges_in_graph(r, s) < r->lists[s->list].n)
		add_note(note, n, "%zu of %zu recorded gradients are not in this model: config.yaml or the data was "
		                  "changed since",
		         r->lists[s->list].n - edges_in_graph(r, s), r->lists[s->list].n);
	if (more && *more)
		add_note(note, n, "%s", more);
}

bool record_draw(struct record *r, size_t k, struct record *before, size_t j, ad_model *m,
                 const ad_draw_options *how, FILE *to, char *error, size_t n)
{
	ad_draw_options o = how ? *how : (ad_draw_options){ 0 };
	struct shown now = { .graph = r, .from = r, .step = &r->steps[k] }, then = { .graph = r, .from = before };
	ad_draw_record record, old;
	ad_draw_layer *kinds;
	char note[512];
	ad_node *y;
	bool done;

	if (before)
		then.step = &before->steps[j];
	y = record_node(r, m, error, n);
	if (!y || (before && before != r && !is_alike(before, then.step, r, now.step, error, n)))
		return false;
	record = record_of(&now);
	o.record = &record;
	if (before) {
		old = record_of(&then);
		o.before = &old;
	}
	write_note(note, sizeof note, r, now.step, before, then.step, how ? how->note : NULL);
	o.note = note[0] ? note : NULL;
	o.gradients = true;
	o.title = o.title ? o.title : m->name;
	o.step = before ? -1 : now.step->about.step;
	o.reference = r->in->output != y ? r->in->output : NULL;
	o.layers = kinds = list_layers(m, &o.n_layers);
	done = ad_draw(y, &o, to, error, n);
	free(kinds);
	/* The library's sentences begin with its function's name, the command's with its own. */
	if (!done && strncmp(error, "draw: ", 6) == 0)
		memmove(error, error + 6, strlen(error + 6) + 1);
	return done;
}
