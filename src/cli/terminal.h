/* Private to src/cli: the terminal as a Linux guest's console: each byte as it is typed, Ctrl-C and the like included. Ctrl-A
 * is gyve's: Ctrl-A x ends it, Ctrl-A twice is one Ctrl-A for the guest. Session thread. */
#ifndef GYVE_CLI_TERMINAL_H
#define GYVE_CLI_TERMINAL_H
#include <stdbool.h>
#include <termios.h>

struct terminal {
	int guest; /**< where the guest reads; 0: there is no terminal, nothing was opened */
	int typed; /**< the other end */
	bool raw, escape;
	struct termios before;
};

/** If standard input is a terminal and we are in its foreground: make guest. */
void terminal_open(struct terminal *t);
/** From now on bytes, not lines. */
void terminal_begin(struct terminal *t);
/** Something was typed. true: the user wants to end gyve. */
bool terminal_read(struct terminal *t);
/** As it was before. */
void terminal_close(struct terminal *t);
#endif
