/* Monitor commands about the guest as a whole, and about gyve. */
#include "monitor.h"

#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *size_text(uint64_t size, char buf[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned u = 0;

	for (; u + 1 < GYVE_ARRAY_SIZE(units) && size && size % 1024 == 0; u++)
		size /= 1024;
	snprintf(buf, 24, "%" PRIu64 " %s", size, units[u]);
	return buf;
}

static int info_cpu(struct mon *m, unsigned cpu)
{
	char where[256], state[80] = "";
	struct gyve_mmu mmu;
	struct gyve_regs *r;
	int ret = gyve_target_mmu(m->t, cpu, &mmu, m->err);

	if (ret == 0)
		ret = gyve_target_regs(m->t, cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret < 0)
		return ret;
	if (m->t->ops->describe)
		m->t->ops->describe(m->t->ctx, cpu, state, sizeof(state));
	gyve_symtab_format(m->t->syms, m->t->arch->pc(r), where, sizeof(where));
	mon_say(m, "%c vCPU %u: %s, pc 0x%" PRIx64 " %s, %s, tables at 0x%" PRIx64 "\n", cpu == m->cpu ? '*' : ' ', cpu, state,
		m->t->arch->pc(r), strncmp(where, "0x", 2) ? where : "", mon_mode_text(&mmu), m->t->arch->root(r));
	return 0;
}

int mon_info(struct mon *m)
{
	const struct gyve_target *t = m->t;
	char size[24];
	int ret =
		*m->arg ? gyve_err_set(m->err, -ENOENT, "there is no 'monitor info %.40s'; try: monitor help info", m->arg) : 0;

	if (ret < 0)
		return ret;
	mon_say(m, "%s target, %s, %u vCPU%s\n", t->ops->name, t->arch->name, t->ncpus, t->ncpus == 1 ? "" : "s");
	if (t->image)
		mon_say(m, "image %s", t->image);
	if (t->layout)
		mon_say(m, "%sloaded with offset 0x%" PRIx64 ", entry 0x%" PRIx64, t->image ? ", " : "", t->layout->bias,
			t->layout->entry);
	if (t->layout && t->layout->place)
		mon_say(m, ", moves itself to 0x%" PRIx64, t->layout->place);
	if (t->layout && t->layout->nsegs)
		mon_say(m, ", in memory at 0x%" PRIx64, t->layout->seg[0].gpa);
	if (t->drifts && !t->syms_adrift)
		mon_say(m, ", has moved itself by 0x%" PRIx64, gyve_symtab_bias(t->syms));
	mon_say(m, "\n");
	for (size_t i = 0; t->map && i < t->map->n; i++)
		mon_say(m, "memory 0x%" PRIx64 "-0x%" PRIx64 " (%s) %s\n", t->map->regions[i].gpa,
			t->map->regions[i].gpa + t->map->regions[i].len - 1, size_text(t->map->regions[i].len, size),
			t->map->regions[i].name);
	if (t->caps)
		mon_say(m, "host: %u hardware breakpoints, %u watchpoints%s%s\n", t->caps->hw_bps, t->caps->hw_wps,
			t->caps->hw_shared ? " (shared)" : "",
			t->caps->hw_watch_works ? "" : "; its watchpoints do not fire, so they are done by stepping");
	if (t->as.on)
		mon_say(m, "the address space is 0x%" PRIx64 " (monitor as)\n", t->as.root);
	for (unsigned i = 0; ret == 0 && i < t->ncpus; i++)
		ret = info_cpu(m, i);
	return ret;
}

int mon_cpu(struct mon *m)
{
	char word[24];
	uint64_t n;
	int ret;

	if (mon_word(m, word, sizeof(word)) && strcmp(word, "auto") == 0) {
		m->t->look_cpu = 0;
	} else if (*word) {
		ret = mon_number(m, word, "vCPU", m->t->ncpus - 1, &n);
		if (ret < 0)
			return ret;
		m->t->look_cpu = (unsigned)n + 1;
	}
	if (m->t->look_cpu)
		mon_say(m, "vCPU %u\n", m->t->look_cpu - 1);
	else
		mon_say(m, "gdb's thread\n");
	return mon_end(m);
}

static void say_line(void *ctx, const char *line)
{
	gyve_sink_say(ctx, "%s\n", line);
}

int mon_breakpoints(struct mon *m)
{
	if (!m->t->ops->points_list)
		return gyve_err_set(m->err, -ENOTSUP, "this target has no breakpoints");
	m->t->ops->points_list(m->t->ctx, say_line, (void *)m->out);
	return 0;
}

int gyve_target_print_stats(struct gyve_target *t, const char *prefix, const struct gyve_sink *out)
{
	struct gyve_stat *stats = NULL;
	ssize_t n = t->ops->stats ? t->ops->stats(t->ctx, &stats) : -ENOTSUP;
	unsigned shown = 0;

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		if (prefix && strncmp(stats[i].name, prefix, strlen(prefix)) != 0)
			continue;
		gyve_sink_say(out, "%-32.39s %12" PRIu64 "\n", stats[i].name, stats[i].count);
		shown++;
	}
	free(stats);
	if (!shown)
		gyve_sink_say(out, "nothing counted\n");
	return 0;
}

int mon_assist(struct mon *m)
{
	int ret = gyve_target_print_stats(m->t, "assist", m->out);
	return ret < 0 ? gyve_err_set(m->err, ret, "nothing is counted here") : 0;
}

int mon_stats(struct mon *m)
{
	int ret = gyve_target_print_stats(m->t, NULL, m->out);
	return ret < 0 ? gyve_err_set(m->err, ret, "nothing is counted here") : 0;
}

int mon_log(struct mon *m)
{
	static const char *const names[] = {"off", "error", "warn", "info", "debug"};

	if (*m->arg && gyve_log_configure(m->arg) < 0)
		return gyve_err_set(m->err, -EINVAL, "'%.60s' is no log level; examples: info, or kvm=info,gdb=debug", m->arg);
	for (unsigned i = 0; i < GYVE_LOG_SUBS; i++)
		mon_say(m, "%s%s=%s", i ? "," : "", gyve_log_name(i), names[gyve_log_levels[i]]);
	mon_say(m, "\n");
	return 0;
}

int mon_reset(struct mon *m)
{
	int ret = gyve_target_reset(m->t, m->err);
	if (ret == 0)
		mon_say(m, "the guest is at its first instruction again; tell gdb: maintenance flush register-cache\n");
	return ret;
}

int mon_quit(struct mon *m)
{
	mon_say(m, "the guest ends\n");
	gyve_target_kill(m->t, 0);
	return 0;
}
