/*
 * W0 with ADOL-C: the tape recorded anew each step, then its reverse sweep.
 */
#include <adolc/adolc.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

extern "C" {
#include "../data.h"
}

static double now()
{
	timespec t;

	clock_gettime(getenv("BENCH_CLOCK") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static double forward_backward(const struct w0_data *d, const double *params, double *gradient)
{
	static const int widths[] = { 2, 16, 16, 1 };
	adouble w[W0_PARAMS], loss = 0;
	double result;

	trace_on(0, 1);
	for (int k = 0; k < W0_PARAMS; k++)
		w[k] <<= params[k];
	for (int s = 0; s < W0_SAMPLES; s++) {
		adouble x[16], y[16];
		const adouble *p = w;

		x[0] = d->x[s][0];
		x[1] = d->x[s][1];
		for (int l = 0; l < 3; l++) {
			for (int j = 0; j < widths[l + 1]; j++, p += widths[l] + 1) {
				y[j] = p[widths[l]];
				for (int i = 0; i < widths[l]; i++)
					y[j] = y[j] + p[i] * x[i];
				if (l < 2)
					y[j] = tanh(y[j]);
			}
			for (int j = 0; j < widths[l + 1]; j++)
				x[j] = y[j];
		}
		y[0] = x[0] - d->t[s];
		loss = loss + y[0] * y[0];
	}
	loss = loss * (1.0 / W0_SAMPLES);
	loss >>= result;
	trace_off();

	double one = 1;
	reverse(0, 1, W0_PARAMS, 0, &one, gradient);
	return result;
}

int main()
{
	enum { COMPARED = 20 };
	struct w0_data *d = w0_data();
	std::vector<double> params(d->params, d->params + W0_PARAMS), gradient(W0_PARAMS);
	double loss = 0, sum = 0, seconds = 0;
	char line[16];
	int n = 0;
	auto step = [&] {
		double start = now();

		loss = forward_backward(d, params.data(), gradient.data());
		double time = now() - start;
		for (int k = 0; k < W0_PARAMS; k++)
			params[k] -= W0_LR * gradient[k];
		return time;
	};

	for (int k = 0; k < COMPARED; k++) {
		step();
		sum += loss;
	}
	double last = loss;
	while (seconds < 0.1 || n < 2) {
		seconds += step();
		n++;
	}
	printf("ready %.12g %.12g\n", sum / COMPARED, last);
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		seconds = 0;
		for (int k = 0; k < n; k++)
			seconds += step();
		printf("%.9g\n", seconds / n * 1e6);
		fflush(stdout);
	}
}
