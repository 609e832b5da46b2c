/*
 * plugin: ops from shared libraries. A file is looked at, and its note compared with this build and with the file itself,
 * before it is loaded: loading runs whatever code it has.
 */
#include "registry.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static pthread_mutex_t loading = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

/* What ops may call and nothing in the engine does: a program with libautograd.a in it would lack them. */
__attribute__((used)) static void (*const for_plugins[])(void) = {
	(void (*)(void))ad_philox,
	(void (*)(void))ad_uniform_at,
};

/* A plugin that is being loaded. */
struct candidate {
	const char *path; /* as given */
	char *real;       /* without links, from malloc */
	void *handle;
	char *message;
	size_t size;
};

static __attribute__((format(printf, 2, 3))) bool refuse(struct candidate *c, const char *format, ...)
{
	int used = snprintf(c->message, c->size, "%s: ", c->path);
	va_list values;

	va_start(values, format);
	if (used >= 0 && (size_t)used < c->size)
		vsnprintf(c->message + used, c->size - (size_t)used, format, values);
	va_end(values);
	return false;
}

static bool is_loaded(const char *real)
{
	const char *path;

	for (size_t k = 0; (path = ad_plugin_at(k)); k++)
		if (strcmp(path, real) == 0)
			return true;
	return false;
}

/* ---- before it is loaded ------------------------------------------------------------------------- */

static bool find_file(struct candidate *c)
{
	if (!strchr(c->path, '/'))
		return refuse(c, "a plugin is named with its folder, ./%s, as it is not searched for", c->path);
	c->real = realpath(c->path, NULL);
	return c->real || refuse(c, "the plugin cannot be opened: %s", strerror(errno));
}

/* Whoever may write to a file decides what runs here; who may write to a folder replaces what is in it, but for a
 * sticky one such as /tmp, where only the owner of a thing does. */
static bool is_guarded(struct candidate *c, const struct stat *file)
{
	char *copy = strdup(c->real), *folder = copy;
	struct stat s;
	bool good = true;

	if (!copy)
		return refuse(c, "out of memory");
	if (file->st_mode & S_IWOTH)
		good = refuse(c, "everybody may write to this file, so anybody's code could run: chmod o-w '%s'", c->real);
	while (good && strcmp(folder, "/") != 0) {
		folder = dirname(folder);
		if (stat(folder, &s) != 0)
			good = refuse(c, "its folder '%s' cannot be looked at: %s", folder, strerror(errno));
		else if (s.st_mode & S_IWOTH && !(s.st_mode & S_ISVTX))
			good = refuse(c, "everybody may write to its folder, so anybody's code could run: chmod o-w '%s'",
			              folder);
	}
	free(copy);
	return good;
}

/* A note, and where in the file its sum lies; 0: it is too short to have one. */
struct found {
	struct plugin_build build;
	size_t sum_at;
};

/* The note among those of one part of the file, which begins there; false: it is not among them. */
static bool find_note(Elf_Data *part, size_t begin, struct found *to)
{
	size_t name, content, at = 0;
	GElf_Nhdr note;

	while ((at = gelf_getnote(part, at, &note, &name, &content)) > 0) {
		const char *bytes = part->d_buf;
		bool full = note.n_descsz >= sizeof to->build;

		if (note.n_type == AD_PLUGIN_NOTE && note.n_namesz == sizeof AD_PLUGIN_OWNER &&
		    memcmp(bytes + name, AD_PLUGIN_OWNER, sizeof AD_PLUGIN_OWNER) == 0) {
			memset(to, 0, sizeof *to);
			memcpy(&to->build, bytes + content, full ? sizeof to->build : note.n_descsz);
			to->sum_at = full ? begin + content + offsetof(struct plugin_build, sum) : 0;
			return true;
		}
	}
	return false;
}

static bool read_note(Elf *elf, struct found *to)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) != 0 || n > INT_MAX)
		return false;
	for (size_t k = 0; k < n; k++) {
		GElf_Phdr part;
		Elf_Data *data;

		if (!gelf_getphdr(elf, (int)k, &part) || part.p_type != PT_NOTE)
			continue;
		data = elf_getdata_rawchunk(elf, (int64_t)part.p_offset, part.p_filesz,
		                            part.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
		if (data && find_note(data, part.p_offset, to))
			return true;
	}
	return false;
}

/* The sum that a file with such a note has to have; false if it cannot be read. */
static bool sum_of(Elf *elf, const struct found *note, uint32_t *sum)
{
	const uint32_t zero = 0;
	size_t size, end = note->sum_at + sizeof zero;
	const unsigned char *bytes = (const unsigned char *)elf_rawfile(elf, &size);

	if (!bytes || note->sum_at == 0 || end > size)
		return false;
	*sum = (uint32_t)crc32_z(0, bytes, note->sum_at);
	*sum = (uint32_t)crc32_z(*sum, (const unsigned char *)&zero, sizeof zero);
	*sum = (uint32_t)crc32_z(*sum, bytes + end, size - end);
	return true;
}

static bool is_same_build(struct candidate *c, const struct plugin_build *plugin)
{
#define NAME(name, value) name,
	static const char *const names[] = { AD_PLUGIN_SAME(NAME) };
	const struct plugin_build here = AD_PLUGIN_BUILD;
	char version[sizeof plugin->version + 1] = "";

	if (memcmp(plugin->version, here.version, sizeof here.version) != 0) {
		/* a terminal may do what such bytes tell it */
		for (size_t k = 0; k < sizeof plugin->version && plugin->version[k]; k++)
			version[k] = plugin->version[k] > ' ' && plugin->version[k] <= '~' ? plugin->version[k] : '?';
		return refuse(c, "the plugin was built for autograd %s, and this is %s: build it anew with 'autograd op "
		              "build'", version, here.version);
	}
	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		if (plugin->same[k] != here.same[k])
			return refuse(c, "the plugin was built with other headers than this autograd (%s: %u, and %u here): "
			              "build it anew with 'autograd op build'", names[k], plugin->same[k], here.same[k]);
	return true;
}

static bool has_good_note(struct candidate *c, int fd)
{
	Elf *elf = elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	struct found note;
	GElf_Ehdr header;
	uint32_t sum;
	bool good = false;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) || header.e_type != ET_DYN)
		refuse(c, "this is no shared library; 'autograd op build FILE.c' makes a plugin of an op's file");
	else if (!read_note(elf, &note))
		refuse(c, "this is no plugin: it lacks the note that 'autograd op build' puts into one");
	else if (is_same_build(c, &note.build))
		good = (sum_of(elf, &note, &sum) && sum == note.build.sum) ||
		       refuse(c, "the plugin is damaged or cut off, or was changed since it was built: build it anew with "
		                 "'autograd op build'");
	elf_end(elf);
	return good;
}

bool plugin_seal(const char *path, char *message, size_t size)
{
	struct candidate c = { .path = path, .message = message, .size = size };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	Elf *elf = fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	struct found note;
	uint32_t sum;
	bool good = false;

	if (fd < 0)
		return refuse(&c, "cannot be opened: %s", strerror(errno));
	if (!elf || !read_note(elf, &note) || !sum_of(elf, &note, &sum))
		refuse(&c, "the linker has not put a plugin's note into it; does $CC make ELF files?");
	else if (pwrite(fd, &sum, sizeof sum, (off_t)note.sum_at) != sizeof sum)
		refuse(&c, "cannot be written: %s", strerror(errno));
	else
		good = true;
	elf_end(elf);
	close(fd);
	return good;
}

static bool is_good_file(struct candidate *c)
{
	/* a pipe must not hold us up */
	int fd = open(c->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat s;
	bool good;

	if (fd < 0)
		return refuse(c, "the plugin cannot be opened: %s", strerror(errno));
	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode))
		good = refuse(c, S_ISDIR(s.st_mode) ? "this is a folder; name a plugin in it, or give the folder as the "
		                                      "variable AUTOGRAD_PLUGINS"
		                                    : "this is no regular file");
	else
		good = is_guarded(c, &s) && has_good_note(c, fd);
	close(fd);
	return good;
}

/* ---- after it is loaded -------------------------------------------------------------------------- */

static bool is_op_name(const char *name)
{
	if (!name || *name < 'a' || *name > 'z')
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool has_good_attrs(struct candidate *c, const ad_op *op)
{
	static const size_t sizes[] = { [AD_INT] = sizeof(int64_t),      [AD_NUM] = sizeof(double),
		                        [AD_FLAG] = sizeof(bool),        [AD_WORD] = sizeof(const char *),
		                        [AD_INTLIST] = sizeof(ad_ints), [AD_NUMLIST] = sizeof(ad_reals) };

	for (const ad_attr *a = op->attrs; a && a->name; a++) {
		if ((size_t)a->type >= sizeof sizes / sizeof *sizes)
			return refuse(c, "op '%s': its argument '%s' is of no type that an argument has", op->name, a->name);
		if (a->offset > op->attrs_size || sizes[a->type] > op->attrs_size - a->offset)
			return refuse(c, "op '%s': its argument '%s' has no place in a struct of .attrs_size = %zu bytes",
			              op->name, a->name, op->attrs_size);
		for (const ad_attr *b = op->attrs; b < a; b++)
			if (strcmp(a->name, b->name) == 0)
				return refuse(c, "op '%s' has two arguments named '%s'", op->name, a->name);
	}
	return true;
}

/* What the engine takes for granted of an op. */
static bool is_good_op(struct candidate *c, const ad_op *op)
{
	if (!op || !is_op_name(op->name))
		return refuse(c, "an op in it has no name of small letters, digits and _");
	if (!op->variants)
		return refuse(c, "op '%s' has no list of variants: declare it by AD_OP", op->name);
	if (op->arity < 0 || op->optional < -1)
		return refuse(c, "op '%s' has a negative number of inputs", op->name);
	if (!op->shape && !op->compose)
		return refuse(c, "op '%s' has neither .shape nor .compose", op->name);
	if (!op->map && !op->forward && !op->compose)
		return refuse(c, "op '%s' computes nothing: it has neither .map nor .forward nor .compose", op->name);
	return has_good_attrs(c, op);
}

static bool have_free_names(struct candidate *c, const struct ad_plugin *plugin)
{
	for (size_t k = 0; k < plugin->n; k++) {
		const char *name = plugin->ops[k].op->name;
		const ad_op *other = ad_op_find(name);

		if (other && ad_op_plugin(other))
			return refuse(c, "the op '%s' came with the plugin %s before: load one of the two, or rename it",
			              name, ad_op_plugin(other));
		if (other)
			return refuse(c, "autograd has an op '%s' of its own: rename the plugin's", name);
		for (size_t j = 0; j < k; j++)
			if (strcmp(plugin->ops[j].op->name, name) == 0)
				return refuse(c, "it has two ops named '%s'", name);
	}
	return true;
}

/* What dlopen says begins with the path. */
static const char *reason_of(const char *said, const char *path)
{
	size_t n = strlen(path);

	return strncmp(said, path, n) == 0 && said[n] == ':' ? said + n + 1 + strspn(said + n + 1, " ") : said;
}

/* A plugin finds the library's functions among those that all may see. A program that loads libautograd.so by dlopen, as
 * Python's ctypes does, keeps them to itself. */
static void show_library(void)
{
	Dl_info here;

	if (dladdr(&loading, &here) != 0)
		dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

static bool load(struct candidate *c)
{
	const struct ad_plugin *plugin;
	const char *said;
	bool seen;

	show_library();
	seen = dlsym(RTLD_DEFAULT, "ad_record") != NULL;
	c->handle = dlopen(c->real, RTLD_NOW | RTLD_LOCAL);
	if (!c->handle) {
		said = dlerror();
		return refuse(c, "the plugin cannot be loaded: %s%s", said ? reason_of(said, c->real) : "no reason is given",
		              seen ? "" : "; a program with libautograd.a in it is linked by -rdynamic");
	}
	plugin = dlsym(c->handle, "ad_plugin");
	if (!plugin || !plugin->n || !plugin->ops)
		return refuse(c, "the plugin has no table of ops");
	for (size_t k = 0; k < plugin->n; k++)
		if (!is_good_op(c, plugin->ops[k].op))
			return false;
	return have_free_names(c, plugin) &&
	       (registry_add(c->real, plugin->n, plugin->ops) || refuse(c, "out of memory"));
}

bool ad_load_plugin(const char *path, char *message, size_t size)
{
	struct candidate c = { .path = path ? path : "(NULL)", .message = message, .size = size };
	bool good;

	if (size)
		message[0] = '\0';
	if (pthread_mutex_lock(&loading) != 0)
		return refuse(&c, "a plugin that is being loaded cannot load another");
	good = find_file(&c) && (is_loaded(c.real) || (is_good_file(&c) && load(&c)));
	if (!good && c.handle)
		dlclose(c.handle);
	pthread_mutex_unlock(&loading);
	free(c.real);
	return good;
}
