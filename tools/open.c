/*
 * open: a model for a command, from a file or a run folder, with its first batch of data.
 */
#include "command.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_RESULT ((size_t)1 << 20) /* bytes of a result.json */

bool is_folder(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

char *join_path(const char *folder, const char *file)
{
	char *path;
	size_t length = strlen(folder);
	bool slash = length > 0 && folder[length - 1] == '/';

	return asprintf(&path, "%s%s%s", folder, slash ? "" : "/", file) < 0 ? NULL : path;
}

struct cJSON *read_result(const char *folder)
{
	char *path = join_path(folder, "result.json"), *text = malloc(MOST_RESULT);
	FILE *file = path ? fopen(path, "r") : NULL;
	cJSON *result = NULL;

	if (file && text)
		result = cJSON_ParseWithLength(text, fread(text, 1, MOST_RESULT, file));
	if (file)
		fclose(file);
	free(path);
	free(text);
	return result;
}

static size_t most_memory; /* 0: not set */

void limit_memory(size_t bytes)
{
	most_memory = bytes;
}

size_t machine_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
}

static void set_limit(ad_model *m)
{
	ad_model_limit_memory(m, most_memory ? most_memory : machine_memory() / 2);
}

ad_model *open_swept(const char *path, bool here, const struct texts *set, size_t n,
                     const char *const swept[])
{
	ad_model *m = model_open_trial(path, here, here ? set->n : 0, set->v, n, swept);

	if (m)
		set_limit(m);
	return m;
}

static ad_model *open_path(const char *name, const char *path, const struct texts *set, bool run,
                           int *status)
{
	ad_model *m = run ? ad_model_open(path, set ? set->n : 0, set ? set->v : NULL)
	                  : model_open_here(path, set ? set->n : 0, set ? set->v : NULL);

	if (!m) {
		*status = failed(name, "out of memory");
		return NULL;
	}
	if (!run || ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	if (ad_model_errors(m) > 0) {
		*status = EXIT_USAGE;
		ad_model_close(m);
		return NULL;
	}
	set_limit(m);
	*status = EXIT_DONE;
	return m;
}

ad_model *open_file(const char *name, const char *path, const struct texts *set, int *status)
{
	return open_path(name, path, set, false, status);
}

/* A run's warnings were said when it was trained; those of its resolved file may be new, and moot. */
ad_model *open_config(const char *name, const char *path, const struct texts *set, int *status)
{
	char *config = join_path(path, "config.yaml");
	ad_model *m = NULL;
	struct stat s;

	if (!config) {
		*status = failed(name, "out of memory");
	} else if (!is_folder(path)) {
		*status = misused(name, "'%s' is not the folder of a run: %s", path,
		                  stat(path, &s) == 0 ? "it is a file" : strerror(errno));
	} else if (stat(config, &s) != 0) {
		*status =
		    misused(name, "'%s' is not the folder of a run: it has no config.yaml", path);
	} else {
		m = open_path(name, config, set, true, status);
	}
	free(config);
	return m;
}

ad_model *open_run(const char *name, const char *path, int *status)
{
	ad_model *m = open_config(name, path, NULL, status);
	char *weights = m ? join_path(path, "last.safetensors") : NULL, error[1024];
	bool refused = false;

	if (m && (!weights || !checkpoint_read(m, weights, &refused, error, sizeof error))) {
		failed(name, "%s", weights ? error : "out of memory");
		*status = refused ? EXIT_USAGE : EXIT_FAILED;
		ad_model_close(m);
		m = NULL;
	}
	free(weights);
	return m;
}

ad_model *open_silently(const char *path, const struct texts *set)
{
	bool run = is_folder(path);
	char *config = run ? join_path(path, "config.yaml") : NULL;
	ad_model *m = run && !config ? NULL
	              : run          ? ad_model_open(config, set->n, set->v)
	                             : model_open_here(path, set->n, set->v);

	free(config);
	return m;
}

ad_model *open_changed(const char *path, const struct texts *set)
{
	ad_model *m = open_silently(path, set);

	if (m && ad_model_errors(m) > 0) {
		ad_model_close(m);
		return NULL;
	}
	if (m)
		ad_model_limit_memory(m, most_memory ? most_memory : machine_memory() / 2);
	return m;
}

ad_model *open_either(const char *name, const char *path, const struct texts *set, int *status)
{
	if (!is_folder(path))
		return open_file(name, path, set, status);
	if (set && set->n > 0) {
		*status = misused(
		    name, "--set is for files; the run '%s' keeps the values it was trained with",
		    path);
		return NULL;
	}
	return open_run(name, path, status);
}
