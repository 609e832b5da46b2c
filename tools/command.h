/*
 * command: what the subcommands share: their tables, exit codes, opening of models, printing.
 *
 * Results go to standard output, everything else to standard error. A subcommand is one file: its
 * options as a table, its run function, and one struct command that main.c lists.
 */
#ifndef AUTOGRAD_COMMAND_H
#define AUTOGRAD_COMMAND_H

#include "autograd_draw.h"
#include "model.h"
#include "render.h"

#include <stdio.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* at run time: input or output, memory, a check that does not hold */
	EXIT_USAGE = 2   /* the command line or the model file is wrong */
			 /* train also: 3 diverged, 130, 143 and 75 stopped by a signal */
};

/* ---- options (options.c) --------------------------------------------------------------------- */

/* What an option writes at its offset in the options of its command. */
enum option_kind {
	OPTION_SWITCH, /* bool */
	OPTION_TEXT,   /* const char *, NULL if not given */
	OPTION_TEXTS,  /* struct texts; may be repeated */
	OPTION_WHOLE,  /* int64_t, 0 or more */
	OPTION_THREADS, /* nothing: it sets the threads of the process */
	OPTION_MEMORY,  /* nothing: it sets the limit on memory of the models opened later */
	OPTION_PLUGIN,  /* nothing: it loads the plugin */
	OPTION_CHOICE  /* int, the position of the word in `value` */
};

struct texts {
	size_t n;
	const char **v;
};

struct option {
	const char *name; /* without dashes */
	char letter;      /* of the short form; 0: none */
	enum option_kind kind;
	const char
	    *value; /* what stands for the value in the help; the words of a choice: "text json" */
	const char *def; /* NULL: 0, nothing, the first word; of numbers and choices "": -1 */
	bool required;
	size_t offset;
	const char *doc;
};

/* The row of the commands that compute and can tell how long what took. */
#define PROFILE_OPTION(type)                                                                       \
	{ "profile", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct type, profile),          \
	  "prints time and bytes by op and by layer, as shares of the time in evaluations, then "   \
	  "the share of the engine between ops and of what is outside evaluations" }

/* The rows of the commands that compute. */
#define LIMIT_OPTIONS                                                                              \
	{ "threads", 0, OPTION_THREADS, "N", NULL, false, 0,                                       \
	  "how many threads compute, 1 to 64; if not given, AUTOGRAD_THREADS says, else the "      \
	  "processors; the results are the same" },                                                \
	{ "max-memory", 0, OPTION_MEMORY, "SIZE", NULL, false, 0,                                  \
	  "no more memory is taken than 500M, 4G or 80% of what the machine has; 50% if not given" }

struct command {
	const char *name;
	const char *arguments;        /* "FILE", "[NAME]" */
	int least, most;              /* number of arguments; most -1: any number */
	const char *doc;              /* one line, lower case, for the list of commands */
	const char *details;          /* paragraphs for `autograd NAME --help`; NULL: none */
	const struct option *options; /* ends with a name of NULL; may be NULL */
	size_t options_size;
	bool bare; /* it runs without the plugins of AUTOGRAD_PLUGINS */
	int (*run)(const void *options, int n, const char *const args[]);
};

extern const struct command command_check, command_show, command_eval, command_gradcheck,
    command_train, command_lr, command_sweep, command_test, command_predict, command_sample,
    command_doctor, command_draw, command_plot, command_report, command_op, command_ops, command_new,
    command_diff, command_schema, command_config, command_explain;

/* Reads the options and arguments behind the command's name and runs it; answers --help. */
int command_run(const struct command *c, int n, char *const words[]);

void command_help(const struct command *c, FILE *to);

/* Loads the plugins in the folder that the variable AUTOGRAD_PLUGINS names, for the command of that name. Returns
 * EXIT_DONE or, after a message, how to exit. */
int load_plugins(const char *name);

/* Prints words with lines of at most `width` columns, all but the first indented. */
void print_wrapped(FILE *to, const char *text, int column, int indent, int width);

/* The width of the terminal that a stream writes to; `otherwise` if it is none. */
int terminal_width(FILE *stream, int otherwise);

/* Whether a stream writes to a terminal on which a line can be rewritten. (train.c) */
bool is_terminal(FILE *stream);

/* A sentence on standard error, "autograd NAME: ..."; they return EXIT_FAILED and EXIT_USAGE. The
 * second adds where help is. */
int failed(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
int misused(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- models and runs (open.c) ---------------------------------------------------------------- */

/* Opens a model file; prints its messages. NULL: *status says how to exit. */
ad_model *open_file(const char *name, const char *path, const struct texts *set, int *status);

/* Opens a run folder: its config.yaml with the weights of last.safetensors. */
ad_model *open_run(const char *name, const char *path, int *status);

/* The model of a run with its initial weights, where there are no others yet or none are needed; set, which may be
 * NULL: with these changes. */
ad_model *open_config(const char *name, const char *path, const struct texts *set, int *status);

/* Either, by whether path is a folder. */
ad_model *open_either(const char *name, const char *path, const struct texts *set, int *status);

/* The file, or a run's file without its weights, with these changes, and without a word: NULL where they give
 * no model. */
ad_model *open_changed(const char *path, const struct texts *set);
/* The same, whatever is wrong with it; NULL without memory. */
ad_model *open_silently(const char *path, const struct texts *set);
/* The model with values of a sweep, the last of all; prints nothing. here: set and the environment are applied
 * before, else path has what they said. NULL without memory. */
ad_model *open_swept(const char *path, bool here, const struct texts *set, size_t n,
                     const char *const swept[]);

/* The result.json of a run, by cJSON_Delete; NULL: there is none. */
struct cJSON *read_result(const char *folder);

/* The limit on memory, in bytes, of the models that are opened from now on; at first half of what the
 * machine has. */
void limit_memory(size_t bytes);

/* What the machine has, in bytes; 0: not known. */
size_t machine_memory(void);

bool is_folder(const char *path);

/* folder/file, from malloc; NULL without memory. */
char *join_path(const char *folder, const char *file);

/* ---- one evaluation (batch.c) ---------------------------------------------------------------- */

/* The recording of the model for the first `most` training samples (0: as many as the file's
 * batch), its inputs filled; without data, the recording of a model whose inputs are all numbers.
 * NULL: a sentence in error, and *status says how to exit. */
struct instance *first_batch(ad_model *m, size_t most, bool training, int *status, char *error,
                             size_t n);

/* The recording with every free dim of the same small size, for looking at its structure alone. */
struct instance *any_batch(ad_model *m, bool training, char *error, size_t n);

/* What the gradients start from: the loss, else the output if it is a single number, else NULL. */
ad_node *start_of_gradients(const struct instance *in);

/* ---- pictures (draw_command.c, fit.c) -------------------------------------------------------- */

struct drawing {
	const char *path; /* .dot, .svg, .png, .pdf, .json, .txt; "-": standard output */
	enum picture streamed; /* there as such a picture; PICTURE_NONE: as the text that it is */
	ad_view view;
	bool pages; /* path is a folder for a page a module */
	bool gradients;
	int64_t step; /* for the title; -1: none */
	const ad_draw_options *how; /* what else the drawing is to be; NULL: as the file's `draw` says, view too */
	double seconds;             /* for dot; 0: however long it takes */
};

/* What the model's file says under `draw`. */
void draw_defaults(const ad_model *m, ad_draw_options *o);

/* Draws the model for its first batch; evaluates it for that. Returns how to exit: EXIT_DONE, or else
 * with a sentence in error, which is empty where standard output failed: main says that. */
int draw_model(ad_model *m, const struct drawing *d, char *error, size_t n);

/* The same for a recording that is evaluated, or drawn without gradients. */
int draw_instance(ad_model *m, struct instance *in, const struct drawing *d, char *error, size_t n);

/* The layers of the model by path; NULL where memory is short, and then none is folded. */
ad_draw_layer *list_layers(const ad_model *m, size_t *n);

/* Whether the model is a function of one number, and the plot of its training samples with the
 * curve that it makes of them. */
bool has_fit(const ad_model *m);
bool draw_fit(ad_model *m, const char *path, char *error, size_t n);

/* ---- memory (memory.c) ----------------------------------------------------------------------- */

/* Prints what a training step takes, for the file's batch and the sizes that its data has, but those that
 * `sizes` gives ("T=128"), and an evaluation of the same batch; as JSON a member of an object that others
 * come before. What cannot be known is told on standard error. */
void show_memory(ad_model *m, const struct texts *sizes, bool json);

/* ---- profiles (profile.c) -------------------------------------------------------------------- */

/* A part of the time outside evaluations: "optimizer". */
struct time_part {
	const char *name;
	double seconds;
};

/* Where `all` seconds went: the profile of the graph by op and by layer, most time first, as shares of the
 * time in evaluations; then evaluations as a whole, these parts and what is left. False: no memory. As JSON: {"all": seconds, "ops": ..,
 * "engine": .., PART: .., "rows": [..]}. */
bool print_profile(const ad_graph *g, double all, size_t n, const struct time_part parts[]);
void json_profile(FILE *to, const ad_graph *g, double all, size_t n, const struct time_part parts[]);

/* ---- printing (print.c) ---------------------------------------------------------------------- */

/* 1234567 as "1,234,567"; text holds at least 32 bytes. Returns text. */
char *print_thousands(char *text, uint64_t number);

/* 1234567 bytes as "1.2 MB". Returns text. */
char *print_bytes(char *text, size_t n, uint64_t bytes);

/* The shortest decimal number that reads back as the same double, or as the same float if value is
 * one and f32 is set; NaN, Infinity, -Infinity. Text holds at least 32 bytes. Returns text. */
char *print_real(char *text, double value, bool f32);

/* As JSON: a string with its quotes; a number, or the string "NaN", "Infinity" or "-Infinity"; the
 * elements of an array, nested by its shape, masks as true and false. */
void json_text(FILE *to, const char *text);
void json_real(FILE *to, double value);
void json_array(FILE *to, const double *values, ad_shape shape, ad_type type);

#endif
