/* spawn N COMMAND [ARG...]: runs the command N times, its output thrown away, and prints the median and the smallest wall time
 * of a run in microseconds. A run that fails ends the measurement. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	double *took = calloc(n ? n : 1, sizeof(*took));
	posix_spawn_file_actions_t actions;

	if (n == 0 || !took) {
		fputs("usage: spawn N COMMAND [ARG...]\n", stderr);
		return 2;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	for (unsigned long i = 0; i < n; i++) {
		double begin = now();
		int status = 0;
		pid_t pid;
		int e = posix_spawnp(&pid, argv[2], &actions, NULL, argv + 2, environ);

		if (e || waitpid(pid, &status, 0) < 0 || status != 0) {
			fprintf(stderr, "spawn: %s: %s, status 0x%x\n", argv[2], strerror(e), (unsigned)status);
			return 1;
		}
		took[i] = now() - begin;
	}
	qsort(took, n, sizeof(*took), by_value);
	printf("%.0f %.0f\n", took[n / 2], took[0]);
	free(took);
	return 0;
}
