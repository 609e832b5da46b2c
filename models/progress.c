/*
 * progress: writes the status line.
 *
 *	epoch 3/10  ███████▌         51%  step 1,203/2,344  loss 0.1843 ▁▂▂▁  lr 8.1e-4  |g| 0.42  612 ex/s  eta 1m12s
 */
#include "progress.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR 16
#define MAX_FIELDS 24
#define MAX_LASTING 100    /* lines of a training that is not told how many to leave */
#define MAX_SCALARS 4

/* A piece of a line. Of those that do not fit, the ones of the highest rank go first. */
struct field {
	int rank;
	char text[96];
};

struct line {
	int n;
	struct field fields[MAX_FIELDS];
};

static char *add(struct line *l, int rank)
{
	static char nowhere[96];
	struct field *f;

	if (l->n == MAX_FIELDS)
		return nowhere;
	f = &l->fields[l->n++];
	f->rank = rank;
	f->text[0] = '\0';
	return f->text;
}

#define ADD(line, rank, ...) snprintf(add(line, rank), sizeof(((struct field *)0)->text), __VA_ARGS__)

/* Columns that a text takes: its code points. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static int columns_of(FILE *to)
{
	struct winsize size;
	int fd = fileno(to);

	if (fd >= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return 80;
}

/* A number in four digits, "8.1e-4" rather than "8.1e-04". */
static const char *number(char text[32], double value, int digits)
{
	char *exponent;

	snprintf(text, 32, "%.*g", digits, value);
	exponent = strpbrk(text, "e");
	if (exponent && exponent[1] && exponent[2] == '0') {
		if (exponent[1] == '+')
			memmove(exponent + 1, exponent + 3, strlen(exponent + 3) + 1);
		else
			memmove(exponent + 2, exponent + 3, strlen(exponent + 3) + 1);
	}
	return text;
}

/* 1203 as "1,203". */
static const char *grouped(char text[32], int64_t value)
{
	char digits[24];
	size_t n = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value), at = 0;

	for (size_t k = 0; k < n; k++) {
		if (k > 0 && digits[k - 1] != '-' && (n - k) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[k];
	}
	text[at] = '\0';
	return text;
}

static const char *duration(char text[32], double seconds)
{
	long s = seconds < 1e9 ? lround(seconds) : 1000000000;

	if (s < 60)
		snprintf(text, 32, "%lds", s);
	else if (s < 3600)
		snprintf(text, 32, "%ldm%02lds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, 32, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, 32, "%ldd%02ldh", s / 86400, s / 3600 % 24);
	return text;
}

static void bar(char *text, double part, bool plain)
{
	static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	int filled = (int)(part * BAR * 8), cells = filled / 8;

	*text = '\0';
	if (plain) {
		for (int k = 0; k < BAR; k++)
			text[k] = k < cells ? '#' : '.';
		text[BAR] = '\0';
		return;
	}
	for (int k = 0; k < cells; k++)
		strcat(text, "█");
	if (cells < BAR)
		strcat(text, eighths[filled % 8]);
	for (int k = width_of(text); k < BAR; k++)
		strcat(text, " ");
}

/* The last losses as a curve. */
static void curve(char *text, const struct progress *p)
{
	static const char *const heights[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	double lo = INFINITY, hi = -INFINITY;

	for (int k = 0; k < p->n_history; k++) {
		lo = fmin(lo, p->history[k]);
		hi = fmax(hi, p->history[k]);
	}
	*text = '\0';
	for (int k = 0; k < p->n_history; k++) {
		double height = hi > lo ? (p->history[k] - lo) / (hi - lo) : 0;

		strcat(text, heights[(int)(fmin(fmax(height, 0), 1) * 7)]);
	}
}

static void remember(struct progress *p, double loss)
{
	if (!isfinite(loss))
		return;
	if (p->n_history == PROGRESS_HISTORY)
		memmove(p->history, p->history + 1, --p->n_history * sizeof *p->history);
	p->history[p->n_history++] = loss;
}

/* The model's name for metric k, short enough for a line. */
static void metrics(struct line *l, int rank, const ad_model *m, const double values[])
{
	char text[32];

	for (int k = 0; k < m->n_metrics && k < 6; k++)
		if (isfinite(values[1 + k]))
			ADD(l, rank, "%.24s %s", m->metrics[k], number(text, values[1 + k], 4));
}

/* ---- the two kinds of line ------------------------------------------------------------------------ */

static void compose_status(struct line *l, const struct progress *p, const struct moment *now)
{
	bool whole = now->steps <= 1; /* an epoch is one step: show the whole training */
	double part = whole ? (double)now->done / (double)(now->total ? now->total : 1)
	                    : (double)now->step / (double)now->steps;
	double rate = now->seconds > 0 ? (double)now->samples / now->seconds : 0;
	char a[32], b[32];

	ADD(l, 0, "epoch %s/%s", grouped(a, now->epoch), grouped(b, now->epochs));
	bar(add(l, 4), part, p->plain);
	ADD(l, 1, "%3d%%", (int)(100 * part));
	if (!whole)
		ADD(l, 3, "step %s/%s", grouped(a, now->step), grouped(b, now->steps));
	ADD(l, 0, "loss %s", number(a, now->train[0], 4));
	if (!p->plain && p->n_history > 1)
		curve(add(l, 8), p);
	metrics(l, 5, p->m, now->train);
	ADD(l, 6, "lr %s", number(a, now->lr, 2));
	ADD(l, 7, "|g| %s", number(a, now->norm, 2));
	if (now->samples > 0)
		ADD(l, 9, "%s ex/s", grouped(a, (int64_t)rate));
	if (now->done > 0 && now->total > now->done)
		ADD(l, 2, "eta %s", duration(a, now->seconds / (double)now->done *
		                                        (double)(now->total - now->done)));
}

/* The single numbers among a small model's weights. */
static void scalars(struct line *l, const ad_model *m)
{
	char text[32];
	int count = 0;

	for (int k = 0; k < m->n_weights; k++)
		count += ad_count(m->weights[k].node) == 1;
	for (int k = 0; count <= MAX_SCALARS && k < m->n_weights; k++)
		if (ad_count(m->weights[k].node) == 1)
			ADD(l, 0, "%.32s %s", m->weights[k].path,
			    number(text, ad_item(m->weights[k].node), 6));
}

static void compose_lasting(struct line *l, const struct progress *p, const struct moment *now)
{
	char a[32], b[32];

	ADD(l, 0, "epoch %s/%s", grouped(a, now->epoch), grouped(b, now->epochs));
	if (now->step < now->steps)
		ADD(l, 0, "step %s/%s", grouped(a, now->step), grouped(b, now->steps));
	scalars(l, p->m);
	ADD(l, 0, "loss %s", number(a, now->train[0], 6));
	metrics(l, 0, p->m, now->train);
	if (now->valid) {
		ADD(l, 0, "valid loss %s", number(a, now->valid[0], 6));
		metrics(l, 0, p->m, now->valid);
	}
	ADD(l, 0, "lr %s", number(a, now->lr, 4));
	ADD(l, 0, "|g| %s", number(a, now->norm, 4));
	ADD(l, 0, "%s", duration(a, now->seconds));
}

/* Leaves out what does not fit into so many columns. */
static void fit(struct line *l, int columns)
{
	for (;;) {
		int width = 0, worst = -1;

		for (int k = 0; k < l->n; k++) {
			width += width_of(l->fields[k].text) + (k > 0 ? 2 : 0);
			if (l->fields[k].rank > 0 && (worst < 0 || l->fields[k].rank >= l->fields[worst].rank))
				worst = k;
		}
		if (width <= columns || worst < 0)
			return;
		memmove(&l->fields[worst], &l->fields[worst + 1],
		        (size_t)(--l->n - worst) * sizeof *l->fields);
	}
}

static void write_line(const struct line *l, FILE *to)
{
	for (int k = 0; k < l->n; k++)
		fprintf(to, "%s%s", k > 0 ? "  " : "", l->fields[k].text);
}

static void say(struct progress *p, const struct moment *now)
{
	struct line line = { 0 };

	compose_lasting(&line, p, now);
	if (p->open)
		fputs("\r\033[K", p->to);
	p->open = false;
	write_line(&line, p->to);
	putc('\n', p->to);
	fflush(p->to);
	p->said = now->seconds;
}

static void show(struct progress *p, const struct moment *now)
{
	struct line line = { 0 };

	remember(p, now->train[0]);
	compose_status(&line, p, now);
	/* One column stays free: terminals differ in what they do after the last one. */
	fit(&line, columns_of(p->to) - 1);
	fputs("\r\033[K", p->to);
	write_line(&line, p->to);
	fflush(p->to);
	p->open = true;
	p->shown = now->seconds;
}

void progress_begin(struct progress *p, const ad_model *m, const ad_train_options *o, int64_t epochs)
{
	*p = (struct progress){ .m = m, .to = o->progress, .terminal = o->terminal, .plain = o->plain,
		                .every = m->train.log, .shown = -1 };
	if (p->every <= 0 && !p->terminal)
		p->every = epochs <= MAX_LASTING ? 1 : (epochs + MAX_LASTING - 1) / MAX_LASTING;
}

void progress_step(struct progress *p, const struct moment *now)
{
	if (!p->to)
		return;
	if (p->terminal && (p->shown < 0 || now->seconds - p->shown >= 0.1))
		show(p, now);
	else if (!p->terminal && now->seconds - p->said >= 30 && now->step < now->steps)
		say(p, now);
}

void progress_epoch(struct progress *p, const struct moment *now, bool last)
{
	if (!p->to)
		return;
	if ((p->every > 0 && now->epoch % p->every == 0) || last || (!p->terminal && now->seconds - p->said >= 30))
		say(p, now);
	else if (p->terminal && now->seconds - p->shown >= 0.1)
		show(p, now);
}

void progress_end(struct progress *p)
{
	if (p->to && p->open) {
		putc('\n', p->to);
		fflush(p->to);
	}
	p->open = false;
}

void progress_note(struct progress *p, const char *text)
{
	progress_end(p);
	if (p->to)
		fprintf(p->to, "note: %s\n", text);
}
