/* What commands print with: a pager, JSON strings, the one error line. */
#include "dump_open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager;

void gyve_pager_begin(bool json)
{
	const char *cmd = getenv("PAGER");
	int fd[2];

	if (json || !isatty(STDOUT_FILENO) || (cmd && (!*cmd || strcmp(cmd, "cat") == 0)) || pipe(fd) < 0)
		return;
	pager = fork();
	if (pager == 0) {
		dup2(fd[0], STDIN_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("LESS", "FRX", 0);
		execl("/bin/sh", "sh", "-c", cmd ? cmd : "less", (char *)NULL);
		execlp("cat", "cat", (char *)NULL);
		_exit(127);
	}
	if (pager > 0)
		dup2(fd[1], STDOUT_FILENO);
	close(fd[0]);
	close(fd[1]);
}

void gyve_pager_end(void)
{
	fflush(stdout);
	if (pager <= 0)
		return;
	fclose(stdout);
	waitpid(pager, NULL, 0);
	pager = 0;
}

void gyve_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

int gyve_say_err(const struct gyve_err *err, int status)
{
	fprintf(stderr, "gyve: %s\n", err->text);
	return status;
}
