/* first_line TEXT COMMAND [ARG...]: starts the command, whose input is empty, and prints how many microseconds later its output
 * held TEXT; then kills it. Nothing within 90 seconds, or before the command ends: status 1. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 90000 };

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void child(char **argv, int out)
{
	int empty = open("/dev/null", O_RDWR);

	if (empty < 0 || dup2(empty, 0) < 0 || dup2(empty, 2) < 0 || dup2(out, 1) < 0)
		_exit(126);
	setpgid(0, 0);
	execvp(argv[0], argv);
	_exit(127);
}

/* The end of what was read stays in front of what comes next, for a text that comes in two parts. */
static bool wait_for(const char *text, int fd, double begin)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[8192];
	size_t kept = 0, len = strlen(text);

	for (;;) {
		int left = LIMIT_MS - (int)((now() - begin) / 1e3);
		if (left <= 0 || poll(&p, 1, left) <= 0)
			return false;
		ssize_t n = read(fd, buf + kept, sizeof(buf) - kept);
		if (n <= 0)
			return false;
		if (memmem(buf, kept + (size_t)n, text, len))
			return true;
		size_t have = kept + (size_t)n;
		kept = have < len ? have : len;
		memmove(buf, buf + have - kept, kept);
	}
}

int main(int argc, char **argv)
{
	int fd[2];

	if (argc < 3 || strlen(argv[1]) == 0 || strlen(argv[1]) > 1000) {
		fputs("usage: first_line TEXT COMMAND [ARG...]\n", stderr);
		return 2;
	}
	if (pipe(fd) < 0)
		return 1;
	double begin = now();
	pid_t pid = fork();
	if (pid == 0)
		child(argv + 2, fd[1]);
	close(fd[1]);
	if (pid < 0)
		return 1;
	bool seen = wait_for(argv[1], fd[0], begin);
	double took = now() - begin;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (seen)
		printf("%.0f\n", took);
	return !seen;
}
