/*
 * plot_command: `autograd plot`: the curves of a run, or the fit of a model of one number.
 */
#include "command.h"
#include "plot.h"
#include "render.h"

#include <string.h>

struct plot_options {
	const char *output;
	bool fit;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PICTURE", NULL, true, offsetof(struct plot_options, output),
	  "where the plot goes: a path that ends in .svg, .png or .pdf" },
	{ "fit", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct plot_options, fit),
	  "for a model of one number: its training samples, and the curve it makes of them" },
	{ 0 },
};

static int plot_the_fit(const char *folder, const char *output)
{
	char error[1024];
	int status;
	ad_model *m = open_run("plot", folder, &status);

	if (!m)
		return status;
	if (!has_fit(m))
		status =
		    misused("plot", "--fit is for models with one number in and one number out");
	else if (!draw_fit(m, output, error, sizeof error))
		status = failed("plot", "%s", error);
	ad_model_close(m);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct plot_options *o = given;
	enum picture picture = picture_of(o->output);
	char error[1024];

	if (picture == PICTURE_NONE || picture == PICTURE_DOT)
		return misused("plot", "'%s' does not end in .svg, .png or .pdf", o->output);
	if (!is_folder(args[0]))
		return misused("plot", "'%s' is not the folder of a run", args[0]);
	if (o->fit)
		return plot_the_fit(args[0], o->output);
	if (!plot_run(args[0], NULL, o->output, error, sizeof error))
		return failed("plot", "%s", error);
	return EXIT_DONE;
}

const struct command command_plot = {
	.name = "plot",
	.arguments = "RUN",
	.least = 1,
	.most = 1,
	.doc = "plots the curves of a run",
	.details =
	    "Draws loss and metrics of the parts from the run's log.csv, with the program gnuplot.",
	.options = options,
	.options_size = sizeof(struct plot_options),
	.run = run,
};
