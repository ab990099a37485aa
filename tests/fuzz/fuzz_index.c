/* A hostile index of symbols, sealed as if it were ours, for the ELF that this program is. Input: a byte, how many of the
 * rest's words (of 8 bytes) belong to symbols, out of 256; the rest. */
#include "../../src/sym/symtab_priv.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gyve_symtab *open_self(void)
{
	static uint8_t *image;
	static size_t len;
	struct gyve_symtab *t;
	struct stat st;

	if (!image) {
		int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0 || !(image = calloc(1, (size_t)st.st_size + GYVE_SYM_TAIL)) ||
		    read(fd, image, (size_t)st.st_size) != st.st_size)
			abort();
		close(fd);
		len = (size_t)st.st_size;
	}
	if (gyve_symtab_borrow(&t, image, len, 0, NULL) < 0)
		abort();
	elf_version(EV_CURRENT);
	t->elf = elf_memory((char *)image, len);
	gyve_symtab_read_sections(t);
	return t;
}

static int see(void *ctx, const char *name, uint64_t addr, uint64_t size)
{
	*(uint64_t *)ctx += strlen(name) + addr + size;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t nsyms = size ? data[0] * (size - 1) / 256 / sizeof(struct gyve_symbol) : 0;
	size_t nunits = size ? (size - 1 - nsyms * sizeof(struct gyve_symbol)) / sizeof(struct gyve_dw_unit) : 0;
	size_t len = nsyms * sizeof(struct gyve_symbol) + nunits * sizeof(struct gyve_dw_unit);
	uint8_t *file = malloc(GYVE_INDEX_HEAD + len);
	struct gyve_symtab *t = open_self();
	struct gyve_source s[4];
	uint64_t sum = 0, addr;
	char text[128];

	if (len)
		memcpy(file + GYVE_INDEX_HEAD, data + 1, len);
	gyve_index_seal(t, nsyms, nunits, file, GYVE_INDEX_HEAD + len);
	t->parsed = gyve_index_take(t, file, GYVE_INDEX_HEAD + len);
	if (t->parsed) {
		gyve_symtab_make_reach(t);
		gyve_symtab_each(t, see, &sum);
		for (size_t i = 0; i < 8 + nsyms && i < 64; i++) {
			addr = i < t->nsyms ? t->syms[i].start + i : i * 0x1000;
			gyve_symtab_format(t, addr, text, sizeof(text));
			gyve_symtab_sources(t, addr, s, 4);
		}
		gyve_symtab_lookup(t, "main", &addr);
	}
	free(file);
	gyve_symtab_destroy(t);
	return 0;
}
