/*
 * W6: W1's net, batch 1, forward only; and start-up: the time of `autograd --version` from fork to exit.
 */
#include "bench.h"
#include "common.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

struct state {
	const struct w6_data *data;
	ad_graph *g;
	size_t mark;
	ad_node *w1, *b1, *w2, *b2;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->data = w6_data();
	s->w1 = ad_param(g, "w1", AD_SHAPE(W1_HIDDEN, PIXELS));
	s->b1 = ad_param(g, "b1", AD_SHAPE(W1_HIDDEN));
	s->w2 = ad_param(g, "w2", AD_SHAPE(CLASSES, W1_HIDDEN));
	s->b2 = ad_param(g, "b2", AD_SHAPE(CLASSES));
	ad_set_f32(s->w1, s->data->w1, ad_count(s->w1));
	ad_set_f32(s->w2, s->data->w2, ad_count(s->w2));
	ad_training(g, false);
	s->mark = ad_mark(g);
	return s;
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *x, *y;

	ad_release(g, s->mark);
	x = ad_input(g, "x", AD_REAL, AD_SHAPE(1, PIXELS));
	ad_set_f32(x, s->data->x, PIXELS);
	y = ad_linear(ad_sigmoid(ad_linear(x, s->w1, s->b1)), s->w2, s->b2);
	ad_forward(y);
	bench_require(g);
	return ad_at(y, 0);
}

const struct system w6_autograd = { open, step, NULL };

/* ---- start-up ------------------------------------------------------------------------------- */

static double start(const char *program)
{
	char name[512], option[] = "--version", *argv[] = { name, option, NULL };
	posix_spawn_file_actions_t quiet;
	int status = -1;
	pid_t pid;

	snprintf(name, sizeof name, "%s", program);
	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
	if (posix_spawn(&pid, program, &quiet, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&quiet);
	if (status != 0) {
		fprintf(stderr, "bench: %s --version failed\n", program);
		exit(1);
	}
	return 0;
}

static void *open_start(int threads)
{
	return NULL;
}

static double start_command(void *context, int i)
{
	const char *command = getenv("AUTOGRAD_BIN");

	return start(command ? command : "build/autograd");
}

/* Least that a process costs. */
static double start_true(void *context, int i)
{
	return start("/bin/true");
}

const struct system start_autograd = { open_start, start_command, NULL };
const struct system start_floor = { open_start, start_true, NULL };
