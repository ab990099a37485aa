/* A fuzz target as a plain regression test: every file given, or in a directory given, goes through it once.
 * Without arguments replay_NAME takes $srcdir/tests/fuzz/corpus/NAME. An empty corpus is a failure: nothing was tested.
 * A target that defines fuzz_mutations has its inputs damaged as often besides, the same way each time; --mutate N in front of
 * the arguments: N times, whatever the target says. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned fuzz_mutations __attribute__((weak));

enum { LARGEST = 1 << 24, MAX_SEEDS = 256 };
static unsigned count;

/* --- damage */

static struct seed {
	uint8_t *data;
	size_t len;
} seeds[MAX_SEEDS];
static unsigned nseeds;
static bool keep;

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13, x ^= x >> 7, x ^= x << 17;
	return x;
}

static size_t below(size_t n)
{
	return n ? (size_t)(next_random() % n) : 0;
}

static void put_number(uint8_t *p, size_t len)
{
	static const uint64_t values[] = {0,
					  1,
					  7,
					  0x7f,
					  0xff,
					  0xfff,
					  0x1000,
					  0x7fffffff,
					  0x80000000,
					  0xffffffff,
					  0x100000000,
					  0x7fffffffffffffff,
					  0x8000000000000000,
					  0xffffffffffffffff,
					  0xfffffffffffff000};
	uint64_t v = values[below(sizeof(values) / sizeof(*values))] + (below(4) ? 0 : below(64) - 32);
	size_t width = (size_t)1 << below(4), at = below(len);

	if (below(4))
		at -= at % width;
	if (len - at >= width)
		memcpy(p + at, &v, width);
}

/* One change of *len bytes, of which there is room for max. */
static void damage(uint8_t *p, size_t *len, size_t max)
{
	size_t at = below(*len), n;

	switch (*len ? below(8) : 7) {
	case 0:
	case 1:
		p[at] ^= (uint8_t)(1 << below(8));
		break;
	case 2:
		p[at] = (uint8_t)next_random();
		break;
	case 3:
	case 4:
		put_number(p, *len);
		break;
	case 5:
		n = below(*len - at + 1);
		memmove(p + below(*len - n + 1), p + at, n);
		break;
	case 6:
		if (!below(8))
			*len = at;
		break;
	default:
		n = below(64);
		if (!below(8) && *len + n <= max) {
			memset(p + *len, (int)below(256), n);
			*len += n;
		}
	}
}

static bool mutate(unsigned long times)
{
	for (unsigned long i = 0; i < times && nseeds; i++) {
		const struct seed *s = &seeds[below(nseeds)];
		size_t len = s->len, max = len + 256;
		uint8_t *p = malloc(max), *exact;
		if (!p)
			return false;
		memcpy(p, s->data, len);
		for (size_t k = 1 + below(8); k > 0; k--)
			damage(p, &len, max);
		exact = realloc(p, len ? len : 1);
		LLVMFuzzerTestOneInput(exact ? exact : p, len);
		free(exact ? exact : p);
	}
	return true;
}

/* --- the corpus */

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL, *exact;
	size_t n;

	if (!file || !(data = malloc(LARGEST))) {
		perror(path);
		if (file)
			fclose(file);
		return false;
	}
	n = fread(data, 1, LARGEST, file);
	fclose(file);
	exact = realloc(data, n ? n : 1); /* a read behind the end is one behind the allocation */
	LLVMFuzzerTestOneInput(exact ? exact : data, n);
	count++;
	if (keep && exact && nseeds < MAX_SEEDS)
		seeds[nseeds++] = (struct seed){exact, n};
	else
		free(exact ? exact : data);
	return true;
}

static bool run(const char *path)
{
	char inner[4096];
	struct dirent *e;
	struct stat st;
	bool ok = true;
	DIR *dir;

	if (stat(path, &st) < 0) {
		perror(path);
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	dir = opendir(path);
	if (!dir) {
		perror(path);
		return false;
	}
	while (ok && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name) >= sizeof(inner)) {
			fprintf(stderr, "%s: the path is too long\n", path);
			ok = false;
		} else {
			ok = run(inner);
		}
	}
	closedir(dir);
	return ok;
}

/* .../replay_packet: $srcdir/tests/fuzz/corpus/packet */
static bool run_default(const char *program)
{
	const char *srcdir = getenv("srcdir"), *name = strrchr(program, '_');
	char path[4096];

	if (!name)
		return false;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name + 1);
	return run(path);
}

int main(int argc, char **argv)
{
	bool asked = argc > 2 && strcmp(argv[1], "--mutate") == 0, ok;
	unsigned long times = asked ? strtoul(argv[2], NULL, 0) : &fuzz_mutations ? fuzz_mutations : 0;
	int first = asked ? 3 : 1;

	keep = times > 0;
	ok = argc > first || run_default(argv[0]);
	for (int i = first; i < argc && ok; i++)
		ok = run(argv[i]);
	ok = ok && mutate(times);
	printf("%u inputs, %lu more by damage\n", count, times);
	while (nseeds)
		free(seeds[--nseeds].data);
	return ok && count > 0 ? 0 : 1;
}
