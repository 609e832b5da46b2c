/*
 * sample: lets a language model write: each token is drawn by the probabilities that the run gives
 * it after those before.
 */
#include "../models/data/text.h"
#include "command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample_options {
	const char *prompt, *temperature;
	int64_t length, seed;
};

static const struct option options[] = {
	{ "prompt", 0, OPTION_TEXT, "TEXT", NULL, false, offsetof(struct sample_options, prompt),
	  "what it begins with; a line feed otherwise, or the first token where there is none" },
	{ "length", 0, OPTION_WHOLE, "N", "300", false, offsetof(struct sample_options, length),
	  "how many tokens are drawn" },
	{ "temperature", 0, OPTION_TEXT, "T", "1", false,
	  offsetof(struct sample_options, temperature),
	  "what scores are divided by: below 1 the likely is likelier, 0 takes the likeliest" },
	{ "seed", 0, OPTION_WHOLE, "N", "1", false, offsetof(struct sample_options, seed),
	  "another number, another text" },
	{ 0 },
};

/* The recording of one sequence and the tokens so far. */
struct writer {
	ad_model *m;
	struct vocabulary v;
	struct instance *in;
	ad_node *x; /* the input [1, T] */
	size_t T;
	int32_t *tokens;
	size_t n, room;
	double temperature;
	uint64_t seed;
	double *scores; /* [T, vocabulary] */
};

static bool push(struct writer *w, int32_t token)
{
	if (w->n == w->room) {
		size_t room = 2 * w->room + 256;
		int32_t *more = realloc(w->tokens, room * sizeof *more);

		if (!more)
			return false;
		w->tokens = more;
		w->room = room;
	}
	w->tokens[w->n++] = token;
	return true;
}

static bool record(struct writer *w, char *error, size_t n)
{
	ad_model *m = w->m;
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	const struct input *input = NULL;
	int number = 0;
	ad_shape y;

	for (int i = 0; i < m->n_inputs && !input; i++)
		if (strcmp(m->inputs[i].name, w->v.input) == 0)
			input = &m->inputs[number = i];
	if (!dims || !input || input->rank != 2 || m->batch_dim < 0) {
		free(dims);
		return failure(error, n,
		               dims ? "the input of tokens must be [B, steps]" : "out of memory");
	}
	w->T = input->dims[1] > 0 ? (size_t)input->dims[1] : w->v.window ? w->v.window : 64;
	for (int d = 0; d < m->n_dims; d++)
		dims[d] = d == m->batch_dim ? 1 : (int64_t)w->T;
	w->in = model_instance(m, dims, false);
	free(dims);
	if (!w->in || !w->in->output)
		return failure(error, n, "%s",
		               w->in ? "the model has no output" : ad_errmsg(m->graph));
	y = ad_shape_of(w->in->output);
	w->x = w->in->inputs[number];
	if (!w->x || y.rank != 3 || y.dims[1] != (int64_t)w->T || y.dims[2] < (int64_t)w->v.n)
		return failure(
		    error, n,
		    "the output must be [B, steps, %zu], a score for each token of the vocabulary",
		    w->v.n);
	w->scores = malloc(ad_count(w->in->output) * sizeof *w->scores);
	return w->scores || failure(error, n, "out of memory");
}

/* A token by its score over the temperature; u is uniform in [0, 1). */
static int32_t draw(const double scores[], size_t n, double temperature, double u)
{
	size_t best = 0;
	double sum = 0;

	for (size_t k = 1; k < n; k++)
		best = scores[k] > scores[best] ? k : best;
	if (temperature <= 0)
		return (int32_t)best;
	for (size_t k = 0; k < n; k++)
		sum += exp((scores[k] - scores[best]) / temperature);
	u *= sum;
	for (size_t k = 0; k < n; k++) {
		u -= exp((scores[k] - scores[best]) / temperature);
		if (u < 0)
			return (int32_t)k;
	}
	return (int32_t)best;
}

/* Draws the next token. The steps behind the last one hold zeros: a model that predicts what comes
 * next does not look at them. */
static bool write_one(struct writer *w, uint64_t step)
{
	size_t known = w->n < w->T ? w->n : w->T,
	       width = (size_t)ad_shape_of(w->in->output).dims[2];
	int32_t *x = ad_write(w->x);

	if (!x)
		return false;
	memset(x, 0, w->T * sizeof *x);
	memcpy(x, w->tokens + w->n - known, known * sizeof *x);
	if (ad_forward(w->in->output) != AD_OK ||
	    ad_get(w->in->output, w->scores, ad_count(w->in->output)) != AD_OK)
		return false;
	return push(w, draw(w->scores + (known - 1) * width, w->v.n, w->temperature,
	                    data_uniform(w->seed, STREAM_DRAW, 0, step)));
}

/* Words stand apart, but for signs and ends of lines. */
static void print_token(const struct writer *w, size_t k)
{
	const struct token *t = &w->v.tokens[w->tokens[k]];
	bool sign = t->length == 1 && strchr(".,;:!?)\n", *t->text);
	bool begins = k == 0 || *w->v.tokens[w->tokens[k - 1]].text == '\n';

	if (w->v.kind == 'w' && !sign && !begins)
		putchar(' ');
	fwrite(t->text, 1, t->length, stdout);
}

static bool begin(struct writer *w, const char *prompt, char *error, size_t n)
{
	int32_t *numbers = NULL;
	size_t count = 0;
	char unused[256];
	bool ok = vocabulary_number(&w->v, prompt ? prompt : "\n", &numbers, &count,
	                            prompt ? error : unused, prompt ? n : sizeof unused);

	if (ok && prompt && count == 0)
		ok = failure(error, n, "the prompt has no token");
	for (size_t k = 0; ok && k < count; k++)
		ok = push(w, numbers[k]) || failure(error, n, "out of memory");
	if (!prompt && w->n == 0)
		ok = push(w, 0) || failure(error, n, "out of memory");
	free(numbers);
	return ok;
}

static int sample(struct writer *w, const struct sample_options *o)
{
	char error[512] = "out of memory", *end;
	size_t first;

	w->temperature = strtod(o->temperature, &end);
	w->seed = (uint64_t)o->seed;
	if (*end || end == o->temperature || !(w->temperature >= 0) || !isfinite(w->temperature))
		return misused("sample", "--temperature takes a number from 0, not '%s'",
		               o->temperature);
	if (!w->m->data.has_train || strcmp(w->m->data.train.format->name, "text") != 0)
		return misused("sample",
		               "the run has not learnt from a text: its data has another format");
	if (!vocabulary_open(&w->m->data.train, &w->v, error, sizeof error) ||
	    !record(w, error, sizeof error))
		return failed("sample", "%s", error);
	if (!begin(w, o->prompt, error, sizeof error))
		return misused("sample", "%s", error);
	for (size_t k = 0; o->prompt && k < w->n; k++)
		print_token(w, k);
	for (int64_t k = 0; k < o->length; k++) {
		first = w->n;
		if (!write_one(w, (uint64_t)k))
			return failed("sample", "%s",
			              ad_status_of(w->m->graph) == AD_OK ? error
			                                                 : ad_errmsg(w->m->graph));
		print_token(w, first);
	}
	putchar('\n');
	return EXIT_DONE;
}

static int run(const void *given, int n, const char *const args[])
{
	struct writer w = { 0 };
	int status;

	w.m = open_run("sample", args[0], &status);
	if (!w.m)
		return status;
	status = sample(&w, given);
	vocabulary_close(&w.v);
	free(w.tokens);
	free(w.scores);
	ad_model_close(w.m);
	return status;
}

const struct command command_sample = {
	.name = "sample",
	.arguments = "RUN",
	.least = 1,
	.most = 1,
	.doc = "lets a trained language model write",
	.details =
	    "RUN is the folder of a training on data of format text. Its output gives each token "
	    "of the "
	    "vocabulary a score at each step; token by token one is drawn by these and added.",
	.options = options,
	.options_size = sizeof(struct sample_options),
	.run = run,
};
