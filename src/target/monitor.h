/* Private to src/target: what the monitor's commands share. A command is a function here, beside others of its subject, and a
 * row of the table in monitor.c. */
#ifndef GYVE_MONITOR_H
#define GYVE_MONITOR_H
#include "gyve/target.h"

struct mon {
	struct gyve_target *t;
	unsigned cpu; /**< whose view */
	const struct gyve_sink *out;
	const char *arg; /**< what is left of the arguments, "" if nothing */
	struct gyve_err *err;
};

void gyve_sink_say(const struct gyve_sink *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define mon_say(m, ...) gyve_sink_say((m)->out, __VA_ARGS__)

/** Take the next word of the arguments. False: there is none (buf is ""), or it does not fit (an error at its use). */
bool mon_word(struct mon *m, char *buf, size_t size);
/** A number as C writes it, at most max. what names it in the error. */
int mon_number(struct mon *m, const char *word, const char *what, uint64_t max, uint64_t *ret);
/** A number, a symbol, or $register; any of them may have +NUMBER behind it. */
int mon_address(struct mon *m, const char *word, uint64_t *ret);
/** The next word as an address; -EINVAL if there is none. */
int mon_next_address(struct mon *m, uint64_t *ret);
/** -EINVAL if arguments are left. */
int mon_end(struct mon *m);
/** Value of a register of at most 64 bits. */
int mon_reg(struct mon *m, unsigned cpu, const char *name, uint64_t *ret);
/** -ENOTSUP and a sentence unless the guest is of this architecture. */
int mon_only(struct mon *m, enum gyve_arch_id arch);
/** "0x...": a symbol and offset in angle brackets, or "". */
const char *mon_where(struct mon *m, gyve_gva_t gva, char *buf, size_t size);

/* monitor_info.c */
int mon_info(struct mon *m);
int mon_cpu(struct mon *m);
int mon_breakpoints(struct mon *m);
int mon_assist(struct mon *m);
int mon_stats(struct mon *m);
int mon_trace(struct mon *m);
int mon_log(struct mon *m);
int mon_reset(struct mon *m);
int mon_quit(struct mon *m);
/* monitor_walk.c */
int mon_vtop(struct mon *m);
int mon_gva2gpa(struct mon *m);
int mon_pt(struct mon *m);
int mon_bt(struct mon *m);
int mon_maps(struct mon *m);
int mon_info_mem(struct mon *m);
int mon_info_tlb(struct mon *m);
const char *mon_mode_text(const struct gyve_mmu *mmu);
bool mon_paging_off(const struct gyve_mmu *mmu);
/* monitor_as.c */
int mon_as(struct mon *m);
/* monitor_regs.c */
int mon_regs(struct mon *m);
int mon_sregs(struct mon *m);
int mon_msr(struct mon *m);
int mon_mode(struct mon *m);
/* monitor_qemu.c */
int mon_info_registers(struct mon *m);
/* monitor_tables.c */
int mon_idt(struct mon *m);
int mon_gdt(struct mon *m);
/* monitor_linux.c */
int mon_kernel(struct mon *m);
int mon_tasks(struct mon *m);
/* catch.c */
int mon_catch(struct mon *m);
int mon_catch_calls(struct mon *m);
/* monitor_modules.c */
int mon_modules(struct mon *m);
/* monitor_irq.c */
int mon_lapic(struct mon *m);
int mon_ioapic(struct mon *m);
int mon_gic(struct mon *m);
/* monitor_dump.c */
int mon_dump(struct mon *m);
/* monitor_mem.c */
int mon_xp(struct mon *m);
int mon_search(struct mon *m);
int mon_in(struct mon *m);
int mon_out(struct mon *m);
#endif
