/* A stopped target written as a dump. */
#include "config.h"

#include "gyve/core.h"
#include "gyve/target.h"

#include "../base/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

struct source {
	struct gyve_target *t;
	struct gyve_regs regs;
};

static const struct gyve_regs *source_regs(void *ctx, unsigned cpu)
{
	struct source *s = ctx;
	struct gyve_regs *r;

	return gyve_target_regs(s->t, cpu, GYVE_REGS_ALL, &r, NULL) < 0 ? NULL : r;
}

/* Space 0: MSRs or system registers by number; 1 + part: registers of that part of the interrupt controller. */
static void add_value(struct gyve_core_value *v, size_t *n, uint32_t space, uint32_t id, uint64_t value)
{
	if (*n < GYVE_CORE_MAX_VALUES)
		v[(*n)++] = (struct gyve_core_value){space, id, value};
}

static bool has(const struct gyve_core_value *v, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].id == id)
			return true;
	return false;
}

/* What the host lists, and what has a name: EFER and others are not listed. */
static size_t add_msrs(struct gyve_target *t, unsigned cpu, struct gyve_core_value *v)
{
	enum { MAX = GYVE_CORE_MAX_VALUES - 256 }; /* names and controllers have room, too */
	uint32_t id[MAX], other;
	size_t n = 0, count = t->ops->msr_list ? t->ops->msr_list(t->ctx, cpu, id, MAX) : 0;
	uint64_t value;

	for (size_t i = 0; i < count && i < MAX; i++)
		if (t->ops->msr(t->ctx, cpu, false, id[i], &value) == 0)
			add_value(v, &n, 0, id[i], value);
	for (unsigned i = 0; gyve_msr_row(t->arch->id, i, &other); i++)
		if (!has(v, n, other) && t->ops->msr(t->ctx, cpu, false, other, &value) == 0)
			add_value(v, &n, 0, other, value);
	return n;
}

static size_t source_values(void *ctx, unsigned cpu, struct gyve_core_value *v)
{
	struct gyve_target *t = ((struct source *)ctx)->t;
	size_t n = t->ops->msr ? add_msrs(t, cpu, v) : 0;
	uint64_t value;

	if (!t->ops->irq_reg || t->arch->id != GYVE_X86_64)
		return n;
	for (uint32_t id = 0; id < 0x400; id += 0x10)
		if (t->ops->irq_reg(t->ctx, cpu, GYVE_IRQ_LOCAL, id, &value) == 0)
			add_value(v, &n, 1 + GYVE_IRQ_LOCAL, id, value);
	for (uint32_t id = 0; cpu == 0 && id < 24; id++)
		if (t->ops->irq_reg(t->ctx, cpu, GYVE_IRQ_GLOBAL, id, &value) == 0)
			add_value(v, &n, 1 + GYVE_IRQ_GLOBAL, id, value);
	return n;
}

static void fill_layout(struct gyve_core_info *info, const struct gyve_layout *l)
{
	info->layout_known = true;
	info->bias = l->bias;
	info->entry = l->entry;
	info->ram_gpa = l->ram_gpa;
	info->ram_len = l->ram_len;
	info->window_len = l->window_len;
	info->nsegs = l->nsegs < GYVE_CORE_MAX_SEGS ? l->nsegs : GYVE_CORE_MAX_SEGS;
	for (unsigned i = 0; i < info->nsegs; i++)
		info->seg[i] = (struct gyve_core_seg){l->seg[i].gva, l->seg[i].gpa, l->seg[i].len, l->seg[i].perms};
}

static void fill_build_id(struct gyve_core_info *info, const char *image)
{
	const uint8_t *data;
	size_t size;
	ssize_t n;

	if (!image || gyve_file_map(image, &data, &size, NULL) < 0)
		return;
	n = gyve_elf_build_id(data, size, info->build_id, sizeof(info->build_id));
	info->build_id_len = n > 0 ? (unsigned)n : 0;
	gyve_file_unmap(data, size);
}

static int signal_of(enum gyve_stop_kind kind)
{
	return kind == GYVE_STOP_CRASH                            ? 11
	       : kind == GYVE_STOP_INTERRUPT                      ? 2
	       : kind == GYVE_STOP_NONE || kind == GYVE_STOP_EXIT ? 0
								  : 5;
}

int gyve_target_dump(struct gyve_target *t, const char *path, const struct gyve_core_options *opt, const char *why,
		     struct gyve_core_result *result, struct gyve_err *err)
{
	struct source s = {.t = t};
	struct gyve_core_info *info;
	struct gyve_regs *r;
	int ret = gyve_target_regs(t, 0, GYVE_REGS_SYS, &r, err);

	if (ret < 0)
		return ret;
	if (!t->map || !t->ops->resume)
		return gyve_err_set(err, -ENOTSUP, "only a live guest can be dumped");
	info = calloc(1, sizeof(*info));
	if (!info)
		return gyve_err_set(err, -ENOMEM, "no memory");
	snprintf(info->writer, sizeof(info->writer), "%s", PACKAGE_STRING);
	info->when = time(NULL);
	snprintf(info->why, sizeof(info->why), "%s", why);
	info->stop_kind = t->last.kind;
	info->stop_code = t->last.code;
	info->stop_cpu = t->last.cpu;
	info->stop_addr = t->last.addr;
	info->signal = signal_of(t->last.kind);
	memcpy(info->text, t->last.text, sizeof(info->text) < sizeof(t->last.text) ? sizeof(info->text) : sizeof(t->last.text));
	info->text[sizeof(info->text) - 1] = '\0';
	snprintf(info->image, sizeof(info->image), "%s", t->image ? t->image : "");
	fill_build_id(info, t->image);
	if (t->layout)
		fill_layout(info, t->layout);
	info->boot_root_known = t->boot_root_known;
	info->boot_root = t->boot_root;
	info->pa_bits = t->caps ? t->caps->pa_bits : 0;
	struct gyve_core_source src = {t->arch, t->ncpus, source_regs, &s, source_values, t->phys, t->map, info};
	ret = gyve_core_write(path, &src, opt, result, err);
	free(info);
	return ret;
}

/* The copy of this process that fork() makes has the guest's memory as it was, page by page as the guest goes on to write. It
 * has no vCPUs: KVM gives their registers to whoever made them only, so they are fetched before. */
pid_t gyve_target_dump_live(struct gyve_target *t, const char *path, const struct gyve_core_options *opt, const char *why,
			    void (*done)(void *ctx, int ret, const struct gyve_core_result *result, const struct gyve_err *err),
			    void *done_ctx, struct gyve_err *err)
{
	struct gyve_core_options copy = *opt;
	struct gyve_core_result res = {0};
	struct gyve_err why_not = {0};
	struct gyve_regs *r;
	pid_t pid;

	for (unsigned i = 0; i < t->ncpus; i++) {
		int ret = gyve_target_regs(t, i, GYVE_REGS_ALL, &r, err);
		if (ret < 0)
			return ret;
	}
	copy.pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC); /* of what the copy was made of */
	pid = fork();
	if (pid == 0) {
		int ret = gyve_target_dump(t, path, &copy, why, &res, &why_not);
		done(done_ctx, ret, &res, &why_not);
		_exit(ret < 0);
	}
	if (pid < 0)
		pid = gyve_err_set(err, -errno, "cannot dump beside the running guest: %s", strerror(errno));
	if (copy.pagemap_fd >= 0)
		close(copy.pagemap_fd);
	return pid;
}
