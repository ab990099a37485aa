/* The tasks of a Linux guest, from its kernel's lists. For the session thread, the guest stopped. */
#ifndef GYVE_TASKS_H
#define GYVE_TASKS_H
#include "kernel.h"

enum { GYVE_TASKS_MAX = 1 << 16, GYVE_COMM_MAX = 32 };

struct gyve_task {
	uint64_t addr; /**< of its task_struct */
	int pid;       /**< of the thread; 0: the idle task of a CPU */
	int tgid;      /**< of the process */
	int cpu;       /**< the vCPU it runs on, -1: none */
	uint64_t state;
	uint64_t root;            /**< its page tables (guest-physical), 0: a kernel thread */
	char comm[GYVE_COMM_MAX]; /**< printable */
};

/** All of them; *ret is the caller's to free(). Damaged lists end where they are damaged. Number of tasks, or -ENOENT and
 * others with a sentence. */
ssize_t gyve_tasks_list(struct gyve_kernel *k, struct gyve_task **ret, struct gyve_err *err);
/** A letter as ps has it: R S D T t X Z I. */
char gyve_task_state(const struct gyve_task *task);
/** The registers with which a task that does not run goes on. What the kernel did not save is 0; gyve_task_saves() tells. */
int gyve_task_regs(struct gyve_kernel *k, const struct gyve_task *task, struct gyve_regs *ret, struct gyve_err *err);
/** Is it one of the registers that a kernel saves of a task that does not run? */
bool gyve_task_saves(const struct gyve_arch *arch, const struct gyve_reg_row *row);
#endif
