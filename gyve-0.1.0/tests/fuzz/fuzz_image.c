/* A hostile Hermit image, packed or (first byte '+') as a tar archive that is packed here by a stored gzip block. */
#include "gyve/filemap.h"
#include "gyve/hermit_image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 20, BLOCK = 65535 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_it(const uint8_t *data, size_t size, bool internal)
{
	struct gyve_hermit_image *image;
	struct gyve_filemap *map;
	struct gyve_err err = {0};
	uint64_t sum = 0;

	if (gyve_hermit_image_open(&image, data, size, internal, MAX, &err) < 0) {
		must(err.code < 0 && err.text[0]);
		return;
	}
	must(image->tar_len <= MAX && image->kernel && image->nfiles <= GYVE_HERMIT_IMAGE_FILES);
	for (size_t i = 0; i < image->nfiles; i++)
		sum += image->files[i].len;
	must(sum <= MAX);
	for (const char **a = image->args; *a; a++)
		must(strlen(*a) < MAX);
	for (const char **e = image->env; *e; e++)
		must(strchr(*e, '=') != NULL);
	must(gyve_filemap_create(&map) == 0);
	(void)gyve_hermit_image_map(image, map, &err);
	gyve_filemap_destroy(map);
	gyve_hermit_image_close(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1};
	size_t n = size - 1;
	uint8_t *gz;

	must(!gyve_hermit_image_probe(data, size < 4 ? size : 0));
	if (!size || data[0] != '+' || n > BLOCK) {
		try_it(data, size, false);
		return 0;
	}
	gz = calloc(1, sizeof(head) + 4 + n + 8); /* the sum at the end is not looked at */
	must(gz != NULL);
	memcpy(gz, head, sizeof(head));
	gz[sizeof(head)] = (uint8_t)n, gz[sizeof(head) + 1] = (uint8_t)(n >> 8);
	gz[sizeof(head) + 2] = (uint8_t)~n, gz[sizeof(head) + 3] = (uint8_t)(~n >> 8);
	memcpy(gz + sizeof(head) + 4, data + 1, n);
	try_it(gz, sizeof(head) + 4 + n + 8, false);
	try_it(gz, sizeof(head) + 4 + n + 8, true);
	free(gz);
	return 0;
}
