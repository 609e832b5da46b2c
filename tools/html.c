/*
 * html: writes text into pages.
 */
#include "html.h"
#include "draw/drawing.h"

void html_text(FILE *to, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t bytes;

	for (; *s; s += bytes) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (c == '&')
			fputs("&amp;", to);
		else if (c == '<')
			fputs("&lt;", to);
		else if (c == '>')
			fputs("&gt;", to);
		else if (c == '"')
			fputs("&quot;", to);
		else if (c == 0xfffd || drawing_is_unprintable(c))
			fputs("\xef\xbf\xbd", to);
		else
			fwrite(s, 1, bytes, to);
	}
}

