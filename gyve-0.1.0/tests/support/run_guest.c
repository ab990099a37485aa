#include "run_guest.h"

#include "../unit/unit.h"

#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void guest_out(void *ctx, const void *buf, size_t len)
{
	struct guest *g = ctx;
	if (g->nout + len < sizeof(g->out))
		memcpy(g->out + g->nout, buf, len);
	g->nout += len;
}

void write_elf(struct guest *g, const uint8_t *code, size_t len)
{
	Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = BASE,
			 .e_phoff = sizeof(eh),
			 .e_ehsize = sizeof(eh),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 1};
	Elf64_Phdr ph = {.p_type = PT_LOAD,
			 .p_flags = PF_R | PF_W | PF_X,
			 .p_offset = 0x1000,
			 .p_vaddr = BASE,
			 .p_paddr = BASE,
			 .p_filesz = len,
			 .p_memsz = 0x1000,
			 .p_align = 0x1000};
	snprintf(g->path, sizeof(g->path), "/tmp/test_run.XXXXXX");
	int fd = mkstemp(g->path);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &eh, sizeof(eh), 0), sizeof(eh));
	assert_int_equal(pwrite(fd, &ph, sizeof(ph), sizeof(eh)), sizeof(ph));
	assert_int_equal(pwrite(fd, code, len, 0x1000), len);
	close(fd);
}

enum gyve_break_strategy break_strategy;
enum gyve_watch_strategy watch_strategy;

struct guest *start(unsigned ncpus, const uint8_t *code, size_t len)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct gyve_err err = {0};

	write_elf(g, code, len);
	g->ncpus = ncpus;
	struct gyve_vm_options opt = {.boot = {.path = g->path, .ncpus = ncpus},
				      .backend = &fake_backend,
				      .out = {guest_out, g},
				      .stopped = true,
				      .debugger = true,
				      .break_strategy = break_strategy,
				      .watch_strategy = watch_strategy};
	if (gyve_vm_create(&opt, &g->vm, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(gyve_vm_start(g->vm), 0);
	assert_true(gyve_run_stopped(g->vm));
	return g;
}

void end(struct guest *g)
{
	gyve_vm_destroy(g->vm);
	unlink(g->path);
	free(g);
}

struct gyve_stop wait_stop(struct guest *g)
{
	struct pollfd p = {gyve_run_eventfd(g->vm), POLLIN, 0};
	struct gyve_stop stop;

	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(gyve_run_take_stop(g->vm, &stop));
	assert_true(gyve_run_stopped(g->vm));
	return stop;
}

/* only < 0: all vCPUs */
struct gyve_stop go(struct guest *g, enum gyve_action act, int only)
{
	struct gyve_resume r[8] = {0};

	for (unsigned i = 0; i < g->ncpus; i++)
		r[i].act = only < 0 || i == (unsigned)only ? act : GYVE_ACT_NONE;
	assert_int_equal(gyve_run_resume(g->vm, r), 0);
	return wait_stop(g);
}

uint64_t pc(struct guest *g, unsigned cpu)
{
	return gyve_vcpu_regs(g->vm, cpu, GYVE_REGS_GPR)->x86.rip;
}

uint8_t byte_at(struct guest *g, uint64_t gpa)
{
	uint8_t b = 0;
	struct gyve_mem m = gyve_vm_phys(g->vm);
	assert_int_equal(m.read(m.ctx, gpa, &b, 1), 1);
	return b;
}

uint8_t raw_at(struct guest *g, uint64_t gpa)
{
	uint8_t b = 0;
	assert_int_equal(gyve_memmap_read(gyve_vm_memmap(g->vm), gpa, &b, 1), 1);
	return b;
}

const uint8_t loop_code[] = {0x90, 0xfe, 0x05, 0xf9, 0x01, 0, 0, 0x90, 0xeb, 0xf7};

int as_plain_host(void **state)
{
	(void)state;
	fake_host = (struct fake_host){.hw_bps = 4, .watch_works = true};
	return 0;
}

int as_emulating_host(void **state)
{
	(void)state;
	fake_host = (struct fake_host){.hw_bps = 4, .int3_is_emulation = true, .out_advances = true};
	return 0;
}
