/* Checks and defaults in front of the ops, and memory as a vCPU sees it. */
#include "gyve/target.h"

#include "kernel.h"
#include "slide.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gyve_target_deinit(struct gyve_target *t)
{
	gyve_kernel_forget(t);
	if (t->release)
		t->release(t);
	free(t->image);
	memset(t, 0, sizeof(*t));
}

bool gyve_target_stopped(const struct gyve_target *t)
{
	return !t->ops->stopped || t->ops->stopped(t->ctx);
}

bool gyve_target_cpu_stopped(const struct gyve_target *t, unsigned cpu)
{
	return t->ops->cpu_stopped ? t->ops->cpu_stopped(t->ctx, cpu) : gyve_target_stopped(t);
}

int gyve_target_regs(struct gyve_target *t, unsigned cpu, unsigned groups, struct gyve_regs **ret, struct gyve_err *err)
{
	struct gyve_regs *r;

	if (cpu >= t->ncpus)
		return gyve_err_set(err, -ESRCH, "there is no vCPU %u", cpu);
	if (!gyve_target_cpu_stopped(t, cpu))
		return gyve_err_set(err, -EBUSY, "vCPU %u is running", cpu);
	r = t->ops->regs(t->ctx, cpu, groups);
	if (!r)
		return gyve_err_set(err, -EIO, "the host does not give the registers of vCPU %u", cpu);
	*ret = r;
	return 0;
}

int gyve_target_reg_get(struct gyve_target *t, unsigned cpu, const struct gyve_reg_row *row, void *buf, struct gyve_err *err)
{
	struct gyve_regs *r;
	int ret = gyve_target_regs(t, cpu, row->group, &r, err);
	return ret < 0 ? ret : row->get(row, r, buf);
}

int gyve_target_reg_set(struct gyve_target *t, unsigned cpu, const struct gyve_reg_row *row, const void *buf,
			struct gyve_err *err)
{
	struct gyve_regs *r;
	int ret;

	if (row->readonly || !row->set || !t->ops->regs_dirty)
		return gyve_err_set(err, -EROFS, "register %s cannot be written", row->name);
	ret = gyve_target_regs(t, cpu, row->group, &r, err);
	if (ret < 0)
		return ret;
	ret = row->set(row, r, buf);
	if (ret < 0)
		return gyve_err_set(err, ret, "register %s does not take this value", row->name);
	t->ops->regs_dirty(t->ctx, cpu, row->group);
	return 0;
}

/* The same for somebody who only looks; room: where they go if the vCPU runs. */
static int look(struct gyve_target *t, unsigned cpu, unsigned groups, struct gyve_regs *room, struct gyve_regs **ret,
		struct gyve_err *err)
{
	if (cpu >= t->ncpus || !t->ops->peek || gyve_target_cpu_stopped(t, cpu))
		return gyve_target_regs(t, cpu, groups, ret, err);
	int r = t->ops->peek(t->ctx, cpu, groups, room);
	if (r < 0)
		return gyve_err_set(err, r, "the host does not give the registers of vCPU %u", cpu);
	*ret = room;
	return 0;
}

int gyve_target_mmu(struct gyve_target *t, unsigned cpu, struct gyve_mmu *ret, struct gyve_err *err)
{
	struct gyve_regs *r, room;
	int res = look(t, cpu, GYVE_REGS_SYS | GYVE_REGS_GPR, &room, &r, err);
	if (res < 0)
		return res;
	gyve_mmu_from_regs(ret, r);
	ret->flat = t->flat && !t->as.on;
	if (t->as.on && ret->arch == GYVE_X86_64) {
		ret->x86.cr3 = t->as.root;
	} else if (t->as.on) {
		ret->a64.ttbr0 = t->as.root;
		ret->a64.ttbr1 = t->as.has_root1 ? t->as.root1 : ret->a64.ttbr1;
	}
	if (!ret->pa_bits && t->caps)
		ret->pa_bits = t->caps->pa_bits;
	if (!ret->pa_bits)
		ret->pa_bits = t->pa_bits;
	return 0;
}

void gyve_target_note_boot(struct gyve_target *t)
{
	struct gyve_regs *r;

	t->boot_root_known = gyve_target_regs(t, 0, GYVE_REGS_SYS, &r, NULL) == 0;
	if (t->boot_root_known)
		t->boot_root = t->arch->root(r);
}

/* How many bytes from gva on lie in a loaded segment, and where. Only meaningful while the guest has the tables it began with.
 */
static uint64_t layout_find(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, gyve_gpa_t *gpa)
{
	struct gyve_regs *r, room;

	if (!t->layout || look(t, cpu, GYVE_REGS_SYS, &room, &r, NULL) < 0)
		return 0;
	if (!t->boot_root_known || (t->as.on ? t->as.root : t->arch->root(r)) != t->boot_root)
		return 0;
	for (unsigned i = 0; i < t->layout->nsegs; i++) {
		uint64_t off = gva - t->layout->seg[i].gva;
		if (gva >= t->layout->seg[i].gva && off < t->layout->seg[i].len) {
			*gpa = t->layout->seg[i].gpa + off;
			return t->layout->seg[i].len - off;
		}
	}
	return 0;
}

static int explain(const struct gyve_mmu *mmu, gyve_gva_t gva, const struct gyve_walk *w, struct gyve_err *err)
{
	char text[400];

	if (w->status == GYVE_WALK_OK)
		return gyve_err_set(err, -EFAULT, "0x%" PRIx64 " is mapped to gpa 0x%" PRIx64 ", where there is no memory", gva,
				    w->gpa);
	gyve_walk_explain(mmu, gva, w, text, sizeof(text));
	return gyve_err_set(err, -EFAULT, "%s", text);
}

int gyve_target_translate(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, struct gyve_walk *w, bool *by_layout,
			  struct gyve_err *err)
{
	struct gyve_mmu mmu;
	gyve_gpa_t gpa;
	int ret = gyve_target_mmu(t, cpu, &mmu, err);

	if (by_layout)
		*by_layout = false;
	memset(w, 0, sizeof(*w));
	if (ret < 0)
		return ret;
	if (gyve_walk(&mmu, &t->phys, gva, w) == 0)
		return 0;
	if (layout_find(t, cpu, gva, &gpa)) {
		w->gpa = gpa;
		if (by_layout)
			*by_layout = true;
		return 0;
	}
	return explain(&mmu, gva, w, err);
}

int gyve_target_device(struct gyve_target *t, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		       struct gyve_err *err)
{
	if (!t->ops->device)
		return gyve_err_set(err, -ENOTSUP, "this target has no devices");
	if (!gyve_target_cpu_stopped(t, cpu))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	return t->ops->device(t->ctx, cpu, pio, write, addr, buf, len, err);
}

/* One access to the device at gpa, of a width that its registers are likely to have. Bytes moved, or -EFAULT. */
static ssize_t move_device(struct gyve_target *t, unsigned cpu, gyve_gpa_t gpa, void *in, const void *out, size_t len,
			   struct gyve_err *err)
{
	unsigned width = len == 8 && gpa % 8 == 0 ? 8 : len >= 4 && gpa % 4 == 0 ? 4 : len >= 2 && gpa % 2 == 0 ? 2 : 1;
	uint8_t buf[8] = {0};

	if (out)
		memcpy(buf, out, width);
	int ret = gyve_target_device(t, cpu, false, out, gpa, buf, width, err);
	if (ret < 0)
		return ret;
	if (in)
		memcpy(in, buf, width);
	return width;
}

/* Move bytes by the live walk, or by the layout where that gives nothing. */
static ssize_t move(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, void *in, const void *out, size_t len,
		    struct gyve_err *err)
{
	struct gyve_mmu mmu;
	struct gyve_walk fault = {0};
	gyve_gpa_t gpa;
	uint64_t avail;
	ssize_t n = gyve_target_mmu(t, cpu, &mmu, err);

	if (n < 0)
		return n;
	n = in ? gyve_virt_read(&mmu, &t->phys, gva, in, len, &fault) : gyve_virt_write(&mmu, &t->phys, gva, out, len, &fault);
	if (n > 0 || len == 0)
		return n;
	avail = layout_find(t, cpu, gva, &gpa);
	if (avail) {
		len = avail < len ? avail : len;
		n = in ? t->phys.read(t->phys.ctx, gpa, in, len) : t->phys.write(t->phys.ctx, gpa, out, len);
		if (n > 0)
			return n;
	}
	if (fault.status == GYVE_WALK_OK && t->ops->device && (out || t->touch_devices)) {
		n = move_device(t, cpu, fault.gpa, in, out, len, err);
		if (n > 0 || n != -EFAULT)
			return n;
	}
	return explain(&mmu, gva, &fault, err);
}

ssize_t gyve_target_read(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, void *buf, size_t len, struct gyve_err *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = move(t, cpu, gva + done, (uint8_t *)buf + done, NULL, len - done, err);
		if (n <= 0)
			return done ? (ssize_t)done : n ? n : -EFAULT;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int gyve_target_write(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, const void *buf, size_t len, struct gyve_err *err)
{
	size_t done = 0;

	if (!t->phys.write)
		return gyve_err_set(err, -EROFS, "memory of this target cannot be written");
	while (done < len) {
		ssize_t n = move(t, cpu, gva + done, NULL, (const uint8_t *)buf + done, len - done, err);
		if (n <= 0)
			return n ? (int)n : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

/* As move(), by guest-physical address. */
static ssize_t move_phys(struct gyve_target *t, gyve_gpa_t gpa, void *in, const void *out, size_t len, struct gyve_err *err)
{
	ssize_t n = in ? t->phys.read(t->phys.ctx, gpa, in, len) : t->phys.write(t->phys.ctx, gpa, out, len);

	if (n > 0)
		return n;
	n = t->ops->device && (out || t->touch_devices) && gyve_target_stopped(t) ? move_device(t, 0, gpa, in, out, len, err)
										  : -EFAULT;
	return n != -EFAULT ? n : gyve_err_set(err, -EFAULT, "there is no memory at gpa 0x%" PRIx64, gpa);
}

ssize_t gyve_target_read_phys(struct gyve_target *t, gyve_gpa_t gpa, void *buf, size_t len, struct gyve_err *err)
{
	size_t done = 0;

	while (done < len && gpa + done >= gpa) {
		ssize_t n = move_phys(t, gpa + done, (uint8_t *)buf + done, NULL, len - done, err);
		if (n <= 0)
			return done ? (ssize_t)done : n ? n : -EFAULT;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int gyve_target_write_phys(struct gyve_target *t, gyve_gpa_t gpa, const void *buf, size_t len, struct gyve_err *err)
{
	size_t done = 0;

	if (!t->phys.write)
		return gyve_err_set(err, -EROFS, "memory of this target cannot be written");
	while (done < len) {
		ssize_t n = move_phys(t, gpa + done, NULL, (const uint8_t *)buf + done, len - done, err);
		if (n <= 0)
			return n ? (int)n : -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

int gyve_target_resume(struct gyve_target *t, const struct gyve_resume *actions, struct gyve_err *err)
{
	int ret;

	if (!t->ops->resume)
		return gyve_err_set(err, -ENOTSUP, "%s", t->ops->cannot_run);
	ret = t->ops->resume(t->ctx, actions);
	if (ret == -EBUSY)
		return gyve_err_set(err, ret, "the guest is running already");
	if (ret < 0)
		return gyve_err_set(err, ret, "the guest cannot go on: %s", ret == -ESRCH ? "it has ended" : strerror(-ret));
	t->last.kind = GYVE_STOP_NONE;
	return 0;
}

int gyve_target_continue(struct gyve_target *t)
{
	struct gyve_resume *a = calloc(t->ncpus, sizeof(*a));
	int ret;

	if (!a)
		return -ENOMEM;
	for (unsigned i = 0; i < t->ncpus; i++)
		a[i].act = GYVE_ACT_CONT;
	ret = gyve_target_resume(t, a, NULL);
	free(a);
	return ret;
}

void gyve_target_interrupt(struct gyve_target *t)
{
	if (t->ops->interrupt)
		t->ops->interrupt(t->ctx);
}

void gyve_target_kill(struct gyve_target *t, int code)
{
	if (t->ops->kill)
		t->ops->kill(t->ctx, code);
}

int gyve_target_reset(struct gyve_target *t, struct gyve_err *err)
{
	int ret;

	if (!t->ops->reset)
		return gyve_err_set(err, -ENOTSUP, "this target cannot be reset");
	if (!gyve_target_stopped(t))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	ret = t->ops->reset(t->ctx, err);
	if (ret < 0)
		return ret;
	gyve_kernel_forget(t);
	gyve_slide_forget(t);
	gyve_target_note_boot(t);
	memset(&t->last, 0, sizeof(t->last));
	return 0;
}

int gyve_target_event_fd(struct gyve_target *t)
{
	return t->ops->event_fd ? t->ops->event_fd(t->ctx) : -1;
}

bool gyve_target_take_stop(struct gyve_target *t, struct gyve_stop *ret)
{
	if (!t->ops->take_stop || !t->ops->take_stop(t->ctx, ret))
		return false;
	t->last = *ret;
	gyve_slide_settle(t);
	return true;
}

int gyve_target_point_insert(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len,
			     struct gyve_err *err)
{
	if (!t->ops->point_insert)
		return gyve_err_set(err, -ENOTSUP, "this target has no breakpoints");
	return t->ops->point_insert(t->ctx, kind, gva, len, err);
}

int gyve_target_point_conditions(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva,
				 const struct gyve_agent_expr *e, size_t n, struct gyve_err *err)
{
	if (!t->ops->point_conditions)
		return gyve_err_set(err, -ENOTSUP, "this target evaluates no conditions");
	return t->ops->point_conditions(t->ctx, kind, gva, e, n, err);
}

int gyve_target_point_commands(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva,
			       const struct gyve_agent_expr *e, size_t n, bool persist, struct gyve_err *err)
{
	if (!t->ops->point_commands)
		return gyve_err_set(err, -ENOTSUP, "this target carries out no commands");
	return t->ops->point_commands(t->ctx, kind, gva, e, n, persist, err);
}

int gyve_target_point_remove(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len)
{
	return t->ops->point_remove ? t->ops->point_remove(t->ctx, kind, gva, len) : -ENOTSUP;
}

struct gyve_trace *gyve_target_trace(struct gyve_target *t)
{
	return t->ops->trace ? t->ops->trace(t->ctx) : NULL;
}

void gyve_target_points_clear(struct gyve_target *t)
{
	t->catch_heard_panic = false;
	if (t->ops->points_clear)
		t->ops->points_clear(t->ctx);
}
