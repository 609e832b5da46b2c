/*
 * png: pictures of every kind that PNG has, folders and lists of them, and files that are damaged or hostile. The
 * pictures are written here, by the format's specification, with zlib alone.
 */
#include "data.h"
#include "scratch.h"

#include <math.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

TestSuite(png, .init = scratch_open, .fini = scratch_close);

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };

struct bytes {
	size_t n;
	unsigned char data[4096];
};

static void put(struct bytes *b, const void *data, size_t n)
{
	cr_assert(b->n + n <= sizeof b->data);
	memcpy(b->data + b->n, data, n);
	b->n += n;
}

static void put_u32(struct bytes *b, uint32_t x)
{
	put(b, (unsigned char[]){ (unsigned char)(x >> 24), (unsigned char)(x >> 16), (unsigned char)(x >> 8),
	                          (unsigned char)x }, 4);
}

static void put_chunk(struct bytes *b, const char *type, const void *data, size_t n)
{
	size_t from;

	put_u32(b, (uint32_t)n);
	from = b->n;
	put(b, type, 4);
	put(b, data, n);
	put_u32(b, (uint32_t)crc32(0, b->data + from, (uInt)(n + 4)));
}

struct kind {
	uint32_t width, height;
	int colour, depth, interlace;
	const char *palette, *alpha; /* of PLTE and tRNS; NULL: none */
	size_t n_palette, n_alpha;
};

/* rows: with the filter's byte before each, as they are packed. */
static struct bytes picture(const struct kind *k, const void *rows, size_t n)
{
	struct bytes b = { 0 }, head = { 0 };
	unsigned char packed[2048];
	uLongf size = sizeof packed;

	put(&b, "\x89PNG\r\n\x1a\n", 8);
	put_u32(&head, k->width);
	put_u32(&head, k->height);
	put(&head, (unsigned char[]){ (unsigned char)k->depth, (unsigned char)k->colour, 0, 0,
	                              (unsigned char)k->interlace }, 5);
	put_chunk(&b, "IHDR", head.data, head.n);
	if (k->palette)
		put_chunk(&b, "PLTE", k->palette, k->n_palette);
	if (k->alpha)
		put_chunk(&b, "tRNS", k->alpha, k->n_alpha);
	cr_assert_eq(compress(packed, &size, rows, n), Z_OK);
	put_chunk(&b, "IDAT", packed, size);
	put_chunk(&b, "IEND", "", 0);
	return b;
}

static void write_picture(const char *name, const struct kind *k, const void *rows, size_t n)
{
	struct bytes b = picture(k, rows, n);

	scratch_write(name, b.data, b.n);
}

/* A grey picture of 2 x 2. */
static void write_grey(const char *name, unsigned char value)
{
	const unsigned char rows[] = { 0, value, 1, 0, 2, 3 };

	write_picture(name, &(struct kind){ .width = 2, .height = 2, .depth = 8 }, rows, sizeof rows);
}

static void make_folder(const char *name)
{
	cr_assert_eq(mkdir(scratch_path(name), 0700), 0);
}

/* A model with such inputs and data, which is read. */
static ad_model *open_data(const char *inputs, const char *data)
{
	char text[2048];
	ad_model *m;

	snprintf(text, sizeof text, "version: 1\ninputs: %s\nmodel: {z: 0 + x}\nloss: sum(z)\ndata: %s\n", inputs, data);
	m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0, "%s", text);
	return m;
}

static void refuses(const char *inputs, const char *data, const char *sentence)
{
	ad_model *m = open_data(inputs, data);
	struct parts parts;
	char error[1024] = "";

	cr_assert(!data_read(m, &parts, error, sizeof error), "%s was read", data);
	cr_expect(strstr(error, sentence), "%s: %s\nnot: %s", data, error, sentence);
	ad_model_close(m);
}

/* ---- kinds -------------------------------------------------------------------------------------- */

#define BYTES(...) (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ })

/* What pictures of 2 x 1 become for an input of so many channels: [channels, 1, 2]. */
static const struct {
	struct kind kind;
	const unsigned char *rows;
	size_t n;
	int channels;
	double want[8];
} kinds[] = {
	{ { 2, 1, GREY, 8, 0, 0, 0, 0, 0 }, BYTES(0, 7, 255), 1, { 7, 255 } },
	{ { 2, 1, GREY, 8, 0, 0, 0, 0, 0 }, BYTES(0, 7, 255), 3, { 7, 255, 7, 255, 7, 255 } },
	{ { 2, 1, GREY, 8, 0, 0, 0, 0, 0 }, BYTES(0, 7, 255), 2, { 7, 255, 255, 255 } },
	{ { 2, 1, GREY, 1, 0, 0, 0, 0, 0 }, BYTES(0, 0x40), 1, { 0, 255 } },
	{ { 2, 1, GREY, 2, 0, 0, 0, 0, 0 }, BYTES(0, 0x60), 1, { 85, 170 } },
	{ { 2, 1, GREY, 4, 0, 0, 0, 0, 0 }, BYTES(0, 0x1f), 1, { 17, 255 } },
	{ { 2, 1, GREY, 16, 0, 0, 0, 0, 0 }, BYTES(0, 0x01, 0x01, 0xff, 0xff), 1, { 1, 255 } },
	{ { 2, 1, GREY, 16, 0, 0, 0, 0, 0 }, BYTES(0, 0, 1, 0x80, 0), 1, { 1 / 257.0, 32768 / 257.0 } },
	{ { 2, 1, GREY, 8, 0, 0, "\0\7", 0, 2 }, BYTES(0, 7, 9), 2, { 7, 9, 0, 255 } },
	{ { 2, 1, RGB, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4, 5, 6), 3, { 1, 4, 2, 5, 3, 6 } },
	{ { 2, 1, RGB, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4, 5, 6), 4, { 1, 4, 2, 5, 3, 6, 255, 255 } },
	{ { 2, 1, RGB, 8, 0, 0, 0, 0, 0 }, BYTES(0, 100, 0, 0, 0, 200, 50), 1, { 29.9, 117.4 + 5.7 } },
	{ { 2, 1, RGB, 16, 0, 0, 0, 0, 0 }, BYTES(0, 1, 1, 2, 2, 3, 3, 0, 0, 0, 1, 0, 2), 3,
	  { 1, 0, 2, 1 / 257.0, 3, 2 / 257.0 } },
	{ { 2, 1, PALETTE, 8, 0, "\1\2\3\4\5\6", 0, 6, 0 }, BYTES(0, 1, 0), 3, { 4, 1, 5, 2, 6, 3 } },
	{ { 2, 1, PALETTE, 1, 0, "\1\2\3\4\5\6", "\11", 6, 1 }, BYTES(0, 0x40), 4, { 1, 4, 2, 5, 3, 6, 9, 255 } },
	{ { 2, 1, GREY_ALPHA, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4), 2, { 1, 3, 2, 4 } },
	{ { 2, 1, GREY_ALPHA, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4), 1, { 1, 3 } },
	{ { 2, 1, RGBA, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4, 5, 6, 7, 8), 4, { 1, 5, 2, 6, 3, 7, 4, 8 } },
	{ { 2, 1, RGBA, 8, 0, 0, 0, 0, 0 }, BYTES(0, 1, 2, 3, 4, 5, 6, 7, 8), 3, { 1, 5, 2, 6, 3, 7 } },
	{ { 2, 1, RGBA, 16, 0, 0, 0, 0, 0 }, BYTES(0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8), 4,
	  { 1, 5, 2, 6, 3, 7, 4, 8 } },
	/* filter 1: each byte is its difference to the one before */
	{ { 2, 1, GREY, 8, 0, 0, 0, 0, 0 }, BYTES(1, 7, 3), 1, { 7, 10 } },
	/* Adam7: the first pixel is of pass 1, the second of pass 6 */
	{ { 2, 1, GREY, 8, 1, 0, 0, 0, 0 }, BYTES(0, 7, 0, 255), 1, { 7, 255 } },
};

Test(png, kinds)
{
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		char inputs[64], error[512] = "";
		struct parts parts;
		ad_model *m;

		write_picture("a.png", &kinds[k].kind, kinds[k].rows, kinds[k].n);
		snprintf(inputs, sizeof inputs, "{x: [B, %d, 1, 2]}", kinds[k].channels);
		m = open_data(inputs, "{train: {format: png, file: a.png}}");
		cr_assert(data_read(m, &parts, error, sizeof error), "%zu: %s", k, error);
		cr_assert_eq(parts.train.n, 1);
		for (size_t i = 0; i < 2 * (size_t)kinds[k].channels; i++)
			cr_expect_float_eq(column_value(&parts.train.columns[0], i), kinds[k].want[i], 1e-5,
			                   "%zu: element %zu is %g, not %g", k, i,
			                   column_value(&parts.train.columns[0], i), kinds[k].want[i]);
		data_free(&parts);
		ad_model_close(m);
	}
}

Test(png, free_sizes_are_those_of_the_first)
{
	ad_model *m = open_data("{x: [B, C, H, W]}", "{train: {png: pictures}}");
	const unsigned char rows[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	char error[512] = "";
	struct parts parts;
	const struct column *c;

	make_folder("pictures");
	write_picture("pictures/a.png", &(struct kind){ .width = 3, .height = 2, .depth = 8, .colour = RGB }, rows,
	              sizeof rows);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	c = &parts.train.columns[0];
	cr_expect(c->shape.dims[0] == 3 && c->shape.dims[1] == 2 && c->shape.dims[2] == 3 && c->per == 18);
	data_free(&parts);
	write_grey("pictures/b.png", 5);
	cr_assert(!data_read(m, &parts, error, sizeof error));
	cr_expect(strstr(error, "pictures/b.png: is 2 wide and 2 high, but 'x' takes pictures 3 wide and 2 high"), "%s",
	          error);
	ad_model_close(m);
}

/* ---- folders and lists -------------------------------------------------------------------------- */

#define INPUTS "{x: [B, 2, 2], y: {shape: [B], dtype: i32, role: target}}"

/* The first pixel and the class of each sample: "7:0 9:1". */
static void expect_samples(const char *data, const char *want)
{
	ad_model *m = open_data(INPUTS, data);
	char error[512] = "", text[16000] = "";
	struct parts parts;
	size_t used = 0;

	cr_assert(data_read(m, &parts, error, sizeof error), "%s: %s", data, error);
	for (size_t k = 0; k < parts.train.n; k++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%g:%g", k ? " " : "",
		                         column_value(&parts.train.columns[0], 4 * k),
		                         column_value(&parts.train.columns[1], k));
	cr_expect_str_eq(text, want, "%s: %s", data, text);
	data_free(&parts);
	ad_model_close(m);
}

Test(png, folders_are_classes)
{
	make_folder("p");
	make_folder("p/dog");
	make_folder("p/cat");
	make_folder("p/.hidden");
	write_grey("p/dog/1.png", 11);
	write_grey("p/dog/2.PNG", 12);
	write_grey("p/cat/9.png", 9);
	scratch_text("p/cat/notes.txt", "not a picture");
	expect_samples("{train: {png: p}}", "9:0 11:1 12:1");
	expect_samples("{train: {format: png, dir: p, classes: [dog, ant, cat]}}", "9:2 11:0 12:0");
	refuses(INPUTS, "{train: {format: png, dir: p, classes: [dog, cow]}}",
	        "p: the class 'cat' is not among those that 'classes' lists");
	refuses(INPUTS, "{train: {format: png, dir: p, classes: [dog, cat, dog]}}", "the class 'dog' is listed twice");
	refuses(INPUTS, "{train: {png: p/dog}}", "the target wants a class for each picture");
	scratch_text("p/cat/8.jpeg", "");
	refuses(INPUTS, "{train: {png: p}}", "p/cat/8.jpeg: only PNG pictures are read");
	unlink(scratch_path("p/cat/8.jpeg"));
	write_grey("p/stray.png", 1);
	refuses(INPUTS, "{train: {png: p}}", "p/stray.png: lies beside the folders of the classes");
	unlink(scratch_path("p/stray.png"));
	make_folder("p/dog/deep");
	refuses(INPUTS, "{train: {png: p}}", "p/dog: has a folder, 'deep'");
	rmdir(scratch_path("p/dog/deep"));
	make_folder("p/empty");
	refuses(INPUTS, "{train: {png: p}}", "p/empty: has no .png file");
	refuses(INPUTS, "{train: {png: nowhere}}", "nowhere: cannot read the folder: No such file");
	refuses(INPUTS, "{train: {format: png}}", "'png' needs 'dir', a folder with a folder for each class");
}

Test(png, numbers_are_sorted_as_numbers)
{
	make_folder("p");
	for (int k = 9; k <= 11; k++) {
		char name[32];

		snprintf(name, sizeof name, "p/%d", k);
		make_folder(name);
		snprintf(name, sizeof name, "p/%d/a.png", k);
		write_grey(name, (unsigned char)k);
	}
	expect_samples("{train: {png: p}}", "10:1 11:2 9:0");
}

Test(png, lists)
{
	make_folder("p");
	write_grey("p/a.png", 1);
	write_grey("p/b.png", 2);
	write_grey("c.png", 3);
	scratch_text("numbers", "p/b.png,7\r\n\np/a.png , 3\n\"c.png\",3");
	expect_samples("{train: {format: png, file: numbers}}", "2:7 1:3 3:3");
	scratch_text("words", "b.png\tcow\na.png\tant\n");
	expect_samples("{train: {format: png, file: words, dir: p}}", "2:1 1:0");
	scratch_text("words", "b.png,cow\n,ant\n");
	refuses(INPUTS, "{train: {format: png, file: words, dir: p}}", "words:2: has no picture; a line is PICTURE,CLASS");
	scratch_text("words", "b.png,cow\na.png\n");
	refuses(INPUTS, "{train: {format: png, file: words, dir: p}}", "words:2: has no class");
	scratch_text("words", "b.png,1,2\n");
	refuses(INPUTS, "{train: {format: png, file: words, dir: p}}", "words:1: more than a picture and its class");
	scratch_text("words", "\n\n");
	refuses(INPUTS, "{train: {format: png, file: words}}", "words: lists no pictures");
	scratch_text("words", "d.png,1\n");
	refuses(INPUTS, "{train: {format: png, file: words}}", "d.png: cannot read: No such file");
	scratch_write("words", "a\0b", 3);
	refuses(INPUTS, "{train: {format: png, file: words}}", "words:1: has a NUL character");
	char *text = malloc(5000);

	memset(text, 'a', 5000);
	scratch_write("words", text, 5000);
	free(text);
	refuses(INPUTS, "{train: {format: png, file: words}}", "words:1: is too long; is it a list of pictures?");
}

/* Names in another order than theirs, each twice. */
Test(png, many_classes)
{
	static char list[16000], samples[16000];
	size_t at = 0, to = 0;

	write_grey("a.png", 7);
	for (int k = 0; k < 800; k++) {
		int class = 7 * k % 400;

		at += (size_t)sprintf(list + at, "a.png,c%03d\n", class);
		to += (size_t)sprintf(samples + to, "%s7:%d", k ? " " : "", class);
	}
	scratch_text("list", list);
	expect_samples("{train: {format: png, file: list}}", samples);
}

Test(png, parts_have_the_same_classes)
{
	make_folder("a");
	make_folder("a/x");
	make_folder("a/y");
	make_folder("b");
	make_folder("b/y");
	write_grey("a/x/1.png", 1);
	write_grey("a/y/1.png", 2);
	write_grey("b/y/1.png", 3);
	refuses(INPUTS, "{train: {png: a}, test: {png: b}}", "the classes of 'test' are not those of 'train'");
	expect_samples("{train: {format: png, dir: a, classes: [x, y]}, test: {format: png, dir: b, classes: [x, y]}}",
	               "1:0 2:1");
}

/* A run is opened from anywhere: its file has whole paths, also in the short form. */
Test(png, a_run_folder_opens_again)
{
	char error[512] = "", run[160];
	ad_train_options o = { .run = run };
	struct parts parts;
	ad_model *m;

	make_folder("a");
	write_grey("a/1.png", 1);
	scratch_text("m.yaml", "version: 1\ninputs: {x: [B, 2, 2]}\nweights: {w: 1}\nmodel: {z: w * mean(x)}\nloss: z\n"
	                       "data: {train: {png: a}}\ntrain: {epochs: 1, optimizer: {sgd: {lr: 0.1}}}\n");
	snprintf(run, sizeof run, "%s", scratch_path("run"));
	m = ad_model_open(scratch_path("m.yaml"), 0, NULL);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	ad_model_close(m);
	m = ad_model_open(scratch_path("run/config.yaml"), 0, NULL);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	data_free(&parts);
	ad_model_close(m);
}

/* ---- damaged and hostile ------------------------------------------------------------------------ */

static void expect_damage(const struct bytes *b, size_t n, const char *sentence)
{
	scratch_write("a.png", b->data, n);
	refuses("{x: [B, 2, 2]}", "{train: {format: png, file: a.png}}", sentence);
}

Test(png, damage)
{
	const unsigned char rows[] = { 0, 1, 2, 0, 3, 4 };
	const struct kind kind = { .width = 2, .height = 2, .depth = 8 };
	const struct bytes good = picture(&kind, rows, sizeof rows);
	struct bytes bad;

	for (size_t n = 0; n < good.n; n++) {
		char sentence[64] = "a.png: ";

		if (n >= 8)
			strcat(sentence, "ends too early");
		expect_damage(&good, n, sentence);
	}
	/* one bit anywhere is seen, by the checksums */
	for (size_t k = 0; k < 8 * good.n; k += 3) {
		bad = good;
		bad.data[k / 8] ^= (unsigned char)(1u << k % 8);
		expect_damage(&bad, bad.n, "a.png: ");
	}
	expect_damage(&good, 0, "a.png: is not a PNG picture: it is empty");
	scratch_text("a.png", "\xff\xd8\xff\xe0 JFIF");
	refuses("{x: [B, 2, 2]}", "{train: {format: png, file: a.png}}", "is not a PNG picture, but a JPEG; convert it");
	scratch_text("a.png", "some text that is longer");
	refuses("{x: [B, 2, 2]}", "{train: {format: png, file: a.png}}", "a.png: is not a PNG picture");
	bad = picture(&kind, rows, 4); /* pixels that are not there */
	expect_damage(&bad, bad.n, "a.png: is damaged: ");
	bad = picture(&(struct kind){ .width = 0, .height = 2, .depth = 8 }, rows, 4);
	expect_damage(&bad, bad.n, "a.png: is damaged: ");
	bad = picture(&(struct kind){ .width = 2, .height = 2, .depth = 7 }, rows, 4);
	expect_damage(&bad, bad.n, "a.png: is damaged: ");
	bad = picture(&(struct kind){ .width = 2, .height = 2, .depth = 8, .colour = PALETTE }, rows, 6);
	expect_damage(&bad, bad.n, "a.png: is damaged: ");
	refuses("{x: [B, 2, 2]}", "{train: {format: png, file: gone.png}}", "gone.png: cannot read: No such file");
}

/* Sizes are checked before memory is taken. */
Test(png, hostile_sizes)
{
	static const uint32_t sizes[][2] = { { 0x7fffffff, 0x7fffffff }, { 1, 0x7fffffff }, { 0x7fffffff, 1 },
		                             { 65536, 65536 }, { 0xffffffff, 2 } };
	const struct rlimit memory = { 1u << 30, 1u << 30 };

	(void)memory;

#ifndef __SANITIZE_ADDRESS__ /* which takes more than that itself */
	cr_assert_eq(setrlimit(RLIMIT_DATA, &memory), 0);
#endif
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		const struct kind kind = { .width = sizes[k][0], .height = sizes[k][1], .depth = 16, .colour = RGBA };
		struct bytes b = picture(&kind, "\0\1\2", 3);

		scratch_write("a.png", b.data, b.n);
		refuses("{x: [B, C, H, W]}", "{train: {format: png, file: a.png}}", "a.png: ");
	}
	const unsigned char rows[] = { 0, 1, 2, 0, 3, 4 };
	struct bytes b = picture(&(struct kind){ .width = 2, .height = 2, .depth = 8 }, rows, 6);

	scratch_write("a.png", b.data, b.n);
	refuses("{x: [B, 2, 3]}", "{train: {format: png, file: a.png}}",
	        "is 2 wide and 2 high, but 'x' takes pictures 3 wide and 2 high");
	refuses("{x: [B, 5, 2, 2]}", "{train: {format: png, file: a.png}}", "'x' takes 5 channels; a picture has 1");
	refuses("{x: [B, 7]}", "{train: {format: png, file: a.png}}", "whose shape is [7]");
}
