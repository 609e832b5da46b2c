/*
 * checkpoint: weights written and read again, and every way in which a file can be bad.
 */
#include "file.h"
#include "model.h"
#include "scratch.h"

#include <math.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

TestSuite(checkpoint, .init = scratch_open, .fini = scratch_close);

/* A model of two weights, "a" of (2, 3) and "b" a single number, with no more than a checkpoint reads. */
static struct weight weights[2];
static char yaml_path[] = "m.yaml";

static ad_model two_weights(bool f64)
{
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	static const double values[] = { 1, -2, 0.5, 1e-3, 3, 100 };

	weights[0] = (struct weight){ .path = "a", .node = ad_param(g, "a", AD_SHAPE(2, 3)),
		                      .at = { 4, 7, 7 } };
	weights[1] = (struct weight){ .path = "b", .node = ad_param(g, "b", AD_SCALAR) };
	ad_set(weights[0].node, values, 6);
	ad_set_item(weights[1].node, 7);
	return (ad_model){ .path = yaml_path, .graph = g, .f64 = f64, .n_weights = 2, .weights = weights };
}

Test(checkpoint, comes_back_in_both_types)
{
	for (int from = 0; from < 2; from++)
		for (int to = 0; to < 2; to++) {
			const char *path = scratch_path("w.safetensors");
			ad_model m = two_weights(from);
			char error[512] = "";
			double a[6];

			cr_assert(checkpoint_write(&m, path, error, sizeof error), "%s", error);
			ad_close(m.graph);
			m = two_weights(to);
			ad_set_item(weights[0].node, 0);
			ad_set_item(weights[1].node, 0);
			cr_assert(checkpoint_read(&m, path, NULL, error, sizeof error), "%s", error);
			cr_assert_eq(ad_get(weights[0].node, a, 6), AD_OK);
			cr_assert_eq(a[1], -2);
			cr_assert_eq(a[2], 0.5);
			cr_assert_float_eq(a[3], 1e-3, 1e-9);
			cr_assert_eq(ad_item(weights[1].node), 7);
			ad_close(m.graph);
		}
}

/* A file made of a header and elements, with a length of the header of its own if told so. */
static void make_file(const char *header, const void *data, size_t size, int64_t length)
{
	size_t n = strlen(header);
	char *file = malloc(8 + n + size);
	uint64_t stated = length < 0 ? n : (uint64_t)length;

	for (int k = 0; k < 8; k++)
		file[k] = (char)(stated >> 8 * k);
	memcpy(file + 8, header, n);
	if (size)
		memcpy(file + 8 + n, data, size);
	scratch_write("bad.safetensors", file, 8 + n + size);
	free(file);
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]}"

static const struct {
	const char *header, *error; /* error NULL: it is good */
	size_t size;
} headers[] = {
	{ "{" A "," B "}", NULL, 28 },
	{ "{" B "," A "}   ", NULL, 28 },
	{ "{\"__metadata__\":{\"x\":\"y\"}," A "," B "}", NULL, 28 },
	{ "{" A "," B "}", "is cut off or has been added to", 29 },
	{ "{" A "," B "}", "is cut off or has been added to", 27 },
	{ "{" A "," B "}", "is cut off or has been added to", 0 },
	{ "[1,2,3]", "not a JSON object", 28 },
	{ "hello, world", "not a JSON object", 28 },
	{ "{" A "," B "} x", "a 'x' stands at byte 112 of its header, where", 28 },
	{ "{" A "," B "}{}", "is not JSON", 28 },
	{ "{" A "," B, "ends too early", 28 },
	{ "{" A "," B ",}", "is not JSON", 28 },
	{ "{" A "," A "," B "}", "two tensors named 'a'", 28 },
	{ "{\"__metadata__\":{},\"__metadata__\":{}," A "," B "}", "twice", 28 },
	{ "{\"__metadata__\":{\"x\":1}," A "," B "}", "not a string", 28 },
	{ "{\"__metadata__\":[]," A "," B "}", "not an object", 28 },
	{ "{" A "}", "lacks 'b'", 24 },
	{ "{" A "," B ",\"c\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[28,32]}}", "it has besides 'c'", 32 },
	{ "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}",
	  "it lacks 'a'; it has besides 'x'", 28 },
	{ "{\"../../etc/passwd\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}",
	  "it has besides '../../etc/passwd'", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}," B "}",
	  "error[E030]: 'a' is [3, 2] there and [2, 3] here (m.yaml:4:7)", 28 },
	{ "{\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]}," B "}", "type 'F16'", 28 },
	{ "{\"a\":{\"dtype\":\"I32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}",
	  "type I32 there and F32 here", 28 },
	{ "{\"a\":{\"dtype\":32,\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "not a string", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "twice", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}," B "}", "has no 'shape'", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3]}," B "}", "has no 'data_offsets'", 28 },
	{ "{\"a\":3," B "}", "is not an object", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}," B "}", "do not span", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,0]}," B "}", "do not span", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]}," B "}", "begin at 4", 28 },
	{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[20,24]}}", "begin at 20", 28 },
	{ "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[28,32]}}", "begin at 28", 32 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0]}," B "}", "not two whole", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,-3],\"data_offsets\":[0,24]}," B "}", "header has none", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3.0],\"data_offsets\":[0,24]}," B "}", "header has none", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3e0],\"data_offsets\":[0,24]}," B "}", "header has none", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551616],\"data_offsets\":[0,24]}," B "}", "header has none", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999,99999999999999],\"data_offsets\":[0,24]}," B "}",
	  "overflow", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,2,3],\"data_offsets\":[0,24]}," B "}",
	  "at most 8 sizes", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[[2,3]],\"data_offsets\":[0,24]}," B "}", "nests", 28 },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[true],\"data_offsets\":[0,24]}," B "}", "header has none", 28 },
	{ "{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "zero byte", 28 },
	{ "{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "control character", 28 },
	{ "{\"\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "name of 0 bytes", 28 },
	{ "{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}," B "}", "UTF-8", 28 },
	{ "{\"a\xc3", "UTF-8", 28 },
	{ "{\"__metadata__\":{\"crc32\":\"00000000\"}," A "," B "}", "checksum", 28 },
};

Test(checkpoint, headers)
{
	static const float data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	for (size_t k = 0; k < sizeof headers / sizeof *headers; k++) {
		ad_model m = two_weights(false);
		char error[4096] = "";
		bool ok;

		make_file(headers[k].header, data, headers[k].size, -1);
		ok = checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error);
		cr_assert_eq(ok, headers[k].error == NULL, "case %zu: %s", k, error);
		if (!ok) {
			cr_assert(strstr(error, headers[k].error), "case %zu says: %s", k, error);
			cr_assert_eq(ad_item(weights[1].node), 7, "case %zu changed a weight", k);
		}
		ad_close(m.graph);
	}
}

Test(checkpoint, nesting_and_long_names)
{
	size_t n = 200000;
	char *text = malloc(n + 64), error[1024];
	ad_model m = two_weights(false);

	memset(text, '[', n);
	text[0] = '{';
	strcpy(text + 1, "\"a\":");
	text[5] = '[';
	text[n] = '\0';
	make_file(text, NULL, 0, -1);
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert(strstr(error, "nests"), "%s", error);

	memset(text, 'x', n);
	memcpy(text, "{\"", 2);
	strcpy(text + n, "\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}");
	make_file(text, "1234", 4, -1);
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert(strstr(error, "a name of"), "%s", error);
	free(text);
	ad_close(m.graph);
}

Test(checkpoint, lengths)
{
	static const int64_t lengths[] = { INT64_MAX, (int64_t)101 << 20, 1000, 0, 1 };
	ad_model m = two_weights(false);
	char error[512];

	for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
		make_file("{" A "," B "}", NULL, 0, lengths[k]);
		cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error), "case %zu",
		          k);
	}
	for (size_t size = 0; size < 10; size++) {
		scratch_write("bad.safetensors", "\2\0\0\0\0\0\0\0{}", size);
		cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
		cr_assert(strstr(error, "too few for a safetensors file"), "%s", error);
	}
	/* A header of more than 16 MiB that is really there is refused before it is read. */
	cr_assert_eq(truncate(scratch_path("bad.safetensors"), (off_t)40 << 20), 0);
	{
		FILE *file = fopen(scratch_path("bad.safetensors"), "r+b");

		fwrite("\0\0\0\2\0\0\0\0", 1, 8, file);
		fclose(file);
	}
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert(strstr(error, "at most"), "%s", error);
	ad_close(m.graph);
}

/* Every byte of a good file, cut off there or changed: refused, or it gives the same weights. */
Test(checkpoint, every_byte_cut_and_every_bit_flipped)
{
	const char *path = scratch_path("w.safetensors");
	ad_model m = two_weights(false);
	char error[4096], *good;
	size_t size, body;

	cr_assert(checkpoint_write(&m, path, error, sizeof error), "%s", error);
	good = scratch_read(path, &size);
	body = 8 + (size_t)(unsigned char)good[0] + 256 * (size_t)(unsigned char)good[1];
	for (size_t k = 0; k < size; k++) {
		scratch_write("cut.safetensors", good, k);
		cr_assert(!checkpoint_read(&m, scratch_path("cut.safetensors"), NULL, error, sizeof error), "cut at %zu",
		          k);
	}
	for (size_t bit = 0; bit < 8 * size; bit++) {
		bool ok;

		good[bit / 8] ^= (char)(1 << bit % 8);
		scratch_write("flip.safetensors", good, size);
		good[bit / 8] ^= (char)(1 << bit % 8);
		ok = checkpoint_read(&m, scratch_path("flip.safetensors"), NULL, error, sizeof error);
		cr_assert(!ok || bit / 8 < body, "bit %zu of the elements went unseen", bit);
		cr_assert_eq(ad_at(weights[0].node, 5), 100);
		cr_assert_eq(ad_item(weights[1].node), 7);
	}
	free(good);
	ad_close(m.graph);
}

Test(checkpoint, values_that_are_not_finite)
{
	float data[7] = { 1, 2, 3, 4, 5, 6, 7 };
	ad_model m = two_weights(false);
	char error[512];

	data[4] = NAN;
	make_file("{" A "," B "}", data, sizeof data, -1);
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert(strstr(error, "'a' has a NaN at element 4"), "%s", error);
	data[4] = INFINITY;
	make_file("{" A "," B "}", data, sizeof data, -1);
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert_eq(ad_at(weights[0].node, 0), 1);
	ad_close(m.graph);
}

Test(checkpoint, a_value_beyond_f32)
{
	double data[7] = { 1, 2, 3, 4, 5, 1e300, 7 };
	ad_model m = two_weights(false);
	char error[512];

	make_file("{\"a\":{\"dtype\":\"F64\",\"shape\":[2,3],\"data_offsets\":[0,48]},"
	          "\"b\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[48,56]}}", data, sizeof data, -1);
	cr_assert(!checkpoint_read(&m, scratch_path("bad.safetensors"), NULL, error, sizeof error));
	cr_assert(strstr(error, "beyond the range of f32"), "%s", error);
	ad_close(m.graph);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int files_in(const char *folder)
{
	char command[128];
	FILE *list;
	int count = 0;

	snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
	list = popen(command, "r");
	cr_assert(list && fscanf(list, "%d", &count) == 1);
	pclose(list);
	return count;
}

Test(checkpoint, an_earlier_file_survives_a_failure)
{
	const char *path = scratch_path("w.safetensors");
	ad_model m = two_weights(false);
	struct rlimit limit = { 64, RLIM_INFINITY }, before;
	char error[512];

	cr_assert(checkpoint_write(&m, path, error, sizeof error), "%s", error);
	ad_set_item(weights[1].node, 8);
	/* Past the limit on file sizes a process is ended by SIGXFSZ, unless the writer sees to it. */
	getrlimit(RLIMIT_FSIZE, &before);
	limit.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	cr_assert(!checkpoint_write(&m, path, error, sizeof error));
	setrlimit(RLIMIT_FSIZE, &before);
	cr_assert(strstr(error, "ulimit -f"), "%s", error);
	cr_assert_eq(files_in(scratch), 1, "a temporary file was left");
	cr_assert(checkpoint_read(&m, path, NULL, error, sizeof error), "%s", error);
	cr_assert_eq(ad_item(weights[1].node), 7);
	cr_assert(!checkpoint_write(&m, scratch_path("no/such/folder.safetensors"), error, sizeof error));
	cr_assert(strstr(error, "open the folder"), "%s", error);
	ad_close(m.graph);
}

Test(checkpoint, temporary_files_of_the_dead_are_removed)
{
	ad_model m = two_weights(false);
	char name[64], error[512];
	pid_t dead = fork();

	if (dead == 0)
		_exit(0);
	waitpid(dead, NULL, 0);
	snprintf(name, sizeof name, ".w.safetensors.%ld.0.tmp", (long)dead);
	scratch_text(name, "torn");
	snprintf(name, sizeof name, ".w.safetensors.%ld.0.tmp", (long)getppid());
	scratch_text(name, "of a process that lives");
	cr_assert(checkpoint_write(&m, scratch_path("w.safetensors"), error, sizeof error), "%s", error);
	cr_assert_eq(files_in(scratch), 2);
	ad_close(m.graph);
}

/* Killed at any moment, a writer leaves the old file or the new one, never a torn one. */
Test(checkpoint, survives_being_killed)
{
	const char *path = scratch_path("w.safetensors");
	ad_model m = two_weights(false);
	char error[512];

	cr_assert(checkpoint_write(&m, path, error, sizeof error), "%s", error);
	for (int k = 0; k < 40; k++) {
		pid_t child = fork();

		if (child == 0) {
			for (double value = 8;; value++) {
				ad_set_item(weights[1].node, value);
				checkpoint_write(&m, path, NULL, 0);
			}
		}
		usleep((useconds_t)(500 + k * 137));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		cr_assert(checkpoint_read(&m, path, NULL, error, sizeof error), "%s", error);
		cr_assert_geq(ad_item(weights[1].node), 7);
	}
	cr_assert(checkpoint_write(&m, path, error, sizeof error), "%s", error);
	cr_assert_eq(files_in(scratch), 1);
	ad_close(m.graph);
}
