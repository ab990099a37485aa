/* A hostile TOML document: what comes out is a tree whose parts are what they say. */
#include "../../src/base/toml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct toml *t, unsigned *values)
{
	const struct toml *last = NULL;

	must(++*values <= TOML_MAX_VALUES + 1);
	must((t->type != TOML_STRING && t->type < TOML_DATETIME) || (t->text && t->text[t->len] == '\0'));
	must(!t->child || t->type == TOML_TABLE || t->type == TOML_ARRAY);
	must(toml_type_name(t->type) != NULL);
	for (const struct toml *c = t->child; c; c = c->next) {
		must((c->key != NULL) == (t->type == TOML_TABLE));
		check(c, values);
		last = c;
	}
	must(last == t->last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gyve_err err = {0};
	struct toml *root;
	unsigned values = 0;
	int ret = toml_parse(&root, (const char *)data, size, &err);

	must(ret == 0 || (ret == -EINVAL && err.text[0]));
	if (ret == 0) {
		check(root, &values);
		toml_free(root);
	}
	return 0;
}
