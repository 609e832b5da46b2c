/*
 * data: the formats, on good files and on bad ones.
 */
#include "data.h"
#include "scratch.h"

#include <math.h>
#include <sys/stat.h>
#include <zlib.h>

TestSuite(data, .init = scratch_open, .fini = scratch_close);

static const struct format *format_named(const char *name)
{
	for (int k = 0; formats[k]; k++)
		if (strcmp(formats[k]->name, name) == 0)
			return formats[k];
	return NULL;
}

static struct yaml word(const char *text)
{
	return (struct yaml){ .kind = YAML_SCALAR, .at = { 7, 9, 9 }, .text = text };
}

/* An empty set with x, two reals, and y, a label. */
static struct dataset two_columns(void)
{
	struct dataset d = { .n_columns = 2, .columns = calloc(2, sizeof(struct column)) };

	d.columns[0] = (struct column){ .input = "x", .type = AD_REAL, .shape = AD_SHAPE(2), .per = 2 };
	d.columns[1] = (struct column){ .input = "y", .type = AD_I32, .per = 1, .target = true };
	return d;
}

/* ---- numbers -------------------------------------------------------------------------------- */

Test(data, numbers)
{
	static const char *const good[] = { "0", "-0", "1", "+2.5", ".5", "5.", "1e3", "1E-3", "-12.25e+2",
		                            "9007199254740993", "0.1", "123456789.123456789", "1e-310",
		                            "1.7976931348623157e308", "179769313486231570000e288",
		                            "0.000000000000000000000000000001", "4.9e-324",
		                            "3.14159265358979323846264338327950288" };
	static const char *const bad[] = { "",    "-",   ".",    "e5",  "1e",      "1e+", "nan", "inf",
		                           "0x10", "1_0", "1 ",  " 1",  "1,5",     "1e999", "-1e400",
		                           "12abc", "--1", "1.2.3", "Infinity", "1f" };
	double value;

	for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
		const char *wrong = data_number(good[k], strlen(good[k]), &value);

		cr_assert_null(wrong, "%s %s", good[k], wrong);
		cr_assert_eq(value, strtod(good[k], NULL), "%s became %.17g", good[k], value);
	}
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
		cr_assert_not_null(data_number(bad[k], strlen(bad[k]), &value), "'%s' was taken", bad[k]);
	cr_assert_not_null(data_number("1\0" "2", 3, &value), "a zero byte was taken");
}

/* Every decimal of up to six digits is rounded as strtod does it. */
Test(data, numbers_are_rounded_correctly)
{
	for (unsigned k = 0; k < 200000; k++) {
		char text[32];
		double value;

		snprintf(text, sizeof text, "%u.%06ue%d", k * 7919u % 1000u, k * 104729u % 1000000u,
		         (int)(k % 61) - 30);
		cr_assert_null(data_number(text, strlen(text), &value));
		cr_assert(value == strtod(text, NULL), "%s", text);
	}
}

/* ---- csv ------------------------------------------------------------------------------------ */

struct csv_attrs {
	const char *file;
	bool header;
	int64_t skip;
};

struct csv_case {
	const char *text, *x, *y; /* the file and the bindings */
	bool header;
	int64_t skip;
	size_t n;             /* samples, of which the last is: */
	double last[2];
	int label;
	const char *error;    /* or a part of the sentence */
};

static const struct csv_case csv_cases[] = {
	{ "1,2,0\n3,4,1\n", "0..1", "2", .n = 2, .last = { 3, 4 }, .label = 1 },
	{ "1,2,0\r\n3,4,1\r\n", "0..1", "2", .n = 2, .last = { 3, 4 }, .label = 1 },
	{ "1,2,0\r3,4,1", "0..1", "2", .n = 2, .last = { 3, 4 }, .label = 1 },
	{ "1, 2 ,0\n\n\n 3,4,1", "0..1", "2", .n = 2, .last = { 3, 4 }, .label = 1 },
	{ "\xef\xbb\xbf" "1,2,0\n", "0..1", "2", .n = 1, .last = { 1, 2 } },
	{ "\"1\",\"2\",\"0\"\n", "0..1", "2", .n = 1, .last = { 1, 2 } },
	{ "0,setosa,1,2\n", "2..3", "0", .n = 1, .last = { 1, 2 } },
	{ "3,two,classes\n1,2,0\n", "0..1", "2", .skip = 1, .n = 1, .last = { 1, 2 } },
	{ "a \" quote,\nx\n1,2,0\n", "0..1", "2", .skip = 2, .n = 1, .last = { 1, 2 } },
	{ "a,b,class\n1,2,0\n5,6,3\n", "a..b", "class", .header = true, .n = 2, .last = { 5, 6 }, .label = 3 },
	{ "x..y,b,y\n1,2,0\n", "x..y", "y", .header = true,
	  .error = "has 1 value for each sample of 'x', whose shape is [2]" },
	{ "a,b,class\n1,2,0\n", "a..b", "clas", .header = true,
	  .error = "is named 'clas'; did you mean 'class'?" },
	{ "a,b,y\n1,2,4\n", "0..1", NULL, .header = true, .n = 1, .last = { 1, 2 }, .label = 4 },
	{ "1,2,0\n3,4\n", "0..1", "2", .error = ":2:3: this row has 2 columns, the rows before have 3" },
	{ "1,2,0\n3,4,5,6\n", "0..1", "2", .error = ":2:4: this row has 4 columns" },
	{ "1,2,0\n\n3,,1\n", "0..1", "2", .error = ":3:2: the cell is empty" },
	{ "1,2,0\nnan,4,1\n", "0..1", "2", .error = ":2:1: 'nan' is not a number" },
	{ "a,b,y\n1,2,0\n", "0..1", "2",
	  .error = ":1:1: 'a' is not a number; a first row of names needs 'header: true'" },
	{ "1,0x10,0\n", "0..1", "2", .error = ":1:2: '0x10' is not a number" },
	{ "1,1e999,0\n", "0..1", "2", .error = ":1:2: '1e999' is out of range" },
	{ "1,2,0.5\n", "0..1", "2", .error = ":1:3: 0.5 is not a whole number" },
	{ "1,2,3000000000\n", "0..1", "2", .error = ":1:3: 3e+09 is out of the range" },
	{ "1,2,\"0\n3,4,1\n", "0..1", "2", .error = "a quote is not closed" },
	{ "1,2\"3,0\n", "0..1", "2", .error = ":1:2: a quote is not closed" },
	{ "\"1\n2\",2,0\n", "0..1", "2", .error = ":1:1: '1?2' is not a number" },
	{ "\"a\n\",1,2,0\n1,2\n", "1..2", "3", .error = ":3:3: this row has 2" },
	{ "", "0..1", "2", .error = "has no rows" },
	{ "\n\n\n", "0..1", "2", .error = "has no rows" },
	{ "a,b,y\n", "a..b", "y", .header = true, .error = "has no rows after its header" },
	{ "1,2,0\n", "0..1", "2", .skip = 5, .error = "has no rows" },
	{ "1,2,0\n", "0..1", "2", .skip = -1, .error = "m.yaml:3:5: error[E020]: skip" },
	{ "1,2,0\n", "0..2", "2", .error = "m.yaml:7:9: error[E020]: the data has 3 values for each" },
	{ "1,2,0\n", "0..1", "9", .error = "column 9 is asked for, but" },
	{ "1,2,0\n", "1..0", "2", .error = "ends before it begins" },
	{ "1,2,0\n", "a..b", "2", .error = "'a' is no column number from 0; names need 'header: true'" },
	{ "1,2,0\n", "0..99999999999999999999", "2", .error = "is no column number" },
	{ "1,2,0\n", "0..4000000", "2", .error = "is no column number" },
	{ "1,2,0\n", "-1", "2", .error = "'-1' is no column number" },
	{ "1,2,0\n", NULL, "2", .error = "input 'x' has no columns; write, for instance, 'x: 0..1'" },
	{ "a,a,y\n1,2,0\n", "a", "y", .header = true, .error = "two columns" },
	{ "a,b,y\n1,2,0\n", "a..c", "y", .header = true, .error = "is named 'c'" },
};

static bool read_csv(const struct csv_case *c, const char *file, struct dataset *d, char *error, size_t n)
{
	struct csv_attrs attrs = { file, c->header, c->skip };
	struct yaml x = word(c->x), y = word(c->y);
	struct binding bindings[2];
	struct source s = { .format = format_named("csv"), .attrs = &attrs, .bindings = bindings,
		            .folder = scratch, .path = "m.yaml", .at = { 3, 5, 5 } };

	if (c->x)
		bindings[s.n_bindings++] = (struct binding){ "x", &x };
	if (c->y)
		bindings[s.n_bindings++] = (struct binding){ "y", &y };
	*d = two_columns();
	error[0] = '\0';
	return s.format->read(&s, d, error, n);
}

Test(data, csv)
{
	for (size_t k = 0; k < sizeof csv_cases / sizeof *csv_cases; k++) {
		const struct csv_case *c = &csv_cases[k];
		struct dataset d;
		char error[512];
		bool ok;

		scratch_text("a.csv", c->text);
		ok = read_csv(c, "a.csv", &d, error, sizeof error);
		if (c->error) {
			cr_assert(!ok, "case %zu was read", k);
			cr_assert(strstr(error, c->error), "case %zu says: %s", k, error);
		} else {
			const double *x = d.columns[0].data;

			cr_assert(ok, "case %zu: %s", k, error);
			cr_assert_eq(d.n, c->n, "case %zu: %zu samples", k, d.n);
			cr_assert_eq(x[2 * (d.n - 1)], c->last[0], "case %zu", k);
			cr_assert_eq(x[2 * (d.n - 1) + 1], c->last[1], "case %zu", k);
			cr_assert_eq(((int32_t *)d.columns[1].data)[d.n - 1], c->label, "case %zu", k);
			cr_assert(d.path && d.places[0] >= 1 && d.places[d.n - 1] >= d.n, "case %zu", k);
		}
		data_free_set(&d);
	}
}

static void pack(const char *name, const void *data, size_t size)
{
	gzFile file = gzopen(scratch_path(name), "wb");

	cr_assert(file && gzwrite(file, data, (unsigned)size) == (int)size && gzclose(file) == Z_OK);
}

Test(data, csv_packed_and_large)
{
	struct csv_case c = { .text = "", .x = "0..1", .y = "2" };
	size_t room = 1 << 20, at = 0, packed_size, rows = 0;
	char *text = malloc(room), error[512], *packed;
	struct dataset d;

	/* Lines that fall across the pieces in which the file is read. */
	for (; at < room - 100; rows++)
		at += (size_t)sprintf(text + at, "%zu,%zu.25,%zu\n", rows, rows * 3, rows % 10);
	pack("a.csv.gz", text, at);
	cr_assert(read_csv(&c, "a.csv.gz", &d, error, sizeof error), "%s", error);
	cr_assert_eq(d.n, rows);
	for (size_t k = 0; k < rows; k++) {
		cr_assert_eq(((double *)d.columns[0].data)[2 * k], (double)k);
		cr_assert_eq(((double *)d.columns[0].data)[2 * k + 1], (double)(3 * k) + 0.25);
		cr_assert_eq(((int32_t *)d.columns[1].data)[k], (int32_t)(k % 10));
	}
	data_free_set(&d);

	packed = scratch_read(scratch_path("a.csv.gz"), &packed_size);
	scratch_write("b.csv.gz", packed, packed_size / 2);
	cr_assert(!read_csv(&c, "b.csv.gz", &d, error, sizeof error));
	cr_assert(strstr(error, "ends too early"), "%s", error);
	data_free_set(&d);
	scratch_text("plain.csv.gz", "1,2,3\n");
	cr_assert(!read_csv(&c, "plain.csv.gz", &d, error, sizeof error));
	cr_assert(strstr(error, "is not packed by gzip, as its name says"), "%s", error);
	cr_assert(!d.unreadable, "what is in a file is no matter of reading it");
	data_free_set(&d);
	packed[packed_size / 2] ^= 0x40;
	packed[packed_size / 2 + 1] ^= 0x21;
	scratch_write("c.csv.gz", packed, packed_size);
	cr_assert(!read_csv(&c, "c.csv.gz", &d, error, sizeof error));
	data_free_set(&d);
	free(packed);

	/* An open quote swallows the file: refused before it takes much memory. */
	memset(text, '1', room - 1);
	text[0] = '"';
	text[room - 1] = '\0';
	scratch_write("d.csv", text, room - 1);
	cr_assert(!read_csv(&c, "d.csv", &d, error, sizeof error));
	cr_assert(strstr(error, "quote"), "%s", error);
	data_free_set(&d);
	free(text);
}

Test(data, files_that_are_none)
{
	static const struct csv_case c = { .text = "", .x = "0..1", .y = "2" };
	static const char *const names[][2] = { { "missing.csv", "No such file" },
		                                { "folder", "is a folder" },
		                                { "fifo", "is not a regular file" },
		                                { "/dev/zero", "is not a regular file" } };
	char error[512];

	mkdir(scratch_path("folder"), 0777);
	cr_assert_eq(mkfifo(scratch_path("fifo"), 0666), 0);
	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		struct dataset d;

		cr_assert(!read_csv(&c, names[k][0], &d, error, sizeof error), "%s", names[k][0]);
		cr_assert(strstr(error, names[k][1]), "%s", error);
		data_free_set(&d);
	}
}

/* ---- idx ------------------------------------------------------------------------------------ */

static bool read_idx(const char *x, const char *y, struct dataset *d, char *error, size_t n)
{
	struct yaml px = word(x), py = word(y);
	struct binding bindings[2] = { { "x", &px }, { "y", &py } };
	struct source s = { .format = format_named("idx"), .n_bindings = 2, .bindings = bindings,
		            .folder = scratch, .path = "m.yaml" };

	*d = two_columns();
	error[0] = '\0';
	return s.format->read(&s, d, error, n);
}

Test(data, idx)
{
	static const unsigned char labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 3, 9 };
	static const unsigned char bytes[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 255 };
	static const unsigned char shorts[] = { 0, 0, 0x0b, 2, 0, 0, 0, 2, 0, 0, 0, 2,
		                                0, 1, 0, 2, 0xff, 0xff, 1, 0 };
	static const unsigned char floats[] = { 0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2,
		                                0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0 };
	static const unsigned char doubles[] = { 0, 0, 0x0e, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0xf0, 0, 0, 0,
		                                 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0 };
	static const unsigned char infinite[] = { 0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2,
		                                  0x7f, 0x80, 0, 0, 0xc0, 0, 0, 0 };
	static const unsigned char one[] = { 0, 0, 8, 1, 0, 0, 0, 1, 5 };
	struct {
		const unsigned char *x;
		size_t size;
		const unsigned char *y;
		size_t y_size;
		size_t n;
		double last;
		const char *error;
	} cases[] = {
		{ bytes, sizeof bytes, labels, sizeof labels, 2, 255, NULL },
		{ shorts, sizeof shorts, labels, sizeof labels, 2, 256, NULL },
		{ floats, sizeof floats, one, sizeof one, 1, -2, NULL },
		{ doubles, sizeof doubles, one, sizeof one, 1, -2, NULL },
		{ bytes, sizeof bytes - 1, labels, sizeof labels, 0, 0, "ends too early" },
		{ bytes, 10, labels, sizeof labels, 0, 0, "ends too early" },
		{ bytes, 0, labels, sizeof labels, 0, 0, "ends too early" },
		{ labels, sizeof labels, labels, sizeof labels, 0, 0, "has 1 value for each sample of 'x'" },
		{ bytes, sizeof bytes, one, sizeof one, 0, 0, "has 1 samples, but the file of 'x' has 2" },
		{ (const unsigned char *)"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff" "aaaa", 16, labels,
		  sizeof labels, 0, 0, "promises more data" },
		{ (const unsigned char *)"\0\0\x08\x04\0\0\0\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 20,
		  labels, sizeof labels, 0, 0, "overflows" },
		{ (const unsigned char *)"\1\0\x08\x01\0\0\0\1a", 9, labels, sizeof labels, 0, 0,
		  "begins with the magic number 0" },
		{ (const unsigned char *)"\0\0\x07\x01\0\0\0\1a", 9, labels, sizeof labels, 0, 0,
		  "begins with the magic number 0" },
		{ (const unsigned char *)"\0\0\x08\x55\0\0\0\1a", 9, labels, sizeof labels, 0, 0,
		  "begins with the magic number 00 00 08 55" },
		{ infinite, sizeof infinite, one, sizeof one, 0, 0, "is not a finite number" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		for (int packed = 0; packed < 2; packed++) {
			struct dataset d;
			char error[512];
			bool ok;

			scratch_write("x", cases[k].x, cases[k].size);
			scratch_write("y", cases[k].y, cases[k].y_size);
			if (packed)
				pack("x", cases[k].x, cases[k].size);
			ok = read_idx("x", "y", &d, error, sizeof error);
			if (cases[k].error) {
				cr_assert(!ok, "case %zu was read", k);
				/* Of a packed file the size does not tell that it is cut off. */
				cr_assert(strstr(error, cases[k].error) || (packed && strstr(error, "ends too early")),
				          "case %zu says: %s", k, error);
			} else {
				cr_assert(ok, "case %zu: %s", k, error);
				cr_assert_eq(d.n, cases[k].n);
				cr_assert_eq(column_value(&d.columns[0], 2 * d.n - 1), cases[k].last);
			}
			data_free_set(&d);
		}
	}
}

Test(data, idx_with_bytes_behind_it)
{
	static const unsigned char one[] = { 0, 0, 8, 1, 0, 0, 0, 1, 5 };
	static const unsigned char more[] = { 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6, 7 };
	struct dataset d;
	char error[512];

	scratch_write("x", more, sizeof more);
	scratch_write("y", one, sizeof one);
	cr_assert(!read_idx("x", "y", &d, error, sizeof error));
	cr_assert(strstr(error, "has bytes behind its last element"), "%s", error);
	data_free_set(&d);
}

/* ---- how samples lie in memory ------------------------------------------------------------------ */

/* The values that samples 2 and 0 have in the model's input x when they are fed. */
static void feed_two(const char *format, const char *map, const char *precision, double fed[6])
{
	char text[1024], error[512];
	ad_model *m;
	struct parts parts;
	struct instance *in;
	int64_t dims[1];

	snprintf(text, sizeof text,
	         "version: 1\ninputs:\n  x: [B, 3]\n  y: {shape: [B], dtype: i32, role: target}\n"
	         "model: [{linear: 2, as: out}]\nloss: cross_entropy(out, y)\n"
	         "data:\n  train: {format: %s}\n  map: {x: %s}\n"
	         "train: {epochs: 1, precision: %s, optimizer: {sgd: {lr: 1}}}\n", format, map, precision);
	m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_assert(data_dims(m, &parts.train, 2, dims, error, sizeof error), "%s", error);
	in = model_instance(m, dims, true);
	cr_assert(in && data_feed(m, in, &parts.train, (const size_t[]){ 2, 0 }, 2));
	cr_assert_eq(ad_get(in->inputs[0], fed, 6), AD_OK);
	data_free(&parts);
	ad_model_close(m);
}

/* Bytes and floats give what doubles, mapped and then rounded once, would. */
Test(data, forms_lose_nothing)
{
	static const unsigned char x[] = { 0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 3, 7, 0, 255, 1, 254, 3, 128, 99, 60 };
	static const unsigned char y[] = { 0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 0 };
	static const char idx[] = "idx, x: x, y: y", csv[] = "csv, file: a.csv, x: 0..2, y: 3";
	static const int order[] = { 6, 7, 8, 0, 1, 2 };
	char text[512];
	size_t at = 0;

	scratch_write("x", x, sizeof x);
	scratch_write("y", y, sizeof y);
	for (int k = 0; k < 3; k++)
		at += (size_t)sprintf(text + at, "%d,%d,%d,%d\n", x[12 + 3 * k], x[13 + 3 * k], x[14 + 3 * k],
		                      y[8 + k]);
	scratch_text("a.csv", text);
	for (int f64 = 0; f64 < 2; f64++) {
		const char *precision = f64 ? "f64" : "f32", *two = "[{scale: 1/255}, {scale: 3}]";
		double bytes[6], reals[6];

		feed_two(idx, two, precision, bytes);
		feed_two(csv, two, precision, reals);
		for (int k = 0; k < 6; k++) {
			double exact = x[12 + order[k]] * (1 / 255.0) * 3;

			cr_assert_eq(bytes[k], f64 ? exact : (double)(float)exact, "%s, element %d", precision, k);
			cr_assert_eq(reals[k], bytes[k], "%s, element %d", precision, k);
		}
		feed_two(idx, "[{scale: 1/255}, standardize]", precision, bytes);
		feed_two(csv, "[{scale: 1/255}, standardize]", precision, reals);
		cr_assert_arr_eq(bytes, reals, sizeof bytes, "%s", precision);
		cr_assert_neq(bytes[0], bytes[3]);
	}
}

Test(data, reals_beyond_f32_are_refused)
{
	static const char text[] = "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: out}]\nloss: mean(out)\n"
				   "data: {train: {format: csv, file: a.csv, x: 0}}\n"
				   "train: {epochs: 1, optimizer: {sgd: {lr: 1}}}\n";
	const char *const changes[] = { "train.precision=f32", "train.precision=f64", "data.map={x: {scale: 1e-9}}" };
	char error[512];

	scratch_text("a.csv", "1\n-1e39\n");
	for (int k = 0; k < 3; k++) {
		ad_model *m = ad_model_open(scratch_text("m.yaml", text), 1, &changes[k]);
		struct parts parts;

		cr_assert_eq(ad_model_errors(m), 0);
		cr_expect_eq(data_read(m, &parts, error, sizeof error), k > 0, "%s", changes[k]);
		if (k == 0)
			cr_expect(strstr(error, "a.csv:2: a value of 'x' is -1e+39, beyond the range of f32"), "%s",
			          error);
		data_free(&parts);
		ad_model_close(m);
	}
}

/* ---- random numbers, splits ------------------------------------------------------------------- */

Test(data, shuffling_is_a_permutation_by_seed)
{
	size_t a[100], b[100], seen[100] = { 0 };
	int moved = 0;

	for (size_t k = 0; k < 100; k++)
		a[k] = b[k] = k;
	data_shuffle(1, STREAM_SHUFFLE, 1, a, 100);
	data_shuffle(1, STREAM_SHUFFLE, 1, b, 100);
	cr_assert_eq(memcmp(a, b, sizeof a), 0, "the same seed gives the same order");
	for (size_t k = 0; k < 100; k++) {
		seen[a[k]]++;
		moved += a[k] != k;
	}
	for (size_t k = 0; k < 100; k++)
		cr_assert_eq(seen[k], 1);
	cr_assert_gt(moved, 80);
	data_shuffle(1, STREAM_SHUFFLE, 2, b, 100);
	cr_assert_neq(memcmp(a, b, sizeof a), 0, "another epoch gives another order");
}

Test(data, beans)
{
	struct {
		int64_t n;
	} attrs = { 100 };
	struct source s = { .format = format_named("beans"), .attrs = &attrs, .seed = 3, .path = "m.yaml" };
	struct dataset d = two_columns();
	const double *x;
	const int32_t *y;
	char error[256];

	d.columns[0].shape = AD_SHAPE(1);
	d.columns[0].per = 1;
	cr_assert(s.format->read(&s, &d, error, sizeof error), "%s", error);
	cr_assert_eq(d.n, 100);
	x = d.columns[0].data;
	y = d.columns[1].data;
	for (size_t k = 0; k < 100; k++) {
		cr_assert(x[k] >= 0 && x[k] < 2 && (k == 0 || x[k] >= x[k - 1]));
		/* Beyond the noise of 0.01 / 0.7 around the limits the label is certain. */
		if (x[k] < 0.41 || x[k] > 1.31)
			cr_assert_eq(y[k], 0, "x = %g", x[k]);
		if (x[k] > 0.45 && x[k] < 1.27)
			cr_assert_eq(y[k], 1, "x = %g", x[k]);
	}
	data_free_set(&d);
	attrs.n = 0;
	d = two_columns();
	cr_assert(!s.format->read(&s, &d, error, sizeof error));
	data_free_set(&d);
}
