/* What commands print with: a pager, JSON strings, the one error line. */
#define _GNU_SOURCE
#include "dump_open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager;
static bool color;

static bool wants_color(const struct gyve_dump_opts *o)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (o->json || o->color != GYVE_COLOR_AUTO)
		return !o->json && o->color == GYVE_COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void gyve_pager_begin(const struct gyve_dump_opts *o)
{
	const char *cmd = getenv("PAGER");
	int fd[2];

	color = wants_color(o);
	if (o->json || !isatty(STDOUT_FILENO) || (cmd && (!*cmd || strcmp(cmd, "cat") == 0)) || pipe(fd) < 0)
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

const char *gyve_paint(enum gyve_paint what)
{
	static const char *const codes[] = {
		[GYVE_PAINT_OFF] = "\033[m",     [GYVE_PAINT_ADDRESS] = "\033[34m", [GYVE_PAINT_NAME] = "\033[33m",
		[GYVE_PAINT_PLACE] = "\033[32m", [GYVE_PAINT_BAD] = "\033[31m",     [GYVE_PAINT_GOOD] = "\033[32m",
	};

	return color ? codes[what] : "";
}

static void painted(enum gyve_paint what, const char *text, size_t len)
{
	printf("%s%.*s%s", gyve_paint(what), (int)len, text, gyve_paint(GYVE_PAINT_OFF));
}

/* "#1  0x... in name (...) at file.c:3 [...]"; where a line is another one it is left as it is. */
void gyve_print_frame(const char *line, size_t len)
{
	const char *end = line + len, *p = line, *q;

	if (!color || !len || *line != '#') {
		fwrite(line, 1, len, stdout);
		return;
	}
	while (p < end && (*p == '#' || *p == ' ' || (*p >= '0' && *p <= '9')) && !(p[0] == '0' && p + 1 < end && p[1] == 'x'))
		p++;
	fwrite(line, 1, (size_t)(p - line), stdout);
	if (end - p > 2 && p[1] == 'x') {
		for (q = p; q < end && *q != ' ' && *q != '\n';)
			q++;
		painted(GYVE_PAINT_ADDRESS, p, (size_t)(q - p));
		p = q;
		if (end - p > 4 && memcmp(p, " in ", 4) == 0) {
			fwrite(p, 1, 4, stdout);
			p += 4;
		}
	}
	for (q = p; q < end && *q != '\n' && *q != '+' && !(q[0] == ' ' && q + 1 < end && q[1] == '(');)
		q++;
	painted(GYVE_PAINT_NAME, p, (size_t)(q - p));
	p = q;
	for (const char *at = p; (at = memmem(at, (size_t)(end - at), ") at ", 5)); at++)
		q = at + 5;
	fwrite(p, 1, (size_t)(q - p), stdout);
	p = q;
	if (p > line + 4 && memcmp(p - 4, " at ", 4) == 0) {
		while (q < end && *q != ' ' && *q != '\n')
			q++;
		painted(GYVE_PAINT_PLACE, p, (size_t)(q - p));
	}
	fwrite(q, 1, (size_t)(end - q), stdout);
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
