/*
 * pictures: samples with channels: CIFAR-10's files, numbers for each channel, random changes.
 */
#include "autograd_model.h"
#include "data.h"
#include "scratch.h"

#include <math.h>
#include <sys/stat.h>

TestSuite(pictures, .init = scratch_open, .fini = scratch_close);

static ad_model *open_text(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m);
	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	return m;
}

/* Byte k of picture i. */
static unsigned char byte_of(size_t i, size_t k)
{
	return (unsigned char)(i * 37 + k * 11);
}

/* A file of `count` records from picture `first`, of class picture mod 10. */
static void write_records(const char *name, size_t first, size_t count)
{
	static unsigned char records[4][3073];

	for (size_t i = 0; i < count; i++) {
		records[i][0] = (unsigned char)((first + i) % 10);
		for (size_t k = 0; k < 3072; k++)
			records[i][1 + k] = byte_of(first + i, k);
	}
	scratch_write(name, records, count * 3073);
}

static const char colours[] =
	"version: 1\ninputs:\n  x: [B, 3, 32, 32]\n  y: {shape: [B], dtype: i32, role: target}\n"
	"model:\n  - flatten\n  - linear: 10\n    as: logits\nloss: cross_entropy(logits, y)\n"
	"data:\n  train: {format: cifar10, dir: c, part: train}\n  test: {format: cifar10, dir: c, part: test}\n"
	"  map: {x: [{scale: 1/255}, {normalize: {mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 0.125]}}, {scale: 2}]}\n"
	"train: {epochs: 1, optimizer: {sgd: 0.1}}\n";

Test(pictures, cifar10)
{
	static const double mean[] = { 0.1, 0.2, 0.3 }, std[] = { 0.5, 0.25, 0.125 };
	static const size_t places[] = { 0, 1023, 1024, 2047, 2048, 3071 };
	const size_t rows[] = { 4, 0 };
	struct parts parts;
	struct instance *in;
	int64_t dims[4] = { 0 };
	char error[512];
	ad_model *m;

	mkdir(scratch_path("c"), 0777);
	write_records("c/data_batch_1.bin", 0, 3);
	write_records("c/data_batch_3.bin", 3, 2);
	write_records("c/test_batch.bin", 9, 1);
	m = open_text(colours);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_assert_eq(parts.train.n, 5);
	cr_assert_eq(parts.test.n, 1);
	cr_expect_eq(parts.train.columns[0].form, COLUMN_BYTES);
	cr_expect_eq(column_value(&parts.test.columns[1], 0), 9);
	for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
		size_t channel = places[k] / 1024;
		double want = 2 * (byte_of(4, places[k]) / 255.0 - mean[channel]) / std[channel];

		cr_expect_float_eq(column_value(&parts.train.columns[0], 4 * 3072 + places[k]), want, 1e-12);
	}
	/* as the model gets them */
	cr_assert(data_dims(m, &parts.train, 2, dims, error, sizeof error), "%s", error);
	in = model_instance(m, dims, false);
	cr_assert(in && data_feed(m, in, &parts.train, rows, 2));
	for (size_t k = 0; k < 2 * 3072; k += 511)
		cr_expect_eq(ad_at(in->inputs[0], k),
		             (float)column_value(&parts.train.columns[0], rows[k / 3072] * 3072 + k % 3072));
	data_free(&parts);

	scratch_write("c/data_batch_2.bin", "\1abc", 4);
	cr_assert_not(data_read(m, &parts, error, sizeof error));
	cr_expect(strstr(error, "data_batch_2.bin: record 3 is cut off"), "%s", error);
	ad_model_close(m);
}

/* More channels than tables, and a number of channels that does not fit. */
Test(pictures, normalize)
{
	static const char front[] = "version: 1\ninputs:\n  x: [B, 5]\nmodel: [{linear: 1}]\ndata:\n"
	                            "  train: {table: {columns: [x], rows: [[[1, 2, 3, 4, 5]], [[6, 7, 8, 9, 10]]]}}\n";
	char text[1024], error[512];
	struct parts parts;
	ad_model *m;

	snprintf(text, sizeof text, "%s  map: {x: [{normalize: {mean: [1, 2, 3, 4, 5], std: [1, 2, 1, 5, 1]}}]}\n",
	         front);
	m = open_text(text);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	for (size_t k = 0; k < 10; k++)
		cr_expect_float_eq(column_value(&parts.train.columns[0], k), k < 5 ? 0 : k == 6 ? 2.5 : k == 8 ? 1 : 5,
		                   1e-6);
	data_free(&parts);
	ad_model_close(m);
	snprintf(text, sizeof text, "%s  map: {x: [{normalize: {mean: [1, 2], std: [1, 2]}}]}\n", front);
	m = open_text(text);
	cr_assert_not(data_read(m, &parts, error, sizeof error));
	cr_expect(strstr(error, "normalize has 2 numbers for 'x'"), "%s", error);
	ad_model_close(m);
}

/* Two samples of two channels of 3 x 3, with what `augment` says. */
static ad_model *open_pair(const char *augment, struct instance **in)
{
	char text[512];
	int64_t dims[1] = { 2 };
	ad_model *m;

	snprintf(text, sizeof text, "version: 1\ninputs:\n  x: [B, 2, 3, 3]\nmodel: [flatten, {linear: 1}]\ndata:\n"
	         "  train: {format: npy, x: x.npy}\n  augment: {x: %s}\ntrain: {precision: f64}\n", augment);
	m = open_text(text);
	*in = model_instance(m, dims, true);
	cr_assert(*in);
	return m;
}

/* Pixel (y, x) of a channel before the change; its value is never 0. */
static double pixel(size_t sample, size_t channel, int y, int x)
{
	return y < 0 || y > 2 || x < 0 || x > 2 ? 0 : (double)(1 + sample * 18 + channel * 9) + y * 3 + x;
}

static void change(ad_model *m, struct instance *in, uint64_t batch, double to[36])
{
	for (size_t k = 0; k < 36; k++)
		to[k] = pixel(k / 18, k / 9 % 2, (int)(k / 3 % 3), (int)(k % 3));
	ad_set(in->inputs[0], to, 36);
	cr_assert(data_augment(m, in, batch));
	cr_assert_eq(ad_get(in->inputs[0], to, 36), AD_OK);
}

Test(pictures, random_crop)
{
	struct instance *in;
	ad_model *m = open_pair("[{random_crop: {pad: 1}}]", &in);
	int seen[9] = { 0 };
	double x[36];

	for (uint64_t batch = 0; batch < 300; batch++) {
		change(m, in, batch, x);
		for (size_t sample = 0; sample < 2; sample++) {
			int found = -1;

			/* one shift for both channels */
			for (int s = 0; s < 9; s++) {
				bool fits = true;

				for (size_t k = 0; k < 18; k++)
					fits &= x[sample * 18 + k] == pixel(sample, k / 9, (int)(k / 3 % 3) - (s / 3 - 1),
					                                    (int)(k % 3) - (s % 3 - 1));
				found = fits ? s : found;
			}
			cr_assert_geq(found, 0, "batch %d", (int)batch);
			seen[found]++;
		}
	}
	/* 600 draws of 9: 66.7 each, standard deviation 7.7 */
	for (int s = 0; s < 9; s++)
		cr_expect(seen[s] > 30 && seen[s] < 105, "%d: %d", s, seen[s]);
	ad_model_close(m);
}

Test(pictures, random_flip)
{
	struct instance *in;
	ad_model *m = open_pair("random_flip", &in);
	int flipped = 0;
	double x[36];

	for (uint64_t batch = 0; batch < 300; batch++) {
		change(m, in, batch, x);
		for (size_t sample = 0; sample < 2; sample++) {
			bool turned = x[sample * 18] != pixel(sample, 0, 0, 0);

			flipped += turned;
			for (size_t k = 0; k < 18; k++)
				cr_assert_eq(x[sample * 18 + k], pixel(sample, k / 9, (int)(k / 3 % 3),
				                                       turned ? 2 - (int)(k % 3) : (int)(k % 3)));
		}
	}
	/* of 600: standard deviation 12.2 */
	cr_expect(flipped > 235 && flipped < 365, "%d", flipped);
	ad_model_close(m);
}

/* The gradient of the mean is the picture as it was trained with; what is measured is as it was read. */
Test(pictures, augment_is_for_training_alone)
{
	ad_model *m = open_text("version: 1\ninputs:\n  x: [B, 1, 1, 2]\nmodel:\n  - flatten\n"
	                        "  - linear: {out: 1, bias: false}\n    init: ones\n  - {mean: null, as: out}\nloss: out\n"
	                        "data:\n  train: {table: {columns: [x], rows: [[[1, 3]]]}}\n"
	                        "  augment: {x: [{random_flip: 1}]}\n"
	                        "train: {epochs: 1, precision: f64, optimizer: {sgd: 0.1}}\n");
	ad_train_options o = { .run = scratch_path("run") };
	char error[512];
	struct parts parts;
	double value;

	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	cr_expect_float_eq(ad_at(ad_model_weight(m, 0, NULL), 0), 1 - 0.3, 1e-12);
	cr_expect_float_eq(ad_at(ad_model_weight(m, 0, NULL), 1), 1 - 0.1, 1e-12);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_assert(model_measure(m, &parts.train, &value, error, sizeof error), "%s", error);
	cr_expect_float_eq(value, 1 * 0.7 + 3 * 0.9, 1e-12);
	data_free(&parts);
	ad_model_close(m);
}
