/* First process of a Linux guest: says what it found, then does what lines on the console tell it to. Statically linked. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void put_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("init: cannot write %s\n", path);
	if (fd >= 0)
		close(fd);
}

static void show(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		printf("init: no %s\n", path);
	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	if (fd >= 0)
		close(fd);
	fflush(stdout);
}

/* "/proc/kallsyms T _text": the lines of the file that end so. */
static void find(const char *args)
{
	char path[64], line[512];
	const char *what = strchr(args, ' ');
	FILE *f = what && sscanf(args, "%63s", path) == 1 ? fopen(path, "r") : NULL;

	while (f && fgets(line, sizeof(line), f)) {
		size_t n = strlen(what), len = strcspn(line, "\n");
		if (len >= n && strncmp(line + len - n, what, n) == 0)
			fputs(line, stdout);
	}
	if (f)
		fclose(f);
}

/* What /modules/order names, in that order. */
static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "r");
	char name[64], path[80];

	while (order && fscanf(order, "%63s", name) == 1) {
		snprintf(path, sizeof(path), "/modules/%s", name);
		int fd = open(path, O_RDONLY);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0)
			printf("init: module %s did not load\n", name);
		if (fd >= 0)
			close(fd);
	}
	if (order)
		fclose(order);
}

/* "/dev/vda 3 text": text into sector 3, and what comes back. */
static void write_sector(const char *args)
{
	char dev[32], text[64], buf[512] = {0};
	unsigned sector;
	int fd = sscanf(args, "%31s %u %63s", dev, &sector, text) == 3 ? open(dev, O_RDWR | O_SYNC) : -1;

	if (fd < 0 || pwrite(fd, memcpy(buf, text, strlen(text)), sizeof(buf), (off_t)sector * 512) != sizeof(buf))
		printf("init: not written\n");
	else if (pread(fd, buf, sizeof(buf), (off_t)sector * 512) == sizeof(buf))
		printf("sector %u: %.64s\n", sector, buf);
	if (fd >= 0)
		close(fd);
}

static void read_sector(const char *args)
{
	char dev[32], buf[512];
	unsigned sector;
	int fd = sscanf(args, "%31s %u", dev, &sector) == 2 ? open(dev, O_RDONLY) : -1;

	if (fd >= 0 && pread(fd, buf, sizeof(buf), (off_t)sector * 512) == sizeof(buf))
		printf("sector %u: %.64s\n", sector, buf);
	else
		printf("init: not read\n");
	if (fd >= 0)
		close(fd);
}

/* "eth0 10.0.5.3": an address for an interface, which is up then. */
static void give_address(const char *args)
{
	struct sockaddr_in *a;
	struct ifreq r = {0};
	char text[32];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (sscanf(args, "%15s %31s", r.ifr_name, text) != 2)
		return;
	a = (struct sockaddr_in *)&r.ifr_addr;
	a->sin_family = AF_INET;
	inet_pton(AF_INET, text, &a->sin_addr);
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		printf("init: no address\n");
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
		printf("init: not up\n");
	close(fd);
}

/* "10.0.2.2 80": an answer, whatever it is, has come over the network. */
static void try_connect(const char *args)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	unsigned port;
	char text[32];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (sscanf(args, "%31s %u", text, &port) != 2)
		return;
	inet_pton(AF_INET, text, &a.sin_addr);
	a.sin_port = htons((uint16_t)port);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		printf("connect: done\n");
	else
		printf("connect: %s\n", errno == ECONNREFUSED ? "refused" : strerror(errno));
	close(fd);
}

static pthread_barrier_t begun;

static void *sleeper(void *arg)
{
	prctl(PR_SET_NAME, "second");
	pthread_barrier_wait(&begun);
	for (;;)
		pause();
	return arg;
}

/* A thread beside the first, with a name of its own, that sleeps. */
static void start_thread(void)
{
	pthread_t t;

	pthread_barrier_init(&begun, NULL, 2);
	if (pthread_create(&t, NULL, sleeper, NULL) != 0)
		printf("init: no thread\n");
	else
		pthread_barrier_wait(&begun);
}

static int is_number(const struct dirent *d)
{
	return d->d_name[0] >= '0' && d->d_name[0] <= '9';
}

/* "task PID PROCESS STATE NAME" of every task, then a system call that is easy to wait for. */
static void list_tasks(void)
{
	struct dirent **process, **thread;
	char path[600], name[64], state;
	int n = scandir("/proc", &process, is_number, NULL);

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/%s/task", process[i]->d_name);
		int m = scandir(path, &thread, is_number, NULL);
		for (int k = 0; k < m; k++) {
			snprintf(path, sizeof(path), "/proc/%s/task/%s/stat", process[i]->d_name, thread[k]->d_name);
			FILE *f = fopen(path, "r");
			if (f && fscanf(f, "%*d (%63[^)]) %c", name, &state) == 2)
				printf("task %s %s %c %s\n", thread[k]->d_name, process[i]->d_name, state, name);
			if (f)
				fclose(f);
		}
	}
	fflush(stdout);
	sync();
}

static int obey(const char *line)
{
	if (strcmp(line, "poweroff") == 0)
		return reboot(RB_POWER_OFF);
	if (strcmp(line, "reboot") == 0)
		return reboot(RB_AUTOBOOT);
	if (strcmp(line, "panic") == 0)
		put_file("/proc/sysrq-trigger", "c");
	else if (strncmp(line, "show ", 5) == 0)
		show(line + 5);
	else if (strncmp(line, "find ", 5) == 0)
		find(line + 5);
	else if (strncmp(line, "address ", 8) == 0)
		give_address(line + 8);
	else if (strncmp(line, "connect ", 8) == 0)
		try_connect(line + 8);
	else if (strncmp(line, "write ", 6) == 0)
		write_sector(line + 6);
	else if (strncmp(line, "read ", 5) == 0)
		read_sector(line + 5);
	else if (strcmp(line, "thread") == 0)
		start_thread();
	else if (strcmp(line, "tasks") == 0)
		list_tasks();
	else if (strncmp(line, "echo ", 5) == 0)
		printf("%s\n", line + 5);
	else if (*line)
		printf("init: poweroff, reboot, panic, show FILE, find FILE END, read DISK N, write DISK N WORD, address IF A, "
		       "connect A PORT, thread, tasks "
		       "or echo TEXT\n");
	return 0;
}

static void use_terminal(const char *path)
{
	int fd = open(path, O_RDWR);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
}

int main(int argc, char **argv)
{
	char line[256];

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	use_terminal("/dev/console");
	setvbuf(stdout, NULL, _IOLBF, 0);
	load_modules();
	use_terminal("/dev/hvc0"); /* if there is one, it has the input */
	printf("init: up with %ld CPUs\n", sysconf(_SC_NPROCESSORS_ONLN));
	for (int i = 1; i < argc; i++) /* what stands behind -- on the kernel's command line */
		obey(argv[i]);
	for (;;) {
		printf("init> ");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin)) {
			printf("init: no more input\n");
			reboot(RB_POWER_OFF);
			for (;;)
				pause();
		}
		line[strcspn(line, "\r\n")] = '\0';
		obey(line);
	}
}
