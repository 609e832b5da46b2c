/*
 * folder: writes the run folder.
 */
#include "folder.h"
#include "environment.h"
#include "file.h"

#include <cjson/cJSON.h>
#include <csv.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_RUNS 1000000
#define MOST_RESULT ((size_t)1 << 20) /* bytes of a result.json */

/* FNV-1a. */
#define FNV_START 0xcbf29ce484222325u
#define FNV(h, byte) (((h) ^ (unsigned char)(byte)) * 0x100000001b3u)

static bool cannot(const char *verb, const char *path, int reason, char *error, size_t n)
{
	char text[128];

	return failure(error, n, "%s: cannot %s: %s; choose another folder", path, verb,
	               strerror_r(reason, text, sizeof text));
}

/* ---- making the folder ------------------------------------------------------------------------ */

/* Makes the folders above path. */
static bool make_parents(const char *path, char *error, size_t n)
{
	char *copy = strdup(path);

	if (!copy)
		return failure_memory(error, n, path, 0);
	for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
			cannot("make the folder", copy, errno, error, n);
			free(copy);
			return false;
		}
		*p = '/';
	}
	free(copy);
	return true;
}

static bool is_empty(const char *path)
{
	DIR *list = opendir(path);
	bool empty = list != NULL;

	for (struct dirent *entry; list && empty && (entry = readdir(list));)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (list)
		closedir(list);
	return empty;
}

/* Whether a name is one of those that a run has before it has saved weights. */
static bool is_early(const char *name)
{
	static const char *const names[] = { "config.yaml", "log.jsonl", "log.csv", "gradients.jsonl",
		                             "gradients-edges.jsonl", "env.txt", "report.html" };
	static const char *const temporary[] = { ".config.yaml.", ".last.safetensors.", ".env.txt.",
		                                 ".report.html." };
	size_t length = strlen(name);
	bool known = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		known |= strcmp(name, names[k]) == 0;
	for (size_t k = 0; k < sizeof temporary / sizeof *temporary; k++)
		known |= strncmp(name, temporary[k], strlen(temporary[k])) == 0 && length > 4 &&
		         strcmp(name + length - 4, ".tmp") == 0;
	return known;
}

/* Empties the folder of a training that ended before it saved weights: nothing of it can be used. One
 * that still runs holds a lock on its log.jsonl, which the system takes back however it ends. */
static bool clear_abandoned(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int log = fd < 0 ? -1 : openat(fd, "log.jsonl", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	DIR *list = log < 0 || flock(log, LOCK_EX | LOCK_NB) != 0 ? NULL : opendir(path);
	bool early = list != NULL;

	for (struct dirent *entry; early && (entry = readdir(list));)
		early = is_early(entry->d_name);
	if (early)
		rewinddir(list);
	for (struct dirent *entry; early && (entry = readdir(list));)
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			early = unlinkat(fd, entry->d_name, 0) == 0;
	if (list)
		closedir(list);
	if (log >= 0)
		close(log);
	if (fd >= 0)
		close(fd);
	return early;
}

/* The model's name as one that every file system takes. */
static char *plain_name(const ad_model *m)
{
	const char *name = m->name && m->name[0] ? m->name : "model";
	char *copy = strndup(name, 100);

	for (char *p = copy; p && *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p) &&
		    (*p != '.' || p == copy))
			*p = '_';
	return copy;
}

/* runs/NAME-N, with an infix runs/NAME-sweep-N. */
static bool make_numbered(struct run_folder *f, const char *infix, char *error, size_t n)
{
	char *name = plain_name(f->m);

	f->path = name ? malloc(strlen(name) + strlen(infix) + 64) : NULL;
	if (!f->path) {
		free(name);
		return failure_memory(error, n, "the run folder", 0);
	}
	for (int k = 1; k <= MOST_RUNS; k++) {
		sprintf(f->path, "runs/%s%s-%d", name, infix, k);
		if (k == 1 && !make_parents(f->path, error, n))
			break;
		/* Two trainings that start together get two folders: mkdir succeeds for one alone. */
		if (mkdir(f->path, 0777) == 0) {
			free(name);
			return true;
		}
		if (errno != EEXIST || k == MOST_RUNS) {
			cannot("make the folder", f->path, errno, error, n);
			break;
		}
	}
	free(name);
	return false;
}

static bool make_named(struct run_folder *f, const char *path, bool *taken, char *error, size_t n)
{
	size_t length = strlen(path);
	int reason;

	while (length > 1 && path[length - 1] == '/')
		length--;
	f->path = strndup(path, length);
	if (!f->path)
		return failure_memory(error, n, path, 0);
	if (length == 0)
		return failure(error, n, "the name of the run folder is empty");
	if (!make_parents(f->path, error, n))
		return false;
	if (mkdir(f->path, 0777) == 0)
		return true;
	reason = errno;
	if (errno == EEXIST && (is_empty(f->path) || clear_abandoned(f->path)))
		return true;
	errno = reason;
	*taken = errno == EEXIST || errno == ENOTDIR;
	if (*taken)
		return failure(error, n, "%s: is there already and not an empty folder; give the run another "
		               "name, or remove it", f->path);
	return cannot("make the folder", f->path, errno, error, n);
}

/* ---- config.yaml ------------------------------------------------------------------------------- */

/* A value of the tree that is replaced while the tree is written. */
struct replaced {
	struct yaml *at;
	struct yaml before;
	char *text;
};

struct replacements {
	size_t n, room;
	struct replaced *list;
};

static bool make_absolute(struct replacements *r, struct yaml *at, const char *folder, const char *path)
{
	char *joined, *absolute;

	if (!at || at->kind != YAML_SCALAR || !path || (path[0] == '/' && strcmp(path, at->text) == 0))
		return true;
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 8;
		struct replaced *list = realloc(r->list, room * sizeof *list);

		if (!list)
			return false;
		r->list = list;
		r->room = room;
	}
	joined = path_in(folder, path);
	absolute = joined ? realpath(joined, NULL) : NULL;
	if (absolute)
		free(joined);
	else
		absolute = joined; /* not there: as it is meant */
	if (!absolute)
		return false;
	r->list[r->n++] = (struct replaced){ .at = at, .before = *at, .text = absolute };
	at->text = absolute;
	at->quoted = true;
	return true;
}

static bool is_path(const ad_attr *a)
{
	static const char *const names[] = { "file", "dir", "vocabulary" };
	bool is = false;

	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		is |= a->type == AD_WORD && strcmp(a->name, names[k]) == 0;
	return is;
}

static const char *word_at(const void *attrs, const ad_attr *a)
{
	const char *word;

	memcpy(&word, (const char *)attrs + a->offset, sizeof word);
	return word;
}

/* Replaces the paths of one source. */
static bool free_of_folder(struct replacements *r, struct yaml *source, const struct source *s)
{
	struct yaml *inner = source ? yaml_get(source, s->format->name) : NULL;
	bool ok = true;

	const ad_attr *first = s->format->attrs;

	if (inner && inner->kind == YAML_MAP)
		source = inner;
	if (inner && inner->kind == YAML_SCALAR && first && is_path(first))
		return make_absolute(r, inner, s->folder, word_at(s->attrs, first));
	if (!source || source->kind != YAML_MAP)
		return true;
	for (const ad_attr *a = s->format->attrs; a && a->name; a++) {
		if (is_path(a))
			ok = ok && make_absolute(r, yaml_get(source, a->name), s->folder, word_at(s->attrs, a));
	}
	for (int k = 0; s->format->paths && k < s->n_bindings; k++)
		if (s->bindings[k].from->kind == YAML_SCALAR)
			ok = ok && make_absolute(r, yaml_get(source, s->bindings[k].input), s->folder,
			                         s->bindings[k].from->text);
	return ok;
}

/* A map without these keys; its own arrays hold what is left. */
static bool without(const struct yaml *map, size_t n, const char *const keys[], struct yaml *to)
{
	*to = *map;
	to->keys = calloc(map->n + 1, sizeof(struct yaml *));
	to->items = calloc(map->n + 1, sizeof(struct yaml *));
	to->n = 0;
	for (size_t k = 0; to->keys && to->items && k < map->n; k++) {
		bool out = false;

		for (size_t j = 0; j < n; j++)
			out |= strcmp(map->keys[k]->text, keys[j]) == 0;
		if (out)
			continue;
		to->keys[to->n] = map->keys[k];
		to->items[to->n++] = map->items[k];
	}
	return to->keys && to->items;
}

/* The declaration but for what does not change how a step of its training is done. */
static bool write_course(const struct yaml *root, const struct yaml *train, FILE *to)
{
	static const char *const outside[] = { "train", "draw" }, *const inside[] = { "epochs", "steps", "log" };
	struct yaml all = { 0 }, part = { 0 };
	bool ok = without(root, 2, outside, &all) && without(train, 3, inside, &part);

	if (ok) {
		yaml_write(&all, to);
		yaml_write(&part, to);
	}
	free(all.keys);
	free(all.items);
	free(part.keys);
	free(part.items);
	return ok;
}

/* how: "as it was trained"; NULL: what the course of a training depends on, without a first line. */
static char *config_text(ad_model *m, const char *how, size_t *length)
{
	struct replacements r = { 0 };
	struct yaml *root = yaml_root(m->tree);
	struct yaml *data = root && root->kind == YAML_MAP ? yaml_get(root, "data") : NULL;
	struct yaml *train = root && root->kind == YAML_MAP ? yaml_get(root, "train") : NULL;
	char *text = NULL;
	FILE *to = open_memstream(&text, length);
	bool ok = to != NULL;

	if (ok && data && data->kind == YAML_MAP) {
		ok = (!m->data.has_train ||
		      free_of_folder(&r, yaml_get(data, "train"), &m->data.train)) &&
		     (!m->data.has_valid ||
		      free_of_folder(&r, yaml_get(data, "valid"), &m->data.valid)) &&
		     (!m->data.has_test || free_of_folder(&r, yaml_get(data, "test"), &m->data.test));
	}
	if (ok && m->train.from)
		ok = make_absolute(&r, yaml_get(train, "from"), NULL, m->train.from);
	if (ok && !how) {
		ok = train && train->kind == YAML_MAP && write_course(root, train, to) && !ferror(to);
	} else if (ok) {
		fprintf(to, "# %s %s, by autograd %s: overrides applied, data paths made "
		        "absolute\n", m->name ? m->name : "the model", how, AD_VERSION);
		yaml_write(root, to);
		ok = !ferror(to);
	}
	if (to && fclose(to) != 0)
		ok = false;
	while (r.n > 0) {
		struct replaced *last = &r.list[--r.n];

		*last->at = last->before;
		free(last->text);
	}
	free(r.list);
	if (!ok) {
		free(text);
		text = NULL;
	}
	return text;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static char *file_of(const struct run_folder *f, const char *name)
{
	return path_in(f->path, name);
}

static bool write_whole(const struct run_folder *f, const char *name, const char *text, size_t length,
                        char *error, size_t n)
{
	char *path = text ? file_of(f, name) : NULL;
	bool ok;

	if (!path)
		return failure_memory(error, n, name, 0);
	ok = save_text(path, text, length, error, n);
	free(path);
	return ok;
}

static const char *const log_names[FOLDER_LOGS] = { "log.jsonl", "log.csv", "gradients.jsonl",
	                                            "gradients-edges.jsonl" };

/* Opens a log, which is written at the end of each line: "wx" makes it, "a" goes on with it. */
static bool open_log(struct run_folder *f, int which, const char *mode, char *error, size_t n)
{
	char *path = file_of(f, log_names[which]);

	if (!path)
		failure_memory(error, n, log_names[which], 0);
	else if (!(f->logs[which] = fopen(path, mode)))
		cannot("write", path, errno, error, n);
	free(path);
	return f->logs[which] != NULL;
}

/* Locks log.jsonl for as long as it is open. Whoever took the folder for abandoned in the moment before
 * has it now. A file system without locks is trusted. */
static bool lock_log(const struct run_folder *f, bool *taken, char *error, size_t n)
{
	int fd = fileno(f->logs[LOG_JSONL]);
	struct stat status;

	*taken = (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
	         (fstat(fd, &status) == 0 && status.st_nlink == 0);
	return !*taken || failure(error, n, "%s: another training has begun there; give the run another name",
	                          f->path);
}

/* Ends a line of a log. */
static bool flush(struct run_folder *f, int which, bool passing, char *error, size_t n)
{
	struct quiet quiet;
	bool ok;

	quiet_begin(&quiet);
	ok = fflush(f->logs[which]) == 0 && !ferror(f->logs[which]);
	quiet_end(&quiet);
	if (!ok) {
		int reason = errno;
		char text[128];

		failure(error, n, "%s/%s: cannot write: %s%s", f->path, log_names[which],
		        strerror_r(reason, text, sizeof text), save_help(reason));
	}
	if (!passing)
		f->ends[which] = (int64_t)ftello(f->logs[which]);
	return ok;
}

static void csv_name(FILE *to, const char *front, const char *name)
{
	char text[256];

	snprintf(text, sizeof text, "%s%s", front, name);
	putc(',', to);
	if (strpbrk(text, ",\"\r\n"))
		csv_fwrite(to, text, strlen(text));
	else
		fputs(text, to);
}

static void put_real(FILE *to, double value, int digits)
{
	char text[40], *comma;

	if (!isfinite(value)) {
		fputs(isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"", to);
		return;
	}
	snprintf(text, sizeof text, "%.*g", digits, value);
	if ((comma = strchr(text, ',')) != NULL)
		*comma = '.'; /* in some locales */
	fputs(text, to);
}

static void csv_value(FILE *to, double value)
{
	putc(',', to);
	if (isfinite(value))
		put_real(to, value, 9);
}

static void csv_head(const struct run_folder *f)
{
	fputs("step,epoch,loss,lr,grad_norm,ms", f->logs[LOG_CSV]);
	for (int k = 0; k < f->m->n_metrics; k++)
		csv_name(f->logs[LOG_CSV], "", f->m->metrics[k]);
	if (f->valid)
		csv_name(f->logs[LOG_CSV], "valid_", "loss");
	for (int k = 0; f->valid && k < f->m->n_metrics; k++)
		csv_name(f->logs[LOG_CSV], "valid_", f->m->metrics[k]);
	putc('\n', f->logs[LOG_CSV]);
}

bool folder_open(struct run_folder *f, ad_model *m, const char *path, bool valid, bool *taken,
                 char *error, size_t n)
{
	size_t length = 0;
	char *text;
	bool ok;

	*f = (struct run_folder){ .m = m, .valid = valid };
	*taken = false;
	if (!(path ? make_named(f, path, taken, error, n) : make_numbered(f, "", error, n)))
		return false;
	/* First, since its lock says that the folder is in use. */
	if (!open_log(f, LOG_JSONL, "wxe", error, n) || !lock_log(f, taken, error, n))
		return false;
	text = config_text(m, "as it was trained", &length);
	ok = write_whole(f, "config.yaml", text, length, error, n);
	free(text);
	text = ok ? environment_text(m, &length) : NULL;
	ok = ok && write_whole(f, "env.txt", text, length, error, n);
	free(text);
	if (!ok || !open_log(f, LOG_CSV, "wxe", error, n))
		return false;
	if (!folder_id(m, f->id))
		return failure_memory(error, n, "config.yaml", 0);
	csv_head(f);
	return flush(f, LOG_CSV, false, error, n);
}

bool folder_id(ad_model *m, char id[20])
{
	size_t length = 0;
	char *text = config_text(m, NULL, &length);
	uint64_t h = FNV_START;

	for (size_t k = 0; text && k < length; k++)
		h = FNV(h, text[k]);
	snprintf(id, 20, "%016llx", (unsigned long long)h);
	free(text);
	return text != NULL;
}

bool folder_reopen(struct run_folder *f, ad_model *m, const char *path, bool valid, bool *taken, char *error,
                   size_t n)
{
	struct stat info;
	char *log;

	*f = (struct run_folder){ .m = m, .valid = valid, .path = strdup(path) };
	*taken = false;
	log = f->path ? file_of(f, log_names[LOG_JSONL]) : NULL;
	if (!log || !folder_id(m, f->id)) {
		free(log);
		return failure_memory(error, n, path, 0);
	}
	*taken = stat(log, &info) != 0;
	if (*taken)
		failure(error, n, "%s: cannot go on: %s; is it the folder of a run?", log, strerror(errno));
	free(log);
	return !*taken && open_log(f, LOG_JSONL, "ae", error, n) &&
	       (lock_log(f, taken, error, n) ||
	        failure(error, n, "%s: is being trained by another process", path));
}

/* Removes the weights that a process was writing when it died: none does now, since this one has the lock. */
static void remove_half_written(const struct run_folder *f)
{
	DIR *list = opendir(f->path);

	for (struct dirent *entry; list && (entry = readdir(list));) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' && strstr(entry->d_name, ".safetensors.") && length > 4 &&
		    strcmp(entry->d_name + length - 4, ".tmp") == 0)
			unlinkat(dirfd(list), entry->d_name, 0);
	}
	if (list)
		closedir(list);
}

bool folder_cut(struct run_folder *f, const int64_t ends[FOLDER_LOGS], char *error, size_t n)
{
	size_t length = 0;
	char *text;
	bool ok;

	for (int k = 0; k < FOLDER_LOGS; k++) {
		char *path = file_of(f, log_names[k]);
		struct stat info;
		bool there = path && stat(path, &info) == 0;

		ok = path || failure_memory(error, n, log_names[k], 0);
		if (ok && (there ? (int64_t)info.st_size : 0) < ends[k])
			ok = failure(error, n, "%s: is shorter than it was when the state was saved, %lld bytes: what "
			             "is missing cannot be made up; begin anew", path, (long long)ends[k]);
		if (ok && there && truncate(path, (off_t)ends[k]) != 0)
			ok = cannot("cut off", path, errno, error, n);
		free(path);
		if (!ok)
			return false;
		f->ends[k] = ends[k];
	}
	remove_half_written(f);
	text = config_text(f->m, "as it was trained", &length);
	ok = write_whole(f, "config.yaml", text, length, error, n);
	free(text);
	return ok && open_log(f, LOG_CSV, "ae", error, n);
}

char *folder_status(const char *path)
{
	char *name = path_in(path, "result.json"), *text = calloc(1, MOST_RESULT), *status = NULL;
	FILE *file = name ? fopen(name, "re") : NULL;

	if (file && text) {
		cJSON *result = cJSON_ParseWithLength(text, fread(text, 1, MOST_RESULT, file));
		const cJSON *word = cJSON_GetObjectItemCaseSensitive(result, "status");

		status = cJSON_IsString(word) ? strdup(word->valuestring) : NULL;
		cJSON_Delete(result);
	}
	if (file)
		fclose(file);
	free(text);
	free(name);
	return status;
}

char *folder_of_sweep(ad_model *m, const char *path, bool *taken, char *error, size_t n)
{
	struct run_folder f = { .m = m };
	size_t length = 0;
	char *text;
	bool ok;

	*taken = false;
	if (path ? make_named(&f, path, taken, error, n) : make_numbered(&f, "-sweep", error, n)) {
		text = config_text(m, "as its sweep began", &length);
		ok = write_whole(&f, "config.yaml", text, length, error, n);
		free(text);
		if (ok)
			return f.path;
	}
	free(f.path);
	return NULL;
}

char *folder_last_sweep(const ad_model *m)
{
	char *name = plain_name(m), *front = NULL, *path = NULL;
	long most = 0;
	DIR *list = opendir("runs");

	if (name && asprintf(&front, "%s-sweep-", name) < 0)
		front = NULL;
	for (struct dirent *entry; front && list && (entry = readdir(list));) {
		const char *digits = entry->d_name + strlen(front);

		if (strncmp(entry->d_name, front, strlen(front)) == 0 && *digits != '0' && strlen(digits) < 9 &&
		    digits[strspn(digits, "0123456789")] == '\0' && atol(digits) > most)
			most = atol(digits);
	}
	if (most > 0 && asprintf(&path, "runs/%s%ld", front, most) < 0)
		path = NULL;
	if (list)
		closedir(list);
	free(front);
	free(name);
	return path;
}

/* Metrics under their names, with "valid_" before those of the valid part. */
static bool add_values(const ad_model *m, cJSON *to, const char *front, const double values[])
{
	bool ok = true;

	for (int k = 0; ok && k < m->n_metrics; k++) {
		char name[256];

		snprintf(name, sizeof name, "%s%s", front, m->metrics[k]);
		ok = cJSON_AddNumberToObject(to, name, values[1 + k]);
	}
	return ok;
}

bool folder_log(struct run_folder *f, const struct log_row *row, char *error, size_t n)
{
	cJSON *line = cJSON_CreateObject();
	char *text = NULL;
	bool ok;

	/* cJSON writes a number that is not finite as null. */
	ok = cJSON_AddNumberToObject(line, "step", (double)row->step) &&
	     cJSON_AddNumberToObject(line, "epoch", (double)row->epoch) &&
	     cJSON_AddNumberToObject(line, "loss", row->train[0]) &&
	     cJSON_AddNumberToObject(line, "lr", row->lr) &&
	     cJSON_AddNumberToObject(line, "grad_norm", row->grad_norm) &&
	     cJSON_AddNumberToObject(line, "ms", row->ms) && add_values(f->m, line, "", row->train);
	if (ok && row->valid)
		ok = cJSON_AddNumberToObject(line, "valid_loss", row->valid[0]) &&
		     add_values(f->m, line, "valid_", row->valid);
	if (ok)
		text = cJSON_PrintUnformatted(line);
	cJSON_Delete(line);
	if (!text)
		return failure_memory(error, n, "log.jsonl", 0);
	fputs(text, f->logs[LOG_JSONL]);
	putc('\n', f->logs[LOG_JSONL]);
	cJSON_free(text);

	fprintf(f->logs[LOG_CSV], "%lld,%lld", (long long)row->step, (long long)row->epoch);
	csv_value(f->logs[LOG_CSV], row->train[0]);
	csv_value(f->logs[LOG_CSV], row->lr);
	csv_value(f->logs[LOG_CSV], row->grad_norm);
	csv_value(f->logs[LOG_CSV], row->ms);
	for (int k = 0; k < f->m->n_metrics; k++)
		csv_value(f->logs[LOG_CSV], row->train[1 + k]);
	for (int k = 0; f->valid && k < 1 + f->m->n_metrics; k++)
		csv_value(f->logs[LOG_CSV], row->valid ? row->valid[k] : NAN);
	putc('\n', f->logs[LOG_CSV]);
	return flush(f, LOG_JSONL, row->passing, error, n) && flush(f, LOG_CSV, row->passing, error, n);
}

static bool add_part(const ad_model *m, cJSON *to, const struct run_part *part)
{
	cJSON *object = cJSON_AddObjectToObject(to, part->name);

	return object && (part->samples == 0 || cJSON_AddNumberToObject(object, "samples",
	                                                                (double)part->samples)) &&
	       (!part->values || (cJSON_AddNumberToObject(object, "loss", part->values[0]) &&
	                          add_values(m, object, "", part->values)));
}

bool folder_result(struct run_folder *f, const struct run_result *r, char *error, size_t n)
{
	const ad_model *m = f->m;
	cJSON *result = cJSON_CreateObject();
	double parameters = 0;
	char *text = NULL;
	bool ok;

	for (int k = 0; k < m->n_weights; k++)
		if (ad_wants_gradient(m->weights[k].node))
			parameters += (double)ad_count(m->weights[k].node);
	ok = cJSON_AddStringToObject(result, "name", m->name ? m->name : "") &&
	     cJSON_AddStringToObject(result, "status", r->status);
	for (int k = 0; ok && k < r->n_parts; k++)
		ok = add_part(m, result, &r->parts[k]);
	ok = ok && cJSON_AddNumberToObject(result, "steps", (double)r->steps) &&
	     cJSON_AddNumberToObject(result, "epochs", (double)r->epochs) &&
	     (r->best_step == 0 || (cJSON_AddNumberToObject(result, "best_step", (double)r->best_step) &&
	                            cJSON_AddNumberToObject(result, "best", r->best))) &&
	     cJSON_AddNumberToObject(result, "seconds", r->seconds) &&
	     cJSON_AddNumberToObject(result, "parameters", parameters) &&
	     cJSON_AddNumberToObject(result, "seed", (double)m->train.seed) &&
	     cJSON_AddStringToObject(result, "precision", model_precision(m)) &&
	     cJSON_AddStringToObject(result, "version", AD_VERSION);
	if (ok)
		text = cJSON_Print(result);
	cJSON_Delete(result);
	if (text) {
		/* cJSON leaves room for nothing behind its text: the line feed takes the zero's place. */
		size_t length = strlen(text);

		text[length] = '\n';
		ok = write_whole(f, "result.json", text, length + 1, error, n);
		cJSON_free(text);
		return ok;
	}
	return failure_memory(error, n, "result.json", 0);
}

/* ---- gradients.jsonl ---------------------------------------------------------------------------- */

static void put_string(FILE *to, const char *text)
{
	putc('"', to);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			fprintf(to, "\\u%04x", (unsigned)*text);
		else
			putc(*text, to);
	putc('"', to);
}

static void put_member(FILE *to, const char *name, double value, int digits)
{
	fprintf(to, ",\"%s\":", name);
	put_real(to, value, digits);
}

static void put_weights(FILE *to, const struct gradient_record *r)
{
	fputs(",\"weights\":{", to);
	for (size_t k = 0; k < r->n_rows; k++) {
		const struct gradient_row *row = &r->rows[k];

		if (k > 0)
			putc(',', to);
		put_string(to, row->path);
		fputs(":{\"gradient\":", to);
		put_real(to, row->of.rms, 17);
		put_member(to, "mean", row->of.mean, 5);
		put_member(to, "max", row->of.max, 5);
		put_member(to, "zeros", row->of.zeros, 5);
		put_member(to, "value", row->value, 7);
		if (!isnan(row->update))
			put_member(to, "update", row->update, 17);
		putc('}', to);
	}
	putc('}', to);
}

/* One of the four numbers, of all edges. */
static void put_column(FILE *to, const struct flow_result *r, const char *name, size_t offset)
{
	fprintf(to, ",\"%s\":[", name);
	for (size_t k = 0; k < r->n; k++) {
		double value;

		memcpy(&value, (const char *)&r->of[k] + offset, sizeof value);
		if (k > 0)
			putc(',', to);
		put_real(to, value, 5);
	}
	putc(']', to);
}

static void put_edges(FILE *to, const struct flow_result *r, size_t list)
{
	fprintf(to, ",\"edges\":{\"of\":%zu", list);
	put_column(to, r, "rms", offsetof(struct measure, rms));
	put_column(to, r, "mean", offsetof(struct measure, mean));
	put_column(to, r, "max", offsetof(struct measure, max));
	put_column(to, r, "zeros", offsetof(struct measure, zeros));
	putc('}', to);
	if (r->left_out)
		fprintf(to, ",\"left_out\":%zu", r->left_out);
	if (r->first_nan) {
		fputs(",\"first_nan\":", to);
		put_string(to, r->first_nan);
	}
}

static uint64_t hash_key(uint64_t h, const char *key)
{
	for (; *key; key++)
		h = FNV(h, *key);
	return FNV(h, 0xff);
}

static bool add_hash(struct run_folder *f, uint64_t h)
{
	uint64_t *more = realloc(f->hashes, (f->n_hashes + 1) * sizeof *more);

	if (!more)
		return false;
	f->hashes = more;
	f->hashes[f->n_hashes++] = h;
	return true;
}

/* The lists that the file has from before the training went on. */
static bool read_edges(struct run_folder *f)
{
	char *path = file_of(f, log_names[LOG_EDGES]), *line = NULL;
	FILE *from = path ? fopen(path, "re") : NULL;
	size_t room = 0;
	bool ok = path != NULL;

	while (ok && from && getline(&line, &room, from) > 0) {
		cJSON *list = cJSON_Parse(line);
		const cJSON *key;
		uint64_t h = FNV_START;

		cJSON_ArrayForEach(key, cJSON_GetObjectItemCaseSensitive(list, "edges"))
			h = hash_key(h, cJSON_IsString(key) ? key->valuestring : "");
		cJSON_Delete(list);
		ok = add_hash(f, h);
	}
	if (from)
		fclose(from);
	free(line);
	free(path);
	return ok;
}

/* Finds or writes the list of these edges; *list: its line. */
static bool note_edges(struct run_folder *f, const struct flow_result *r, size_t *list, char *error, size_t n)
{
	uint64_t h = FNV_START;
	FILE *to;

	for (size_t k = 0; k < r->n; k++)
		h = hash_key(h, r->keys[k]);
	if (!f->logs[LOG_EDGES] && (!open_log(f, LOG_EDGES, "ae", error, n) || !read_edges(f)))
		return f->logs[LOG_EDGES] ? failure_memory(error, n, log_names[LOG_EDGES], 0) : false;
	for (*list = 0; *list < f->n_hashes; ++*list)
		if (f->hashes[*list] == h)
			return true;
	if (!add_hash(f, h))
		return failure_memory(error, n, log_names[LOG_EDGES], 0);
	to = f->logs[LOG_EDGES];
	fputs("{\"edges\":[", to);
	for (size_t k = 0; k < r->n; k++) {
		if (k > 0)
			putc(',', to);
		put_string(to, r->keys[k]);
	}
	fputs("]}\n", to);
	return flush(f, LOG_EDGES, false, error, n);
}

bool folder_gradients(struct run_folder *f, const struct gradient_record *r, char *error, size_t n)
{
	FILE *to;
	size_t list = 0;

	if (!f->logs[LOG_GRADIENTS] && !open_log(f, LOG_GRADIENTS, "ae", error, n))
		return false;
	if (r->flow && !note_edges(f, r->flow, &list, error, n))
		return false;
	to = f->logs[LOG_GRADIENTS];
	fprintf(to, "{\"step\":%lld,\"epoch\":%lld", (long long)r->step, (long long)r->epoch);
	put_member(to, "loss", r->loss, 17);
	put_member(to, "rate", r->rate, 9);
	if (r->flow && !isnan(r->flow->reference))
		put_member(to, "reference", r->flow->reference, 9);
	if (r->flow)
		put_member(to, "rows", r->flow->rows, 15);
	put_weights(to, r);
	if (r->flow)
		put_edges(to, r->flow, list);
	fputs("}\n", to);
	return flush(f, LOG_GRADIENTS, false, error, n);
}

bool folder_checkpoint(struct run_folder *f, const char *name, char *error, size_t n)
{
	char *path = file_of(f, name);
	bool ok = path ? checkpoint_write(f->m, path, error, n) : failure_memory(error, n, name, 0);

	free(path);
	return ok;
}

bool folder_weights(struct run_folder *f, char *error, size_t n)
{
	return folder_checkpoint(f, "last.safetensors", error, n);
}

bool folder_save(struct run_folder *f, size_t n_arrays, const struct stored arrays[], char *error, size_t n)
{
	char *path = file_of(f, "state.safetensors");
	bool ok = path || failure_memory(error, n, "state.safetensors", 0);

	/* Weights first: they are worth the most, and the state has its own. The logs must not be shorter after a
	 * power cut than the state says. */
	ok = ok && folder_weights(f, error, n);
	for (int k = 0; ok && k < FOLDER_LOGS; k++)
		if (f->logs[k] && fdatasync(fileno(f->logs[k])) != 0 && errno != EINVAL)
			ok = cannot("write", f->path, errno, error, n);
	ok = ok && arrays_write(path, n_arrays, arrays, f->id, error, n);
	free(path);
	return ok;
}

void folder_remove(struct run_folder *f, const char *name)
{
	char *path = file_of(f, name);

	if (path)
		unlink(path);
	free(path);
}

void folder_close(struct run_folder *f)
{
	for (int k = 0; k < FOLDER_LOGS; k++)
		if (f->logs[k])
			fclose(f->logs[k]);
	free(f->hashes);
	free(f->path);
	*f = (struct run_folder){ 0 };
}
