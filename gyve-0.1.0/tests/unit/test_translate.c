/* Our walker against the hypervisor's own (KVM_TRANSLATE) on a real vCPU, over random tables. */
#include "unit.h"

#include "gyve/backend.h"

#include <stdio.h>
#include <sys/mman.h>

enum { MEM = 1 << 20 };

static uint8_t *ram;
static struct gyve_memmap map;
static struct gyve_bvm *vm;
static struct gyve_bvcpu *vcpu;
static char why_not[512];

static uint64_t seed = 88172645463325252;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int open_vm(void **state)
{
	struct gyve_vm_config cfg = {.ncpus = 1};
	struct gyve_err err = {0};

	(void)state;
	ram = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(ram != MAP_FAILED);
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, 0, MEM, ram, GYVE_REGION_RAM, "ram"), 0);
	if (gyve_backend_kvm.vm_create(&cfg, &vm, &err) < 0 || gyve_backend_kvm.map(vm, 0, 0, ram, MEM, 0) < 0 ||
	    gyve_backend_kvm.vcpu_create(vm, 0, &vcpu, &err) < 0)
		snprintf(why_not, sizeof(why_not), "%s", err.text[0] ? err.text : "KVM takes no memory");
	return 0;
}

static int close_vm(void **state)
{
	(void)state;
	gyve_backend_kvm.vcpu_destroy(vcpu);
	gyve_backend_kvm.vm_destroy(vm);
	gyve_memmap_deinit(&map);
	return munmap(ram, MEM);
}

static void fill_tables(unsigned bytes)
{
	for (uint64_t at = 0; at < MEM; at += bytes) {
		uint64_t e = (rnd() % (MEM / 4096)) << 12 | (rnd() & 0x7e) | (rnd() % 8 ? 0x21 : 0);
		if (rnd() % 4 == 0)
			e |= (rnd() & 0x1ff) << 12;
		if (bytes == 8 && rnd() % 32 == 0)
			e |= UINT64_C(1) << (9 + rnd() % 55); /* bit 8 above the leaf is reserved on AMD only */
		if (rnd() % 8 == 0)
			e |= 0x80;
		memcpy(ram + at, &e, bytes);
	}
}

/* Whether this vCPU has 1 GiB pages is not asked: such entries are left out. */
static bool is_gigabyte(const struct gyve_walk *w)
{
	const struct gyve_walk_step *s = &w->step[w->nsteps - 1];
	return w->nsteps && s->level == 3 && s->entry & 0x80;
}

static unsigned compare(const struct gyve_mmu *mmu, gyve_gva_t gva)
{
	struct gyve_mem phys = gyve_memmap_mem(&map);
	struct gyve_walk w;
	gyve_gpa_t gpa = 0;
	char text[300];
	bool ours = gyve_walk(mmu, &phys, gva, &w) == 0;

	if (is_gigabyte(&w))
		return 0;
	bool theirs = gyve_backend_kvm.translate(vcpu, gva, &gpa) == 0;
	gyve_walk_explain(mmu, gva, &w, text, sizeof(text));
	if (ours != theirs)
		fail_msg("KVM says %s to %s", theirs ? "yes" : "no", text);
	if (ours && w.gpa != gpa)
		fail_msg("KVM says gpa 0x%lx to %s", gpa, text);
	return ours;
}

static void test_mode(uint64_t cr4, uint64_t efer, unsigned entry_bytes, unsigned gva_bits)
{
	struct gyve_regs r = {0};
	struct gyve_mmu mmu;
	unsigned good = 0, rounds = 0;

	if (!vcpu) {
		print_message("# SKIP %s\n", why_not);
		skip();
	}
	for (int round = 0; round < 8; round++) {
		fill_tables(entry_bytes);
		assert_int_equal(gyve_backend_kvm.get_regs(vcpu, GYVE_REGS_SYS, &r), 0);
		r.x86.cr0 = 0x80000011;
		r.x86.cr3 = (rnd() % (MEM / 4096)) << 12;
		r.x86.cr4 = cr4;
		r.x86.efer = efer;
		if (efer & 0x100)
			r.x86.seg[GYVE_CS] = (struct gyve_x86_seg){
				.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
		int set = gyve_backend_kvm.set_regs(vcpu, GYVE_REGS_SYS, &r);
		if (set < 0) /* e.g. page-directory pointers with reserved bits */
			continue;
		rounds++;
		gyve_mmu_from_regs(&mmu, &r);
		mmu.pa_bits = gyve_backend_kvm.caps(vm)->pa_bits;
		for (int i = 0; i < 400; i++) {
			uint64_t gva = rnd() >> (64 - gva_bits);
			if (gva_bits == 48)
				gva = (uint64_t)((int64_t)(gva << 16) >> 16);
			good += compare(&mmu, gva);
		}
	}
	if (!rounds) {
		print_message("# SKIP this KVM does not take the mode's registers\n");
		skip();
	}
	print_message("%u of %u addresses are mapped\n", good, 400 * rounds);
	assert_true(good > 20);
}

static void test_long_mode(void **state)
{
	(void)state;
	test_mode(0x20, 0xd00, 8, 48);
}

static void test_long_mode_without_nx(void **state)
{
	(void)state;
	test_mode(0x20, 0x500, 8, 48);
}

static void test_32_bit(void **state)
{
	(void)state;
	test_mode(0x10, 0, 4, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_mode),
		cmocka_unit_test(test_long_mode_without_nx),
		cmocka_unit_test(test_32_bit),
	};
	return cmocka_run_group_tests(tests, open_vm, close_vm);
}
