/* gyve serve DUMP --gdb LISTEN: the stub of a live guest over a dead one. */
#include "cmd.h"
#include "dump_open.h"
#include "opts.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(struct gyve_dump *d, const struct gyve_listen *listen)
{
	struct gyve_serve s = {.target = &d->target, .quit_fd = open_signals(), .dump_fd = -1, .client_required = true};
	struct gyve_server *server;
	struct gyve_stop end;
	struct gyve_err err = {0};
	int ret;

	if (gyve_server_open(&server, listen, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_FAILED);
	if (listen->kind != GYVE_LISTEN_STDIO)
		fprintf(stderr, "gyve: the dump waits for a debugger: target remote %s\n", gyve_server_address(server));
	ret = gyve_server_run(server, &s, &end);
	gyve_server_close(server);
	close(s.quit_fd);
	return ret < 0 ? GYVE_STATUS_FAILED : 0;
}

int gyve_cmd_serve(int argc, char **argv)
{
	struct gyve_listen listen;
	struct gyve_dump_opts o;
	struct gyve_dump d;
	struct gyve_err err = {0};
	const char *path = NULL, *where = NULL, *threads = "cpus";
	bool writable = false, bad = false, tasks;
	int status;

	if (gyve_dump_options(&o, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--gdb") == 0 && i + 1 < argc)
			where = argv[++i];
		else if (strncmp(argv[i], "--gdb=", 6) == 0)
			where = argv[i] + 6;
		else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
			threads = argv[++i];
		else if (strncmp(argv[i], "--threads=", 10) == 0)
			threads = argv[i] + 10;
		else if (strcmp(argv[i], "--overlay") == 0)
			writable = true;
		else if (argv[i][0] != '-' && !path)
			path = argv[i];
		else
			bad = true;
	}
	if (o.help || bad || !path) {
		fprintf(o.help ? stdout : stderr,
			"usage: gyve serve [--gdb LISTEN] [--threads WHAT] [--overlay] [OPTION...] DUMP\n"
			"  --gdb LISTEN      PORT, HOST:PORT, unix:PATH or stdio [127.0.0.1:6677]\n"
			"  --threads WHAT    gdb's threads are the vCPUs (cpus) or the tasks of a Linux guest (tasks) [cpus]\n"
			"  --overlay         registers and memory can be written, in this process only\n%s",
			gyve_dump_options_help);
		return o.help ? 0 : GYVE_STATUS_USAGE;
	}
	if (gyve_listen_parse(&listen, where, &err) < 0 || gyve_opts_threads(threads, &tasks, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_USAGE);
	o.writable = writable;
	status = gyve_dump_open(&d, path, &o);
	if (status)
		return status;
	d.target.tasks = tasks;
	status = serve(&d, &listen);
	gyve_dump_close(&d);
	return status;
}
