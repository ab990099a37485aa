/* See tasks.h. Processes are a list through task_struct.tasks from init_task on, their threads one through thread_node from
 * signal_struct.thread_head on; what runs on a CPU stands in its per-CPU memory, where the idle tasks are found as well. */
#include "tasks.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PERCPU_MAX = 1 << 26, CPUS_MAX = 64 };

struct members {
	struct gyve_member tasks, thread_node, pid, tgid, comm, state, signal, thread_head, mm, pgd, on_cpu, cpu;
};

struct walk {
	struct gyve_kernel *k;
	struct members m;
	struct gyve_task *all;
	size_t n, max;
	uint64_t current[CPUS_MAX]; /**< task_struct of what runs on each vCPU; 0 unknown */
	struct gyve_err *err;
};

static int find_members(struct gyve_kernel *k, struct members *m, struct gyve_err *err)
{
	const struct {
		const char *type, *path;
		struct gyve_member *to;
	} rows[] = {
		{"task_struct", "tasks", &m->tasks},
		{"task_struct", "thread_node", &m->thread_node},
		{"task_struct", "pid", &m->pid},
		{"task_struct", "tgid", &m->tgid},
		{"task_struct", "comm", &m->comm},
		{"task_struct", "signal", &m->signal},
		{"signal_struct", "thread_head", &m->thread_head},
		{"task_struct", "mm", &m->mm},
		{"mm_struct", "pgd", &m->pgd},
	};
	struct gyve_err none = {0};

	m->cpu.size = m->on_cpu.size = 0; /* kernels for one CPU have neither */
	gyve_kernel_member(k, "task_struct", "on_cpu", &m->on_cpu, &none);
	if (gyve_kernel_member(k, "task_struct", "thread_info.cpu", &m->cpu, &none) < 0)
		gyve_kernel_member(k, "task_struct", "cpu", &m->cpu, &none); /* before Linux 5.16 */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = gyve_kernel_member(k, rows[i].type, rows[i].path, rows[i].to, err);
		if (r < 0)
			return r;
	}
	if (gyve_kernel_member(k, "task_struct", "__state", &m->state, &none) == 0) /* since Linux 5.14 */
		return 0;
	return gyve_kernel_member(k, "task_struct", "state", &m->state, err);
}

static uint64_t number(const struct gyve_kernel *k, uint64_t at, const struct gyve_member *m)
{
	struct gyve_err none = {0};
	uint8_t b[8] = {0};

	if (m->size > sizeof(b) || gyve_kernel_read(k, at + m->offset, b, m->size, &none) < 0)
		return 0;
	return get_le64(b);
}

static void read_comm(const struct walk *w, uint64_t at, char comm[GYVE_COMM_MAX])
{
	size_t len = w->m.comm.size < GYVE_COMM_MAX ? w->m.comm.size : GYVE_COMM_MAX - 1;
	struct gyve_err none = {0};

	memset(comm, 0, GYVE_COMM_MAX);
	gyve_kernel_read(w->k, at + w->m.comm.offset, comm, len, &none);
	for (char *c = comm; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* Where a kernel-virtual address lies: its page tables are known by the address they have there. */
static uint64_t physical(const struct gyve_kernel *k, uint64_t gva)
{
	struct gyve_target view = *k->t;
	struct gyve_err none = {0};
	struct gyve_walk w;
	bool by_layout;

	view.as = (struct gyve_space){.on = k->root_known, .root = k->root, .has_root1 = true, .root1 = k->root};
	return gva && gyve_target_translate(&view, 0, gva, &w, &by_layout, &none) == 0 ? w.gpa : 0;
}

/* The vCPU whose current task it is; by the task's own account where that is not known. */
static int runs_on(const struct walk *w, uint64_t task)
{
	unsigned n = w->k->t->ncpus < CPUS_MAX ? w->k->t->ncpus : CPUS_MAX;

	for (unsigned i = 0; i < n; i++)
		if (w->current[i] == task)
			return (int)i;
	uint64_t cpu =
		w->m.cpu.size && w->m.on_cpu.size && number(w->k, task, &w->m.on_cpu) ? number(w->k, task, &w->m.cpu) : n;
	return cpu < n && !w->current[cpu] ? (int)cpu : -1;
}

static int add_task(struct walk *w, uint64_t at)
{
	struct gyve_task *t;

	if (w->n == w->max) {
		size_t max = w->max ? 2 * w->max : 64;
		if (w->n >= GYVE_TASKS_MAX || !(t = realloc(w->all, max * sizeof(*t))))
			return w->n >= GYVE_TASKS_MAX ? -E2BIG : -ENOMEM;
		w->all = t;
		w->max = max;
	}
	t = &w->all[w->n++];
	memset(t, 0, sizeof(*t));
	t->addr = at;
	t->pid = (int)number(w->k, at, &w->m.pid);
	t->tgid = (int)number(w->k, at, &w->m.tgid);
	t->state = number(w->k, at, &w->m.state);
	read_comm(w, at, t->comm);
	uint64_t mm = number(w->k, at, &w->m.mm);
	t->root = mm ? physical(w->k, number(w->k, mm, &w->m.pgd)) : 0;
	t->cpu = -1;
	t->cpu = runs_on(w, at);
	return 0;
}

/* The task of each entry of a list, whose member it is at offset, until the list is back at its head or damaged. */
static int each(struct walk *w, uint64_t head, uint64_t offset, int (*fn)(struct walk *w, uint64_t task))
{
	struct gyve_err none = {0};
	uint64_t at = head;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < GYVE_TASKS_MAX; i++) {
		if (gyve_kernel_u64(w->k, at, &at, &none) < 0 || at == head || !at)
			break;
		r = fn(w, at - offset);
	}
	return r;
}

static int add_process(struct walk *w, uint64_t leader)
{
	uint64_t signal = number(w->k, leader, &w->m.signal);
	size_t before = w->n;
	int r = signal ? each(w, signal + w->m.thread_head.offset, w->m.thread_node.offset, add_task) : 0;

	return r == 0 && w->n == before ? add_task(w, leader) : r; /* it is about to be gone */
}

/* arm64 keeps it in a register while it runs in the kernel; SP_EL0 is the program's elsewhere. */
static void find_current_a64(struct walk *w)
{
	struct gyve_err none = {0};
	struct gyve_regs *r;

	for (unsigned i = 0; i < w->k->t->ncpus && i < CPUS_MAX; i++)
		if (!w->current[i] && gyve_target_regs(w->k->t, i, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, &none) == 0 &&
		    (r->a64.pstate & 0xc) == 4)
			w->current[i] = r->a64.sp_el0;
}

/* Linux numbers its CPUs as they are started, and gyve's as they are listed: in the same order. */
static void find_current(struct walk *w)
{
	const char *names[] = {"current_task", "pcpu_hot", "__entry_task"}; /* x86_64; its 6.2 to 6.14; arm64 */
	struct gyve_err none = {0};
	uint64_t offsets, var = 0, base, moved = gyve_symtab_bias(w->k->syms);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (gyve_kernel_symbol(w->k, names[i], &var, &none) == 0)
			break;
	if (var - moved < PERCPU_MAX) /* x86_64 before 6.15: not an address, so KASLR did not move it */
		var -= moved;
	bool several = gyve_kernel_symbol(w->k, "__per_cpu_offset", &offsets, &none) == 0;
	for (unsigned i = 0; var && i < w->k->t->ncpus && i < CPUS_MAX; i++) {
		base = 0;
		if (several ? gyve_kernel_u64(w->k, offsets + 8 * (uint64_t)i, &base, &none) == 0 : i == 0)
			gyve_kernel_u64(w->k, base + var, &w->current[i], &none);
	}
	if (w->k->t->arch->id == GYVE_AARCH64)
		find_current_a64(w);
}

/* While a kernel begins, what shall say which task a CPU runs may say anything. */
static bool is_task(const struct walk *w, uint64_t at)
{
	return at == w->k->init_task || (w->m.on_cpu.size && number(w->k, at, &w->m.on_cpu) == 1);
}

static int add_idle(struct walk *w)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < w->k->t->ncpus && i < CPUS_MAX; i++) {
		bool known = !w->current[i] || !is_task(w, w->current[i]);
		for (size_t j = 0; j < w->n && !known; j++)
			known = w->all[j].addr == w->current[i];
		if (!known)
			r = add_task(w, w->current[i]);
	}
	return r;
}

ssize_t gyve_tasks_list(struct gyve_kernel *k, struct gyve_task **ret, struct gyve_err *err)
{
	struct walk w = {.k = k, .err = err};
	uint64_t init = k->init_task;
	int r = find_members(k, &w.m, err);

	if (r < 0)
		return r;
	if (!init)
		return gyve_err_set(err, -ENOENT, "the kernel's first task (init_task) is not to be found");
	find_current(&w);
	r = each(&w, init + w.m.tasks.offset, w.m.tasks.offset, add_process);
	if (r == 0)
		r = add_idle(&w);
	if (r == 0 && w.n == 0)
		r = add_task(&w, init); /* it has not started the others yet */
	if (r < 0 && r != -E2BIG) {
		free(w.all);
		return gyve_err_set(err, r, "the kernel's tasks cannot be listed");
	}
	*ret = w.all;
	return (ssize_t)w.n;
}

char gyve_task_state(const struct gyve_task *task)
{
	static const char letters[] = "SDTtXZPI"; /* of bits 0 to 7: include/linux/sched.h, fs/proc/array.c */

	if (task->cpu >= 0 || !(task->state & 0x7f))
		return task->state & 0x402 && task->cpu < 0 ? 'I' : 'R';
	if ((task->state & 0x402) == 0x402)
		return 'I'; /* TASK_NOLOAD and uninterruptible: an idle worker */
	for (unsigned i = 0; i < sizeof(letters) - 1; i++)
		if (task->state >> i & 1)
			return letters[i];
	return '?';
}

/* --- registers of one that does not run */

static int x86_regs(struct gyve_kernel *k, uint64_t task, struct gyve_x86_regs *r, struct gyve_err *err)
{
	static const struct {
		const char *name;
		unsigned gpr;
	} saved[] = {{"r15", 15}, {"r14", 14}, {"r13", 13}, {"r12", 12}, {"bx", GYVE_RBX}, {"bp", GYVE_RBP}};
	struct gyve_member sp, m;
	uint64_t frame;
	int ret = gyve_kernel_member(k, "task_struct", "thread.sp", &sp, err);

	if (ret == 0)
		ret = gyve_kernel_u64(k, task + sp.offset, &frame, err);
	for (size_t i = 0; ret == 0 && i < sizeof(saved) / sizeof(saved[0]); i++) {
		ret = gyve_kernel_member(k, "inactive_task_frame", saved[i].name, &m, err);
		if (ret == 0)
			ret = gyve_kernel_u64(k, frame + m.offset, &r->gpr[saved[i].gpr], err);
	}
	if (ret == 0)
		ret = gyve_kernel_member(k, "inactive_task_frame", "ret_addr", &m, err);
	if (ret == 0)
		ret = gyve_kernel_u64(k, frame + m.offset, &r->rip, err);
	r->gpr[GYVE_RSP] = frame + m.offset + 8;
	return ret;
}

static int a64_regs(struct gyve_kernel *k, uint64_t task, struct gyve_a64_regs *r, struct gyve_err *err)
{
	static const char *const saved[] = {"x19", "x20", "x21", "x22", "x23", "x24", "x25",
					    "x26", "x27", "x28", "fp",  "sp",  "pc"};
	struct gyve_member context, m;
	uint64_t value;
	int ret = gyve_kernel_member(k, "task_struct", "thread.cpu_context", &context, err);

	for (size_t i = 0; ret == 0 && i < sizeof(saved) / sizeof(saved[0]); i++) {
		ret = gyve_kernel_member(k, "cpu_context", saved[i], &m, err);
		if (ret == 0)
			ret = gyve_kernel_u64(k, task + context.offset + m.offset, &value, err);
		if (ret < 0)
			break;
		if (i < 11)
			r->x[19 + i] = value;
		else if (i == 11)
			r->sp = value;
		else
			r->pc = r->x[30] = value;
	}
	return ret;
}

int gyve_task_regs(struct gyve_kernel *k, const struct gyve_task *task, struct gyve_regs *ret, struct gyve_err *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->arch = k->t->arch->id;
	ret->valid = GYVE_REGS_GPR | GYVE_REGS_PC;
	return ret->arch == GYVE_X86_64 ? x86_regs(k, task->addr, &ret->x86, err) : a64_regs(k, task->addr, &ret->a64, err);
}

bool gyve_task_saves(const struct gyve_arch *arch, const struct gyve_reg_row *row)
{
	static const char *const x86[] = {"rbx", "rbp", "rsp", "rip", "r12", "r13", "r14", "r15", NULL};
	static const char *const a64[] = {"x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
					  "x27", "x28", "x29", "x30", "sp",  "pc",  NULL};

	for (const char *const *n = arch->id == GYVE_X86_64 ? x86 : a64; *n; n++)
		if (strcmp(*n, row->name) == 0)
			return true;
	return false;
}
