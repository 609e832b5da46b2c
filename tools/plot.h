/*
 * plot: curves of a run and fits of a model, drawn by gnuplot.
 */
#ifndef AUTOGRAD_PLOT_H
#define AUTOGRAD_PLOT_H

#include <stdbool.h>
#include <stddef.h>

/* Draws what the run's log.csv holds: the loss of the training part, and of the validation part if
 * there is one, and beside it the metrics. title may be NULL: the folder's name. path ends in .svg,
 * .png or .pdf. Returns false with a sentence in error. */
bool plot_run(const char *folder, const char *title, const char *path, char *error, size_t n);

/* Samples of a function of one number, and the curve that a model makes of it. */
struct fit {
	const char *title, *x_label, *y_label; /* may be NULL */
	size_t n_points, n_curve;
	const double *point_x, *point_y;
	const double *curve_x, *curve_y; /* in order of curve_x */
};

bool plot_fit(const struct fit *fit, const char *path, char *error, size_t n);

/* The losses of a learning-rate range test; rates in growing order. */
struct rates {
	const char *title; /* may be NULL */
	size_t n;
	const double *lr, *loss, *smooth;
	double suggested; /* 0: none */
};

bool plot_rates(const struct rates *rates, const char *path, char *error, size_t n);

#endif
