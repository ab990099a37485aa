/* Modules of a Linux kernel. Input: a byte that says what the rest is: a module's file, or memory from 0 on with the list of
 * modules at 0, of an older kernel or of a newer one. */
#include "../../src/target/modules.h"

#include <errno.h>
#include <string.h>

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

static void file(void)
{
	struct gyve_ko ko;

	if (gyve_ko_read(bytes, nbytes, &ko) == 0)
		gyve_ko_free(&ko);
}

static void list(bool newer)
{
	const struct gyve_mem mem = {.read = read_bytes};
	const struct gyve_module_layout older = {.list = 8,
						 .state = 0,
						 .name = 24,
						 .sect_attrs = 80,
						 .base = 88,
						 .size = 96,
						 .mem = -1,
						 .mem_each = -1,
						 .nsections = 0,
						 .attrs = 8,
						 .bin_attrs = -1,
						 .attr_each = 16,
						 .attr_name = 0,
						 .attr_address = 8};
	const struct gyve_module_layout recent = {.list = 8,
						  .state = 0,
						  .name = 24,
						  .sect_attrs = 80,
						  .base = -1,
						  .size = -1,
						  .mem = 88,
						  .mem_base = 0,
						  .mem_size = 8,
						  .mem_each = 16,
						  .mem_n = 4,
						  .nsections = -1,
						  .attrs = 8,
						  .bin_attrs = 0,
						  .attr_each = -1,
						  .attr_name = 0,
						  .attr_address = 8};
	struct gyve_err err = {0};
	struct gyve_module *m = NULL;
	ssize_t n = gyve_modules_read(&mem, newer ? &recent : &older, 0, &m, &err);

	for (ssize_t i = 0; i < n; i++) {
		gyve_module_section(&m[i], ".text");
		gyve_module_state(&m[i]);
	}
	gyve_modules_free(m, n > 0 ? (size_t)n : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	bytes = data + 1;
	nbytes = size - 1;
	if (data[0] % 3 == 0)
		file();
	else
		list(data[0] % 3 == 2);
	return 0;
}
