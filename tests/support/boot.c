#include "boot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void say(void *ctx, const void *buf, size_t len)
{
	struct boot *b = ctx;
	size_t room = sizeof(b->out) - 1 - b->nout, n = len < room ? len : room;

	memcpy(b->out + b->nout, buf, n);
	b->nout += n;
	b->out[b->nout] = '\0';
}

static int add_memory(struct boot *b)
{
	const struct gyve_layout *l = &b->layout;
	void *p = mmap(NULL, l->ram_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	b->ram = p;
	return gyve_memmap_add(&b->map, l->ram_gpa + l->window_len, l->ram_len - l->window_len, b->ram + l->window_len,
			       GYVE_REGION_RAM, "ram");
}

int boot_start(struct boot *b, const struct gyve_platform_ops *ops, const void *file, size_t size)
{
	struct gyve_sink out = {say, b};
	int r = gyve_elf_parse(&b->elf, file, size, &b->err);

	if (r < 0 && ops->raw) { /* as the VM does */
		b->elf = (struct gyve_elf){.data = file, .size = size};
		r = ops->probe(&b->elf) ? 0 : r;
	}
	b->ops = ops;
	b->host.map = &b->map;
	gyve_memmap_init(&b->map);
	if (!b->params.ncpus)
		b->params.ncpus = 1;
	if (r == 0)
		r = ops->plan(&b->elf, &b->params, &out, &b->layout, &b->state, &b->err);
	if (r == 0)
		r = add_memory(b);
	if (r == 0 && ops->attach)
		r = ops->attach(b->state, &b->host, &b->err);
	if (r == 0)
		r = ops->load(b->state, &b->map, &b->err);
	return r;
}

void boot_end(struct boot *b)
{
	if (b->state)
		b->ops->destroy(b->state);
	gyve_memmap_deinit(&b->map);
	if (b->ram)
		munmap(b->ram, b->layout.ram_len);
	b->ram = NULL;
	b->state = NULL;
}

void boot_cpu(struct boot *b, unsigned cpu)
{
	memset(&b->regs, 0, sizeof(b->regs));
	b->regs.arch = b->layout.arch;
	b->regs.valid = GYVE_REGS_GPR | GYVE_REGS_SYS;
	if (b->layout.arch == GYVE_AARCH64)
		b->regs.a64.id_aa64mmfr0_el1 = 5; /* 48-bit physical addresses */
	b->ops->cpu_init(b->state, cpu, &b->regs);
}

static const struct gyve_regs *give_regs(void *ctx, unsigned groups)
{
	struct boot *b = ctx;

	(void)groups;
	return b->no_regs ? NULL : &b->regs;
}

static bool is_wanted(void *ctx)
{
	const struct boot *b = ctx;

	return b->wanted;
}

static enum gyve_access_result access_one(struct boot *b, struct gyve_access *a)
{
	a->regs = give_regs;
	a->interrupted = is_wanted;
	a->ctx = b;
	return b->ops->access(b->state, a, &b->code, &b->err);
}

enum gyve_access_result boot_out(struct boot *b, uint16_t port, uint32_t value, unsigned len)
{
	uint8_t data[4];
	struct gyve_access a = {.write = true, .pio = true, .addr = port, .len = len, .data = data};

	memcpy(data, &value, sizeof(data));
	return access_one(b, &a);
}

enum gyve_access_result boot_in(struct boot *b, uint16_t port, unsigned len, uint32_t *ret)
{
	uint8_t data[4] = {0};
	struct gyve_access a = {.pio = true, .addr = port, .len = len, .data = data};
	enum gyve_access_result res = access_one(b, &a);

	memcpy(ret, data, sizeof(data));
	return res;
}

enum gyve_access_result boot_store(struct boot *b, uint64_t gpa, uint64_t value)
{
	uint8_t data[8];
	struct gyve_access a = {.write = true, .addr = gpa, .len = 8, .data = data};

	memcpy(data, &value, sizeof(data));
	return access_one(b, &a);
}

uint8_t *boot_ptr(struct boot *b, uint64_t gpa, uint64_t len)
{
	return gyve_memmap_ptr(&b->map, gpa, len);
}
