/* The table of `gyve run`'s options, and --help made of it. */
#include "opt_rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) .field = offsetof(struct gyve_opts, name)
#define HEADING(text)        \
	{                    \
		.name = text \
	}

const struct option_row gyve_option_rows[] = {
	HEADING("machine"),
	{'m', "memory-size", REQUIRED, "SIZE", "HERMIT_MEMORY_SIZE", "memory.memory_size", .set = opt_memory,
	 .help = "guest memory: 64MiB, 1GiB, 512M (10^6) [64MiB]"},
	{'c', "cpu-count", REQUIRED, "N", "HERMIT_CPU_COUNT", "cpu.cpu_count", .set = opt_cpus, .help = "number of vCPUs [1]"},
	{0, "no-aslr", NONE, NULL, NULL, "memory.no_aslr", .set = opt_no_aslr,
	 .help = "load a position-independent image at a fixed address"},
	{0, "thp", NONE, NULL, NULL, "memory.thp", FIELD(thp), .help = "transparent huge pages for guest memory"},
	{0, "ksm", NONE, NULL, NULL, "memory.ksm", FIELD(ksm), .help = "let the kernel merge equal pages of guest memory"},
	{'a', "affinity", REQUIRED, "LIST", NULL, "cpu.affinity", .set = opt_affinity,
	 .help = "host CPUs of vCPU 0, 1 ...: 0,2-3 [any]"},
	{0, "cpu-pm", NONE, NULL, NULL, "cpu.cpu_pm", FIELD(cpu_pm),
	 .help = "x86_64: HLT, MWAIT and PAUSE do not leave the guest"},
	{0, "pit", NONE, NULL, NULL, "cpu.pit", FIELD(pit), .help = "x86_64: a programmable interval timer"},
	{0, "strict", NONE, FIELD(strict), .help = "an access to an unknown port or address ends the guest"},

	HEADING("guest"),
	{'e', "env-vars", REQUIRED, "K=V", NULL, "guest.env_vars", .list = true, .set = opt_env,
	 .help = "a variable of the guest's environment (repeat); 'host': all of the host's"},
	{'o', "output", REQUIRED, "WHERE", NULL, "uhyve.output", FIELD(output),
	 .help = "guest output: FILE or file:FILE (a new one), none, stdio [standard output]"},
	{0, "hermit-image-mode", REQUIRED, "MODE", NULL, "uhyve.hermit_image_mode", .set = opt_image_mode,
	 .help = "files of a Hermit image (tar.gz) are mapped (external) or stay in guest memory\n(internal) [external]"},

	{0, "symbols", REQUIRED, "ELF", NULL, "debug.symbols", FIELD(symbols),
	 .help = "names for crash reports and dumps, where the image has none: a Linux kernel's vmlinux"},
	{0, "module-dir", REQUIRED, "DIR", NULL, "debug.module_dir", FIELD(module_dir),
	 .help = "Linux: the kernel's modules (*.ko) below DIR, best with debug information: gdb is\ntold of those loaded"},
	{0, "initrd", REQUIRED, "FILE", NULL, "linux.initrd", FIELD(initrd), .help = "Linux: the initial RAM disk"},
	{0, "append", REQUIRED, "TEXT", NULL, "linux.append", FIELD(append), .help = "Linux: the kernel's command line"},
	{0, "disk", REQUIRED, "FILE[,HOW]", NULL, "linux.disks", .list = true, .set = opt_disk,
	 .help = "Linux: a virtio disk (repeat): a raw file, ro: only to read, overlay: writes are\nforgotten at the end"},
	{0, "virtio-console", NONE, NULL, NULL, "linux.virtio_console", FIELD(virtio_console),
	 .help = "Linux: a virtio console, hvc0, which has the input in place of the serial port"},
	{0, "serial", REQUIRED, "WHERE", NULL, "linux.serial", .set = opt_serial,
	 .help = "Linux: the console leads to stdio, null, unix:PATH or tcp:[HOST:]PORT (one client at a\n"
		 "time), file:[PATH][,input=PATH] [stdio]"},
	{0, "self-unpack", NONE, NULL, NULL, "linux.self_unpack", FIELD(self_unpack),
	 .help = "Linux on x86_64: the kernel unpacks and moves itself, as on hardware [gyve does]"},
	{0, "dtb", REQUIRED, "FILE", NULL, "linux.dtb", FIELD(dtb),
	 .help = "Linux on aarch64: a device tree; gyve puts its own machine over it"},

	HEADING("files and isolation"),
	{0, "file-mapping", REQUIRED, "H:G[:ro]", .list = true, .set = opt_file_mapping,
	 .help = "the guest finds host file or directory H at its path G (repeat); ro: only to read"},
	{0, "tempdir", REQUIRED, "DIR", NULL, "uhyve.tempdir", FIELD(tempdir),
	 .help = "where files go that the guest makes at other paths [TMPDIR]"},
	{0, "io-mode", REQUIRED, "host=MODE", NULL, "uhyve.io_mode", .set = opt_io_mode,
	 .help = "direct, sync or both, for files in the temporary directory"},
	{0, "file-isolation", REQUIRED, "HOW", NULL, "uhyve.file_isolation", .set = opt_isolation,
	 .help = "Landlock around gyve: normal (as far as the kernel can), strict or none [normal]"},

	HEADING("network"),
	{'n', "net", REQUIRED, "WHERE", .set = opt_net,
	 .help = "a network card: tap or tap:NAME leads to an interface of the host [tap10], user\n"
		 "needs none. ,mac=MAC ,mtu=N ,pcap=FILE; with user: ,restrict=on\n"
		 ",hostfwd=tcp:[ADDRESS]:PORT-[ADDRESS:]PORT (or udp:, repeat) [none]"},

	HEADING("debugging"),
	{0, "gdb", OPTIONAL_ATTACHED, "[=LISTEN]", .set = opt_gdb,
	 .help = "stop at the first instruction and wait for gdb at LISTEN:\n"
		 "PORT, HOST:PORT, unix:PATH, stdio or tty:PATH [127.0.0.1:6677];\n"
		 "--gdb=[LISTEN,]nowait: listen, but let the guest run at once"},
	{0, "gdb-observers", NONE, NULL, NULL, "debug.observers", FIELD(observers),
	 .help = "further debuggers may look on while one is connected"},
	{'s', "gdb-port", OPTIONAL_PORT, "[PORT]", "HERMIT_GDB_PORT", "uhyve.gdb_port", .set = opt_gdb,
	 .help = "the same as --gdb=PORT"},
	{0, "threads", REQUIRED, "WHAT", NULL, "debug.threads", .set = opt_threads,
	 .help = "gdb's threads are the vCPUs (cpus) or the tasks of a Linux guest (tasks) [cpus]"},
	{0, "break-strategy", REQUIRED, "HOW", .set = opt_break_strategy,
	 .help = "software breakpoints by auto, native, internal-error, debug-register, step or unseen [auto]"},
	{0, "watch-strategy", REQUIRED, "HOW", .set = opt_watch_strategy,
	 .help = "watchpoints by auto, debug-register, page or step [auto]"},
	{0, "no-probe-cache", NONE, FIELD(no_probe_cache), .help = "look anew at what this host does for a debugger"},

	HEADING("dumps"),
	{0, "dump", REQUIRED, "FILE", .set = opt_dump, .help = "where dumps go: when the guest crashes, and at SIGQUIT"},
	{0, "dump-on", REQUIRED, "WHEN,...", .set = opt_dump_on,
	 .help = "crash, exit, panic (an exit status that is not 0, or of a Linux kernel) [crash]"},
	{0, "compress", NONE, FIELD(compress), .help = "dumps in zstd frames that can be read one by one"},
	{0, "dump-notes", REQUIRED, "qemu", .set = opt_dump_notes, .help = "QEMU's register notes in them as well"},
	{0, "live-dump", NONE, FIELD(live_dump), .help = "at SIGQUIT the guest stands still for a moment only"},
	{0, "dump-virtual", NONE, FIELD(dump_virtual), .help = "segments by virtual address in them as well"},

	HEADING("gyve itself"),
	{0, "config", REQUIRED, "FILE", "HERMIT_CONFIG", FIELD(config),
	 .help = "configuration in TOML [./gyve.toml or ./uhyve.toml, then gyve/gyve.toml or\n"
		 "uhyve/uhyve.toml in XDG_CONFIG_HOME]"},
	{0, "stats", NONE, NULL, NULL, "uhyve.stats", FIELD(stats),
	 .help = "print exits, hypercalls, assisted instructions and times at the end, on standard error"},
	{0, "log", REQUIRED, "SPEC", FIELD(log),
	 .help = "warn, or kvm=info,gdb=debug: main kvm run bp gdb hermit load dev [GYVE_LOG, RUST_LOG]"},
	{'h', "help", NONE, FIELD(help), .help = "this text"},
	{'V', "version", NONE, FIELD(version), .help = "the version"},
};
const size_t gyve_option_count = GYVE_ARRAY_SIZE(gyve_option_rows);

struct text {
	char s[12000];
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < sizeof(t->s) - t->len ? (size_t)n : sizeof(t->s) - t->len - 1;
}

static void put_row(struct text *t, const struct option_row *row)
{
	enum { COLUMN = 34 };
	size_t from = t->len;

	put(t, row->letter ? "  -%c, --%s" : "  %*s--%s", row->letter ? row->letter : 4, row->letter ? row->name : "",
	    row->name);
	if (row->arg)
		put(t, "%s%s", row->value == OPTIONAL_ATTACHED ? "" : " ", row->arg);
	for (const char *p = row->help; *p;) {
		int n = (int)strcspn(p, "\n"), used = (int)(t->len - from);
		put(t, "%*s%.*s\n", used < COLUMN ? COLUMN - used : 1, "", n, p);
		from = t->len;
		p += n + (p[n] == '\n');
	}
}

const char *gyve_opts_help(void)
{
	static struct text t;

	t.len = 0;
	for (size_t i = 0; i < gyve_option_count; i++)
		if (gyve_option_rows[i].help)
			put_row(&t, &gyve_option_rows[i]);
		else
			put(&t, "\n%s:\n", gyve_option_rows[i].name);
	put(&t, "\n--NAME VALUE can be given as environment variable GYVE_NAME=VALUE, too (also HERMIT_MEMORY_SIZE,\n"
		"HERMIT_CPU_COUNT, HERMIT_GDB_PORT, HERMIT_CONFIG), and in the configuration file. The command line\n"
		"beats the environment, and that the file.\n");
	return t.s;
}

const char *gyve_opts_name(size_t n)
{
	for (size_t i = 0; i < gyve_option_count; i++)
		if (gyve_option_rows[i].help && n-- == 0)
			return gyve_option_rows[i].name;
	return NULL;
}
