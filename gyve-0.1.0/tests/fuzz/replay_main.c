/* A fuzz target as a plain regression test: every file given, or in a directory given, goes through it once.
 * Without arguments replay_NAME takes $srcdir/tests/fuzz/corpus/NAME. An empty corpus is a failure: nothing was tested. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 24 };
static unsigned count;

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
	free(exact ? exact : data);
	count++;
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
	bool ok = argc > 1 || run_default(argv[0]);

	for (int i = 1; i < argc && ok; i++)
		ok = run(argv[i]);
	printf("%u inputs\n", count);
	return ok && count > 0 ? 0 : 1;
}
