/* What a Linux kernel carries with it. Input: a byte that says what the rest is: types (BTF), or memory with the tables of its
 * symbols, whose places come first as 16-bit numbers. */
#include "gyve/btf.h"
#include "gyve/kallsyms.h"

#include "../../src/base/bytes.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t *bytes;
static size_t nbytes;

static ssize_t read_bytes(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr >= nbytes)
		return -EFAULT;
	if (len > nbytes - addr)
		len = nbytes - (size_t)addr;
	memcpy(buf, bytes + addr, len);
	return (ssize_t)len;
}

static void symbols(void)
{
	const struct gyve_mem kernel = {.read = read_bytes};
	struct gyve_kallsyms k = {0};
	uint64_t *place[] = {&k.names, &k.num_syms, &k.token_table, &k.token_index, &k.offsets, &k.relative_base};
	struct gyve_symtab *t;
	struct gyve_err err = {0};
	uint8_t *elf = NULL;
	size_t size;
	uint64_t v;

	for (size_t i = 0; i < 6 && 2 * i + 2 <= nbytes; i++)
		*place[i] = get_le16(bytes + 2 * i);
	if (gyve_kallsyms_elf(&k, &kernel, GYVE_AARCH64, &elf, &size, &err) == 0 &&
	    gyve_symtab_create(&t, elf, size, 0, &err) == 0) {
		gyve_symtab_lookup(t, "panic", &v);
		gyve_symtab_destroy(t);
	}
	free(elf);
}

static void types(void)
{
	struct gyve_member m;
	struct gyve_err err = {0};
	struct gyve_btf *b;
	uint64_t size;

	if (gyve_btf_create(&b, bytes, nbytes, &err) < 0)
		return;
	gyve_btf_size(b, "task", &size);
	gyve_btf_member(b, "task", "two.b", &m);
	gyve_btf_member(b, "task", "sub.b", &m);
	gyve_btf_destroy(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	bytes = data + 1;
	nbytes = size - 1;
	data[0] & 1 ? symbols() : types();
	return 0;
}
