/* `monitor trace`: what tracing does, in words. */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>

static void say_point(struct mon *m, const struct gyve_tracepoint *p)
{
	mon_say(m, "%4u  0x%016" PRIx64 "  %-8s  %" PRIu64 " hit(s), %" PRIu64 " byte(s)", p->number, p->addr,
		p->enabled ? "enabled" : "disabled", p->hits, p->usage);
	if (p->pass)
		mon_say(m, ", ends with hit %" PRIu64, p->pass);
	if (p->steps)
		mon_say(m, ", %" PRIu64 " step(s) behind each", p->steps);
	mon_say(m, "%s\n", p->cond.len ? ", with a condition" : "");
}

int mon_trace(struct mon *m)
{
	static const char *const ends[] = {[GYVE_TRACE_NOT_RUN] = "not started",
					   [GYVE_TRACE_STOPPED] = "stopped",
					   [GYVE_TRACE_FULL] = "the buffer is full",
					   [GYVE_TRACE_PASSCOUNT] = "ended by the count of tracepoint",
					   [GYVE_TRACE_DISCONNECTED] = "its client has gone",
					   [GYVE_TRACE_ERROR] = "an error at tracepoint"};
	struct gyve_trace *t = gyve_target_trace(m->t);
	struct gyve_trace_status st;
	struct gyve_tracepoint p;
	const char *name;
	unsigned number;
	uint64_t initial, value;

	if (!t)
		return gyve_err_set(m->err, -ENOTSUP, "there is nothing to trace here");
	gyve_trace_status(t, &st);
	mon_say(m, "%s", st.running ? "running" : ends[st.end]);
	if (!st.running && st.point)
		mon_say(m, " %u%s%s", st.point, *st.text ? ": " : "", st.text);
	mon_say(m, "; %" PRIu64 " frame(s) of %" PRIu64 ", %" PRIu64 " of %" PRIu64 " bytes free%s%s\n", st.frames, st.created,
		st.free, st.size, st.circular ? ", circular" : "", st.disconnected ? ", goes on without a client" : "");
	for (size_t i = 0; gyve_trace_point(t, i, &p); i++)
		say_point(m, &p);
	for (size_t i = 0; (name = gyve_trace_var(t, i, &number, &initial)); i++)
		if (gyve_trace_value(t, number, &value) == 0)
			mon_say(m, "$%s = %" PRId64 "\n", name, (int64_t)value);
	return 0;
}
