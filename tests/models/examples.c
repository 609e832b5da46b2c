/*
 * examples: six files that use the whole language, on data made for the purpose.
 */
#include "autograd_model.h"
#include "scratch.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <zlib.h>

TestSuite(examples, .init = scratch_open, .fini = scratch_close, .timeout = 300);

/* The example as it is, in the scratch folder. */
static const char *copy(const char *name)
{
	char path[128], *text;
	size_t size;

	snprintf(path, sizeof path, "tests/examples/%s", name);
	text = scratch_read(path, &size);
	scratch_write(name, text, size);
	free(text);
	return scratch_path(name);
}

static void check_and_show(const char *path, const char *parameters)
{
	const char *text;
	int status;

	text = scratch_shell(&status, "$A check %s", path);
	cr_assert_eq(status, 0, "%s", text);
	text = scratch_shell(&status, "$A show %s", path);
	cr_assert_eq(status, 0, "%s", text);
	cr_expect(strstr(text, parameters), "%s: %s", path, text);
}

static void train(const char *path, const char *more)
{
	int status;
	const char *text = scratch_shell(&status, "$A train --dry-run %s %s", path, more);

	cr_expect_eq(status, 0, "%s", text);
	cr_expect(strstr(text, "loss"), "%s", text);
}

/* An IDX file of bytes: n samples of `per` bytes each. */
static void write_idx(const char *name, unsigned n, unsigned side, unsigned below)
{
	gzFile file = gzopen(scratch_path(name), "wb");
	unsigned char head[16] = { 0, 0, 8, side ? 3 : 1, 0, 0, 0, (unsigned char)n, 0, 0, 0,
		                   (unsigned char)side, 0, 0, 0, (unsigned char)side };

	cr_assert(file);
	gzwrite(file, head, side ? 16 : 8);
	for (unsigned k = 0; k < n * (side ? side * side : 1); k++) {
		unsigned char byte = (unsigned char)(k * 7 % below);

		gzwrite(file, &byte, 1);
	}
	gzclose(file);
}

static void write_text(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz .,\n";
	char text[4001] = "";

	for (int k = 0; k < 4000; k++)
		text[k] = letters[(k * k / 3 + k) % 30];
	mkdir(scratch_path("data"), 0777);
	scratch_text("data/input.txt", text);
}

Test(examples, arithmetic)
{
	const char *text;
	char *file;
	size_t size;
	int status, lines = 0;

	check_and_show(copy("0_arith.yaml"), "f");
	/* a modeline and five lines, whose values and gradients are printed and drawn */
	file = scratch_read(scratch_path("0_arith.yaml"), &size);
	for (const char *p = file; *p; p++)
		lines += *p == '\n';
	cr_expect(lines == 6 && strncmp(file, "# yaml-language-server: $schema=", 32) == 0, "%d lines", lines);
	free(file);
	text = scratch_shell(&status, "$A draw %s --grad -f dot", scratch_path("0_arith.yaml"));
	cr_expect(status == 0 && strstr(text, "digraph") && strstr(text, ">-12<") && strstr(text, ">-4<"), "%s", text);
	text = scratch_shell(&status, "$A eval %s", scratch_path("0_arith.yaml"));
	cr_assert_eq(status, 0, "%s", text);
	cr_expect(strstr(text, "f = -12\n") && strstr(text, "df/dx = -4\n") && strstr(text, "df/dz = 3\n"), "%s",
	          text);
}

Test(examples, mlp)
{
	mkdir(scratch_path("data"), 0777);
	write_idx("data/train-images-idx3-ubyte.gz", 200, 28, 256);
	write_idx("data/train-labels-idx1-ubyte.gz", 200, 0, 10);
	write_idx("data/t10k-images-idx3-ubyte.gz", 20, 28, 256);
	write_idx("data/t10k-labels-idx1-ubyte.gz", 20, 0, 10);
	check_and_show(copy("1_mlp.yaml"), "118,282 parameters");
	train(scratch_path("1_mlp.yaml"), "");
}

Test(examples, resnet)
{
	unsigned char record[3073] = { 3 };

	mkdir(scratch_path("data"), 0777);
	mkdir(scratch_path("data/cifar-10-batches-bin"), 0777);
	scratch_write("data/cifar-10-batches-bin/data_batch_1.bin", record, sizeof record);
	record[0] = 7;
	record[99] = 200;
	scratch_write("data/cifar-10-batches-bin/data_batch_2.bin", record, sizeof record);
	scratch_write("data/cifar-10-batches-bin/test_batch.bin", record, sizeof record);
	check_and_show(copy("2_resnet.yaml"), "272,282 parameters");
	train(scratch_path("2_resnet.yaml"), "");
}

Test(examples, lstm)
{
	write_text();
	check_and_show(copy("3_lstm.yaml"), "242,945 parameters");
	train(scratch_path("3_lstm.yaml"), "");
}

Test(examples, gpt)
{
	write_text();
	check_and_show(copy("4_gpt.yaml"), "10,770,816 parameters");
	train(scratch_path("4_gpt.yaml"), "--set params.layers=1 --set params.d=48");
}

/* Its op comes with a plugin: silu by another name. */
Test(examples, custom)
{
	const char *text;
	char *common;
	size_t size;
	int status;

	mkdir(scratch_path("blocks"), 0777);
	common = scratch_read("tests/examples/blocks/common.yaml", &size);
	scratch_text("blocks/common.yaml", common);
	free(common);
	copy("5_custom.yaml");
	text = scratch_shell(&status, "sed s/silu/swish/g ops/silu.c >$S/swish.c && $A op build $S/swish.c -o $S/libswish.so");
	cr_assert_eq(status, 0, "%s", text);
	for (int k = 0; k < 2; k++) {
		text = scratch_shell(&status, "$A %s $S/5_custom.yaml --plugin $S/libswish.so", k ? "show" : "check");
		cr_expect_eq(status, 0, "%s", text);
		cr_expect(strstr(text, "1,949,154 parameters"), "%s", text);
	}
}
