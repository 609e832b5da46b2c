/*
 * plugins: ops from shared libraries: written, built, checked, used in models and from C; and what is no plugin, or
 * not one of this build, which is refused before any of its code runs.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include "autograd.h"

#include <math.h>
#include <sys/stat.h>

TestSuite(plugins, .init = scratch_open, .fini = scratch_close, .timeout = 300);

/* A line of the shell that has to exit so and print this. */
static void expect(int status, const char *piece, const char *line)
{
	int got;
	const char *text = scratch_shell(&got, "%s", line);

	cr_expect_eq(got, status, "%s\nexit status %d, not %d\n%s", line, got, status, text);
	cr_expect(strstr(text, piece), "%s\n%s\nnot: %s", line, text, piece);
}

/* y = 2 x as the file of an op, with more of its table and more code. */
static void write_op(const char *name, const char *table, const char *code)
{
	char file[64], text[2048];

	snprintf(text, sizeof text,
	         "/*\n * %s: y = 2 x.\n */\n"
	         "#include \"op.h\"\n"
	         "static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)\n"
	         "{\n"
	         "	for (size_t k = 0; k < n; k++)\n"
	         "		y[k] = 2 * in[0][k];\n"
	         "}\n"
	         "%s\n"
	         "AD_OP(%s, .arity = 1, .shape = ad_same_shape, .map = map, %s\n"
	         "      .samples = { { .in = { AD_DIMS(2) }, .give = { AD_LIST(1, -3) },\n"
	         "                     .want = { AD_LIST(2, -6) } } });\n",
	         name, code, name, table);
	snprintf(file, sizeof file, "%s.c", name);
	scratch_text(file, text);
}

#define GRAD "static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[]) { dx[0] = ad_add(dy[0], dy[0]); }"

static void build(const char *name)
{
	int status;
	const char *text = scratch_shell(&status, "$A op build $S/%s.c -o $S/lib%s.so", name, name);

	cr_assert_eq(status, 0, "%s", text);
	cr_expect(strstr(text, "all right"), "%s", text);
}

/* Every file to begin with is right as it is. */
Test(plugins, begin)
{
	expect(0, "next: autograd op build one.c\none.c\n", "A=$(realpath $A); cd $S; $A op new one");
	expect(0, "one: 2 samples, all right\nnext: autograd check FILE --plugin ./libone.so",
	       "A=$(realpath $A); cd $S; $A op build one.c");
	expect(0, "two: 3 samples, all right",
	       "A=$(realpath $A); cd $S; $A op new two.c --like array && $A op build two.c -o there.so && ls there.so");
	expect(0, "three: 2 samples, all right",
	       "A=$(realpath $A); cd $S; $A op new three --like composition && $A op build three.c");
	expect(0, "one: 2 samples, all right\ntwo: 3 samples, all right\nthree: 2 samples, all right\n",
	       "cd $S; A=$(cd $OLDPWD && realpath $A); $A op check ./libone.so ./there.so ./libthree.so");
	expect(0, "one: 2 samples, all right\n", "$A op check one --plugin $S/libone.so");
	expect(0, "\nplugin\n  ", "$A ops one --plugin $S/libone.so");
	expect(0, "\"one\"", "$A schema --plugin $S/libone.so | grep -o '\"one\"' | head -1");

	expect(2, "there is a 'one.c' already", "A=$(realpath $A); cd $S; $A op new one");
	expect(2, "there is an op 'relu' already", "$A op new relu");
	expect(2, "'../up' is no name for an op", "$A op new ../up");
	expect(2, "'Up' is no name", "$A op new Up");
	expect(2, "'true' means something else in YAML or in C", "$A op new true");
	expect(2, "one name is wanted", "$A op new");
	expect(2, "did you mean 'op build'?", "$A op biuld x.c");
	expect(2, "the files of the ops are missing", "$A op build");
	expect(2, "did you mean 'sigmoid'?", "$A op check sigmoit");
	expect(2, "'one.c' is to be built first", "$A op check one.c");
}

/* What the table and the comment of a plugin's op say is known wherever that of a built-in one is. */
Test(plugins, described)
{
	int status;
	const char *text = scratch_shell(&status, "A=$(realpath $A); cd $S; $A op new soft && $A op build soft.c && "
	                                          "$A op new rows --like array && $A op build rows.c");

	cr_assert_eq(status, 0, "%s", text);
#define WITH "--plugin $S/libsoft.so --plugin $S/librows.so"
	/* the parser and the checker: arguments by name, their types and defaults, the shape rule */
	scratch_text("m.yaml", "version: 1\nplugins: [soft, rows]\ninputs: {x: [B, 4]}\n"
	                       "model:\n  - soft: {scale: 2}\n  - soft\n  - soft: 3\n  - rows\n");
	expect(0, "m.yaml: ok, 4 items", "$A check $S/m.yaml " WITH);
	expect(0, "rows    rows   [B]", "$A show $S/m.yaml " WITH);
	scratch_text("bad.yaml", "version: 1\nplugins: [soft, rows]\ninputs: {x: [B, 4]}\n"
	                         "model:\n  - soft: {scael: 2}\n  - soft: {scale: fast}\n");
	expect(2, "bad.yaml:5:12: error[E001]: 'soft' has no argument 'scael'\n    5 |   - soft: {scael: 2}\n"
	          "      |            ^^^^^ did you mean 'scale'?\n", "$A check $S/bad.yaml " WITH);
	expect(2, "bad.yaml:6:19: error[E004]: 'scale' wants a number", "$A check $S/bad.yaml " WITH);
	scratch_text("twice.yaml", "version: 1\nplugins: [rows]\ninputs: {x: [B, 4]}\nmodel:\n  - rows\n  - rows\n");
	expect(2, "twice.yaml:6:5: error[E010]: rows: x has to have two axes, and is [B]", "$A check $S/twice.yaml " WITH);
	scratch_text("typo.yaml", "version: 1\nplugins: [soft]\ninputs: {x: [B, 4]}\nmodel: [sotf]\n");
	expect(2, "did you mean 'soft'?", "$A check $S/typo.yaml " WITH);
	/* its description, manual page and schema */
	expect(0, "scale  number  default 1; what y comes near to for large x\n", "$A ops soft " WITH);
	expect(0, "\nplugin\n  /", "$A ops soft " WITH);
	expect(0, ".TH soft 7 ", "$A ops soft --man " WITH);
	expect(0, "  soft ", "$A ops " WITH);
	text = scratch_shell(&status, "$A schema --for $S/m.yaml " WITH " | grep -o '\"soft\":{[^}]*}'");
	cr_expect(status == 0 && strstr(text, "by element") && !strstr(text, "plug-in"), "%s", text);
	text = scratch_shell(&status, "$A schema " WITH " | grep -o 'what y comes near to for large x' | head -1");
	cr_expect(status == 0 && *text, "%s", text);
	/* the drawing */
	text = scratch_shell(&status, "$A draw $S/m.yaml -f dot " WITH " | grep -c -e '>soft' -e '>rows'");
	cr_expect(status == 0 && atoi(text) >= 4, "%s", text);
}

#define MODEL                                                                                                      \
	"version: 1\n"                                                                                             \
	"plugins: [swish]\n"                                                                                       \
	"name: m\n"                                                                                                \
	"inputs: {x: [B, 2], y: {shape: [B], dtype: i32, role: target}}\n"                                         \
	"model: [{linear: 16}, swish, {linear: 3, as: logits}]\n"                                                  \
	"loss: cross_entropy(swish(logits), y)\n"                                                                  \
	"data: {train: {format: spirals, n: 90, classes: 3}}\n"                                                    \
	"train: {epochs: 3, seed: 1, optimizer: {adam: {lr: 0.01}}}\n"

/* An op of ours by another name, as a plugin, trains bit for bit like the one inside, with every command. */
Test(plugins, trains)
{
	int status;
	char *own;
	const char *text;

	scratch_text("m.yaml", MODEL);
	text = scratch_shell(&status, "cd $S; sed s/swish/silu/g m.yaml >own.yaml; cd $OLDPWD; "
	                              "sed s/silu/swish/g ops/silu.c >$S/swish.c; $A op build $S/swish.c -o $S/libswish.so");
	cr_assert_eq(status, 0, "%s", text);
	expect(2, "2:11: error[E002]: the op 'swish' is of a plugin that is not loaded", "$A check $S/m.yaml");
	expect(2, "help: load it with --plugin ./libswish.so", "$A check $S/m.yaml");
	expect(0, "m.yaml: ok", "$A check $S/m.yaml --plugin $S/libswish.so");
	expect(0, "m.yaml: ok", "AUTOGRAD_PLUGINS=$S $A check $S/m.yaml");
	expect(0, "m.yaml: ok", "AUTOGRAD_PLUGINS=$S $A check $S/m.yaml --plugin $S/./libswish.so");
	expect(0, "the gradients agree", "$A gradcheck $S/m.yaml --plugin $S/libswish.so");
	expect(0, "loss", "$A train $S/m.yaml --run $S/run --plugin $S/libswish.so --live");
	expect(0, "loss", "$A train $S/own.yaml --run $S/own");
	text = scratch_shell(&status, "grep -o '\"loss\":[^,]*' $S/own/log.jsonl");
	own = strdup(text);
	cr_assert(own && strstr(own, "\"loss\":"));
	text = scratch_shell(&status, "grep -o '\"loss\":[^,]*' $S/run/log.jsonl");
	cr_expect_str_eq(text, own);
	free(own);
	expect(0, "", "cmp $S/run/last.safetensors $S/own/last.safetensors");
	expect(0, "plugin: /", "cat $S/run/env.txt");
	expect(0, "swish", "grep -o swish $S/run/report.html | head -1");
	expect(2, "the op 'swish' is of a plugin that is not loaded", "$A test $S/run");
	expect(0, "loss", "$A test $S/run --part train --plugin $S/libswish.so");
	expect(0, "swish", "$A draw $S/run --text --plugin $S/libswish.so");
	expect(0, "swish", "$A show $S/run --plugin $S/libswish.so");
}

/* Ops that call each other go into one plugin. */
Test(plugins, several_files)
{
	scratch_text("twice.c", "/*\n * twice: y = 2 x.\n */\n#include \"op.h\"\n"
	                        "static ad_node *compose(ad_graph *g, ad_node *const in[], int n, const void *attrs)\n"
	                        "{\n\treturn ad_sub(ad_thrice(in[0]), in[0]);\n}\n"
	                        "AD_OP(twice, .arity = 1, .shape = ad_same_shape, .compose = compose,\n"
	                        "      .samples = { { .in = { AD_DIM0 }, .give = { AD_LIST(3) }, .want = { AD_LIST(6) },\n"
	                        "                     .dwant = { AD_LIST(2) } } });\n"
	                        "/* Twice x. */\n"
	                        "AD_API ad_node *ad_twice(ad_node *x)\n{\n\treturn AD_CALL(twice, x);\n}\n");
	scratch_text("thrice.c", "/*\n * thrice: y = 3 x.\n */\n#include \"op.h\"\n"
	                         "static ad_node *compose(ad_graph *g, ad_node *const in[], int n, const void *attrs)\n"
	                         "{\n\treturn ad_mul(in[0], ad_constant(g, 3));\n}\n"
	                         "AD_OP(thrice, .arity = 1, .shape = ad_same_shape, .compose = compose,\n"
	                         "      .samples = { { .in = { AD_DIM0 }, .give = { AD_LIST(3) }, .want = { AD_LIST(9) } } });\n"
	                         "/* Three times x. */\n"
	                         "AD_API ad_node *ad_thrice(ad_node *x) {\n\treturn AD_CALL(thrice, x);\n}\n");
	expect(0, "thrice: 1 sample, all right\ntwice: 1 sample, all right",
	       "$A op build $S/twice.c $S/thrice.c -o $S/libboth.so");
	scratch_text("m.yaml", "version: 1\nplugins: [twice, thrice]\ninputs: {x: 5}\nmodel: {f: twice(x) * thrice(x)}\n");
	expect(0, "f = 150", "$A eval $S/m.yaml --plugin $S/libboth.so");
	expect(0, "df/dx = 60", "$A eval $S/m.yaml --plugin $S/libboth.so");
}

/* Where a file lies and what its comment says is no matter of the shell, of awk or of C; a file of a name that the build
 * uses itself is not mistaken for it, and a plugin is not for everybody to write. */
Test(plugins, anywhere)
{
	char *folder = strdup(scratch_path("it's a \xc3\xa9, lr=0.1"));

	write_op("good", ".grad = grad,", GRAD);
	mkdir(folder, 0777);
	scratch_shell(&(int){ 0 }, "cd \"%s\"; echo '#error no' >plugin_ops.h; mkdir tmp a=b; cp ../good.c a=b", folder);
	expect(0, "good: 1 sample, all right",
	       "A=$(realpath $A); cd $S/it*; umask 0; TMPDIR=$PWD/tmp $A op build a=b/good.c && ! ls -d tmp/autograd* 2>&-");
	expect(0, "good: 1 sample, all right", "$A op check $S/it*/libgood.so");
	scratch_text("edit", "2s|.*| * good: y = \\\\0 \"2\" ?" "?/ x.|\n");
	expect(0, "good: y = \\0 \"2\" ?" "?/ x.\n",
	       "sed -i -f $S/edit $S/good.c; $A op build $S/good.c -o $S/libgood.so && $A ops good --plugin $S/libgood.so");
	free(folder);
}

/* What the compiler has against a file is told, and a plugin that was there stays. */
Test(plugins, does_not_compile)
{
	write_op("good", ".grad = grad,", GRAD);
	build("good");
	scratch_shell(&(int){ 0 }, "mkdir $S/tmp; cp $S/libgood.so $S/before.so");
	write_op("good", ".grad = grat,", GRAD);
	expect(2, "good.c:10:", "TMPDIR=$S/tmp $A op build $S/good.c -o $S/libgood.so");
	expect(2, "error: implicit declaration of function", "sed -i 's/ad_add/ad_ad/' $S/good.c; $A op build $S/good.c -o $S/libgood.so");
	expect(2, "grat", "TMPDIR=$S/tmp $A op build $S/good.c -o $S/libgood.so");
	expect(2, "libgood.so' is not made, for the reason above", "$A op build $S/good.c -o $S/libgood.so");
	expect(0, "", "cmp $S/libgood.so $S/before.so && rmdir $S/tmp && ! ls $S/*.tmp 2>/dev/null");
	expect(2, "the compiler 'nocc' is missing: install the package gcc, or name another in $CC",
	       "CC='nocc -m64' $A op build $S/good.c -o $S/libgood.so");
	expect(1, "cannot make the folder '/nowhere/autograd-op-", "TMPDIR=/nowhere $A op build $S/good.c -o $S/libgood.so");
	expect(2, "'/nowhere/x.so' cannot be written", "$A op build $S/good.c -o /nowhere/x.so");
	expect(2, "is a folder; -o names the file", "$A op build $S/good.c -o $S");
	expect(2, "none.c' cannot be read: No such file", "$A op build $S/none.c");
	expect(2, "'x.so' is no file of an op: its name ends in .c", "$A op build x.so");
	expect(2, "an op is named like its file", "mv $S/good.c $S/other.c; $A op build $S/other.c -o $S/o.so");
	scratch_text("plain.c", "int x;\n");
	expect(2, "plain.c:1: an op's file opens with a comment", "$A op build $S/plain.c -o $S/o.so");
}

/* An op that is wrong is found by its samples, even one that takes its process down. */
Test(plugins, wrong)
{
	write_op("wrong", ".dmap = dmap,",
	         "static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,\n"
	         "                 ad_real *const dx[], const void *attrs)\n"
	         "{ for (size_t k = 0; k < n; k++) dx[0][k] = 3 * dy[k]; }\n"
	         "#undef AD_DIMS\n"
	         "#define AD_DIMS(n) { 1, { n }, AD_REAL, true } }, .dwant = { AD_LIST(2, 2)");
	expect(1, "1 of 1 ops is wrong", "$A op build $S/wrong.c -o $S/libwrong.so");
	expect(0, "libwrong.so", "ls $S");
	write_op("silent", ".shape = shape,", "#pragma GCC diagnostic ignored \"-Woverride-init\"\n"
	                                      "static bool shape(ad_infer *s) { return false; }");
	expect(1, "silent: its shape rule refuses this and does not say why", "$A op build $S/silent.c -o $S/libsilent.so");
	write_op("deep", ".shape = shape,", "#pragma GCC diagnostic ignored \"-Woverride-init\"\n"
	                                    "static bool shape(ad_infer *s) { s->out[0].rank = 9; return true; }");
	expect(1, "deep: its shape rule gives output 0 9 axes, of 0 to 8", "$A op build $S/deep.c -o $S/libdeep.so");
	write_op("many", ".shape = shape,", "#pragma GCC diagnostic ignored \"-Woverride-init\"\n"
	                                    "static bool shape(ad_infer *s) { s->n_out = 65; return true; }");
	expect(1, "many: its shape rule gives 65 outputs, of 1 to 64", "$A op build $S/many.c -o $S/libmany.so");
	write_op("none", ".compose = none,",
	         "static ad_node *none(ad_graph *g, ad_node *const in[], int n, const void *attrs) { return NULL; }");
	expect(1, "none: its .compose returns NULL, no node", "$A op build $S/none.c -o $S/libnone.so");
	scratch_text("m.yaml", "version: 1\ninputs: {x: 5}\nmodel: {f: none(x)}\n");
	expect(2, "m.yaml:3:12: error[E018]: none: its .compose returns NULL", "$A eval $S/m.yaml --plugin $S/libnone.so");
	write_op("again", ".compose = again,",
	         "static ad_node *again(ad_graph *g, ad_node *const in[], int n, const void *attrs)\n"
	         "{ return ad_call(g, \"again\", 1, in, 0, NULL); }");
	expect(1, "again: its .compose comes back to the op itself", "$A op build $S/again.c -o $S/libagain.so");
	write_op("crash", ".dmap = crash,",
	         "static void crash(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,\n"
	         "                  ad_real *const dx[], const void *attrs)\n"
	         "{ *(volatile int *)8 = 1; }\n"
	         "#undef AD_DIMS\n"
	         "#define AD_DIMS(n) { 1, { n }, AD_REAL, true } }, .dwant = { AD_LIST(2, 2)");
	expect(1, "crash: the check ended by signal 11 (Segmentation fault): a kernel reads or writes outside its arrays",
	       "ASAN_OPTIONS=handle_segv=0 UBSAN_OPTIONS=handle_segv=0 $A op build $S/crash.c -o $S/libcrash.so");
}

/* Where the loss needs the derivative of an op that has none, the file is refused; elsewhere it is not. */
Test(plugins, without_derivative)
{
	static const char model[] = "version: 1\nplugins: [nograd]\n"
	                            "inputs: {x: [B, 2], y: {shape: [B, 1], role: target}}\n"
	                            "model: [{linear: 3%s}, nograd, {linear: 1, as: h}]\n"
	                            "loss: mse_loss(h, y)\n"
	                            "metrics: {size: mean(nograd(h))}\n";
	char text[512];

	write_op("nograd", "", "");
	build("nograd");
	snprintf(text, sizeof text, model, "");
	scratch_text("m.yaml", text);
	expect(2, "m.yaml:4:22: error[E004]: the gradient of the loss has to come through 'nograd', which has no derivative",
	       "$A check $S/m.yaml --plugin $S/libnograd.so");
	/* the one that is to blame, which is not the first; and one inside another op */
	scratch_text("two.yaml", "version: 1\ninputs: {x: [B, 2], y: {shape: [B, 1], role: target}}\n"
	                         "model: [nograd, {linear: 3}, nograd, {linear: 1, as: h}]\nloss: mse_loss(h, y)\n");
	expect(2, "two.yaml:3:30: error[E004]: the gradient of the loss has to come through 'nograd'",
	       "$A check $S/two.yaml --plugin $S/libnograd.so");
	write_op("around", ".compose = around,",
	         "static ad_node *around(ad_graph *g, ad_node *const in[], int n, const void *attrs)\n"
	         "{ return ad_call(g, \"nograd\", 1, in, 0, NULL); }");
	expect(2, "two.yaml:3:30: error[E004]: the gradient of the loss has to come through 'nograd'",
	       "sed -i 's/, nograd/, around/' $S/two.yaml; $A op build $S/around.c $S/nograd.c -o $S/libaround.so >&2; "
	       "$A check $S/two.yaml --plugin $S/libaround.so");
	snprintf(text, sizeof text, model, "}, {stop_gradient: {}");
	scratch_text("m.yaml", text);
	expect(0, "m.yaml: ok", "$A check $S/m.yaml --plugin $S/libnograd.so");
	expect(0, "has no derivative", "$A ops nograd --plugin $S/libnograd.so | sed 's/none; asking.*/has no derivative/'");
}

/* ---- what is refused ----------------------------------------------------------------------------- */

/* Replaces the last n bytes that are like these in a plugin. */
static void patch(const char *from, const char *to, const char *old, const char *new, size_t n)
{
	size_t size, at = 0;
	char *bytes = scratch_read(scratch_path(from), &size);

	for (size_t k = 0; k + n <= size; k++)
		if (memcmp(bytes + k, old, n) == 0)
			at = k;
	cr_assert(at > 0);
	memcpy(bytes + at, new, n);
	scratch_write(to, bytes, size);
	free(bytes);
}

/* The note of a plugin: its owner, then the version in 16 bytes, then the numbers. */
static void patch_note(const char *from, const char *to, const char *version, int number)
{
	char old[32] = "autograd\0\0\0", new[32] = "autograd\0\0\0";

	strcpy(old + 12, AD_VERSION);
	strcpy(new + 12, version);
	memcpy(old + 28, &(int32_t){ AD_LEVELS }, 4);
	memcpy(new + 28, &(int32_t){ number }, 4);
	patch(from, to, old, new, sizeof old);
}

/* The plugins here leave a file when any of their code runs. */
Test(plugins, refused_unrun)
{
	static const struct {
		const char *path, *said;
	} cases[] = {
		{ "libmark.so", "a plugin is named with its folder, ./libmark.so" },
		{ "libm.so.6", "a plugin is named with its folder, ./libm.so.6" },
		{ "$S/none.so", "none.so: the plugin cannot be opened: No such file or directory" },
		{ "$S/../none/x.so", "cannot be opened: No such file" },
		{ "$S", "this is a folder; name a plugin in it, or give the folder as the variable AUTOGRAD_PLUGINS" },
		{ "$S/pipe.so", "pipe.so: this is no regular file" },
		{ "/dev/null", "this is no regular file" },
		{ "$S/text.so", "text.so: this is no shared library; 'autograd op build FILE.c' makes a plugin of an op's file" },
		{ "$S/empty.so", "this is no shared library" },
		{ "$S/mark.c", "this is no shared library" },
		{ "$S/head.so", "this is no plugin: it lacks the note" },
		{ "$S/half.so", "the plugin is damaged or cut off, or was changed since it was built: build it anew with" },
		{ "$S/plain.so", "this is no plugin: it lacks the note that 'autograd op build' puts into one" },
		{ "$S/old.so", "the plugin was built for autograd 0.0.9, and this is " AD_VERSION ": build it anew" },
		{ "$S/long.so", "the plugin was built for autograd 0.0.10-and-more, and this is" },
		{ "$S/bell.so", "the plugin was built for autograd 0.1?[31m?, and this is" },
		{ "$S/other.so", "built with other headers than this autograd (sets of instructions: 7, and " },
		{ "$S/open.so", "everybody may write to this file, so anybody's code could run: chmod o-w '/" },
		{ "$S/open/libmark.so", "everybody may write to its folder, so anybody's code could run: chmod o-w '/" },
		{ "$S/open/shut/libmark.so", "everybody may write to its folder, so anybody's code could run: chmod o-w '/" },
		{ "$S/link.so", "everybody may write to this file" },
	};
	char line[256], mark[256];

	snprintf(mark, sizeof mark,
	         GRAD "\n#include <stdio.h>\n"
	              "__attribute__((constructor)) static void ran(void) { fclose(fopen(\"%s\", \"w\")); }",
	         scratch_path("ran"));
	write_op("mark", ".grad = grad,", mark);
	build("mark");
	expect(0, "", "rm $S/ran");
	scratch_text("m.yaml", "version: 1\ninputs: {x: 5}\nmodel: {f: mark(x)}\n");
	patch_note("libmark.so", "old.so", "0.0.9", AD_LEVELS);
	patch_note("libmark.so", "long.so", "0.0.10-and-more", AD_LEVELS);
	patch_note("libmark.so", "bell.so", "0.1\033[31m\xff", AD_LEVELS);
	patch_note("libmark.so", "other.so", AD_VERSION, 7);
	patch("libmark.so", "plain.so", "autograd\0\0\0\0" AD_VERSION, "autogram\0\0\0\0" AD_VERSION,
	      12 + sizeof AD_VERSION - 1);
	expect(0, "", "cd $S; mkfifo pipe.so; echo text >text.so; : >empty.so; head -c 100 libmark.so >head.so; "
	              "head -c 2000 libmark.so >half.so; cp libmark.so open.so; chmod o+w open.so; ln -s open.so link.so; "
	              "mkdir -p open/shut; cp libmark.so open; cp libmark.so open/shut; chmod 777 open");
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		snprintf(line, sizeof line, "$A eval $S/m.yaml --plugin \"%s\"", cases[k].path);
		expect(2, cases[k].said, line);
		cr_expect(access(scratch_path("ran"), F_OK) != 0, "%s: its code ran", cases[k].path);
	}
	/* a folder in which only the owner of a file may replace it is none of these */
	expect(0, "f = 10", "chmod 1777 $S/open; $A eval $S/m.yaml --plugin $S/open/libmark.so");
	cr_expect(access(scratch_path("ran"), F_OK) == 0);
}

/* Whatever byte of a plugin is another, or missing at the end, it is refused: of the dynamic loader, which believes all
 * of them, it would be the end. */
Test(plugins, damaged)
{
	char path[128], message[256], *bytes;
	size_t size, n = 0;

	strcpy(path, scratch_path("libgood.so"));
	write_op("good", ".grad = grad,", GRAD);
	build("good");
	bytes = scratch_read(path, &size);
	for (size_t k = 0; k < size; k += k < 1024 ? 1 : 211) {
		bytes[k] ^= (char)(1 << k % 8);
		scratch_write("libgood.so", bytes, size);
		cr_expect(!ad_load_plugin(path, message, sizeof message), "byte %zu", k);
		bytes[k] ^= (char)(1 << k % 8);
		n += strstr(message, "damaged") != NULL;
	}
	cr_expect(n > size / 211, "%zu of %zu bytes", n, size);
	for (size_t k = 0; k < size; k += 997) {
		scratch_write("libgood.so", bytes, k);
		cr_expect(!ad_load_plugin(path, message, sizeof message), "%zu bytes", k);
	}
	scratch_write("libgood.so", bytes, size);
	cr_expect(ad_load_plugin(path, message, sizeof message), "%s", message);
	free(bytes);
}

Test(plugins, refused)
{
	write_op("good", ".grad = grad,", GRAD);
	build("good");
	scratch_text("m.yaml", "version: 1\ninputs: {x: 5}\nmodel: {f: good(x)}\n");
	expect(0, "f = 10", "$A eval $S/m.yaml --plugin $S/libgood.so");
	expect(2, "the op 'good' came with the plugin /", "cp $S/libgood.so $S/again.so; $A eval $S/m.yaml "
	                                                    "--plugin $S/libgood.so --plugin $S/again.so");
	expect(0, "f = 10", "ln -s libgood.so $S/same.so; $A eval $S/m.yaml --plugin $S/libgood.so --plugin $S/same.so");
	expect(2, "--plugin needs a value", "$A check $S/m.yaml --plugin");
	expect(2, "did you mean '--plugin'?", "$A check $S/m.yaml --plugins $S/libgood.so");

	write_op("relu", ".grad = grad,", GRAD);
	expect(2, "autograd has an op 'relu' of its own: rename the plugin's", "$A op build $S/relu.c -o $S/librelu.so");
	write_op("lost", ".grad = grad,", GRAD "\nvoid nowhere(void);\n"
	                                       "__attribute__((used)) static void call(void) { nowhere(); }");
	expect(2, "the plugin cannot be loaded: undefined symbol: nowhere", "$A op build $S/lost.c -o $S/liblost.so");
	expect(2, "No such file", "ls $S/librelu.so $S/liblost.so");
	write_op("ends", ".grad = grad,", GRAD "\n__attribute__((constructor)) static void end(void) { abort(); }");
	expect(1, "libends.so' is not made: loading it ends the process", "$A op build $S/ends.c -o $S/libends.so");
	expect(1, "", "ls $S | grep ends.so");
	write_op("empty", ".grad = grad,\n#define map NULL\n.map = map,", GRAD);
	expect(2, "op 'empty' computes nothing: it has neither .map nor .forward nor .compose",
	       "sed 's/\\.map = map, \\.grad/.grad/' $S/empty.c | sed '/define/d; s/^\\.map = map,//' >$S/e; "
	       "mv $S/e $S/empty.c; $A op build $S/empty.c -o $S/libempty.so");
	write_op("shapeless", ".shape = NULL,", "#pragma GCC diagnostic ignored \"-Woverride-init\"");
	expect(2, "op 'shapeless' has neither .shape nor .compose", "$A op build $S/shapeless.c -o $S/libs.so");
	write_op("misfit", ".attrs = table, .attrs_size = 4,",
	         "static const ad_attr table[] = { { \"scale\", AD_NUM, \"1\", 0, \"\", NULL }, { 0 } };");
	expect(2, "op 'misfit': its argument 'scale' has no place in a struct of .attrs_size = 4 bytes",
	       "$A op build $S/misfit.c -o $S/libm.so");

	write_op("twice", ".attrs = table, .attrs_size = 8,",
	         "static const ad_attr table[] = { { \"a\", AD_FLAG, \"true\", 0, \"\", NULL },\n"
	         "	{ \"a\", AD_FLAG, \"true\", 1, \"\", NULL }, { 0 } };");
	expect(2, "libt.so: op 'twice' has two arguments named 'a'\n", "$A op build $S/twice.c -o $S/libt.so");
	write_op("typeless", ".attrs = table, .attrs_size = 8,",
	         "static const ad_attr table[] = { { \"a\", AD_NOTHING, \"null\", 0, \"\", NULL }, { 0 } };");
	expect(2, "op 'typeless': its argument 'a' is of no type that an argument has",
	       "$A op build $S/typeless.c -o $S/libt.so");

	write_op("nested", ".grad = grad,",
	         GRAD "\n#include <stdio.h>\n__attribute__((constructor)) static void other(void)\n"
	              "{ char text[200]; if (!ad_load_plugin(\"/x/y.so\", text, sizeof text)) puts(text); }");
	expect(0, "/x/y.so: a plugin that is being loaded cannot load another", "$A op build $S/nested.c -o $S/libn.so");

	/* the folder of plugins */
	expect(2, "the variable AUTOGRAD_PLUGINS names '/nowhere', which is no folder of plugins",
	       "AUTOGRAD_PLUGINS=/nowhere $A check $S/m.yaml");
	expect(0, "f = 10", "mkdir $S/all; cp $S/libgood.so $S/all; echo hello >$S/all/README; AUTOGRAD_PLUGINS=$S/all $A "
	                    "eval $S/m.yaml");
	expect(2, "(it is in the folder that the variable AUTOGRAD_PLUGINS names)",
	       "echo hello >$S/all/junk.so; AUTOGRAD_PLUGINS=$S/all $A eval $S/m.yaml");
	expect(0, "usage: autograd check", "AUTOGRAD_PLUGINS=$S/all $A check --help");
	/* a plugin that is built anew may lie in it */
	expect(0, "good: 1 sample, all right", "AUTOGRAD_PLUGINS=$S/all $A op build $S/good.c -o $S/all/libgood.so");
}

/* ---- from C -------------------------------------------------------------------------------------- */

Test(plugins, from_c)
{
	char message[256], none[1], path[256];
	size_t n = ad_ops();
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 1.5), *y;

	write_op("good", ".grad = grad,", GRAD);
	build("good");
	cr_expect_null(ad_op_find("good"));
	cr_expect_null(ad_plugin_at(0));
	cr_expect(!ad_load_plugin(NULL, message, sizeof message) && *message);
	cr_expect(!ad_load_plugin("./none.so", none, sizeof none) && !*none);
	cr_expect(!ad_load_plugin("./none.so", NULL, 0));
	cr_assert(ad_load_plugin(scratch_path("libgood.so"), message, sizeof message), "%s", message);
	cr_expect_str_empty(message);
	cr_assert(ad_load_plugin(scratch_path("libgood.so"), message, sizeof message), "%s", message);
	cr_expect_eq(ad_ops(), n + 1);
	cr_assert(ad_op_find("good"));
	cr_assert(realpath(scratch_path("libgood.so"), path));
	cr_expect_str_eq(ad_op_plugin(ad_op_find("good")), path);
	cr_expect_str_eq(ad_plugin_at(0), path);
	cr_expect_null(ad_plugin_at(1));
	cr_expect_null(ad_op_plugin(ad_op_find("add")));
	cr_expect_str_eq(ad_op_doc(ad_op_find("good")), "good: y = 2 x.\n");
	for (size_t k = 1; k < ad_ops(); k++)
		cr_expect(strcmp(ad_op_name(ad_op_at(k - 1)), ad_op_name(ad_op_at(k))) < 0);
	cr_expect_null(ad_op_at(n + 1));

	y = ad_call(g, "good", 1, &x, 0, NULL);
	y = ad_mul(y, y);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_expect_eq(ad_item(y), 9);
	cr_expect_eq(ad_item(ad_gradient(x)), 12);
	cr_expect(ad_gradcheck(y, 1, &x, &(ad_gradcheck_options){ .order = 2 }, message, sizeof message), "%s", message);
	ad_close(g);
}

/* Loads a plugin and calls its op, by functions that it looks up in libautograd.so, or is linked with. */
#define PROGRAM                                                                                                   \
	"#include <autograd.h>\n"                                                                                 \
	"#include <dlfcn.h>\n"                                                                                    \
	"#include <stdio.h>\n"                                                                                    \
	"#ifdef BY_DLOPEN\n"                                                                                      \
	"#define F(name) ((__typeof__(name) *)dlsym(library, #name))\n"                                           \
	"#else\n"                                                                                                 \
	"#define F(name) name\n"                                                                                  \
	"#endif\n"                                                                                                \
	"int main(int argc, char **argv)\n"                                                                       \
	"{\n"                                                                                                     \
	"	void *library = argc > 2 ? dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) : argv;\n"                      \
	"	char message[256];\n"                                                                             \
	"	if (!library || !F(ad_load_plugin)(argv[1], message, sizeof message))\n"                          \
	"		return puts(library ? message : dlerror()), 2;\n"                                         \
	"	ad_graph *g = F(ad_open)();\n"                                                                    \
	"	ad_node *x = F(ad_leaf)(g, \"x\", 3), *y = F(ad_call)(g, \"good\", 1, &x, 0, NULL);\n"            \
	"	if (F(ad_backward)(y) != AD_OK)\n"                                                                \
	"		return puts(F(ad_errmsg)(g)), 1;\n"                                                       \
	"	printf(\"%g %g\\n\", F(ad_item)(y), F(ad_item)(F(ad_gradient)(x)));\n"                            \
	"	F(ad_close)(g);\n"                                                                                \
	"	return 0;\n"                                                                                      \
	"}\n"

Test(plugins, linked)
{
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("a library with sanitizers is for programs that have them");
#endif
	/* all that op.h declares is there, whatever the program uses of the library itself */
	write_op("good", ".grad = grad,",
	         GRAD "\n#define F(name) (void (*)(void))name,\n"
	              "__attribute__((used)) static void (*const all[])(void) = { F(ad_refuse) F(ad_show) F(ad_show_shape)\n"
	              "	F(ad_broadcast_shape) F(ad_broadcast) F(ad_axis) F(ad_axes) F(ad_equal_shapes) F(ad_count_of)\n"
	              "	F(ad_around_axis) F(ad_finish) F(ad_run_failed) F(ad_parallel) F(ad_philox) F(ad_uniform_at)\n"
	              "	F(ad_wants) F(ad_attrs_of) F(ad_record) F(ad_record_on) };");
	build("good");
	scratch_text("program.c", PROGRAM);
	scratch_text("in", "B=$(realpath $(dirname $A)); P=\"-std=gnu11 -Iautograd -I$B/gen $S/program.c -o $S/program\"; "
	                   "D=$S/libgood.so; Z=\"$B/libautograd.a -lelf -lz -lm -ldl -pthread\"\n");
	expect(0, "6 2\n", ". $S/in; cc $P -L$B -lautograd -Wl,-rpath,$B && $S/program $D");
	expect(0, "6 2\n", ". $S/in; cc -DBY_DLOPEN $P -ldl && $S/program $D $B/libautograd.so");
	expect(0, "6 2\n", ". $S/in; cc -rdynamic $P $Z && $S/program $D");
	expect(2, "; a program with libautograd.a in it is linked by -rdynamic\n", ". $S/in; cc $P $Z && $S/program $D");
}
