/*
 * drawing: what a diagram shows, before anything is drawn: parts, uses, frames, boxes, arrows.
 * Not installed; autograd_draw.h is the public header.
 *
 * A part is a node that the drawn node depends on, a use is one input of one op. Trivial parts are
 * folded into others. In the flow view parts and closed frames become boxes, uses become arrows.
 */
#ifndef AUTOGRAD_DRAWING_H
#define AUTOGRAD_DRAWING_H

#include "autograd_draw.h"
#include "planned.h"

#define NOTHING UINT32_MAX
#define MAX_BOXES                                                                                  \
	300 /* what dot lays out in seconds and a reader can follow, unless told otherwise */
#define MAX_STRETCHES 30 /* of a level that is too long: a weight of all is joined to each */
#define MAX_NESTING 16   /* of frames */
#define COARSE_BOXES                                                                               \
	3000             /* above it no frames and no numbers at arrows: dot would take minutes    \
	                  */
#define MAX_OUTLINES 200 /* frames that are drawn */
#define MAX_DETAILED 50  /* boxes, with layers of one op opened so that their weights are seen */
#define MAX_COPIES 16    /* of a module that are drawn side by side, if their boxes are at most */
#define MAX_SPREAD 60
#define MAX_PLACES 4  /* of one weight, that each get a copy of it */
#define MAX_ACROSS 16 /* boxes from left to right */

/* How a gradient compares with the reference, from harmless to bad. */
enum class {
	CLASS_NONE = AD_CLASS_NONE,
	CLASS_NORMAL = AD_CLASS_NORMAL,
	CLASS_WEAK = AD_CLASS_WEAK,
	CLASS_STRONG = AD_CLASS_STRONG,
	CLASS_LOST = AD_CLASS_LOST,
	CLASS_VANISHING = AD_CLASS_VANISHING,
	CLASS_ZERO = AD_CLASS_ZERO,
	CLASS_EXPLODING = AD_CLASS_EXPLODING,
	CLASS_NAN = AD_CLASS_NAN,
	CLASSES = AD_CLASSES
};

enum role {
	ROLE_OP,
	ROLE_LOSS, /* the drawn node, a single number */
	ROLE_PARAM,
	ROLE_INPUT,
	ROLE_TARGET, /* an input that the reference does not depend on */
	ROLE_BUFFER,
	ROLE_CONSTANT,
	ROLE_SAVED /* of a sweep: a result of the forward pass that it reads */
};

/* What is told of an array, and what spoils it. */
struct statistic {
	double rms, max, mean, zeros;
	double before; /* of a change: the rms that it had */
	size_t count;
	bool known, nan, infinite;
};

struct part {
	ad_node *node;
	enum role role;
	uint32_t owner; /* the op's first output; itself for most */
	uint32_t
	    shown; /* the part that stands for it in the picture; NOTHING: its users' labels do */
	uint32_t uses;     /* inputs that read it */
	uint32_t user;     /* the op that read it last */
	uint32_t distance; /* in ops from the nearest input */
	uint32_t frame;
	uint32_t box;
	bool saved;           /* of a sweep: not part of it, its inputs are not drawn */
	ad_node *gradient_of; /* of a sweep: the leaf whose gradient it is; NULL */
	bool sum; /* of a sweep: an addition that stands for others, whose result it alone reads */
	double seconds;     /* of a plan: what the op alone takes; 0 in a group */
	uint32_t buffer;    /* of a plan: the number of the memory that it shares with others; 0 */
	bool nothing, tile; /* of a plan: see planned.h */
	bool frozen;        /* a param that wants no gradient */
	bool beyond;   /* the reference does not depend on it: between there and the drawn node */
	bool linear;   /* an addition that stands for x W + b */
	bool offender; /* the first that made a NaN or an infinity */
	enum class class;
	struct statistic value, gradient; /* value: of params, and of all where text is written */
	double ratio; /* of params: rate * rms of the gradient / rms of the value; 0: unknown */
	size_t first_use, n_uses; /* the inputs of the op, in drawing->uses */
};

struct use {
	uint32_t from, to; /* shown parts */
	uint32_t by;       /* the part whose input it is */
	int input;
	bool viewed; /* through folded views: the tensor arrives in another shape */
	enum class class;
	struct statistic gradient; /* what this use contributes */
};

/* A scope of the graph. */
struct frame {
	uint32_t parent;
	uint32_t first;   /* the first shown part inside */
	uint32_t members; /* shown parts and frames directly inside */
	uint32_t depth;
	uint32_t child, sibling; /* the first one inside, the next one beside */
	uint32_t outer;          /* the frame of the outermost level around or equal to it */
	uint32_t closed_in;      /* the outermost closed frame around or equal to it; NOTHING */
	const char *layer;       /* the kind of layer that the scope is; NULL */
	uint64_t structure;  /* equal for modules of equal structure: ops and wiring, not sizes */
	uint32_t leader;     /* the first of the copies that it is drawn with as one box; itself */
	uint32_t copies;     /* of a leader: how many, itself included */
	uint32_t slots;      /* boxes when opened one level: members, less copies */
	bool wanted;         /* to be opened whatever the room */
	bool outside;        /* of the module that is drawn: it stands for what that is joined to */
	bool open, outlined; /* outlined: drawn as a frame; not so with one member only */
	size_t ops, elements; /* ops and elements of params, with those of inner frames */
	bool offender;        /* inside */
	enum class worst;
	double
	    extreme; /* rms of a gradient of that class: the largest; of weak ones the smallest */
};

enum box_kind { BOX_PART, BOX_FRAME, BOX_STRETCH };

/* What is drawn as one node: a part, a closed frame, or a stretch of a long outermost level. */
struct box {
	enum box_kind kind;
	uint32_t part, frame; /* the part or frame; frame is also where a part lies */
	uint32_t first, last; /* parts */
	size_t ops, elements;
	enum class worst;
	bool offender;
	uint32_t group;      /* boxes of one group lie in a straight line; 0 holds the drawn node */
	uint32_t beside;     /* of a param: the op's box that it stands next to; NOTHING */
	uint32_t neighbours; /* of an op: params beside it */
	uint32_t head;       /* the box that it is folded into; itself */
	uint32_t next;       /* the one folded in after it; NOTHING */
	uint32_t named; /* of one with others folded in: the frame that holds nothing else, whose
	                 * name it bears; NOTHING */
};

struct arrow {
	uint32_t from, to;         /* boxes */
	uint32_t use;              /* the use that it shows: of several the worst */
	uint32_t first;            /* the first use that it stands for */
	uint32_t uses;             /* how many it stands for */
	struct statistic gradient; /* of all of them together */
	enum class class;          /* by it */
	enum class worst;          /* of the uses */
	uint32_t distance;
	bool trunk;
	bool elsewhere; /* from a weight that stands beside another op: drawn from a copy of it */
	bool above;     /* the weight or its copy is on that side of the op */
};

struct drawing {
	ad_graph *graph;
	ad_node *y;
	const ad_draw_options *options;
	bool f64, gradients;
	bool change; /* from options->before to options->record */
	double loss; /* of a single number that is drawn; NaN: not known */
	size_t max_boxes;
	ad_draw_thresholds thresholds; /* none is 0 */
	double reference;              /* rms of the gradient there; 0: no classes by size */
	double positions; /* rows of the reference: a weight's gradient is a sum over so many */
	double largest;   /* rms of any gradient that is drawn */
	size_t hidden;    /* parts left out by around, from and to, only */

	bool upright; /* from top to bottom: a long chain would be as wide as a wall */

	uint32_t n_parts, n_frames, n_boxes, y_part;
	size_t n_uses, n_arrows;
	struct part *parts;
	struct use *uses;
	struct frame *frames;
	struct box *boxes;
	struct arrow *arrows;

	/* every node of the graph by its address, and its statistic once computed */
	/* of a plan: each node's place in it, by number; what each frame takes, and the longest */
	struct planned *planned;
	double *frame_seconds, most_seconds;

	size_t n_nodes, n_slots;
	ad_node **nodes;
	uint32_t *slots, *part_of;
	struct statistic *statistics;

	char *error;
	size_t error_size;
};

/* Reads the graph below y. False: a sentence in error. In both cases drawing_free is due. */
bool drawing_read(struct drawing *d, ad_node *y, const ad_draw_options *o, char *error, size_t n);

/* The number of a node in the graph; NOTHING for one of another graph. */
uint32_t drawing_node_number(const struct drawing *d, const ad_node *x);

/* Marks by number every node that x depends on, x included; returns how many. */
size_t drawing_mark_below(struct drawing *d, ad_node *x, bool *marks);

/* What a picture of the sweep shows, and which of it is of the forward pass; then the gradients. */
bool drawing_mark_sweep(struct drawing *d, bool *marks, bool *saved);
bool drawing_sweep_gradients(struct drawing *d);

/* Whether the sweep itself recorded it to add up gradients, outside of all scopes. */
bool drawing_is_sum(const struct part *p);

/* One sum of the gradients that many uses of a weight send back. */
void drawing_fold_sums(struct drawing *d);

/* What a picture of the plan shows; then frames for what runs together. */
bool drawing_mark_plan(struct drawing *d, bool *marks);
bool drawing_plan_frames(struct drawing *d);
double drawing_plan_seconds(const struct drawing *d);
const char *drawing_heat(const struct drawing *d, double seconds, char *text);
const char *drawing_time_text(char *text, double seconds);
const char *drawing_bytes_text(char *text, size_t bytes);

/* The op of a node, for the backward kernel of another that one. */
const char *drawing_op(const ad_node *x);
bool drawing_is_kernel(const ad_node *x); /* a backward one */

/* A frame's own name. */
const char *drawing_frame_name(const struct drawing *d, uint32_t frame);

/* How a gradient compares; weight: of a param, which is a sum over rows. */
enum class drawing_class(const struct drawing *d, const struct statistic *s, bool weight,
                         bool beyond);

/* Finds every input of every op with what it sends back, and where a NaN begins. */
bool drawing_make_uses(struct drawing *d);

/* Whether the circuit view is the one to draw. */
bool drawing_is_circuit(const struct drawing *d);

/* Decides what the flow view shows: folds, frames, boxes, arrows. */
bool drawing_flow(struct drawing *d);

/* The same for the circuit view: folds only. */
bool drawing_circuit(struct drawing *d);

void drawing_free(struct drawing *d);

/* Whether input i of an op is written into the op's label, being one and the same number, and
 * which. */
bool drawing_constant(const struct drawing *d, uint32_t op, int input, double *value);

/* The path of a frame: names joined by dots; text holds n bytes. */
const char *drawing_path(const struct drawing *d, uint32_t frame, char *text, size_t n);

/* The same of a scope of the graph. */
const char *drawing_scope_path(const ad_graph *g, int scope, char *text, size_t n);

/* What copies are called together: block[0..109]; text holds n bytes. */
const char *drawing_copies_name(const struct drawing *d, uint32_t leader, char *text, size_t n);

/* The copy of a class to name after `last`, or first where that is NOTHING: where a NaN begins,
 * then the worst. NOTHING after the last. */
uint32_t drawing_next_copy(const struct drawing *d, uint32_t leader, enum class class,
                           uint32_t last);

bool drawing_no_memory(struct drawing *d);

/* The innermost frame around both. */
uint32_t drawing_common_frame(const struct drawing *d, uint32_t a, uint32_t b);

/* Hides what the options leave out and marks frames that are wanted open; frames have parents. */
bool drawing_focus(struct drawing *d);

/* Makes one box of a weight layer and what only follows it; boxes and arrows are known. */
bool drawing_fold(struct drawing *d);

/* Makes the frames, once uses are known, and decides which are open. */
bool drawing_make_frames(struct drawing *d);
bool drawing_open_frames(struct drawing *d);

/* Any statistic of a node's value, computed once; not known of most where a record is drawn. */
bool drawing_statistic(struct drawing *d, ad_node *x, struct statistic *s);

/* The size of a gradient among others: its rms, or how many times as large it has become. */
double drawing_size(const struct drawing *d, const struct statistic *s);

/* Writes what drawing_flow decided. */
bool drawing_write_text(struct drawing *d, FILE *to);
bool drawing_write_json(struct drawing *d, FILE *to);

/* A size in two digits, 2.6e-8, 0.47, 31; a count, 512, 7.1M; text holds 32 bytes. */
const char *drawing_size_text(char *text, double size);
const char *drawing_count_text(char *text, size_t count);
const char *drawing_class_name(const struct drawing *d, enum class class);

/* How a gradient is drawn: #rrggbb; solid, dashed, dotted; points. */
const char *drawing_colour(const struct drawing *d, enum class class);
const char *drawing_style(const struct drawing *d, enum class class);
double drawing_width(const struct drawing *d, enum class class, double rms);

/* The number that stands for a gradient, that at a weight; text holds 40 bytes. */
const char *drawing_gradient_text(const struct drawing *d, const struct statistic *s, char *text);
const char *drawing_weight_text(const struct drawing *d, const struct part *a, char *text);

/* A factor as it is read: 150×, 1/60; text holds 40 bytes. */
const char *drawing_factor_text(char *text, double factor);

/* The id in an SVG of a box ("n17", of a closed one "f17") and of an arrow ("e17_3"): stable as
 * long as the graph is recorded the same. text holds 32 bytes. */
const char *drawing_box_id(const struct drawing *d, const struct box *b, char *text);
const char *drawing_arrow_id(const struct drawing *d, const struct arrow *a, char *text);

/* The character at s and how many bytes it takes; U+FFFD for a byte that is no valid UTF-8. */
uint32_t drawing_character_at(const unsigned char *s, size_t *bytes);

/* Controls, marks that turn the direction of writing, what XML forbids. */
bool drawing_is_unprintable(uint32_t c);

bool drawing_fail(struct drawing *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
