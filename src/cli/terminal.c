/* See terminal.h. */
#include "config.h"

#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ESCAPE = 1 }; /* Ctrl-A */

void terminal_open(struct terminal *t)
{
	int fd[2];

	if (tcgetattr(STDIN_FILENO, &t->before) < 0 || tcgetpgrp(STDIN_FILENO) != getpgrp() || pipe2(fd, O_CLOEXEC) < 0)
		return;
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	t->guest = fd[0];
	t->typed = fd[1];
}

/* What the guest writes is still turned into lines. */
void terminal_begin(struct terminal *t)
{
	struct termios now = t->before;

	if (!t->guest)
		return;
	now.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
	now.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
	if (t->raw)
		fputs("gyve: Ctrl-A x ends the guest\r\n", stderr);
}

void terminal_close(struct terminal *t)
{
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
	if (t->guest) {
		close(t->guest);
		close(t->typed);
	}
	*t = (struct terminal){0};
}

/* A guest that does not read, for 64 KiB: what is pasted waits in the terminal. */
static void pass(struct terminal *t, char c)
{
	const struct timespec a_while = {.tv_nsec = 10000000};

	for (int i = 0; write(t->typed, &c, 1) < 0 && (errno == EAGAIN || errno == EINTR) && i < 100; i++)
		nanosleep(&a_while, NULL);
}

bool terminal_read(struct terminal *t)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		return true; /* it has gone */
	for (ssize_t i = 0; i < n; i++) {
		if (t->escape && buf[i] == 'x')
			return true;
		bool was = t->escape;
		t->escape = !was && buf[i] == ESCAPE;
		if (!t->escape)
			pass(t, buf[i]);
	}
	return false;
}
