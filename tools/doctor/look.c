/*
 * look: runs a few batches and steps of a model and keeps what they show.
 */
#include "look.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Multiply-adds that the steps of an examination may take, and so many steps at least and at most.
 */
#define BUDGET 4e10
enum { LEAST_STEPS = 20, MOST_STEPS = 60, LEAST_RATES = 40, MOST_RATES = 100 };

/* Batches that are looked at: so many, or more where these are few samples. */
enum { LEAST_BATCHES = 4, MOST_BATCHES = 128, ENOUGH_SAMPLES = 128 };

#define MOST_SAMPLES ((size_t)5000) /* of the data, whose numbers are looked at */
#define MOST_COLUMNS ((size_t)4096) /* of a sample, compared one by one */

static bool no_memory(char *error, size_t n)
{
	snprintf(error, n, "out of memory");
	return false;
}

static bool graph_failed(const struct record *r, char *error, size_t n)
{
	snprintf(error, n, "%s", ad_errmsg(r->m->graph));
	return false;
}

/* ---- the data -------------------------------------------------------------------------------- */

static const struct column *column_of(const struct dataset *d, const char *input)
{
	for (int k = 0; k < d->n_columns; k++)
		if (strcmp(d->columns[k].input, input) == 0)
			return &d->columns[k];
	return NULL;
}

/* Sums over the samples of one of a sample's numbers. */
struct sums {
	double sum, squares, first;
	bool changes;
	uint64_t hash; /* of its values in order */
};

static double std_of(const struct sums *s, double n)
{
	double mean = s->sum / n;

	return sqrt(fmax(0, s->squares / n - mean * mean));
}

/* Every `stride`-th sample, so that sorted data shows all of itself. */
static size_t stride_of(size_t n)
{
	return n > MOST_SAMPLES ? n / MOST_SAMPLES : 1;
}

static void see_columns(struct input_state *s, const struct column *c, const struct sums sums[],
                        double n)
{
	s->narrowest = INFINITY;
	s->columns = c->per;
	for (size_t j = 0; j < c->per; j++) {
		double std = std_of(&sums[j], n);

		if (!sums[j].changes) {
			s->constant++;
			continue;
		}
		if (std > s->widest) {
			s->widest = std;
			s->widest_at = j;
		}
		if (std < s->narrowest) {
			s->narrowest = std;
			s->narrowest_at = j;
		}
		for (size_t i = 0; i < j; i++) {
			if (!sums[i].changes || sums[i].hash != sums[j].hash ||
			    sums[i].sum != sums[j].sum || sums[i].squares != sums[j].squares)
				continue;
			if (s->equal++ == 0) {
				s->same[0] = i;
				s->same[1] = j;
			}
			break;
		}
	}
}

static bool see_reals(struct input_state *s, const struct column *c, size_t samples)
{
	struct sums *sums = calloc(c->per + 1, sizeof *sums), all = { 0 };
	size_t stride = stride_of(samples);
	double n = 0;

	if (!sums)
		return false;
	s->real = true;
	s->least = INFINITY;
	s->most = -INFINITY;
	for (size_t k = 0; k < samples; k += stride) {
		bool finite = true;

		for (size_t j = 0; j < c->per; j++)
			finite = finite && isfinite(column_value(c, k * c->per + j));
		if (!finite)
			continue;
		for (size_t j = 0; j < c->per; j++) {
			double x = column_value(c, k * c->per + j);
			struct sums *to = &sums[j];
			uint64_t bits;

			memcpy(&bits, &x, sizeof bits);
			if (n == 0)
				to->first = x;
			to->changes = to->changes || x != to->first;
			to->sum += x;
			to->squares += x * x;
			to->hash = (to->hash ^ bits) * 1099511628211u;
			all.sum += x;
			all.squares += x * x;
			s->least = fmin(s->least, x);
			s->most = fmax(s->most, x);
		}
		n++;
	}
	if (n > 0 && c->per > 0) {
		s->mean = all.sum / (n * (double)c->per);
		s->std = std_of(&all, n * (double)c->per);
		if (c->per <= MOST_COLUMNS && n > 1)
			see_columns(s, c, sums, n);
	}
	free(sums);
	return true;
}

static void see_nonfinite(struct input_state *s, const struct column *c, size_t samples)
{
	for (size_t k = 0; k < samples * c->per; k++) {
		if (isfinite(column_value(c, k)))
			continue;
		if (s->nonfinite++ == 0)
			s->where = k / c->per;
		k += c->per - k % c->per - 1; /* to the next sample */
	}
}

/* How the samples are shared between the classes, where each has one. */
static bool see_labels(struct label_state *s, const struct input *input, const struct column *c,
                       size_t n)
{
	const int32_t *labels = c->data;
	int32_t top = 0;
	size_t *counts;

	for (size_t k = 0; k < n; k++)
		if (labels[k] > top)
			top = labels[k];
	/* of a number that is no class there are many */
	if (n == 0 || top >= 4096)
		return true;
	counts = calloc((size_t)top + 1, sizeof *counts);
	if (!counts)
		return false;
	*s = (struct label_state){ .input = input, .classes = top + 1, .least_share = 2 };
	for (size_t k = 0; k < n; k++)
		if (labels[k] >= 0)
			counts[labels[k]]++;
	for (int32_t k = 0; k <= top; k++) {
		double share = (double)counts[k] / (double)n;

		s->absent += counts[k] == 0;
		if (share > s->most_share) {
			s->most_share = share;
			s->most = k;
		}
		if (share < s->least_share && counts[k] > 0) {
			s->least_share = share;
			s->least = k;
		}
	}
	free(counts);
	return true;
}

static bool see_data(struct record *r)
{
	const struct dataset *d = r->probe.data;

	r->inputs = calloc((size_t)r->m->n_inputs + 1, sizeof *r->inputs);
	for (int k = 0; r->inputs && d && k < r->m->n_inputs; k++) {
		struct input_state *s = &r->inputs[r->n_inputs];
		const struct column *c = column_of(d, r->m->inputs[k].name);

		if (!c)
			continue;
		*s = (struct input_state){ .input = &r->m->inputs[k] };
		if (c->type == AD_REAL) {
			see_nonfinite(s, c, d->n);
			if (!see_reals(s, c, d->n))
				return false;
		} else if (c->type == AD_I32 && s->input->target && c->per == 1 &&
		           !see_labels(&r->labels, s->input, c, d->n)) {
			return false;
		}
		r->n_inputs++;
	}
	return r->inputs != NULL;
}

/* ---- the graph ------------------------------------------------------------------------------- */

/* Nodes by number, in which the inputs of a node come before it. */
struct nodes {
	size_t n;
	ad_node **of;
	struct numbered {
		const ad_node *node;
		size_t number;
	} * sorted;
	int *weight; /* whose number in record->weights the node is made of alone, + 1; -1: of
	                several; 0: of none */
	bool *used;  /* the loss depends on it */
	bool *inner; /* a weight comes between it and the loss */
};

static int by_address(const void *a, const void *b)
{
	const ad_node *x = ((const struct numbered *)a)->node,
		      *y = ((const struct numbered *)b)->node;

	return ((uintptr_t)x > (uintptr_t)y) - ((uintptr_t)x < (uintptr_t)y);
}

/* The number of a node; the number of nodes if it is none of them. */
static size_t number_of(const struct nodes *s, const ad_node *x)
{
	const struct numbered key = { .node = x };
	const struct numbered *found =
	    bsearch(&key, s->sorted, s->n, sizeof *s->sorted, by_address);

	return found ? found->number : s->n;
}

static void free_nodes(struct nodes *s)
{
	free(s->of);
	free(s->sorted);
	free(s->weight);
	free(s->used);
	free(s->inner);
}

/* Input i of the op that makes x, by number; nodes->n: none. */
static size_t input_number(const struct nodes *s, const ad_node *x, int i)
{
	ad_node *in = ad_input_of(x, i);

	return in ? number_of(s, in) : s->n;
}

/* Which weights nodes are made of alone, through ops on nothing else. */
static void find_weights(const struct record *r, struct nodes *s)
{
	for (size_t k = 0; k < r->n_weights; k++)
		s->weight[number_of(s, r->weights[k].weight->node)] = (int)k + 1;
	for (size_t k = 0; k < s->n; k++) {
		int from = 0;
		bool alone = ad_inputs(s->of[k]) > 0;

		for (int i = 0; i < ad_inputs(s->of[k]); i++) {
			size_t in = input_number(s, s->of[k], i);

			if (in == s->n || ad_kind_of(s->of[in]) == AD_IS_CONSTANT)
				continue;
			alone = alone && s->weight[in] != 0;
			from = from == 0 || from == s->weight[in] ? s->weight[in] : -1;
		}
		if (alone && ad_op_of(s->of[k]))
			s->weight[k] = from;
	}
}

static void find_used(struct nodes *s, const ad_node *loss)
{
	size_t last = number_of(s, loss);

	if (last < s->n)
		s->used[last] = true;
	for (size_t k = s->n; k-- > 0;) {
		ad_node *x = s->of[k];
		int output;
		bool reads = false;

		if (!s->used[k])
			continue;
		/* the later outputs of an op have their inputs through the first */
		if (ad_op_of(x) && ad_owner_of(x, &output) != x) {
			size_t owner = number_of(s, ad_owner_of(x, &output));

			s->used[owner] = true;
			s->inner[owner] = s->inner[owner] || s->inner[k];
		}
		for (int i = 0; i < ad_inputs(x); i++) {
			size_t in = input_number(s, x, i);

			reads = reads || (in < s->n && s->weight[in] != 0);
		}
		for (int i = 0; i < ad_inputs(x); i++) {
			size_t in = input_number(s, x, i);

			if (in == s->n)
				continue;
			s->used[in] = true;
			s->inner[in] = s->inner[in] || s->inner[k] || (reads && s->weight[in] == 0);
		}
	}
}

/* The nodes recorded so far. */
static bool list_nodes(const struct record *r, struct nodes *s)
{
	ad_graph *g = r->m->graph;

	*s = (struct nodes){ .n = ad_nodes(g) };
	s->of = calloc(s->n + 1, sizeof(ad_node *));
	s->sorted = calloc(s->n + 1, sizeof *s->sorted);
	s->weight = calloc(s->n + 1, sizeof *s->weight);
	s->used = calloc(s->n + 1, sizeof *s->used);
	s->inner = calloc(s->n + 1, sizeof *s->inner);
	if (!s->of || !s->sorted || !s->weight || !s->used || !s->inner) {
		free_nodes(s);
		return false;
	}
	for (size_t k = 0; k < s->n; k++) {
		s->of[k] = ad_node_at(g, k);
		s->sorted[k] = (struct numbered){ s->of[k], k };
	}
	qsort(s->sorted, s->n, sizeof *s->sorted, by_address);
	find_weights(r, s);
	find_used(s, start_of_gradients(r->probe.in));
	return true;
}

/* "block[1].relu": the scopes around a node, then its name or op. */
static void print_path(const ad_node *x, bool op, char *text, size_t n)
{
	const ad_graph *g = ad_graph_of(x);
	const char *names[16], *own = op && ad_op_of(x) ? ad_op_of(x) : op ? ad_name_of(x) : NULL;
	int depth = 0;
	size_t used = 0;

	text[0] = '\0';
	for (int scope = ad_scope_of(x); scope > 0 && depth < 16; scope = ad_scope_parent(g, scope))
		names[depth++] = ad_scope_name(g, scope);
	while (depth-- > 0 && used < n)
		used += (size_t)snprintf(text + used, n - used, "%s%s", used ? "." : "",
		                         names[depth] ? names[depth] : "");
	/* the scope of an item that is the op has its name already, with a number where it has several: relu_2 */
	if (own && ad_scope_of(x) > 0 && names[0] && strncmp(names[0], own, strlen(own)) == 0 &&
	    strchr("_", names[0][strlen(own)]))
		return;
	if (own && used < n)
		snprintf(text + used, n - used, "%s%s", used ? "." : "", own);
}

/* ---- looking at values and gradients --------------------------------------------------------- */

static double squares_of(const ad_node *x, const void *data)
{
	double sum = 0;

	for (size_t k = 0; k < ad_count(x); k++) {
		double value = element_at(x, data, k);

		sum += value * value;
	}
	return sum;
}

static bool is_finite(ad_node *x)
{
	const void *data = ad_type_of(x) == AD_REAL ? ad_data(x) : NULL;

	for (size_t k = 0; data && k < ad_count(x); k++)
		if (!isfinite(element_at(x, data, k)))
			return false;
	return true;
}

/* The axis along which the results of one unit have one number; -1: each element is a unit of its
 * own. */
static int unit_axis(const ad_node *x)
{
	int rank = ad_shape_of(x).rank;

	if (rank < 2)
		return -1;
	for (int steps = 0; rank == 3 && steps < 6 && ad_op_of(x); steps++) {
		if (strncmp(ad_op_of(x), "conv", 4) == 0)
			return 1;
		if (ad_inputs(x) == 0 || !ad_input_of(x, 0))
			break;
		x = ad_input_of(x, 0);
	}
	return rank == 3 ? 2 : 1;
}

/* An activation while it is looked at. */
struct watching {
	struct activation *a;
	unsigned char *active; /* of each unit */
	double values, zeros, saturated;
};

/* Where the slope is under 1/50 of its most. */
static bool is_saturated(const char *op, double y)
{
	return op[0] == 's' ? y * (1 - y) < 0.25 / 50 : 1 - y * y < 1.0 / 50;
}

static void watch(struct watching *w, ad_node *x)
{
	const void *y = ad_data(x), *in = ad_data(ad_input_of(x, 0));
	ad_shape shape = ad_shape_of(x);
	int axis = unit_axis(x);
	size_t after = 1;

	if (!y)
		return;
	for (int a = axis + 1; axis >= 0 && a < shape.rank; a++)
		after *= (size_t)shape.dims[a];
	for (size_t k = 0; k < ad_count(x); k++) {
		double value = element_at(x, y, k);
		size_t unit = axis < 0 ? k : k / after % (size_t)shape.dims[axis];

		if (unit < w->a->units && value != 0)
			w->active[unit] = 1;
		w->zeros += value == 0;
		w->saturated += w->a->op[0] != 'r' && is_saturated(w->a->op, value);
		if (in)
			w->a->most = fmax(w->a->most, fabs(element_at(ad_input_of(x, 0), in, k)));
	}
	w->values += (double)ad_count(x);
}

static bool is_activation(const ad_node *x)
{
	static const char *const ops[] = { "relu", "sigmoid", "tanh" };

	for (size_t k = 0; ad_op_of(x) && k < sizeof ops / sizeof *ops; k++)
		if (strcmp(ad_op_of(x), ops[k]) == 0)
			return true;
	return false;
}

/* What is looked at in the graph. */
struct sight {
	struct nodes nodes;
	size_t n_watching;
	struct watching *watching;
	size_t *watched; /* of each node: the number of its activation + 1 */
	size_t *layer;   /* of each node: the number of its layer + 1 */
};

static void free_sight(struct sight *s)
{
	for (size_t k = 0; k < s->n_watching; k++)
		free(s->watching[k].active);
	free(s->watching);
	free(s->watched);
	free(s->layer);
	free_nodes(&s->nodes);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The activation that node k belongs to: made for the first of an item. */
static bool add_activation(struct look *to, struct sight *s, size_t k, size_t layer)
{
	ad_node *x = s->nodes.of[k];
	int axis = unit_axis(x);
	size_t at = 0, units = axis < 0 ? ad_count(x) : (size_t)ad_shape_of(x).dims[axis];
	char path[512];

	print_path(x, true, path, sizeof path);
	while (at < to->n_activations && !(strcmp(to->activations[at].path, path) == 0 &&
	                                   to->activations[at].units == units &&
	                                   same_text(to->activations[at].origin, ad_origin_of(x))))
		at++;
	if (at == to->n_activations) {
		struct activation *a = &to->activations[at];

		*a = (struct activation){ .op = ad_op_of(x),
			                  .origin = ad_origin_of(x),
			                  .units = units,
			                  .path = strdup(path),
			                  .layer = layer };
		s->watching[at] = (struct watching){ .a = a, .active = calloc(units + 1, 1) };
		s->n_watching = ++to->n_activations;
		if (!a->path || !s->watching[at].active)
			return false;
	}
	to->activations[at].inner |= s->nodes.inner[k];
	s->watched[k] = at + 1;
	return true;
}

/* The layer that node k belongs to, if it reads a weight of two or more axes and data. */
static void add_layer(const struct record *r, struct look *to, struct sight *s, size_t k)
{
	ad_node *x = s->nodes.of[k];
	int weight = 0;
	bool data = false;
	size_t at = 0;

	for (int i = 0; i < ad_inputs(x); i++) {
		size_t in = input_number(&s->nodes, x, i);

		if (in == s->nodes.n || ad_kind_of(s->nodes.of[in]) == AD_IS_CONSTANT)
			continue;
		if (s->nodes.weight[in] == 0)
			data = true;
		else if (s->nodes.weight[in] > 0 && weight == 0 &&
		         ad_shape_of(r->weights[s->nodes.weight[in] - 1].weight->node).rank >= 2)
			weight = s->nodes.weight[in];
	}
	if (!data || weight == 0 || ad_type_of(x) != AD_REAL)
		return;
	while (at < to->n_layers && to->layers[at].weight != (size_t)weight - 1)
		at++;
	if (at == to->n_layers)
		to->layers[to->n_layers++] = (struct layer_state){ .weight = (size_t)weight - 1 };
	s->layer[k] = at + 1;
}

static bool set_sights(const struct record *r, struct look *to, struct sight *s)
{
	size_t n, layer = 0;

	if (!list_nodes(r, &s->nodes))
		return false;
	n = s->nodes.n;
	s->watching = calloc(n + 1, sizeof *s->watching);
	s->watched = calloc(n + 1, sizeof *s->watched);
	s->layer = calloc(n + 1, sizeof *s->layer);
	to->activations = calloc(n + 1, sizeof *to->activations);
	to->layers = calloc(n + 1, sizeof *to->layers);
	if (!s->watching || !s->watched || !s->layer || !to->activations || !to->layers)
		return false;
	for (size_t k = 0; k < n; k++) {
		if (!s->nodes.used[k] || !ad_op_of(s->nodes.of[k]))
			continue;
		add_layer(r, to, s, k);
		layer = s->layer[k] ? s->layer[k] : layer;
		if (is_activation(s->nodes.of[k]) && !add_activation(to, s, k, layer))
			return false;
	}
	return true;
}

/* Adds squares of the gradient of x: to the sum, and how many. */
static void add_gradient(ad_node *x, double *norm, double *count)
{
	ad_node *gradient = ad_gradient(x);
	const void *data = gradient ? ad_data(gradient) : NULL;

	if (!data)
		return;
	*norm += squares_of(gradient, data);
	*count += (double)ad_count(gradient);
}

struct totals {
	double *count, *value_squares, *value_count; /* of each layer */
	double output_count;
};

static void look_at_batch(const struct record *r, struct look *to, struct sight *s,
                          struct totals *t)
{
	const struct instance *in = r->probe.in;
	ad_node *start = start_of_gradients(in);
	/* the loss may not depend on it, and then it was not computed */
	size_t last = in->output ? number_of(&s->nodes, in->output) : s->nodes.n;
	bool reads = last < s->nodes.n && s->nodes.used[last] && ad_type_of(in->output) == AD_REAL;
	const void *output = reads ? ad_data(in->output) : NULL;

	to->loss += ad_item(start) / (double)r->batches;
	if (output)
		to->outputs += squares_of(in->output, output) /
		               fmax(1, (double)ad_count(in->output)) / (double)r->batches;
	if (reads && in->output != start)
		add_gradient(in->output, &to->output_norm, &t->output_count);
	for (size_t k = 0; k < s->nodes.n; k++) {
		ad_node *x = s->nodes.of[k];

		if (s->watched[k])
			watch(&s->watching[s->watched[k] - 1], x);
		if (s->layer[k]) {
			size_t at = s->layer[k] - 1;
			const void *data = ad_data(x);

			add_gradient(x, &to->layers[at].norm, &t->count[at]);
			t->value_squares[at] += data ? squares_of(x, data) : 0;
			t->value_count[at] += data ? (double)ad_count(x) : 0;
		}
	}
}

static double root(double squares, double count)
{
	return count > 0 ? sqrt(squares / count) : 0;
}

static void sum_up(struct look *to, const struct sight *s, const struct totals *t, double batches)
{
	for (size_t k = 0; k < to->n_layers; k++) {
		struct layer_state *l = &to->layers[k];

		l->rms = root(l->norm, t->count[k]);
		l->norm = sqrt(l->norm / batches);
		l->values = root(t->value_squares[k], t->value_count[k]);
	}
	to->outputs = sqrt(to->outputs);
	to->output_rms = t->output_count > 0 ? root(to->output_norm, t->output_count) : NAN;
	to->output_norm = t->output_count > 0 ? sqrt(to->output_norm / batches) : NAN;
	for (size_t k = 0; k < s->n_watching; k++) {
		const struct watching *w = &s->watching[k];
		size_t active = 0;

		for (size_t j = 0; j < w->a->units; j++)
			active += w->active[j];
		if (w->a->op[0] == 'r' && w->a->units > 0)
			w->a->dead = 1 - (double)active / (double)w->a->units;
		if (w->values > 0) {
			w->a->zeros = w->zeros / w->values;
			w->a->saturated = w->saturated / w->values;
		}
	}
}

static void free_look(struct look *l)
{
	for (size_t k = 0; k < l->n_activations; k++)
		free(l->activations[k].path);
	free(l->activations);
	free(l->layers);
	*l = (struct look){ 0 };
}

/* Where a node is declared, a weight too; empty: unknown. */
static void print_place(const struct record *r, const ad_node *x, char *text, size_t n)
{
	const char *origin = ad_origin_of(x);

	snprintf(text, n, "%s", origin ? origin : "");
	for (int k = 0; !origin && k < r->m->n_weights; k++)
		if (r->m->weights[k].node == x)
			model_place(r->m, r->m->weights[k].at, text, n);
}

/* Names the op that makes the first NaN or infinity of this batch, in the order of running. */
static void find_offender(struct record *r, const struct nodes *s)
{
	struct offender *o = &r->offender;
	char path[300];

	for (size_t k = 0; k < s->n; k++) {
		ad_node *x = s->of[k];

		if (!s->used[k] || is_finite(x))
			continue;
		print_path(x, true, path, sizeof path);
		o->found = true;
		o->leaf = !ad_op_of(x);
		print_place(r, x, o->place, sizeof o->place);
		if (ad_op_of(x))
			snprintf(o->text, sizeof o->text,
			         "the first is made by '%s', out of finite values", path);
		else
			snprintf(o->text, sizeof o->text, "'%s' itself holds it",
			         ad_name_of(x) ? ad_name_of(x) : "a leaf");
		return;
	}
	for (size_t k = s->n; k-- > 0;) {
		ad_node *y = s->of[k], *gradient = s->used[k] ? ad_gradient(y) : NULL;

		if (!gradient || !ad_op_of(y) || !ad_data(gradient) || !is_finite(gradient))
			continue;
		for (int i = 0; i < ad_inputs(y); i++) {
			ad_node *in = ad_input_of(y, i), *own = in ? ad_gradient(in) : NULL;

			if (!own || !ad_data(own) || is_finite(own))
				continue;
			print_path(y, true, path, sizeof path);
			o->found = o->backward = true;
			print_place(r, y, o->place, sizeof o->place);
			snprintf(o->text, sizeof o->text,
			         "the first comes from '%s', whose own gradient is finite, but not "
			         "that of its input",
			         path);
			return;
		}
	}
}

/* Batch k forward and backward with all values kept. */
static bool sweep(struct record *r, int64_t k, char *error, size_t n)
{
	if (!probe_feed(&r->probe, k, error, n))
		return false;
	return ad_backward(start_of_gradients(r->probe.in)) == AD_OK || graph_failed(r, error, n);
}

static bool all_finite(const struct record *r, struct sight *s)
{
	if (!isfinite(ad_item(start_of_gradients(r->probe.in))))
		return false;
	for (size_t k = 0; k < r->n_weights; k++) {
		ad_node *gradient = ad_gradient(r->weights[k].weight->node);

		if (gradient && ad_data(gradient) && !is_finite(gradient))
			return false;
	}
	return true;
}

/* The op of the loss whose value is known for an output that knows nothing; at most one. */
static void find_chance(struct record *r, const struct nodes *s, struct look *to)
{
	static const char *const ops[] = { "cross_entropy", "nll_loss", "bce_with_logits", "bce" };
	ad_node *found = NULL;

	to->own = NAN;
	r->chance_of = NULL;
	for (size_t k = 0; k < s->n; k++)
		for (size_t j = 0; s->used[k] && ad_op_of(s->of[k]) && j < sizeof ops / sizeof *ops;
		     j++) {
			if (strcmp(ad_op_of(s->of[k]), ops[j]) != 0)
				continue;
			if (found)
				return;
			found = s->of[k];
		}
	if (!found || ad_count(found) != 1 || ad_inputs(found) < 2 || !ad_input_of(found, 1) ||
	    ad_count(ad_input_of(found, 1)) == 0)
		return;
	r->classes = ad_op_of(found)[0] == 'b' ? 2
	                                       : (double)ad_count(ad_input_of(found, 0)) /
	                                             (double)ad_count(ad_input_of(found, 1));
	/* as many targets as scores: shares of the classes */
	if (r->classes < 2)
		return;
	r->chance_of = ad_op_of(found);
	r->chance_origin = ad_origin_of(found);
	r->chance = log(r->classes);
	to->own = ad_item(found);
}

/* What the batches show with the weights as they are; nothing where a value is not finite.
 * first: the number of the first. */
static bool look(struct record *r, struct look *to, int64_t first, char *error, size_t n)
{
	struct sight s = { 0 };
	struct totals t = { 0 };
	bool good = sweep(r, first, error, n);
	size_t room;

	if (good && !set_sights(r, to, &s))
		good = no_memory(error, n);
	room = to->n_layers + 1;
	t.count = calloc(3 * room, sizeof *t.count);
	if (good && !t.count)
		good = no_memory(error, n);
	t.value_squares = t.count + room;
	t.value_count = t.value_squares + room;
	for (int64_t k = first; good && k < first + r->batches; k++) {
		good = k == first || sweep(r, k, error, n);
		if (!good)
			break;
		if (!all_finite(r, &s)) {
			find_offender(r, &s.nodes);
			break;
		}
		if (k == first)
			find_chance(r, &s.nodes, to);
		look_at_batch(r, to, &s, &t);
		to->taken = k == first + r->batches - 1;
	}
	if (good && to->taken)
		sum_up(to, &s, &t, (double)r->batches);
	free(t.count);
	free_sight(&s);
	return good;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static bool list_weights(struct record *r)
{
	const ad_model *m = r->m;

	r->weights = calloc((size_t)m->n_weights + 1, sizeof *r->weights);
	for (int k = 0; r->weights && k < m->n_weights; k++)
		if (ad_wants_gradient(m->weights[k].node) &&
		    ad_type_of(m->weights[k].node) == AD_REAL)
			r->weights[r->n_weights++] = (struct weight_state){
				.weight = &m->weights[k], .update = NAN, .moved = NAN
			};
	return r->weights != NULL;
}

/* Number of a weight among those of the model. */
static size_t model_number(const struct record *r, size_t k)
{
	return (size_t)(r->weights[k].weight - r->m->weights);
}

/* Multiply-adds of a forward pass, of what reads weights: for each number of a result a weight's
 * row. */
static double products_of(const struct record *r)
{
	double sum = 0;

	for (size_t k = 0; k < ad_nodes(r->m->graph); k++) {
		ad_node *y = ad_node_at(r->m->graph, k);

		for (int i = 0;
		     ad_op_of(y) && strcmp(ad_op_of(y), "embedding") != 0 && i < ad_inputs(y);
		     i++) {
			ad_node *w = ad_input_of(y, i);
			ad_shape shape = w ? ad_shape_of(w) : AD_SCALAR;

			if (w && ad_kind_of(w) == AD_IS_PARAM && shape.rank >= 2 &&
			    shape.dims[0] > 0)
				sum += (double)ad_count(y) * (double)ad_count(w) /
				       (double)shape.dims[0];
		}
	}
	return sum;
}

static int64_t affordable(double products, int64_t least, int64_t most)
{
	double steps = BUDGET / (3 * products + 1);

	return steps < (double)least ? least : steps > (double)most ? most : (int64_t)steps;
}

static double rms_of_change(ad_node *w, const void *before, double *rms)
{
	const void *now = ad_data(w);
	double change = 0, squares = 0;
	size_t n = ad_count(w);

	for (size_t k = 0; now && k < n; k++) {
		double was = element_at(w, before, k), d = element_at(w, now, k) - was;

		change += d * d;
		squares += was * was;
	}
	*rms = n ? sqrt(squares / (double)n) : 0;
	return n ? sqrt(change / (double)n) : 0;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[], size_t n)
{
	size_t known = 0;

	for (size_t k = 0; k < n; k++)
		if (isfinite(values[k]))
			values[known++] = values[k];
	qsort(values, known, sizeof *values, ascending);
	return known ? values[known / 2] : NAN;
}

/* Whether all units, slices along the first axis, of a weight are alike. */
static bool are_identical(ad_node *w)
{
	ad_shape shape = ad_shape_of(w);
	const void *data = ad_data(w);
	size_t per = shape.rank >= 2 && shape.dims[0] > 1 ? ad_count(w) / (size_t)shape.dims[0] : 0;

	for (size_t k = per; per > 0 && data && k < ad_count(w); k++)
		if (element_at(w, data, k) != element_at(w, data, k % per))
			return false;
	return per > 0 && data;
}

/* What the steps changed. */
static void see_moves(struct record *r, void *const first[])
{
	for (size_t k = 0; k < r->n_weights; k++) {
		struct weight_state *w = &r->weights[k];
		double rms;

		w->moved = rms_of_change(w->weight->node, first[model_number(r, k)], &rms);
		w->identical = w->identical && are_identical(w->weight->node);
	}
}

/* Steps as the training would begin; updates has room for their ratios, by weight. */
static bool take_steps(struct record *r, double *updates, char *error, size_t n)
{
	struct probe *p = &r->probe;
	int64_t edge = r->planned / 5 > 0 ? r->planned / 5 : 1;
	double *losses = calloc((size_t)r->planned + 1, sizeof *losses), share = 0;
	bool good = losses || no_memory(error, n);

	while (good && r->steps < r->planned) {
		enum probe_result result = probe_step(p, -1, &losses[r->steps], error, n);
		double rate;

		if (result == PROBE_NONFINITE) {
			r->offender.found = true;
			break;
		}
		good = result == PROBE_MOVED;
		if (!good)
			break;
		if (r->steps == 0)
			r->first = r->highest = losses[0];
		r->highest = fmax(r->highest, losses[r->steps]);
		rate = p->peak > 0 ? ad_optimizer_rate(p->optimizer) / p->peak : 1;
		share += rate;
		for (size_t k = 0; k < r->n_weights; k++) {
			double rms, change = rms_of_change(p->moved[k], p->before[k], &rms);

			updates[k * (size_t)r->planned + (size_t)r->steps] =
			    rate > 0 && rms > 0 ? change / rms : NAN;
		}
		r->steps++;
	}
	edge = edge < r->steps ? edge : r->steps;
	for (int64_t k = 0; k < edge; k++) {
		r->before += losses[k] / (double)edge;
		r->after += losses[r->steps - 1 - k] / (double)edge;
	}
	r->schedule = r->steps > 0 ? share / (double)r->steps : 1;
	free(losses);
	return good;
}

/* Tests rates from the first weights; the weights stay as they are. */
static bool test_rates(struct record *r, void *const first[], double products, char *error,
                       size_t n)
{
	struct probe *p = &r->probe;
	void **after = probe_save(p);
	bool good = after ? probe_load(p, first) : no_memory(error, n);

	r->tested =
	    good && rate_test(p, 1e-6, 10, (size_t)affordable(products, LEAST_RATES, MOST_RATES),
	                      &r->rates, error, n);
	good = r->tested && (probe_load(p, after) || graph_failed(r, error, n));
	probe_free(p, after);
	return good;
}

/* Steps, and a test of rates, from the first weights. */
static bool step_from(struct record *r, void *const first[], bool rates, char *error, size_t n)
{
	struct probe *p = &r->probe;
	double products = products_of(r), *updates;
	bool good = probe_load(p, first) || graph_failed(r, error, n);

	r->planned = affordable(products, LEAST_STEPS, MOST_STEPS);
	updates = calloc(r->n_weights * (size_t)r->planned + 1, sizeof *updates);
	if (!updates)
		return no_memory(error, n);
	for (size_t k = 0; k < r->n_weights; k++)
		r->weights[k].identical = are_identical(r->weights[k].weight->node);
	good = good && probe_restart(p, error, n) && take_steps(r, updates, error, n);
	for (size_t k = 0; good && k < r->n_weights; k++)
		r->weights[k].update = median(updates + k * (size_t)r->planned, (size_t)r->steps);
	free(updates);
	if (good)
		see_moves(r, first);
	/* where nothing is finite before the first step, it is at no rate */
	if (!good || !rates || (r->offender.found && r->steps == 0))
		return good;
	return test_rates(r, first, products, error, n);
}

/* Whether the gradient is more than the 0 that a weight gets which the loss does not reach. */
static bool is_reached(const struct record *r, ad_node *gradient)
{
	const void *data;

	if (!gradient || ad_inputs(gradient) > 0)
		return gradient != NULL;
	data = ad_evaluate(r->m->graph, &gradient, 1) == AD_OK ? ad_data(gradient) : NULL;
	for (size_t k = 0; data && k < ad_count(gradient); k++)
		if (element_at(gradient, data, k) != 0)
			return true;
	return false;
}

static void see_weights(struct record *r)
{
	const struct instance *in = r->probe.in;

	for (size_t k = 0; k < r->n_weights; k++) {
		struct weight_state *w = &r->weights[k];
		const void *data = ad_data(w->weight->node);

		w->reached = !in->gradients || is_reached(r, in->gradients[model_number(r, k)]);
		w->rms = data ? root(squares_of(w->weight->node, data),
		                     (double)ad_count(w->weight->node))
		              : 0;
	}
}

/* The weights that a run began with. */
static bool load_first(struct record *r, char *error, size_t n)
{
	const ad_model *m = r->m;
	const char *from = m->train.from;
	char *file = from && is_folder(from) ? join_path(from, "last.safetensors")
	             : from                  ? strdup(from)
	                                     : NULL;
	bool good;

	if (!from)
		return init_weights(m, m->train.seed) || graph_failed(r, error, n);
	good = file ? checkpoint_read(r->m, file, NULL, error, n) : no_memory(error, n);
	free(file);
	return good;
}

/* How many batches to look at: without data one says all. */
static int64_t enough_batches(const struct record *r)
{
	const struct probe *p = &r->probe;
	int64_t wanted, all;

	if (!p->data)
		return 1;
	wanted = (int64_t)((ENOUGH_SAMPLES + p->batch - 1) / p->batch);
	wanted = wanted < LEAST_BATCHES ? LEAST_BATCHES : wanted;
	/* both looks together, a quarter of what the steps may take */
	all = affordable(8 * products_of(r), LEAST_BATCHES, MOST_BATCHES);
	return wanted < all ? wanted : all;
}

/* The order: steps first, while the graph keeps only what they need, then the looks. */
static bool examine_training(struct record *r, bool rates, char *error, size_t n)
{
	struct probe *p = &r->probe;
	void **given = NULL, **first = NULL, **after = NULL;
	bool good = true, tried;

	r->cannot_train = untrainable(p);
	r->batches = enough_batches(r);
	if (r->m->train.from && !r->trained)
		good = load_first(r, error, n);
	given = probe_save(p);
	if (good && r->trained)
		good = load_first(r, error, n);
	first = probe_save(p);
	if (!given || !first)
		good = good && no_memory(error, n);
	if (good)
		see_weights(r);
	if (good && !r->cannot_train)
		good = step_from(r, first, rates, error, n);
	tried = r->steps > 0 || r->offender.found;
	after = good ? probe_save(p) : NULL;
	if (good && !after)
		good = no_memory(error, n);
	if (good)
		ad_keep_all(r->m->graph);
	/* that of a step, computed again */
	if (good && r->offender.found) {
		r->offender = (struct offender){ .step = r->steps };
		good = look(r, &r->later, r->steps, error, n);
		if (good && !r->offender.found) {
			r->offender.found = true;
			snprintf(r->offender.text, sizeof r->offender.text,
			         "it is gone when the batch is computed again without the flushing "
			         "of tiny numbers to 0");
		}
		free_look(&r->later);
	} else if (good && tried && !r->trained) {
		good = look(r, &r->later, r->steps, error, n);
	}
	if (good) {
		struct offender known = r->offender;

		good = probe_load(p, given) || graph_failed(r, error, n);
		good = good && look(r, &r->now, 0, error, n);
		/* one of the weights given comes before one of the steps */
		if (known.found && !(r->offender.found && r->offender.step == 0))
			r->offender = known;
	}
	if (good && r->trained)
		see_moves(r, first);
	probe_free(p, given);
	probe_free(p, first);
	probe_free(p, after);
	return good;
}

bool record_take(struct record *r, ad_model *m, bool trained, bool rates, int *status, char *error,
                 size_t n)
{
	*r = (struct record){ .m = m, .trained = trained };
	if (!probe_open(&r->probe, m, 0, status, error, n))
		return false;
	*status = EXIT_USAGE;
	if (!start_of_gradients(r->probe.in)) {
		snprintf(error, n,
		         "there is nothing to examine: the file has no 'loss', and its output is "
		         "no single number that gradients could start from");
		return false;
	}
	*status = EXIT_FAILED;
	if (!list_weights(r) || !see_data(r))
		return no_memory(error, n);
	return examine_training(r, rates, error, n);
}

void record_free(struct record *r)
{
	free_look(&r->now);
	free_look(&r->later);
	rate_test_free(&r->rates);
	free(r->weights);
	free(r->inputs);
	if (r->probe.m)
		probe_close(&r->probe);
	*r = (struct record){ 0 };
}
