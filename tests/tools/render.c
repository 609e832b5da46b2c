/*
 * render: dot and gnuplot as child processes: pictures, and everything that can go wrong with them.
 */
#include "plot.h"
#include "render.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char graph[] = "digraph { a -> b }";

/* A new folder, and the path of a file in it. */
static char folder[64];

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void open_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/autograd-render-XXXXXX");
	cr_assert(mkdtemp(folder));
}

/* How many files lie there; they are deleted with the folder. */
static int close_folder(void)
{
	DIR *d = opendir(folder);
	int n = 0;

	cr_assert(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		unlink(path_of(e->d_name));
	}
	closedir(d);
	rmdir(folder);
	return n;
}

static void read_start(const char *name, char *text, size_t n)
{
	FILE *f = fopen(path_of(name), "r");

	cr_assert(f, "%s was not written", name);
	text[fread(text, 1, n - 1, f)] = 0;
	fclose(f);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(name), "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	chmod(path_of(name), mode);
}

Test(render, forms_by_ending)
{
	cr_expect_eq(picture_of("a.svg"), PICTURE_SVG);
	cr_expect_eq(picture_of("a.b/c.PNG"), PICTURE_PNG);
	cr_expect_eq(picture_of("a.pdf"), PICTURE_PDF);
	cr_expect_eq(picture_of("a.dot"), PICTURE_DOT);
	cr_expect_eq(picture_of("a.json"), PICTURE_JSON);
	cr_expect_eq(picture_of("a.txt"), PICTURE_TEXT);
	cr_expect_eq(picture_of("a.svg/b"), PICTURE_NONE);
	cr_expect_eq(picture_of(".svg"), PICTURE_NONE);
	cr_expect_eq(picture_of("a.jpg"), PICTURE_NONE);
}

Test(render, pictures)
{
	char error[512] = "", text[4096];

	open_folder();
	cr_expect(render_dot(graph, strlen(graph), path_of("a.dot"), error, sizeof error), "%s",
	          error);
	read_start("a.dot", text, sizeof text);
	cr_expect_str_eq(text, graph);
	cr_expect(render_dot(graph, strlen(graph), path_of("a.svg"), error, sizeof error), "%s",
	          error);
	read_start("a.svg", text, sizeof text);
	cr_expect(strstr(text, "<svg"));
	cr_expect(render_dot(graph, strlen(graph), path_of("a.png"), error, sizeof error), "%s",
	          error);
	read_start("a.png", text, sizeof text);
	cr_expect(!memcmp(text, "\x89PNG", 4));
	cr_expect(
	    render_gnuplot("set terminal svg\nplot x\n", 24, path_of("b.svg"), error, sizeof error),
	    "%s", error);
	cr_expect_eq(close_folder(), 4, "no temporary file stays");
}

/* Whatever fails, no file appears, and one that was there stays as it was. */
Test(render, failures_leave_nothing)
{
	char error[512] = "", text[64];

	open_folder();
	write_file("kept.svg", "kept", 0644);
	cr_expect_not(render_dot("digraph {", 9, path_of("kept.svg"), error, sizeof error));
	cr_expect(strstr(error, "dot: failed with status 1: Error: "), "%s", error);
	read_start("kept.svg", text, sizeof text);
	cr_expect_str_eq(text, "kept");
	cr_expect_not(render_gnuplot("plot (((\n", 9, path_of("a.svg"), error, sizeof error));
	cr_expect(strstr(error, "gnuplot: failed with status"), "%s", error);
	cr_expect_not(render_dot(graph, strlen(graph), path_of("a.jpg"), error, sizeof error));
	cr_expect(strstr(error, "its ending says no form; use .svg, .png, .pdf or .dot"), "%s",
	          error);
	cr_expect_not(render_dot(graph, strlen(graph), path_of("no/a.svg"), error, sizeof error));
	cr_expect(strstr(error, "No such file or directory"), "%s", error);
	cr_expect_eq(close_folder(), 1);
}

Test(render, programs_that_are_missing_or_misbehave)
{
	const struct program slow = { "slow", "AUTOGRAD_TEST_PROGRAM", "slow" };
	const struct program absent = { "autograd-no-such-program", "AUTOGRAD_TEST_NONE",
		                        "some-package" };
	const char *const none[] = { NULL };
	struct timespec before, after;
	char error[512] = "";
	bool late = false;

	open_folder();
	cr_expect_not(
	    render_child(&absent, none, "", 0, path_of("a.svg"), 5, NULL, error, sizeof error));
	cr_expect_str_eq(error,
	                 "the program 'autograd-no-such-program' is missing: install the package "
	                 "'some-package', or let $AUTOGRAD_TEST_NONE name it");

	setenv("AUTOGRAD_DOT", "/nowhere/dot", 1);
	cr_expect_not(render_dot(graph, strlen(graph), path_of("a.svg"), error, sizeof error));
	cr_expect_str_eq(error,
	                 "cannot run '/nowhere/dot', which is named by $AUTOGRAD_DOT: No such file "
	                 "or directory");

	/* It starts another program and goes on for ever: both are ended. */
	write_file("slow", "#!/bin/sh\necho half\nsleep 100 & sleep 100\n", 0755);
	setenv("AUTOGRAD_TEST_PROGRAM", path_of("slow"), 1);
	clock_gettime(CLOCK_MONOTONIC, &before);
	cr_expect_not(
	    render_child(&slow, none, "", 0, path_of("a.svg"), 0.3, &late, error, sizeof error));
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_expect(late);
	cr_expect_str_eq(error, "slow: stopped, as it was not done after 0.3 seconds");
	cr_expect_lt(after.tv_sec - before.tv_sec, 20);

	/* The same as dot: the usual layout, then a coarser one, and a sentence on what to do. */
	setenv("AUTOGRAD_DOT", path_of("slow"), 1);
	cr_expect_not(render_dot_within(graph, strlen(graph), path_of("a.svg"), 0.5, &late, error,
	                                sizeof error));
	cr_expect(late);
	cr_expect(strstr(error, "dot: stopped, as it was not done after 0.5 seconds; write a file"),
	          "%s", error);

	/* It says more than a pipe holds, reads nothing, and fails. */
	write_file("slow", "#!/bin/sh\nyes complaint | head -c 300000 >&2\nexit 3\n", 0755);
	cr_expect_not(
	    render_child(&slow, none, "", 0, path_of("a.svg"), 20, &late, error, sizeof error));
	cr_expect(strstr(error, "slow: failed with status 3: complaint complaint"), "%s", error);
	cr_expect_lt(strlen(error), 400);

	write_file("slow", "#!/bin/sh\nkill -SEGV $$\n", 0755);
	cr_expect_not(
	    render_child(&slow, none, "", 0, path_of("a.svg"), 20, &late, error, sizeof error));
	cr_expect(strstr(error, "slow: ended by signal 11"), "%s", error);

	write_file("slow", "#!/bin/sh\nexit 0\n", 0755);
	cr_expect_not(
	    render_child(&slow, none, "", 0, path_of("a.svg"), 20, &late, error, sizeof error));
	cr_expect_str_eq(error, "slow: gave no picture, though it reported success");
	cr_expect_eq(close_folder(), 1, "the script alone");
}

/* Ended while dot runs, as by Ctrl-C, nothing is left of the picture. */
Test(render, interrupted)
{
	const struct timespec pause = { 0, 10000000 };
	char error[512], temporary[512];
	pid_t child;
	int status;

	open_folder();
	snprintf(temporary, sizeof temporary, "%s", path_of("begun"));
	write_file("slow", "#!/bin/sh\n: > \"$AUTOGRAD_TEST_BEGUN\"\nexec sleep 100\n", 0755);
	setenv("AUTOGRAD_DOT", path_of("slow"), 1);
	setenv("AUTOGRAD_TEST_BEGUN", temporary, 1);
	child = fork();
	cr_assert(child >= 0);
	if (child == 0) {
		render_dot(graph, strlen(graph), path_of("a.svg"), error, sizeof error);
		_exit(0);
	}
	for (int k = 0; k < 2000 && access(temporary, F_OK) != 0; k++)
		nanosleep(&pause, NULL);
	cr_expect_eq(access(temporary, F_OK), 0);
	kill(child, SIGINT);
	cr_expect_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(close_folder(), 2, "the script and its mark alone");
}

/* SVG without a file, from its element on. */
Test(render, svg_as_text)
{
	char error[512] = "", *svg = render_svg(graph, strlen(graph), 20, NULL, error, sizeof error);

	cr_assert(svg, "%s", error);
	cr_expect_eq(strncmp(svg, "<svg role=", 10), 0);
	cr_expect(strstr(svg, "</svg>"));
	free(svg);
	cr_expect_not(render_svg("digraph {", 9, 20, NULL, error, sizeof error));
	cr_expect(strstr(error, "dot: failed with status 1"), "%s", error);
}

Test(plot, curves_of_a_run)
{
	char error[512] = "", text[65536];

	open_folder();
	write_file(
	    "log.csv",
	    "step,epoch,loss,lr,grad_norm,ms,\"acc, it's <b>\",valid_loss,\"valid_acc, it's <b>\"\n"
	    "10,1,2.5,0.1,1,1,0.1,2.6,0.1\n20,2,0.5,0.1,1,1,0.8,,0.7\n30,3,0.01,0.1,1,1,0.9,0.2,0."
	    "75\n",
	    0644);
	cr_expect(plot_run(folder, NULL, path_of("a.svg"), error, sizeof error), "%s", error);
	read_start("a.svg", text, sizeof text);
	cr_expect(strstr(text, "acc, it's &lt;b"));
	cr_expect(strstr(text, "valid  0.75"));
	cr_expect_not(plot_run(folder, NULL, path_of("a.dot"), error, sizeof error));
	write_file("log.csv", "step,epoch,loss\n", 0644);
	cr_expect_not(plot_run(folder, NULL, path_of("b.svg"), error, sizeof error));
	cr_expect(strstr(error, "has no epochs yet"), "%s", error);
	write_file("log.csv", "a,b\n1,2\n", 0644);
	cr_expect_not(plot_run(folder, NULL, path_of("b.svg"), error, sizeof error));
	cr_expect_str_eq(error, "log.csv has no columns 'epoch' and 'loss'");
	unlink(path_of("log.csv"));
	cr_expect_not(plot_run(folder, NULL, path_of("b.svg"), error, sizeof error));
	cr_expect(strstr(error, "No such file or directory"), "%s", error);
	cr_expect_eq(close_folder(), 1);
}

Test(plot, the_fit_of_a_model)
{
	const double x[] = { 0, 1, 2 }, y[] = { 0, 1, 0 }, nan[] = { 0 / 0.0, 0 / 0.0, 0 / 0.0 };
	struct fit fit = { "beans", "x", "y", 3, 3, x, y, x, y };
	char error[512] = "";

	open_folder();
	cr_expect(plot_fit(&fit, path_of("a.png"), error, sizeof error), "%s", error);
	fit.curve_y = nan;
	cr_expect_not(plot_fit(&fit, path_of("b.png"), error, sizeof error));
	cr_expect_str_eq(error, "cannot plot the fit: the curve has no finite point");
	cr_expect_eq(close_folder(), 1);
}
