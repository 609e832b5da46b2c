/*
 * header: programs in C and C++, by each compiler that is there, get the same from autograd.h and its functions,
 * in line or not, without a warning.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] =
	"#include \"autograd.h\"\n"
	"#include <stdio.h>\n"
	"int main(void)\n"
	"{\n"
	"	ad_node *(*by_pointer)(ad_node *, ad_node *) = ad_mul;\n"
	"	ad_graph *g = ad_open_f64();\n"
	"	ad_shape single = { 0, { 0 } };\n"
	"	ad_node *w = ad_param(g, \"w\", single), *first = NULL;\n"
	"	size_t mark = ad_mark(g);\n"
	"	for (int step = 0; step < 4; step++) {\n"
	"		ad_node *y;\n"
	"		ad_release(g, mark);\n"
	"		ad_set_item(w, step);\n"
	"		y = ad_square(ad_add(ad_mul(w, ad_constant(g, 2)), by_pointer(w, w)));\n"
	"		if (ad_backward(y) != AD_OK || (step > 0 && y != first))\n"
	"			return 1;\n"
	"		first = y;\n"
	"		printf(\"%g %g\\n\", ad_item(y), ad_item(ad_gradient(w)));\n"
	"	}\n"
	"	ad_close(g);\n"
	"	return 0;\n"
	"}\n";

static const char *const compilers[] = {
	"cc -std=c11 -O0", "cc -std=c11 -O2", "cc -std=c11 -O2 -DAD_FUNCTIONS", "clang -std=c11 -O2", "c++ -x c++ -std=c++11 -O2",
	"clang++ -x c++ -std=c++17 -O2",
};

Test(header, programs_of_all_compilers)
{
	const char *build = getenv("AUTOGRAD_BUILD");
	char folder[] = "/tmp/autograd-header-XXXXXX", line[1024], name[64];
	int compiled = 0;
	FILE *f;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("a library with sanitizers is for programs that have them");
#endif
	cr_assert_not_null(build, "AUTOGRAD_BUILD names the build folder");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(line, sizeof line, "%s/program.c", folder);
	f = fopen(line, "w");
	cr_assert_not_null(f);
	fputs(program, f);
	cr_assert_eq(fclose(f), 0);
	for (size_t k = 0; k < sizeof compilers / sizeof *compilers; k++) {
		char output[128] = "";
		size_t n;

		snprintf(name, sizeof name, "%.*s", (int)strcspn(compilers[k], " "), compilers[k]);
		snprintf(line, sizeof line, "command -v %s >/dev/null", name);
		if (system(line) != 0)
			continue;
		snprintf(line, sizeof line,
		         "%s -Wall -Wextra -Wpedantic -Wshadow -Werror -Iautograd -I%s/gen %s/program.c -x none "
		         "-L%s -lautograd -Wl,-rpath,\"$(realpath %s)\" -o %s/program && %s/program",
		         compilers[k], build, folder, build, build, folder, folder);
		f = popen(line, "r");
		cr_assert_not_null(f);
		n = fread(output, 1, sizeof output - 1, f);
		output[n] = '\0';
		cr_assert_eq(pclose(f), 0, "%s", compilers[k]);
		cr_assert_str_eq(output, "0 0\n9 24\n64 96\n225 240\n", "%s", compilers[k]);
		compiled++;
	}
	cr_assert_geq(compiled, 3);
	snprintf(line, sizeof line, "rm -r %s", folder);
	cr_assert_eq(system(line), 0);
}
