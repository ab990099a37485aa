/* First process of a Linux guest: says what it found, then does what lines on the console tell it to. Statically linked. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
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
	else if (strncmp(line, "echo ", 5) == 0)
		printf("%s\n", line + 5);
	else if (*line)
		printf("init: poweroff, reboot, panic, show FILE or echo TEXT\n");
	return 0;
}

int main(void)
{
	char line[256];

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("init: up with %ld CPUs\n", sysconf(_SC_NPROCESSORS_ONLN));
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
