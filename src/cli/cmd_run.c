/* gyve run: put the rooms together, wait for the guest's end, turn it into an exit status. */
#include "config.h"

#include "cmd.h"
#include "isolation.h"
#include "opts.h"
#include "serial.h"
#include "terminal.h"

#include "../base/io.h"
#include "gyve/filemap.h"
#include "gyve/hermit_image.h"
#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
	struct gyve_opts opts;
	const uint8_t *image;
	size_t image_size;
	int out_fd; /* -1: discard */
	bool close_out;
	bool mute; /* what the guest says now it will say again */
	int signal_fd, dump_fd;
	pid_t dumper; /* the process that writes a live dump; 0 none */
	struct gyve_filemap *files;
	struct gyve_hermit_image *bundle; /* the image is an archive */
	int kernel_fd;                    /* its kernel */
	struct mapped {
		const uint8_t *data;
		size_t len;
	} initrd, dtb, symbols;
	struct gyve_module_files *module_files;
	char kernel_path[32];
	struct terminal terminal;
	struct serial serial;
	struct isolation isolation;
	struct gyve_net *net;
	struct gyve_symtab *syms;
	struct gyve_panic *panic; /* NULL: it is an end like others */
	struct gyve_server *server;
	struct gyve_vm *vm;
	struct gyve_target target;
};

static int fail(const struct gyve_err *err, int status)
{
	fprintf(stderr, "gyve: %s\n", err->text);
	return status;
}

static void guest_write(void *ctx, const void *buf, size_t len)
{
	struct run *r = ctx;

	if (r->panic && !r->mute)
		gyve_panic_hear(r->panic, buf, len);
	if (!r->mute && serial_write(&r->serial, buf, len))
		return;
	if (!r->mute && r->out_fd >= 0 && gyve_write_all(r->out_fd, buf, len) < 0)
		r->out_fd = r->close_out ? (close(r->out_fd), -1) : -1; /* nobody reads: the guest need not know */
}

static void print_err(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	fwrite(buf, 1, len, stderr);
}

static void notice(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "gyve: %s\n", text);
}

/* Blocked here, before any thread exists, so that they arrive at the descriptor only. */
static int open_signals(struct run *r, struct gyve_err *err)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->opts.dump && r->signal_fd >= 0) { /* without it, SIGQUIT ends us as it ends everybody */
		sigemptyset(&set);
		sigaddset(&set, SIGQUIT);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		r->dump_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	}
	return r->signal_fd < 0 ? gyve_err_set(err, -errno, "cannot make a signal descriptor: %s", strerror(errno)) : 0;
}

static int open_output(struct run *r, struct gyve_err *err)
{
	const char *path = r->opts.output;

	r->out_fd = STDOUT_FILENO;
	if (!path || strcmp(path, "stdio") == 0) {
		/* standard output belongs to the protocol then */
		if (r->opts.gdb && r->opts.listen.kind == GYVE_LISTEN_STDIO)
			r->out_fd = STDERR_FILENO;
		return 0;
	}
	if (strcmp(path, "none") == 0 || strcmp(path, "None") == 0) {
		r->out_fd = -1;
		return 0;
	}
	if (strncmp(path, "file:", 5) == 0)
		path += 5;
	r->out_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (r->out_fd < 0)
		return gyve_err_set(err, -errno, "cannot create the output file %s: %s", path, strerror(errno));
	r->close_out = true;
	return 0;
}

static int open_files(struct run *r, struct gyve_err *err)
{
	const struct gyve_opts *o = &r->opts;
	int ret = gyve_filemap_create(&r->files);

	if (ret < 0)
		return gyve_err_set(err, ret, "no memory");
	gyve_filemap_temp_flags(r->files, (o->io_direct ? O_DIRECT : 0) | (o->io_sync ? O_SYNC : 0));
	for (size_t i = 0; ret == 0 && i < o->nfile_mappings; i++)
		ret = gyve_filemap_add(r->files, o->file_mappings[i], err);
	if (ret == 0 && r->bundle && !o->image_internal)
		ret = gyve_hermit_image_map(r->bundle, r->files, err);
	return ret;
}

/* The kernel, as a file of its own for those who read one. */
static int make_kernel_file(struct run *r, struct gyve_err *err)
{
	const struct gyve_hermit_file *k = r->bundle->kernel;

	r->kernel_fd = memfd_create("kernel", MFD_CLOEXEC);
	if (r->kernel_fd < 0 || gyve_write_all(r->kernel_fd, k->data, k->len) < 0)
		return gyve_err_set(err, -ENOMEM, "no memory for the image's kernel");
	snprintf(r->kernel_path, sizeof(r->kernel_path), "/proc/self/fd/%d", r->kernel_fd);
	gyve_file_unmap(r->image, r->image_size);
	r->image = NULL;
	return gyve_file_map(r->kernel_path, &r->image, &r->image_size, err);
}

/* An archive: what its hermit.toml says goes where the command line says nothing. */
static int open_bundle(struct run *r, struct gyve_err *err)
{
	struct gyve_opts *o = &r->opts;
	int ret;

	if (!gyve_hermit_image_probe(r->image, r->image_size))
		return 0;
	ret = gyve_hermit_image_open(&r->bundle, r->image, r->image_size, o->image_internal, GYVE_HERMIT_IMAGE_MAX, err);
	if (ret < 0) {
		gyve_err_prefix(err, "%s", o->image);
		return ret;
	}
	if (o->mem_size < r->bundle->memory)
		return gyve_err_set(err, -ENOEXEC,
				    "%s needs %" PRIu64 " bytes of memory and has %" PRIu64 ": give it more with --memory-size",
				    o->image, r->bundle->memory, o->mem_size);
	if (o->ncpus < r->bundle->cpus)
		return gyve_err_set(err, -ENOEXEC, "%s needs %u vCPUs and has %u: give it more with --cpu-count", o->image,
				    r->bundle->cpus, o->ncpus);
	if (!o->args[0])
		o->args = r->bundle->args;
	for (const char **e = r->bundle->env; ret == 0 && !o->env_host && *e; e++)
		ret = gyve_opts_add_env(o, *e);
	return ret < 0 ? gyve_err_set(err, ret, "no memory") : make_kernel_file(r, err);
}

/* What goes to a Linux kernel along with it. */
static int open_boot_files(struct run *r, struct gyve_err *err)
{
	const struct gyve_opts *o = &r->opts;

	if (o->initrd && gyve_file_map(o->initrd, &r->initrd.data, &r->initrd.len, err) < 0)
		return err->code;
	if (o->symbols && gyve_file_map(o->symbols, &r->symbols.data, &r->symbols.len, err) < 0)
		return err->code;
	if (o->module_dir && gyve_module_files_open(&r->module_files, o->module_dir, err) < 0)
		return err->code;
	return o->dtb ? gyve_file_map(o->dtb, &r->dtb.data, &r->dtb.len, err) : 0;
}

/* What is added to the addresses in the file with the symbols. */
static uint64_t link_bias(const struct run *r)
{
	const struct gyve_layout *l = gyve_vm_layout(r->vm);
	struct gyve_symtab *syms;
	uint64_t text = l->place;

	if (!l->place || !r->symbols.data || gyve_symtab_borrow(&syms, r->symbols.data, r->symbols.len, 0, NULL) < 0)
		return l->bias;
	gyve_symtab_lookup(syms, "_text", &text);
	gyve_symtab_destroy(syms);
	return l->place - text;
}

/* Names for a crash report, and what a debugger is told to read: the image, unless another file was named. Absence of names is
 * no failure. */
static int open_target(struct run *r)
{
	enum { FETCH_MAX = 64 << 20 }; /* more takes a debugger minutes to fetch */
	const struct gyve_opts *o = &r->opts;
	uint64_t bias = link_bias(r);
	const char *image = r->bundle ? r->kernel_path : o->image;
	const struct mapped file = o->symbols ? r->symbols : (struct mapped){r->image, r->image_size};

	if (o->symbols)
		gyve_symtab_borrow(&r->syms, file.data, file.len, bias, NULL);
	else
		gyve_symtab_create(&r->syms, file.data, file.len, bias, NULL);
	if (gyve_target_live(&r->target, r->vm, r->syms, o->symbols ? o->symbols : image) < 0)
		return -ENOMEM;
	r->target.tasks = o->tasks;
	r->target.module_files = r->module_files;
	r->target.image_raw = file.len < 4 || memcmp(file.data, "\177ELF", 4) != 0 || file.len > FETCH_MAX;
	return 0;
}

/* A kernel that moves itself unseen has its symbols elsewhere. */
static int open_panic(struct run *r)
{
	const struct gyve_opts *o = &r->opts;
	const struct gyve_layout *l = gyve_vm_layout(r->vm);
	bool linux_guest = strcmp(gyve_vm_platform(r->vm), "linux") == 0;

	r->target.syms_adrift = linux_guest && o->aslr && !l->bias && !l->place;
	r->target.drifts = r->target.syms_adrift && o->symbols ? r->syms : NULL;
	if (!o->dump_panic && !linux_guest)
		return 0;
	if (gyve_panic_create(&r->panic, o->dump_panic, linux_guest && r->symbols.data) < 0)
		return -ENOMEM;
	r->target.panic = r->panic;
	return 0;
}

/* Everything is open, no vCPU has run. The debugger reads the image, and whoever dumps does so where we were started. */
static int isolate(void *ctx, struct gyve_err *err)
{
	struct run *r = ctx;
	const struct gyve_opts *o = &r->opts;

	r->isolation.mode = o->isolation;
	isolation_path(&r->isolation, o->image, GYVE_GRANT_READ);
	if (o->symbols)
		isolation_path(&r->isolation, o->symbols, GYVE_GRANT_READ);
	if (o->module_dir)
		isolation_path(&r->isolation, o->module_dir, GYVE_GRANT_READ);
	if (o->gdb)
		isolation_path(&r->isolation, ".", GYVE_GRANT_ALL);
	if (o->dump)
		isolation_parent(&r->isolation, o->dump, GYVE_GRANT_ALL);
	if (o->gdb || o->dump)
		isolation_path(&r->isolation, "/proc/self", GYVE_GRANT_READ); /* which pages the guest has touched */
	if (o->net.kind == GYVE_NET_USER) {
		r->isolation.net = GYVE_ISOLATE_NET;
		isolation_device_path(&r->isolation, "/etc/resolv.conf", GYVE_GRANT_READ);
	}
	if (o->serial && strncmp(o->serial, "unix:", 5) == 0)
		isolation_parent(&r->isolation, o->serial + 5, GYVE_GRANT_REMOVE);
	if (o->gdb && o->listen.kind == GYVE_LISTEN_UNIX)
		isolation_parent(&r->isolation, o->listen.path, GYVE_GRANT_REMOVE);
	return isolation_process(&r->isolation, r->files, notice, err);
}

static int isolate_thread(void *ctx, struct gyve_err *err)
{
	struct run *r = ctx;
	return isolation_thread(&r->isolation, false, err);
}

static int isolate_devices(void *ctx, struct gyve_err *err)
{
	struct run *r = ctx;
	return isolation_thread(&r->isolation, true, err);
}

static void dump_progress(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	fprintf(stderr, "gyve: dumping: %" PRIu64 " of %" PRIu64 " MiB\n", done >> 20, total >> 20);
}

static void dump_done(void *ctx, int ret, const struct gyve_core_result *res, const struct gyve_err *err)
{
	struct run *r = ctx;

	if (ret < 0)
		dprintf(STDERR_FILENO, "gyve: %s\n", err->text);
	else
		dprintf(STDERR_FILENO, "gyve: dump %s: %" PRIu64 " KiB of memory in %.2f s\n", r->opts.dump, res->stored >> 10,
			res->seconds);
}

static void dump_live(struct run *r, const struct gyve_core_options *co)
{
	struct timespec from, to;
	struct gyve_err err = {0};

	if (r->dumper && waitpid(r->dumper, NULL, WNOHANG) == 0) {
		fprintf(stderr, "gyve: a dump is being written already\n");
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	r->dumper = gyve_target_dump_live(&r->target, r->opts.dump, co, "request", dump_done, r, &err);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (r->dumper < 0) {
		r->dumper = 0;
		fprintf(stderr, "gyve: %s\n", err.text);
		return;
	}
	fprintf(stderr, "gyve: the guest stood still for %.1f ms; its dump is being written\n",
		(double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6);
}

static void dump(void *ctx, const char *why, const struct gyve_stop *stop)
{
	struct run *r = ctx;
	const struct gyve_opts *o = &r->opts;
	bool exit = strcmp(why, "exit") == 0;
	struct gyve_core_options co = {o->compress, o->dump_qemu, o->dump_virtual, dump_progress, NULL, 0};
	struct gyve_core_result res;
	struct gyve_err err = {0};

	if (!o->dump || (strcmp(why, "crash") == 0 && !o->dump_crash) || (strcmp(why, "panic") == 0 && !o->dump_panic) ||
	    (exit && !o->dump_exit && !(o->dump_panic && stop->code)))
		return;
	if (exit && stop->code && !o->dump_exit)
		why = "panic";
	if (o->live_dump && strcmp(why, "request") == 0) {
		dump_live(r, &co);
		return;
	}
	int ret = gyve_target_dump(&r->target, o->dump, &co, why, &res, &err);
	dump_done(r, ret, &res, &err);
}

static int create_status(int code)
{
	switch (code) {
	case -ENOEXEC:
		return GYVE_STATUS_IMAGE;
	case -ENOENT:
	case -ENODEV:
	case -EACCES:
	case -EPERM:
	case -ENOTSUP:
		return GYVE_STATUS_NO_KVM;
	default:
		return GYVE_STATUS_FAILED;
	}
}

static void open_input(struct run *r, struct gyve_boot_params *boot)
{
	const struct gyve_opts *o = &r->opts;

	if (r->serial.kind != SERIAL_STDIO) {
		boot->no_input = r->serial.guest < 0;
		boot->terminal = boot->no_input ? 0 : r->serial.guest;
		return;
	}
	boot->no_input = o->gdb && o->listen.kind == GYVE_LISTEN_STDIO;
	if (!boot->no_input)
		terminal_open(&r->terminal);
	boot->terminal = r->terminal.guest;
}

/* Everything up to the first instruction. 0 or an exit status. */
static int set_up(struct run *r)
{
	const struct gyve_opts *o = &r->opts;
	struct gyve_err err = {0};
	struct gyve_vm_options vo = {
		.boot = {.path = o->image,
			 .mem_size = o->mem_size,
			 .mem_size_given = o->mem_size_given,
			 .ncpus = o->ncpus,
			 .aslr = o->aslr,
			 .args = o->args,
			 .env = o->env,
			 .strict = o->strict},
		.out = {guest_write, r},
		.stopped = (o->gdb && !o->nowait) || o->dump_panic,
		.debugger = o->gdb || o->dump_panic,
		.break_strategy = o->break_strategy,
		.watch_strategy = o->watch_strategy,
		.no_probe_cache = o->no_probe_cache,
		.thp = o->thp,
		.ksm = o->ksm,
		.pit = o->pit,
		.cpu_pm = o->cpu_pm,
		.affinity = o->naffinity ? o->affinity : NULL,
	};
	int ret;

	if (gyve_file_map(o->image, &r->image, &r->image_size, &err) < 0)
		return fail(&err, GYVE_STATUS_IMAGE);
	if (open_bundle(r, &err) < 0 || open_boot_files(r, &err) < 0)
		return fail(&err, GYVE_STATUS_IMAGE);
	if (open_files(r, &err) < 0)
		return fail(&err, GYVE_STATUS_USAGE);
	if (open_output(r, &err) < 0 || open_signals(r, &err) < 0)
		return fail(&err, GYVE_STATUS_FAILED);
	if (o->net.kind && gyve_net_open(&r->net, &o->net, &err) < 0)
		return fail(&err, GYVE_STATUS_FAILED);
	if (o->gdb && gyve_server_open(&r->server, &o->listen, &err) < 0)
		return fail(&err, GYVE_STATUS_FAILED);
	vo.isolate = isolate;
	vo.isolate_thread = isolate_thread;
	vo.isolate_devices = isolate_devices;
	vo.isolate_ctx = r;
	vo.boot.files = r->files;
	vo.boot.net = r->net;
	vo.boot.args = o->args;
	vo.boot.env = o->env;
	vo.boot.file = r->bundle ? r->kernel_path : NULL;
	vo.boot.initrd = r->bundle && o->image_internal ? r->bundle->tar : r->initrd.data;
	vo.boot.initrd_len = r->bundle ? r->bundle->tar_len : r->initrd.len;
	vo.boot.append = o->append;
	vo.boot.disks = o->disks;
	vo.boot.virtio_console = o->virtio_console;
	vo.boot.self_unpack = o->self_unpack;
	vo.boot.dtb = r->dtb.data;
	vo.boot.dtb_len = r->dtb.len;
	vo.boot.tempdir = o->tempdir;
	if (serial_open(&r->serial, o->serial ? o->serial : "stdio", &err) < 0)
		return fail(&err, GYVE_STATUS_FAILED);
	open_input(r, &vo.boot);
	ret = gyve_vm_create(&vo, &r->vm, &err);
	if (ret < 0)
		return fail(&err, create_status(ret));
	if (vo.stopped) {
		r->mute = true;
		ret = gyve_vm_find_place(r->vm, &err);
		r->mute = false;
		if (ret < 0)
			return fail(&err, GYVE_STATUS_FAILED);
	}
	if (open_target(r) < 0 || open_panic(r) < 0 || gyve_vm_start(r->vm) < 0) {
		gyve_err_set(&err, -ENOMEM, "cannot start the guest");
		return fail(&err, GYVE_STATUS_FAILED);
	}
	return 0;
}

static bool typed(void *ctx)
{
	struct run *r = ctx;

	if (r->terminal.raw)
		return terminal_read(&r->terminal);
	serial_poll(&r->serial);
	return false;
}

static int wait_for_end(struct run *r)
{
	struct gyve_serve serve = {
		.target = &r->target,
		.observers = r->opts.observers,
		.input_fd = r->terminal.raw ? STDIN_FILENO : r->serial.epoll,
		.input = r->terminal.raw || r->serial.kind == SERIAL_SOCKET ? typed : NULL,
		.input_ctx = r,
		.quit_fd = r->signal_fd,
		.quit_code = 128 + SIGINT,
		.dump_fd = r->dump_fd,
		.panic = r->panic,
		.dump = dump,
		.dump_ctx = r,
		.client_required = r->opts.gdb && !r->opts.nowait,
		.notice = notice,
	};
	struct gyve_stop end = {0};
	struct gyve_sink err_sink = {print_err, NULL};
	struct signalfd_siginfo si;
	int ret;

	if (r->server && r->opts.listen.kind != GYVE_LISTEN_STDIO)
		fprintf(stderr, "gyve: %s: target remote %s\n",
			r->opts.nowait ? "a debugger may connect" : "the guest waits for a debugger",
			gyve_server_address(r->server));
	if (serial_address(&r->serial))
		fprintf(stderr, "gyve: the guest's console is at %s\n", serial_address(&r->serial));
	ret = gyve_server_run(r->server, &serve, &end);
	if (r->opts.stats)
		gyve_target_print_stats(&r->target, NULL, &err_sink);
	if (ret < 0) {
		fprintf(stderr, "gyve: the session ended: %s\n", strerror(-ret));
		return GYVE_STATUS_FAILED;
	}
	if (end.kind == GYVE_STOP_CRASH)
		return GYVE_STATUS_CRASH;
	if (read(r->signal_fd, &si, sizeof(si)) == sizeof(si))
		return 128 + (int)si.ssi_signo;
	return end.code & 0xff;
}

static void tear_down(struct run *r)
{
	if (r->target.ops)
		gyve_target_deinit(&r->target);
	if (r->vm)
		gyve_vm_destroy(r->vm);
	gyve_net_close(r->net);
	if (r->syms)
		gyve_symtab_destroy(r->syms);
	gyve_panic_destroy(r->panic);
	gyve_server_close(r->server);
	terminal_close(&r->terminal);
	serial_close(&r->serial);
	isolation_deinit(&r->isolation);
	gyve_filemap_destroy(r->files);
	gyve_hermit_image_close(r->bundle);
	if (r->kernel_fd >= 0)
		close(r->kernel_fd);
	if (r->close_out && r->out_fd >= 0)
		close(r->out_fd);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->dump_fd >= 0)
		close(r->dump_fd);
	if (r->dumper) /* what was asked for gets whole */
		waitpid(r->dumper, NULL, 0);
	if (r->image)
		gyve_file_unmap(r->image, r->image_size);
	if (r->initrd.data)
		gyve_file_unmap(r->initrd.data, r->initrd.len);
	if (r->dtb.data)
		gyve_file_unmap(r->dtb.data, r->dtb.len);
	gyve_module_files_close(r->module_files);
	if (r->symbols.data)
		gyve_file_unmap(r->symbols.data, r->symbols.len);
	gyve_opts_deinit(&r->opts);
}

int gyve_cmd_run(int argc, char **argv)
{
	struct run r = {.out_fd = -1, .signal_fd = -1, .dump_fd = -1, .kernel_fd = -1};
	struct gyve_err err = {0};
	int status;

	if (gyve_opts_parse(&r.opts, argc, argv, &err) < 0) {
		fprintf(stderr, "gyve: %s\ntry: gyve --help\n", err.text);
		return GYVE_STATUS_USAGE;
	}
	if (r.opts.help) {
		printf("usage: gyve [run] [OPTION...] IMAGE [--] [ARG...]\n%s", gyve_opts_help());
		gyve_opts_deinit(&r.opts);
		return 0;
	}
	if (r.opts.version) {
		gyve_opts_deinit(&r.opts);
		return gyve_cmd_version(argc, argv);
	}
	if (!r.opts.log && getenv("RUST_LOG"))
		gyve_log_configure_rust(getenv("RUST_LOG"));
	if (!r.opts.image || (r.opts.log && gyve_log_configure(r.opts.log) < 0)) {
		if (!r.opts.image)
			fprintf(stderr, "gyve: IMAGE is missing\ntry: gyve --help\n");
		else
			fprintf(stderr, "gyve: --log: '%s' is not a log level or SUBSYSTEM=LEVEL list\n", r.opts.log);
		gyve_opts_deinit(&r.opts);
		return GYVE_STATUS_USAGE;
	}
	status = set_up(&r);
	if (status == 0 && strcmp(gyve_vm_platform(r.vm), "linux") == 0)
		terminal_begin(&r.terminal);
	if (status == 0)
		status = wait_for_end(&r);
	tear_down(&r);
	return status;
}
