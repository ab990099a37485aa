/* Private to src/cli: sub-commands and exit statuses. */
#ifndef GYVE_CMD_H
#define GYVE_CMD_H

enum {
	GYVE_STATUS_USAGE = 2,
	GYVE_STATUS_CRASH = 124,  /**< the guest died */
	GYVE_STATUS_FAILED = 125, /**< gyve's own failure */
	GYVE_STATUS_NO_KVM = 126, /**< KVM is missing or unusable */
	GYVE_STATUS_IMAGE = 127,  /**< IMAGE cannot be loaded */
};

/** argv[0] is the command's name. Return the exit status. */
int gyve_cmd_run(int argc, char **argv);
int gyve_cmd_probe(int argc, char **argv);
int gyve_cmd_serve(int argc, char **argv);
int gyve_cmd_search(int argc, char **argv);
int gyve_cmd_diff(int argc, char **argv);
/** "8xg" of gdb's x/8xg. -EINVAL. */
int gyve_x_format(const char *text, unsigned long *count, char *kind, unsigned *size);
int gyve_cmd_version(int argc, char **argv);
#endif
