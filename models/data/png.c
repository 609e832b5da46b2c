/*
 * png: pictures from files, with a class each.
 *
 * dir    a folder with a folder for each class, numbered by the order of their names, or with pictures alone
 * file   a list: a line for each picture, its path (from dir, else from the list's folder), a comma, its class, a
 *        number or a name; or one picture
 *
 * A sample is [channels, height, width] (or [height, width]) of values from 0 to 255; those of 16 bits have fractions.
 * The channels are those of the input's shape: 1 grey, 3 RGB, 2 and 4 the same with alpha. Colours become grey
 * as 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601); grey becomes three equal colours; alpha that is not asked
 * for is left out. All pictures have one size.
 */
#include "data.h"
#include "op.h"
#include "picture.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define MOST_PICTURES ((size_t)1 << 26)
#define MOST_LINE 4096 /* bytes of a line of the list */

struct attrs {
	const char *dir, *file;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, dir, AD_WORD, "null", "a folder with a folder of pictures for each class", NULL),
	AD_ATTR(struct attrs, file, AD_WORD, "null", "a list, PICTURE,CLASS on each line", NULL),
	{ 0 },
};

/* A picture and its class: a number of `names`, or the number itself where there are none; -1: none. */
struct sample {
	char *path;
	int64_t class;
};

struct listing {
	const struct source *source;
	size_t n, room;
	struct sample *samples;
	size_t n_names, names_room;
	char **names; /* of classes */
	size_t n_slots;
	uint32_t *slots; /* a hash table of the names' numbers + 1, half of it empty */
	bool given;   /* the names are those that the file lists: no others are taken */
	bool *unreadable;
	char *error;
	size_t error_size;
};

#define FAIL(l, ...) failure((l)->error, (l)->error_size, __VA_ARGS__)

static bool no_memory(const struct listing *l)
{
	return failure_memory(l->error, l->error_size, "a list of pictures", 0);
}

/* Room for one more element. */
static bool grow(void *list, size_t n, size_t *room, size_t element)
{
	void **at = list, *more;

	if (n < *room)
		return true;
	more = realloc(*at, (*room ? 2 * *room : 64) * element);
	if (!more)
		return false;
	*at = more;
	*room = *room ? 2 * *room : 64;
	return true;
}

/* Takes the path, which it frees. */
static bool add_sample(struct listing *l, char *path, int64_t class)
{
	if (!path || l->n == MOST_PICTURES || !grow(&l->samples, l->n, &l->room, sizeof *l->samples)) {
		free(path);
		return l->n == MOST_PICTURES ? FAIL(l, "more than %zu pictures", MOST_PICTURES) : no_memory(l);
	}
	l->samples[l->n++] = (struct sample){ path, class };
	return true;
}

static void free_listing(struct listing *l)
{
	for (size_t k = 0; k < l->n; k++)
		free(l->samples[k].path);
	for (size_t k = 0; k < l->n_names; k++)
		free(l->names[k]);
	free(l->samples);
	free(l->names);
	free(l->slots);
}

/* ---- folders ------------------------------------------------------------------------------------ */

static bool ends_with(const char *name, const char *ending)
{
	size_t n = strlen(name), e = strlen(ending);

	return n > e && strcasecmp(name + n - e, ending) == 0;
}

/* A picture that is not PNG: leaving it out in silence would train on less than is there. */
static bool is_other_picture(const char *name)
{
	static const char *const endings[] = { ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff" };

	for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
		if (ends_with(name, endings[k]))
			return true;
	return false;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The same in every locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(const char *folder, const char *name)
{
	char *path = path_in(folder, name);
	struct stat info;
	bool is = path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);

	free(path);
	return is;
}

/* The slot that has the name's number, or the empty one where it would stand. */
static size_t slot_of(const struct listing *l, const char *name)
{
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	size_t k;

	for (const char *c = name; *c; c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3u;
	for (k = (size_t)(h ^ h >> 32) & (l->n_slots - 1); l->slots[k]; k = (k + 1) & (l->n_slots - 1))
		if (strcmp(l->names[l->slots[k] - 1], name) == 0)
			break;
	return k;
}

static int64_t class_of(const struct listing *l, const char *name)
{
	return l->n_slots ? (int64_t)l->slots[slot_of(l, name)] - 1 : -1;
}

/* Room in the table for one more name. */
static bool grow_slots(struct listing *l)
{
	size_t n = l->n_slots ? 2 * l->n_slots : 64;
	uint32_t *slots;

	if (2 * (l->n_names + 1) <= l->n_slots)
		return true;
	slots = calloc(n, sizeof *slots);
	if (!slots)
		return false;
	free(l->slots);
	l->slots = slots;
	l->n_slots = n;
	for (size_t k = 0; k < l->n_names; k++)
		l->slots[slot_of(l, l->names[k])] = (uint32_t)k + 1;
	return true;
}

/* A further name, unless the file says which there are. */
static bool add_class(struct listing *l, const char *where, const char *name, int64_t *class)
{
	*class = class_of(l, name);
	if (*class >= 0)
		return true;
	if (l->given)
		return FAIL(l, "%s: the class '%s' is not among those that 'classes' lists", where, name);
	if (!grow(&l->names, l->n_names, &l->names_room, sizeof(*l->names)) || !grow_slots(l) ||
	    !(l->names[l->n_names] = strdup(name)))
		return no_memory(l);
	l->slots[slot_of(l, name)] = (uint32_t)l->n_names + 1;
	*class = (int64_t)l->n_names++;
	return true;
}

/* The pictures of a folder, and the classes that its folders are if `deep`. */
static bool read_folder(struct listing *l, const char *path, int64_t class, bool deep)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, not_hidden, by_name), folders = 0;
	size_t before = l->n;
	bool good = true;

	if (n < 0) {
		char text[128];

		*l->unreadable = true;
		return FAIL(l, "%s: cannot read the folder: %s", path, strerror_r(errno, text, sizeof text));
	}
	for (int k = 0; k < n && deep; k++)
		folders += is_folder(path, entries[k]->d_name);
	for (int k = 0; k < n && good; k++) {
		const char *name = entries[k]->d_name;

		if (is_folder(path, name)) {
			char *inner = path_in(path, name);
			int64_t number = -1;

			if (!deep)
				good = FAIL(l, "%s: has a folder, '%s'; the folder of a class has pictures alone",
				            path, name);
			else if (!inner)
				good = no_memory(l);
			else
				good = add_class(l, path, name, &number) && read_folder(l, inner, number, false);
			free(inner);
		} else if (is_other_picture(name)) {
			good = FAIL(l, "%s/%s: only PNG pictures are read; convert it, or take it away", path, name);
		} else if (ends_with(name, ".png") && folders > 0) {
			good = FAIL(l, "%s/%s: lies beside the folders of the classes; put it into one", path, name);
		} else if (ends_with(name, ".png")) {
			good = add_sample(l, path_in(path, name), class);
		}
	}
	for (int k = 0; k < n; k++)
		free(entries[k]);
	free(entries);
	return good && l->n == before ? FAIL(l, "%s: has no .png file", path) : good;
}

/* ---- lists -------------------------------------------------------------------------------------- */

/* A cell without blanks and quotes around it, cut in place. */
static char *cell(char *text)
{
	size_t n;

	text += strspn(text, " ");
	n = strlen(text);
	while (n > 0 && text[n - 1] == ' ')
		text[--n] = '\0';
	if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
		text[n - 1] = '\0';
		text++;
	}
	return text;
}

/* PICTURE,CLASS; the class may be missing where it is not wanted. */
static bool read_line(struct listing *l, const char *list, size_t number, char *line, const char *folder,
                      bool wants_class)
{
	char *comma = strpbrk(line, ",\t"), *second = comma ? comma + 1 : NULL, *path, where[64];
	int64_t class = -1;

	if (comma)
		*comma = '\0';
	path = cell(line);
	if (second && strpbrk(second, ",\t"))
		return FAIL(l, "%s:%zu: more than a picture and its class", list, number);
	second = second ? cell(second) : NULL;
	if (!*path || (wants_class && !(second && *second)))
		return FAIL(l, "%s:%zu: %s; a line is PICTURE,CLASS", list, number,
		            *path ? "has no class" : "has no picture");
	/* names get their numbers when all are known */
	snprintf(where, sizeof where, "%.40s:%zu", strrchr(list, '/') ? strrchr(list, '/') + 1 : list, number);
	if (wants_class && !add_class(l, where, second, &class))
		return false;
	return add_sample(l, path_in(folder, path), class);
}

static int64_t index_of(const char *text)
{
	return data_index(text, strlen(text), INT32_MAX);
}

/* Numbers by their size and before words. */
static int by_class(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int64_t i = index_of(x), j = index_of(y);

	if (i != j && i >= 0 && j >= 0)
		return i < j ? -1 : 1;
	return (i < 0) != (j < 0) ? (i < 0) - (j < 0) : strcmp(x, y);
}

/* Gives the classes their numbers, by the order of their names; as_numbers: names that are all numbers are
 * these. */
static bool number_classes(struct listing *l, bool as_numbers)
{
	int64_t *number = calloc(l->n_names + 1, sizeof *number);
	char **order = calloc(l->n_names + 1, sizeof(*order));
	bool numbers = as_numbers && !l->given;

	for (size_t k = 0; k < l->n_names; k++)
		numbers &= index_of(l->names[k]) >= 0;

	if (!number || !order) {
		free(number);
		free(order);
		return no_memory(l);
	}
	if (l->n_names > 0)
		memcpy(order, l->names, l->n_names * sizeof(*order));
	if (!l->given)
		qsort(order, l->n_names, sizeof(*order), by_class);
	for (size_t k = 0; k < l->n_names; k++) {
		if (numbers)
			number[k] = index_of(l->names[k]);
		else
			number[class_of(l, order[k])] = (int64_t)k;
	}
	for (size_t k = 0; k < l->n; k++)
		if (l->samples[k].class >= 0)
			l->samples[k].class = number[l->samples[k].class];
	free(number);
	free(l->names);
	l->names = order;
	if (numbers) {
		for (size_t k = 0; k < l->n_names; k++)
			free(order[k]);
		l->n_names = 0;
	}
	return true;
}

static bool read_list(struct listing *l, const char *list, const char *folder, bool wants_class)
{
	struct reader file;
	char line[MOST_LINE], piece[4096];
	size_t length = 0, number = 1, got = 1;
	bool good = true;

	if (!reader_open(&file, list, l->error, l->error_size)) {
		*l->unreadable = true;
		return false;
	}
	while (good && got > 0 &&
	       (good = reader_read(&file, piece, sizeof piece, &got, l->error, l->error_size))) {
		for (size_t k = 0; good && k < (got ? got : 1); k++) {
			char c = got ? piece[k] : '\n';

			if (c != '\n') {
				line[length++] = c;
				if (c == '\0' || length == sizeof line)
					good = FAIL(l, "%s:%zu: %s; is it a list of pictures?", list, number,
					            c ? "is too long" : "has a NUL character");
				continue;
			}
			length -= length > 0 && line[length - 1] == '\r';
			line[length] = '\0';
			if (length > 0)
				good = read_line(l, list, number, line, folder, wants_class);
			length = 0;
			number++;
		}
	}
	reader_close(&file);
	if (good && l->n == 0)
		return FAIL(l, "%s: lists no pictures", list);
	return good && number_classes(l, true);
}

/* ---- pixels ------------------------------------------------------------------------------------- */

static double at(const struct picture *p, size_t pixel, int channel)
{
	size_t k = pixel * (size_t)p->channels + (size_t)channel;

	return p->depth == 8 ? p->data[k] : (p->data[2 * k] * 256 + p->data[2 * k + 1]) / 257.0;
}

/* Channel c of `channels` that are asked for. */
static double value(const struct picture *p, size_t pixel, int c, int channels)
{
	int alpha = channels % 2 == 0 && c == channels - 1, colours = p->channels > 2 ? 3 : 1;

	if (alpha)
		return p->channels % 2 == 0 ? at(p, pixel, p->channels - 1) : 255;
	if (colours == 1)
		return at(p, pixel, 0);
	if (channels > 2)
		return at(p, pixel, c);
	return 0.299 * at(p, pixel, 0) + 0.587 * at(p, pixel, 1) + 0.114 * at(p, pixel, 2);
}

/* The picture as sample k of the column. */
static const char *put_picture(struct column *c, size_t k, const struct picture *p, int channels)
{
	size_t pixels = (size_t)p->width * p->height;
	const char *wrong = NULL;

	for (int channel = 0; channel < channels; channel++)
		for (size_t i = 0; i < pixels && !wrong; i++) {
			size_t to = k * c->per + (size_t)channel * pixels + i;
			double x = value(p, i, channel, channels);

			if (c->type == AD_REAL && c->form == COLUMN_BYTES)
				((unsigned char *)c->data)[to] = (unsigned char)(x + 0.5);
			else
				wrong = column_put(c, to, c->type == AD_REAL ? x : floor(x + 0.5));
		}
	return wrong;
}

/* How many channels the column's shape asks for. */
static int channels_of(const struct column *c)
{
	return c->shape.rank < 3 ? 1 : c->shape.dims[0] <= 4 ? (int)c->shape.dims[0] : 5;
}

/* The sizes of the column by its first picture. */
static bool fit_picture(struct column *c, const struct source *s, const struct picture *p, char *error, size_t n)
{
	int rank = c->shape.rank;
	size_t per;

	if (rank == 3 && c->shape.dims[0] < 0)
		c->shape.dims[0] = p->channels;
	if (rank >= 2 && c->shape.dims[rank - 2] < 0)
		c->shape.dims[rank - 2] = p->height;
	if (rank >= 2 && c->shape.dims[rank - 1] < 0)
		c->shape.dims[rank - 1] = p->width;
	if (rank == 3 && (channels_of(c) < 1 || channels_of(c) > 4))
		return source_refuse(s, s->at, error, n,
		                     "'%s' takes %lld channels; a picture has 1 (grey), 3 (RGB), or 2 or 4 "
		                     "(with alpha)",
		                     c->input, (long long)c->shape.dims[0]);
	per = (size_t)p->width * p->height;
	if (__builtin_mul_overflow(per, (size_t)channels_of(c), &per))
		return source_refuse(s, s->at, error, n, "a picture is too large");
	return true;
}

static bool same_size(const struct column *c, const struct picture *p, const struct picture *first, const char *path,
                      char *error, size_t n)
{
	int rank = c->shape.rank;
	long long height = rank >= 2 ? (long long)c->shape.dims[rank - 2] : (long long)first->height;
	long long width = rank >= 2 ? (long long)c->shape.dims[rank - 1] : (long long)first->width;

	return (p->height == height && p->width == width) ||
	       failure(error, n, "%s: is %lu wide and %lu high, but '%s' takes pictures %lld wide and %lld high", path,
	               (unsigned long)p->width, (unsigned long)p->height, c->input, width, height);
}

/* What the pictures are together. */
struct survey {
	struct picture first;
	bool deep;     /* some have 16 bits */
	bool coloured; /* some are not grey */
};

static bool read_heads(const struct listing *l, struct dataset *to, struct survey *of)
{
	*of = (struct survey){ 0 };
	for (size_t k = 0; k < l->n; k++) {
		struct picture p;

		if (!picture_read(l->samples[k].path, false, 0, &p, &to->unreadable, l->error, l->error_size))
			return false;
		of->deep |= p.depth == 16;
		of->coloured |= p.channels > 2;
		if (k == 0)
			of->first = p;
		for (int i = 0; i < to->n_columns; i++) {
			struct column *c = &to->columns[i];

			if (c->target)
				continue;
			if (k == 0 && !fit_picture(c, l->source, &p, l->error, l->error_size))
				return false;
			if (!same_size(c, &p, &of->first, l->samples[k].path, l->error, l->error_size))
				return false;
		}
	}
	return true;
}

static bool read_pixels(const struct listing *l, struct dataset *to)
{
	size_t most = to->limit ? to->limit : DATA_MAX_BYTES;

	for (size_t k = 0; k < l->n; k++) {
		const struct sample *s = &l->samples[k];
		struct picture p;
		const char *wrong = NULL;

		if (!picture_read(s->path, true, most, &p, &to->unreadable, l->error, l->error_size))
			return false;
		for (int i = 0; i < to->n_columns && !wrong; i++) {
			struct column *c = &to->columns[i];

			/* a file that has changed since its sizes were read */
			if (!c->target && (size_t)p.width * p.height * (size_t)channels_of(c) != c->per)
				wrong = "is not of the size that it had";
			else
				wrong = c->target ? column_put(c, k, (double)s->class)
				                  : put_picture(c, k, &p, channels_of(c));
		}
		free(p.data);
		if (wrong)
			return FAIL(l, "%s: a value %s", s->path, wrong);
		to->n = k + 1;
	}
	return true;
}

/* ---- the format --------------------------------------------------------------------------------- */

/* The names that the file lists: `classes: [cat, dog]`. */
static bool given_classes(struct listing *l)
{
	const struct source *s = l->source;
	const struct yaml *y = source_binding(s, "classes");
	int64_t class;

	for (size_t k = 0; y && k < y->n; k++) {
		const struct yaml *name = y->items[k];

		if (name->kind != YAML_SCALAR)
			return source_refuse(s, name->at, l->error, l->error_size,
			                     "'classes' lists the names of the classes");
		if (class_of(l, name->text) >= 0)
			return source_refuse(s, name->at, l->error, l->error_size, "the class '%s' is listed twice",
			                     name->text);
		if (!add_class(l, "", name->text, &class))
			return false;
	}
	l->given = y != NULL;
	return true;
}

static char *copy_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
}

static bool list_pictures(struct listing *l, bool wants_class)
{
	const struct attrs *a = l->source->attrs;
	char *dir = a->dir ? path_in(l->source->folder, a->dir) : NULL;
	char *file = a->file ? path_in(l->source->folder, a->file) : NULL, *from = NULL;
	bool good = true;

	if ((a->dir && !dir) || (a->file && !file))
		good = no_memory(l);
	else if (!a->dir && !a->file)
		good = source_refuse(l->source, l->source->at, l->error, l->error_size,
		                     "'png' needs 'dir', a folder with a folder for each class, or 'file', a list");
	else if (!given_classes(l))
		good = false;
	else if (a->file && ends_with(file, ".png"))
		good = add_sample(l, strdup(file), -1);
	else if (a->file && is_folder(NULL, file))
		good = read_folder(l, file, -1, true);
	else if (a->file)
		good = (from = dir ? strdup(dir) : copy_folder_of(file)) ? read_list(l, file, from, wants_class)
		                                                        : no_memory(l);
	else
		good = read_folder(l, dir, -1, true) && number_classes(l, false);
	if (good && wants_class && l->samples[0].class < 0)
		good = source_refuse(l->source, l->source->at, l->error, l->error_size,
		                     "the target wants a class for each picture; give %s a folder for each class",
		                     dir ? dir : file);
	free(from);
	free(dir);
	free(file);
	return good;
}

/* The names of the classes, one a line, for comparison with those of other parts. */
static bool keep_names(const struct listing *l, struct dataset *to)
{
	size_t size = 1;
	char *end;

	for (size_t k = 0; k < l->n_names; k++)
		size += strlen(l->names[k]) + 1;
	to->classes = calloc(size, 1);
	if (!to->classes)
		return no_memory(l);
	end = to->classes;
	for (size_t k = 0; k < l->n_names; k++)
		end = stpcpy(stpcpy(end, l->names[k]), "\n");
	return true;
}

static bool read_all(struct listing *l, struct dataset *to)
{
	const struct source *s = l->source;
	struct survey of;
	bool wants_class = false;

	for (int i = 0; i < to->n_columns; i++)
		wants_class |= to->columns[i].target;
	if (!list_pictures(l, wants_class) || !read_heads(l, to, &of))
		return false;
	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];
		size_t per = c->target ? 1 : (size_t)of.first.width * of.first.height * (size_t)channels_of(c);

		if (!column_fit(c, s, s->at, per, l->error, l->error_size))
			return false;
		/* grey made of colours has fractions */
		if (!c->target && c->type == AD_REAL && !of.deep && (channels_of(c) > 2 || !of.coloured) &&
		    !column_take_bytes(c, false, l->error, l->error_size))
			return false;
	}
	return dataset_reserve(to, l->n, l->error, l->error_size) && read_pixels(l, to) &&
	       (!wants_class || l->n_names == 0 || keep_names(l, to));
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	struct listing l = { .source = s, .unreadable = &to->unreadable, .error = error, .error_size = n };
	bool good = read_all(&l, to);

	free_listing(&l);
	return good;
}

const struct format format_png = {
	.name = "png",
	.doc = "pictures from PNG files: a folder for each class, or a list",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.trees = "classes",
	.read = read,
};
