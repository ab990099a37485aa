/* A hostile dump: opened, described, read. A first byte of 'R' (then the dump) opens it as bare memory; 'F' or
 * 'G' also looks for page tables in it, those of x86_64 or aarch64. */
#include "gyve/core.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* of a million that were run */
extern const unsigned fuzz_mutations;
const unsigned fuzz_mutations = 5000;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void look(struct gyve_core *core)
{
	static uint8_t buf[8192];
	uint64_t end = 0;

	must(core->arch && core->ncpus >= 1 && core->info.stop_cpu < core->ncpus);
	for (size_t i = 0; i < core->map.n; i++) {
		const struct gyve_region *r = &core->map.regions[i];
		uint64_t len, n = sizeof(buf);
		must(r->len && r->gpa >= end && r->gpa + r->len > r->gpa);
		end = r->gpa + r->len;
		if (i > 200)
			continue;
		core->phys.read(core->phys.ctx, r->gpa, buf, sizeof(buf));
		core->phys.read(core->phys.ctx, end - 1, buf, sizeof(buf));
		must(gyve_core_page_state(core, r->gpa, &len) <= GYVE_CORE_STORED);
		const uint8_t *p = gyve_core_ptr(core, r->gpa + r->len / 2, &n);
		must(!p || n > 0);
		if (p)
			memcpy(buf, p, n);
		if (core->phys.write)
			core->phys.write(core->phys.ctx, r->gpa, buf, 16);
	}
	for (unsigned c = 0; c < core->ncpus && c < 8; c++) {
		struct gyve_mmu mmu;
		struct gyve_walk w;
		gyve_mmu_from_regs(&mmu, &core->regs[c]);
		gyve_walk(&mmu, &core->phys, core->arch->pc(&core->regs[c]), &w);
		for (unsigned i = 0; i < core->arch->nregs; i++)
			core->arch->regs[i].get(&core->arch->regs[i], &core->regs[c], buf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gyve_core_open opt = {0};
	struct gyve_err err = {0};
	struct gyve_core *core;

	if (size && (*data == 'R' || *data == 'F' || *data == 'G')) {
		opt.raw = true;
		opt.find_roots = *data != 'R';
		opt.arch = *data == 'G' ? &gyve_arch_aarch64 : &gyve_arch_x86_64;
		opt.raw_gpa = opt.find_roots ? 0 : size * UINT64_C(0x9e3779b97f4a7c15);
		data++, size--;
	}
	if (gyve_core_open_mem(&core, data, size, &opt, &err) < 0) {
		must(err.code < 0 && err.text[0]);
		return 0;
	}
	look(core);
	gyve_core_close(core);
	return 0;
}
