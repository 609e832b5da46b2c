/*
 * look: how classes of gradients look, and the numbers at them.
 */
#include "dot.h"

#include <math.h>

static const struct look looks[CLASSES] = {
	[CLASS_EXPLODING] = { "exploding", "exploding", "#a50f15", "solid", 9, "solid" },
	[CLASS_STRONG] = { "strong", "strong", "#f16913", "solid", 8, "solid" },
	[CLASS_NORMAL] = { "normal", "normal", "#4d4d4d", "solid", 6, "solid" },
	[CLASS_WEAK] = { "weak", "weak", "#6baed6", "solid", 4, "solid" },
	[CLASS_LOST] = { "lost", "lost: under half an ulp of the weight", "#08519c", "dotted", 3,
	                 "dotted" },
	[CLASS_VANISHING] = { "vanishing", "vanishing", "#08519c", "solid", 3, "solid" },
	[CLASS_ZERO] = { "zero", "exactly zero", "#999999", "dashed", 3, "dashed" },
	[CLASS_NONE] = { "none", "no gradient wanted", "#bbbbbb", "dotted", 3, "dotted" },
	[CLASS_NAN] = { "nan", "NaN or infinite", NAN_COLOUR, "solid", 3, "dashed" },
};

/* Of a change: red has grown, blue has shrunk. */
static const struct look changes[CLASSES] = {
	[CLASS_EXPLODING] = { "much-larger", "over 10\xc3\x97 as large", "#a50f15", "solid", 9,
	                      "solid" },
	[CLASS_STRONG] = { "larger", "2\xc3\x97 to 10\xc3\x97", "#ef6548", "solid", 8, "solid" },
	[CLASS_NORMAL] = { "equal", "within 2\xc3\x97", "#8a8a8a", "solid", 6, "solid" },
	[CLASS_WEAK] = { "smaller", "1/2 to 1/10", "#4a9fd0", "solid", 4, "dashed" },
	[CLASS_LOST] = { "lost", "lost", "#08519c", "dotted", 3, "dotted" },
	[CLASS_VANISHING] = { "much-smaller", "under 1/10", "#08519c", "solid", 3, "dotted" },
	[CLASS_ZERO] = { "zero", "zero in both", "#999999", "dashed", 3, "dashed" },
	[CLASS_NONE] = { "none", "not in both records", "#bbbbbb", "dotted", 3, "dotted" },
	[CLASS_NAN] = { "nan", "NaN or infinite in one", NAN_COLOUR, "solid", 3, "dashed" },
};

const struct look *dot_look_of(const struct drawing *d, enum class class)
{
	return d->change ? &changes[class] : &looks[class];
}

const char *drawing_class_name(const struct drawing *d, enum class class)
{
	return dot_look_of(d, class)->name;
}

const char *drawing_colour(const struct drawing *d, enum class class)
{
	/* From dark for what is large to light for what is small; frames and cells need a grey. */
	static const char *const greys[CLASSES] = {
		[CLASS_NONE] = "#bbbbbb",      [CLASS_NORMAL] = "#707070",
		[CLASS_WEAK] = "#909090",      [CLASS_STRONG] = "#303030",
		[CLASS_LOST] = "#a0a0a0",      [CLASS_VANISHING] = "#a0a0a0",
		[CLASS_ZERO] = "#b0b0b0",      [CLASS_NAN] = "#000000",
		[CLASS_EXPLODING] = "#000000",
	};

	return d->options->mono ? greys[class] : dot_look_of(d, class)->colour;
}

const char *dot_colour_of(const struct picture *p, enum class class)
{
	return drawing_colour(p->d, class);
}

const char *drawing_style(const struct drawing *d, enum class class)
{
	return d->options->mono ? dot_look_of(d, class)->mono : dot_look_of(d, class)->style;
}

const char *dot_style_of(const struct picture *p, enum class class)
{
	return drawing_style(p->d, class);
}

const char *drawing_factor_text(char *text, double factor)
{
	char number[32];

	if (isnan(factor))
		snprintf(text, 40, "NaN");
	else if (isinf(factor))
		snprintf(text, 40, "from 0");
	else if (factor == 0)
		snprintf(text, 40, "to 0");
	else if (factor > 1 / 1.05) /* 1.0 either way, never 1/1.0 */
		snprintf(text, 40, "%s\xc3\x97",
		         dot_factor_text(number, factor < 1 ? 1 / factor : factor));
	else
		snprintf(text, 40, "1/%s", dot_factor_text(number, 1 / factor));
	return text;
}

const char *drawing_gradient_text(const struct drawing *d, const struct statistic *s, char *text)
{
	if (d->change)
		return drawing_factor_text(text, drawing_size(d, s));
	return drawing_size_text(text, d->options->stat == AD_STAT_MAX ? s->max : s->rms);
}

const char *drawing_weight_text(const struct drawing *d, const struct part *a, char *text)
{
	if (!d->change && d->options->stat == AD_STAT_RATIO && a->ratio > 0)
		return drawing_size_text(text, a->ratio);
	return drawing_gradient_text(d, &a->gradient, text);
}

const char *drawing_box_id(const struct drawing *d, const struct box *b, char *text)
{
	snprintf(text, 32, "%c%u", b->kind == BOX_PART ? 'n' : 'f',
	         b->kind == BOX_PART ? b->part : b->first);
	return text;
}

/* 3 points at the reference, 0.8 a decade. */
double drawing_width(const struct drawing *d, enum class class, double rms)
{
	double unit = d->reference > 0 ? d->reference : d->largest, width;

	if (class == CLASS_NAN)
		return 3;
	if (class == CLASS_NONE || class == CLASS_ZERO || unit == 0)
		return 1;
	width = 3 + 0.8 * log10(rms / unit);
	return width < 0.6 ? 0.6 : width > 7 ? 7 : width;
}

/* By the first use that it shows: the same whatever the gradients are. */
const char *drawing_arrow_id(const struct drawing *d, const struct arrow *a, char *text)
{
	snprintf(text, 32, "e%u_%d", d->uses[a->first].by, d->uses[a->first].input);
	return text;
}
