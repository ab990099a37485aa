/* Which packets there are. A row and a handler add one.
 * A packet's name is its first letter; those of the families q, Q, v and j are named up to the first of ",;:=". Rows are
 * compared whole, so their order means nothing. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <string.h>

enum {
	PKT_RUNNING = 1, /**< served while the target runs */
	PKT_SILENT = 2,  /**< may go without an immediate reply */
	PKT_NUMBER = 4,  /**< a number follows the name at once */
	PKT_THREAD = 8,  /**< lldb says at its end which thread it is for */
};

#define NEEDS(op) offsetof(struct gdbstub_ops, op) + 1 /* 0: nothing */

static const struct row {
	const char *name;
	void (*handler)(struct gdbstub *s, struct gdbstub_cur *c);
	unsigned flags;
	size_t needs; /**< this op: without it the packet is unknown */
} table[] = {
	{"!", gdbstub_cmd_extended, PKT_RUNNING, 0},
	{"?", gdbstub_cmd_reason, PKT_SILENT, 0},
	{"C", gdbstub_cmd_cont_sig, PKT_SILENT, NEEDS(resume)},
	{"D", gdbstub_cmd_detach, 0, 0},
	{"G", gdbstub_cmd_write_regs, PKT_THREAD, NEEDS(write_reg)},
	{"H", gdbstub_cmd_set_thread, PKT_RUNNING, 0},
	{"M", gdbstub_cmd_write_mem, 0, NEEDS(write_mem)},
	{"P", gdbstub_cmd_write_reg, PKT_THREAD, NEEDS(write_reg)},
	{"R", gdbstub_cmd_restart, PKT_SILENT, 0},
	{"S", gdbstub_cmd_step_sig, PKT_SILENT, NEEDS(resume)},
	{"T", gdbstub_cmd_thread_alive, PKT_RUNNING, 0},
	{"X", gdbstub_cmd_write_binary, 0, NEEDS(write_mem)},
	{"Z", gdbstub_cmd_insert_point, 0, NEEDS(insert_point)},
	{"c", gdbstub_cmd_cont, PKT_SILENT, NEEDS(resume)},
	{"g", gdbstub_cmd_read_regs, PKT_THREAD, NEEDS(read_reg)},
	{"k", gdbstub_cmd_kill, PKT_RUNNING | PKT_SILENT, 0},
	{"m", gdbstub_cmd_read_mem, PKT_RUNNING, NEEDS(read_mem)},
	{"p", gdbstub_cmd_read_reg, PKT_THREAD, NEEDS(read_reg)},
	{"s", gdbstub_cmd_step, PKT_SILENT, NEEDS(resume)},
	{"x", gdbstub_cmd_read_binary, PKT_RUNNING, NEEDS(read_mem)},
	{"z", gdbstub_cmd_remove_point, 0, NEEDS(remove_point)},
	{"QCatchSyscalls", gdbstub_cmd_catch_calls, 0, NEEDS(catch_calls)},
	{"QDisableRandomization", gdbstub_cmd_accept_switch, PKT_RUNNING, NEEDS(start)},
	{"QEnableErrorStrings", gdbstub_cmd_error_strings, PKT_RUNNING, 0},
	{"QEnvironmentHexEncoded", gdbstub_cmd_env_set, PKT_RUNNING, NEEDS(environment)},
	{"QEnvironmentReset", gdbstub_cmd_env_reset, PKT_RUNNING, NEEDS(environment)},
	{"QEnvironmentUnset", gdbstub_cmd_env_unset, PKT_RUNNING, NEEDS(environment)},
	{"QListThreadsInStopReply", gdbstub_cmd_list_in_stop, PKT_RUNNING, 0},
	{"QNonStop", gdbstub_cmd_non_stop, 0, 0},
	{"QRestoreRegisterState", gdbstub_cmd_restore_regs, PKT_THREAD, NEEDS(write_reg)},
	{"QSaveRegisterState", gdbstub_cmd_save_regs, PKT_THREAD, NEEDS(read_reg)},
	{"QSetWorkingDir", gdbstub_cmd_directory, PKT_RUNNING, NEEDS(directory)},
	{"QStartNoAckMode", gdbstub_cmd_no_ack, PKT_RUNNING, 0},
	{"QStartupWithShell", gdbstub_cmd_accept_switch, PKT_RUNNING, NEEDS(start)},
	{"QThreadEvents", gdbstub_cmd_accept_switch, PKT_RUNNING, 0},
	{"QTBuffer", gdbstub_cmd_trace_buffer, PKT_RUNNING, NEEDS(tracing)},
	{"QTDP", gdbstub_cmd_trace_define, 0, NEEDS(tracing)},
	{"QTDPsrc", gdbstub_cmd_trace_source, 0, NEEDS(tracing)},
	{"QTDV", gdbstub_cmd_trace_variable, 0, NEEDS(tracing)},
	{"QTDisable", gdbstub_cmd_trace_disable, PKT_RUNNING, NEEDS(tracing)},
	{"QTDisconnected", gdbstub_cmd_trace_disconnected, PKT_RUNNING, NEEDS(tracing)},
	{"QTEnable", gdbstub_cmd_trace_enable, PKT_RUNNING, NEEDS(tracing)},
	{"QTFrame", gdbstub_cmd_trace_frame, PKT_RUNNING, NEEDS(tracing)},
	{"QTNotes", gdbstub_cmd_trace_notes, PKT_RUNNING, NEEDS(tracing)},
	{"QTSave", gdbstub_cmd_trace_save, PKT_RUNNING, NEEDS(tracing)},
	{"QTStart", gdbstub_cmd_trace_start, 0, NEEDS(tracing)},
	{"QTStop", gdbstub_cmd_trace_stop, PKT_RUNNING, NEEDS(tracing)},
	{"QTinit", gdbstub_cmd_trace_init, 0, NEEDS(tracing)},
	{"QTro", gdbstub_cmd_trace_readonly, 0, NEEDS(tracing)},
	{"QThreadSuffixSupported", gdbstub_cmd_thread_suffix, PKT_RUNNING, 0},
	{"Qqemu.PhyMemMode", gdbstub_cmd_phys_mode_set, 0, NEEDS(set_phys_mode)},
	{"Qqemu.sstep", gdbstub_cmd_qemu_step, PKT_RUNNING, 0},
	{"Qqemu.sstepbits", gdbstub_cmd_qemu_step_bits, PKT_RUNNING, 0},
	{"jThreadsInfo", gdbstub_cmd_threads_json, 0, 0},
	{"qAttached", gdbstub_cmd_attached, PKT_RUNNING, 0},
	{"qC", gdbstub_cmd_current_thread, PKT_RUNNING, 0},
	{"qCRC", gdbstub_cmd_crc, PKT_RUNNING, NEEDS(read_mem)},
	{"qHostInfo", gdbstub_cmd_host_info, PKT_RUNNING, 0},
	{"qMemoryRegionInfo", gdbstub_cmd_memory_region, PKT_RUNNING, NEEDS(mem_region)},
	{"qOffsets", gdbstub_cmd_offsets, PKT_RUNNING, NEEDS(offsets)},
	{"qProcessInfo", gdbstub_cmd_process_info, PKT_RUNNING, 0},
	{"qRcmd", gdbstub_cmd_monitor, PKT_RUNNING, NEEDS(monitor)},
	{"qRegisterInfo", gdbstub_cmd_register_info, PKT_RUNNING | PKT_NUMBER, 0},
	{"qSearch", gdbstub_cmd_search, PKT_RUNNING, NEEDS(read_mem)},
	{"qSupported", gdbstub_cmd_supported, PKT_RUNNING, 0},
	{"qSymbol", gdbstub_cmd_symbol, PKT_RUNNING, 0},
	{"qTStatus", gdbstub_cmd_trace_status, PKT_RUNNING, 0},
	{"qTBuffer", gdbstub_cmd_trace_raw, PKT_RUNNING, NEEDS(tracing)},
	{"qTP", gdbstub_cmd_trace_hits, PKT_RUNNING, NEEDS(tracing)},
	{"qTV", gdbstub_cmd_trace_value, PKT_RUNNING, NEEDS(tracing)},
	{"qTfP", gdbstub_cmd_trace_first_point, PKT_RUNNING, NEEDS(tracing)},
	{"qTfV", gdbstub_cmd_trace_first_var, PKT_RUNNING, NEEDS(tracing)},
	{"qTsP", gdbstub_cmd_trace_next_point, PKT_RUNNING, NEEDS(tracing)},
	{"qTsV", gdbstub_cmd_trace_next_var, PKT_RUNNING, NEEDS(tracing)},
	{"qThreadExtraInfo", gdbstub_cmd_thread_info, PKT_RUNNING, NEEDS(thread_info)},
	{"qThreadStopInfo", gdbstub_cmd_thread_stop, PKT_NUMBER, 0},
	{"qWatchpointSupportInfo", gdbstub_cmd_watch_slots, PKT_RUNNING, NEEDS(insert_point)},
	{"qXfer", gdbstub_cmd_xfer, PKT_RUNNING, 0},
	{"qfThreadInfo", gdbstub_cmd_first_threads, PKT_RUNNING, 0},
	{"qqemu.PhyMemMode", gdbstub_cmd_phys_mode_get, PKT_RUNNING, NEEDS(get_phys_mode)},
	{"qqemu.sstep", gdbstub_cmd_qemu_step, PKT_RUNNING, 0},
	{"qqemu.sstepbits", gdbstub_cmd_qemu_step_bits, PKT_RUNNING, 0},
	{"qsThreadInfo", gdbstub_cmd_next_threads, PKT_RUNNING, 0},
	{"vAttach", gdbstub_cmd_vattach, PKT_SILENT, 0},
	{"vCont", gdbstub_cmd_vcont, PKT_SILENT, NEEDS(resume)},
	{"vCont?", gdbstub_cmd_vcont_query, PKT_RUNNING, NEEDS(resume)},
	{"vCtrlC", gdbstub_cmd_ctrl_c, PKT_RUNNING, NEEDS(interrupt)},
	{"vFile", gdbstub_cmd_file, PKT_RUNNING, NEEDS(file_open)},
	{"vKill", gdbstub_cmd_vkill, PKT_RUNNING, 0},
	{"vMustReplyEmpty", gdbstub_cmd_must_reply_empty, PKT_RUNNING, 0},
	{"vRun", gdbstub_cmd_vrun, PKT_SILENT, NEEDS(start)},
	{"vStopped", gdbstub_cmd_stopped, PKT_RUNNING, NEEDS(set_nonstop)},
};

static size_t name_length(const char *data, size_t len)
{
	size_t n = 0;

	if (!memchr("qQvj", data[0], 4))
		return 1;
	while (n < len && data[n] != ',' && data[n] != ';' && data[n] != ':' && data[n] != '=')
		n++;
	return n;
}

static bool all_digits(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (gdbstub_hex_digit(p[i]) < 0)
			return false;
	return len > 0;
}

static bool is_named(const struct row *row, const char *name, size_t len)
{
	size_t n = strlen(row->name);

	if (len < n || memcmp(row->name, name, n) != 0)
		return false;
	return row->flags & PKT_NUMBER ? all_digits(name + n, len - n) : len == n;
}

static const struct row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (is_named(&table[i], name, len))
			return &table[i];
	return NULL;
}

const char *gdbstub_packet_name(size_t i)
{
	return i < sizeof(table) / sizeof(table[0]) ? table[i].name : NULL;
}

static bool has_op(const struct gdbstub_ops *ops, size_t needs)
{
	void (*op)(void);

	if (needs == 0)
		return true;
	memcpy(&op, (const char *)ops + needs - 1, sizeof(op));
	return op != NULL;
}

static void serve(struct gdbstub *s, const struct row *row, struct gdbstub_cur *c)
{
	if (row->flags & PKT_THREAD && s->features & GDBSTUB_CLIENT_THREAD_SUFFIX && !gdbstub_take_suffix(s, c)) {
		gdbstub_reply_error(s, ESRCH, "there is no such thread");
	} else {
		row->handler(s, c);
		if (!s->replied && !(row->flags & PKT_SILENT))
			gdbstub_reply_error(s, EIO, "no answer");
	}
	s->suffix_tid = 0;
}

void gdbstub_dispatch(struct gdbstub *s, const char *data, size_t len)
{
	const struct row *row = len ? find(data, name_length(data, len)) : NULL;
	size_t n = row ? strlen(row->name) : 0;
	struct gdbstub_cur c = {data + n, data + len, false};

	s->replied = false;
	if (!row || !has_op(s->ops, row->needs))
		gdbstub_reply(s, "");
	else if (s->running && !(row->flags & PKT_RUNNING))
		gdbstub_reply_error(s, EBUSY, "the target is running");
	else
		serve(s, row, &c);
}
