/* Where a kernel that moves itself will run: it is let run until it has mapped itself, and started again. It decides by a
 * number that it is given and that stays the same, so the second time it goes to the same place. */
#include "vmm.h"

#include "gyve/log.h"
#include "gyve/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_WAIT_US = 500, LAST_WAIT_US = 50000, TOTAL_MS = 20000, STOP_MS = 5000, INSIDE = 64 << 10 };
#define UPPER_HALF (UINT64_C(1) << 63)

struct search {
	gyve_gpa_t image;
	gyve_gva_t found;
};

static int look_at(void *ctx, const struct gyve_range *r)
{
	struct search *s = ctx;

	if (r->start < UPPER_HALF || !(r->perms & GYVE_PERM_X) || s->image < r->gpa ||
	    s->image - r->gpa > r->end_incl - r->start)
		return 0;
	s->found = r->start + (s->image - r->gpa);
	return 1;
}

/* Where the image's first byte is, or would be: a kernel may map its code only, not the header before it. Elsewhere the same
 * memory is no code. */
static gyve_gva_t find_image(struct gyve_vm *vm)
{
	struct search s = {.image = vm->layout.seg[0].gpa + INSIDE};
	struct gyve_regs *r = gyve_vcpu_regs(vm, 0, GYVE_REGS_SYS | GYVE_REGS_PC);
	struct gyve_mem phys = gyve_memmap_mem(&vm->map);
	struct gyve_mmu mmu;

	if (!r || vm->arch->pc(r) < UPPER_HALF) /* not there yet, though it may have begun to make tables */
		return 0;
	gyve_mmu_from_regs(&mmu, r);
	gyve_walk_ranges(&mmu, &phys, 0, UINT64_MAX, look_at, &s);
	return s.found ? s.found - INSIDE : 0;
}

/* Run for so long. false: it has come to an end, or does not stop. */
static bool run_for(struct gyve_vm *vm, const struct gyve_resume *all, long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	struct pollfd p = {gyve_run_eventfd(vm), POLLIN, 0};
	struct gyve_stop stop;

	if (gyve_run_resume(vm, all) < 0)
		return false;
	nanosleep(&t, NULL);
	gyve_run_interrupt(vm);
	return poll(&p, 1, STOP_MS) > 0 && gyve_run_take_stop(vm, &stop) && stop.kind == GYVE_STOP_INTERRUPT;
}

int gyve_vm_find_place(struct gyve_vm *vm, struct gyve_err *err)
{
	struct gyve_resume *all;
	gyve_gva_t found = 0;
	long us = FIRST_WAIT_US, total = 0;

	if (!vm->platform->moves || !vm->platform->moves(vm->platform_state))
		return 0;
	all = calloc(vm->ncpus, sizeof(*all));
	if (!all)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < vm->ncpus; i++)
		all[i].act = GYVE_ACT_CONT;
	while (!found && total < TOTAL_MS * 1000L && run_for(vm, all, us)) {
		found = find_image(vm);
		total += us;
		us = us < LAST_WAIT_US ? us + us / 4 : us;
	}
	free(all);
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "the kernel goes to 0x%" PRIx64 ", seen after %ld ms", found, total / 1000);
	vm->layout.place = found;
	return gyve_vm_reset(vm, err);
}
