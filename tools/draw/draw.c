/*
 * draw: ad_draw: a graph as DOT, text or JSON.
 */
#include "dot.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static bool write_picture(struct drawing *d, bool circuit, FILE *to)
{
	/* Straight pieces for curves and few rounds of improvement: 20 times as fast. */
	static const char *const coarse[][2] = { { "splines", "polyline" },
		                                 { "nslimit", "0.03" },
		                                 { "nslimit1", "0.03" },
		                                 { "mclimit", "0.05" } };
	struct picture p = { .d = d };
	bool written = false;

	p.root = agopen(dot_unconst(circuit ? "circuit" : "flow"), Agdirected, NULL);
	if (!p.root || !dot_declare(&p, circuit))
		p.failed = true;
	else if (circuit)
		dot_draw_circuit(&p);
	else
		dot_draw_flow(&p);
	for (size_t k = 0; k < 4 && d->n_boxes > COARSE_BOXES && p.root; k++)
		p.failed |=
		    !agattr(p.root, AGRAPH, dot_unconst(coarse[k][0]), dot_unconst(coarse[k][1]));
	p.failed |= p.text.failed;
	if (!p.failed)
		written = agwrite(p.root, to) == 0 && fflush(to) == 0 && !ferror(to);
	if (p.root)
		agclose(p.root);
	free(p.text.s);
	if (p.failed)
		return drawing_fail(d, "draw: out of memory for a graph of %zu nodes", d->n_nodes);
	return written || drawing_fail(d, "draw: the diagram could not be written");
}

bool ad_draw(ad_node *y, const ad_draw_options *o, FILE *to, char *error, size_t n)
{
	static const ad_draw_options usual = { .step = -1 };
	/* Numbers are written with a point, whatever the program's language. */
	locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before = (locale_t)0;
	struct drawing d;
	bool circuit = false, good;

	if (plain)
		before = uselocale(plain);
	good = drawing_read(&d, y, o ? o : &usual, error, n);
	if (good) {
		circuit =
		    d.options->form == AD_DRAW_DOT && !d.options->record && drawing_is_circuit(&d);
		good = circuit ? drawing_circuit(&d) : drawing_flow(&d);
	}
	if (good && d.options->form != AD_DRAW_DOT) {
		good = d.options->form == AD_DRAW_TEXT ? drawing_write_text(&d, to)
		                                       : drawing_write_json(&d, to);
	} else if (good) {
		pthread_mutex_lock(&one_at_a_time);
		good = write_picture(&d, circuit, to);
		pthread_mutex_unlock(&one_at_a_time);
	}
	drawing_free(&d);
	if (plain) {
		uselocale(before);
		freelocale(plain);
	}
	return good;
}
