/*
 * lr: `autograd lr`: the learning-rate range test, its plot and what it suggests.
 */
#include "lr.h"

#include "plot.h"
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REACH(steps)                                                                               \
	(4 + (int)((steps) / 50)) /* points on each side that a smoothed one takes in */
#define FEW_POINTS 10             /* before the loss diverges: it begins where it should end */
#define DIVERGED 4                /* times the least loss, of the mean of the last losses */
#define LEAST_FALL                                                                                 \
	0.01 /* of the loss at the start, and twice the noise of a smoothed point: else it is none \
	      */

/* ---- the test -------------------------------------------------------------------------------- */

void rate_test_free(struct rate_test *t)
{
	free(t->points);
	*t = (struct rate_test){ 0 };
}

const char *untrainable(const struct probe *p)
{
	if (!p->in->loss)
		return "there is no 'loss', which a training makes small";
	if (!p->m->train.optimizer)
		return "'train' has no optimizer, such as optimizer: {sgd: {lr: 0.1}}";
	return p->n_moved == 0 ? "there are no weights to train" : NULL;
}

/* Weighted means with weights that fall linearly to both sides; at the ends of what is there. */
static void smooth(struct rate_test *t, int reach)
{
	for (size_t k = 0; k < t->n; k++) {
		double sum = 0, weights = 0;

		for (int j = -reach; j <= reach; j++) {
			size_t at = k + (size_t)j;
			double weight = reach + 1 - abs(j);

			if ((j < 0 && k < (size_t)-j) || at >= t->n)
				continue;
			sum += weight * t->points[at].loss;
			weights += weight;
		}
		t->points[k].smooth = sum / weights;
	}
}

/* The fall of the smoothed loss around point k, over two points on each side. */
static double fall(const struct rate_test *t, size_t k)
{
	return t->points[k - 2].smooth - t->points[k + 2].smooth;
}

static void conclude(struct rate_test *t, int reach)
{
	size_t least = 0, steepest = 0;
	double squares = 0, from;

	if (t->n == 0)
		return;
	smooth(t, reach);
	t->start = t->points[0].smooth;
	for (size_t k = 0; k < t->n; k++)
		if (t->points[k].smooth < t->points[least].smooth)
			least = k;
	t->least = t->points[least].smooth;
	t->least_lr = t->points[least].lr;
	for (size_t k = 0; k <= least; k++)
		squares += pow(t->points[k].loss - t->points[k].smooth, 2);
	t->noise = sqrt(squares / (double)(least + 1));
	/* a smoothed point has the noise of a loss by the root of how many count in it: some 1.5
	 * reach */
	if (t->start - t->least <
	    fmax(LEAST_FALL * fabs(t->start), 2 * t->noise / sqrt(1.5 * reach)))
		return;
	/* the curve can rise before the test ends, never fall behind its least point */
	for (size_t k = 2; k + 2 < t->n && k <= least; k++)
		if (steepest == 0 || fall(t, k) > fall(t, steepest))
			steepest = k;
	from = steepest ? t->points[steepest].lr : t->least_lr / 10;
	t->suggested = fmin(from, t->end_lr > 0 ? t->end_lr / 4 : from);
}

static bool grow(struct probe *p, double from, double to, size_t steps, struct rate_test *t,
                 char *error, size_t n)
{
	double factor = steps > 1 ? pow(to / from, 1 / (double)(steps - 1)) : 1, mean = 0,
	       least = INFINITY;

	for (size_t k = 0; k < steps && t->end_lr == 0; k++) {
		struct rate_point *point = &t->points[t->n];
		double recent;

		point->lr = from * pow(factor, (double)k);
		switch (probe_step(p, point->lr, &point->loss, error, n)) {
		case PROBE_FAILED:
			return false;
		case PROBE_NONFINITE:
			t->nonfinite = true;
			t->end_lr = point->lr;
			continue;
		case PROBE_MOVED:
			break;
		}
		t->n++;
		/* of some five steps */
		mean += 0.2 * (point->loss - mean);
		recent = mean / (1 - pow(0.8, (double)(k + 1)));
		least = fmin(least, recent);
		if (k >= 2 * (size_t)REACH(steps) &&
		    recent > (least > 0 ? DIVERGED * least : least + DIVERGED * fabs(least)) &&
		    recent > t->points[0].loss)
			t->end_lr = point->lr;
	}
	return true;
}

bool rate_test(struct probe *p, double from, double to, size_t steps, struct rate_test *t,
               char *error, size_t n)
{
	void **saved = probe_save(p);
	bool good;

	*t = (struct rate_test){ .points = calloc(steps + 1, sizeof *t->points) };
	/* in the file's order the loss may fall or grow with the samples, not the rate */
	p->shuffled = true;
	p->epoch = -1;
	if (!saved || !t->points) {
		snprintf(error, n, "out of memory");
		probe_free(p, saved);
		return false;
	}
	good = probe_restart(p, error, n) && grow(p, from, to, steps, t, error, n);
	if (!probe_load(p, saved) && good) {
		snprintf(error, n, "%s", ad_errmsg(p->m->graph));
		good = false;
	}
	good = good && probe_restart(p, error, n);
	p->shuffled = false;
	p->epoch = -1;
	probe_free(p, saved);
	conclude(t, REACH(steps));
	return good;
}

void rate_test_say(const struct rate_test *t, char *text, size_t n)
{
	char end[160] = "";

	if (t->end_lr > 0)
		snprintf(end, sizeof end, "; at lr %.2g it %s", t->end_lr,
		         t->nonfinite ? "is NaN or infinite" : "is over four times that");
	if (t->n == 0)
		snprintf(text, n,
		         "no suggestion: the loss or a gradient is NaN or infinite before the "
		         "first step; 'autograd doctor' says where");
	else if (t->suggested == 0)
		snprintf(
		    text, n,
		    "no suggestion: from lr %.2g to %.2g the loss falls nowhere by more than its "
		    "noise, from %.4g to %.4g at best%s; %s",
		    t->points[0].lr, t->points[t->n - 1].lr, t->start, t->least, end,
		    t->end_lr > 0 && t->n < FEW_POINTS
			? "begin with a smaller one, --from"
			: "'autograd doctor' says what else may be wrong");
	else
		snprintf(text, n,
		         "suggested: lr %.2g: there the loss falls fastest, from %.4g at the start "
		         "to %.4g at lr %.2g, its least%s",
		         t->suggested, t->start, t->least, t->least_lr, end);
}

/* ---- in the terminal ------------------------------------------------------------------------- */

enum { ROWS = 12, MARGIN = 10 };

/* A grid of dots, 2 by 4 to a character of braille, 1 by 1 in ASCII. */
struct canvas {
	int columns, rows, across, down; /* characters; dots in one */
	unsigned char *dots;             /* of each character, a bit for each */
};

static void put_dot(struct canvas *c, int x, int y)
{
	static const unsigned char bits[4][2] = { { 1, 8 }, { 2, 16 }, { 4, 32 }, { 64, 128 } };
	int column = x / c->across, row = y / c->down;

	if (x >= 0 && y >= 0 && column < c->columns && row < c->rows)
		c->dots[row * c->columns + column] |= bits[y % c->down][x % c->across];
}

static void put_character(const struct canvas *c, int at, bool marked, FILE *to)
{
	unsigned char dots = c->dots[at];

	if (c->down == 1)
		putc(dots ? '*' : marked ? '|' : ' ', to);
	else if (dots)
		fprintf(to, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 63)); /* U+2800 + dots */
	else
		fputs(marked ? "\xe2\x94\x8a" : " ", to); /* U+250A */
}

/* Where a rate lies, 0 to 1. */
static double across(const struct rate_test *t, double lr)
{
	return log(lr / t->points[0].lr) / log(t->points[t->n - 1].lr / t->points[0].lr);
}

static void draw_curve(const struct rate_test *t, struct canvas *c, double low, double high)
{
	int width = c->columns * c->across, height = c->rows * c->down, before = -1;

	for (int x = 0; x < width; x++) {
		double place = (double)x / (width - 1) * (double)(t->n - 1);
		size_t k = (size_t)place < t->n - 1 ? (size_t)place : t->n - 2;
		double part = place - (double)k;
		double loss = t->points[k].smooth * (1 - part) + t->points[k + 1].smooth * part;

		int y = (int)lround((high - fmin(loss, high)) / (high - low) * (height - 1));

		/* from where the curve was, so that it has no holes where it is steep */
		before = before < 0 ? y : before;
		for (int at = before; at != y && (loss <= high || before > 0);
		     at += y > at ? 1 : -1)
			put_dot(c, x, at);
		if (loss <= high)
			put_dot(c, x, y);
		before = y;
	}
}

static void print_axis(const struct rate_test *t, int columns, FILE *to)
{
	int column = 0;
	double first = ceil(log10(t->points[0].lr) - 1e-9),
	       last = log10(t->points[t->n - 1].lr) + 1e-9;

	fprintf(to, "%*s", MARGIN, "lr ");
	for (double e = first; e <= last; e++) {
		int at = (int)lround(across(t, pow(10, e)) * (columns - 1));

		if (at < column)
			continue;
		fprintf(to, "%*s", at - column, "");
		column = at + fprintf(to, "1e%.0f ", e);
	}
	putc('\n', to);
}

void rate_test_print(const struct rate_test *t, int width, bool plain, FILE *to)
{
	struct canvas c = { .columns = width - MARGIN,
		            .rows = ROWS,
		            .across = plain ? 1 : 2,
		            .down = plain ? 1 : 4 };
	double low = t->least, high = t->start + 0.25 * (t->start - t->least), margin;
	int marked = -1;

	if (t->n < 3 || c.columns < 20)
		return;
	if (!(high > low)) {
		high = low;
		for (size_t k = 0; k < t->n; k++)
			high = fmax(high, t->points[k].smooth);
	}
	margin = high > low ? 0.02 * (high - low) : fmax(fabs(low), 1e-300) * 0.01;
	high += margin;
	low -= margin;
	c.dots = calloc((size_t)(c.columns * c.rows), 1);
	if (!c.dots)
		return;
	draw_curve(t, &c, low, high);
	if (t->suggested > 0)
		marked = (int)lround(across(t, t->suggested) * (c.columns - 1));
	for (int row = 0; row < c.rows; row++) {
		if (row == 0 || row == c.rows - 1)
			fprintf(to, "%*.4g ", MARGIN - 1, row ? low : high);
		else
			fprintf(to, "%*s", MARGIN, row == c.rows / 2 ? "loss " : "");
		for (int k = 0; k < c.columns; k++)
			put_character(&c, row * c.columns + k, k == marked, to);
		putc('\n', to);
	}
	print_axis(t, c.columns, to);
	free(c.dots);
}

/* ---- the command ----------------------------------------------------------------------------- */

struct lr_options {
	const char *output, *from, *to;
	int64_t steps;
	int format;
	bool plain;
	struct texts set;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PICTURE", NULL, false, offsetof(struct lr_options, output),
	  "a plot of loss against rate: a path that ends in .svg, .png or .pdf" },
	{ "from", 0, OPTION_TEXT, "LR", "1e-6", false, offsetof(struct lr_options, from),
	  "the rate of the first step" },
	{ "to", 0, OPTION_TEXT, "LR", "10", false, offsetof(struct lr_options, to),
	  "the rate of the last step, if the loss does not diverge before" },
	{ "steps", 0, OPTION_WHOLE, "N", "200", false, offsetof(struct lr_options, steps),
	  "how many steps, 10 to 100000" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false, offsetof(struct lr_options, format),
	  "json: {\"points\": [{\"lr\": .., \"loss\": .., \"smooth\": ..}], \"suggested\": ..}" },
	{ "plain", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct lr_options, plain),
	  "ASCII only" },
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct lr_options, set),
	  "replaces a value of the file, in its own grammar; may be repeated" },
	LIMIT_OPTIONS,
	{ 0 },
};

/* A rate above 0; 0: it is none. */
static double rate_of(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	return *text && *end == '\0' && isfinite(value) ? value : 0;
}

static void print_json(const struct rate_test *t)
{
	printf("{\"points\": [");
	for (size_t k = 0; k < t->n; k++) {
		printf("%s\n  {\"lr\": ", k ? "," : "");
		json_real(stdout, t->points[k].lr);
		printf(", \"loss\": ");
		json_real(stdout, t->points[k].loss);
		printf(", \"smooth\": ");
		json_real(stdout, t->points[k].smooth);
		putchar('}');
	}
	printf("],\n \"least\": ");
	json_real(stdout, t->least);
	printf(", \"least_lr\": ");
	json_real(stdout, t->least_lr);
	printf(", \"diverged_at\": ");
	if (t->end_lr > 0)
		json_real(stdout, t->end_lr);
	else
		printf("null");
	printf(", \"nonfinite\": %s, \"suggested\": ", t->nonfinite ? "true" : "false");
	if (t->suggested > 0)
		json_real(stdout, t->suggested);
	else
		printf("null");
	printf("}\n");
}

static bool draw(const ad_model *m, const struct rate_test *t, const char *path, char *error,
                 size_t n)
{
	double *room = calloc(3 * t->n + 1, sizeof *room);
	struct rates rates = { .title = m->name,
		               .n = t->n,
		               .lr = room,
		               .loss = room + t->n,
		               .smooth = room + 2 * t->n,
		               .suggested = t->suggested };
	bool done;

	if (!room) {
		snprintf(error, n, "out of memory");
		return false;
	}
	for (size_t k = 0; k < t->n; k++) {
		room[k] = t->points[k].lr;
		room[t->n + k] = t->points[k].loss;
		room[2 * t->n + k] = t->points[k].smooth;
	}
	done = plot_rates(&rates, path, error, n);
	free(room);
	return done;
}

static int test(struct probe *p, const struct lr_options *o, double from, double to)
{
	const char *why = untrainable(p);
	struct rate_test t;
	char error[1024], text[1024];
	int status = EXIT_DONE;

	if (why)
		return misused("lr", "%s: %s", p->m->path, why);
	if (!rate_test(p, from, to, (size_t)o->steps, &t, error, sizeof error))
		return rate_test_free(&t), failed("lr", "%s", error);
	rate_test_say(&t, text, sizeof text);
	if (o->format == 1) {
		print_json(&t);
	} else {
		int width = terminal_width(stdout, 80);

		rate_test_print(&t, width < 100 ? width : 100, o->plain, stdout);
		print_wrapped(stdout, text, 0, 0, width < 100 ? width : 100);
	}
	if (o->output && t.n < 2)
		status = failed("lr", "there is nothing to plot: %s", text);
	else if (o->output && !draw(p->m, &t, o->output, error, sizeof error))
		status = failed("lr", "%s", error);
	rate_test_free(&t);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct lr_options *o = given;
	double from = rate_of(o->from), to = rate_of(o->to);
	enum picture picture = o->output ? picture_of(o->output) : PICTURE_SVG;
	struct probe p;
	char error[1024];
	int status;
	ad_model *m;

	if (!(from > 0) || !(to > from) || !isfinite(to / from))
		return misused(
		    "lr", "--from and --to are rates above 0, the second larger, their quotient finite: "
		          "not '%s' and '%s'",
		    o->from, o->to);
	if (o->steps < 10 || o->steps > 100000)
		return misused("lr", "--steps is a number from 10 to 100000");
	if (picture != PICTURE_SVG && picture != PICTURE_PNG && picture != PICTURE_PDF)
		return misused("lr", "'%s' does not end in .svg, .png or .pdf", o->output);
	m = open_file("lr", args[0], &o->set, &status);
	if (!m)
		return status;
	if (!probe_open(&p, m, 0, &status, error, sizeof error))
		status == EXIT_USAGE ? misused("lr", "%s", error) : failed("lr", "%s", error);
	else
		status = test(&p, o, from, to);
	probe_close(&p);
	ad_model_close(m);
	return status;
}

const struct command command_lr = {
	.name = "lr",
	.arguments = "FILE",
	.least = 1,
	.most = 1,
	.doc = "tests learning rates: plots the loss against them, suggests one",
	.details =
	    "A training in memory whose rate grows by the same factor each step, from 1e-6 to 10, "
	    "until the loss diverges; the schedule of the file rests. Suggested is where the "
	    "smoothed loss falls fastest. Nothing is written but the picture asked for.",
	.options = options,
	.options_size = sizeof(struct lr_options),
	.run = run,
};
