/* Symbols: bench_sym ELF NAME...: seconds from nothing to "file.c:LINE" of the first NAME, without an index and with one; rows
 * "what|number|peer|goal". XDG_CACHE_HOME says where the index is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../src/base/io.h"
#include "gyve/sym.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double ask(const char *path, uint64_t addr, const char *key)
{
	struct gyve_err err = {0};
	struct gyve_symtab *t;
	const uint8_t *data;
	char text[256];
	size_t size;
	double start = now(), seconds;

	if (gyve_file_map(path, &data, &size, &err) < 0 || gyve_symtab_borrow(&t, data, size, 0, &err) < 0) {
		fprintf(stderr, "bench_sym: %s\n", err.text);
		exit(1);
	}
	if (key)
		gyve_symtab_keep_index(t, key);
	gyve_symtab_format(t, addr, text, sizeof(text));
	seconds = now() - start;
	if (!strchr(text, ':')) {
		fprintf(stderr, "bench_sym: no line: %s\n", text);
		exit(1);
	}
	gyve_symtab_destroy(t);
	gyve_file_unmap(data, size);
	return seconds;
}

static double best_of(const char *path, uint64_t addr, const char *key)
{
	double best = 0, t;

	for (int i = 0; i < 5; i++) {
		t = ask(path, addr, key);
		if (!best || t < best)
			best = t;
	}
	return best;
}

int main(int argc, char **argv)
{
	uint64_t addr;

	if (argc != 3)
		return 2;
	addr = strtoull(argv[2], NULL, 0);
	printf("first pc to file:line of vmlinux, ms|%.0f|-|1000\n", best_of(argv[1], addr, NULL) * 1e3);
	ask(argv[1], addr, "bench");
	printf("the same with the index kept, ms|%.0f|-|50\n", best_of(argv[1], addr, "bench") * 1e3);
	return 0;
}
