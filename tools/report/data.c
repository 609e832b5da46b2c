/*
 * data: the weights of a run and what its model makes of samples, for its report.
 */
#include "report.h"
#include "data.h"
#include "data/text.h"
#include "op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BINS 41
#define MOST_WEIGHTS 300
#define MOST_SAMPLES ((size_t)10000)
#define SECONDS 10.0       /* for all of them */
#define LIVE_SECONDS 2.0   /* while the training runs */
#define BATCH ((size_t)256)
#define MOST_SCORES ((size_t)1 << 24) /* of a batch */
#define MOST_CLASSES 128
#define MOST_WORST 24
#define MOST_SIDE 64      /* pixels of a picture; of a larger one every second, third ... */
#define MOST_VALUES 16    /* of a sample that is neither picture nor text */
#define MOST_TOKENS 400
#define LEAST_SQUARE 64   /* pixels of a picture that is given as one row */

/* ---- weights ---------------------------------------------------------------------------------- */

struct spread {
	double least, most, mean, square;
	size_t zeros, bad; /* elements that are 0, and that are not finite */
	size_t bins[BINS], first[BINS]; /* now, and before the training */
};

static double element(const ad_model *m, const void *data, size_t k)
{
	return m->f64 ? ((const double *)data)[k] : (double)((const float *)data)[k];
}

static void widen(const ad_model *m, const struct weight *w, struct spread *s)
{
	const void *data = ad_data(w->node);

	for (size_t k = 0; data && k < ad_count(w->node); k++) {
		double x = element(m, data, k);

		if (isfinite(x)) {
			s->least = fmin(s->least, x);
			s->most = fmax(s->most, x);
		}
	}
}

static void measure(const ad_model *m, const struct weight *w, struct spread *s)
{
	const void *data = ad_data(w->node);
	size_t n = ad_count(w->node), good = 0;

	for (size_t k = 0; data && k < n; k++) {
		double x = element(m, data, k);

		if (!isfinite(x)) {
			s->bad++;
			continue;
		}
		good++;
		s->zeros += x == 0;
		s->mean += x;
		s->square += x * x;
	}
	s->mean /= good ? (double)good : 1;
	s->square /= good ? (double)good : 1;
}

static void count(const ad_model *m, const struct weight *w, const struct spread *s, size_t bins[BINS])
{
	const void *data = ad_data(w->node);
	double width = (s->most - s->least) / BINS;

	for (size_t k = 0; data && k < ad_count(w->node); k++) {
		double x = element(m, data, k);
		double bin = width > 0 ? (x - s->least) / width : 0;

		if (isfinite(x))
			bins[bin < BINS - 1 ? (size_t)bin : BINS - 1]++;
	}
}

static void write_bins(FILE *to, const char *key, const size_t bins[BINS])
{
	fprintf(to, ",\"%s\":[", key);
	for (size_t k = 0; k < BINS; k++)
		fprintf(to, "%s%zu", k ? "," : "", bins[k]);
	putc(']', to);
}

static void write_spread(const struct report *r, const struct weight *w, const struct spread *s,
                         bool both)
{
	char shape[256];

	fprintf(r->to, "{\"path\":");
	json_text(r->to, w->path);
	fprintf(r->to, ",\"shape\":");
	json_text(r->to, ad_print_shape(shape, sizeof shape, ad_shape_of(w->node)));
	fprintf(r->to, ",\"n\":%zu,\"kind\":\"%s\",\"zeros\":%zu,\"bad\":%zu,\"range\":",
	        ad_count(w->node), w->buffer ? "buffer" : w->frozen ? "frozen" : "param", s->zeros, s->bad);
	report_numbers(r->to, (double[]){ s->least, s->most }, 2);
	fprintf(r->to, ",\"mean\":");
	report_number(r->to, s->mean);
	fprintf(r->to, ",\"rms\":");
	report_number(r->to, sqrt(s->square));
	write_bins(r->to, "bins", s->bins);
	if (both)
		write_bins(r->to, "first", s->first);
	putc('}', r->to);
}

/* The weights that are shown: of many evenly spread ones; those that are no reals are left out. */
static size_t choose_weights(const ad_model *m, const struct weight *chosen[MOST_WEIGHTS], size_t *all)
{
	size_t n = 0, at = 0;

	*all = 0;
	for (int k = 0; k < m->n_weights; k++)
		*all += m->weights[k].type == AD_REAL;
	for (int k = 0; k < m->n_weights; k++) {
		if (m->weights[k].type != AD_REAL)
			continue;
		if (at++ * MOST_WEIGHTS / (*all > MOST_WEIGHTS ? *all : MOST_WEIGHTS) == n)
			chosen[n++] = &m->weights[k];
	}
	return n;
}

/* The initial values again, and then those of the run: a training that began with other weights' values
 * says nothing of how far it came from there. */
static bool measure_first(struct report *r, const struct weight *const chosen[], size_t n,
                          struct spread spreads[])
{
	char *path = join_path(r->folder, "last.safetensors"), error[1024];
	bool done = path && r->weights && !r->m->train.from && init_weights(r->m, r->m->train.seed);

	for (size_t k = 0; done && k < n; k++) {
		widen(r->m, chosen[k], &spreads[k]);
		count(r->m, chosen[k], &spreads[k], spreads[k].first);
	}
	if (done && !checkpoint_read(r->m, path, NULL, error, sizeof error)) {
		report_remark(r, "The weights could not be read again: %s", error);
		done = false;
	}
	free(path);
	return done;
}

void report_weights(struct report *r)
{
	const struct weight *chosen[MOST_WEIGHTS];
	struct spread *spreads;
	size_t all, n;
	bool both;

	if (!model_ready(r->m)) {
		report_remark(r, "There are no histograms: %s", ad_errmsg(r->m->graph));
		return;
	}
	n = choose_weights(r->m, chosen, &all);
	spreads = calloc(n + 1, sizeof *spreads);
	if (!spreads) {
		report_remark(r, "There are no histograms: out of memory");
		return;
	}
	for (size_t k = 0; k < n; k++) {
		spreads[k].least = INFINITY;
		spreads[k].most = -INFINITY;
		widen(r->m, chosen[k], &spreads[k]);
		measure(r->m, chosen[k], &spreads[k]);
	}
	both = measure_first(r, chosen, n, spreads);
	if (n < all)
		report_remark(r, "Histograms are shown for %zu of %zu weights, evenly spread.", n, all);
	fprintf(r->to, ",\"trained\":%s,\"weights\":[", r->weights ? "true" : "false");
	for (size_t k = 0; k < n; k++) {
		count(r->m, chosen[k], &spreads[k], spreads[k].bins);
		if (k > 0)
			putc(',', r->to);
		write_spread(r, chosen[k], &spreads[k], both);
	}
	putc(']', r->to);
	free(spreads);
}

/* ---- what decides a class ----------------------------------------------------------------------- */

enum decision {
	BY_SCORE,       /* the largest of several */
	BY_LOG,         /* the same; they are logarithms of probabilities */
	BY_MARGIN,      /* the same, and no probabilities come of them */
	BY_PROBABILITY, /* of class 1, over a half */
	BY_LOGIT,       /* over 0; classes 0 and 1 */
	BY_SIGN         /* over 0; classes -1 and 1 */
};

/* Losses whose op compares its first input with labels, its second. */
static const struct {
	const char *op;
	enum decision by;
} losses[] = { { "cross_entropy", BY_SCORE }, { "nll_loss", BY_LOG }, { "bce_each", BY_PROBABILITY } };

/* Losses made of several ops, known by their name in the file; they compare the model's output with a target. */
static const struct {
	const char *call;
	enum decision by;
} named_losses[] = { { "multi_margin_loss(", BY_MARGIN }, { "bce_with_logits(", BY_LOGIT }, { "hinge(", BY_SIGN } };

/* Scores that a loss compares with the labels of an input: `outer` times `classes` times `inner`, or one
 * number for each label. */
struct judged {
	enum decision by;
	ad_node *scores;
	int input; /* of the labels, among the model's */
	size_t outer, classes, inner;
};

static int64_t axis_of(const ad_node *loss)
{
	int64_t axis = -1;

	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		for (const ad_attr *a = strcmp(ad_op_name(op), ad_op_of(loss)) == 0 ? ad_op_attrs(op) : NULL;
		     a && a->name; a++)
			if (a->type == AD_INT && strcmp(a->name, "axis") == 0)
				memcpy(&axis, (const char *)ad_attrs_of(loss) + a->offset, sizeof axis);
	}
	return axis;
}

/* Which input of the model a node is, in another shape or type maybe; -1: none. */
static int input_behind(const struct instance *in, const ad_model *m, ad_node *x)
{
	for (;;) {
		for (int i = 0; i < m->n_inputs; i++)
			if (in->inputs[i] == x)
				return i;
		if (!x || ad_inputs(x) != 1 || ad_count(ad_input_of(x, 0)) != ad_count(x))
			return -1;
		x = ad_input_of(x, 0);
	}
}

/* Whether the labels of an input belong to these scores, one for each place that is left without the axis. */
static bool judge(const struct instance *in, const ad_model *m, ad_node *scores, ad_node *labels, int64_t axis,
                  enum decision by, struct judged *to)
{
	ad_shape shape = ad_shape_of(scores);

	*to = (struct judged){ .by = by, .scores = scores, .outer = 1, .classes = 2, .inner = 1,
		               .input = labels ? input_behind(in, m, labels) : -1 };
	if (to->input < 0 || ad_count(labels) == 0 || ad_type_of(scores) != AD_REAL)
		return false;
	if (by >= BY_PROBABILITY) {
		to->outer = ad_count(labels);
		return ad_count(scores) == to->outer;
	}
	axis += axis < 0 ? shape.rank : 0;
	if (ad_type_of(labels) != AD_I32 || axis < 0 || axis >= shape.rank)
		return false;
	to->classes = (size_t)shape.dims[axis];
	for (int k = 0; k < shape.rank; k++) {
		if (k < axis)
			to->outer *= (size_t)shape.dims[k];
		else if (k > axis)
			to->inner *= (size_t)shape.dims[k];
	}
	return to->classes > 1 && to->outer * to->inner == ad_count(labels);
}

/* The same for a loss that is no op of the graph, by the words of the file. */
static bool judge_by_name(const struct instance *in, const ad_model *m, struct judged *to)
{
	const struct yaml *root = m->tree ? yaml_root(m->tree) : NULL;
	const struct yaml *loss = root && root->kind == YAML_MAP ? yaml_get(root, "loss") : NULL;

	for (size_t k = 0; loss && loss->kind == YAML_SCALAR && k < sizeof named_losses / sizeof *named_losses; k++)
		for (int i = 0; strstr(loss->text, named_losses[k].call) && i < m->n_inputs; i++)
			if (m->inputs[i].target && in->inputs[i] && in->output &&
			    judge(in, m, in->output, in->inputs[i], -1, named_losses[k].by, to))
				return true;
	return false;
}

/* The classes that the loss of a recording is about; false: it is about none. */
static bool find_judged(const struct instance *in, const ad_model *m, struct judged *to)
{
	for (size_t k = 0; in->loss && k < ad_nodes(m->graph); k++) {
		ad_node *x = ad_node_at(m->graph, k);
		const char *op = ad_op_of(x);

		for (size_t j = 0; op && j < sizeof losses / sizeof *losses; j++)
			if (strcmp(op, losses[j].op) == 0 && ad_inputs(x) > 1 &&
			    judge(in, m, ad_input_of(x, 0), ad_input_of(x, 1), axis_of(x), losses[j].by, to) &&
			    (x == in->loss || ad_depends(in->loss, x)))
				return true;
	}
	return in->loss && judge_by_name(in, m, to);
}

/* ---- judging samples ------------------------------------------------------------------------------ */

struct verdict {
	size_t row;     /* of the dataset */
	double loss;    /* mean over its labels; how far the decision is from right */
	double sure;    /* probability of what was decided; NaN: there is none */
	double right;   /* and of the label */
	size_t label, decided; /* of its first label */
	double *losses; /* of each label; NULL unless it is text */
};

struct tally {
	struct judged of;
	const struct dataset *d;
	const struct column *labels;
	size_t per;     /* labels of a sample */
	size_t samples;
	size_t *matrix; /* classes times classes: label, decision; NULL: too many */
	bool keep;      /* losses of each label */
	size_t n_worst;
	struct verdict worst[MOST_WORST]; /* worst first */
};

struct decided {
	size_t class;
	double loss, sure, right;
};

/* Label k of the batch, whose scores these are. */
static struct decided decide(const struct judged *j, const double *scores, size_t k, size_t label)
{
	const double *s = scores + k / j->inner * j->classes * j->inner + k % j->inner;
	struct decided d = { .sure = NAN, .right = NAN };
	double sum = 0, other = -INFINITY, x;

	if (j->by >= BY_PROBABILITY) {
		x = scores[k];
		d.class = x > (j->by == BY_PROBABILITY ? 0.5 : 0);
		if (j->by == BY_SIGN) {
			d.loss = label ? 1 - x : 1 + x;
			return d;
		}
		x = j->by == BY_LOGIT ? 1 / (1 + exp(-x)) : x;
		d.sure = d.class ? x : 1 - x;
		d.right = label ? x : 1 - x;
		d.loss = -log(fmax(d.right, 1e-300));
		return d;
	}
	for (size_t c = 1; c < j->classes; c++)
		if (s[c * j->inner] > s[d.class * j->inner])
			d.class = c;
	for (size_t c = 0; c < j->classes; c++) {
		sum += exp(s[c * j->inner] - s[d.class * j->inner]);
		other = c != label ? fmax(other, s[c * j->inner]) : other;
	}
	x = s[label * j->inner];
	if (j->by == BY_MARGIN) {
		d.loss = 1 + other - x;
		return d;
	}
	d.loss = j->by == BY_LOG ? -x : log(sum) + s[d.class * j->inner] - x;
	d.right = exp(-d.loss);
	d.sure = j->by == BY_LOG ? exp(s[d.class * j->inner]) : 1 / sum;
	return d;
}

/* The class of label k of the dataset; false: it counts for nothing. */
static bool label_of(const struct tally *t, size_t k, size_t *label)
{
	double value = column_value(t->labels, k);

	if (t->of.by >= BY_PROBABILITY)
		value = value > (t->of.by == BY_SIGN ? 0 : 0.5);
	if (!(value >= 0) || value >= (double)t->of.classes)
		return false;
	*label = (size_t)value;
	return true;
}

/* Puts a verdict where it belongs among the worst, or nowhere. Takes its losses. */
static void keep_worst(struct tally *t, struct verdict v)
{
	size_t at = t->n_worst;

	while (at > 0 && !(t->worst[at - 1].loss >= v.loss))
		at--;
	if (at == MOST_WORST) {
		free(v.losses);
		return;
	}
	if (t->n_worst == MOST_WORST)
		free(t->worst[--t->n_worst].losses);
	memmove(&t->worst[at + 1], &t->worst[at], (t->n_worst - at) * sizeof *t->worst);
	t->worst[at] = v;
	t->n_worst++;
}

static void tally_batch(struct tally *t, const double *scores, size_t first, size_t n)
{
	for (size_t s = 0; s < n; s++) {
		struct verdict v = { .row = first + s, .losses = t->keep ? calloc(t->per, sizeof(double))
			                                                 : NULL };
		size_t counted = 0;

		for (size_t k = 0; k < t->per; k++) {
			size_t label;
			struct decided d;

			if (!label_of(t, (first + s) * t->per + k, &label))
				continue;
			d = decide(&t->of, scores, s * t->per + k, label);
			if (t->matrix)
				t->matrix[label * t->of.classes + d.class]++;
			if (counted++ == 0) {
				v.label = label;
				v.decided = d.class;
				v.sure = d.sure;
				v.right = d.right;
			}
			v.loss += d.loss;
			if (v.losses)
				v.losses[k] = d.loss;
		}
		v.loss /= counted ? (double)counted : 1;
		if (counted > 0)
			keep_worst(t, v);
		else
			free(v.losses);
	}
}

/* Evaluates the samples first..first+n-1 and finds what is judged in that recording. */
static double *scores_of(struct report *r, struct tally *t, size_t first, size_t n)
{
	int64_t *dims = calloc((size_t)r->m->n_dims + 1, sizeof *dims);
	size_t rows[BATCH];
	char error[1024] = "";
	struct instance *in = NULL;
	double *scores = NULL;

	for (size_t k = 0; k < n; k++)
		rows[k] = first + k;
	if (dims && data_dims(r->m, t->d, n, dims, error, sizeof error))
		in = model_instance(r->m, dims, false);
	free(dims);
	if (!in || !find_judged(in, r->m, &t->of) || ad_count(t->of.scores) > MOST_SCORES ||
	    !data_feed(r->m, in, t->d, rows, n) || ad_forward(t->of.scores) != AD_OK)
		return NULL;
	scores = malloc(ad_count(t->of.scores) * sizeof *scores + 1);
	if (scores && ad_get(t->of.scores, scores, ad_count(t->of.scores)) == AD_OK)
		return scores;
	free(scores);
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool tally_all(struct report *r, struct tally *t)
{
	double until = now() + (r->live ? LIVE_SECONDS : SECONDS);
	size_t batch = r->m->data.batch > 0 && (size_t)r->m->data.batch < BATCH ? (size_t)r->m->data.batch
	                                                                       : BATCH;

	batch = r->m->batch_dim < 0 ? 1 : batch;
	t->samples = t->d->n < MOST_SAMPLES ? t->d->n : MOST_SAMPLES;
	for (size_t first = 0; first < t->samples; first += batch) {
		size_t n = t->samples - first < batch ? t->samples - first : batch;
		double *scores = scores_of(r, t, first, n);

		if (!scores || t->of.outer * t->of.inner % n != 0) {
			free(scores);
			return false;
		}
		if (first == 0) {
			for (int i = 0; i < t->d->n_columns; i++)
				if (!strcmp(t->d->columns[i].input, r->m->inputs[t->of.input].name))
					t->labels = &t->d->columns[i];
			t->per = t->of.outer * t->of.inner / n;
			if (t->of.classes <= MOST_CLASSES)
				t->matrix = calloc(t->of.classes * t->of.classes, sizeof *t->matrix);
			if (!t->labels || t->labels->per != t->per) {
				free(scores);
				return false;
			}
		}
		tally_batch(t, scores, first, n);
		free(scores);
		if (now() > until)
			t->samples = first + n;
	}
	return t->samples > 0;
}

/* ---- samples as pictures, text, numbers --------------------------------------------------------- */

struct picture_size {
	size_t channels, height, width;
};

static bool is_scaled(const ad_model *m, const char *input)
{
	for (int k = 0; k < m->data.n_map; k++)
		if (strcmp(m->data.map[k].input, input) == 0 && m->data.map[k].kind != MAP_STANDARDIZE)
			return true;
	return false;
}

/* Whether a column holds pictures: one or three channels of rows; or rows alone, or all in one row of
 * square size, where `map` scales them, as it does with pixels. */
static bool is_picture(const ad_model *m, const struct column *c, struct picture_size *size)
{
	const int64_t *dims = c->shape.dims;
	size_t side = (size_t)lround(sqrt((double)c->per));

	if (c->target || c->type != AD_REAL)
		return false;
	if (c->shape.rank == 3 && (dims[0] == 1 || dims[0] == 3) && dims[1] > 3 && dims[2] > 3) {
		*size = (struct picture_size){ (size_t)dims[0], (size_t)dims[1], (size_t)dims[2] };
		return true;
	}
	if (!is_scaled(m, c->input))
		return false;
	if (c->shape.rank == 2 && dims[0] > 3 && dims[1] > 3) {
		*size = (struct picture_size){ 1, (size_t)dims[0], (size_t)dims[1] };
		return true;
	}
	*size = (struct picture_size){ 1, side, side };
	return c->shape.rank == 1 && c->per >= LEAST_SQUARE && side * side == c->per;
}

static void write_base64(FILE *to, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t k = 0; k < n; k += 3) {
		unsigned group = (unsigned)bytes[k] << 16 | (k + 1 < n ? (unsigned)bytes[k + 1] << 8 : 0) |
		                 (k + 2 < n ? bytes[k + 2] : 0);

		putc(digits[group >> 18], to);
		putc(digits[group >> 12 & 63], to);
		putc(k + 1 < n ? digits[group >> 6 & 63] : '=', to);
		putc(k + 2 < n ? digits[group & 63] : '=', to);
	}
}

/* Pixels row by row, the channels of each side by side; the smallest value is 0, the largest 255. */
static void write_picture(FILE *to, const struct column *c, size_t row, struct picture_size p)
{
	size_t longer = p.height > p.width ? p.height : p.width, step = (longer + MOST_SIDE - 1) / MOST_SIDE;
	size_t height = (p.height + step - 1) / step, width = (p.width + step - 1) / step, n = 0;
	unsigned char *bytes = malloc(p.channels * height * width);
	double least = INFINITY, most = -INFINITY;

	for (size_t k = 0; k < c->per; k++) {
		least = fmin(least, column_value(c, row * c->per + k));
		most = fmax(most, column_value(c, row * c->per + k));
	}
	for (size_t y = 0; bytes && y < p.height; y += step)
		for (size_t x = 0; x < p.width; x += step)
			for (size_t k = 0; k < p.channels; k++) {
				size_t at = row * c->per + (k * p.height + y) * p.width + x;
				double part = (column_value(c, at) - least) / (most - least);

				bytes[n++] = part > 0 ? (unsigned char)lround(255 * fmin(part, 1)) : 0;
			}
	fprintf(to, ",\"image\":{\"channels\":%zu,\"height\":%zu,\"width\":%zu,\"pixels\":\"", p.channels,
	        height, width);
	write_base64(to, bytes, n);
	fprintf(to, "\"}");
	free(bytes);
}

static void write_token(FILE *to, const struct vocabulary *v, size_t k)
{
	char *text = k < v->n ? strndup(v->tokens[k].text, v->tokens[k].length) : NULL;

	json_text(to, text ? text : "?");
	free(text);
}

/* The tokens that were to come, and how badly each was foreseen. */
static void write_tokens(FILE *to, const struct tally *t, const struct vocabulary *v,
                         const struct verdict *of)
{
	size_t n = t->per < MOST_TOKENS ? t->per : MOST_TOKENS;

	fprintf(to, ",\"text\":[");
	for (size_t k = 0; k < n; k++) {
		if (k > 0)
			putc(',', to);
		write_token(to, v, (size_t)fmax(0, column_value(t->labels, of->row * t->per + k)));
	}
	fprintf(to, "],\"losses\":");
	report_numbers(to, of->losses, n);
}

static void write_values(FILE *to, const struct dataset *d, size_t row)
{
	bool first = true;

	fprintf(to, ",\"values\":{");
	for (int i = 0; i < d->n_columns; i++) {
		const struct column *c = &d->columns[i];
		double values[MOST_VALUES];
		size_t n = c->per < MOST_VALUES ? c->per : MOST_VALUES;

		if (c->target)
			continue;
		for (size_t k = 0; k < n; k++)
			values[k] = column_value(c, row * c->per + k);
		if (!first)
			putc(',', to);
		first = false;
		json_text(to, c->input);
		fprintf(to, ":{\"of\":%zu,\"first\":", c->per);
		report_numbers(to, values, n);
		putc('}', to);
	}
	putc('}', to);
}

static void write_place(FILE *to, const struct dataset *d, size_t row)
{
	char place[64];
	const char *file = d->path ? strrchr(d->path, '/') : NULL;

	fprintf(to, "\"place\":");
	if (!d->places) {
		snprintf(place, sizeof place, "%zu", row);
		json_text(to, place);
	} else {
		char *text = NULL;

		if (asprintf(&text, "%s%s%zu", d->path ? file ? file + 1 : d->path : "sample ",
		             d->path ? ":" : "", d->places[row]) < 0)
			text = NULL;
		json_text(to, text ? text : "");
		free(text);
	}
}

static void write_worst(struct report *r, const struct tally *t, const struct vocabulary *v)
{
	const struct column *pictures = NULL;
	struct picture_size size = { 0 };

	for (int i = 0; i < t->d->n_columns && !pictures; i++)
		if (is_picture(r->m, &t->d->columns[i], &size))
			pictures = &t->d->columns[i];
	fprintf(r->to, ",\"worst\":[");
	for (size_t k = 0; k < t->n_worst; k++) {
		const struct verdict *w = &t->worst[k];

		fprintf(r->to, k ? ",{" : "{");
		write_place(r->to, t->d, w->row);
		fprintf(r->to, ",\"loss\":");
		report_number(r->to, w->loss);
		if (t->per == 1) {
			fprintf(r->to, ",\"label\":%zu,\"decided\":%zu,\"sure\":", w->label, w->decided);
			report_number(r->to, w->sure);
			fprintf(r->to, ",\"right\":");
			report_number(r->to, w->right);
		}
		if (v && w->losses)
			write_tokens(r->to, t, v, w);
		else if (pictures)
			write_picture(r->to, pictures, w->row, size);
		else
			write_values(r->to, t->d, w->row);
		putc('}', r->to);
	}
	putc(']', r->to);
}

static void write_matrix(FILE *to, const struct tally *t)
{
	size_t classes = t->of.classes;

	fprintf(to, ",\"matrix\":[");
	for (size_t label = 0; label < classes; label++) {
		for (size_t k = 0; k < classes; k++)
			fprintf(to, "%s%zu", k ? "," : label ? ",[" : "[", t->matrix[label * classes + k]);
		putc(']', to);
	}
	putc(']', to);
}

/* Tokens name the classes of a language model; -1 and 1 those that a sign tells. */
static void write_names(FILE *to, const struct tally *t, const struct vocabulary *v)
{
	fprintf(to, ",\"classes\":[");
	for (size_t k = 0; k < t->of.classes; k++) {
		if (k > 0)
			putc(',', to);
		if (v && k < v->n)
			write_token(to, v, k);
		else if (t->of.by == BY_SIGN)
			fputs(k ? "\"+1\"" : "\"-1\"", to);
		else
			fprintf(to, "\"%zu\"", k);
	}
	putc(']', to);
}

static void write_judged(struct report *r, struct tally *t, const char *part)
{
	struct vocabulary v = { 0 };
	char error[512];
	bool text = t->keep && vocabulary_open(&r->m->data.train, &v, error, sizeof error);

	if (t->samples < t->d->n)
		report_remark(r, "The classes are those of the first %zu of %zu samples.", t->samples, t->d->n);
	if (!t->matrix)
		report_remark(r, "There is no confusion matrix: it would have %zu rows.", t->of.classes);
	fprintf(r->to, ",\"judged\":{\"part\":\"%s\",\"samples\":%zu,\"labels\":%zu", part, t->samples,
	        t->per);
	write_names(r->to, t, text ? &v : NULL);
	if (t->matrix)
		write_matrix(r->to, t);
	write_worst(r, t, text ? &v : NULL);
	putc('}', r->to);
	vocabulary_close(&v);
}

void report_classes(struct report *r)
{
	struct parts parts = { 0 };
	struct tally t = { 0 };
	const char *part;
	char error[1024];

	if (!r->weights || !r->m->data.has_train)
		return;
	if (!data_read(r->m, &parts, error, sizeof error)) {
		report_remark(r, "Samples could not be looked at: %s", error);
		return;
	}
	t.d = parts.test.n ? &parts.test : parts.valid.n ? &parts.valid : &parts.train;
	part = parts.test.n ? "test" : parts.valid.n ? "valid" : "train";
	t.keep = strcmp(r->m->data.train.format->name, "text") == 0;
	if (tally_all(r, &t))
		write_judged(r, &t, part);
	for (size_t k = 0; k < t.n_worst; k++)
		free(t.worst[k].losses);
	free(t.matrix);
	data_free(&parts);
	ad_clear(r->m->graph);
}
