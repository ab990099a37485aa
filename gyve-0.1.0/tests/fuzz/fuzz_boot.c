/* A hostile image from file to first instruction on either platform, and then a hostile guest's accesses.
 * Input: a byte of settings (bits 0-1: vCPUs - 1; bit 2: 32 MiB instead of 16), a byte n, n accesses, the image. An access is
 * 12 bytes: port or offset in the window (2), what (1: 0 out, 1 in, else store), length (1), the argument (8). */
#include "../support/boot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACCESS = 12 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void make_access(struct boot *b, const uint8_t *p)
{
	static const uint8_t widths[] = {1, 2, 4};
	enum gyve_access_result res;
	uint16_t number;
	uint64_t arg;
	uint32_t v;

	memcpy(&number, p, 2);
	memcpy(&arg, p + 4, 8);
	if (b->layout.arch == GYVE_X86_64)
		b->regs.x86.gpr[GYVE_RDI] = arg;
	else
		b->regs.a64.x[8] = arg;
	b->err.text[0] = '\0';
	if (p[2] == 0)
		res = boot_out(b, number, (uint32_t)arg, widths[p[3] % 3]);
	else if (p[2] == 1)
		res = boot_in(b, number, widths[p[3] % 3], &v);
	else
		res = boot_store(b, b->layout.ram_gpa + number, arg);
	must(res != GYVE_ACCESS_CRASH || b->err.text[0] != '\0');
	b->nout = 0;
}

/* Breakpoints rely on it. */
static void check_layout(struct boot *b)
{
	const struct gyve_layout *l = &b->layout;

	for (unsigned i = 0; i < l->nsegs; i++)
		must(boot_ptr(b, l->seg[i].gpa, l->seg[i].len) != NULL);
}

static void boot(const struct gyve_platform_ops *ops, uint8_t settings, const uint8_t *accesses, size_t n, const uint8_t *image,
		 size_t size)
{
	static struct boot b;

	memset(&b, 0, sizeof(b));
	b.params = (struct gyve_boot_params){.path = "image",
					     .mem_size_given = true,
					     .mem_size = (settings & 4 ? 32 : 16) << 20,
					     .ncpus = (settings & 3) + 1u,
					     .args = (const char *const[]){"-a", "--", "b c", NULL},
					     .env = (const char *const[]){"K=V", NULL}};
	b.wanted = true; /* nobody types */
	if (boot_start(&b, ops, image, size) == 0) {
		check_layout(&b);
		for (unsigned i = b.params.ncpus; i-- > 0;)
			boot_cpu(&b, i);
		for (size_t i = 0; i < n; i++)
			make_access(&b, accesses + i * ACCESS);
	} else {
		must(b.err.text[0] != '\0');
	}
	boot_end(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gyve_elf elf;

	if (size < 2 || size - 2 < (size_t)data[1] * ACCESS)
		return 0;
	const uint8_t *image = data + 2 + (size_t)data[1] * ACCESS;
	size_t left = size - (size_t)(image - data);
	if (gyve_elf_parse(&elf, image, left, NULL) < 0 || (elf.machine != GYVE_X86_64 && elf.machine != GYVE_AARCH64))
		return 0; /* as the VM: a platform sees only machines that gyve knows */
	if (gyve_platform_hermit.probe(&elf))
		boot(&gyve_platform_hermit, data[0], data + 2, data[1], image, left);
	else if (gyve_platform_bare.probe(&elf))
		boot(&gyve_platform_bare, data[0], data + 2, data[1], image, left);
	return 0;
}
