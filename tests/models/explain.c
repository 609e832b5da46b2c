/*
 * explain: the examples of every error's page: the wrong one has that error, the right one none.
 */
#include "model.h"
#include "scratch.h"

TestSuite(explain, .init = scratch_open, .fini = scratch_close);

/* What opening an example says, or training it for the errors of data. */
static char *said(const char *text, bool train)
{
	char *out = NULL, error[2048] = "";
	size_t length = 0;
	FILE *to = open_memstream(&out, &length);
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m && to);
	ad_model_messages(m, to, false);
	if (train && ad_model_errors(m) == 0) {
		ad_train_options o = { .dry = true };

		if (ad_model_train(m, &o, error, sizeof error) != AD_RUN_DONE)
			fprintf(to, "%s\n", error);
	}
	fclose(to);
	ad_model_close(m);
	return out;
}

/* What reading the weights of one model into another says. */
static char *said_by_reading(const char *into, const char *from)
{
	static char error[2048];
	const char *path = scratch_path("w.safetensors");
	ad_model *a = ad_model_open(scratch_text("a.yaml", into), 0, NULL);
	ad_model *b = ad_model_open(scratch_text("b.yaml", from), 0, NULL);

	error[0] = '\0';
	cr_assert(ad_model_graph(b) && checkpoint_write(b, path, error, sizeof error), "%s", error);
	checkpoint_read(a, path, NULL, error, sizeof error);
	ad_model_close(a);
	ad_model_close(b);
	return strdup(error);
}

Test(explain, examples)
{
	size_t n = 0;

	for (const struct explanation *e = explanations; e->code; e++, n++) {
		char *wrong = e->code == 30 ? said_by_reading(e->wrong, e->right)
		                            : said(e->wrong, e->code == 20);
		char *right = said(e->right, e->code == 20), code[16];

		snprintf(code, sizeof code, "error[E%03d]", e->code);
		cr_expect(strstr(wrong, code) != NULL, "%s: the wrong example says\n%s", code,
		          wrong);
		cr_expect(*right == '\0', "%s: the right example says\n%s", code, right);
		cr_expect(e == explanations || e->code > e[-1].code);
		free(wrong);
		free(right);
	}
	cr_expect(n == 24, "%zu pages", n);
}
