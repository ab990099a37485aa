/* docs/rsp-support.md against the packet table: each packet is in the first column of a row, and each packet of a first column
 * is in the table; none of those below "Not there" is. In a first column packets are in `code`, several apart by blanks; what
 * follows the word "with", "behind", "reply" or "replies" is not a packet of the client's. */
#include "unit.h"

#include "internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACKETS = 300, NAME = 64 };

struct list {
	char name[PACKETS][NAME];
	size_t n;
};

static struct list there, absent;

/* Not packets, or of another layer: bytes outside of packets, and what a packet says. */
static bool is_other(const char *word)
{
	static const char *const others[] = {"+", "-", "}", "*", "0x03", "gdb", "O"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(word, others[i]) == 0)
			return true;
	return word[0] == ';' || strstr(word, ":") == word + strlen(word) - 1;
}

static void add_words(struct list *l, const char *code, size_t len)
{
	char text[400], *save;

	assert_true(len < sizeof(text));
	memcpy(text, code, len);
	text[len] = '\0';
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (is_other(w))
			continue;
		assert_true(l->n < PACKETS && strlen(w) < NAME);
		strcpy(l->name[l->n++], w);
		if (strchr("qQvj_", w[0]) && strchr(w, ':')) /* the words behind it are its operations */
			break;
	}
}

static void add_row(struct list *l, const char *line)
{
	static const char *const ends[] = {" with ", " behind ", "reply ", "replies "};
	const char *end = strstr(line + 1, " | "), *p = line;

	if (!end)
		return;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const char *at = strstr(line, ends[i]), *next = at ? strchr(at, ';') : NULL;
		if (at && at < end && (!next || next > end))
			end = at;
	}
	while ((p = memchr(p, '`', (size_t)(end - p))) != NULL) {
		const char *close = strchr(p + 1, '`');
		const char *with = strstr(line, " with ");
		assert_non_null(close);
		if (!with || with > p || memchr(with, ';', (size_t)(p - with))) /* "`x` with `y`; `z`": y is none */
			add_words(l, p + 1, (size_t)(close - p - 1));
		p = close + 1;
		if (p >= end)
			break;
	}
}

static int read_docs(void **state)
{
	const char *dir = getenv("srcdir");
	struct list *l = NULL;
	char path[1000], line[2000];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/docs/rsp-support.md", dir ? dir : ".");
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "## ", 3) == 0)
			l = strstr(line, "Not there") ? &absent : &there;
		else if (l && line[0] == '|')
			add_row(l, line);
	}
	fclose(f);
	return there.n > 30 && absent.n > 10 ? 0 : -1;
}

/* A row of the table by a word of the documentation: "qXfer:siginfo:read" is qXfer, "vFile:setfs" vFile. */
static bool means(const char *word, const char *packet)
{
	size_t n = strcspn(word, ":,;=");

	return (n > 0 && strlen(packet) == n && memcmp(word, packet, n) == 0) || strcmp(word, packet) == 0;
}

static bool in_table(const char *word)
{
	const char *packet;

	for (size_t i = 0; (packet = gdbstub_packet_name(i)) != NULL; i++)
		if (means(word, packet))
			return true;
	/* Z0 to Z4 and their like */
	return strlen(word) == 2 && isdigit((unsigned char)word[1]) && in_table((const char[]){word[0], '\0'});
}

static void test_every_packet_is_documented(void **state)
{
	const char *packet;
	unsigned missing = 0;

	(void)state;
	for (size_t i = 0; (packet = gdbstub_packet_name(i)) != NULL; i++) {
		bool found = false;
		for (size_t k = 0; k < there.n && !found; k++)
			found = means(there.name[k], packet) || (strchr("Zz", packet[0]) && there.name[k][0] == packet[0]);
		if (!found)
			print_error("docs/rsp-support.md has no row for %s\n", packet), missing++;
	}
	assert_int_equal(missing, 0);
}

static void test_what_is_documented_exists(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (size_t i = 0; i < there.n; i++)
		if (!in_table(there.name[i]))
			print_error("docs/rsp-support.md has %s, the packet table has not\n", there.name[i]), missing++;
	assert_int_equal(missing, 0);
}

static void test_what_is_absent_is_absent(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < absent.n; i++)
		if (!strchr(absent.name[i], ':') && in_table(absent.name[i]))
			print_error("docs/rsp-support.md says that %s is absent\n", absent.name[i]), wrong++;
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_packet_is_documented),
		cmocka_unit_test(test_what_is_documented_exists),
		cmocka_unit_test(test_what_is_absent_is_absent),
	};

	return cmocka_run_group_tests_name("packets and their documentation", tests, read_docs, NULL);
}
