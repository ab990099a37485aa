/* An opened dump as a target: everything but running. Ending the session is the only stop it ever reports. */
#include "gyve/core.h"
#include "gyve/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct post {
	struct gyve_core *core;
	struct gyve_layout layout;
	struct gyve_host_caps caps;
	int event_fd;
	bool ended;
	int code;
};

static struct gyve_regs *post_regs(void *ctx, unsigned cpu, unsigned groups)
{
	struct post *p = ctx;

	(void)groups;
	return &p->core->regs[cpu];
}

static void post_regs_dirty(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
}

static int post_describe(void *ctx, unsigned cpu, char *buf, size_t size)
{
	(void)ctx, (void)cpu;
	return snprintf(buf, size, "stopped");
}

static int post_msr(void *ctx, unsigned cpu, bool write, uint32_t index, uint64_t *val)
{
	return write ? -EROFS : gyve_core_value(((struct post *)ctx)->core, cpu, 0, index, val);
}

static int post_irq_reg(void *ctx, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	return gyve_core_value(((struct post *)ctx)->core, part == GYVE_IRQ_GLOBAL ? 0 : cpu, 1 + (uint32_t)part, reg, ret);
}

static void post_kill(void *ctx, int code)
{
	struct post *p = ctx;

	p->ended = true;
	p->code = code;
	eventfd_write(p->event_fd, 1);
}

static int post_event_fd(void *ctx)
{
	return ((struct post *)ctx)->event_fd;
}

static bool post_take_stop(void *ctx, struct gyve_stop *ret)
{
	struct post *p = ctx;
	eventfd_t n;

	if (!p->ended || eventfd_read(p->event_fd, &n) < 0)
		return false;
	*ret = (struct gyve_stop){.kind = GYVE_STOP_EXIT, .code = p->code};
	return true;
}

static const char cannot_run[] = "a dump cannot run: its guest is not alive; registers and memory can be read";

static const struct gyve_target_ops ops_plain =
					    {
						    .name = "dump",
						    .cannot_run = cannot_run,
						    .regs = post_regs,
						    .describe = post_describe,
						    .msr = post_msr,
						    .irq_reg = post_irq_reg,
						    .kill = post_kill,
						    .event_fd = post_event_fd,
						    .take_stop = post_take_stop,
},
				    ops_writable = {
					    .name = "dump",
					    .cannot_run = cannot_run,
					    .regs = post_regs,
					    .regs_dirty = post_regs_dirty,
					    .describe = post_describe,
					    .msr = post_msr,
					    .irq_reg = post_irq_reg,
					    .kill = post_kill,
					    .event_fd = post_event_fd,
					    .take_stop = post_take_stop,
};

static void fill_layout(struct gyve_layout *l, const struct gyve_core_info *info, enum gyve_arch_id arch)
{
	l->arch = arch;
	l->bias = info->bias;
	l->entry = info->entry;
	l->ram_gpa = info->ram_gpa;
	l->ram_len = info->ram_len;
	l->window_len = info->window_len;
	l->nsegs = info->nsegs < GYVE_ELF_MAX_SEGMENTS ? info->nsegs : GYVE_ELF_MAX_SEGMENTS;
	for (unsigned i = 0; i < l->nsegs; i++) {
		l->seg[i].gva = info->seg[i].gva;
		l->seg[i].gpa = info->seg[i].gpa;
		l->seg[i].len = info->seg[i].len;
		l->seg[i].perms = info->seg[i].perms;
	}
}

static void post_release(struct gyve_target *t)
{
	struct post *p = t->ctx;

	close(p->event_fd);
	free(p);
}

int gyve_target_post(struct gyve_target *ret, struct gyve_core *core, const struct gyve_symtab *syms, const char *image)
{
	const struct gyve_core_info *info = &core->info;
	struct post *p = calloc(1, sizeof(*p));

	memset(ret, 0, sizeof(*ret));
	if (!p)
		return -ENOMEM;
	p->core = core;
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event_fd < 0) {
		free(p);
		return -errno;
	}
	ret->ops = core->phys.write ? &ops_writable : &ops_plain;
	ret->ctx = p;
	ret->release = post_release;
	ret->arch = core->arch;
	ret->ncpus = core->ncpus;
	ret->phys = core->phys;
	ret->map = &core->map;
	ret->flat = !core->have_sys;
	ret->syms = syms;
	if (info->layout_known) {
		fill_layout(&p->layout, info, core->arch->id);
		ret->layout = &p->layout;
	}
	ret->pa_bits = info->pa_bits <= 52 ? info->pa_bits : 0;
	ret->vmcoreinfo = core->guest_linux.text;
	ret->image = image ? realpath(image, NULL) : NULL;
	ret->boot_root = info->boot_root;
	ret->boot_root_known = info->boot_root_known;
	if (info->stop_kind > GYVE_STOP_NONE && info->stop_kind < GYVE_STOP_EXIT)
		ret->last.kind = (enum gyve_stop_kind)info->stop_kind;
	else if (info->signal == 11)
		ret->last.kind = GYVE_STOP_CRASH;
	ret->last.cpu = info->stop_cpu;
	ret->last.code = info->stop_code;
	ret->last.addr = info->stop_addr;
	ret->last.pc = core->arch->pc(&core->regs[info->stop_cpu]);
	snprintf(ret->last.text, sizeof(ret->last.text), "%s", info->text);
	return 0;
}
