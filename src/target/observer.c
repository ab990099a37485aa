/* See observer.h. */
#include "observer.h"

#include "gyve/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct observer {
	struct gyve_target *of, view;
	struct gyve_glue glue;
	int fd;
	bool leaves, left;      /* it wants to go; it was told so, and ends the connection */
	struct gyve_regs *regs; /* of vCPUs that run, as they were when last asked for */
};

/* --- what the view can do */

static struct gyve_regs *observer_regs(void *ctx, unsigned cpu, unsigned groups)
{
	struct observer *o = ctx;
	const struct gyve_target_ops *ops = o->of->ops;

	if (!ops->peek || gyve_target_cpu_stopped(o->of, cpu))
		return ops->regs(o->of->ctx, cpu, groups);
	return ops->peek(o->of->ctx, cpu, groups, &o->regs[cpu]) == 0 ? &o->regs[cpu] : NULL;
}

static int observer_describe(void *ctx, unsigned cpu, char *buf, size_t size)
{
	struct observer *o = ctx;

	return o->of->ops->describe(o->of->ctx, cpu, buf, size);
}

static int observer_msr(void *ctx, unsigned cpu, bool write, uint32_t index, uint64_t *val)
{
	struct observer *o = ctx;

	if (write || !gyve_target_stopped(o->of) || !o->of->ops->msr)
		return write ? -EROFS : -EBUSY;
	return o->of->ops->msr(o->of->ctx, cpu, false, index, val);
}

static int observer_irq_reg(void *ctx, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	struct observer *o = ctx;

	return gyve_target_stopped(o->of) && o->of->ops->irq_reg ? o->of->ops->irq_reg(o->of->ctx, cpu, part, reg, ret)
								 : -EBUSY;
}

static ssize_t observer_stats(void *ctx, struct gyve_stat **ret)
{
	struct observer *o = ctx;

	return o->of->ops->stats ? o->of->ops->stats(o->of->ctx, ret) : -ENOTSUP;
}

static void observer_leave(void *ctx, int code)
{
	(void)code;
	((struct observer *)ctx)->leaves = true;
}

/* No other function: whatever changes something is refused in words. */
static const struct gyve_target_ops observer_ops = {
	.name = "observed",
	.cannot_run = "another debugger has control; registers and memory can be read",
	.regs = observer_regs,
	.describe = observer_describe,
	.msr = observer_msr,
	.irq_reg = observer_irq_reg,
	.stats = observer_stats,
	.kill = observer_leave,
};

/* Its own choices, `monitor cpu` and the like, stay. */
static void refresh(struct observer *o)
{
	if (gyve_target_stopped(o->of)) {
		o->view.last = o->of->last;
		gyve_glue_tasks_stale(&o->glue);
	}
	if (o->view.syms != o->of->syms)
		gyve_kernel_forget(&o->view);
	o->view.syms = o->of->syms;
}

/* --- life */

int observer_open(struct observer **ret, struct gyve_target *of, int fd)
{
	struct observer *o = calloc(1, sizeof(*o));

	if (!o || !(o->regs = calloc(of->ncpus, sizeof(*o->regs)))) {
		free(o);
		close(fd);
		return -ENOMEM;
	}
	o->of = of;
	o->fd = fd;
	o->view = *of;
	o->view.ops = &observer_ops;
	o->view.ctx = o;
	o->view.phys.write = NULL;
	o->view.kernel = NULL; /* its own is found through the view */
	o->view.last.kind = GYVE_STOP_NONE;
	if (gyve_glue_init(&o->glue, &o->view) < 0) {
		observer_close(o);
		return -ENOMEM;
	}
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_GDB, "a debugger looks on");
	*ret = o;
	return 0;
}

void observer_close(struct observer *o)
{
	if (!o)
		return;
	gyve_glue_deinit(&o->glue);
	gyve_kernel_forget(&o->view);
	close(o->fd);
	free(o->regs);
	free(o);
}

/* --- traffic */

void observer_poll(const struct observer *o, int *fd, short *events)
{
	const void *buf;

	*fd = o->fd;
	*events = (short)(POLLIN | (gdbstub_output(o->glue.stub, &buf) ? POLLOUT : 0));
}

static bool flush_some(struct observer *o)
{
	const void *buf;
	size_t len;

	while ((len = gdbstub_output(o->glue.stub, &buf)) > 0) {
		ssize_t n = send(o->fd, buf, len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		gdbstub_sent(o->glue.stub, (size_t)n);
	}
	return true;
}

bool observer_serve(struct observer *o)
{
	char buf[4096];
	ssize_t n = read(o->fd, buf, sizeof(buf));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
		return false;
	if (o->left)
		return true;
	refresh(o);
	o->left = (n > 0 && gdbstub_feed(o->glue.stub, buf, (size_t)n) < 0) || o->leaves;
	if (!flush_some(o))
		return false;
	return !o->left || shutdown(o->fd, SHUT_WR) == 0;
}
