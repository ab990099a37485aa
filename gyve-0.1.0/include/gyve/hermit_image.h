/* Hermit images: a gzip'd tar archive that holds a kernel, hermit.toml, and files for the guest. The archive is hostile: how
 * much it may unpack to is bounded before memory is taken, only plain files and directories count, and names lead nowhere. */
#ifndef GYVE_HERMIT_IMAGE_H
#define GYVE_HERMIT_IMAGE_H
#include "gyve/error.h"
#include "gyve/types.h"

#define GYVE_HERMIT_IMAGE_MAX (UINT64_C(1) << 30) /**< bytes unpacked, unless told otherwise */
enum { GYVE_HERMIT_IMAGE_FILES = 1 << 16, GYVE_HERMIT_IMAGE_NAME = 1024 };

struct gyve_hermit_file {
	char *name; /**< cleaned: no leading `/` or `./`; UTF-8 */
	uint8_t *data;
	size_t len;
};

struct gyve_hermit_image {
	uint8_t *tar; /**< the archive, gunzipped */
	size_t tar_len;
	struct gyve_hermit_file *files; /**< plain files, as they come */
	size_t nfiles;
	const struct gyve_hermit_file *kernel;
	const char **args; /**< kernel arguments, `--`, application arguments; NULL-terminated */
	const char **env;  /**< "K=V", NULL-terminated */
	uint64_t memory;   /**< bytes it needs at least; 0: does not say */
	unsigned cpus;     /**< vCPUs it needs at least; 0: does not say */
	struct toml *toml; /**< private: strings above are its */
};

struct gyve_filemap;

/** Is it gzip'd? Nothing else is looked at. */
bool gyve_hermit_image_probe(const void *data, size_t size);
/** Unpack and read hermit.toml. internal: names count as they are, and the last of equal ones; else equal names are an error.
 * max bounds the bytes unpacked. -ENOEXEC and a sentence; -ENOSYS: built without libarchive. */
int gyve_hermit_image_open(struct gyve_hermit_image **ret, const void *data, size_t size, bool internal, uint64_t max,
			   struct gyve_err *err);
void gyve_hermit_image_close(struct gyve_hermit_image *image); /**< NULL ok */
/** Every file becomes a read-only file of the guest under its name; borrowed until the map goes. */
int gyve_hermit_image_map(const struct gyve_hermit_image *image, struct gyve_filemap *map, struct gyve_err *err);
#endif
