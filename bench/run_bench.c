/* What run control costs beside bare_kvm's loops: the machine and its run control of this program, no protocol.
 *   run_bench kick IMAGE N         N times from an interruption to the reported stop; median and least in us
 *   run_bench step IMAGE SECONDS LO HI ADDR INSNS
 *                                  a range step over [LO, HI); ADDR counts rounds of INSNS instructions; steps a second in the
 *                                  best 20 ms (other load on the machine is not ours)
 *   run_bench point IMAGE SECONDS LO ADDR WHAT
 *                                  ns for each pass over LO, which ADDR counts, in the best 20 ms. WHAT is there: a "condition"
 *                                  that is false; a "tracepoint" that collects nothing; "registers", one that collects $regs
 *                                  and 8 bytes */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gyve/trace.h"
#include "gyve/vm.h"

enum { WINDOW = 20000 }; /* us */

static struct gyve_vm *vm;

static void die(const char *what, const struct gyve_err *err)
{
	fprintf(stderr, "run_bench: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void resume(struct gyve_resume action)
{
	if (gyve_run_resume(vm, &action) < 0)
		die("the guest does not go on", NULL);
}

static void wait_stop(void)
{
	struct pollfd p = {.fd = gyve_run_eventfd(vm), .events = POLLIN};
	struct gyve_stop stop;

	do
		if (poll(&p, 1, 10000) != 1)
			die("no stop", NULL);
	while (!gyve_run_take_stop(vm, &stop));
	if (stop.kind == GYVE_STOP_EXIT || stop.kind == GYVE_STOP_CRASH)
		die("the guest ended", NULL);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void kicks(unsigned long n)
{
	double *took = calloc(n + 1, sizeof(*took));

	if (!took)
		die("out of memory", NULL);
	for (unsigned long i = 0; i < n; i++) {
		resume((struct gyve_resume){.act = GYVE_ACT_CONT});
		usleep(3000); /* into the guest */
		took[i] = now();
		gyve_run_interrupt(vm);
		wait_stop();
		took[i] = now() - took[i];
	}
	qsort(took, n, sizeof(*took), by_value);
	printf("%.0f %.0f\n", took[n / 2], took[0]);
	free(took);
}

static uint64_t read_u64(gyve_gpa_t at)
{
	struct gyve_mem mem = gyve_vm_phys(vm);
	uint64_t v;

	if (mem.read(mem.ctx, at, &v, sizeof(v)) != sizeof(v))
		die("the counter cannot be read", NULL);
	return v;
}

static void steps(double seconds, uint64_t lo, uint64_t hi, uint64_t counter, double insns)
{
	uint64_t before, after;
	double begin, end, at, best = 0;

	if (gyve_bp_insert(vm, GYVE_POINT_SW, lo, 4, NULL) < 0)
		die("no breakpoint at the loop", NULL);
	resume((struct gyve_resume){.act = GYVE_ACT_CONT});
	wait_stop();
	gyve_bp_remove(vm, GYVE_POINT_SW, lo, 4);
	resume((struct gyve_resume){.act = GYVE_ACT_RANGE, .start = lo, .end = hi});
	before = read_u64(counter);
	begin = now();
	for (end = begin + seconds * 1e6; begin < end; begin = at, before = after) {
		usleep(WINDOW);
		after = read_u64(counter);
		at = now();
		if ((double)(after - before) / (at - begin) > best)
			best = (double)(after - before) / (at - begin);
	}
	gyve_run_interrupt(vm);
	wait_stop();
	printf("%.0f\n", best * insns * 1e6);
}

/* As many as a client's g packet has: those that every debugger of the architecture knows. */
static unsigned general_regs(void)
{
	const struct gyve_arch *a = gyve_vm_arch(vm);
	const struct gyve_reg_row *last = gyve_reg_find(a, a->id == GYVE_X86_64 ? "mxcsr" : "fpcr");

	return last ? (unsigned)(last - a->regs) + 1 : 1;
}

static void trace(uint64_t at, uint64_t counter, bool collect)
{
	struct gyve_trace *t = gyve_vm_trace(vm);
	struct gyve_tracepoint p = {.number = 1, .addr = at, .enabled = true};
	uint8_t all[64];
	struct gyve_trace_action regs = {.what = GYVE_TRACE_REGS, .e = {all, sizeof(all)}};
	struct gyve_trace_action mem = {.what = GYVE_TRACE_MEM, .base = -1, .offset = counter, .len = 8};
	struct gyve_err err = {0};

	memset(all, 0xff, sizeof(all));
	gyve_trace_init(t, general_regs());
	gyve_trace_circular(t, true);
	if (gyve_trace_define(t, &p, &err) < 0 || (collect && gyve_trace_action(t, 1, at, &regs, &err) < 0) ||
	    (collect && gyve_trace_action(t, 1, at, &mem, &err) < 0) || gyve_trace_start(t, &err) < 0)
		die("no tracepoint", &err);
}

static void passes(double seconds, uint64_t at, uint64_t counter, const char *what)
{
	static const uint8_t no[] = {0x26, 0, 0, 0x22, 0, 0x0f, 0x27}; /* reg 0 & 0 */
	const struct gyve_agent_expr e = {no, sizeof(no)};
	uint64_t before, after;
	double begin, end, now_at, best = 0;
	struct gyve_err err = {0};

	if (strcmp(what, "condition") != 0)
		trace(at, counter, strcmp(what, "registers") == 0);
	else if (gyve_bp_insert(vm, GYVE_POINT_SW, at, 4, &err) < 0 ||
		 gyve_bp_conditions(vm, GYVE_POINT_SW, at, &e, 1, &err) < 0)
		die("no breakpoint", &err);
	resume((struct gyve_resume){.act = GYVE_ACT_CONT});
	before = read_u64(counter);
	begin = now();
	for (end = begin + seconds * 1e6; begin < end; begin = now_at, before = after) {
		usleep(WINDOW);
		after = read_u64(counter);
		now_at = now();
		if ((double)(after - before) / (now_at - begin) > best)
			best = (double)(after - before) / (now_at - begin);
	}
	gyve_run_interrupt(vm);
	wait_stop();
	printf("%.0f\n", best > 0 ? 1e3 / best : 0);
}

static void discard(void *ctx, const void *buf, size_t len)
{
	(void)ctx, (void)buf, (void)len;
}

int main(int argc, char **argv)
{
	struct gyve_vm_options opt = {.stopped = true, .debugger = true};
	struct gyve_err err = {0};

	if (argc < 4 || (strcmp(argv[1], "step") == 0 && argc < 8) || (strcmp(argv[1], "point") == 0 && argc < 7)) {
		fputs("usage: run_bench kick IMAGE N | run_bench step IMAGE SECONDS LO HI ADDR INSNS |\n"
		      "       run_bench point IMAGE SECONDS LO ADDR condition|tracepoint|registers\n",
		      stderr);
		return 2;
	}
	opt.boot.path = argv[2];
	opt.boot.ncpus = 1;
	opt.out.write = discard;
	if (gyve_vm_create(&opt, &vm, &err) < 0)
		die(argv[2], &err);
	if (gyve_vm_start(vm) < 0)
		die("it does not start", NULL);
	if (!gyve_run_stopped(vm))
		wait_stop();
	if (strcmp(argv[1], "kick") == 0)
		kicks(strtoul(argv[3], NULL, 0));
	else if (strcmp(argv[1], "point") == 0)
		passes(atof(argv[3]), strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 0), argv[6]);
	else
		steps(atof(argv[3]), strtoull(argv[4], NULL, 0), strtoull(argv[5], NULL, 0), strtoull(argv[6], NULL, 0),
		      atof(argv[7]));
	gyve_run_kill(vm, 0);
	gyve_vm_destroy(vm);
	return 0;
}
