/*
 * print: numbers, strings and arrays as text and as JSON.
 *
 * JSON has no word for a number that is not finite. It is written as a string, "NaN", "Infinity" or
 * "-Infinity", which the number constructors of most languages read.
 */
#include "command.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

char *print_thousands(char *text, uint64_t number)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRIu64, number), at = 0;

	for (int k = 0; k < n; k++) {
		if (k > 0 && (n - k) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[k];
	}
	text[at] = '\0';
	return text;
}

char *print_real(char *text, double value, bool f32)
{
	int least = f32 ? 6 : 15, most = f32 ? 9 : 17;

	if (isnan(value))
		return strcpy(text, "NaN");
	if (isinf(value))
		return strcpy(text, value > 0 ? "Infinity" : "-Infinity");
	for (int digits = least; digits <= most; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		if (f32 ? (double)strtof(text, NULL) == value : strtod(text, NULL) == value)
			break;
	}
	return text;
}

char *print_bytes(char *text, size_t n, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double value = (double)bytes;
	int unit = 0;

	for (; value >= 999.5 && unit < 4; unit++)
		value /= 1000;
	snprintf(text, n, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

void json_real(FILE *to, double value)
{
	char text[32];

	print_real(text, value, false);
	fprintf(to, isfinite(value) ? "%s" : "\"%s\"", text);
}

/* The length of the code point that starts at text; 0: no valid UTF-8. */
static size_t code_point(const char *text)
{
	const unsigned char *b = (const unsigned char *)text;
	size_t length = b[0] < 0x80 ? 1 : b[0] < 0xC2 ? 0 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;

	if (length == 0 || b[0] > 0xF4)
		return 0;
	for (size_t k = 1; k < length; k++)
		if ((b[k] & 0xC0) != 0x80)
			return 0;
	if ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F) ||
	    (b[0] == 0xF0 && b[1] < 0x90) || (b[0] == 0xF4 && b[1] > 0x8F))
		return 0;
	return length;
}

void json_text(FILE *to, const char *text)
{
	fputc('"', to);
	while (*text) {
		size_t length = code_point(text);

		if (length == 0) {
			fputs("\\ufffd", to);
			length = 1;
		} else if (*text == '"' || *text == '\\') {
			fprintf(to, "\\%c", *text);
		} else if ((unsigned char)*text < 0x20 || *text == 0x7F) {
			fprintf(to, "\\u%04x", (unsigned)*text);
		} else {
			fwrite(text, 1, length, to);
		}
		text += length;
	}
	fputc('"', to);
}

static const double *json_axis(FILE *to, const double *values, ad_shape shape, int axis,
                               ad_type type)
{
	if (axis == shape.rank) {
		if (type == AD_BOOL)
			fputs(*values != 0 ? "true" : "false", to);
		else
			json_real(to, *values);
		return values + 1;
	}
	fputc('[', to);
	for (int64_t k = 0; k < shape.dims[axis]; k++) {
		if (k > 0)
			fputc(',', to);
		values = json_axis(to, values, shape, axis + 1, type);
	}
	fputc(']', to);
	return values;
}

void json_array(FILE *to, const double *values, ad_shape shape, ad_type type)
{
	json_axis(to, values, shape, 0, type);
}
