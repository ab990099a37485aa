/* TOML at standard input to the tagged JSON of toml-test; status 1 and the reason if it is not TOML. */
#include "../../src/base/toml.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void print_string(const char *s, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '"' || s[i] == '\\')
			printf("\\u%04x", (unsigned char)s[i]);
		else
			putchar(s[i]);
	putchar('"');
}

static void print_scalar(const struct toml *t)
{
	static const char *const names[] = {
		[TOML_STRING] = "string",   [TOML_INT] = "integer",       [TOML_FLOAT] = "float",
		[TOML_BOOL] = "bool",       [TOML_DATETIME] = "datetime", [TOML_DATETIME_LOCAL] = "datetime-local",
		[TOML_DATE] = "date-local", [TOML_TIME] = "time-local"};

	printf("{\"type\":\"%s\",\"value\":", names[t->type]);
	if (t->type == TOML_INT)
		printf("\"%" PRId64 "\"", t->i);
	else if (t->type == TOML_FLOAT)
		isnan(t->f) ? printf("\"nan\"") : printf("\"%.17g\"", t->f);
	else if (t->type == TOML_BOOL)
		printf("\"%s\"", t->b ? "true" : "false");
	else
		print_string(t->text, t->len);
	putchar('}');
}

static void print(const struct toml *t)
{
	bool table = t->type == TOML_TABLE;

	if (!table && t->type != TOML_ARRAY) {
		print_scalar(t);
		return;
	}
	putchar(table ? '{' : '[');
	for (const struct toml *c = t->child; c; c = c->next) {
		if (table) {
			print_string(c->key, c->key_len);
			putchar(':');
		}
		print(c);
		if (c->next)
			putchar(',');
	}
	putchar(table ? '}' : ']');
}

int main(void)
{
	static char text[TOML_MAX_SIZE + 1];
	size_t len = fread(text, 1, sizeof(text), stdin);
	struct gyve_err err = {0};
	struct toml *root;

	if (toml_parse(&root, text, len, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	print(root);
	putchar('\n');
	toml_free(root);
	return 0;
}
