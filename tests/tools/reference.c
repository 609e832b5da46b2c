/*
 * reference: ops/README.md is what `autograd ops --markdown` prints.
 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(reference, is_current)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char words[4096], have[4096], want[4096];
	FILE *printed, *kept = fopen("ops/README.md", "r");
	int line = 0;

	cr_assert_not_null(kept, "ops/README.md cannot be read; `make docs` makes it");
	snprintf(words, sizeof words, "'%s' ops --markdown", command ? command : "build/autograd");
	printed = popen(words, "r");
	cr_assert_not_null(printed);
	for (;;) {
		char *a = fgets(want, sizeof want, printed), *b = fgets(have, sizeof have, kept);

		line++;
		cr_assert_eq(a != NULL, b != NULL,
		             "ops/README.md: line %d is where one of both ends; run `make docs`",
		             line);
		if (!a)
			break;
		cr_assert_str_eq(have, want, "ops/README.md:%d is not current; run `make docs`",
		                 line);
	}
	cr_assert_gt(line, 1000, "the reference has but %d lines", line);
	cr_assert_eq(pclose(printed), 0);
	fclose(kept);
}
