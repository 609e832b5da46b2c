/*
 * environment: what a training ran on, as the text of a run folder's env.txt: a line "name: value" each.
 */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The processor's name as Linux tells it; "": it does not. */
static void processor_name(char *name, size_t n)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512];

	name[0] = '\0';
	while (file && !name[0] && fgets(line, sizeof line, file)) {
		char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;

		if (value) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(name, n, "%s", value + 1 + strspn(value + 1, " "));
		}
	}
	if (file)
		fclose(file);
}

/* What the environment has the computing do otherwise. */
static void write_choices(FILE *to)
{
	const char *gemm = getenv("AUTOGRAD_GEMM"), *level = getenv("AUTOGRAD_LEVEL");

	if (gemm)
		fprintf(to, "AUTOGRAD_GEMM: %s\n", gemm);
	if (level)
		fprintf(to, "AUTOGRAD_LEVEL: %s\n", level);
}

static void write_plugins(FILE *to)
{
	const char *path;

	for (size_t k = 0; (path = ad_plugin_at(k)); k++)
		fprintf(to, "plugin: %s\n", path);
}

char *environment_text(const ad_model *m, size_t *length)
{
	char *text = NULL, name[256], when[64];
	FILE *to = open_memstream(&text, length);
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	time_t now = time(NULL);
	struct utsname system;
	struct tm parts;

	if (!to)
		return NULL;
	fprintf(to, "autograd: %s\nprecision: %s\ninstructions: %s\nthreads: %d\n", AD_VERSION,
	        model_precision(m), ad_instructions(m->graph), ad_threads());
#ifdef __clang__
	fprintf(to, "compiler: %s\n", __VERSION__);
#else
	fprintf(to, "compiler: gcc %s\n", __VERSION__);
#endif
	write_choices(to);
	write_plugins(to);
	processor_name(name, sizeof name);
	if (name[0])
		fprintf(to, "processor: %s\n", name);
	fprintf(to, "processors: %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	if (pages > 0 && page > 0)
		fprintf(to, "memory: %.1f GiB\n", (double)pages * (double)page / (1 << 30));
	if (uname(&system) == 0)
		fprintf(to, "system: %s %s %s\n", system.sysname, system.release, system.machine);
	if (gmtime_r(&now, &parts) && strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
		fprintf(to, "begun: %s\n", when);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
