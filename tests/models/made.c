/*
 * made: generated sets, texts and NumPy arrays as data: what samples are, and what is refused.
 */
#include "data.h"
#include "scratch.h"

#include <math.h>

TestSuite(made, .init = scratch_open, .fini = scratch_close);

static ad_model *open_text(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m != NULL);
	if (ad_model_errors(m))
		ad_model_messages(m, stderr, false);
	cr_assert(ad_model_errors(m) == 0, "%s", text);
	return m;
}

/* Inputs x and y, the model nothing much, and a source. */
static struct parts read_data(const char *x, const char *y, const char *source, uint64_t seed,
                              char error[512])
{
	char text[1024];
	struct parts p = { 0 };
	ad_model *m;

	snprintf(
	    text, sizeof text,
	    "version: 1\ninputs: {x: %s, y: %s}\nmodel: {a: x * 1, b: y * 1}\noutput: a\nmetrics: "
	    "{m: mean(b)}\ndata: {train: %s}\ntrain: {epochs: 1, seed: %d, optimizer: {sgd: 1}}\n",
	    x, y, source, (int)seed);
	m = open_text(text);
	*error = '\0';
	if (!data_read(m, &p, error, 512))
		cr_assert(*error);
	/* names of inputs live in the model */
	for (int i = 0; i < p.train.n_columns; i++)
		p.train.columns[i].input = i ? "y" : "x";
	ad_model_close(m);
	return p;
}

#define POINT "[B, 2]"
#define LABEL "{shape: [B], dtype: i32, role: target}"

/* ---- generated sets
 * --------------------------------------------------------------------------------- */

/* The same for the same seed, other points for another; the noise is as large as it says. */
Test(made, points)
{
	static const char *const sources[] = { "{format: spirals, n: 300, classes: 3, noise: 0}",
		                               "{format: moons, n: 300, noise: 0}" };
	char error[512];

	for (int set = 0; set < 2; set++) {
		struct parts a = read_data(POINT, LABEL, sources[set], 1, error),
			     b = read_data(POINT, LABEL, sources[set], 1, error),
			     c = read_data(POINT, LABEL, sources[set], 2, error);
		size_t other = 0;

		cr_assert(a.train.n == 300 && b.train.n == 300 && c.train.n == 300, "%s", error);
		for (size_t k = 0; k < 300; k++) {
			double x = column_value(&a.train.columns[0], 2 * k),
			       y = column_value(&a.train.columns[0], 2 * k + 1);
			double label = column_value(&a.train.columns[1], k);

			cr_assert(x == column_value(&b.train.columns[0], 2 * k));
			other += x != column_value(&c.train.columns[0], 2 * k);
			if (set == 0) {
				/* the radius tells the angle of the arm */
				double r = hypot(x, y), angle = 6.283185307179586 * (r + label / 3);

				cr_assert(r >= 0.0499 && r <= 1.0001 && label == (double)(k % 3));
				cr_assert(fabs(x - r * cos(angle)) < 1e-5 &&
				          fabs(y - r * sin(angle)) < 1e-5);
			} else {
				double dx = label == 0 ? x : 1 - x, dy = label == 0 ? y : 0.5 - y;

				cr_assert(fabs(hypot(dx, dy) - 1) < 1e-5 && dy >= -1e-6);
			}
		}
		cr_expect(other > 290);
		data_free(&a);
		data_free(&b);
		data_free(&c);
	}
}

/* The target goes on where the input ends: of a pure sine any three neighbours tell its frequency.
 */
Test(made, sines)
{
	char error[512];
	struct parts p =
	    read_data("[B, 8, 1]", "{shape: [B, 2], role: target}",
	              "{format: sines, n: 50, length: 8, ahead: 2, noise: 0}", 1, error);

	cr_assert(p.train.n == 50, "%s", error);
	for (size_t k = 0; k < 50; k++) {
		double v[10], c = 0, weight = 0;

		for (size_t t = 0; t < 10; t++)
			v[t] = t < 8 ? column_value(&p.train.columns[0], 8 * k + t)
			             : column_value(&p.train.columns[1], 2 * k + t - 8);
		/* v[t - 1] + v[t + 1] = 2 cos(w) v[t] */
		for (size_t t = 1; t < 9; t++) {
			c += (v[t - 1] + v[t + 1]) * v[t];
			weight += v[t] * v[t];
		}
		for (size_t t = 1; t < 9; t++)
			cr_assert(fabs(v[t - 1] + v[t + 1] - c / weight * v[t]) < 1e-5);
	}
	data_free(&p);
}

/* Without noise the mask is where the picture is not 0; the class is that of the mask. */
Test(made, shapes)
{
	char error[512];
	struct parts p = read_data("[B, 1, 24, 32]",
	                           "{shape: [B, 24, 32], dtype: i32, role: target}",
	                           "{format: shapes, n: 40, noise: 0}", 1, error),
		     q = read_data("[B, 24, 32]", LABEL, "{format: shapes, n: 40, noise: 0}", 1,
	                           error);
	int seen = 0;

	cr_assert(p.train.n == 40 && q.train.n == 40, "%s", error);
	for (size_t k = 0; k < 40; k++) {
		int kind = (int)column_value(&q.train.columns[1], k);
		size_t area = 0;

		cr_assert(kind >= 0 && kind < 3);
		seen |= 1 << kind;
		for (size_t i = 0; i < 768; i++) {
			double light = column_value(&p.train.columns[0], 768 * k + i);

			cr_assert(light == column_value(&q.train.columns[0], 768 * k + i));
			cr_assert(column_value(&p.train.columns[1], 768 * k + i) ==
			          (light > 0 ? 1 + kind : 0));
			cr_assert(light == 0 || (light >= 0.5 && light <= 1));
			area += light > 0;
		}
		cr_assert(area >= 8 && area < 120, "%zu", area);
	}
	cr_expect_eq(seen, 7);
	data_free(&p);
	data_free(&q);
}

/* ---- texts
 * --------------------------------------------------------------------------------------------- */

#define IDS "{shape: [B, 3], dtype: i32}"

static const struct text_case {
	const char *text, *arguments;
	size_t n;
	double x[6], y[6]; /* the first and last sample */
	const char *error;
} texts[] = {
	/* a 1, b 2, c 3, line feed 0 */
	{ "abcabc\nb", "y: y", 2, { 1, 2, 3, 1, 2, 3 }, { 2, 3, 1, 2, 3, 0 }, NULL },
	{ "abcab", "y: y, step: 1", 2, { 0, 1, 2, 1, 2, 0 }, { 1, 2, 0, 2, 0, 1 }, NULL },
	{ "\xc3\xa4"
	  "b\xc3\xa4"
	  "b",
	  "y: y",
	  1,
	  { 1, 0, 1, 1, 0, 1 },
	  { 0, 1, 0, 0, 1, 0 },
	  NULL },
	{ "ABCD",
	  "y: y, tokens: bytes",
	  1,
	  { 65, 66, 67, 65, 66, 67 },
	  { 66, 67, 68, 66, 67, 68 },
	  NULL },
	/* "," 0, don't 1, ok 2 */
	{ "don't, don't ok",
	  "y: y, tokens: words",
	  1,
	  { 1, 0, 1, 1, 0, 1 },
	  { 0, 1, 2, 0, 1, 2 },
	  NULL },
	{ "abc", "y: y", 0, { 0 }, { 0 }, "has 3 tokens, fewer than one sample takes" },
	{ "abcd", "y: y, window: 2", 0, { 0 }, { 0 }, "has 2 values for each sample of 'x'" },
	{ "abcd", "y: y, window: 0", 0, { 0 }, { 0 }, "'window' and 'step' go from 1" },
	{ "abcd", "y: z", 0, { 0 }, { 0 }, "nothing for input 'y'" },
	{ "abcd",
	  "y: y, vocabulary: other.txt",
	  0,
	  { 0 },
	  { 0 },
	  "has 'd', which other.txt has not" },
	{ "abca",
	  "y: y, vocabulary: other.txt",
	  1,
	  { 0, 1, 2, 0, 1, 2 },
	  { 1, 2, 0, 1, 2, 0 },
	  NULL },
};

Test(made, texts)
{
	char error[512], source[256];

	scratch_text("other.txt", "cba");
	for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
		const struct text_case *c = &texts[k];
		struct parts p;

		scratch_text("t.txt", c->text);
		snprintf(source, sizeof source, "{format: text, file: t.txt, x: x, %s}",
		         c->arguments);
		p = read_data(IDS, "{shape: [B, 3], dtype: i32, role: target}", source, 1, error);
		if (c->error) {
			cr_expect(strstr(error, c->error), "%zu: %s", k, error);
			continue;
		}
		cr_assert_eq(p.train.n, c->n, "%zu: %zu samples, %s", k, p.train.n, error);
		for (size_t i = 0; i < 6; i++) {
			size_t at = i < 3 ? i : 3 * (c->n - 1) + i - 3;

			cr_expect_eq(column_value(&p.train.columns[0], at), c->x[i], "%zu x %zu", k,
			             i);
			cr_expect_eq(column_value(&p.train.columns[1], at), c->y[i], "%zu y %zu", k,
			             i);
		}
		data_free(&p);
	}
}

/* ---- NumPy arrays
 * -------------------------------------------------------------------------------------------- */

/* A file of version 1 with this header and these bytes. */
static void write_array(const char *name, const char *header, const void *data, size_t size)
{
	unsigned char file[512] = "\x93NUMPY\x01\x00";
	size_t n = strlen(header);

	cr_assert(10 + n + size <= sizeof file);
	file[8] = (unsigned char)n;
	memcpy(file + 10, header, n);
	memcpy(file + 10 + n, data, size);
	scratch_write(name, file, 10 + n + size);
}

Test(made, arrays)
{
	static const float x[] = { 1, 2.5f, -3, 4, 5, 6 };
	static const int64_t y[] = { 0, 2, 1 };
	static const unsigned char small[] = { 7, 0, 255 };
	static const struct {
		const char *header, *error;
	} wrong[] = {
		{ "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2), }\n",
		  "little-endian" },
		{ "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n",
		  "not in C order" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }\n", "" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (900000, 2), }\n",
		  "promises more data" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
		  "whose shape is [2]" },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", "1 to 9 axes" },
		{ "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 1), }\n",
		  "little-endian" },
	};
	static const char good[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n";
	char error[512];
	struct parts p;

	write_array("x.npy", good, x, sizeof x);
	write_array("y.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }\n", y,
	            sizeof y);
	p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
	cr_assert(p.train.n == 3, "%s", error);
	for (size_t k = 0; k < 6; k++)
		cr_expect_eq(column_value(&p.train.columns[0], k), x[k]);
	for (size_t k = 0; k < 3; k++)
		cr_expect_eq(column_value(&p.train.columns[1], k), (double)y[k]);
	data_free(&p);
	write_array("y.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", small,
	            sizeof small);
	p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
	cr_assert(p.train.n == 3 && column_value(&p.train.columns[1], 2) == 255, "%s", error);
	data_free(&p);
	for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
		write_array("x.npy", wrong[k].header, x, sizeof x);
		p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
		cr_expect(*error && strstr(error, wrong[k].error), "%zu: %s", k, error);
	}
	write_array("x.npy", good, x, sizeof x);
	write_array("y.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n", small,
	            sizeof small);
	p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
	cr_expect(strstr(error, "y.npy: has 2 samples, but the file of 'x' has 3"), "%s", error);
	write_array("y.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", "\0\1\2\3", 4);
	p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
	cr_expect(strstr(error, "y.npy: has bytes behind its last element"), "%s", error);
	scratch_text("x.npy", "no array");
	p = read_data(POINT, LABEL, "{format: npy, x: x.npy, y: y.npy}", 1, error);
	cr_expect(strstr(error, "is no npy file"), "%s", error);
}

/* ---- mistakes ------------------------------------------------------------------------------- */

/* Their names are compared with each other. */
Test(made, a_table_of_many_columns)
{
	static char text[20000] = "version: 1\ninputs: {x: [B]}\nmodel: {z: x + 1}\nloss: mean(z)\n"
				  "data:\n  train:\n    table:\n      rows: [[1]]\n      columns: [x";
	size_t at = strlen(text);
	char error[512];
	ad_model *m;
	struct parts p;

	for (int k = 0; k < 1000; k++)
		at += (size_t)sprintf(text + at, ", c%d", k);
	strcpy(text + at, "]\n");
	m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_not(data_read(m, &p, error, sizeof error));
	cr_expect(strstr(error, "a table of 1001 columns; at most 1000 are allowed"), "%s", error);
	ad_model_close(m);
}

Test(made, mistakes)
{
	static const struct {
		const char *x, *source, *want;
	} wrong[] = {
		{ POINT, "{format: spirals, n: 0}", "n is 0; it goes from 1 to" },
		{ POINT, "{format: spirals, classes: 0}", "'classes' is 0, not in 1..1000" },
		{ "[B, 3]", "{format: moons}",
		  "the data has 2 values for each sample of 'x', whose shape is [3]" },
		{ POINT, "{format: sines, length: 0}", "they go from 1 to 1000000" },
		{ POINT, "{format: sines, longest: 1}", "periods from 8 to 1" },
		{ POINT, "{format: shapes}",
		  "the last two sizes of 'x' are those of the pictures" },
		{ "[B, 4, 4]", "{format: shapes}", "each from 8 to 4096" },
		{ "[B, 9, 9]", "{format: shapes, kinds: 4}", "'kinds' is 4 and 'most' is 1" },
	};
	char error[512];

	for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
		read_data(wrong[k].x, LABEL, wrong[k].source, 1, error);
		cr_expect(strstr(error, wrong[k].want), "%s: %s", wrong[k].source, error);
	}
}
