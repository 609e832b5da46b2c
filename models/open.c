/*
 * open: from a file to a model with weights, and its recordings for given sizes.
 */
#include "engine.h"
#include "file.h"
#include "language.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file -------------------------------------------------------------------------------- */

/* Reads at most one byte more than a model file may have. NULL: *wrong tells why. */
char *read_model_file(const char *path, size_t *length, const char **wrong)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	char *text = NULL;

	*length = 0;
	if (fd < 0 || fstat(fd, &info) != 0) {
		*wrong = strerror(errno);
	} else if (!S_ISREG(info.st_mode)) {
		*wrong = S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a regular file";
	} else if (!(text = malloc(MOST_BYTES + 2))) {
		*wrong = "out of memory";
	} else {
		while (*length <= MOST_BYTES) {
			ssize_t n = read(fd, text + *length, MOST_BYTES + 1 - *length);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0) {
				*wrong = strerror(errno);
				free(text);
				text = NULL;
			}
			if (n <= 0)
				break;
			*length += (size_t)n;
		}
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* "runs/digits.yaml" -> "digits", of characters that a folder's name may have. */
static char *name_from(struct store *s, const char *path)
{
	const char *base = strrchr(path, '/');
	char *name;

	base = base ? base + 1 : path;
	const char *dot = strrchr(base, '.');
	size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	name = store_copy(s, base, n > LONGEST_NAME ? LONGEST_NAME : n);
	for (char *c = name; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
		            *c) ||
		    (c == name && (*c == '.' || *c == '-')))
			*c = '_';
	return *name ? name : store_copy(s, "model", 5);
}

/* ---- the check ------------------------------------------------------------------------------- */

static bool is_prime(int64_t n)
{
	for (int64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return true;
}

/* Whether no number in the text is near a small multiple of n. */
static bool is_strange(const char *text, int64_t n)
{
	for (const char *s = text; *s;) {
		if (*s < '0' || *s > '9') {
			s++;
			continue;
		}
		char *end;
		int64_t number = strtoll(s, &end, 10), rest = number % n;

		if (number >= n - NEAR_DIM && (rest <= NEAR_DIM || rest >= n - NEAR_DIM))
			return false;
		s = end;
	}
	return true;
}

/* A prime for each free dim that nothing in the files is near to. Smaller ones where products of
 * many dims would not fit. */
static void choose_primes(ad_model *m, size_t n, const char *const overrides[])
{
	struct build *b = m->build;
	int64_t p = m->n_dims <= 2 ? 100200 : m->n_dims == 3 ? 10200 : 1200; /* near no limit that is named */

	b->primes = store_take(&b->store, (size_t)m->n_dims * sizeof *b->primes);
	b->dim_names = store_take(&b->store, (size_t)m->n_dims * sizeof(*b->dim_names));
	for (int k = 0; k < m->n_dims; k++) {
		bool strange;

		do {
			strange = is_prime(++p);
			for (int i = 0; strange && i < messages_sources(m->messages); i++)
				strange = is_strange(messages_text(m->messages, i), p);
			for (size_t i = 0; strange && i < n; i++)
				strange = is_strange(overrides[i], p);
		} while (!strange);
		b->primes[k] = p;
		p += 2 * NEAR_DIM;
		b->dim_names[k] = scope_own(&b->file, m->dims[k]);
	}
}

/* No weights that this machine cannot hold; said before any memory is taken. */
static void check_size(ad_model *m)
{
	struct build *b = m->build;
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	double room = pages > 0 && page > 0 ? (double)pages * (double)page / 2 : 1e12, bytes = 0;

	for (int i = 0; i < m->n_weights; i++) {
		bytes += (double)ad_count(b->check_nodes[i]) * (m->f64 ? 8 : 4);
		if (bytes > room) {
			message(m->messages, E_LIMIT, m->weights[i].at, NULL, NULL,
			        "the weights up to '%s' need %.3g GB; half of this machine's "
			        "memory is %.3g GB",
			        m->weights[i].path, bytes / 1e9, room / 1e9);
			return;
		}
	}
}

/* A model of single numbers computes in f64 unless told otherwise. */
static bool only_numbers(const ad_model *m)
{
	for (int i = 0; i < m->n_inputs; i++)
		if (m->inputs[i].rank != 0)
			return false;
	for (int i = 0; i < m->n_weights; i++)
		if (ad_shape_of(m->build->check_nodes[i]).rank != 0)
			return false;
	return true;
}

/* The model's own graph: the weights that the check has found. */
static void make_graph(ad_model *m)
{
	m->graph = m->f64 ? ad_open_f64() : ad_open();
	for (int i = 0; i < m->n_weights; i++) {
		struct weight *w = &m->weights[i];
		ad_shape shape = ad_shape_of(m->build->check_nodes[i]);

		w->node = w->buffer ? ad_buffer(m->graph, w->path, w->type, shape)
		                    : ad_param(m->graph, w->path, shape);
		if (w->frozen && !w->buffer)
			ad_want_gradient(w->node, false);
	}
	ad_seed(m->graph, m->train.seed);
}

static void check_model(ad_model *m, size_t n, const char *const overrides[], ad_graph *graph)
{
	struct build *b = m->build;
	struct recording r = {
		.model = m, .store = &b->store, .messages = m->messages, .space = ""
	};
	struct instance *in = store_take(&b->store, sizeof *in);

	check_top(&r);
	check_train(&r);
	check_data(&r);
	check_plan(&r);
	choose_primes(m, n, overrides);
	in->dims = b->primes;
	in->training = true;
	r.graph = graph;
	build_model(&r, in);
	if (messages_errors(m->messages) == 0) {
		check_unused(&r);
		check_groups(&r);
	}
	m->f64 = m->train.f64;
	if (!yaml_get(yaml_get(b->root, "train"), "precision"))
		m->f64 = m->train.f64 = only_numbers(m);
	check_size(m);
}

/* ---- opening  / ------------------------------------------------------------------------------ */

static void read_tree(ad_model *m, const char *text, size_t length, size_t n,
                      const char *const overrides[])
{
	struct build *b = m->build;
	struct yaml *root;

	m->tree = yaml_read(text, length, m->messages);
	if (!m->tree)
		longjmp(*b->store.out, 1);
	root = yaml_root(m->tree);
	if (!root)
		return;
	if (root->kind != YAML_MAP) {
		message(m->messages, E_TYPE, root->at, NULL, "it begins with 'version: 1'",
		        "a model file is a mapping of keys, not a %s",
		        root->kind == YAML_LIST ? "list" : "single value");
		return;
	}
	yaml_store(m->tree)->out = b->store.out;
	bool whole = extend_tree(m->tree, m->messages, m->path);
	for (size_t i = 0; i < n; i++)
		override_apply(m->tree, m->messages, (int)i + 1, overrides[i]);
	yaml_store(m->tree)->out = NULL;
	b->root = whole ? yaml_root(m->tree) : NULL;
}

/* What is to be changed: "a.b=v", of the environment, then of the caller, then of a sweep. */
struct overrides {
	size_t n, n_environment, n_swept;
	const char *const *list;
};

/* False without memory. graph: for the check, closed by the caller. */
static bool open_text(ad_model *m, const char *path, const char *text, size_t length,
                      const struct overrides *o, ad_graph *graph, const char *wrong)
{
	const size_t n = o->n;
	const char *const *overrides = o->list;
	struct build *b = m->build;
	jmp_buf out;
	char *slash;

	b->store.out = &out;
	if (setjmp(out))
		return false;
	m->path = store_copy(&b->store, path, strlen(path));
	m->folder = store_copy(&b->store, path, strlen(path));
	slash = strrchr(m->folder, '/');
	if (slash)
		slash[slash == m->folder] = '\0';
	else
		m->folder = store_copy(&b->store, ".", 1);
	m->name = name_from(&b->store, path);
	m->batch_dim = -1;
	m->train.epochs = m->train.steps = -1;
	m->messages = messages_new(path, text ? text : "", text ? length : 0);
	if (!m->messages)
		return false;
	if (!text) {
		message(m->messages, E_FILE, (struct place){ 0 }, NULL, NULL, "cannot be read: %s",
		        wrong);
		return true;
	}
	/* The messages quote them later. */
	const char **kept = store_take(&b->store, (n + 1) * sizeof(*kept));
	for (size_t i = 0; i < n; i++)
		kept[i] = store_copy(&b->store, overrides[i], strlen(overrides[i]));
	messages_overrides(m->messages, n, kept, o->n_environment, o->n_swept);
	read_tree(m, text, length, n, kept);
	if (b->root)
		check_model(m, n, kept, graph);
	if (messages_errors(m->messages) > 0)
		return true;
	make_graph(m);
	if (ad_status_of(m->graph) == AD_OK)
		return true;
	message(m->messages, E_LIMIT, (struct place){ 0 }, NULL, NULL, "%s", ad_errmsg(m->graph));
	return true;
}

static ad_model *open_with(const char *path, const struct overrides *o)
{
	ad_model *m = calloc(1, sizeof *m);
	size_t length = 0;
	const char *wrong = "";

	if (!m || !(m->build = calloc(1, sizeof *m->build))) {
		free(m);
		return NULL;
	}
	path = path ? path : "";
	char *text = read_model_file(path, &length, &wrong);
	if (text)
		text[length] = '\0';
	ad_graph *graph = ad_open();
	bool good = open_text(m, path, text, length, o, graph, wrong);
	ad_close(graph);
	free(text);
	m->build->store.out = NULL;
	m->build->check_nodes = NULL;
	if (good)
		return m;
	ad_model_close(m);
	return NULL;
}

ad_model *ad_model_open(const char *path, size_t n_overrides, const char *const overrides[])
{
	return open_with(path, &(struct overrides){ .n = n_overrides, .list = overrides });
}

/* The lines of AUTOGRAD_SET, cut in place, before what is given. */
ad_model *model_open_trial(const char *path, bool here, size_t n_overrides, const char *const overrides[],
                           size_t n_swept, const char *const swept[])
{
	const char *set = here ? getenv("AUTOGRAD_SET") : NULL;
	char *text = strdup(set ? set : ""), *rest = text;
	size_t lines = 1;
	ad_model *m = NULL;

	for (const char *s = set; s && *s; s++)
		lines += *s == '\n';
	const char **all = malloc((n_overrides + n_swept + lines) * sizeof(*all));
	struct overrides o = { .n_swept = n_swept, .list = all };
	if (text && all) {
		for (char *line; (line = strsep(&rest, "\n")) != NULL;)
			if (line[strspn(line, " \t\r")])
				all[o.n++] = line;
		o.n_environment = o.n;
		for (size_t i = 0; i < n_overrides; i++)
			all[o.n++] = overrides[i];
		for (size_t i = 0; i < n_swept; i++)
			all[o.n++] = swept[i];
		m = open_with(path, &o);
	}
	free(all);
	free(text);
	return m;
}

ad_model *model_open_here(const char *path, size_t n_overrides, const char *const overrides[])
{
	return model_open_trial(path, true, n_overrides, overrides, 0, NULL);
}

void ad_model_close(ad_model *m)
{
	if (!m)
		return;
	stepper_free(m->stepper);
	ad_close(m->graph);
	messages_free(m->messages);
	yaml_free(m->tree);
	arena_free(&m->build->store.arena);
	free(m->build);
	free(m);
}

bool model_ready(const ad_model *m)
{
	struct build *b = m->build;

	if (!b || b->initialised || !m->graph)
		return true;
	b->initialised = true;
	return init_weights(m, m->train.seed);
}

/* ---- asking  / ------------------------------------------------------------------------------- */

int ad_model_errors(const ad_model *m)
{
	return m ? messages_errors(m->messages) : 1;
}

void ad_model_messages(const ad_model *m, FILE *to, bool json)
{
	if (m)
		messages_print(m->messages, to, json);
	else
		fputs(json ? "{\"message\": \"out of memory\"}\n" : "out of memory\n", to);
}

void ad_model_limit_memory(ad_model *m, size_t bytes)
{
	if (m)
		m->memory_limit = bytes;
	if (m && m->graph)
		ad_limit_memory(m->graph, bytes);
}

const char *ad_model_name(const ad_model *m)
{
	return m ? m->name : NULL;
}

ad_graph *ad_model_graph(const ad_model *m)
{
	if (m)
		model_ready(m);
	return m ? m->graph : NULL;
}

size_t ad_model_weights(const ad_model *m)
{
	return m ? (size_t)m->n_weights : 0;
}

ad_node *ad_model_weight(const ad_model *m, size_t k, const char **path)
{
	if (k >= ad_model_weights(m))
		return NULL;
	if (path)
		*path = m->weights[k].path;
	model_ready(m);
	return m->weights[k].node;
}

/* ---- recordings  / --------------------------------------------------------------------------- */

static bool record_instance(ad_model *m, const int64_t dims[], bool training)
{
	struct build *b = m->build;
	struct recording r = { .model = m, .store = &b->store, .graph = m->graph };
	struct instance *in;
	jmp_buf out;

	b->store.out = &out;
	if (setjmp(out)) {
		ad_fail(m->graph, AD_ERROR_MEMORY, "out of memory while recording the model");
		return false;
	}
	in = store_take(&b->store, sizeof *in);
	in->dims = store_take(&b->store, (size_t)m->n_dims * sizeof *in->dims);
	for (int k = 0; k < m->n_dims; k++)
		in->dims[k] = dims[k]; /* dims may be NULL where there are none */
	in->training = training;
	in->bf16 = training && m->bf16;
	ad_training(m->graph, training);
	ad_set_precision(m->graph, in->bf16 ? AD_BF16 : AD_FULL);
	restart_random(m->graph); /* its random numbers do not depend on what was recorded before */
	build_model(&r, in);
	if (ad_status_of(m->graph) != AD_OK)
		return false;
	m->instances =
	    store_more(&b->store, m->instances, (size_t)m->n_instances, sizeof(*m->instances));
	m->instances[m->n_instances++] = in;
	return true;
}

struct instance *model_instance(ad_model *m, const int64_t dims[], bool training)
{
	if (!m->graph || !model_ready(m))
		return NULL;
	for (int i = 0; i < m->n_instances; i++) {
		struct instance *in = m->instances[i];
		bool same = in->training == training && in->bf16 == (training && m->bf16);

		for (int k = 0; same && k < m->n_dims; k++)
			same = in->dims[k] == dims[k];
		if (same)
			return instance_activate(m, in);
	}
	bool good = record_instance(m, dims, training);
	m->build->store.out = NULL;
	return good ? instance_activate(m, m->instances[m->n_instances - 1]) : NULL;
}

const struct yaml *model_key(const ad_model *m, const char *key)
{
	const struct yaml *root = m->build ? m->build->root : NULL;

	return root && key ? yaml_get(root, key) : root;
}

const char *model_precision(const ad_model *m)
{
	return m->f64 ? "f64" : m->train.bf16 ? "bf16" : "f32";
}

bool model_take_precision(ad_model *m, char *error, size_t n)
{
	const char *missing = m->train.bf16 ? ad_bf16_missing(m->graph) : NULL;
	const struct yaml *key = yaml_get(yaml_get(m->build->root, "train"), "precision");
	char place[512];

	m->bf16 = m->train.bf16 && !missing;
	if (!missing)
		return true;
	return failure(error, n,
	               "%s: precision: %s; train in f32, with --set train.precision=f32, or with "
	               "AUTOGRAD_BF16=emulate in the rounding of bf16, which is slow",
	               model_place(m, key->at, place, sizeof place), missing);
}

static bool take_gradients(ad_model *m, struct instance *in, ad_node *y)
{
	jmp_buf out;

	m->build->store.out = &out;
	if (setjmp(out)) {
		ad_fail(m->graph, AD_ERROR_MEMORY, "out of memory while recording the gradients");
		return false;
	}
	/* the gradient of a layer may record more of the model */
	if (ad_sweep(y) != AD_OK)
		return false;
	ad_node **gradients =
	    store_take(&m->build->store, (size_t)m->n_weights * sizeof(*gradients));
	for (int i = 0; i < m->n_weights; i++)
		gradients[i] = ad_gradient(m->weights[i].node);
	in->gradients = gradients;
	return true;
}

bool model_gradients(ad_model *m, struct instance *in)
{
	ad_node *y = in->loss ? in->loss : in->output;

	if (in->gradients)
		return true;
	if (!y || ad_shape_of(y).rank > 0) {
		ad_fail(m->graph, AD_ERROR_GRADIENT,
		        "gradients need a single number: the file has no 'loss', and its output is "
		        "none");
		return false;
	}
	bool good = take_gradients(m, in, y);
	m->build->store.out = NULL;
	return good;
}
